-- Fixed-width columns first, as a DBA would order them.
CREATE TABLE {table} (
    id              bigint NOT NULL,
    account_id      bigint NOT NULL,
    owner_id        bigint,
    territory_id    bigint,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    email           text NOT NULL,
    company         text NOT NULL,
    status          text NOT NULL,
    amount          numeric NOT NULL
)
