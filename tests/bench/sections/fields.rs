//! What a field matrix and the audit add to an UPDATE: 200,000 leads of 50 listed columns, eight roles.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::race::{Lane, Pace, race_tidying};
use crate::session::{Result, Session};

const SECTION: &str = "fields";
const ROWS: i64 = 200_000;
/// Beside the columns that every lead has.
const COLUMNS: usize = 43;
const LISTED: [&str; 7] = ["account_id", "created_at", "updated_at", "email", "company", "status", "amount"];
const ROLES: [&str; 8] =
    ["sales", "marketing", "system", "data_owner", "lead_manager", "bench_field", "bench_partner", "bench_service"];

pub fn run(bench: &mut Bench) -> Result<()> {
    arrange(bench)?;
    let quick = bench.options.quick;
    // Each run changes the values, so that each leaves its rows in the audit.
    let update = "UPDATE {table} SET amount = amount + 1, f01 = 'v' || mod(amount, 1000), updated_at = now() WHERE id ";
    let many = Pace::exactly(if quick { 5 } else { 15 });
    let few = Pace::exactly(if quick { 30 } else { 200 });
    measure(bench, "update 10,000 rows", &format!("{update} BETWEEN 50001 AND 60000"), many, Some(2.0))?;
    measure(bench, "update 1 row", &format!("{update} = 50001"), few, None)?;
    let written = bench.admin.value("SELECT count(*) FROM leadguard.audit_log WHERE target_name = 'fields.guarded'")?;
    println!("  {written} rows in the audit");
    bench.admin.run("SET client_min_messages = error; DROP SCHEMA fields CASCADE; RESET client_min_messages")?;
    bench.admin.run("DELETE FROM leadguard.member_role WHERE role = 'sales'")?;
    bench.admin.run("DELETE FROM leadguard.role WHERE name LIKE 'bench\\_%'")?;
    Ok(())
}

fn measure(bench: &mut Bench, what: &str, sql: &str, pace: Pace, bound: Option<f64>) -> Result<()> {
    let spot = Spot::new(SECTION, "ceo", what);
    let mut ruled = Session::open(&bench.person("ceo").login())?;
    let mut plain = Session::open("bench_plain")?;
    let mut lanes = [
        Lane::new("leadguard", &mut ruled, sql.replace("{table}", "fields.guarded")),
        Lane::new("unprotected", &mut plain, sql.replace("{table}", "fields.plain")),
    ];
    let admin = &mut bench.admin;
    let timings = race_tidying(&mut lanes, pace, &mut || admin.run("VACUUM fields.guarded, fields.plain").map(drop))?;
    bench.book.enter(&spot, &timings);
    if let Some(bound) = bound {
        bench.book.at_most(&spot, &timings[0], &timings[1], bound);
    }
    Ok(())
}

fn arrange(bench: &mut Bench) -> Result<()> {
    let ceo = bench.person("ceo");
    let admin = &mut bench.admin;
    admin.run("SET client_min_messages = error; DROP SCHEMA IF EXISTS fields CASCADE; RESET client_min_messages")?;
    admin.run("CREATE SCHEMA fields; GRANT USAGE ON SCHEMA fields TO PUBLIC")?;
    data::make_leads(admin, "fields.plain", ROWS, &bench.options)?;
    data::copy_leads(admin, "fields.guarded", "SELECT * FROM fields.plain")?;
    let columns: Vec<String> = (1..=COLUMNS).map(|n| format!("f{n:02}")).collect();
    let added: Vec<String> = columns.iter().map(|c| format!("ADD {c} text NOT NULL DEFAULT 'value of {c}'")).collect();
    for table in ["fields.plain", "fields.guarded"] {
        // Rewritten, so that every row really holds its values.
        admin.run(&format!("ALTER TABLE {table} {}", added.join(", ")))?;
        admin.run(&format!("VACUUM (FULL, ANALYZE) {table}"))?;
    }
    directory::protect(admin, "fields.guarded")?;
    for role in ROLES.iter().filter(|role| role.starts_with("bench_")) {
        admin.run(&format!("INSERT INTO leadguard.role (name, org_id) VALUES ('{role}', 1)"))?;
    }
    admin.run(&format!("INSERT INTO leadguard.member_role (member_id, role) VALUES ({}, 'sales')", ceo.member))?;
    let cells: Vec<String> = ROLES
        .iter()
        .map(|role| format!("\"{role}\": \"{}\"", if *role == "sales" { "owner" } else { "editor" }))
        .collect();
    let fields: Vec<String> = LISTED
        .iter()
        .map(ToString::to_string)
        .chain(columns)
        .map(|field| format!("\"{field}\": {{{}}}", cells.join(", ")))
        .collect();
    admin.run(&format!("SELECT leadguard.set_fields('fields.guarded', '{{{}}}')", fields.join(", ")))?;
    admin.run(&format!("SELECT leadguard.propose_fields('fields.guarded', ARRAY['{}'])", ceo.key))?;
    Session::open(&ceo.login())?.run("SELECT leadguard.sign_fields('fields.guarded', 1)")?;
    admin.run("GRANT SELECT, UPDATE ON fields.plain TO bench_plain")?;
    admin.run("VACUUM (ANALYZE)")?;
    Ok(())
}
