-- By the index of transactions, whatever the statistics say.
WITH newer AS MATERIALIZED (
    SELECT at, id, transaction, organization, mac FROM leadguard.audit_entry WHERE transaction >= $1::xid8
)
SELECT at, id, transaction, organization, mac FROM newer WHERE at >= $2 ORDER BY at, id
