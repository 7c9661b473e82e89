-- Which login role is what. A role is registered as exactly one of: person (member.db_role), analyst, trusted.

CREATE TABLE leadguard.login_role (
    db_role     name CONSTRAINT login_role_pkey PRIMARY KEY,
    mode        text NOT NULL CONSTRAINT login_role_mode_known CHECK (mode IN ('analyst', 'trusted')),
    member_id   bigint CONSTRAINT login_role_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    CONSTRAINT login_role_member CHECK ((mode = 'analyst') = (member_id IS NOT NULL))
);
COMMENT ON TABLE leadguard.login_role IS
'Login roles that are not persons: analysts (read-only, bound to a member) and trusted connectors (may call act_as). Written by leadguard.analyst and leadguard.connector.';

-- Not dumped: OIDs of roles mean nothing in another cluster. Triggers fill it on restore from the names.
CREATE TABLE leadguard.role_binding (
    role_oid    oid CONSTRAINT role_binding_pkey PRIMARY KEY,
    db_role     name NOT NULL CONSTRAINT role_binding_db_role_unique UNIQUE,
    mode        text NOT NULL CONSTRAINT role_binding_mode_known CHECK (mode IN ('person', 'analyst', 'trusted')),
    member_id   bigint CONSTRAINT role_binding_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE
);
CREATE INDEX role_binding_member_id_idx ON leadguard.role_binding (member_id);
COMMENT ON TABLE leadguard.role_binding IS
'OID and name of every registered login role. Both must match, so that a recycled login name inherits nothing; see rebind_roles().';
