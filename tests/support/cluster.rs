//! The test server: where it is, and the template database that every test database is cloned from.

use postgres::{Client, Config, NoTls};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Name of the database that holds nothing but the extension.
const TEMPLATE: &str = "leadguard_template";

/// `CREATE DATABASE … TEMPLATE` needs the template for itself, so all test processes take turns on this lock.
const TEMPLATE_LOCK: &str = "hashtext('leadguard_template')";

/// The running test server.
pub struct Server {
    pub socket: PathBuf,
    pub port: u16,
    pub bin: PathBuf,
}

/// The server named by the environment; panics with one clear line when there is none.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server {
        socket: PathBuf::from(setting("LEADGUARD_TEST_SOCKET")),
        port: setting("LEADGUARD_TEST_PORT").parse().expect("LEADGUARD_TEST_PORT is a port number"),
        bin: PathBuf::from(setting("LEADGUARD_TEST_BIN")),
    })
}

fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("no test server: {name} is not set; run the tests with pg_test_config/test"))
}

impl Server {
    pub fn config(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket).port(self.port).user(user).dbname(database).application_name("leadguard-tests");
        // The whole suite under other settings, such as "-c leadguard.cache_size=0 -c plan_cache_mode=force_generic_plan".
        if let Ok(options) = std::env::var("LEADGUARD_TEST_OPTIONS") {
            config.options(&options);
        }
        config
    }

    pub fn connect(&self, user: &str, database: &str) -> Client {
        self.config(user, database).connect(NoTls).unwrap_or_else(|e| {
            let cause = e.as_db_error().map_or_else(|| format!("{e:?}"), |d| d.message().to_string());
            panic!("cannot connect to {database} as {user} on {}: {cause}", self.socket.display())
        })
    }

    /// Runs `work` on database `postgres` while no other test process clones or rebuilds the template.
    fn with_template_lock<T>(&self, work: impl FnOnce(&mut Client) -> T) -> T {
        let mut client = self.connect("postgres", "postgres");
        client.batch_execute(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).expect("template lock");
        work(&mut client)
    }

    pub fn create_database(&self, name: &str, with_extension: bool) {
        self.with_template_lock(|client| {
            let template = if with_extension {
                self.ready_template(client);
                TEMPLATE
            } else {
                "template0"
            };
            client
                .batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE {template}"))
                .unwrap_or_else(|e| panic!("cannot create database {name}: {e:?}"));
        });
    }

    /// The template is rebuilt when the installed script is not the one it was made from.
    fn ready_template(&self, client: &mut Client) {
        let installed: String = client.query_one(INSTALLED_SCRIPT, &[]).expect("installed script").get(0);
        let found: Option<Option<String>> = client
            .query_opt("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", &[&TEMPLATE])
            .expect("look for the template")
            .map(|row| row.get(0));
        if found == Some(Some(installed.clone())) {
            return;
        }
        client
            .batch_execute(&format!("DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)"))
            .expect("drop the old template");
        client.batch_execute(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).expect("create the template");
        let mut inside = self.connect("postgres", TEMPLATE);
        inside.batch_execute("CREATE EXTENSION leadguard").unwrap_or_else(|e| {
            panic!("CREATE EXTENSION leadguard: {}", e.as_db_error().map_or(e.to_string(), |d| d.to_string()))
        });
        drop(inside);
        client.batch_execute(&format!("COMMENT ON DATABASE {TEMPLATE} IS '{installed}'")).expect("label the template");
    }

    /// Removes databases and roles of test processes that no longer run (killed, or out of memory).
    pub fn sweep(&self) {
        static SWEPT: OnceLock<()> = OnceLock::new();
        SWEPT.get_or_init(|| {
            if std::env::var_os("LEADGUARD_TEST_KEEP").is_some() || !std::path::Path::new("/proc/self").exists() {
                return;
            }
            self.with_template_lock(|client| {
                for row in client
                    .query("SELECT datname::text FROM pg_database WHERE datname LIKE 'lg\\_%\\_p%'", &[])
                    .expect("list test databases")
                {
                    let name: String = row.get(0);
                    if owner_is_gone(&name) {
                        self.remove(client, &name);
                    }
                }
            });
        });
    }

    /// Drops a test database and the roles that carry its name.
    pub fn remove(&self, client: &mut Client, database: &str) {
        if let Err(e) = client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)")) {
            eprintln!("database {database} stays: {e:?}");
        }
        let roles = client
            .query("SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1 || '_')", &[&database])
            .unwrap_or_default();
        for row in roles {
            self.remove_role(client, row.get(0));
        }
    }

    pub fn remove_role(&self, client: &mut Client, role: &str) {
        let quoted = format!("\"{}\"", role.replace('"', "\"\""));
        // What it was granted on shared objects would otherwise keep the role alive.
        let _ = client.batch_execute(&format!("DROP OWNED BY {quoted}"));
        if let Err(e) = client.batch_execute(&format!("DROP ROLE IF EXISTS {quoted}")) {
            eprintln!("role {role} stays: {e:?}");
        }
    }
}

/// The process number at the end of a test database's name says who made it.
fn owner_is_gone(database: &str) -> bool {
    let Some((_, number)) = database.rsplit_once("_p") else { return false };
    number.parse::<u32>().is_ok_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
}

const INSTALLED_SCRIPT: &str = "
    SELECT coalesce(md5(string_agg(f.name || md5(pg_read_binary_file(d.dir || '/' || f.name)), ',' ORDER BY f.name)), 'none')
    FROM (SELECT setting || '/extension' AS dir FROM pg_config WHERE name = 'SHAREDIR') AS d,
         pg_ls_dir(d.dir) AS f (name)
    WHERE f.name LIKE 'leadguard%'";
