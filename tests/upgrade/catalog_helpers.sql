CREATE FUNCTION pg_temp.owner(owner oid) RETURNS text LANGUAGE sql
    RETURN CASE WHEN owner = (SELECT extowner FROM pg_extension WHERE extname = 'leadguard') THEN 'the owner' ELSE owner::regrole::text END;

-- Rights on an object, without those of registered logins. The kind is acldefault's, NULL where nothing is given by default.
CREATE FUNCTION pg_temp.rights(rights aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql
    RETURN (
        SELECT string_agg(
            format('%s=%s%s/%s',
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_temp.owner(a.grantee) END,
                a.privilege_type, CASE WHEN a.is_grantable THEN '*' END, pg_temp.owner(a.grantor)),
            ' ' ORDER BY a.grantee, a.privilege_type)
        FROM aclexplode(coalesce(rights, acldefault(kind, owner))) a
        WHERE NOT EXISTS (SELECT FROM leadguard.role_binding b WHERE b.role_oid = a.grantee));
