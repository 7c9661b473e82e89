WITH written AS (
    INSERT INTO leadguard.audit_seal (number, at, life, since, snapshot, first_at, last_at, "rows", parts, previous, mac)
    VALUES ($1, $2, $3::uuid, $4, $5::pg_snapshot, $6, $7, $8, $9::jsonb, decode($10, 'hex'), decode($11, 'hex'))
)
UPDATE leadguard.audit_life SET sealed = $1
