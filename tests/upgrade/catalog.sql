-- Everything that the extension declares: kind, name, what there is to say about it. Without OIDs, and without the
-- rights of registered logins, so that two databases can be compared.
WITH extension AS (
    SELECT * FROM pg_extension WHERE extname = 'leadguard'
), relation AS (
    SELECT c.*, format('%s %s', c.relkind, c.relname) AS name FROM pg_class c WHERE c.relnamespace = 'leadguard'::regnamespace
), dependency AS (
    SELECT d.deptype, d.classid, o.type, o.schema, regexp_replace(o.identity, '\d{5,}', '#') AS identity,
           format('%s %s', r.type, regexp_replace(r.identity, '\d{5,}', '#')) AS referenced, r.schema AS referenced_schema
    FROM pg_depend d,
         LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o,
         LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) r
)
SELECT 'extension' AS kind, extname::text AS name,
       concat_ws(' | ', extversion, extrelocatable, extnamespace::regnamespace, obj_description(oid, 'pg_extension')) AS detail
FROM extension
UNION ALL
SELECT 'dumped', d.relation::regclass::text, d.condition
FROM extension, unnest(extconfig, extcondition) AS d (relation, condition)
UNION ALL
SELECT 'belongs to the extension', format('%s %s', o.type, o.identity), ''
FROM extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o
UNION ALL
SELECT 'schema', n.nspname::text,
       concat_ws(' | ', pg_temp.owner(n.nspowner), pg_temp.rights(n.nspacl, 'n', n.nspowner), obj_description(n.oid, 'pg_namespace'))
FROM pg_namespace n WHERE n.nspname = 'leadguard'
UNION ALL
SELECT 'default privileges', concat_ws(' ', d.defaclobjtype, d.defaclrole::regrole), pg_temp.rights(d.defaclacl, NULL, d.defaclrole)
FROM pg_default_acl d WHERE d.defaclnamespace = 'leadguard'::regnamespace
UNION ALL
SELECT 'relation', r.name,
       concat_ws(' | ', pg_temp.owner(r.relowner), pg_temp.rights(r.relacl, (CASE r.relkind WHEN 'S' THEN 's' WHEN 'r' THEN 'r' WHEN 'v' THEN 'r' END)::"char", r.relowner), r.relpersistence, r.relreplident,
                 CASE WHEN r.relrowsecurity THEN 'row security' END, CASE WHEN r.relforcerowsecurity THEN 'forced' END,
                 CASE WHEN r.relispartition THEN 'partition' END, r.reloptions::text, r.reltablespace,
                 (SELECT a.amname FROM pg_am a WHERE a.oid = r.relam), obj_description(r.oid, 'pg_class'))
FROM relation r
UNION ALL
SELECT 'column', format('%s.%s', r.name, a.attname),
       concat_ws(' | ', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
                 CASE WHEN a.attnotnull THEN 'not null' END, 'identity ' || nullif(a.attidentity::text, ''),
                 'generated ' || nullif(a.attgenerated::text, ''), pg_get_expr(d.adbin, d.adrelid),
                 (SELECT c.collname FROM pg_collation c WHERE c.oid = a.attcollation), a.attstorage,
                 nullif(a.attcompression::text, ''), -- Newer minor versions of the server count changes of row types here.
                 (SELECT string_agg(o, ' ') FROM unnest(a.attoptions) AS o WHERE NOT starts_with(o, 'pg_attver=')), pg_temp.rights(a.attacl, NULL, r.relowner), col_description(r.oid, a.attnum))
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint', format('%s.%s', r.name, c.conname),
       concat_ws(' | ', c.contype, pg_get_constraintdef(c.oid), CASE WHEN NOT c.convalidated THEN 'not valid' END, obj_description(c.oid, 'pg_constraint'))
FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
UNION ALL
SELECT 'index', i.indexrelid::regclass::text,
       concat_ws(' | ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END,
                 CASE WHEN i.indisclustered THEN 'clustered' END, CASE WHEN i.indisreplident THEN 'identity' END)
FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT 'policy', format('%s.%s', r.name, p.polname),
       concat_ws(' | ', p.polcmd, CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
                 (SELECT string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE role::regrole::text END, ' ') FROM unnest(p.polroles) AS role),
                 pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'trigger', format('%s.%s', r.name, t.tgname),
       concat_ws(' | ', t.tgenabled, pg_get_triggerdef(t.oid), obj_description(t.oid, 'pg_trigger'))
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'trigger of a constraint', format('%s.%s', r.name, c.conname), concat_ws(' | ', t.tgenabled, t.tgfoid::regproc, t.tgtype)
FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND t.tgisinternal JOIN pg_constraint c ON c.oid = t.tgconstraint
UNION ALL
SELECT 'rule', format('%s.%s', r.name, w.rulename), concat_ws(' | ', w.ev_enabled, pg_get_ruledef(w.oid))
FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
UNION ALL
SELECT 'sequence', r.name,
       concat_ws(' | ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'function', p.oid::regprocedure::text,
       concat_ws(' | ', pg_temp.owner(p.proowner), pg_temp.rights(p.proacl, 'f', p.proowner), pg_get_functiondef(p.oid), p.probin, p.prosrc,
                 obj_description(p.oid, 'pg_proc'))
FROM pg_proc p WHERE p.pronamespace = 'leadguard'::regnamespace
UNION ALL
SELECT 'type', t.oid::regtype::text,
       concat_ws(' | ', pg_temp.owner(t.typowner), t.typtype, pg_temp.rights(t.typacl, 'T', t.typowner), obj_description(t.oid, 'pg_type'))
FROM pg_type t WHERE t.typnamespace = 'leadguard'::regnamespace
UNION ALL
SELECT 'event trigger', t.evtname::text,
       concat_ws(' | ', pg_temp.owner(t.evtowner), t.evtevent, t.evttags::text, t.evtfoid::regproc, t.evtenabled, obj_description(t.oid, 'pg_event_trigger'))
FROM pg_event_trigger t
UNION ALL
-- What pg_dump takes for granted. Written out or not: a relation is its owner's.
SELECT 'rights from the beginning', format('%s %s', o.type, o.identity),
       pg_temp.rights(i.initprivs, NULL, (SELECT extowner FROM extension)) || coalesce(' ' || i.privtype::text, '')
FROM extension e, pg_init_privs i, LATERAL pg_identify_object(i.classoid, i.objoid, i.objsubid) o
WHERE 'leadguard' IN (o.schema, o.identity)
  AND NOT (i.classoid = 'pg_class'::regclass AND i.objsubid = 0 AND i.privtype = 'e'
           AND pg_temp.rights(i.initprivs, NULL, e.extowner)
             = pg_temp.rights(NULL, CASE WHEN o.type = 'sequence' THEN 's' ELSE 'r' END::"char", e.extowner))
UNION ALL
SELECT 'depends', format('%s %s', d.type, d.identity), format('%s %s', d.deptype, d.referenced)
FROM dependency d
WHERE (d.schema = 'leadguard' OR d.identity LIKE '%leadguard.%') AND d.identity NOT LIKE '%ConstraintTrigger%'
ORDER BY 1, 2, 3
