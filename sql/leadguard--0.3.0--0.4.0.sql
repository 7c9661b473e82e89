\echo Use "ALTER EXTENSION leadguard UPDATE TO '0.4.0'" to load this file. \quit

-- From 0.3.0 to 0.4.0: what sql/install says now and did not say then, in the same words. Protected tables keep their
-- policies and triggers: the rules of sales_hierarchy are what they were. tests/upgrade compares the result with a new
-- installation.
--
-- Plain CREATE: an object that is already there belongs to somebody else, and the update must stop (CVE-2022-2625).

-- Waits for open transactions that use protected tables: before anything else is locked.
LOCK TABLE leadguard.role IN ACCESS EXCLUSIVE MODE;

ALTER TABLE leadguard.organization
    ADD organization_view boolean NOT NULL DEFAULT false,
    ADD archived_at timestamptz,
    ADD merged_into bigint CONSTRAINT organization_merged_into_exists REFERENCES leadguard.organization DEFERRABLE CONSTRAINT organization_merged_into_another CHECK (merged_into <> id),
    ADD domain_roles text NOT NULL DEFAULT 'guest_only' CONSTRAINT organization_domain_roles_known CHECK (domain_roles IN ('guest_only', 'any'));

COMMENT ON COLUMN leadguard.organization.organization_view IS
'Whether roles that see their own records see those of the whole organization (the organization view).';

COMMENT ON COLUMN leadguard.organization.archived_at IS
'When the organization was deleted. Its members reach nothing.';

COMMENT ON COLUMN leadguard.organization.merged_into IS
'The organization to which leadguard.merge_organization moved everything. Members and teams may follow there with all that connects them.';

COMMENT ON COLUMN leadguard.organization.domain_roles IS
'What rules about e-mail domains may give. guest_only: those of partners and customers the role GUEST, or one of the organization of rank 0, and those of the own company anything else; any: anything.';

ALTER TABLE leadguard.role
    DROP CONSTRAINT role_capabilities_known,
    ADD CONSTRAINT role_capabilities_known CHECK ( capabilities OPERATOR(pg_catalog.<@) ARRAY['all_records', 'administer', 'approve', 'manage_members', 'manage_roles', 'manage_fields', 'assign', 'export', 'see_sensitive', 'see_archived', 'hard_delete', 'explain', 'audit', 'manage_rules', 'manage_teams', 'manage_organization', 'own_organization']);

ALTER TABLE leadguard.role DISABLE TRIGGER directory_05_shipped, DISABLE TRIGGER directory_05_no_new_shipped;
UPDATE leadguard.role SET capabilities = '{all_records,administer,approve,manage_members,manage_roles,manage_fields,assign,export,see_sensitive,see_archived,hard_delete,explain,audit,manage_rules,manage_teams,manage_organization}' WHERE id IN (1, 3);
ALTER TABLE leadguard.role ENABLE ALWAYS TRIGGER directory_05_shipped, ENABLE ALWAYS TRIGGER directory_05_no_new_shipped;

ALTER TABLE leadguard.protected_table
    ADD object text NOT NULL DEFAULT 'lead' CONSTRAINT protected_table_object_known CHECK (object IN ('lead', 'campaign', 'deal', 'segment', 'account')),
    ADD segment_column name,
    ADD team_column name,
    ADD stage_column name,
    ADD status_column name,
    ADD sensitive_column name,
    ADD parent regclass,
    ADD parent_column name;

COMMENT ON COLUMN leadguard.protected_table.object IS
'What the rows are: a preset may have other rules for leads, campaigns, deals, segments and accounts.';

COMMENT ON COLUMN leadguard.protected_table.parent IS
'The protected table whose rows parent_column names: who reads one may read what belongs to it.';

ALTER TABLE leadguard.record_grant
    DROP CONSTRAINT record_grant_kind_known,
    ADD CONSTRAINT record_grant_kind_known CHECK (kind IN ('record_team', 'share', 'contact')),
    ADD contact_id bigint;

COMMENT ON TABLE leadguard.record_grant IS
'Access to single records: the record team, shares with members or teams, retained grants, and what contacts have. Written by team_add, share, contact_add and their counterparts.';

COMMENT ON COLUMN leadguard.record_grant.contact_id IS
'The contact by which the member has it. It follows the contact: its side, its removal, and what kind of member it is.';

-- Only source tables are dumped, without the shipped rows. The closures, dumped beside their sources,
-- would break the restore: the triggers fill them.
-- The shipped organization goes with a dump once somebody has set something in it; the restore puts that into the row
-- that is there.
SELECT pg_catalog.pg_extension_config_dump('leadguard.organization',
    'WHERE id <> 1 OR name <> ''Default organization'' OR organization_view OR archived_at IS NOT NULL OR merged_into IS NOT NULL
        OR domain_roles <> ''guest_only''');

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

-- The people around a record: contacts, which need not be members, and what they are to the deal. And which e-mail
-- domains make whom of those who join.

CREATE TABLE leadguard.record_contact (
    id          bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT record_contact_pkey PRIMARY KEY,
    target      regclass NOT NULL CONSTRAINT record_contact_target_protected REFERENCES leadguard.protected_table ON DELETE CASCADE DEFERRABLE,
    record      text NOT NULL,
    member_id   bigint CONSTRAINT record_contact_member_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    name        text NOT NULL DEFAULT '',
    email       text,
    side        text NOT NULL CONSTRAINT record_contact_side_known CHECK (side IN ('BUYER', 'SELLER')),
    added_by    bigint CONSTRAINT record_contact_adder_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    added_at    timestamptz NOT NULL DEFAULT now(),
    removed_by  bigint CONSTRAINT record_contact_remover_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    removed_at  timestamptz,
    reason      text,
    CONSTRAINT record_contact_is_somebody CHECK (name <> '' OR email <> ''),
    CONSTRAINT record_contact_removal CHECK (removed_at IS NOT NULL OR (removed_by IS NULL AND reason IS NULL))
);

CREATE UNIQUE INDEX record_contact_member_unique ON leadguard.record_contact (target, record, member_id)
    WHERE member_id IS NOT NULL AND removed_at IS NULL;

CREATE INDEX record_contact_record_idx ON leadguard.record_contact (target, record);

CREATE INDEX record_contact_member_idx ON leadguard.record_contact (member_id) WHERE member_id IS NOT NULL;

COMMENT ON TABLE leadguard.record_contact IS
'Contacts of records, each on the side of the BUYER or the SELLER. A contact that is a member may reach the record by it. Written by contact_add and its counterparts, read by leadguard.contacts.';

COMMENT ON COLUMN leadguard.record_contact.reason IS 'Why the contact was removed.';

CREATE TABLE leadguard.contact_type (
    contact_id  bigint NOT NULL CONSTRAINT contact_type_contact_exists REFERENCES leadguard.record_contact ON DELETE CASCADE DEFERRABLE,
    type        text NOT NULL CONSTRAINT contact_type_known CHECK (type IN ('CHAMPION', 'DECISION_MAKER', 'INFLUENCER')),
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    until       timestamptz CONSTRAINT contact_type_ends_after CHECK (until >= since),
    set_by      bigint CONSTRAINT contact_type_setter_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    ended_by    bigint CONSTRAINT contact_type_ender_exists REFERENCES leadguard.member ON DELETE SET NULL DEFERRABLE,
    CONSTRAINT contact_type_pkey PRIMARY KEY (contact_id, type, since),
    CONSTRAINT contact_type_end CHECK (until IS NOT NULL OR ended_by IS NULL)
);

CREATE UNIQUE INDEX contact_type_current ON leadguard.contact_type (contact_id, type) WHERE until IS NULL;

COMMENT ON TABLE leadguard.contact_type IS
'Which stakeholder types a contact of the BUYER''s side has and had, from when until when. They give no access. Rows are added and ended, by contact_mark and contact_unmark, and go only with the record.';

-- The grant that a contact gives to the member whom it names. There is none without its contact.
ALTER TABLE leadguard.record_grant
    ADD CONSTRAINT record_grant_contact_exists FOREIGN KEY (contact_id) REFERENCES leadguard.record_contact ON DELETE CASCADE DEFERRABLE,
    ADD CONSTRAINT record_grant_contact_kind CHECK ((kind = 'contact') = (contact_id IS NOT NULL));

CREATE UNIQUE INDEX record_grant_contact_unique ON leadguard.record_grant (contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE leadguard.domain_rule (
    org_id      bigint NOT NULL DEFAULT 1 CONSTRAINT domain_rule_organization_exists REFERENCES leadguard.organization DEFERRABLE,
    domain      text NOT NULL CONSTRAINT domain_rule_domain_form CHECK (
        domain COLLATE "C" ~ '^(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$'),
    kind        text NOT NULL CONSTRAINT domain_rule_kind_known CHECK (kind IN ('own', 'partner', 'customer')),
    role        text NOT NULL,
    role_id     bigint NOT NULL CONSTRAINT domain_rule_role_exists REFERENCES leadguard.role DEFERRABLE,
    CONSTRAINT domain_rule_pkey PRIMARY KEY (org_id, domain)
);

COMMENT ON TABLE leadguard.domain_rule IS
'What a new member becomes by the domain of the e-mail: those of partners and customers become guests, and everybody gets the role. Written by members with the capability administer or manage_organization; leadguard.role_for shows what a rule would do.';

COMMENT ON COLUMN leadguard.domain_rule.domain IS
'In lower case. *.example.com: the subdomains of example.com; *: every domain without a rule of its own.';

COMMENT ON COLUMN leadguard.domain_rule.role_id IS 'The role that the name means; filled in by a trigger.';

SELECT pg_catalog.pg_extension_config_dump('leadguard.record_contact', '');

SELECT pg_catalog.pg_extension_config_dump('leadguard.record_contact_id_seq', '');

SELECT pg_catalog.pg_extension_config_dump('leadguard.contact_type', '');

SELECT pg_catalog.pg_extension_config_dump('leadguard.domain_rule', '');

-- The four presets. This file is what they are: roles with capabilities, rules, switches.

-- What can be switched: one switch for each point on which the presets contradict each other.
INSERT INTO leadguard.access_switch (name, contradiction, per_role, choices, default_value, meaning) VALUES
    ('visibility', 'X1', true, '{rules,all,paths,scope,own,invited,none}', 'rules',
     'Which paths show records to a role: as the rules say, all (every record of the organization), paths (every path but organization), scope (territory, segment, account set), own (own and created), invited (grants only).'),
    ('edit', 'X2, X6', true, '{rules,all,paths,scope,own,invited,none}', 'rules',
     'On which paths a role may update: as the rules say, or as with visibility; all: every record of the organization that it sees.'),
    ('delete_mode', 'X3', true, '{rules,none,soft,hard}', 'rules',
     'What DELETE is to a role: as the rules say, refused, archiving wherever it may update, or that and purge.'),
    ('edit_implies_read', 'X5', false, '{on,off}', 'off',
     'PostgreSQL shows what it updates: a right to update without one to read gives both (on) or nothing (off).'),
    ('status_binds_owner', 'X7', false, '{on,off}', 'on',
     'Whether conditions on the status bind owner and creator too.'),
    ('exempt_owner', 'X8', false, '{on,off}', 'on',
     'Whether the owner of a sensitive record sees it whatever his rank.'),
    ('hierarchy', 'X10', false, '{on,off}', 'off',
     'Whether managers reach what those below own or were given.'),
    ('manager_level', 'X11', false, '{same,read,edit}', 'same',
     'What managers may do there: the same, or at most this.'),
    ('manager_depth', 'X11', false, '{}', '0',
     'How many levels up it goes; 0: to the top.'),
    ('admin', 'X12', false, '{on,off}', 'on',
     'Whether the capability all_records counts in this table, wherever its holder stands.'),
    ('hiding_binds_analysts', 'X13', false, '{on,off}', 'on',
     'Whether records that are hidden by stage or sensitivity are hidden from analysts.'),
    ('colleagues', 'X17', false, '{on,off}', 'off',
     'Whether those who share the owner''s direct manager read his records.'),
    ('creator_keeps_edit', 'X21', false, '{on,off}', 'on',
     'Whether the creator of a record still changes it when somebody else owns it; off: he reads it.'),
    ('owners_stay', 'X18', false, '{on,off}', 'on',
     'Whether a member who owns records can neither be deleted nor deactivated before they are reassigned or archived.'),
    ('principals', 'X22', false, '{all,persons}', 'all',
     'Whether members of kind system reach the table.'),
    ('view_modes', 'X23', false, '{on,off}', 'off',
     'Whether leadguard.view_mode = personal narrows a session to own and created records.'),
    ('organization_view', 'X1', false, '{organization,on,off}', 'organization',
     'Whether roles that see their own records see those of the whole organization: as leadguard.organization says, or fixed here.'),
    ('team_access', 'X10', false, '{on,off}', 'off',
     'Whether the access setting of a team decides who reaches what is shared with it.'),
    ('stages', 'X9', true, '{}', '*',
     'The stages that a role sees, separated by commas; * for all.'),
    ('sensitive_rank', 'X8', false, '{}', '50',
     'From which rank of a role on sensitive records are seen.'),
    ('reason_required', 'X1', false, '{on,off}', 'off',
     'Whether share and team_add need a reason.');

ALTER TABLE leadguard.role DISABLE TRIGGER directory_05_shipped, DISABLE TRIGGER directory_05_no_new_shipped;
INSERT INTO leadguard.role (id, name, preset, rank, capabilities, level_cap, description) VALUES
    (8, 'lead_creator', 'four_role', 20, '{}', NULL, 'Adds leads and works on those created or owned; reads all.'),
    (9, 'analyst', 'four_role', 10, '{export}', NULL, 'Reads for reports, all leads or a scope; never writes.'),
    (10, 'sdr', 'four_role', 10, '{}', NULL, 'Works on leads that are prospecting or qualified, in the territory.'),
    (11, 'account_executive', 'four_role', 30, '{}', NULL, 'Works on all stages of the account set.'),
    (12, 'ADMIN', 'decision_site', 100,
     '{all_records,administer,approve,manage_members,manage_roles,manage_fields,manage_rules,manage_teams,manage_organization,assign,export,see_sensitive,see_archived,audit}',
     NULL, 'Changes organization roles; one or two people.'),
    (13, 'CREATOR', 'decision_site', 50, '{manage_teams}', NULL, 'Creates items and owns what it creates.'),
    (14, 'COLLABORATOR', 'decision_site', 30, '{}', NULL, 'Edits, does not create; the default of new people.'),
    (15, 'GUEST', 'decision_site', 0, '{}', NULL, 'External: sees the items that it was invited to and nothing else.'),
    (16, 'Owner', 'organization', 100,
     '{administer,approve,manage_members,manage_roles,manage_fields,manage_rules,manage_teams,manage_organization,own_organization,assign,export,see_sensitive,see_archived,hard_delete,explain,audit}',
     NULL, 'Everything, deleting the organization included.'),
    (17, 'Admin', 'organization', 80,
     '{approve,manage_members,manage_fields,manage_rules,manage_teams,manage_organization,assign,export,see_sensitive,see_archived,audit}',
     NULL, 'Sees the whole organization and its members; neither deletes it nor touches the Owner.'),
    (18, 'Member', 'organization', 10, '{}', NULL, 'Own data; that of the organization if it is enabled.');
ALTER TABLE leadguard.role ENABLE ALWAYS TRIGGER directory_05_shipped, ENABLE ALWAYS TRIGGER directory_05_no_new_shipped;

-- sales_hierarchy (003): the reference implementation of Oracle. No role is needed.
INSERT INTO leadguard.preset_rule (preset, role, path, action, effect) VALUES
    ('sales_hierarchy', '*', '*', 'create', 'allow'),
    ('sales_hierarchy', '*', 'own', 'access', 'full'),
    ('sales_hierarchy', '*', 'record_team', 'access', 'full'),
    ('sales_hierarchy', '*', 'share', 'access', 'full'),
    ('sales_hierarchy', '*', 'contact', 'access', 'full'),
    ('sales_hierarchy', '*', 'territory', 'access', 'edit'),
    ('sales_hierarchy', '*', 'territory_ancestor', 'access', 'edit'),
    ('sales_hierarchy', '*', 'parent', 'access', 'read'),
    ('sales_hierarchy', '*', 'admin', 'access', 'full');

-- Managers reach what an inactive owner has, so that he may leave first.
INSERT INTO leadguard.preset_switch (preset, switch, value) VALUES
    ('sales_hierarchy', 'hierarchy', 'on'),
    ('sales_hierarchy', 'owners_stay', 'off');

-- four_role (000): governance of several teams.
INSERT INTO leadguard.preset_rule (preset, role, path, action, effect) VALUES
    ('four_role', 'data_owner', '*', 'create', 'allow'),
    ('four_role', 'administrator', '*', 'create', 'allow'),
    ('four_role', '*', 'admin', 'access', 'full'),
    ('four_role', 'lead_creator', '*', 'create', 'allow'),
    ('four_role', 'lead_creator', 'organization', 'access', 'read'),
    ('four_role', 'lead_creator', 'own', 'access', 'edit'),
    ('four_role', 'lead_creator', 'created', 'access', 'edit'),
    ('four_role', 'lead_manager', '*', 'create', 'allow'),
    ('four_role', 'lead_manager', 'scope', 'access', 'edit'),
    ('four_role', 'lead_manager', 'scope', 'archive', 'allow'),
    ('four_role', 'lead_manager', 'territory', 'access', 'edit'),
    ('four_role', 'lead_manager', 'territory', 'archive', 'allow'),
    ('four_role', 'lead_manager', 'territory_ancestor', 'access', 'edit'),
    ('four_role', 'lead_manager', 'territory_ancestor', 'archive', 'allow'),
    ('four_role', 'analyst', 'scope', 'access', 'read'),
    ('four_role', 'analyst', 'territory', 'access', 'read'),
    ('four_role', 'analyst', 'territory_ancestor', 'access', 'read'),
    ('four_role', 'sdr', 'own', 'access', 'edit'),
    ('four_role', 'sdr', 'scope', 'access', 'edit'),
    ('four_role', 'sdr', 'territory', 'access', 'edit'),
    ('four_role', 'sdr', 'territory_ancestor', 'access', 'edit'),
    ('four_role', 'account_executive', 'scope', 'access', 'edit'),
    ('four_role', 'lead_creator', 'share', 'access', 'edit'),
    ('four_role', 'lead_creator', 'record_team', 'access', 'edit'),
    ('four_role', 'lead_manager', 'share', 'access', 'edit'),
    ('four_role', 'lead_manager', 'record_team', 'access', 'edit'),
    ('four_role', 'sdr', 'share', 'access', 'edit'),
    ('four_role', 'sdr', 'record_team', 'access', 'edit'),
    ('four_role', 'account_executive', 'share', 'access', 'edit'),
    ('four_role', 'account_executive', 'record_team', 'access', 'edit'),
    ('four_role', 'analyst', 'share', 'access', 'read'),
    ('four_role', 'analyst', 'record_team', 'access', 'read');

INSERT INTO leadguard.preset_switch (preset, switch, role, value) VALUES
    ('four_role', 'visibility', 'lead_creator', 'all'),
    ('four_role', 'visibility', 'lead_manager', 'scope'),
    ('four_role', 'visibility', 'analyst', 'all'),
    ('four_role', 'visibility', 'account_executive', 'scope'),
    ('four_role', 'edit', 'analyst', 'none'),
    ('four_role', 'stages', 'sdr', 'prospecting,qualified'),
    ('four_role', 'exempt_owner', '', 'off'),
    ('four_role', 'reason_required', '', 'on');

-- decision_site (001): organization roles, teams, contacts.
INSERT INTO leadguard.preset_rule (preset, role, path, action, effect) VALUES
    ('decision_site', '*', 'admin', 'access', 'full'),
    ('decision_site', 'ADMIN', '*', 'create', 'allow'),
    ('decision_site', 'CREATOR', '*', 'create', 'allow'),
    ('decision_site', 'CREATOR', 'own', 'access', 'full'),
    ('decision_site', 'CREATOR', 'team', 'access', 'edit'),
    ('decision_site', 'CREATOR', 'share', 'access', 'full'),
    ('decision_site', 'CREATOR', 'record_team', 'access', 'full'),
    ('decision_site', 'CREATOR', 'contact', 'access', 'edit'),
    ('decision_site', 'COLLABORATOR', 'own', 'access', 'full'),
    ('decision_site', 'COLLABORATOR', 'team', 'access', 'edit'),
    ('decision_site', 'COLLABORATOR', 'share', 'access', 'full'),
    ('decision_site', 'COLLABORATOR', 'record_team', 'access', 'full'),
    ('decision_site', 'COLLABORATOR', 'contact', 'access', 'edit'),
    ('decision_site', 'GUEST', 'share', 'access', 'edit'),
    ('decision_site', 'GUEST', 'contact', 'access', 'read');

INSERT INTO leadguard.preset_switch (preset, switch, role, value) VALUES
    ('decision_site', 'visibility', 'GUEST', 'invited'),
    ('decision_site', 'edit', 'GUEST', 'invited'),
    ('decision_site', 'team_access', '', 'on');

-- organization (002): Owner, Admin and Member, with rules of their own for each kind of object.
INSERT INTO leadguard.preset_rule (preset, role, path, action, effect)
SELECT 'organization', r.role, p.path, p.action, p.effect
FROM unnest(ARRAY['Owner', 'Admin', 'Member']) AS r (role),
     (VALUES ('*', 'create', 'allow'), ('share', 'access', 'full'), ('record_team', 'access', 'full'), ('admin', 'access', 'full')) AS p (path, action, effect);

-- Everything with own data, and for Owner and Admin with those of others; campaigns are edited only while their status allows.
INSERT INTO leadguard.preset_rule (preset, object, role, path, action, statuses, effect)
SELECT 'organization', a.object, r.role, r.path, a.action, a.statuses, a.effect
FROM (VALUES ('Owner', 'own'), ('Owner', 'created'), ('Owner', 'organization'),
             ('Admin', 'own'), ('Admin', 'created'), ('Admin', 'organization'),
             ('Member', 'own'), ('Member', 'created')) AS r (role, path),
     (VALUES ('lead', 'access', '{}'::text[], 'full'), ('deal', 'access', '{}', 'full'),
             ('segment', 'access', '{}', 'full'), ('account', 'access', '{}', 'full'),
             ('campaign', 'access', '{}', 'read'), ('campaign', 'update', '{draft,paused,scheduled}', 'allow'),
             ('campaign', 'archive', '{}', 'allow'), ('campaign', 'share', '{}', 'allow'), ('campaign', 'reassign', '{}', 'allow')
     ) AS a (object, action, statuses, effect);

-- Any member edits any lead of the organization.
INSERT INTO leadguard.preset_rule (preset, object, role, path, action, effect) VALUES
    ('organization', 'lead', 'Member', 'organization', 'access', 'edit');

INSERT INTO leadguard.preset_switch (preset, switch, role, value) VALUES
    ('organization', 'visibility', 'Owner', 'all'),
    ('organization', 'visibility', 'Admin', 'all'),
    ('organization', 'visibility', 'Member', 'own'),
    ('organization', 'view_modes', '', 'on');

-- So few rows that the views over them are quick; the planner would take them for many, and compile at length.
ANALYZE leadguard.preset_rule, leadguard.access_switch, leadguard.preset_switch;

-- The same for tables that map more than id, owner, territory and organization: the columns stand behind the names of
-- what they are.
CREATE FUNCTION leadguard.may_read_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_may_read_support';

COMMENT ON FUNCTION leadguard.may_read_support(internal) IS 'Planner support of leadguard.may_read: the same condition as plans want it.';

CREATE FUNCTION leadguard.may_read(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 10 SUPPORT leadguard.may_read_support
AS 'MODULE_PATHNAME', 'leadguard_may_read';

COMMENT ON FUNCTION leadguard.may_read(regclass, text, VARIADIC "any") IS
'Policy: whether the asking member may read a row of a protected table, by paths and hiding rules. parts names what the columns are (id, owner, creator, territory, organization, segment, team, parent, stage, status, sensitive). False without identity. In the state that the statement sees.';

CREATE FUNCTION leadguard.may_still_read(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000 SUPPORT leadguard.still_visible_support
AS 'MODULE_PATHNAME', 'leadguard_may_still_read';

COMMENT ON FUNCTION leadguard.may_still_read(regclass, text, VARIADIC "any") IS
'Policy of UPDATE, DELETE and locking reads: the same in the newest state, so that a row which changed while the statement waited for it is judged by the rights of now.';

CREATE FUNCTION leadguard.may_insert(target regclass, parts text, VARIADIC columns "any")
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'leadguard_may_insert';

COMMENT ON FUNCTION leadguard.may_insert(regclass, text, VARIADIC "any") IS
'Policy of INSERT: whether the asking member may insert the row as it is about to be stored.';

CREATE FUNCTION leadguard.visible_unmarked(target regclass)
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_all_support
AS 'MODULE_PATHNAME', 'leadguard_visible_unmarked';

COMMENT ON FUNCTION leadguard.visible_unmarked(regclass) IS
'Policy, in plans made for members who see every row of the table but those marked as sensitive: as leadguard.visible_all.';

-- The same for the columns that other presets look at.
CREATE FUNCTION leadguard.visible_creator_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_creator_support';

COMMENT ON FUNCTION leadguard.visible_creator_support(internal) IS 'Planner support of leadguard.visible_creator: index condition, selectivity, cost.';

CREATE FUNCTION leadguard.visible_creator(target regclass, creator "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_creator_support
AS 'MODULE_PATHNAME', 'leadguard_visible_creator';

COMMENT ON FUNCTION leadguard.visible_creator(regclass, "any") IS
'Policy, in plans: created: the asking member created the row.';

CREATE FUNCTION leadguard.visible_creators(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_creators';

COMMENT ON FUNCTION leadguard.visible_creators(regclass, anyelement) IS
'Policy, in plans: the values that leadguard.visible_creator lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_segment_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_segment_support';

COMMENT ON FUNCTION leadguard.visible_segment_support(internal) IS 'Planner support of leadguard.visible_segment: index condition, selectivity, cost.';

CREATE FUNCTION leadguard.visible_segment(target regclass, segment "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_segment_support
AS 'MODULE_PATHNAME', 'leadguard_visible_segment';

COMMENT ON FUNCTION leadguard.visible_segment(regclass, "any") IS
'Policy, in plans: scope: the segment is in the scope of the asking member.';

CREATE FUNCTION leadguard.visible_segments(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_segments';

COMMENT ON FUNCTION leadguard.visible_segments(regclass, anyelement) IS
'Policy, in plans: the values that leadguard.visible_segment lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_team_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_team_support';

COMMENT ON FUNCTION leadguard.visible_team_support(internal) IS 'Planner support of leadguard.visible_team: index condition, selectivity, cost.';

CREATE FUNCTION leadguard.visible_team(target regclass, team "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_team_support
AS 'MODULE_PATHNAME', 'leadguard_visible_team';

COMMENT ON FUNCTION leadguard.visible_team(regclass, "any") IS
'Policy, in plans: team: the row belongs to a team whose access setting reaches the asking member.';

CREATE FUNCTION leadguard.visible_teams(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_teams';

COMMENT ON FUNCTION leadguard.visible_teams(regclass, anyelement) IS
'Policy, in plans: the values that leadguard.visible_team lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_parent_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_parent_support';

COMMENT ON FUNCTION leadguard.visible_parent_support(internal) IS 'Planner support of leadguard.visible_parent: index condition, selectivity, cost.';

CREATE FUNCTION leadguard.visible_parent(target regclass, parent "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_parent_support
AS 'MODULE_PATHNAME', 'leadguard_visible_parent';

COMMENT ON FUNCTION leadguard.visible_parent(regclass, "any") IS
'Policy, in plans: parent and scope: the asking member reads the record that the row belongs to, or it is in his account set.';

CREATE FUNCTION leadguard.visible_parents(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_parents';

COMMENT ON FUNCTION leadguard.visible_parents(regclass, anyelement) IS
'Policy, in plans: the values that leadguard.visible_parent lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

-- Hiding rules: conditions beside the paths, which no path gets around.
CREATE FUNCTION leadguard.hiding_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_hiding_support';

COMMENT ON FUNCTION leadguard.hiding_support(internal) IS 'Planner support of the hiding rules: selectivity, cost.';

CREATE FUNCTION leadguard.visible_stage(target regclass, stage "any", id "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.hiding_support
AS 'MODULE_PATHNAME', 'leadguard_visible_stage';

COMMENT ON FUNCTION leadguard.visible_stage(regclass, "any", "any") IS
'Policy, in plans: whether the stage is one that the roles of the asking member see (switch stages).';

CREATE FUNCTION leadguard.visible_sensitive(target regclass, sensitive "any", id "any", owner "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.hiding_support
AS 'MODULE_PATHNAME', 'leadguard_visible_sensitive';

COMMENT ON FUNCTION leadguard.visible_sensitive(regclass, "any", "any", "any") IS
'Policy, in plans: whether the asking member sees the row although it is marked as sensitive: by rank, capability or as its owner (switches sensitive_rank, exempt_owner).';

DROP FUNCTION leadguard.protect(regclass, text, text, text, text, text, text, text, text, text, text, text, text, text, regclass, text, text, text, text, boolean, boolean);
-- Putting the protection on a table, and keeping it there when the table changes.

CREATE FUNCTION leadguard.protect(
    target          regclass,
    preset          text DEFAULT 'sales_hierarchy',
    id              text DEFAULT NULL,
    owner           text DEFAULT NULL,
    creator         text DEFAULT NULL,
    territory       text DEFAULT NULL,
    organization    text DEFAULT NULL,
    stage           text DEFAULT NULL,
    status          text DEFAULT NULL,
    sensitive       text DEFAULT NULL,
    segment         text DEFAULT NULL,
    archived_at     text DEFAULT NULL,
    archived_by     text DEFAULT NULL,
    team            text DEFAULT NULL,
    parent          regclass DEFAULT NULL,
    parent_column   text DEFAULT NULL,
    org_key         text DEFAULT 'default',
    existing        text DEFAULT 'refuse',
    indexes         text DEFAULT 'create',
    force           boolean DEFAULT true,
    dry_run         boolean DEFAULT false,
    object          text DEFAULT 'lead')
RETURNS TABLE (step integer, kind text, statement text, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'protect_as_wrapper';

COMMENT ON FUNCTION leadguard.protect IS
'Secures a table in the calling transaction and returns the steps; with dry_run it only returns them. preset: four_role, decision_site, organization or sales_hierarchy; object: what the rows are (lead, campaign, deal, segment, account), for which a preset may have rules of their own. id, owner, creator, territory, organization, stage, status, sensitive, segment, archived_at, archived_by, team, parent_column are names of columns (id: by default the primary key; archived_at and archived_by are added where missing, and make DELETE archive; sensitive: boolean, or text for the reason); parent: the protected table that parent_column refers to; org_key is the organization of a table without such a column; existing: refuse or restrictive; indexes: create, require or skip; force: the owner of the table obeys too. For the table''s owner and superusers (42501). 22023: a wrong argument or a column that cannot be mapped, 42703: no such column, 42809: not a table, 42710: protected already, 55000: policies or indexes in the way, 55P03: the table is busy, 0A000: a server below the security floor.';

-- Event triggers. Definer rights: whoever changes a table has no rights on the registry. They do nothing for
-- relations that have nothing to do with a protected table.
CREATE OR REPLACE FUNCTION leadguard.watch_ddl()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched oid[];
    item record;
BEGIN
    SELECT array_agg(d.objid) INTO touched
    FROM pg_event_trigger_ddl_commands() d
    WHERE d.classid = 'pg_class'::regclass;
    IF NOT EXISTS (SELECT FROM unnest(touched) r (oid)
                   JOIN leadguard.protected_table p ON p.target IN (r.oid, pg_partition_root(r.oid)))
       AND NOT EXISTS (SELECT FROM pg_inherits i
                       JOIN leadguard.protected_table p ON p.target IN (i.inhrelid, i.inhparent)
                       WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched))
       AND NOT EXISTS (SELECT FROM leadguard.protected_child h
                       WHERE h.target = ANY (touched)
                          OR h.target IN (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = ANY (touched))) THEN
        RETURN;
    END IF;

    -- The policies follow a renamed column by themselves; the registry must too. As long as the permissive
    -- policy stands no mapped column was dropped, so the one name that is missing is the renamed one.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_policy o ON o.polrelid = d.objid AND o.polname = 'leadguard_open'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_table p
        SET id_column = CASE WHEN p.id_column = missing.name THEN item.name ELSE p.id_column END,
            owner_column = CASE WHEN p.owner_column = missing.name THEN item.name ELSE p.owner_column END,
            creator_column = CASE WHEN p.creator_column = missing.name THEN item.name ELSE p.creator_column END,
            territory_column = CASE WHEN p.territory_column = missing.name THEN item.name ELSE p.territory_column END,
            organization_column = CASE WHEN p.organization_column = missing.name THEN item.name ELSE p.organization_column END,
            archived_at_column = CASE WHEN p.archived_at_column = missing.name THEN item.name ELSE p.archived_at_column END,
            archived_by_column = CASE WHEN p.archived_by_column = missing.name THEN item.name ELSE p.archived_by_column END,
            segment_column = CASE WHEN p.segment_column = missing.name THEN item.name ELSE p.segment_column END,
            team_column = CASE WHEN p.team_column = missing.name THEN item.name ELSE p.team_column END,
            parent_column = CASE WHEN p.parent_column = missing.name THEN item.name ELSE p.parent_column END,
            stage_column = CASE WHEN p.stage_column = missing.name THEN item.name ELSE p.stage_column END,
            status_column = CASE WHEN p.status_column = missing.name THEN item.name ELSE p.status_column END,
            sensitive_column = CASE WHEN p.sensitive_column = missing.name THEN item.name ELSE p.sensitive_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.owner_column, q.creator_column, q.territory_column, q.organization_column,
                                               q.archived_at_column, q.archived_by_column, q.segment_column, q.team_column,
                                               q.parent_column, q.stage_column, q.status_column, q.sensitive_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- The same for tables of notes and tags, whose registered columns cannot be dropped.
    FOR item IN
        SELECT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_child h ON h.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        UPDATE leadguard.protected_child h
        SET id_column = CASE WHEN h.id_column = missing.name THEN item.name ELSE h.id_column END,
            parent_column = CASE WHEN h.parent_column = missing.name THEN item.name ELSE h.parent_column END,
            content_column = CASE WHEN h.content_column = missing.name THEN item.name ELSE h.content_column END,
            author_column = CASE WHEN h.author_column = missing.name THEN item.name ELSE h.author_column END,
            time_column = CASE WHEN h.time_column = missing.name THEN item.name ELSE h.time_column END
        FROM (
            SELECT m.name
            FROM leadguard.protected_child q
            CROSS JOIN LATERAL unnest(ARRAY[q.id_column, q.parent_column, q.content_column, q.author_column, q.time_column]) AS m (name)
            WHERE q.target = item.objid AND m.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
        ) missing
        WHERE h.target = item.objid;
    END LOOP;

    -- What a tombstone keeps follows too. Columns that are dropped leave the list, so the missing one is the renamed one.
    FOR item IN
        SELECT DISTINCT d.objid, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.attribution <> '{}'
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
          AND a.attname <> ALL (p.attribution)
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_replace(p.attribution, missing.name, item.name)
        FROM (
            SELECT m.name
            FROM leadguard.protected_table q
            CROSS JOIN LATERAL unnest(q.attribution) AS m (name)
            WHERE q.target = item.objid
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = q.target AND a.attname = m.name AND NOT a.attisdropped)
            LIMIT 1
        ) missing
        WHERE p.target = item.objid;
    END LOOP;

    -- Rules about fields name a column by number and name; an explicit rename is the one thing that they follow.
    -- Where a rule of a column that is gone has the new name already, both stay as they are and close the column.
    FOR item IN
        SELECT DISTINCT d.objid, d.objsubid::smallint AS attnum, a.attname AS name
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND NOT a.attisdropped
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND d.command_tag = 'ALTER TABLE'
    LOOP
        PERFORM leadguard.rename_fields(item.objid, item.attnum, item.name);
    END LOOP;

    -- The view of a concealed table has its columns; what a generated one is computed from may change under the same
    -- name. What conceal itself alters has no view yet.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_event_trigger_ddl_commands() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.command_tag = 'ALTER TABLE' AND p.concealed_by IS NOT NULL
          AND ((SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = p.target AND a.attnum > 0 AND NOT a.attisdropped)
               <> (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                   WHERE a.attrelid = p.concealed_by AND a.attnum > 0 AND NOT a.attisdropped)
               OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p.target AND a.attgenerated <> ''))
    LOOP
        PERFORM leadguard.refresh_view(item.target);
    END LOOP;

    -- A query of an inheritance parent, or of the table that a protected table became a partition of, reads
    -- the rows below it without their policies.
    SELECT p.target, i.inhparent::regclass AS parent, i.inhrelid::regclass AS child INTO item
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhparent
    JOIN (SELECT q.target FROM leadguard.protected_table q UNION ALL SELECT h.target FROM leadguard.protected_child h) p
        ON p.target = i.inhrelid OR (p.target = i.inhparent AND c.relkind = 'r')
    WHERE i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is protected and cannot take part in inheritance', item.target
            USING ERRCODE = '42809',
                  DETAIL = format('%s would be read through %s without the policies of its own.', item.child, item.parent),
                  HINT = format(CASE WHEN EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = item.target)
                                     THEN 'leadguard.unprotect(%L) first.'
                                     ELSE 'leadguard.unprotect(%L) first, or partition the table.' END, item.target);
    END IF;

    -- New partitions: those without our policies that this transaction attached. A restore attaches partitions
    -- before it fills the registry, and brings policies and triggers itself, which must not be there already. One
    -- that runs as a single transaction is told by its setting of row_security and by the registry's row being new
    -- too. While protect runs, alone or as a migration, all partitions have their policies before the first
    -- ALTER TABLE. A partition of a concealed table is looked at even if it has them: once detached, and granted since.
    FOR item IN
        SELECT DISTINCT p.target
        FROM pg_inherits i
        JOIN leadguard.protected_table p ON p.target = pg_partition_root(i.inhrelid)
        WHERE (i.inhrelid = ANY (touched) OR i.inhparent = ANY (touched)) AND age(i.xmin) <= 0
          AND (p.concealed_by IS NOT NULL
               OR NOT EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = i.inhrelid AND o.polname = 'leadguard_open'))
          AND NOT (current_setting('row_security') = 'off' AND age(p.xmin) <= 0)
    LOOP
        PERFORM leadguard.extend_protection(item.target);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION leadguard.watch_drop()
RETURNS event_trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone oid[];
    item record;
BEGIN
    -- Looks before it writes: almost nothing that is dropped concerns a protected table.
    SELECT array_agg(d.objid) INTO gone
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0
      AND (EXISTS (SELECT FROM leadguard.protected_table p WHERE p.target = d.objid)
           OR EXISTS (SELECT FROM leadguard.table_grant g WHERE g.object = d.objid)
           OR EXISTS (SELECT FROM leadguard.member_scope s WHERE s.target = d.objid)
           OR EXISTS (SELECT FROM leadguard.protected_child h WHERE h.target = d.objid OR h.parent = d.objid));
    IF gone IS NOT NULL THEN
        -- Notes and tags that outlive their parent stay closed; what leadguard granted on them goes with its record.
        FOR item IN
            SELECT DISTINCT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass AS object,
                   g.privilege, r.rolname
            FROM leadguard.protected_child h
            JOIN leadguard.table_grant g ON g.target = h.parent
            JOIN pg_class c ON c.oid = g.object AND (c.oid = h.target OR EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = h.target AND d.deptype IN ('a', 'i')))
            JOIN pg_roles r ON r.rolname = g.grantee
            WHERE h.parent = ANY (gone)
        LOOP
            EXECUTE format('REVOKE %s ON %s %s FROM %I', item.privilege, item.kind, item.object, item.rolname);
        END LOOP;
        DELETE FROM leadguard.protected_child h WHERE h.target = ANY (gone) OR h.parent = ANY (gone);
        DELETE FROM leadguard.table_grant g WHERE g.target = ANY (gone) OR g.object = ANY (gone);
        DELETE FROM leadguard.record_grant g WHERE g.target = ANY (gone);
        DELETE FROM leadguard.record_contact c WHERE c.target = ANY (gone);
        DELETE FROM leadguard.member_scope s WHERE s.target = ANY (gone);
        DELETE FROM leadguard.protected_table p WHERE p.target = ANY (gone);
    END IF;
    -- Dropping the column would drop what its notes say.
    SELECT h.target, d.address_names[3] AS name INTO item
    FROM pg_event_trigger_dropped_objects() d
    JOIN leadguard.protected_child h ON h.target = d.objid
        AND d.address_names[3] IN (h.id_column, h.parent_column, h.content_column, h.author_column, h.time_column)
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of % cannot be dropped: its protection relies on it', item.name, item.target
            USING ERRCODE = '2BP01', HINT = format('leadguard.unprotect(%L) first.', item.target);
    END IF;
    FOR item IN
        SELECT p.target, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND d.address_names[3]::name = ANY (p.attribution)
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET attribution = array_remove(p.attribution, item.name) WHERE p.target = item.target;
    END LOOP;
    -- Rules about a dropped column stay, and concern no column that takes its name: 0 is the number of none, and is
    -- what a dump carries over.
    FOR item IN
        SELECT d.objid, d.address_names[3]::name AS name
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.field_rule r SET attnum = 0 FROM leadguard.field_version v
        WHERE v.id = r.version_id AND v.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_value r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.field_transition r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.tag_column r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
        UPDATE leadguard.column_mask r SET attnum = 0 WHERE r.target = item.objid AND r.column_name = item.name;
    END LOOP;
    -- The policies do not name the creator, so its column can go while the protection stands.
    FOR item IN
        SELECT p.target
        FROM pg_event_trigger_dropped_objects() d
        JOIN leadguard.protected_table p ON p.target = d.objid AND p.creator_column = d.address_names[3]
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0
    LOOP
        UPDATE leadguard.protected_table p SET creator_column = NULL WHERE p.target = item.target;
    END LOOP;
END
$$;

DROP FUNCTION leadguard.team_add(regclass, text, text, text);
CREATE FUNCTION leadguard.team_add(target regclass, record text, member text, level text DEFAULT 'edit', reason text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'team_add_with_wrapper';

COMMENT ON FUNCTION leadguard.team_add(regclass, text, text, text, text) IS
'Puts a member (key) on the team of a record at level read, edit or full, or changes the level there; those above get the same. For members with level full on the record and superusers. Errors: 42501 no right, or no such record for the caller; 22023 unknown member, level or table.';

CREATE FUNCTION leadguard.verify(target regclass, samples integer DEFAULT 100)
RETURNS TABLE (record text, member text, by_sets text, by_paths text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'verify_wrapper';

COMMENT ON FUNCTION leadguard.verify(regclass, integer) IS
'Compares, for records chosen at random and every active member, the rights that policies and guards compute from sets with those that a walk from the record finds; no row when they agree. Superusers, and members with the capability administer for what they see; others 42501. 22023: a table that is not protected, samples not positive.';

CREATE OR REPLACE VIEW leadguard.protected WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, p.preset,
           jsonb_strip_nulls(jsonb_build_object('id', p.id_column, 'owner', p.owner_column, 'creator', p.creator_column,
               'territory', p.territory_column, 'organization', p.organization_column,
               'segment', p.segment_column, 'team', p.team_column, 'stage', p.stage_column, 'status', p.status_column,
               'sensitive', p.sensitive_column, 'parent', p.parent_column,
               'archived_at', p.archived_at_column, 'archived_by', p.archived_by_column)) AS columns,
           -- Which of the organizations in a shared table registered it is no matter of the others.
           CASE WHEN p.organization_column IS NULL OR p.org_id = leadguard.current_organization()
                     OR leadguard.current_member() IS NULL THEN o.key END AS organization, p.force, p.protected_at, p.object, p.parent
    FROM leadguard.protected_table p
    JOIN leadguard.organization o ON o.id = p.org_id
    -- A table dropped meanwhile is none.
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);

COMMENT ON VIEW leadguard.protected IS 'The tables that leadguard secures, with preset and mapped columns. For members of the organization who may read the table, and its owner.';

CREATE OR REPLACE VIEW leadguard.protected_children WITH (security_barrier) AS
    SELECT c.target, c.parent, c.kind,
           jsonb_strip_nulls(jsonb_build_object('id', c.id_column, 'parent', c.parent_column, 'content', c.content_column,
               'author', c.author_column, 'created_at', c.time_column)) AS columns
    FROM leadguard.protected_child c
    JOIN leadguard.protected_table p ON p.target = c.parent
    WHERE leadguard.reads_rules(c.target, NULL, p.org_id, p.organization_column);

-- The rules of protected tables: reading them, changing them.

CREATE VIEW leadguard.rules WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, r.role, r.path, r.action, r.statuses, r.effect, r.origin
    FROM leadguard.protected_table p
    CROSS JOIN LATERAL (
        SELECT s.role, s.path, s.action, s.statuses, s.effect, 'preset' AS origin
        FROM leadguard.preset_rule s
        WHERE s.preset = p.preset AND s.object IN ('*', p.object)
          AND NOT EXISTS (SELECT FROM leadguard.access_rule a
                          WHERE a.target = p.target AND (a.role, a.path, a.action, a.statuses) = (s.role, s.path, s.action, s.statuses))
        UNION ALL
        SELECT a.role, a.path, a.action, a.statuses, a.effect, 'table'
        FROM leadguard.access_rule a
        WHERE a.target = p.target) r
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);

COMMENT ON VIEW leadguard.rules IS
'The rules of the protected tables that the caller may read: those of the preset, and those that leadguard.set_rule put in their place. What follows from them is in leadguard.access_matrix.';

CREATE VIEW leadguard.switches WITH (security_barrier) AS
    SELECT coalesce(p.concealed_by, p.target) AS target, s.name AS switch, s.role,
           coalesce(t.value, s.preset_value) AS value, s.preset_value AS preset_default, s.contradiction, s.choices, s.meaning
    FROM leadguard.protected_table p
    CROSS JOIN LATERAL (
        SELECT k.name, r.role, k.contradiction, k.choices, k.meaning,
               coalesce((SELECT d.value FROM leadguard.preset_switch d
                         WHERE d.preset = p.preset AND d.object IN ('*', p.object) AND d.switch = k.name AND d.role = r.role
                         ORDER BY d.object = '*' LIMIT 1), k.default_value) AS preset_value
        FROM leadguard.access_switch k
        CROSS JOIN LATERAL (
            SELECT '' AS role WHERE NOT k.per_role
            UNION
            SELECT u.role FROM leadguard.preset_rule u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object)
            UNION
            SELECT u.role FROM leadguard.access_rule u WHERE k.per_role AND u.target = p.target
            UNION
            SELECT u.role FROM leadguard.preset_switch u WHERE k.per_role AND u.preset = p.preset AND u.object IN ('*', p.object) AND u.switch = k.name
            UNION
            SELECT u.role FROM leadguard.table_switch u WHERE k.per_role AND u.target = p.target AND u.switch = k.name) r
        UNION ALL
        SELECT 'preset', '', 'X15', ARRAY['four_role', 'decision_site', 'organization', 'sales_hierarchy'],
               'The vocabulary of roles and the rules that the table starts from; leadguard.set_preset changes it.', p.preset) s
    LEFT JOIN leadguard.table_switch t ON t.target = p.target AND t.switch = s.name AND t.role = s.role
    WHERE leadguard.reads_rules(p.target, p.concealed_by, p.org_id, p.organization_column);

COMMENT ON VIEW leadguard.switches IS
'Every switch of the protected tables that the caller may read: its value, what the preset says, and the contradiction between the sources that it settles. leadguard.set_switch sets one.';

CREATE FUNCTION leadguard.set_rule(target regclass, role text, path text, action text, effect text, statuses text[] DEFAULT '{}')
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_rule_wrapper';

COMMENT ON FUNCTION leadguard.set_rule(regclass, text, text, text, text, text[]) IS
'Sets one rule of a protected table: what a role (* for every member) may do with records that it reaches by a path. action is access with effect read, edit or full, or one of read, update, archive, share, reassign, create with allow or deny; effect none takes a rule of the preset away. statuses: under which values of the status column it holds. Takes effect with the next statement of every session. For the table''s owner, superusers, and members with the capability manage_rules whose organization has the table to itself (42501); 22023 for a rule that cannot work, with the reason.';

CREATE FUNCTION leadguard.drop_rule(target regclass, role text, path text, action text, statuses text[] DEFAULT '{}')
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'drop_rule_wrapper';

COMMENT ON FUNCTION leadguard.drop_rule(regclass, text, text, text, text[]) IS
'Takes back what set_rule said, so that the preset''s rule holds again; true when there was something. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.set_switch(target regclass, switch text, value text, role text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_switch_wrapper';

COMMENT ON FUNCTION leadguard.set_switch(regclass, text, text, text) IS
'Sets a switch of a protected table, see leadguard.switches; role names the role for switches that have one value for each. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.reset_switch(target regclass, switch text, role text DEFAULT NULL)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'reset_switch_wrapper';

COMMENT ON FUNCTION leadguard.reset_switch(regclass, text, text) IS
'Gives a switch the value of the preset again; true when it had another. Who may call and errors: as set_rule.';

CREATE FUNCTION leadguard.set_preset(target regclass, preset text, object text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'set_preset_wrapper';

COMMENT ON FUNCTION leadguard.set_preset(regclass, text, text) IS
'Puts a protected table under another preset (four_role, decision_site, organization, sales_hierarchy), or says what its rows are (lead, campaign, deal, segment, account). What the table set itself is forgotten: rules and switches. For the table''s owner and superusers (42501); 22023 for an unknown preset or object.';

CREATE FUNCTION leadguard.access_matrix(target regclass)
RETURNS TABLE (role text, path text, read text, "update" text, archive text, share text, reassign text, "create" text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 30
AS 'MODULE_PATHNAME', 'access_matrix_wrapper';

COMMENT ON FUNCTION leadguard.access_matrix(regclass) IS
'What the rules and switches of a protected table come to: for each role and path yes, no, or the statuses under which. For whoever may read the table; 42501, 22023.';

CREATE FUNCTION leadguard.member_rights(member text DEFAULT NULL)
RETURNS TABLE (target regclass, path text, read text, "update" text, archive text, share text, reassign text, "create" text, hidden text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 30
AS 'MODULE_PATHNAME', 'member_rights_wrapper';

COMMENT ON FUNCTION leadguard.member_rights(text) IS
'What a member may do in every protected table, path by path, after roles, switches and caps, and what is hidden from him. Who may ask and errors: as can.';

CREATE FUNCTION leadguard.mark_sensitive(target regclass, record text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'mark_sensitive_wrapper';

COMMENT ON FUNCTION leadguard.mark_sensitive(regclass, text, text) IS
'Marks a record as sensitive, with the reason: from then on only members of the rank, or with the capability see_sensitive, see it. Needs the right to update it. Errors: 42501, 22023 without a reason.';

CREATE FUNCTION leadguard.unmark_sensitive(target regclass, record text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'unmark_sensitive_wrapper';

COMMENT ON FUNCTION leadguard.unmark_sensitive(regclass, text, text) IS
'Takes the mark away, with the reason. Needs sight of the record and the right to update it. Errors: 42501, 22023 without a reason.';

-- The triggers of the directory: who may write it, what holds in it, what follows from a change.

-- Who may write.
CREATE OR REPLACE FUNCTION leadguard.directory_guard()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
        OR (TG_OP <> 'TRUNCATE' AND TG_ARGV[0] = 'administer' AND leadguard.has_capability('administer')) THEN
        RETURN NULL;
    END IF;
    -- Those who may write a part of it; which rows is decided by policies and directory_limits. A guest lists nobody, and
    -- writes nobody.
    IF (CASE TG_TABLE_NAME
        WHEN 'member' THEN TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest() AND leadguard.has_capability('manage_members')
        WHEN 'member_role' THEN TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest() AND (leadguard.has_capability('manage_members') OR leadguard.has_capability('manage_roles'))
        WHEN 'team' THEN CASE TG_OP WHEN 'INSERT' THEN leadguard.has_capability('manage_teams') AND NOT leadguard.is_guest()
                                    WHEN 'UPDATE' THEN EXISTS (SELECT FROM leadguard.owned_teams()) END
        WHEN 'team_member' THEN TG_OP <> 'TRUNCATE' AND EXISTS (SELECT FROM leadguard.owned_teams())
        WHEN 'organization' THEN TG_OP = 'UPDATE' AND (leadguard.has_capability('manage_organization') OR leadguard.has_capability('own_organization'))
        WHEN 'member_setting' THEN TG_OP <> 'TRUNCATE' AND leadguard.current_member() IS NOT NULL AND NOT leadguard.is_analyst()
        END) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on leadguard.% refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501',
              HINT = CASE TG_ARGV[0]
                     WHEN 'administer' THEN 'A member with the capability administer writes the directory of his organization.'
                     WHEN 'organization' THEN 'Members with the capability manage_organization or own_organization change the settings of theirs.'
                     WHEN 'own' THEN 'Members write their own settings; this session is none, or reads only.'
                     ELSE 'Only a superuser or the owner of the extension writes this table.' END;
END
$$;

COMMENT ON FUNCTION leadguard.directory_guard() IS
'Trigger BEFORE STATEMENT of the directory tables: 42501 unless the caller owns the extension or, where allowed, has the capability administer or one that lets him write a part of the table.';

CREATE TRIGGER directory_10_revision BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.member_scope
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');

CREATE TRIGGER directory_11_revision BEFORE UPDATE OF kind ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision('member');

CREATE TRIGGER directory_60_plans AFTER UPDATE ON leadguard.organization
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.access_rule
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.access_rule
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_60_plans AFTER INSERT OR UPDATE OR DELETE ON leadguard.table_switch
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_61_plans AFTER TRUNCATE ON leadguard.table_switch
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_60_plans AFTER UPDATE OF preset, object ON leadguard.protected_table
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

CREATE TRIGGER directory_60_plans AFTER UPDATE OF kind, org_id ON leadguard.member
    FOR EACH ROW EXECUTE FUNCTION leadguard.forget_plans();

-- A trigger function keeps the plans of its first call; one made for a single changed row takes minutes for
-- 50,000. Statements that join two transition tables are therefore EXECUTEd, and planned each time.

-- Nothing crosses an organization. One statement-level function for every table that connects two rows.
CREATE OR REPLACE FUNCTION leadguard.same_organization()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    culprit text;
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'territory' THEN
        SELECT t.key INTO culprit FROM new_rows t JOIN leadguard.member m ON m.id = t.owner_id
        WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'territory_member' THEN
        SELECT t.key INTO culprit FROM new_rows n JOIN leadguard.territory t ON t.id = n.territory_id
        JOIN leadguard.member m ON m.id = n.member_id WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'team_member' THEN
        SELECT t.key INTO culprit FROM new_rows n JOIN leadguard.team t ON t.id = n.team_id
        JOIN leadguard.member m ON m.id = n.member_id WHERE m.org_id <> t.org_id LIMIT 1;
    WHEN 'role' THEN
        SELECT n.name INTO culprit FROM new_rows n JOIN leadguard.role shipped ON shipped.name = n.name AND shipped.org_id IS NULL
        WHERE n.org_id IS NOT NULL LIMIT 1;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'the role name "%" is taken by a shipped role', culprit USING ERRCODE = '23505';
        END IF;
        SELECT n.name INTO culprit FROM new_rows n
        JOIN leadguard.member_role mr ON mr.role_id = n.id
        JOIN leadguard.member m ON m.id = mr.member_id
        WHERE mr.role <> n.name OR m.org_id <> n.org_id LIMIT 1;
        IF culprit IS NOT NULL THEN
            RAISE EXCEPTION 'a role that members have keeps its name and organization'
                USING ERRCODE = '23503', HINT = 'Take the role from its members first.';
        END IF;
    WHEN 'member' THEN
        -- A member who changes organization leaves what connects him to the old one first.
        -- In a merger all of it moves along.
        EXECUTE $q$SELECT n.key FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.org_id <> n.org_id
        WHERE NOT EXISTS (SELECT FROM leadguard.organization s WHERE s.id = o.org_id AND s.merged_into = n.org_id)
          AND (EXISTS (SELECT FROM leadguard.territory t WHERE t.owner_id = n.id)
           OR EXISTS (SELECT FROM leadguard.territory_member tm WHERE tm.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_grant g WHERE g.member_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_contact c WHERE c.member_id = n.id AND c.removed_at IS NULL)
           OR EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.name = mr.role
                      WHERE mr.member_id = n.id AND r.org_id = o.org_id)) LIMIT 1$q$ INTO culprit;
    WHEN 'team' THEN
        EXECUTE $q$SELECT n.key FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.org_id <> n.org_id
        WHERE NOT EXISTS (SELECT FROM leadguard.organization s WHERE s.id = o.org_id AND s.merged_into = n.org_id)
          AND (EXISTS (SELECT FROM leadguard.team_member tm WHERE tm.team_id = n.id)
           OR EXISTS (SELECT FROM leadguard.record_grant g WHERE g.team_id = n.id)) LIMIT 1$q$ INTO culprit;
    END CASE;
    IF culprit IS NOT NULL THEN
        RAISE EXCEPTION '% row of "%" connects two organizations', TG_TABLE_NAME, culprit
            USING ERRCODE = '23514', HINT = 'Nothing crosses an organization.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER directory_05_shipped_key BEFORE UPDATE ON leadguard.organization
    FOR EACH ROW WHEN (old.id = 1 AND (new.id <> old.id OR new.key <> old.key)) EXECUTE FUNCTION leadguard.keep_shipped();

DROP TRIGGER directory_05_shipped ON leadguard.organization;
CREATE TRIGGER directory_05_shipped BEFORE DELETE ON leadguard.organization
    FOR EACH ROW WHEN (old.id = 1) EXECUTE FUNCTION leadguard.keep_shipped();

-- What keeps the directory safe from those who may write it: limits by rank, owners who cannot be lost.

-- The questions that the limits ask. Each is about the current member and his organization only.
CREATE FUNCTION leadguard.own_rank()
RETURNS integer LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT max(r.rank) FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
    WHERE mr.member_id = leadguard.current_member()
$$;

COMMENT ON FUNCTION leadguard.own_rank() IS
'The highest rank among the roles of the current member; NULL without any. Anyone may call it.';

CREATE FUNCTION leadguard.outranks_me(member bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (leadguard.has_capability('manage_members') OR leadguard.has_capability('manage_roles'))
       AND leadguard.in_my_organization('member', outranks_me.member)
       AND EXISTS (SELECT FROM leadguard.member_role mr JOIN leadguard.role r ON r.id = mr.role_id
                   WHERE mr.member_id = outranks_me.member AND r.rank > coalesce(leadguard.own_rank(), 0))
$$;

COMMENT ON FUNCTION leadguard.outranks_me(bigint) IS
'Whether a member of one''s own organization has a role of a higher rank than one''s own; false for any other id, and for whoever manages neither members nor roles. Anyone may call it.';

CREATE FUNCTION leadguard.may_give(role_id bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM leadguard.role r
        WHERE r.id = may_give.role_id
          AND (leadguard.has_capability('manage_roles') AND r.rank <= leadguard.own_rank()
               OR leadguard.has_capability('manage_members') AND r.rank < leadguard.own_rank())
          -- The rank of a role that an organization made for itself says nothing about what it can do.
          AND (r.org_id IS NULL
               OR (r.org_id = leadguard.current_organization()
                   AND (SELECT coalesce(bool_and(leadguard.has_capability(c.name)), true) FROM unnest(r.capabilities) AS c (name)))))
$$;

COMMENT ON FUNCTION leadguard.may_give(bigint) IS
'Whether the current member may give a role to others and take it from them: with manage_roles up to the own rank, with manage_members below it; a role of the organization itself only with all of its capabilities. Anyone may call it.';

CREATE FUNCTION leadguard.owned_teams()
RETURNS SETOF bigint LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED ROWS 3 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tm.team_id FROM leadguard.team_member tm
    WHERE tm.member_id = leadguard.current_member() AND tm.role = 'owner'
      AND NOT leadguard.is_guest() AND NOT leadguard.is_analyst()
$$;

COMMENT ON FUNCTION leadguard.owned_teams() IS
'The teams that the current member manages, having the team role owner; none for guests and analysts. Anyone may call it.';

CREATE FUNCTION leadguard.would_command(member bigint, manager bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (EXISTS (SELECT FROM leadguard.member_closure c
                    WHERE c.descendant_id = would_command.manager AND c.ancestor_id = leadguard.current_member())
            AND NOT EXISTS (SELECT FROM leadguard.member_closure c
                            WHERE c.descendant_id = would_command.member AND c.ancestor_id = leadguard.current_member()))
        OR EXISTS (SELECT FROM leadguard.member_closure c
                   WHERE c.ancestor_id = would_command.member AND leadguard.outranks_me(c.descendant_id))
$$;

COMMENT ON FUNCTION leadguard.would_command(bigint, bigint) IS
'Whether placing a member below a manager puts him below the current member, or moves somebody of a higher rank along. Anyone may call it.';

CREATE FUNCTION leadguard.is_fresh_id(kind text, id bigint)
RETURNS boolean LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN kind IN ('member', 'team') AND currval(format('leadguard.%I', kind || '_id_seq')) = id;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN false;
END
$$;

COMMENT ON FUNCTION leadguard.is_fresh_id(text, bigint) IS
'Whether this session has just taken the id of a new member or team from the sequence: rows of protected tables may still name one that was deleted. Anyone may call it.';

-- Who may write what, row by row. A member with the capability administer writes the directory of his organization;
-- others have less of it. Whoever owns the extension is not limited, nor what foreign keys carry out.
CREATE FUNCTION leadguard.directory_limits()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member bigint;
    territory bigint;
    team bigint;
    gone text;
    why text;
    hint text := 'A member with the capability administer can.';
BEGIN
    IF leadguard.current_member() IS NULL
        OR pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RETURN coalesce(new, old);
    END IF;
    -- An id of another organization is answered like one that does not exist.
    IF TG_OP <> 'DELETE' THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN member := new.manager_id;
        WHEN 'member_role', 'member_scope' THEN member := new.member_id;
        WHEN 'territory' THEN member := new.owner_id; territory := new.parent_id;
        WHEN 'territory_member' THEN member := new.member_id; territory := new.territory_id;
        WHEN 'team_member' THEN member := new.member_id; team := new.team_id;
        ELSE
        END CASE;
        gone := CASE WHEN territory IS NOT NULL AND NOT leadguard.in_my_organization('territory', territory) THEN 'territory ' || territory
                     WHEN team IS NOT NULL AND NOT leadguard.in_my_organization('team', team) THEN 'team ' || team
                     WHEN member IS NOT NULL AND NOT leadguard.in_my_organization('member', member) THEN 'member ' || member END;
        IF gone IS NOT NULL THEN
            RAISE EXCEPTION 'there is no % in your organization', gone USING ERRCODE = '23503';
        END IF;
    END IF;

    IF TG_TABLE_NAME = 'organization' THEN
        IF (new.key, new.name) IS DISTINCT FROM (old.key, old.name) AND NOT leadguard.has_capability('own_organization') THEN
            why := 'the key and the name of an organization';
            hint := 'A member with the capability own_organization (the Owner) can.';
        ELSIF (new.organization_view, new.domain_roles) <> (old.organization_view, old.domain_roles)
            AND NOT leadguard.has_capability('manage_organization') THEN
            why := 'the settings of an organization';
            hint := 'A member with the capability manage_organization can.';
        END IF;
    ELSIF NOT leadguard.has_capability('administer') THEN
        CASE TG_TABLE_NAME
        WHEN 'member' THEN
            why := CASE
                WHEN TG_OP = 'INSERT' THEN CASE
                    WHEN NOT leadguard.is_fresh_id('member', new.id) THEN 'the id of a member'
                    WHEN new.db_role IS NOT NULL THEN 'the login role of a member'
                    WHEN new.kind = 'system' THEN 'a member of kind system' END
                WHEN leadguard.outranks_me(old.id) THEN 'a member of a higher rank than your own'
                WHEN TG_OP = 'UPDATE' THEN CASE
                    WHEN new.id <> old.id OR new.org_id <> old.org_id THEN 'the id and organization of a member'
                    WHEN new.db_role IS DISTINCT FROM old.db_role THEN 'the login role of a member'
                    WHEN new.kind <> old.kind AND new.kind <> 'guest' THEN 'the kind of a member'
                    WHEN new.manager_id IS DISTINCT FROM old.manager_id AND leadguard.would_command(new.id, new.manager_id)
                        THEN 'a place below yourself, or one of somebody of a higher rank' END
                END;
        WHEN 'member_role' THEN
            IF TG_OP <> 'INSERT' THEN
                why := CASE WHEN old.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(old.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(old.role_id) THEN format('the role "%s"', old.role) END;
            END IF;
            IF TG_OP <> 'DELETE' AND why IS NULL THEN
                why := CASE WHEN new.member_id = leadguard.current_member() THEN 'your own roles'
                            WHEN leadguard.outranks_me(new.member_id) THEN 'the roles of a member of a higher rank than your own'
                            WHEN NOT leadguard.may_give(new.role_id) THEN format('the role "%s"', new.role) END;
            END IF;
        WHEN 'team' THEN
            IF TG_OP = 'INSERT' AND NOT leadguard.is_fresh_id('team', new.id) THEN
                why := 'the id of a team';
            ELSIF TG_OP = 'UPDATE' AND (new.id, new.org_id, new.key) <> (old.id, old.org_id, old.key) THEN
                why := 'the key of a team';
            END IF;
        WHEN 'team_member' THEN
            -- Which teams he manages is a matter of the policies.
        ELSE
            why := 'leadguard.' || TG_TABLE_NAME;
        END CASE;
    END IF;
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '% on leadguard.% refused: % is not yours to write', TG_OP, TG_TABLE_NAME, why
            USING ERRCODE = '42501', HINT = hint;
    END IF;
    RETURN coalesce(new, old);
END
$$;

COMMENT ON FUNCTION leadguard.directory_limits() IS
'Trigger BEFORE ROW of the directory tables: 42501 for what is above the rank or outside of the capabilities of the member who writes, 23503 for a reference to what is not in his organization.';

-- Whoever makes a team manages it.
CREATE FUNCTION leadguard.own_new_team()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF new.org_id = leadguard.current_organization() THEN
        INSERT INTO leadguard.team_member (team_id, member_id, role) VALUES (new.id, leadguard.current_member(), 'owner')
        ON CONFLICT ON CONSTRAINT team_member_pkey DO UPDATE SET role = 'owner';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.own_new_team() IS 'Trigger AFTER ROW of team: the member who makes a team gets its role owner.';

CREATE TRIGGER directory_40_owner AFTER INSERT ON leadguard.team
    FOR EACH ROW EXECUTE FUNCTION leadguard.own_new_team();

-- The last active holder of the roles that stand for an organization stays, for superusers too.
CREATE FUNCTION leadguard.keep_holders()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_keep_holders';

COMMENT ON FUNCTION leadguard.keep_holders() IS
'Trigger AFTER STATEMENT of member and member_role: 23514 when it leaves an organization that is not archived without an active holder of a role Owner, data_owner or ADMIN that it had.';

CREATE TRIGGER directory_45_holders_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member');

CREATE TRIGGER directory_45_holders_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member');

CREATE TRIGGER directory_45_holders_update AFTER UPDATE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member_role');

CREATE TRIGGER directory_45_holders_delete AFTER DELETE ON leadguard.member_role REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_holders('member_role');

CREATE FUNCTION leadguard.refuse_truncate()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM leadguard.member_role mr
               JOIN leadguard.role r ON r.id = mr.role_id AND r.org_id IS NULL AND r.name IN ('Owner', 'data_owner', 'ADMIN')
               JOIN leadguard.member m ON m.id = mr.member_id AND m.active
               JOIN leadguard.organization o ON o.id = m.org_id AND o.archived_at IS NULL) THEN
        RAISE EXCEPTION 'TRUNCATE on leadguard.% refused: it would remove the owners of organizations', TG_TABLE_NAME
            USING ERRCODE = '23514', HINT = 'DELETE the rows that are meant.';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.refuse_truncate() IS
'Trigger BEFORE TRUNCATE of member and member_role: 23514 while an organization has a holder of a role Owner, data_owner or ADMIN.';

CREATE TRIGGER directory_05_truncate BEFORE TRUNCATE ON leadguard.member
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.refuse_truncate();

CREATE TRIGGER directory_05_truncate BEFORE TRUNCATE ON leadguard.member_role
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.refuse_truncate();

-- A record never ends without an owner.
CREATE FUNCTION leadguard.keep_owners()
RETURNS trigger LANGUAGE c VOLATILE SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_keep_owners';

COMMENT ON FUNCTION leadguard.keep_owners() IS
'Trigger AFTER STATEMENT of member: 23503 when a member who is deleted, deactivated or moved to another organization owns unarchived records of a protected table whose switch owners_stay is on.';

CREATE TRIGGER directory_46_owners_update AFTER UPDATE ON leadguard.member REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_owners();

CREATE TRIGGER directory_46_owners_delete AFTER DELETE ON leadguard.member REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.keep_owners();

CREATE FUNCTION leadguard.owned_records(member text)
RETURNS TABLE (target regclass, records bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'owned_records_wrapper';

COMMENT ON FUNCTION leadguard.owned_records(text) IS
'How many unarchived records a member owns in each protected table, whether or not the caller sees them; tables without any are left out. For superusers, and about members of the own organization for members with administer or manage_members (42501). 22023: there is no such member.';

-- Organizations: their settings, their end, their mergers; and what belongs to a member alone.

ALTER TABLE leadguard.member_setting ALTER COLUMN member_id SET DEFAULT leadguard.current_member();

-- The shipped organization is in every database; a dump carries what was set in it, which goes into the row there is.
CREATE FUNCTION leadguard.restore_default_organization()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.organization o
    SET name = new.name, organization_view = new.organization_view, archived_at = new.archived_at, merged_into = new.merged_into,
        domain_roles = new.domain_roles
    WHERE o.id = new.id AND o.key = new.key;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;

COMMENT ON FUNCTION leadguard.restore_default_organization() IS
'Trigger BEFORE ROW of organization: what a restore brings for the shipped row replaces its settings.';

CREATE TRIGGER directory_05_default BEFORE INSERT ON leadguard.organization
    FOR EACH ROW WHEN (new.id = 1) EXECUTE FUNCTION leadguard.restore_default_organization();

-- A key that rows of a protected table hold must keep meaning the same organization.
CREATE FUNCTION leadguard.keep_organization_key()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mapping regclass;
BEGIN
    SELECT p.target INTO mapping
    FROM leadguard.protected_table p
    JOIN pg_attribute a ON a.attrelid = p.target AND a.attname = p.organization_column AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE coalesce(nullif(t.typbasetype, 0), t.oid) NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    LIMIT 1;
    IF mapping IS NOT NULL THEN
        RAISE EXCEPTION 'the key of organization "%" cannot change', old.key
            USING ERRCODE = '42501', DETAIL = format('The protected table %s maps organizations by key.', mapping),
                  HINT = 'Change the name of the organization instead.';
    END IF;
    RETURN new;
END
$$;

COMMENT ON FUNCTION leadguard.keep_organization_key() IS
'Trigger BEFORE ROW of organization: 42501 for a change of a key while a protected table maps organizations by key.';

CREATE TRIGGER directory_40_key BEFORE UPDATE ON leadguard.organization
    FOR EACH ROW WHEN (new.key <> old.key) EXECUTE FUNCTION leadguard.keep_organization_key();

CREATE FUNCTION leadguard.delete_organization(key text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'delete_organization_wrapper';

COMMENT ON FUNCTION leadguard.delete_organization(text, text) IS
'Deletes an organization: archives it, with the reason in the audit; no row goes, and its members reach nothing any more. For its members with the capability own_organization and superusers (42501). 23503 with counts while it has other active members or unarchived records; 22023 without a reason.';

CREATE FUNCTION leadguard.merge_organization(source_key text, into_key text, reason text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'merge_organization_wrapper';

COMMENT ON FUNCTION leadguard.merge_organization(text, text, text) IS
'Moves everything of one organization into another: members, territories, teams, roles, rules about e-mail domains (those that the other one allows and has none for; not that for all others), protected tables and the records of shared ones, each of which is audited; grants stay, the hierarchies stand side by side, and the source is archived. Superuser and extension owner only (42501). 23505 with the list where keys of territories or teams or names of roles clash; 22023: unknown or archived organizations, or no reason.';

-- Contacts of records: writing and reading them, and the access that follows from them.

CREATE FUNCTION leadguard.contact_add(target regclass, record text, side text DEFAULT NULL, member text DEFAULT NULL,
                                      name text DEFAULT NULL, email text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_add_wrapper';

COMMENT ON FUNCTION leadguard.contact_add(regclass, text, text, text, text, text) IS
'Adds a contact to a record and returns its number: a member (key) of the organization of the record, or anybody else by name or e-mail. side is BUYER or SELLER; by default guests and whoever is no member are BUYER, others SELLER. A SELLER who is a person gets the record at level edit, a BUYER who is a guest at level read. Needs the right to update the record; guests add contacts that are no members only. Errors: 42501 no right, or no such record for the caller; 22023 arguments, unknown member; 23505 the member is a contact of the record.';

CREATE FUNCTION leadguard.contact_side(contact bigint, side text)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_side_wrapper';

COMMENT ON FUNCTION leadguard.contact_side(bigint, text) IS
'Puts a contact on the other side, BUYER or SELLER; what it has of access follows, and a SELLER loses its stakeholder types, which the history keeps. Needs the right to update the record; guests only for contacts that are no members. Errors: 42501 no right, or no such contact for the caller; 22023 unknown side; 55000 a removed contact.';

CREATE FUNCTION leadguard.contact_remove(contact bigint, reason text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_remove_wrapper';

COMMENT ON FUNCTION leadguard.contact_remove(bigint, text) IS
'Removes a contact from its record, and with it the access that it gave; leadguard.contact_history keeps it. Who may call and errors: as contact_side.';

CREATE FUNCTION leadguard.contact_mark(contact bigint, type text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_mark_wrapper';

COMMENT ON FUNCTION leadguard.contact_mark(bigint, text) IS
'Gives a BUYER a stakeholder type, CHAMPION, DECISION_MAKER or INFLUENCER, beside those that it has; true when it did not have it. Types give no access. Needs the right to update the record. Errors: 42501 no right, or no such contact for the caller; 22023 unknown type, or a SELLER; 55000 a removed contact.';

CREATE FUNCTION leadguard.contact_unmark(contact bigint, type text)
RETURNS boolean LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'contact_unmark_wrapper';

COMMENT ON FUNCTION leadguard.contact_unmark(bigint, text) IS
'Ends a stakeholder type of a contact, which leadguard.contact_history keeps; true when it had it. Who may call and errors: as contact_mark.';

CREATE FUNCTION leadguard.contacts(target regclass, record text)
RETURNS TABLE (contact bigint, side text, member text, name text, email text, types text[], added_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'contacts_wrapper';

COMMENT ON FUNCTION leadguard.contacts(regclass, text) IS
'The contacts of a record with their present stakeholder types. member is the key of a contact that is a member whom the caller may list. For whoever reads the record; no rows for a record that the caller cannot read. Errors: 42501 no identity; 22023 unknown table.';

CREATE FUNCTION leadguard.contact_history(target regclass, record text)
RETURNS TABLE (contact bigint, side text, member text, name text, email text, type text, since timestamptz, until timestamptz,
               added_at timestamptz, added_by text, removed_at timestamptz, removed_by text, reason text)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'contact_history_wrapper';

COMMENT ON FUNCTION leadguard.contact_history(regclass, text) IS
'Every contact that a record has or had, once for each time that it had a stakeholder type (type NULL: never any). Who may ask and errors: as contacts.';

-- What a contact gives: written down in record_grant, where access by contacts is looked up like any other.
CREATE FUNCTION leadguard.grant_contacts(contacts bigint[])
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- What kind of members they are stays as it is read here.
    PERFORM FROM leadguard.member m
    WHERE m.id IN (SELECT c.member_id FROM leadguard.record_contact c WHERE c.id = ANY (contacts))
    ORDER BY m.id FOR SHARE;
    DELETE FROM leadguard.record_grant g
    WHERE g.contact_id = ANY (contacts)
      AND NOT EXISTS (SELECT FROM leadguard.record_contact c JOIN leadguard.member m ON m.id = c.member_id
                      WHERE c.id = g.contact_id AND leadguard.contact_level(c, m) = g.level);
    INSERT INTO leadguard.record_grant (target, record, kind, member_id, level, granted_by, contact_id)
    SELECT c.target, c.record, 'contact', c.member_id, leadguard.contact_level(c, m), leadguard.current_member(), c.id
    FROM leadguard.record_contact c
    JOIN leadguard.member m ON m.id = c.member_id
    WHERE c.id = ANY (contacts) AND leadguard.contact_level(c, m) IS NOT NULL
      AND NOT EXISTS (SELECT FROM leadguard.record_grant g WHERE g.contact_id = c.id);
END
$$;

COMMENT ON FUNCTION leadguard.grant_contacts(bigint[]) IS
'Internal: brings the grants of contacts into the state that follows from side, removal and kind of member.';

CREATE FUNCTION leadguard.contact_level(contact leadguard.record_contact, member leadguard.member)
RETURNS text LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN contact.removed_at IS NOT NULL OR NOT member.active THEN NULL
        WHEN contact.side OPERATOR(pg_catalog.=) 'SELLER' AND member.kind OPERATOR(pg_catalog.=) 'person' THEN 'edit'
        WHEN contact.side OPERATOR(pg_catalog.=) 'BUYER' AND member.kind OPERATOR(pg_catalog.=) 'guest' THEN 'read'
    END
$$;

COMMENT ON FUNCTION leadguard.contact_level(leadguard.record_contact, leadguard.member) IS
'Internal: the level that a contact gives to its member; NULL for none.';

CREATE FUNCTION leadguard.follow_contact()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.grant_contacts(array_agg(n.id)) FROM new_rows n WHERE n.member_id IS NOT NULL;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.follow_contact() IS 'Trigger AFTER STATEMENT of record_contact: keeps the grants of changed contacts in step.';

-- Not for INSERT: contact_add does it, and a dump brings the grants along.
CREATE TRIGGER directory_36_grants AFTER UPDATE ON leadguard.record_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.follow_contact();

CREATE FUNCTION leadguard.follow_member_kind()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM leadguard.grant_contacts(array_agg(c.id)) FROM leadguard.record_contact c
    WHERE c.member_id = new.id AND c.removed_at IS NULL
    HAVING count(*) > 0;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.follow_member_kind() IS
'Trigger AFTER ROW of member: keeps what a member has as a contact in step with his kind and whether he is active.';

CREATE TRIGGER directory_36_contacts AFTER UPDATE OF kind, active ON leadguard.member
    FOR EACH ROW WHEN (new.kind <> old.kind OR new.active <> old.active) EXECUTE FUNCTION leadguard.follow_member_kind();

CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.record_contact
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('owner');

CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.contact_type
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('owner');

ALTER TABLE leadguard.record_contact ENABLE ALWAYS TRIGGER directory_00_guard, ENABLE ALWAYS TRIGGER directory_36_grants;

ALTER TABLE leadguard.contact_type ENABLE ALWAYS TRIGGER directory_00_guard;

ALTER TABLE leadguard.member ENABLE ALWAYS TRIGGER directory_36_contacts;

-- Who joins as what: rules about e-mail domains, and guests by invitation.

CREATE FUNCTION leadguard.domain_gives(rule_kind text, role_id bigint, org_id bigint)
RETURNS boolean LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM leadguard.role r, leadguard.organization o
        WHERE r.id = $2 AND o.id = $3
          AND CASE WHEN o.domain_roles = 'any' THEN true
                   WHEN $1 = 'own' THEN r.name <> 'GUEST'
                   ELSE r.name = 'GUEST' OR (r.org_id = o.id AND r.rank = 0 AND r.capabilities = '{}') END)
$$;

COMMENT ON FUNCTION leadguard.domain_gives(text, bigint, bigint) IS
'Internal: whether a rule about domains of this kind may give the role, as organization.domain_roles says.';

CREATE FUNCTION leadguard.joins_as(org_id bigint, email text)
RETURNS TABLE (kind text, role text)
LANGUAGE sql STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    -- What is no domain by its form has no rule, not even that for all others.
    WITH asked AS (
        SELECT rtrim(lower(substring(btrim($2) FROM '@([^@]*)$') COLLATE "C"), '.') AS domain
    ), rule AS (
        SELECT r.kind, r.role_id
        FROM asked a
        JOIN leadguard.domain_rule r ON r.org_id = $1
            AND (r.domain = a.domain OR r.domain = '*'
                 OR (starts_with(r.domain, '*.') AND right(a.domain, length(r.domain) - 1) = substr(r.domain, 2)))
        WHERE a.domain COLLATE "C" ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$'
        ORDER BY r.domain = a.domain DESC, length(r.domain) DESC
        LIMIT 1
    )
    SELECT CASE WHEN rule.kind IN ('partner', 'customer') THEN 'guest' ELSE 'person' END, given.name
    FROM (VALUES (1)) one
    LEFT JOIN rule ON true
    LEFT JOIN leadguard.role given ON given.id = rule.role_id AND leadguard.domain_gives(rule.kind, given.id, $1)
$$;

COMMENT ON FUNCTION leadguard.joins_as(bigint, text) IS
'Internal: what the rules about e-mail domains make of a new member of an organization.';

CREATE FUNCTION leadguard.role_for(email text, organization text DEFAULT NULL)
RETURNS TABLE (kind text, role text)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asked bigint;
    own bigint := leadguard.current_organization();
    free boolean := leadguard.current_member() IS NULL
        AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'leadguard.domain_rule'::regclass), 'USAGE');
BEGIN
    SELECT o.id INTO asked FROM leadguard.organization o
    WHERE CASE WHEN role_for.organization IS NOT NULL THEN o.key = role_for.organization ELSE o.id = coalesce(own, 1) END;
    IF NOT free AND (asked IS DISTINCT FROM own OR own IS NULL
        OR NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_organization')
                OR leadguard.has_capability('manage_members'))) THEN
        RAISE EXCEPTION 'role_for refused'
            USING ERRCODE = '42501',
                  HINT = 'Members with the capability administer, manage_organization or manage_members ask about their organization.';
    ELSIF asked IS NULL THEN
        RAISE EXCEPTION 'there is no organization %', quote_nullable(organization) USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT * FROM leadguard.joins_as(asked, email);
END
$$;

COMMENT ON FUNCTION leadguard.role_for(text, text) IS
'What a new member with this e-mail would become by the rules about domains: person or guest, with a role or none. organization (key): by default that of the caller. For members with the capability administer, manage_organization or manage_members about their own organization, and superusers; 42501, 22023.';

-- A rule, and who may make it: nobody gives by a rule what he does not have himself.
CREATE FUNCTION leadguard.resolve_domain_rule()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given leadguard.role;
BEGIN
    new.domain := lower(new.domain COLLATE "C");
    SELECT r.* INTO given FROM leadguard.role r
    WHERE r.name = new.role AND (r.org_id IS NULL OR r.org_id = new.org_id)
    ORDER BY r.org_id NULLS LAST LIMIT 1;
    IF given.id IS NULL THEN
        RAISE EXCEPTION 'there is no role "%"', new.role
            USING ERRCODE = '23503', HINT = 'Roles are those shipped and those of the organization, see leadguard.role.';
    END IF;
    new.role_id := given.id;
    IF given.name = 'system' OR NOT leadguard.domain_gives(new.kind, given.id, new.org_id) THEN
        RAISE EXCEPTION 'a rule of kind % does not give the role "%"', new.kind, new.role
            USING ERRCODE = '23514',
                  HINT = CASE WHEN given.name = 'system' THEN 'It is for members of kind system, which no e-mail makes.'
                              WHEN new.kind = 'own' THEN 'GUEST is for external members, unless organization.domain_roles is any.'
                              ELSE 'External members get GUEST or a role of the organization of rank 0 without capabilities, unless organization.domain_roles is any.' END;
    END IF;
    IF leadguard.current_member() IS NOT NULL AND NOT leadguard.has_capability('administer') AND NOT leadguard.may_give(given.id) THEN
        RAISE EXCEPTION 'the role "%" is not yours to give', new.role
            USING ERRCODE = '42501', HINT = 'A member with the capability administer can make the rule.';
    END IF;
    RETURN new;
END
$$;

COMMENT ON FUNCTION leadguard.resolve_domain_rule() IS
'Trigger BEFORE ROW of domain_rule: finds the role (23503), and judges whether the rule may give it (23514) and its maker too (42501).';

CREATE TRIGGER directory_30_resolve BEFORE INSERT OR UPDATE ON leadguard.domain_rule
    FOR EACH ROW EXECUTE FUNCTION leadguard.resolve_domain_rule();

CREATE FUNCTION leadguard.keep_domain_roles()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    culprits text;
BEGIN
    SELECT string_agg(format('%s: %s', d.domain, d.role), ', ' ORDER BY d.domain) INTO culprits
    FROM leadguard.domain_rule d WHERE d.org_id = new.id AND NOT leadguard.domain_gives(d.kind, d.role_id, d.org_id);
    IF culprits IS NOT NULL THEN
        RAISE EXCEPTION 'rules about domains of organization "%" give more than guest_only allows', new.key
            USING ERRCODE = '23514', DETAIL = culprits, HINT = 'Change or delete them in leadguard.domain_rule first.';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.keep_domain_roles() IS
'Trigger AFTER ROW of organization: 23514 where domain_roles becomes guest_only and a rule gives more.';

CREATE TRIGGER directory_35_domain_roles AFTER UPDATE OF domain_roles ON leadguard.organization
    FOR EACH ROW WHEN (new.domain_roles <> old.domain_roles AND new.domain_roles = 'guest_only') EXECUTE FUNCTION leadguard.keep_domain_roles();

-- The kind at once, so that no external member is a person for a moment; the role at the end of the transaction, so
-- that one given in it stays the only one. What a restore brings was decided long ago.
CREATE FUNCTION leadguard.join_by_domain()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('row_security') = 'on' AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        new.kind := (SELECT j.kind FROM leadguard.joins_as(new.org_id, new.email) j);
    END IF;
    RETURN new;
END
$$;

COMMENT ON FUNCTION leadguard.join_by_domain() IS
'Trigger BEFORE ROW of member: a new member with an e-mail of a partner''s or customer''s domain is a guest.';

CREATE TRIGGER directory_15_domain BEFORE INSERT ON leadguard.member
    FOR EACH ROW WHEN (new.email IS NOT NULL AND new.kind = 'person') EXECUTE FUNCTION leadguard.join_by_domain();

CREATE FUNCTION leadguard.join_with_role()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('row_security') = 'on' AND EXISTS (SELECT FROM leadguard.domain_rule d WHERE d.org_id = new.org_id) THEN
        INSERT INTO leadguard.member_role (member_id, role)
        SELECT m.id, j.role
        FROM leadguard.member m
        CROSS JOIN LATERAL leadguard.joins_as(m.org_id, m.email) j
        WHERE m.id = new.id AND j.role IS NOT NULL AND j.kind = m.kind
          AND NOT EXISTS (SELECT FROM leadguard.member_role mr WHERE mr.member_id = m.id);
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION leadguard.join_with_role() IS
'Trigger at the end of the transaction that inserted a member: gives the role of the rule about the e-mail''s domain to a member who has none.';

CREATE CONSTRAINT TRIGGER directory_70_domain_role AFTER INSERT ON leadguard.member
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.email IS NOT NULL AND new.kind <> 'system') EXECUTE FUNCTION leadguard.join_with_role();

CREATE FUNCTION leadguard.invite(target regclass, record text, key text, name text DEFAULT NULL, email text DEFAULT NULL,
                                 level text DEFAULT 'read', reason text DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'invite_wrapper';

COMMENT ON FUNCTION leadguard.invite(regclass, text, text, text, text, text, text, timestamptz) IS
'Shares a record with a guest (key), who becomes a member of kind guest with the role GUEST if he is none yet; returns the id of the member. Name and e-mail are for a new one. For members who may share the record, except guests, and superusers. Errors: 42501 no right, or no such record for the caller; 22023 arguments, or a key that is not that of an active guest of the organization of the record.';

CREATE FUNCTION leadguard.invitations()
RETURNS TABLE (member text, name text, active boolean, invitations bigint, last_given timestamptz, next_end timestamptz)
LANGUAGE plpgsql STABLE CALLED ON NULL INPUT SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (leadguard.has_capability('administer') OR leadguard.has_capability('manage_members')) THEN
        RAISE EXCEPTION 'invitations refused'
            USING ERRCODE = '42501', HINT = 'Members with the capability administer or manage_members review the guests of their organization.';
    END IF;
    RETURN QUERY
    SELECT m.key, m.name, m.active, count(g.id), max(g.granted_at), min(g.until)
    FROM leadguard.member m
    LEFT JOIN leadguard.record_grant g ON g.member_id = m.id AND (g.until IS NULL OR g.until > statement_timestamp())
    WHERE m.kind = 'guest' AND m.org_id = leadguard.current_organization()
    GROUP BY m.id
    ORDER BY m.key;
END
$$;

COMMENT ON FUNCTION leadguard.invitations() IS
'The guests of the caller''s organization, how many records each was invited to (shares and contacts that still hold), when last, and when the first of them ends. For members with the capability administer or manage_members; 42501.';

CREATE FUNCTION leadguard.domain_rule_guard()
RETURNS trigger LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
        OR (TG_OP <> 'TRUNCATE' AND NOT leadguard.is_guest()
            AND (leadguard.has_capability('administer') OR leadguard.has_capability('manage_organization'))) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on leadguard.% refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = '42501', HINT = 'A member with the capability administer or manage_organization writes the rules of his organization.';
END
$$;

COMMENT ON FUNCTION leadguard.domain_rule_guard() IS
'Trigger BEFORE STATEMENT of domain_rule: 42501 unless the caller owns the extension or has the capability administer or manage_organization.';

CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.domain_rule
    FOR EACH STATEMENT EXECUTE FUNCTION leadguard.domain_rule_guard();

ALTER TABLE leadguard.domain_rule ENABLE ALWAYS TRIGGER directory_00_guard, ENABLE ALWAYS TRIGGER directory_30_resolve;

ALTER TABLE leadguard.organization ENABLE ALWAYS TRIGGER directory_35_domain_roles;

ALTER TABLE leadguard.member ENABLE ALWAYS TRIGGER directory_15_domain, ENABLE ALWAYS TRIGGER directory_70_domain_role;

-- Those who write a part of the directory: which rows. What they may do with them is decided by directory_limits.
CREATE POLICY managed ON leadguard.member USING (
    (SELECT leadguard.has_capability('manage_members') AND NOT leadguard.is_guest())
    AND org_id = (SELECT leadguard.current_organization()));

CREATE POLICY managed ON leadguard.member_role USING (
    NOT (SELECT leadguard.is_guest())
    AND ((SELECT leadguard.has_capability('manage_members')) OR (SELECT leadguard.has_capability('manage_roles')))
    AND leadguard.in_my_organization('member', member_id));

CREATE POLICY made ON leadguard.team FOR INSERT WITH CHECK (
    (SELECT leadguard.has_capability('manage_teams')) AND org_id = (SELECT leadguard.current_organization())
    AND NOT (SELECT leadguard.is_guest()));

CREATE POLICY managed ON leadguard.team FOR UPDATE USING (id IN (SELECT leadguard.owned_teams()));

CREATE POLICY managed ON leadguard.team_member USING (team_id IN (SELECT leadguard.owned_teams()));

CREATE POLICY managed ON leadguard.organization FOR UPDATE USING (
    id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('manage_organization')) OR (SELECT leadguard.has_capability('own_organization'))));

CREATE POLICY own ON leadguard.member_setting USING (member_id = (SELECT leadguard.current_member()));

CREATE POLICY administered ON leadguard.member_setting FOR SELECT USING (
    (SELECT leadguard.has_capability('administer')) AND leadguard.in_my_organization('member', member_id));

CREATE POLICY administered_delete ON leadguard.member_setting FOR DELETE USING (
    (SELECT leadguard.has_capability('administer')) AND leadguard.in_my_organization('member', member_id));

-- What is shipped anybody may read; what a table says, through views, whoever may read the table.
CREATE POLICY shipped ON leadguard.preset_rule FOR SELECT USING (true);

CREATE POLICY shipped ON leadguard.access_switch FOR SELECT USING (true);

CREATE POLICY shipped ON leadguard.preset_switch FOR SELECT USING (true);

-- Contacts are read through functions that judge who reads the record. Rules about domains are for those who write them.
ALTER TABLE leadguard.record_contact ENABLE ROW LEVEL SECURITY;

ALTER TABLE leadguard.contact_type ENABLE ROW LEVEL SECURITY;

ALTER TABLE leadguard.domain_rule ENABLE ROW LEVEL SECURITY;

CREATE POLICY administered ON leadguard.domain_rule USING (
    org_id = (SELECT leadguard.current_organization())
    AND ((SELECT leadguard.has_capability('administer')) OR (SELECT leadguard.has_capability('manage_organization'))));

-- The guards of what is new.
DO $$
DECLARE
    t text;
    item record;
BEGIN
    FOREACH t IN ARRAY ARRAY['preset_rule', 'access_rule', 'access_switch', 'preset_switch', 'table_switch'] LOOP
        EXECUTE format('CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard(''owner'')', t);
    END LOOP;
    DROP TRIGGER directory_00_guard ON leadguard.organization;
    CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.organization
        FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('organization');
    CREATE TRIGGER directory_00_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadguard.member_setting
        FOR EACH STATEMENT EXECUTE FUNCTION leadguard.directory_guard('own');
    FOREACH t IN ARRAY ARRAY['access_rule', 'table_switch'] LOOP
        EXECUTE format('CREATE TRIGGER directory_55_insert AFTER INSERT ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_update AFTER UPDATE ON leadguard.%I REFERENCING NEW TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_delete AFTER DELETE ON leadguard.%I REFERENCING OLD TABLE AS changed '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_registration()', t);
        EXECUTE format('CREATE TRIGGER directory_55_truncate AFTER TRUNCATE ON leadguard.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION leadguard.bump_revision(''registration'')', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['member', 'member_role', 'member_scope', 'territory', 'territory_member', 'team', 'team_member', 'organization'] LOOP
        EXECUTE format('CREATE TRIGGER directory_31_limits BEFORE INSERT OR UPDATE OR DELETE ON leadguard.%I '
                       'FOR EACH ROW EXECUTE FUNCTION leadguard.directory_limits()', t);
    END LOOP;
    FOR item IN
        SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'leadguard'::regnamespace AND NOT t.tgisinternal
          AND (c.relname = ANY (ARRAY[
        'preset_rule', 'access_rule', 'access_switch', 'preset_switch', 'table_switch', 'member_setting',
        'record_contact', 'contact_type', 'domain_rule'])
               OR (c.relname = 'organization' AND t.tgname = 'directory_00_guard')
               OR t.tgname = ANY (ARRAY[
        'directory_05_default', 'directory_05_shipped', 'directory_05_shipped_key', 'directory_05_truncate',
        'directory_10_revision', 'directory_11_revision', 'directory_15_domain', 'directory_31_limits',
        'directory_35_domain_roles', 'directory_36_contacts', 'directory_40_key', 'directory_40_owner',
        'directory_45_holders_delete', 'directory_45_holders_update', 'directory_46_owners_delete',
        'directory_46_owners_update', 'directory_60_plans']))
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', item.relation, item.tgname);
    END LOOP;
END
$$;

-- Rights on what is new. It belongs to the owner of the extension, whoever runs the update; everything is taken away
-- from PUBLIC and from whomever his default privileges favoured; then the lists follow. What was there before is left
-- alone: a GRANT here would make what administrators granted a part of the extension, which pg_dump leaves out.
DO $$
DECLARE
    tables text[] := ARRAY[
        'preset_rule', 'access_rule', 'access_switch', 'preset_switch', 'table_switch', 'member_setting',
        'record_contact', 'contact_type', 'domain_rule'];
    views text[] := ARRAY['rules', 'switches'];
    functions text[] := ARRAY[
        'may_read_support', 'may_read', 'may_still_read', 'may_insert', 'visible_unmarked', 'visible_creator_support',
        'visible_creator', 'visible_creators', 'visible_segment_support', 'visible_segment', 'visible_segments',
        'visible_team_support', 'visible_team', 'visible_teams', 'visible_parent_support', 'visible_parent',
        'visible_parents', 'hiding_support', 'visible_stage', 'visible_sensitive', 'protect', 'team_add', 'verify',
        'set_rule', 'drop_rule', 'set_switch', 'reset_switch', 'set_preset', 'access_matrix', 'member_rights',
        'mark_sensitive', 'unmark_sensitive', 'own_rank', 'outranks_me', 'may_give', 'owned_teams', 'would_command',
        'is_fresh_id', 'directory_limits', 'own_new_team', 'keep_holders', 'refuse_truncate', 'keep_owners',
        'owned_records', 'restore_default_organization', 'keep_organization_key', 'delete_organization',
        'merge_organization', 'contact_add', 'contact_side', 'contact_remove', 'contact_mark', 'contact_unmark',
        'contacts', 'contact_history', 'grant_contacts', 'contact_level', 'follow_contact', 'follow_member_kind',
        'domain_gives', 'joins_as', 'role_for', 'resolve_domain_rule', 'keep_domain_roles', 'join_by_domain',
        'join_with_role', 'invite', 'invitations', 'domain_rule_guard'];
    for_anyone text[] := ARRAY[
        'visible_unmarked', 'may_read', 'may_still_read', 'may_insert', 'visible_creator', 'visible_creators',
        'visible_segment', 'visible_segments', 'visible_team', 'visible_teams', 'visible_parent', 'visible_parents',
        'visible_stage', 'visible_sensitive', 'protect', 'team_add', 'verify', 'set_rule', 'drop_rule', 'set_switch',
        'reset_switch', 'set_preset', 'access_matrix', 'member_rights', 'mark_sensitive', 'unmark_sensitive',
        'own_rank', 'outranks_me', 'may_give', 'owned_teams', 'would_command', 'is_fresh_id', 'owned_records',
        'delete_organization', 'merge_organization', 'contact_add', 'contact_side', 'contact_remove', 'contact_mark',
        'contact_unmark', 'contacts', 'contact_history', 'invite', 'invitations', 'role_for'];
    owner regrole := (SELECT e.extowner FROM pg_catalog.pg_extension e WHERE e.extname = 'leadguard');
    item record;
BEGIN
    FOR item IN
        SELECT c.oid::regclass AS name, c.relkind FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'leadguard'::regnamespace AND c.relname = ANY (tables || views)
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', CASE item.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, item.name, owner);
    END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS f FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'leadguard'::regnamespace AND p.proname = ANY (functions) LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %s', item.f, owner);
    END LOOP;
    FOR item IN
        SELECT format('ON %s %s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS object, a.grantee
        FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.relnamespace = 'leadguard'::regnamespace AND a.grantee <> c.relowner
          AND (c.relname = ANY (tables || views)
               OR c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class o ON o.oid = d.refobjid
                   WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND o.relname = ANY (tables)))
        UNION
        SELECT format('ON FUNCTION %s', p.oid::regprocedure), a.grantee
        FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.pronamespace = 'leadguard'::regnamespace AND p.proname = ANY (functions) AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL %s FROM %s', item.object,
                       CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE item.grantee::regrole::text END);
    END LOOP;
    FOR item IN SELECT p.oid::regprocedure AS f FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'leadguard'::regnamespace AND p.proname = ANY (for_anyone) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', item.f);
    END LOOP;
    FOR item IN SELECT t AS name FROM unnest(tables) AS t LOOP
        EXECUTE format('ALTER TABLE leadguard.%I ENABLE ROW LEVEL SECURITY', item.name);
    END LOOP;
END
$$;

GRANT UPDATE (key, name, organization_view, domain_roles) ON leadguard.organization TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.member_setting TO PUBLIC;
GRANT SELECT (id, key, name, organization_view, domain_roles) ON leadguard.organization TO PUBLIC;
GRANT SELECT ON leadguard.preset_rule, leadguard.access_switch, leadguard.preset_switch, leadguard.rules, leadguard.switches TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON leadguard.domain_rule TO PUBLIC;
