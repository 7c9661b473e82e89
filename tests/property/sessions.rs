//! The connections of a random test: one per login role, open for the whole life of a database, so that whatever
//! a session remembers from earlier rounds is there to go stale.

use crate::build::login;
use crate::world::{ANALYSTS, LOGINS, World, literal};
use leadguard_tests::postgres::{self, Statement};
use leadguard_tests::rand::Rng;
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::{Client, Db, accepted, rows};
use std::collections::{BTreeSet, HashMap};

pub struct Sessions {
    pub admin: Client,
    /// The application server: a trusted connector.
    pub app: Client,
    pub people: Vec<Client>,
    prepared: HashMap<(usize, usize), Statement>,
}

/// Settings that change how a query runs and must not change what it returns. Forbidden scans cost so much on paper
/// that every query would be compiled first, hence no JIT.
const FLAVOURS: [&str; 5] = [
    "",
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off; SET jit = off",
    "SET enable_indexscan = off; SET enable_bitmapscan = off; SET jit = off; SET plan_cache_mode = force_custom_plan",
    "SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0",
];

impl Sessions {
    pub fn open(db: &Db, admin: Client, world: &World) -> Sessions {
        let people = (0..LOGINS + ANALYSTS)
            .map(|number| {
                let mut client = db.connect(&login(number));
                // Parallel workers cost milliseconds per query; one session in twelve is enough to notice a difference.
                let flavour = if number % 12 == 11 { 4 } else { number % 4 };
                accepted(&mut client, FLAVOURS[flavour]);
                // Before the session knows the extension, and so before the setting is one.
                if world.personal.contains(&number) {
                    accepted(&mut client, "SET leadguard.view_mode = personal");
                }
                client
            })
            .collect();
        Sessions { admin, app: db.connect("app"), people, prepared: HashMap::new() }
    }

    /// Another view for an open session.
    pub fn view(&mut self, world: &mut World, number: usize) {
        let personal = !world.personal.remove(&number);
        if personal {
            world.personal.insert(number);
        }
        let view = if personal { "personal" } else { "organization" };
        accepted(&mut self.people[number], &format!("SET leadguard.view_mode = '{view}'"));
    }

    /// The ids of the records that login `number` sees in table `table`, asked in one of several equivalent ways.
    pub fn visible(&mut self, rng: &mut StdRng, world: &World, number: usize, table: usize) -> BTreeSet<String> {
        let t = &world.tables[table];
        let name = &t.shape.name;
        let listed = || t.ids().iter().map(|id| literal(id)).collect::<Vec<_>>().join(", ");
        let client = &mut self.people[number];
        match rng.random_range(0..8) {
            0..3 => {
                let statement = self.prepared.entry((number, table)).or_insert_with(|| {
                    client.prepare(&format!("SELECT id::text FROM {name}")).unwrap_or_else(|e| panic!("prepare: {e:?}"))
                });
                let found =
                    client.query(&*statement, &[]).unwrap_or_else(|e| panic!("prepared query on {name}: {e:?}"));
                unique(found.iter().map(|row| row.get(0)).collect())
            }
            3 if !t.shape.partitions.is_empty() => {
                // Every leaf on its own: a partition is a table that can be named.
                let leaves: Vec<String> =
                    t.shape.partitions.iter().map(|leaf| format!("SELECT id::text FROM {leaf}")).collect();
                texts(client, &leaves.join(" UNION ALL "))
            }
            4 => texts(client, &format!("SELECT id::text FROM {name} WHERE id IN ({}) ORDER BY id DESC", listed())),
            5 => {
                let found = texts(client, &format!("SELECT a.id::text FROM {name} AS a JOIN {name} AS b USING (id)"));
                let counted = texts(client, &format!("SELECT count(*) FROM {name}"));
                assert_eq!(
                    counted,
                    BTreeSet::from([found.len().to_string()]),
                    "count(*) of {name} for {}",
                    login(number)
                );
                found
            }
            6 => {
                accepted(client, &format!("BEGIN; DECLARE c CURSOR FOR SELECT id::text FROM {name}"));
                let mut found = rows(client, "FETCH 3 FROM c");
                found.extend(rows(client, "FETCH ALL FROM c"));
                accepted(client, "COMMIT");
                unique(found.into_iter().map(|row| row[0].clone()).collect())
            }
            _ => texts(client, &format!("SELECT id::text FROM {name}")),
        }
    }

    /// What the member with this key sees through the application server, or the SQLSTATE of the refused `act_as`.
    pub fn visible_as(&mut self, key: &str, name: &str) -> Result<BTreeSet<String>, String> {
        accepted(&mut self.app, "BEGIN");
        let answer = match self.app.simple_query(&format!("SELECT leadguard.act_as({})", literal(key))) {
            Err(e) => Err(sqlstate(&e)),
            Ok(_) => Ok(texts(&mut self.app, &format!("SELECT id::text FROM {name}"))),
        };
        accepted(&mut self.app, "COMMIT");
        let after = texts(&mut self.app, &format!("SELECT id::text FROM {name}"));
        assert!(after.is_empty(), "the identity of {key} outlived its transaction: {after:?}");
        answer
    }
}

pub fn texts(client: &mut Client, sql: &str) -> BTreeSet<String> {
    unique(rows(client, sql).into_iter().map(|row| row[0].clone()).collect())
}

/// A row that comes twice would vanish in a set, so it is an error of its own.
fn unique(found: Vec<String>) -> BTreeSet<String> {
    let set: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(set.len(), found.len(), "a row comes twice: {found:?}");
    set
}

pub fn sqlstate(error: &postgres::Error) -> String {
    error.code().unwrap_or_else(|| panic!("connection lost: {error:?}")).code().to_string()
}
