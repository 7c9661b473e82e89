-- What the audit has of record $2 of table $1 (or of the view that took its name), for auditors of organization $3 or all.
WITH asked AS (
    SELECT coalesce((SELECT p.target FROM leadguard.protected_table p WHERE p.concealed_by = $1), $1) AS target
), found AS (
    SELECT e.id, e.at, e.member_key, e.session_role, e.action, e.reason, e.detail, e.changes, v."values"
    FROM leadguard.audit_entry e
    LEFT JOIN leadguard.audit_entry_value v ON v.target = e.target AND v.record = e.record AND v.audit_id = e.id
    WHERE e.target = (SELECT a.target FROM asked a) AND e.record = $2 AND ($3::bigint IS NULL OR e.organization = $3)
    UNION ALL
    SELECT e.id, e.at, e.member_key, e.session_role, e.action, e.reason, e.detail,
           leadguard.audit_changes(e.fields, substr(e.digests, 1 + ((r.n - 1) * 32 * cardinality(e.fields))::integer, 32 * cardinality(e.fields))),
           leadguard.audit_values(e.fields, e.old_values[1 + (r.n - 1) * cardinality(e.fields) : r.n * cardinality(e.fields)],
                                  e.new_values[1 + (r.n - 1) * cardinality(e.fields) : r.n * cardinality(e.fields)])
    FROM leadguard.audit_entry e, unnest(e.records) WITH ORDINALITY AS r (record, n)
    WHERE e.target = (SELECT a.target FROM asked a) AND e.records @> ARRAY[$2] AND r.record = $2 AND ($3::bigint IS NULL OR e.organization = $3)
)
SELECT f.id, f.at, f.member_key, f.session_role, f.action, f.reason, f.detail, f.changes, f."values" FROM found f ORDER BY f.at, f.id
