//! The data without any protection: who there is, the leads, and their copies. leadguard comes on top of it in
//! `directory`, so that a kept data directory serves another version of the extension.

use crate::options::Options;
use crate::session::{DATABASE, Result, Session};
use std::time::Instant;

/// Changes whenever the SQL below makes other data.
const EDITION: &str = "1";

/// The measured people who have a copy of just their leads.
pub const WITH_LIMIT_TABLE: [&str; 5] = ["rep", "grantee", "manager", "director", "patchwork"];

/// Connects to the main data, loading it first when it is not there.
pub fn prepare(options: &Options) -> Result<Session> {
    let mut server = Session::connect("postgres", "postgres")?;
    let made = label(options);
    let found = server.run(&format!(
        "SELECT coalesce(shobj_description(oid, 'pg_database'), 'unfinished') FROM pg_database WHERE datname = '{DATABASE}'"
    ))?;
    match found.first().map(|row| row[0].as_str()) {
        Some(text) if text == made => {
            println!("==> using the data that is there: {made}");
            return Session::connect("postgres", DATABASE);
        }
        Some(text) => println!("==> the data that is there is of another kind ({text}) and is made again"),
        None => {}
    }
    server.run(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
    server.run(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0"))?;
    let mut admin = Session::connect("postgres", DATABASE)?;
    load(&mut admin, options)?;
    server.run(&format!("COMMENT ON DATABASE {DATABASE} IS '{made}'"))?;
    Ok(admin)
}

fn label(o: &Options) -> String {
    format!(
        "{} leads, {} members, {} territories, {} grants, edition {EDITION}",
        o.rows, o.members, o.territories, o.grants
    )
}

fn load(admin: &mut Session, options: &Options) -> Result<()> {
    let start = Instant::now();
    println!("==> making {}", label(options));
    admin.run(&filled(include_str!("sql/org.sql"), options))?;
    make_leads(admin, "plain.lead", options.rows, options)?;
    for copy in ["crm.lead", "policy.lead"] {
        copy_leads(admin, copy, "SELECT * FROM plain.lead")?;
    }
    hand_written_policies(admin)?;
    admin.run("VACUUM (ANALYZE)")?;

    for row in admin.run("SELECT name, member_id FROM org.cast_member WHERE name <> 'nobody' ORDER BY place")? {
        let (name, member) = (&row[0], &row[1]);
        let visible = match name.as_str() {
            "analyst" => "SELECT * FROM plain.lead".to_string(),
            _ => include_str!("sql/visible.sql").replace("{member}", member),
        };
        let sample = include_str!("sql/sample.sql").replace("{visible}", &visible);
        admin.run(&filled(&sample.replace("{name}", name).replace("{member}", member), options))?;
        if WITH_LIMIT_TABLE.contains(&name.as_str()) {
            copy_leads(admin, &format!("limits.{name}"), &format!("{visible} ORDER BY id"))?;
        }
    }
    // Whoever sees nothing asks for a lead that exists.
    admin.run(
        "UPDATE org.cast_member AS n
         SET sees = 0, (lead_id, owner_id, email, page_at, page_id, list)
             = (SELECT r.lead_id, r.owner_id, r.email, r.page_at, r.page_id, r.list FROM org.cast_member AS r WHERE r.name = 'rep')
         WHERE n.name = 'nobody'",
    )?;
    admin.run("VACUUM (ANALYZE)")?;
    println!("    in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Replaces the sizes in a script.
pub fn filled(script: &str, o: &Options) -> String {
    script
        .replace("{rows}", &o.rows.to_string())
        .replace("{members}", &o.members.to_string())
        .replace("{territories}", &o.territories.to_string())
        .replace("{grants}", &o.grants.to_string())
        .replace("{accounts}", &(o.rows / 10).to_string())
}

/// A table of so many generated leads with the indexes of all lead tables. The accounts stay those of the main table.
pub fn make_leads(admin: &mut Session, table: &str, rows: i64, options: &Options) -> Result<()> {
    let script = include_str!("sql/lead_rows.sql").replace("{table}", table).replace("{rows}", &rows.to_string());
    admin.run(&include_str!("sql/lead_table.sql").replace("{table}", table))?;
    admin.run(&filled(&script, options))?;
    index(admin, table)
}

/// A table of the leads that `query` gives, in its order, with the same indexes.
pub fn copy_leads(admin: &mut Session, table: &str, query: &str) -> Result<()> {
    admin.run(&include_str!("sql/lead_table.sql").replace("{table}", table))?;
    admin.run(&format!("INSERT INTO {table} {query}"))?;
    index(admin, table)
}

/// Indexes, statistics and the visibility map.
pub fn index(admin: &mut Session, table: &str) -> Result<()> {
    admin.run(&include_str!("sql/lead_indexes.sql").replace("{table}", table))?;
    admin.run(&format!("VACUUM (ANALYZE) {table}"))?;
    Ok(())
}

pub fn exists(admin: &mut Session, table: &str) -> Result<bool> {
    Ok(admin.value(&format!("SELECT to_regclass('{table}') IS NOT NULL"))? == "t")
}

/// Logins stay in a kept cluster when the database is made again.
pub fn create_login(admin: &mut Session, name: &str) -> Result<()> {
    let found = admin.run(&format!("SELECT FROM pg_roles WHERE rolname = '{name}'"))?;
    if found.is_empty() {
        admin.run(&format!("CREATE ROLE {name} LOGIN"))?;
    }
    Ok(())
}

fn hand_written_policies(admin: &mut Session) -> Result<()> {
    let names = admin.run("SELECT name, member_id FROM org.cast_member ORDER BY place")?;
    for form in ["exists", "any", "function"] {
        create_login(admin, &format!("bench_by_{form}"))?;
        for row in &names {
            let login = format!("bench_{}_{form}", row[0]);
            create_login(admin, &login)?;
            admin.run(&format!("GRANT bench_by_{form} TO {login}"))?;
            if !row[1].is_empty() {
                admin.run(&format!("INSERT INTO org.login VALUES ('{login}', {})", row[1]))?;
            }
        }
    }
    for row in &names {
        create_login(admin, &format!("bench_{}", row[0]))?;
    }
    for login in ["bench_plain", "bench_app"] {
        create_login(admin, login)?;
    }
    admin.run(include_str!("sql/policies.sql"))?;
    Ok(())
}
