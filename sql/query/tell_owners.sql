-- $1 table, $2 organization, $3 records, $4 their owners before and $5 after as the column names them ('' for none),
-- $6 they are keys, $7 how many instead of which.
WITH changed AS (
    SELECT c.record, s.who, s.received
    FROM unnest($3::text[], $4::text[], $5::text[]) AS c (record, before, after)
    CROSS JOIN LATERAL (VALUES (c.before, false), (c.after, true)) AS s (who, received)
    WHERE s.who <> ''
), concerned AS (
    SELECT m.id, m.org_id, c.record, c.received
    FROM changed c
    JOIN leadguard.member m ON CASE WHEN $6 THEN m.key = c.who OR lower(m.key) = c.who ELSE m.id::text = c.who END
    WHERE m.active AND m.org_id = coalesce($2, m.org_id) AND m.id IS DISTINCT FROM leadguard.current_member()
), told AS (
    INSERT INTO leadguard.notification (org_id, member_id, kind, target, record, caused_by, detail)
    SELECT c.org_id, c.id, 'owner_changed', $1::oid::regclass, CASE WHEN NOT $7 THEN c.record END, leadguard.current_member(),
           jsonb_build_object('change', CASE WHEN c.received THEN 'received' ELSE 'lost' END)
               || CASE WHEN $7 THEN jsonb_build_object('records', count(*)) ELSE '{}' END
    FROM concerned c
    GROUP BY c.org_id, c.id, c.received, CASE WHEN NOT $7 THEN c.record END
    RETURNING 1
)
SELECT pg_notify('leadguard_notification', '') FROM (SELECT 1 FROM told LIMIT 1) t
