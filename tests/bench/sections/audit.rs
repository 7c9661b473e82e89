//! What the audit and its sealing add to an UPDATE: the same table, rules and columns, of which one table's rules name
//! those that change, so that each row leaves one in the audit.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::race::{Lane, Pace, race_tidying};
use crate::session::{Result, Session};

const SECTION: &str = "audit";
const ROWS: i64 = 200_000;
const CHANGE: &str = "amount = amount + 1, status = 'working', updated_at = now()";

pub fn run(bench: &mut Bench) -> Result<()> {
    arrange(bench)?;
    let quick = bench.options.quick;
    let many = Pace::exactly(if quick { 5 } else { 15 });
    measure(bench, "update 10,000 rows and seal", "BETWEEN 50001 AND 60000", many, Some(1.4))?;
    measure(bench, "update 1 row and seal", "= 50001", Pace::exactly(if quick { 30 } else { 200 }), None)?;
    let problems = bench.admin.value("SELECT count(*) FROM leadguard.verify_audit()")?;
    let sealed = bench.admin.value("SELECT sum(\"rows\") FROM leadguard.audit_seal")?;
    println!("  {sealed} rows are sealed, {problems} problems");
    bench.admin.run("SET client_min_messages = error; DROP SCHEMA audit CASCADE; RESET client_min_messages")?;
    bench.admin.run("DELETE FROM leadguard.member_role WHERE role = 'bench_auditor'")?;
    bench.admin.run("DELETE FROM leadguard.role WHERE name = 'bench_auditor'")?;
    Ok(())
}

fn measure(bench: &mut Bench, what: &str, which: &str, pace: Pace, bound: Option<f64>) -> Result<()> {
    let spot = Spot::new(SECTION, "ceo", what);
    let mut watched = Session::open(&bench.person("ceo").login())?;
    let mut unwatched = Session::open(&bench.person("ceo").login())?;
    let mut unsealed = Session::open(&bench.person("ceo").login())?;
    let update = |table: &str| format!("BEGIN; UPDATE {table} SET {CHANGE} WHERE id {which}; COMMIT");
    let sealed = format!("{}; SELECT FROM leadguard.seal_audit() WHERE seal < 0", update("audit.watched"));
    let mut lanes = [
        Lane::new("leadguard", &mut watched, sealed),
        Lane::new("no audit", &mut unwatched, update("audit.unwatched")),
        Lane::new("not sealed", &mut unsealed, update("audit.beside")),
    ];
    let admin = &mut bench.admin;
    let tidy = "VACUUM audit.watched, audit.unwatched, audit.beside";
    let timings = race_tidying(&mut lanes, pace, &mut || admin.run(tidy).map(drop))?;
    bench.book.enter(&spot, &timings);
    if let Some(bound) = bound {
        bench.book.at_most(&spot, &timings[0], &timings[1], bound);
    }
    Ok(())
}

fn arrange(bench: &mut Bench) -> Result<()> {
    let ceo = bench.person("ceo");
    let admin = &mut bench.admin;
    admin.run("SET client_min_messages = error; DROP SCHEMA IF EXISTS audit CASCADE; RESET client_min_messages")?;
    admin.run("CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO PUBLIC")?;
    data::make_leads(admin, "audit.unwatched", ROWS, &bench.options)?;
    data::copy_leads(admin, "audit.watched", "SELECT * FROM audit.unwatched")?;
    data::copy_leads(admin, "audit.beside", "SELECT * FROM audit.unwatched")?;
    admin.run("INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('bench_auditor', 1, '{audit}')")?;
    admin.run(&format!(
        "INSERT INTO leadguard.member_role (member_id, role) VALUES ({}, 'bench_auditor')",
        ceo.member
    ))?;
    for (table, fields) in [
        ("audit.watched", ["amount", "status", "updated_at"]),
        ("audit.unwatched", ["email", "company", "created_at"]),
        ("audit.beside", ["amount", "status", "updated_at"]),
    ] {
        directory::protect(admin, table)?;
        let cells: Vec<String> = fields.iter().map(|f| format!("\"{f}\": {{\"bench_auditor\": \"owner\"}}")).collect();
        admin.run(&format!("SELECT leadguard.set_fields('{table}', '{{{}}}')", cells.join(", ")))?;
        admin.run(&format!("SELECT leadguard.propose_fields('{table}', ARRAY['{}'])", ceo.key))?;
        Session::open(&ceo.login())?.run(&format!("SELECT leadguard.sign_fields('{table}', 1)"))?;
        // 10,000 rows are a batch, which is another matter.
        admin.run(&format!("SELECT leadguard.set_switch('{table}', 'batch_update', 'none')")).ok();
    }
    admin.run("SELECT leadguard.seal_audit()")?;
    admin.run("VACUUM (ANALYZE)")?;
    Ok(())
}
