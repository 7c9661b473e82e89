-- What belongs to a member alone.

CREATE TABLE leadguard.member_setting (
    member_id   bigint NOT NULL CONSTRAINT member_setting_member_exists REFERENCES leadguard.member ON DELETE CASCADE DEFERRABLE,
    name        text NOT NULL CONSTRAINT member_setting_name_fits CHECK (length(name) BETWEEN 1 AND 200),
    value       text CONSTRAINT member_setting_value_fits CHECK (length(value) <= 10000),
    CONSTRAINT member_setting_pkey PRIMARY KEY (member_id, name)
);
COMMENT ON TABLE leadguard.member_setting IS
'How a member wants things shown. He alone reads and writes his settings; an administrator of the organization reads and deletes them.';
COMMENT ON COLUMN leadguard.member_setting.member_id IS 'By default whoever writes.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.member_setting', '');
