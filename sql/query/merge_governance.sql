-- What was agreed, changed and found in organization $1 is $2's. A finding that both have keeps telling whose it was: the next
-- review finds it to be over, or somebody resolves it.
WITH templates AS (UPDATE leadguard.batch_template SET org_id = $2 WHERE org_id = $1),
     changes AS (UPDATE leadguard.schema_change SET org_id = $2 WHERE org_id = $1),
     reviews AS (UPDATE leadguard.review SET org_id = $2 WHERE org_id = $1)
UPDATE leadguard.finding f
SET org_id = $2,
    subject = CASE WHEN EXISTS (SELECT FROM leadguard.finding held
                                WHERE held.org_id = $2 AND held.finding = f.finding AND held.subject = f.subject)
              THEN format('%s (%s)', f.subject, (SELECT o.key FROM leadguard.organization o WHERE o.id = $1)) ELSE f.subject END
WHERE f.org_id = $1
