//! Everything a DBA could notice about a table, to compare before and after.

use leadguard_tests::*;

/// Flags, rights, columns, policies, triggers, indexes and constraints of `table` and its partitions.
pub fn snapshot(admin: &mut Client, table: &str) -> Vec<Vec<String>> {
    rows(
        admin,
        &format!(
            "WITH t AS (SELECT '{table}'::regclass AS oid UNION SELECT relid FROM pg_partition_tree('{table}'))
             SELECT 'table' AS what, c.oid::regclass::text AS name,
                    concat_ws(' ', c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole, c.relreplident,
                              c.reloptions, obj_description(c.oid)) AS detail
             FROM pg_class AS c JOIN t USING (oid)
             UNION ALL
             SELECT 'right', c.oid::regclass::text, concat_ws(' ', a.grantee::regrole, a.privilege_type, a.is_grantable)
             FROM pg_class AS c JOIN t USING (oid), aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
             UNION ALL
             SELECT 'column', a.attrelid::regclass::text,
                    concat_ws(' ', a.attnum, a.attname, a.atttypid::regtype, a.attnotnull, a.attacl, pg_get_expr(d.adbin, d.adrelid))
             FROM pg_attribute AS a JOIN t ON t.oid = a.attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attnum > 0
             UNION ALL
             SELECT 'policy', p.polrelid::regclass::text,
                    concat_ws(' | ', p.polname, p.polcmd, p.polpermissive,
                              (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END, ',' ORDER BY r) FROM unnest(p.polroles) AS r),
                              pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
             FROM pg_policy AS p JOIN t ON t.oid = p.polrelid
             UNION ALL
             SELECT 'trigger', g.tgrelid::regclass::text, pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text
             FROM pg_trigger AS g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
             UNION ALL
             SELECT 'index', i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i JOIN t ON t.oid = i.indrelid
             UNION ALL
             SELECT 'constraint', n.conrelid::regclass::text, n.conname || ' ' || pg_get_constraintdef(n.oid)
             FROM pg_constraint AS n JOIN t ON t.oid = n.conrelid
             ORDER BY 1, 2, 3"
        ),
    )
}

/// Asserts two snapshots equal and shows only what differs.
#[track_caller]
pub fn same(before: &[Vec<String>], after: &[Vec<String>]) {
    let lost: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(lost.is_empty() && new.is_empty(), "lost: {lost:#?}\nnew: {new:#?}");
}
