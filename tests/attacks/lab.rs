//! What every attack needs: the cast with marked hidden rows, a tattletale, and connections with notices or start-up options.
//!
//! Leads 1-5 belong to alice. Every other row carries the word CANARY, so any CANARY that reaches alice (a result, a notice,
//! an error, a plan, a side effect) is a leak.

use std::sync::{Arc, Mutex};

use leadguard_tests::{Client, Db, DbError, org, rows, scalar, server};
use postgres::{NoTls, SimpleQueryMessage};

/// The ids alice reads.
pub const ALICE: &str = "1,2,3,4,5";

/// A fresh database with the cast, the marked rows and the attacker's tools.
pub fn cast(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    db.admin()
        .batch_execute(
            "UPDATE crm.lead SET name = 'CANARY name ' || id, email = 'CANARY' || id || '@hidden.example' WHERE id > 5;
             CREATE SCHEMA lab;
             GRANT USAGE ON SCHEMA lab TO PUBLIC;
             CREATE TABLE lab.obs (k text, v text);
             GRANT SELECT, INSERT, DELETE ON lab.obs TO PUBLIC;
             CREATE FUNCTION lab.f_leak(seen text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS
             $$ BEGIN
                 IF seen LIKE '%CANARY%' THEN INSERT INTO lab.obs VALUES ('f_leak', seen); END IF;
                 RETURN true;
             END $$;
             ANALYZE crm.lead;",
        )
        .expect("the attacker's tools can be created");
    db
}

/// The ids a connection reads from crm.lead, in order: "1,2,3".
pub fn reads(c: &mut Client) -> String {
    scalar(c, "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM crm.lead")
}

/// The last value that a string of several statements returns (empty without any row).
pub fn last(c: &mut Client, sql: &str) -> String {
    let messages = c.simple_query(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let mut value = String::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            value = row.get(0).unwrap_or("∅").to_string();
        }
    }
    value
}

/// What a statement says to its author: either how many rows, or the whole error.
pub fn attempt(c: &mut Client, sql: &str) -> Result<u64, Box<DbError>> {
    match c.simple_query(sql) {
        Ok(messages) => Ok(messages
            .iter()
            .map(|m| if let SimpleQueryMessage::CommandComplete(n) = m { *n } else { 0 })
            .next_back()
            .unwrap_or(0)),
        Err(e) => Err(Box::new(e.as_db_error().unwrap_or_else(|| panic!("{sql}: {e:?}")).clone())),
    }
}

/// Every part of an error that a client receives.
pub fn whole(e: &DbError) -> String {
    format!(
        "{} {} | {} | {} | {} | {}",
        e.code().code(),
        e.message(),
        e.detail().unwrap_or(""),
        e.hint().unwrap_or(""),
        e.where_().unwrap_or(""),
        e.constraint().unwrap_or("")
    )
}

/// What the tattletale wrote down, and forgets it.
pub fn told(db: &Db) -> Vec<String> {
    rows(&mut db.admin(), "DELETE FROM lab.obs RETURNING k || ': ' || v").into_iter().map(|r| r[0].clone()).collect()
}

/// A connection with start-up options, as anyone may write them into a connection string.
pub fn connect_with(db: &Db, short: &str, options: &str) -> Client {
    server().config(&db.role(short), db.name()).options(options).connect(NoTls).expect("connects with options")
}

/// A connection whose notices are kept.
pub fn connect_listening(db: &Db, short: &str) -> (Client, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let client = server()
        .config(&db.role(short), db.name())
        .notice_callback(move |n| ear.lock().expect("no listener panics").push(n.to_string()))
        .connect(NoTls)
        .expect("connects");
    (client, heard)
}

/// A connection of a trusted connector: its identity comes from act_as.
pub fn app(db: &Db) -> Client {
    let role = db.create_role("app");
    db.admin()
        .batch_execute(&format!("SELECT leadguard.connector('{role}', 'trusted')"))
        .expect("a connector can be registered");
    db.connect("app")
}

/// Opens a transaction as a member.
pub fn begin_as(c: &mut Client, key: &str) {
    c.batch_execute(&format!("BEGIN; SELECT leadguard.act_as('{key}')"))
        .unwrap_or_else(|e| panic!("act_as {key}: {e:?}"));
}

/// Gives crm.lead an owner who is no superuser and nobody's member, as migrations have it.
pub fn give_to_keeper(db: &Db) -> Client {
    let keeper = db.create_role("keeper");
    db.admin()
        .batch_execute(&format!(
            "GRANT USAGE, CREATE ON SCHEMA crm TO {keeper}; ALTER TABLE crm.lead OWNER TO {keeper};"
        ))
        .expect("a protected table can change hands");
    db.connect("keeper")
}
