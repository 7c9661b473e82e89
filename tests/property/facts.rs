//! The reference itself against facts of the contract that are written out by hand: a reference that is wrong in the
//! same way as the extension would prove nothing.

use crate::reference::{level, paths, reaches_territory, visible};
use crate::world::*;
use std::collections::{BTreeMap, BTreeSet};

const CEO: i64 = 1;
const BOSS: i64 = 2;
const REP: i64 = 3;
const PEER: i64 = 4;
const KEEPER: i64 = 5;
const KEEPERS_BOSS: i64 = 6;
const COLLEAGUE: i64 = 7;
const BELOW: i64 = 8;
const STRANGER: i64 = 9;

fn world() -> World {
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
        (id, Member { org, key: format!("m{id}"), kind: "person", manager, active: true, roles: BTreeSet::new() })
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
        id: "text",
        owner: Some(Reference::Int8),
        territory: Some(Reference::Int8),
        creator: None,
        org_column: true,
        org: 1,
        partitions: &[],
        archives: true,
    };
    let record = Record { org: 1, owner: Some(REP.to_string()), territory: Some("11".to_string()), creator: None };
    World {
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
        tables: vec![Table { shape, records: BTreeMap::from([("a".to_string(), record)]), grants: Vec::new() }],
        logins: vec![],
        next: 100,
    }
}

fn levels(world: &World) -> Vec<(i64, Level)> {
    world.members.keys().filter_map(|m| Some((*m, level(world, *m, &world.tables[0], "a")?))).collect()
}

#[test]
fn reference_union_of_hierarchy_and_territory() {
    let mut w = world();
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
    assert_eq!(paths(&w, BOSS, &w.tables[0], "a").into_keys().collect::<Vec<_>>(), ["manager", "territory_manager"]);
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
    let mut w = world();
    w.tables[0]
        .records
        .insert("a".to_string(), Record { org: 1, owner: None, territory: None, creator: Some("m7".to_string()) });
    assert_eq!(levels(&w), [], "created gives nothing under this preset");
    let grant =
        |share, holder, level, until| Grant { record: "a".to_string(), share, holder, level, until, retained: false };
    w.tables[0].grants = vec![
        grant(false, Holder::Member(KEEPER), Level::Edit, Until::Always),
        grant(true, Holder::Team(20), Level::Full, Until::Future),
        grant(true, Holder::Member(CEO), Level::Full, Until::Past),
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
    assert_eq!(visible(&w, None, &w.tables[0]), BTreeSet::new());
    assert!(!w.members_cycle());
    w.members.get_mut(&CEO).expect("ceo").manager = Some(REP);
    assert!(w.members_cycle());
}
