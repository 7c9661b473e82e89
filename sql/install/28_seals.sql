-- Seals of the audit: a chain of digests that shows a changed, missing or inserted row.

-- Numbers of transactions mean something in one server. What was sealed in another one, before a dump and a restore,
-- belongs to another life; the row is in no dump, so that a restored database begins its own.
CREATE TABLE leadguard.audit_life (
    here    boolean NOT NULL DEFAULT true CONSTRAINT audit_life_pkey PRIMARY KEY CONSTRAINT audit_life_one_row CHECK (here),
    life    uuid NOT NULL DEFAULT gen_random_uuid(),
    since   timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed  bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE leadguard.audit_life IS
'The life of this database in one server: since when its rows are numbered by transactions of that server, and its last seal. Sealers take turns on the row.';
-- An update finds transactions that have begun already, and write rows with the time of their statements. A new log,
-- which was made in this transaction, has no writers yet; whoever is connected then has nothing to do with it.
INSERT INTO leadguard.audit_life (since)
SELECT CASE WHEN log.xmin = life.xmin THEN clock_timestamp()
            ELSE least(now(), (SELECT min(a.xact_start) FROM pg_catalog.pg_stat_activity a
                               WHERE a.datname = current_database() AND a.pid <> pg_backend_pid())) END
FROM pg_catalog.pg_attribute log, pg_catalog.pg_attribute life
WHERE log.attrelid = 'leadguard.audit_entry'::regclass AND log.attname = 'id'
  AND life.attrelid = 'leadguard.audit_life'::regclass AND life.attname = 'life';

CREATE TABLE leadguard.audit_seal (
    number      bigint CONSTRAINT audit_seal_pkey PRIMARY KEY,
    at          timestamptz NOT NULL,
    life        uuid NOT NULL,
    since       timestamptz NOT NULL,
    snapshot    pg_snapshot NOT NULL,
    first_at    timestamptz,
    last_at     timestamptz,
    "rows"      bigint NOT NULL,
    parts       jsonb NOT NULL,
    previous    bytea,
    mac         bytea NOT NULL
);
COMMENT ON TABLE leadguard.audit_seal IS
'Seals of audit_entry: each covers the rows of all transactions that had ended and that no seal before covers. Append-only for everybody.';
COMMENT ON COLUMN leadguard.audit_seal.life IS 'The life of the database in which it was made, and since when that life lasts.';
COMMENT ON COLUMN leadguard.audit_seal.snapshot IS 'Which transactions had ended, as far as the seal relies on it.';
COMMENT ON COLUMN leadguard.audit_seal.first_at IS 'The times of the first and last row.';
COMMENT ON COLUMN leadguard.audit_seal.parts IS
'{"2026-11": {"rows": count, "ids": "1-5,7", "digest": keyed digest over times, ids and digests of the rows in order}}, a part for each month (UTC).';
COMMENT ON COLUMN leadguard.audit_seal.previous IS 'The mac of the seal before.';
COMMENT ON COLUMN leadguard.audit_seal.mac IS 'Keyed digest over the other columns.';

CREATE TABLE leadguard.audit_retired (
    month   date CONSTRAINT audit_retired_pkey PRIMARY KEY,
    at      timestamptz NOT NULL,
    seal    bigint NOT NULL,
    "rows"  bigint NOT NULL,
    digest  bytea NOT NULL,
    mac     bytea NOT NULL
);
COMMENT ON TABLE leadguard.audit_retired IS
'Months of the audit log that audit_retire has taken away: how many rows the seals up to this one had of it, and a keyed digest over their digests. Append-only for everybody.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_seal', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.audit_retired', '');
