//! Loads the data twice: once as protected tables with pg_test_config/real_data.sql, as a user would, and once as
//! bare text for the computation that the result is compared with.

use leadguard_tests::{Client, Db, accepted, rows};
use std::io::Write;
use std::path::Path;

/// Name in schema raw, file below the data folder.
const FILES: [(&str, &str); 4] = [
    ("sales_teams", "maven-crm/sales_teams.csv"),
    ("sales_pipeline", "maven-crm/sales_pipeline.csv"),
    ("leads", "olist-funnel/olist_marketing_qualified_leads_dataset.csv"),
    ("deals", "olist-funnel/olist_closed_deals_dataset.csv"),
];

/// A member as the protected side knows him.
pub struct Person {
    pub key: String,
    /// Name of the login role without the database's prefix.
    pub login: String,
}

pub fn load(db: &Db, data: &Path) -> Vec<Person> {
    run(db, data, "real_data.sql");
    let prefix = db.role("");
    let mut admin = db.admin();
    accepted(&mut admin, "CREATE SCHEMA raw");
    for (table, file) in FILES {
        copy(&mut admin, table, &data.join(file));
    }
    accepted(&mut admin, include_str!("raw.sql"));
    accepted(&mut admin, "ANALYZE");
    rows(&mut admin, "SELECT key, db_role FROM leadguard.member WHERE db_role IS NOT NULL ORDER BY key")
        .into_iter()
        .map(|row| Person {
            key: row[0].clone(),
            login: row[1].strip_prefix(&prefix).expect("a role of this database").to_string(),
        })
        .collect()
}

/// Runs a script of pg_test_config as a user would, with psql, and returns what it printed.
pub fn run(db: &Db, data: &Path, script: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pg_test_config").join(script);
    let prefix = db.role("");
    let output = db
        .tool("psql", "postgres")
        .args(["-X", "-q", "-d", db.name(), "-v", &format!("prefix={prefix}")])
        .arg("-v")
        .arg(format!("data={}", data.display()))
        .arg("-f")
        .arg(&script)
        .output()
        .expect("psql starts");
    assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every column as text under the name that the file's first line gives it.
fn copy(admin: &mut Client, table: &str, file: &Path) {
    let mut reader = csv::Reader::from_path(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let columns: Vec<String> =
        reader.headers().expect("a first line").iter().map(|name| format!("\"{name}\" text")).collect();
    accepted(admin, &format!("CREATE TABLE raw.{table} ({})", columns.join(", ")));
    let mut sink =
        admin.copy_in(&format!("COPY raw.{table} FROM STDIN WITH (FORMAT csv, HEADER)")).expect("COPY starts");
    sink.write_all(&std::fs::read(file).expect("the file can be read")).expect("COPY takes the file");
    sink.finish().unwrap_or_else(|e| panic!("{}: {e:?}", file.display()));
}
