//! What is wrong with loaded rows.

use super::existing;
use super::problems::keep;
use super::secret::{self, Secrecy};
use super::sessions::Session;
use super::target::ImportTarget;
use super::values;
use crate::ffi::raise;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::fields::{self, Rules};
use crate::guard;
use crate::model::keys;
use crate::model::value::{Kind, Value, parse_int, parse_uuid};
use crate::names::literal;
use crate::visibility::{self, Mapped, Member, Part, Subject};
use pgrx::iter::TableIterator;
use pgrx::pg_sys;
use pgrx::{name, pg_extern};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// As many lines are looked at together.
const CHUNK: i64 = 5_000;

/// How often to say how far it is, in lines.
const NOTICE: i64 = 10_000;

#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub line: i64,
    pub field: String,
    pub problem: &'static str,
    pub detail: String,
}

pub(super) struct Line {
    pub number: i64,
    pub texts: Vec<Option<String>>,
}

/// Lines of an import after one, in order, with a text for each field.
pub(super) fn lines(import: i64, target: &ImportTarget, after: i64) -> Vec<Line> {
    let columns: String =
        target.fields.iter().map(|field| format!(", data OPERATOR(pg_catalog.->>) {}", literal(&field.name))).collect();
    let text = format!(
        "SELECT line{columns} FROM leadguard.import_row WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT {CHUNK}"
    );
    let mut found = Vec::new();
    let count = i32::try_from(target.fields.len()).unwrap_or_default();
    as_extension(|| {
        sql::query_once(&text, &[Param::Int(Some(import)), Param::Int(Some(after))], Sees::Now, &mut |row| {
            let texts = (1..=count).map(|column| row.text(column)).collect();
            found.push(Line { number: row.int(0).unwrap_or_default(), texts });
        })
    });
    found
}

pub(super) struct Progress {
    what: &'static str,
    done: i64,
    told: i64,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Progress {
        Progress { what, done: 0, told: 0 }
    }

    /// NOTICEs reach the client while the statement runs, which rows of a table would not.
    pub(super) fn add(&mut self, lines: usize) {
        self.done += i64::try_from(lines).unwrap_or_default();
        if self.done / NOTICE > self.told / NOTICE {
            raise::notice(&format!("{} rows {}", self.done, self.what));
            self.told = self.done;
        }
    }
}

/// What was found out about all lines.
#[derive(Default)]
pub(super) struct Found {
    pub lines: i64,
    pub problems: Vec<Problem>,
    pub bad: HashSet<i64>,
}

impl Found {
    fn add(&mut self, line: i64, field: &str, problem: &'static str, detail: String) {
        self.bad.insert(line);
        self.problems.push(Problem { line, field: field.to_owned(), problem, detail });
    }

    pub(super) fn good(&self) -> i64 {
        self.lines - i64::try_from(self.bad.len()).unwrap_or_default()
    }
}

struct Checking<'a> {
    target: &'a ImportTarget,
    subject: &'a Subject,
    member: &'a Member,
    rules: Rc<Rules>,
    kinds: Vec<(Part, usize, Kind)>,
    sensitive: Option<usize>,
    found: Found,
    /// For each match key where its columns are.
    places: Vec<Vec<Option<usize>>>,
    /// For each match key the lines that have a value of it.
    keyed: Vec<HashMap<String, Vec<i64>>>,
    /// Whether the member may insert rows with these mapped values.
    allowed: HashMap<Vec<Option<String>>, bool>,
}

/// Who looks: a member who may be guessing, or the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Check,
    Commit,
}

/// Looks at all lines of an import.
pub(super) fn run(session: &Session, target: &ImportTarget, subject: &Subject, member: &Member, whom: For) -> Found {
    let kinds = Part::ALL
        .into_iter()
        .filter(|part| *part != Part::Sensitive)
        .filter_map(|part| {
            let place = target.mapped(part)?;
            let kind = crate::ffi::session::column_kind(target.table.target, &target.fields[place].name)?;
            Some((part, place, kind))
        })
        .collect();
    let mut checking = Checking {
        target,
        subject,
        member,
        rules: fields::rules(target.table.target),
        kinds,
        sensitive: target.mapped(Part::Sensitive),
        found: Found::default(),
        places: target.keys.iter().map(|key| key.columns.iter().map(|name| target.place(name)).collect()).collect(),
        keyed: vec![HashMap::new(); target.keys.len()],
        allowed: HashMap::new(),
    };
    let (mut after, mut progress) = (0, Progress::new("checked"));
    loop {
        let lines = lines(session.id, target, after);
        let Some(last) = lines.last() else { break };
        after = last.number;
        checking.chunk(&lines);
        progress.add(lines.len());
    }
    checking.existing(whom);
    checking.found
}

impl Checking<'_> {
    fn chunk(&mut self, lines: &[Line]) {
        self.found.lines += i64::try_from(lines.len()).unwrap_or_default();
        let mut written: Vec<Vec<Option<String>>> = Vec::with_capacity(self.target.fields.len());
        for place in 0..self.target.fields.len() {
            let column = self.column(place, lines);
            written.push(column);
        }
        for (row, line) in lines.iter().enumerate() {
            let value = |place: usize| written[place][row].as_deref();
            self.rights(line, &value);
            self.keys(line, &value);
        }
    }

    /// Judges the values of one field; answers how its type writes them, where somebody wants to know.
    fn column(&mut self, place: usize, lines: &[Line]) -> Vec<Option<String>> {
        let field = &self.target.fields[place];
        let name = field.name.as_str();
        let given: Vec<(usize, &str)> =
            lines.iter().enumerate().filter_map(|(row, line)| Some((row, line.texts[place].as_deref()?))).collect();
        let must = field.must || self.target.required.iter().any(|required| required == name);
        if must && given.len() < lines.len() {
            for line in lines.iter().filter(|line| line.texts[place].is_none()) {
                self.found.add(line.number, name, "missing", "a value is required".to_owned());
            }
        }
        let mut column = vec![None; lines.len()];
        if given.is_empty() {
            return column;
        }
        let rules = Rc::clone(&self.rules);
        if !rules.access(field.number, name, "", &self.member.roles).writes() {
            for (row, _) in &given {
                self.found.add(lines[*row].number, name, "closed", "your roles do not write this column".to_owned());
            }
        }
        let texts: Vec<&str> = given.iter().map(|(_, text)| *text).collect();
        let keys = rules.keys(name);
        let is_ruled = rules.valid(name, "").is_some() || !keys.is_empty();
        let asked = is_ruled || self.is_compared(place);
        for ((row, _), value) in given.iter().zip(values::written(field, &texts, asked)) {
            match value {
                None => {
                    let detail = format!("no value of type {}", field.type_name);
                    self.found.add(lines[*row].number, name, "invalid", detail);
                }
                Some(value) => {
                    if is_ruled {
                        self.valid(lines[*row].number, place, &keys, &value);
                    }
                    column[*row] = Some(value);
                }
            }
        }
        if rules.has_tags(name) && field.is_texts() {
            for ((row, _), tags) in given.iter().zip(values::tags(field, &texts)) {
                self.tags(lines[*row].number, place, tags);
            }
        }
        column
    }

    /// Whether match keys or rights look at the field.
    fn is_compared(&self, place: usize) -> bool {
        let name = &self.target.fields[place].name;
        self.target.keys.iter().any(|key| key.columns.contains(name))
            || self.kinds.iter().any(|(_, mapped, _)| *mapped == place)
            || self.sensitive == Some(place)
    }

    fn valid(&mut self, line: i64, place: usize, keys: &[String], value: &str) {
        let field = &self.target.fields[place];
        let rules = Rc::clone(&self.rules);
        let of_keys = keys.iter().filter_map(|key| Some((key.as_str(), keys::text(value, key)?)));
        for (key, value) in std::iter::once(("", value.to_owned())).chain(of_keys) {
            let Some(valid) = rules.valid(&field.name, key) else { continue };
            if valid.contains(&value) {
                continue;
            }
            let shown = if key.is_empty() { field.name.clone() } else { format!("{}.{key}", field.name) };
            let reads = rules.access(field.number, &field.name, key, &self.member.roles).reads();
            let detail = if reads { format!("valid values: {}", valid.join(", ")) } else { String::new() };
            self.found.add(line, &shown, "not valid", detail);
        }
    }

    fn tags(&mut self, line: i64, place: usize, tags: Option<Vec<Option<String>>>) {
        let name = &self.target.fields[place].name;
        // What is no list at all is invalid already.
        for tag in tags.into_iter().flatten() {
            let space = tag.as_deref().and_then(guard::namespace);
            let may = space
                .and_then(|space| self.rules.namespace(space))
                .is_some_and(|found| self.member.roles.contains(&found.role));
            if !may {
                let detail = "a tag has the form namespace:tag, in a namespace of one of your roles";
                self.found.add(line, name, "tag", detail.to_owned());
                return;
            }
        }
    }

    /// Whether the member may insert the row with this owner, territory, team and so on.
    fn rights<'v>(&mut self, line: &Line, value: &dyn Fn(usize) -> Option<&'v str>) {
        let mapped = self.kinds.iter().filter(|(part, ..)| *part != Part::Id);
        let mut given: Vec<Option<String>> = mapped.map(|(_, place, _)| value(*place).map(str::to_owned)).collect();
        given.push(self.sensitive.and_then(value).map(str::to_owned));
        let known = self.allowed.get(&given).copied();
        let may = known.unwrap_or_else(|| {
            let may = self.may_insert(value);
            self.allowed.insert(given, may);
            may
        });
        if !may {
            let detail =
                "you may not insert a row with this owner, creator, territory, team, parent, organization or stage";
            self.found.add(line.number, "", "refused", detail.to_owned());
        }
    }

    fn may_insert<'v>(&self, value: &dyn Fn(usize) -> Option<&'v str>) -> bool {
        let mut row = Mapped::new();
        for (part, place, kind) in &self.kinds {
            let held = match value(*place) {
                None => match part {
                    Part::Owner | Part::Creator => self.member.named(*kind),
                    Part::Organization => visibility::member::named(self.member.org_id, &self.member.org_key, *kind),
                    _ => Value::Null,
                },
                Some(text) if kind.is_int() => parse_int(text).map_or(Value::Null, Value::Int),
                Some(text) if *kind == Kind::Uuid => parse_uuid(text).map_or(Value::Null, Value::Uuid),
                Some(text) => Value::Text(text),
            };
            if *part == Part::Creator && held != self.member.named(*kind) && !self.subject.has_capability("assign") {
                return false;
            }
            row.put(*part, held, Some(*kind));
        }
        row.sensitive = self.sensitive.is_some_and(|place| {
            let is_mark = self.target.fields[place].type_oid == pg_sys::BOOLOID;
            value(place).is_some_and(|text| if is_mark { text == "t" } else { !text.is_empty() })
        });
        guard::rules::insert(self.subject, &self.target.table, &row).is_ok()
    }

    /// Duplicates within the file: the first good line of a key stays.
    fn keys<'v>(&mut self, line: &Line, value: &dyn Fn(usize) -> Option<&'v str>) {
        for (index, key) in self.target.keys.iter().enumerate() {
            let of = key.of(self.places[index].iter().map(|place| place.and_then(value)));
            let Some(of) = of else { continue };
            let held = self.keyed[index].entry(of).or_default();
            let first = held.iter().copied().find(|line| !self.found.bad.contains(line));
            held.push(line.number);
            if let Some(first) = first {
                self.found.add(line.number, &key.name, "duplicate", format!("as line {first}"));
            }
        }
    }

    /// Duplicates of what is there.
    fn existing(&mut self, whom: For) {
        let secrecy = secret::of_keys(self.target, self.member);
        for (keyed, _) in self.keyed.iter_mut().zip(&secrecy).filter(|(_, of)| **of == Secrecy::Closed) {
            if whom == For::Check {
                keyed.clear();
            }
        }
        for found in existing::find(self.target, self.member, &self.keyed, &secrecy) {
            let detail = found.record.map_or_else(String::new, |record| format!("record {record}"));
            self.found.add(found.line, &self.target.keys[found.key].name, found.problem, detail);
        }
    }
}

type Report = TableIterator<
    'static,
    (name!(line, i64), name!(field, Option<String>), name!(problem, Option<String>), name!(detail, Option<String>)),
>;

/// What is wrong with the rows of an import. For whoever opened it. Errors: 42501, 55000.
#[pg_extern(sql = false)]
fn import_check(import: Option<i64>) -> Report {
    let subject = visibility::now();
    let session = Session::own("import_check", import, &subject);
    session.require_open("import_check");
    session.require_loaded("import_check");
    let target = ImportTarget::find(session.table());
    let Some(member) = subject.member.as_ref() else { crate::errors::bug("an import of nobody") };
    let found = run(&session, &target, &subject, member, For::Check);
    keep(&session, &found, true);
    as_extension(|| {
        sql::query(
            concat!(
                "UPDATE leadguard.import_session SET state = 'checked', checked_at = clock_timestamp(), records = $2, \
                 good = $3, settings = ",
                include_str!("../../sql/query/import_settings.sql"),
                "WHERE id = $1"
            ),
            &[Param::Int(Some(session.id)), Param::Int(Some(found.lines)), Param::Int(Some(found.good()))],
            Sees::Now,
            &mut |_| {},
        )
    });
    session.note("import_check", None, &format!("{} rows, {} with problems", found.lines, found.bad.len()));
    let mut problems = found.problems;
    problems.sort_by(|a, b| (a.line, &a.field).cmp(&(b.line, &b.field)));
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    TableIterator::new(
        problems
            .into_iter()
            .map(move |p| (p.line, given(p.field), Some(p.problem.to_owned()), given(p.detail)))
            .collect::<Vec<_>>(),
    )
}
