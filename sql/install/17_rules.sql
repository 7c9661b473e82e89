-- Which role reaches which records by which path, and what it may do there. What presets ship and what a table changes
-- of it are apart: only the latter is dumped.

CREATE TABLE leadguard.preset_rule (
    preset      text NOT NULL,
    object      text NOT NULL DEFAULT '*',
    role        text NOT NULL,
    path        text NOT NULL,
    action      text NOT NULL,
    statuses    text[] NOT NULL DEFAULT '{}',
    effect      text NOT NULL,
    CONSTRAINT preset_rule_pkey PRIMARY KEY (preset, object, role, path, action, statuses)
);
COMMENT ON TABLE leadguard.preset_rule IS
'The rules of the shipped presets: what a role may do with records that it reaches by a path. object: lead, campaign, deal, segment, account, or * for all of them.';

CREATE TABLE leadguard.access_rule (
    target      regclass NOT NULL CONSTRAINT access_rule_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    role        text NOT NULL,
    path        text NOT NULL CONSTRAINT access_rule_path_known CHECK (path IN (
        '*', 'own', 'created', 'manager', 'colleague', 'record_team', 'record_team_manager', 'share', 'contact', 'territory',
        'territory_ancestor', 'territory_manager', 'scope', 'team', 'organization', 'parent', 'admin')),
    action      text NOT NULL,
    statuses    text[] NOT NULL DEFAULT '{}',
    effect      text NOT NULL,
    CONSTRAINT access_rule_pkey PRIMARY KEY (target, role, path, action, statuses),
    CONSTRAINT access_rule_effect_known CHECK (CASE action
        WHEN 'access' THEN effect IN ('none', 'read', 'edit', 'full')
        ELSE action IN ('read', 'update', 'archive', 'share', 'reassign', 'create') AND effect IN ('none', 'allow', 'deny') END)
);
COMMENT ON TABLE leadguard.access_rule IS
'What a protected table changes of the rules of its preset: a row replaces the preset''s row of the same role, path, action and statuses; effect none takes it away. Written by leadguard.set_rule, read through the view leadguard.rules.';
COMMENT ON COLUMN leadguard.access_rule.action IS
'access with a level (read, edit, full), or read, update, archive, share, reassign, create with allow or deny.';
COMMENT ON COLUMN leadguard.access_rule.statuses IS
'Values of the status column under which the rule holds; empty: always.';

CREATE TABLE leadguard.access_switch (
    name            text CONSTRAINT access_switch_pkey PRIMARY KEY,
    contradiction   text NOT NULL,
    per_role        boolean NOT NULL,
    choices         text[] NOT NULL,
    default_value   text NOT NULL,
    meaning         text NOT NULL
);
COMMENT ON TABLE leadguard.access_switch IS
'The switches of protected tables, one for each point on which the presets contradict each other. choices: the values; empty: a list or a number.';

CREATE TABLE leadguard.preset_switch (
    preset      text NOT NULL,
    object      text NOT NULL DEFAULT '*',
    switch      text NOT NULL CONSTRAINT preset_switch_known REFERENCES leadguard.access_switch,
    role        text NOT NULL DEFAULT '',
    value       text NOT NULL,
    CONSTRAINT preset_switch_pkey PRIMARY KEY (preset, object, switch, role)
);
COMMENT ON TABLE leadguard.preset_switch IS
'How the shipped presets set the switches; what they do not list has the default of leadguard.access_switch.';

CREATE TABLE leadguard.table_switch (
    target      regclass NOT NULL CONSTRAINT table_switch_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    switch      text NOT NULL CONSTRAINT table_switch_known REFERENCES leadguard.access_switch,
    role        text NOT NULL DEFAULT '',
    value       text NOT NULL,
    CONSTRAINT table_switch_pkey PRIMARY KEY (target, switch, role)
);
COMMENT ON TABLE leadguard.table_switch IS
'Switches that a protected table sets otherwise than its preset. Written by leadguard.set_switch, read through the view leadguard.switches.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.access_rule', '');
SELECT pg_catalog.pg_extension_config_dump('leadguard.table_switch', '');
