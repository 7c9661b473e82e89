-- What a plan makes of visible(): one function for each path, which looks at one column and can use the index on
-- it; and for members who see everything a gate that looks at no column, so that the plan is the one of an
-- unprotected table.
CREATE FUNCTION leadguard.visible_owner_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_owner_support';
COMMENT ON FUNCTION leadguard.visible_owner_support(internal) IS 'Planner support of leadguard.visible_owner: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_owner(target regclass, owner "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_owner_support
AS 'MODULE_PATHNAME', 'leadguard_visible_owner';
COMMENT ON FUNCTION leadguard.visible_owner(regclass, "any") IS
'Policy, in plans: own and manager: the owner is the asking member or somebody below him.';

CREATE FUNCTION leadguard.visible_territory_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_territory_support';
COMMENT ON FUNCTION leadguard.visible_territory_support(internal) IS 'Planner support of leadguard.visible_territory: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_territory(target regclass, territory "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_territory_support
AS 'MODULE_PATHNAME', 'leadguard_visible_territory';
COMMENT ON FUNCTION leadguard.visible_territory(regclass, "any") IS
'Policy, in plans: territory, territory_ancestor and territory_manager: the territory is one that the asking member or somebody below him reaches.';

CREATE FUNCTION leadguard.visible_record_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_record_support';
COMMENT ON FUNCTION leadguard.visible_record_support(internal) IS 'Planner support of leadguard.visible_record: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_record(target regclass, id "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_record_support
AS 'MODULE_PATHNAME', 'leadguard_visible_record';
COMMENT ON FUNCTION leadguard.visible_record(regclass, "any") IS
'Policy, in plans: record_team, record_team_manager and share: the record was granted to the asking member or to somebody below him.';

CREATE FUNCTION leadguard.visible_admin_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_admin_support';
COMMENT ON FUNCTION leadguard.visible_admin_support(internal) IS 'Planner support of leadguard.visible_admin: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_admin(target regclass, id "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_admin_support
AS 'MODULE_PATHNAME', 'leadguard_visible_admin';
COMMENT ON FUNCTION leadguard.visible_admin(regclass, "any") IS
'Policy, in plans: admin: the asking member sees every row of the table, or of his organization in it.';

CREATE FUNCTION leadguard.visible_organization_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_organization_support';
COMMENT ON FUNCTION leadguard.visible_organization_support(internal) IS 'Planner support of leadguard.visible_organization: index condition, selectivity, cost.';
CREATE FUNCTION leadguard.visible_organization(target regclass, organization "any")
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_organization_support
AS 'MODULE_PATHNAME', 'leadguard_visible_organization';
COMMENT ON FUNCTION leadguard.visible_organization(regclass, "any") IS
'Policy, in plans: not a path, but a condition beside them: the row belongs to the asking member''s organization.';

CREATE FUNCTION leadguard.visible_owners(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_owners';
COMMENT ON FUNCTION leadguard.visible_owners(regclass, anyelement) IS
'Policy, in plans: the members that leadguard.visible_owner lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_territories(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_territories';
COMMENT ON FUNCTION leadguard.visible_territories(regclass, anyelement) IS
'Policy, in plans: the territories that leadguard.visible_territory lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_records(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_records';
COMMENT ON FUNCTION leadguard.visible_records(regclass, anyelement) IS
'Policy, in plans: the records that leadguard.visible_record lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_organizations(target regclass, kind anyelement)
RETURNS anyarray LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_organizations';
COMMENT ON FUNCTION leadguard.visible_organizations(regclass, anyelement) IS
'Policy, in plans: the organization that leadguard.visible_organization lets pass for the asking member, for an index; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_from(target regclass, kind anyelement)
RETURNS anyelement LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'leadguard_visible_from';
COMMENT ON FUNCTION leadguard.visible_from(regclass, anyelement) IS
'Policy, in plans: the lowest id there can be if the asking member sees every row, else NULL; kind is a NULL of type bigint, text or uuid.';

CREATE FUNCTION leadguard.visible_all_support(internal)
RETURNS internal LANGUAGE c VOLATILE STRICT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'leadguard_visible_all_support';
COMMENT ON FUNCTION leadguard.visible_all_support(internal) IS 'Planner support of leadguard.visible_all: selectivity, cost.';
CREATE FUNCTION leadguard.visible_all(target regclass)
RETURNS boolean LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL SAFE COST 1 SUPPORT leadguard.visible_all_support
AS 'MODULE_PATHNAME', 'leadguard_visible_all';
COMMENT ON FUNCTION leadguard.visible_all(regclass) IS
'Policy, in plans made for members who see every row of the table: lets them pass. False for those who see nothing of it; 40001 for anybody else, whose plan this is not: his access changed while the query was being planned.';

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
