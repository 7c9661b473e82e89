//! Which versions are released, and databases with them.

use leadguard_tests::*;
use std::path::Path;

/// What is released never changes again: the files, and their MD5 sums.
const FROZEN: [(&str, &str); 4] = [
    ("leadguard--0.1.0.sql", "2ae1bf00e620f28bc759005c50061fca"),
    ("leadguard--0.2.0.sql", "4863f2d9d4d12483c4aed48c011a5760"),
    ("leadguard--0.3.0.sql", "409a68ea69a4a6e74e20ed61db10a1c4"),
    ("leadguard--0.4.0.sql", "0bad93a1437011aa867d8af803677958"),
];

/// The released versions.
pub fn versions() -> Vec<&'static str> {
    FROZEN.iter().filter_map(|(file, _)| file.strip_prefix("leadguard--")?.strip_suffix(".sql")).collect()
}

pub fn current(admin: &mut Client) -> String {
    scalar(admin, "SELECT default_version FROM pg_available_extensions WHERE name = 'leadguard'")
}

pub fn installed(admin: &mut Client) -> String {
    scalar(admin, "SELECT extversion FROM pg_extension WHERE extname = 'leadguard'")
}

fn kept(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("upgrade").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn md5(admin: &mut Client, text: &str) -> String {
    admin.query_one("SELECT md5($1)", &[&text]).expect("md5").get(0)
}

/// A database with a released version, installed from the script that is kept here.
pub fn old(name: &str, version: &str) -> Db {
    let db = bare(name, version);
    accepted(&mut db.admin(), &create(version));
    db
}

pub fn create(version: &str) -> String {
    format!("CREATE EXTENSION leadguard VERSION '{version}'")
}

/// A database in which a released version can be installed.
pub fn bare(name: &str, version: &str) -> Db {
    let db = Db::bare(name);
    let mut admin = db.admin();
    let file = format!("leadguard--{version}.sql");
    let (directory, on_server): (String, Option<String>) = {
        let row = admin
            .query_one(
                "SELECT d.path, md5(pg_read_binary_file(d.path || '/' || $1, 0, 100000000, true))
                 FROM (SELECT setting || '/extension' AS path FROM pg_config WHERE name = 'SHAREDIR') AS d",
                &[&file],
            )
            .expect("the server's copy of the script");
        (row.get(0), row.get(1))
    };
    let help = format!("copy tests/upgrade/{file} to {directory}, or run pg_test_config/test, which does");
    match on_server {
        None => panic!("the server has no script of {version}: {help}"),
        Some(sum) => assert_eq!(sum, md5(&mut admin, &kept(&file)), "the server's {file} is another one: {help}"),
    }
    db
}

/// `ALTER EXTENSION leadguard UPDATE`, and a look whether it came to the current version.
#[track_caller]
pub fn update(admin: &mut Client) {
    accepted(admin, "ALTER EXTENSION leadguard UPDATE");
    assert_eq!(installed(admin), current(admin));
}

#[test]
fn released_scripts_are_frozen() {
    let db = Db::bare("upgrade_frozen");
    let mut admin = db.admin();
    for (file, sum) in FROZEN {
        assert_eq!(
            md5(&mut admin, &kept(file)),
            sum,
            "{file} was released; what changed since belongs in an update script"
        );
    }
    let mut scripts: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("upgrade"))
        .expect("this directory")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("leadguard--"))
        .collect();
    scripts.sort();
    assert_eq!(scripts, FROZEN.map(|(file, _)| file.to_string()), "every script kept here is frozen and tested");
}

#[test]
fn every_released_version_has_a_path_to_the_current_one() {
    for version in versions() {
        let db = bare("upgrade_path", version);
        let mut admin = db.admin();
        let current = current(&mut admin);
        let path = format!(
            "SELECT count(path) FROM pg_extension_update_paths('leadguard') WHERE source = '{version}' AND target = '{current}'"
        );
        assert_eq!(
            scalar(&mut admin, &path),
            "1",
            "no path from {version} to {current}; is sql/leadguard--{version}--*.sql installed?"
        );
    }
}
