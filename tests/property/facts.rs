//! The reference itself against facts of the contract that are written out by hand: a reference that is wrong in the
//! same way as the extension would prove nothing.

use crate::reference::{Eyes, reaches_territory, visible};
use crate::rulebook::{Presets, Role};
use crate::world::*;
use leadguard_tests::Db;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

const CEO: i64 = 1;
const BOSS: i64 = 2;
const REP: i64 = 3;
const PEER: i64 = 4;
const KEEPER: i64 = 5;
const KEEPERS_BOSS: i64 = 6;
const COLLEAGUE: i64 = 7;
const BELOW: i64 = 8;
const STRANGER: i64 = 9;

/// The presets as they are shipped.
pub fn presets() -> Arc<Presets> {
    static SHIPPED: OnceLock<Arc<Presets>> = OnceLock::new();
    SHIPPED.get_or_init(|| Arc::new(Presets::read(&mut Db::new("facts").admin()))).clone()
}

pub fn world(presets: &Arc<Presets>) -> World {
    let managers = [
        (CEO, None),
        (BOSS, Some(CEO)),
        (REP, Some(BOSS)),
        (PEER, Some(BOSS)),
        (KEEPER, Some(KEEPERS_BOSS)),
        (KEEPERS_BOSS, None),
        (COLLEAGUE, Some(KEEPERS_BOSS)),
        (BELOW, None),
        (STRANGER, None),
    ];
    let members = managers.map(|(id, manager)| {
        let org = if id == STRANGER { 2 } else { 1 };
        let key = format!("m{id}");
        let (roles, scopes) = (BTreeSet::new(), BTreeSet::new());
        (id, Member { org, key, kind: "person", manager, active: true, roles, scopes })
    });
    let node = |parent, owner| Territory {
        org: 1,
        key: format!("{owner}"),
        parent,
        owner: Some(owner),
        members: BTreeSet::new(),
    };
    let shape = Shape {
        name: "crm.t".to_string(),
        owner: Some(Reference::Int8),
        territory: Some(Reference::Int8),
        creator: Some(Reference::Text),
        org_column: true,
        ..PLAIN
    };
    let mut table = Table::new(shape, "sales_hierarchy", "lead");
    let (owner, territory) = (Some(REP.to_string()), Some("11".to_string()));
    table.records.insert("a".to_string(), Record { org: 1, owner, territory, ..Record::default() });
    let auditor = Role { rank: 0, capabilities: BTreeSet::from(["all_records".to_string()]), cap: Some(Level::Read) };
    World {
        presets: presets.clone(),
        rich: false,
        alone: true,
        open: BTreeSet::new(),
        roles: BTreeMap::from([((1, "auditor".to_string()), auditor)]),
        personal: BTreeSet::new(),
        orgs: vec![(1, "default".to_string()), (2, "other".to_string())],
        members: BTreeMap::from(members),
        // 10 > 11 > 12: the record lies in 11, whose owner is KEEPER.
        territories: BTreeMap::from([
            (10, node(None, PEER)),
            (11, node(Some(10), KEEPER)),
            (12, node(Some(11), BELOW)),
        ]),
        teams: BTreeMap::from([(
            20,
            Team { org: 1, key: "team".to_string(), access: "own", members: BTreeSet::from([BELOW]) },
        )]),
        tables: vec![table],
        logins: vec![],
        keys: BTreeSet::new(),
        next: 100,
    }
}

fn levels(world: &World) -> Vec<(i64, Level)> {
    world.members.keys().filter_map(|m| Some((*m, Eyes::new(world, *m).rights(0, "a").as_level()?))).collect()
}

#[test]
fn reference_union_of_hierarchy_and_territory() {
    let mut w = world(&presets());
    assert_eq!(
        levels(&w),
        [
            (CEO, Level::Full),
            (BOSS, Level::Full),
            (REP, Level::Full),
            (PEER, Level::Edit),
            (KEEPER, Level::Edit),
            (KEEPERS_BOSS, Level::Edit)
        ],
        "nobody else: not the colleague of the territory's owner, not the owner of a descendant"
    );
    assert_eq!(Eyes::new(&w, BOSS).paths(0, "a").into_keys().collect::<Vec<_>>(), ["manager", "territory_manager"]);
    assert!(reaches_territory(&w, KEEPERS_BOSS, 12) && !reaches_territory(&w, BELOW, 11));
    // An inactive owner does not break the chain, but asks in vain himself.
    w.members.get_mut(&REP).expect("rep").active = false;
    w.members.get_mut(&BOSS).expect("boss").active = false;
    assert_eq!(
        levels(&w),
        [(CEO, Level::Full), (PEER, Level::Edit), (KEEPER, Level::Edit), (KEEPERS_BOSS, Level::Edit)]
    );
    // Another organization's record is nobody's here.
    w.tables[0].records.get_mut("a").expect("record").org = 2;
    assert_eq!(levels(&w), []);
}

#[test]
fn reference_grants_roles_and_expiry() {
    let mut w = world(&presets());
    w.tables[0]
        .records
        .insert("a".to_string(), Record { org: 1, creator: Some("m7".to_string()), ..Record::default() });
    assert_eq!(levels(&w), [], "created gives nothing under this preset");
    let grant =
        |kind, holder, level, until| Grant { record: "a".to_string(), kind, holder, level, until, retained: false };
    w.tables[0].grants = vec![
        grant(Kind::RecordTeam, Holder::Member(KEEPER), Level::Edit, Until::Always),
        grant(Kind::Share, Holder::Team(20), Level::Full, Until::Future),
        grant(Kind::Share, Holder::Member(CEO), Level::Full, Until::Past),
    ];
    assert_eq!(levels(&w), [(KEEPER, Level::Edit), (KEEPERS_BOSS, Level::Edit), (BELOW, Level::Full)]);
    for (member, role) in
        [(BELOW, "view_only"), (CEO, "administrator"), (STRANGER, "administrator"), (COLLEAGUE, "auditor")]
    {
        w.members.get_mut(&member).expect("member").roles.insert(role.to_string());
    }
    assert_eq!(
        levels(&w),
        [
            (CEO, Level::Full),
            (KEEPER, Level::Edit),
            (KEEPERS_BOSS, Level::Edit),
            (COLLEAGUE, Level::Read),
            (BELOW, Level::Read)
        ]
    );
    assert_eq!(visible(&w, None, 0), BTreeSet::new());
    assert!(!w.members_cycle());
    w.members.get_mut(&CEO).expect("ceo").manager = Some(REP);
    assert!(w.members_cycle());
}
