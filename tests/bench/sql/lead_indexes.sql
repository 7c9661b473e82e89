ALTER TABLE {table} ADD PRIMARY KEY (id);
CREATE INDEX ON {table} (owner_id);
CREATE INDEX ON {table} (territory_id);
CREATE INDEX ON {table} (created_at);
CREATE INDEX ON {table} (email);
