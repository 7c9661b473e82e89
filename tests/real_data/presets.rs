//! The real opportunities under three presets, pg_test_config/presets.sql: every number that it prints, and every row
//! behind it, against a computation over the text of the CSV files that knows none of leadguard's tables.

use crate::load;
use leadguard_tests::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const TABLES: [&str; 3] = ["maven.opportunity", "maven.opportunity_four_role", "maven.opportunity_organization"];
const HEAD: &str = "Head of Sales";

/// What the files say.
struct Files {
    /// Agent, and his manager with the office.
    agents: BTreeMap<String, (String, String)>,
    /// Opportunity, its agent, its stage.
    opportunities: Vec<[String; 3]>,
}

/// What the presets were told beside the files.
struct Said {
    /// The stages that an SDR sees; none: all.
    stages: &'static [&'static str],
    organization_view: bool,
}

type Ids = BTreeSet<String>;

impl Files {
    fn read(data: &Path) -> Files {
        let read = |name: &str| -> Vec<csv::StringRecord> {
            let mut reader = csv::Reader::from_path(data.join("maven-crm").join(name)).expect("the file is there");
            reader.records().collect::<Result<_, _>>().expect("the file is whole")
        };
        let text = |record: &csv::StringRecord, column: usize| record[column].to_string();
        Files {
            agents: read("sales_teams.csv").iter().map(|r| (text(r, 0), (text(r, 1), text(r, 2)))).collect(),
            opportunities: read("sales_pipeline.csv").iter().map(|r| [text(r, 0), text(r, 1), text(r, 4)]).collect(),
        }
    }

    fn people(&self) -> BTreeSet<String> {
        let managers = self.agents.values().map(|(manager, _)| manager.clone());
        self.agents.keys().cloned().chain(managers).chain([HEAD.to_string()]).collect()
    }

    fn office(&self, person: &str) -> &str {
        let of = |(agent, (manager, _)): &(&String, &(String, String))| *agent == person || manager == person;
        self.agents.iter().find(of).map_or("all", |(_, (_, office))| office)
    }

    fn of(&self, keep: impl Fn(&str, &str) -> bool) -> Ids {
        self.opportunities.iter().filter(|[_, agent, stage]| keep(agent, stage)).map(|[id, ..]| id.clone()).collect()
    }

    /// What a person sees under sales_hierarchy, four_role and organization.
    fn seen(&self, person: &str, said: &Said) -> [Ids; 3] {
        let all = || self.of(|_, _| true);
        let works_on = |stage: &str| said.stages.is_empty() || said.stages.contains(&stage);
        if person == HEAD {
            [all(), all(), all()]
        } else if self.agents.contains_key(person) {
            let own = self.of(|agent, _| agent == person);
            let worked = self.of(|agent, stage| agent == person && works_on(stage));
            let of_organization = if said.organization_view { all() } else { own.clone() };
            [own, worked, of_organization]
        } else {
            let office = self.office(person);
            let of_office = self.of(|agent, _| self.office(agent) == office);
            [of_office.clone(), of_office, all()]
        }
    }
}

#[test]
fn x1_x9_x15_real_data_three_presets_beside_each_other() {
    let Some(data) = shared_data() else { return };
    let db = Db::new("presets");
    load::run(&db, &data, "real_data.sql");
    let printed = load::run(&db, &data, "presets.sql");
    let files = Files::read(&data);
    let mut said = Said { stages: &["Prospecting", "Engaging"], organization_view: false };

    table_is_right(&printed, &files, &said);
    commands_are_right(&printed);
    everybody_sees(&db, &files, &said, "as loaded");

    // A switch and a setting of the organization bind the next statement.
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.set_switch('maven.opportunity_four_role', 'stages', '*', role => 'sdr')");
    accepted(&mut admin, "UPDATE leadguard.organization SET organization_view = true WHERE key = 'maven'");
    (said.stages, said.organization_view) = (&[], true);
    everybody_sees(&db, &files, &said, "with all stages and the organization view");
}

/// The lines of the printed table: member, office, roles, three numbers.
fn table_is_right(printed: &str, files: &Files, said: &Said) {
    let lines: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 6 && cells[0] != "member")
        .collect();
    let named: BTreeSet<String> = lines.iter().map(|cells| cells[0].to_string()).collect();
    assert_eq!(named, files.people(), "{printed}");
    assert_eq!(named.len(), lines.len(), "somebody has two lines:\n{printed}");
    for cells in lines {
        let seen = files.seen(cells[0], said).map(|ids| ids.len().to_string());
        assert_eq!(cells[3..], seen, "{}\n{printed}", cells[0]);
        assert_eq!(cells[1], files.office(cells[0]), "{}\n{printed}", cells[0]);
    }
}

/// The three commands give the number that stands behind them.
fn commands_are_right(printed: &str) {
    let commands: Vec<(&str, &str)> = printed.lines().filter_map(|line| line.split_once("   # ")).collect();
    assert_eq!(commands.len(), 3, "{printed}");
    for (command, number) in commands {
        let output = Command::new("sh").arg("-c").arg(command).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), number, "{command}");
    }
}

/// Every member over a connection of his own, row by row.
fn everybody_sees(db: &Db, files: &Files, said: &Said, when: &str) {
    let people = rows(
        &mut db.admin(),
        "SELECT m.name, m.db_role FROM leadguard.member m JOIN leadguard.organization o ON o.id = m.org_id
         WHERE o.key = 'maven' ORDER BY m.name",
    );
    assert_eq!(people.len(), files.people().len());
    for person in people {
        let login = person[1].strip_prefix(&db.role("")).expect("a role of this database");
        let mut own = db.connect(login);
        for (table, expected) in TABLES.into_iter().zip(files.seen(&person[0], said)) {
            let found = ids(&mut own, &format!("SELECT opportunity_id FROM {table}"));
            crate::same(&format!("{when}: {table} for {}", person[0]), &found, &expected);
            assert_eq!(scalar(&mut own, &format!("SELECT count(*) FROM {table}")), expected.len().to_string());
        }
    }
}

#[test]
fn x2_real_data_one_person_writes_under_one_preset_and_not_under_another() {
    let Some(data) = shared_data() else { return };
    let db = Db::new("presets_write");
    load::run(&db, &data, "real_data.sql");
    load::run(&db, &data, "presets.sql");
    let files = Files::read(&data);
    let update = |table: &str, id: &str| format!("UPDATE {table} SET close_value = 1 WHERE opportunity_id = '{id}'");
    let [id, ..] =
        files.opportunities.iter().find(|[_, agent, stage]| agent == "Moses Frase" && stage == "Won").expect("one");

    // The head of sales is an analyst here and the Owner there.
    let mut head = db.connect("maven_head");
    refused(&mut head, &update(TABLES[1], id), "42501");
    assert_eq!(allowed(&mut head, &update(TABLES[2], id)), 1);
    // The agent does not see his own deal where it is out of an SDR's stages.
    let mut agent = db.connect("moses_frase");
    assert_eq!(allowed(&mut agent, &update(TABLES[1], id)), 0);
    assert_eq!(allowed(&mut agent, &update(TABLES[2], id)), 1);
    // The manager works on it in both; the manager of another office as Admin only.
    let mut manager = db.connect("dustin_brinkmann");
    assert_eq!(allowed(&mut manager, &update(TABLES[1], id)), 1);
    let mut other = db.connect("cara_losch");
    assert_eq!(allowed(&mut other, &update(TABLES[1], id)), 0);
    assert_eq!(allowed(&mut other, &update(TABLES[2], id)), 1);
}
