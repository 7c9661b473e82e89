-- A share may last longer than the request for it.
INSERT INTO leadguard.approval (org_id, kind, target, record, justification, requested_by, subject, until, detail)
VALUES ($1, $2, nullif($3::oid, 0)::regclass, $4, $5, $6, $6,
        CASE $2 WHEN 'access' THEN least($7, now() + interval '30 days') ELSE coalesce($7, now() + interval '30 days') END,
        jsonb_build_object('wanted', $8::text, 'until', $7::timestamptz))
RETURNING id
