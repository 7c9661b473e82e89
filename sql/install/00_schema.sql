-- The schema and the rights on it. Everything below is created with plain CREATE: an object that is
-- already there belongs to somebody else, and the installation must stop (CVE-2022-2625).
DO $$
BEGIN
    IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'leadguard')
        <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'schema "leadguard" exists and belongs to another role'
            USING ERRCODE = '42501',
                  HINT = 'Drop or rename that schema; its owner could replace what the extension relies on.';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'leadguard')
        OR EXISTS (SELECT FROM pg_catalog.pg_proc p
               JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'leadguard') THEN
        RAISE EXCEPTION 'schema "leadguard" is not empty'
            USING ERRCODE = '42P06', HINT = 'The extension needs the schema for itself.';
    END IF;
END
$$;

COMMENT ON SCHEMA leadguard IS
'Row security of sales leads from the management and territory hierarchies. See leadguard.protect.';

DO $$
DECLARE
    version integer := current_setting('server_version_num')::integer;
    floor integer := CASE version / 10000 WHEN 14 THEN 25 WHEN 15 THEN 20 WHEN 16 THEN 16 WHEN 17 THEN 12 WHEN 18 THEN 7 ELSE 0 END;
BEGIN
    IF version % 10000 < floor THEN
        RAISE WARNING 'this server (%) has known holes in row security', current_setting('server_version')
            USING HINT = 'Update to 14.25, 15.20, 16.16, 17.12 or 18.7. leadguard.protect refuses to work here unless leadguard.allow_unpatched_server is on.';
    END IF;
END
$$;
