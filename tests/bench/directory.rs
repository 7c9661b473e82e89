//! leadguard on top of the data: the extension, its directory, the logins, and protected tables.

use crate::session::{Result, Session};
use std::time::Instant;

/// Installs the extension anew and protects the main table. A kept data directory may hold another version of it,
/// whose policies and triggers go with it.
pub fn secure(admin: &mut Session) -> Result<()> {
    let start = Instant::now();
    println!("==> creating the extension, its directory and the grants");
    admin.run(
        "SET client_min_messages = error; DROP EXTENSION IF EXISTS leadguard CASCADE; RESET client_min_messages",
    )?;
    for row in
        admin.run("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relrowsecurity")?
    {
        admin.run(&format!("ALTER TABLE {0} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY", row[0]))?;
    }
    admin.run("CREATE EXTENSION leadguard")?;
    admin.run(include_str!("sql/directory.sql"))?;
    protect(admin, "crm.lead")?;
    admin.run(&grants("crm.lead", "SELECT lead_id, member_id FROM org.lead_team"))?;
    // The unregistered login has the privilege and still no identity.
    admin.run("GRANT SELECT ON crm.lead TO bench_nobody")?;
    admin.run("VACUUM (ANALYZE)")?;
    println!("    in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

pub fn protect(admin: &mut Session, table: &str) -> Result<()> {
    admin.run(&format!(
        "SELECT leadguard.protect('{table}', id => 'id', owner => 'owner_id', territory => 'territory_id');
         SELECT leadguard.set_switch('{table}', 'batch_insert', 'none');
         SELECT leadguard.set_switch('{table}', 'batch_update', 'none')"
    ))?;
    Ok(())
}

/// The statement that puts the (lead, member) pairs of `query` on the record teams of a protected table.
pub fn grants(table: &str, query: &str) -> String {
    format!(
        "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level)
         SELECT '{table}'::regclass, g.lead_id::text, 'record_team', g.member_id, 'edit' FROM ({query}) AS g (lead_id, member_id)"
    )
}
