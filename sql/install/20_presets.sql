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
     'Whether share and team_add need a reason.'),
    ('batch_insert', 'X14', true, '{}', '100',
     'How many rows a member with the role inserts in one transaction without an approval: a number, or none. The most generous role wins; role * is for roles without a value of their own.'),
    ('batch_update', 'X14', true, '{}', '100',
     'The same for updates.'),
    ('batch_archive', 'X14', true, '{}', '100',
     'The same for archiving, for which there is no approval: more is for data owners.'),
    ('batch_delete', 'X14', true, '{}', '100',
     'The same for deleting for good, for which there is no approval: more is for data owners.'),
    ('batch_reassign', 'X14', true, '{}', '100',
     'The same for giving records to other owners.'),
    ('batch_from', 'X14', false, '{}', '10',
     'From how many rows of one transaction on it is a batch: logged, and not allowed to take away what others work on.'),
    ('active_days', 'X14', false, '{}', '30',
     'How many days after somebody changed or claimed a record a batch of others does not take it away; 0: never mind.'),
    ('batch_window', 'X14', false, '{}', '0',
     'Over how many seconds the rows of several transactions count together, where the library is preloaded; 0: each transaction for itself.'),
    ('export', 'X14', true, '{capability,free}', 'capability',
     'Whether COPY TO needs the capability export.'),
    ('schema_changes', 'K49', false, '{record,refuse}', 'record',
     'What becomes of a change of the table''s schema that no approval covers: it is recorded as a violation, or refused.'),
    ('owner_change', 'X20', false, '{free,handoff,admin}', 'free',
     'By what the owner of a record changes: free, by whoever may reassign it; handoff, by handoffs and by data owners (capability assign or approve); admin, by data owners only.'),
    ('previous_owner_access', 'X9', false, '{none,read,edit}', 'none',
     'What the previous owner keeps after a handoff, as a share: nothing, read or edit. A rule that hides the new stage from a role still does.'),
    ('routing', 'K38', false, '{off,insert}', 'off',
     'Whether new rows without an owner are given to somebody by the assignment rules (insert), or belong to whoever inserts them (off).'),
    ('qualified', 'O1, O2', false, '{}', '',
     'The stages, or without a stage column the statuses, in which a record is qualified, separated by commas: rules of kind territory are for these, rules of kind qualifier for the others.'),
    ('claims', 'K41', false, '{update,read}', 'update',
     'Who claims a record: whoever may update it, or whoever reads it.');

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
