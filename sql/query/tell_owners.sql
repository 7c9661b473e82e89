, changed AS (
    -- $1 table, $2 organization, $3 records, $4 their owners before and $5 after as the column names them ('' for none),
    -- $6 how many instead of which.
    SELECT c.record, s.who, s.received
    FROM unnest($3::text[], $4::text[], $5::text[]) AS c (record, before, after)
    CROSS JOIN LATERAL (VALUES (c.before, false), (c.after, true)) AS s (who, received)
), told AS (
    INSERT INTO leadguard.notification (org_id, member_id, kind, target, record, caused_by, detail)
    SELECT n.org_id, n.id, 'owner_changed', $1::oid::regclass, CASE WHEN NOT $6 THEN c.record END, leadguard.current_member(),
           jsonb_build_object('change', CASE WHEN c.received THEN 'received' ELSE 'lost' END)
               || CASE WHEN $6 THEN jsonb_build_object('records', count(*)) ELSE '{}' END
    FROM changed c
    JOIN named n ON n.who = c.who
    WHERE n.org_id = coalesce($2, n.org_id) AND n.id IS DISTINCT FROM leadguard.current_member()
    GROUP BY n.org_id, n.id, c.received, CASE WHEN NOT $6 THEN c.record END
    RETURNING 1
)
SELECT 1 FROM told LIMIT 1
