//! The speed table under every preset: the same leads, everything mapped, beside a table of just the visible rows.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::people::Person;
use crate::queries::*;
use crate::race::{Lane, Timing, race};
use crate::session::{Result, Session};

const SECTION: &str = "presets";
const PLAIN: &str = "presets.plain";
const QUERIES: [Query; 5] = [COUNT, NEWEST, DASHBOARD, BY_EMAIL, BY_ID];
const PRESETS: [Preset; 4] = [
    Preset {
        name: "sales_hierarchy",
        rep: "(owner_id = {rep} OR account_id = ANY ({accounts}) OR id = ANY ({granted})) AND ({plain} OR owner_id = {rep})",
        mid: "territory_id = ANY ({territories})",
        top: ("administrator", "true"),
    },
    Preset {
        name: "four_role",
        rep: "(owner_id = {rep} OR account_id = ANY ({set}) OR id = ANY ({granted}))
              AND stage IN ('prospecting', 'qualified') AND {plain}",
        mid: "(territory_id = ANY ({territories}) OR segment = 'segment 7')",
        top: ("analyst", "{plain}"),
    },
    Preset {
        name: "decision_site",
        rep: "(owner_id = {rep} OR team_id = {team} + 100 OR id = ANY ({granted})) AND ({plain} OR owner_id = {rep})",
        mid: "team_id IN ({team}, {team} + 1)",
        top: ("admin", "true"),
    },
    Preset {
        name: "organization",
        rep: "(owner_id = {rep} OR created_by = {rep} OR id = ANY ({granted})) AND ({plain} OR owner_id = {rep})",
        mid: "created_by = {mid}",
        top: ("owner", "true"),
    },
];

/// What three people see under a preset, written by hand.
struct Preset {
    name: &'static str,
    rep: &'static str,
    mid: &'static str,
    top: (&'static str, &'static str),
}

/// Somebody under a preset.
struct Case {
    preset: &'static str,
    person: Person,
    /// The visible rows of the unprotected table, by literals.
    rule: String,
}

impl Case {
    fn table(&self) -> String {
        format!("presets.{}", self.preset)
    }

    fn limit(&self) -> String {
        format!("presets.{}_{}", self.preset, self.person.name)
    }

    fn is_top(&self) -> bool {
        !["rep", "mid"].contains(&self.person.name.as_str())
    }
}

pub fn run(bench: &mut Bench) -> Result<()> {
    let numbers = arrange(bench)?;
    for preset in &PRESETS {
        for (name, rule) in [("rep", preset.rep), ("mid", preset.mid), preset.top] {
            let case = Case { preset: preset.name, person: somebody(name), rule: numbers.filled(rule) };
            measure(bench, case)?;
        }
    }
    children(bench, &numbers)?;
    forget(&mut bench.admin)
}

/// Runs the five queries of one person under one preset; the answers of all ways must agree.
fn measure(bench: &mut Bench, mut case: Case) -> Result<()> {
    let limit = case.limit();
    bench.admin.run(&format!("CREATE TABLE {limit} AS SELECT * FROM {PLAIN} WHERE {} ORDER BY id", case.rule))?;
    index(&mut bench.admin, &limit)?;
    choose(&mut bench.admin, &mut case)?;
    let login = format!("bench_p_{}", case.person.name);
    let (mut ours, mut plain) = (Session::open(&login)?, Session::open("bench_plain")?);
    let (mut alone, mut ideal) = (Session::open("bench_plain")?, Session::open("bench_plain")?);
    // No rule about several columns can be read from the index of one.
    ideal.run("SET enable_seqscan = off; SET enable_indexonlyscan = off")?;
    let by_hand = format!("(SELECT * FROM {PLAIN} WHERE {})", case.rule);
    let who = format!("{}, {}", case.preset, case.person.name);
    println!("  {who}: {} leads, {:.2} %", case.person.sees, case.person.share);

    for query in QUERIES {
        let spot = Spot::new(SECTION, &who, query.name);
        let sql = |table: &str| query.sql(table, &case.person);
        let mut lanes =
            vec![Lane::new("leadguard", &mut ours, sql(&case.table())), Lane::new("limit", &mut alone, sql(&limit))];
        if case.is_top() {
            lanes.push(Lane::new("unprotected", &mut plain, sql(PLAIN)));
        } else {
            ideal.run(&format!("DEALLOCATE ALL; PREPARE ideal AS {}", sql(&by_hand)))?;
            lanes.push(Lane::new("ideal", &mut ideal, "EXECUTE ideal"));
        }
        let timings = race(&mut lanes, bench.options.pace())?;
        bench.book.enter(&spot, &timings);
        let [leadguard, limit, other] = &timings[..] else { unreachable!("three lanes") };
        if leadguard.answer != limit.answer {
            bench.book.disagreement(&spot, "leadguard", "the rule by hand");
        }
        judge(bench, &case, &query, &spot, [leadguard, limit, other]);
    }
    Ok(())
}

/// The targets of the sections narrow, middle and everything.
fn judge(bench: &mut Bench, case: &Case, query: &Query, spot: &Spot, [ours, limit, other]: [&Timing; 3]) {
    let short = ["by e-mail", "by id"].contains(&query.name);
    if case.is_top() {
        let bound = if query.name == "dashboard" { 1.15 } else { 1.25 };
        bench.book.at_most(spot, ours, other, bound);
    } else if case.person.name == "rep" {
        bench.book.at_most(spot, ours, limit, if short { 1.5 } else { 2.5 });
    } else if ["count", "dashboard"].contains(&query.name) {
        bench.book.at_most(spot, ours, other, 1.25);
    }
}

/// What follows a record: deals of accounts by path parent, notes on leads; of one record, and all of them.
fn children(bench: &mut Bench, numbers: &Numbers) -> Result<()> {
    let mut rep = Session::open("bench_p_rep")?;
    let mut plain = Session::open("bench_plain")?;
    let seen = numbers.filled(PRESETS[0].rep);
    let lead = bench.admin.value(&format!("SELECT min(id) FROM {PLAIN} WHERE {seen}"))?;
    for (table, rule, one, questions) in [
        (
            "presets.deal",
            numbers.filled("account_id = ANY ({accounts})"),
            "account_id = 3".to_string(),
            ["deals of an account", "all deals"],
        ),
        (
            "presets.note",
            format!("lead_id IN (SELECT id FROM {PLAIN} WHERE {seen})"),
            format!("lead_id = {lead}"),
            ["notes of a lead", "all notes"],
        ),
    ] {
        let limit = format!("{table}_rep");
        bench.admin.run(&format!("CREATE TABLE {limit} AS SELECT * FROM {table} WHERE {rule} ORDER BY id"))?;
        let column = one.split(' ').next().unwrap_or_default();
        bench.admin.run(&format!("CREATE INDEX ON {limit} ({column})"))?;
        bench.admin.run(&format!("VACUUM (ANALYZE) {limit}"))?;
        for (question, condition) in questions.into_iter().zip([one.as_str(), "true"]) {
            let spot = Spot::new(SECTION, "sales_hierarchy, rep", question);
            let sql = |table: &str| format!("SELECT * FROM {table} WHERE {condition}");
            let mut lanes = [Lane::new("leadguard", &mut rep, sql(table)), Lane::new("limit", &mut plain, sql(&limit))];
            let timings = race(&mut lanes, bench.options.pace())?;
            bench.book.enter(&spot, &timings);
            if timings[0].answer != timings[1].answer {
                bench.book.disagreement(&spot, "leadguard", "the rule by hand");
            }
            bench.book.at_most(&spot, &timings[0], &timings[1], 2.5);
        }
    }
    Ok(())
}

/// What stands for names in rules and scripts.
struct Numbers(Vec<(&'static str, String)>);

impl Numbers {
    fn filled(&self, text: &str) -> String {
        self.0.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value))
    }
}

fn somebody(name: &str) -> Person {
    Person {
        name: name.to_string(),
        key: format!("p_{name}"),
        member: 0,
        sees: 0,
        share: 0.0,
        lead: 0,
        owner: 0,
        email: String::new(),
        page: (String::new(), 0),
        list: String::new(),
    }
}

/// The lead that the short queries ask for, and how many the person sees.
fn choose(admin: &mut Session, case: &mut Case) -> Result<()> {
    let limit = case.limit();
    let row = admin.run(&format!(
        "SELECT id, coalesce(owner_id, 0), email, count(*) OVER (), 100.0 * count(*) OVER () / (SELECT count(*) FROM {PLAIN})
         FROM {limit} ORDER BY org.pick(309, id, 1000000007), id LIMIT 1"
    ))?;
    let [row] = row.as_slice() else { return Err(format!("{limit} has no rows").into()) };
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("a number expected, got \"{text}\""));
    let person = &mut case.person;
    (person.lead, person.owner, person.sees) = (number(&row[0])?, number(&row[1])?, number(&row[3])?);
    person.email = row[2].clone();
    person.share = row[4].parse().map_err(|_| format!("a share expected, got \"{}\"", row[4]))?;
    Ok(())
}

fn index(admin: &mut Session, table: &str) -> Result<()> {
    admin.run(&format!("ALTER TABLE {table} ADD PRIMARY KEY (id)"))?;
    for column in ["owner_id", "created_by", "territory_id", "team_id", "account_id", "segment", "created_at", "email"]
    {
        admin.run(&format!("CREATE INDEX ON {table} ({column})"))?;
    }
    admin.run(&format!("VACUUM (ANALYZE) {table}"))?;
    Ok(())
}

fn arrange(bench: &mut Bench) -> Result<Numbers> {
    const PEOPLE: [&str; 6] = ["rep", "mid", "administrator", "analyst", "admin", "owner"];
    forget(&mut bench.admin)?;
    let rep = bench.options.members + 100;
    let mut numbers = Numbers(vec![
        ("{rep}", rep.to_string()),
        ("{mid}", (rep + 1).to_string()),
        ("{team}", "1000000".to_string()),
        ("{plain}", "NOT sensitive".to_string()),
    ]);
    let script = numbers.filled(include_str!("../sql/presets.sql"));
    let admin = &mut bench.admin;
    for name in PEOPLE {
        data::create_login(admin, &format!("bench_p_{name}"))?;
    }
    admin.run(&data::filled(&script, &bench.options))?;
    index(admin, PLAIN)?;
    admin.run("SELECT leadguard.protect('presets.account', object => 'account', id => 'id', owner => 'owner_id')")?;
    for Preset { name, .. } in PRESETS {
        let table = format!("presets.{name}");
        admin.run(&format!("CREATE TABLE {table} AS SELECT * FROM {PLAIN} ORDER BY id"))?;
        index(admin, &table)?;
        admin.run(&format!(
            "SELECT leadguard.protect('{table}', preset => '{name}', id => 'id', owner => 'owner_id', creator => 'created_by',
                 territory => 'territory_id', segment => 'segment', team => 'team_id', stage => 'stage', status => 'status',
                 sensitive => 'sensitive', parent => 'presets.account', parent_column => 'account_id')"
        ))?;
        admin.run(&directory::grants(&table, "SELECT lead_id, member_id FROM presets.granted"))?;
    }
    admin.run(&numbers.filled(
        "INSERT INTO leadguard.member_scope (member_id, target, kind, value)
         VALUES ({mid}, 'presets.four_role', 'segment', 'segment 7');
         INSERT INTO leadguard.member_scope (member_id, target, kind, value)
         SELECT {rep}, 'presets.four_role', 'account', a FROM generate_series(11, 15) AS a;
         CREATE TABLE presets.deal AS SELECT n AS id, 1 + n % (SELECT count(*) FROM presets.account) AS account_id,
                 1 + org.pick(310, n, {rep} - 100) AS owner_id, n * 10 AS amount
             FROM generate_series(1, 3 * (SELECT count(*) FROM presets.account)) AS n;
         ALTER TABLE presets.deal ADD PRIMARY KEY (id);
         CREATE INDEX ON presets.deal (account_id);
         CREATE INDEX ON presets.deal (owner_id);
         SELECT leadguard.protect('presets.deal', object => 'deal', id => 'id', owner => 'owner_id',
             parent => 'presets.account', parent_column => 'account_id');
         CREATE TABLE presets.note AS SELECT id, id AS lead_id, 'note on ' || id AS body, 'import'::text AS author FROM presets.plain;
         ALTER TABLE presets.note ADD PRIMARY KEY (id);
         CREATE INDEX ON presets.note (lead_id);
         SELECT leadguard.protect_notes('presets.note', 'presets.sales_hierarchy', 'lead_id', 'body', author => 'author')",
    ))?;
    admin.run("VACUUM (ANALYZE)")?;
    for (name, query) in [
        ("{granted}", "SELECT lead_id FROM presets.granted".to_string()),
        ("{accounts}", format!("SELECT id FROM presets.account WHERE owner_id = {rep}")),
        ("{set}", "SELECT * FROM generate_series(11, 15)".to_string()),
        (
            "{territories}",
            format!(
                "SELECT c.descendant FROM leadguard.territory_member AS m
                 JOIN org.territory_closure AS c ON c.ancestor = m.territory_id WHERE m.member_id = {rep} + 1"
            ),
        ),
    ] {
        let ids =
            admin.value(&format!("SELECT coalesce(string_agg(DISTINCT i::text, ','), '') FROM ({query}) AS q (i)"))?;
        numbers.0.push((name, format!("'{{{ids}}}'::bigint[]")));
    }
    Ok(numbers)
}

/// Other sections measure without these people and tables.
fn forget(admin: &mut Session) -> Result<()> {
    admin.run("SET client_min_messages = error; DROP SCHEMA IF EXISTS presets CASCADE; RESET client_min_messages")?;
    admin.run("DELETE FROM leadguard.territory_member AS t USING leadguard.member AS m WHERE m.id = t.member_id AND m.key LIKE 'p\\_%'")?;
    admin.run("DELETE FROM leadguard.member WHERE key LIKE 'p\\_%'")?;
    admin.run("DELETE FROM leadguard.team WHERE id >= 1000000")?;
    Ok(())
}
