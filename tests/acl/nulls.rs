//! NULL is no "false", no "all" and no "now": every function is called with each of its arguments NULL, the others
//! being such that the call would be carried out. It is refused, or it changes nothing, unless NULL is documented.

use std::collections::{BTreeMap, BTreeSet};

use crate::nulls_calls::{GOOD, company};
use leadguard_tests::{Client, accepted, rows};

/// Arguments with which the call is carried out although NULL is not their default, and what NULL means there.
const MEANT: &[(&str, &str)] = &[
    ("change_role.from_role", "the role is given"),
    ("change_role.to_role", "the role is taken"),
    ("change_roles.from_role", "the role is given"),
    ("change_roles.to_role", "the role is taken"),
    ("close_dispute.winner", "nobody of them"),
    ("drop_rule.statuses", "as '{}', whatever the status"),
    ("has_capability.capability", "no member has it, like any name that is none"),
    ("hold_review.organization", "as audit_run, whose default it is"),
    ("hold_review.since", "as audit_run, whose default it is"),
    ("hold_review.subject", "as audit_run, whose default it is"),
    ("onboard.email", "a member may have none"),
    ("onboard.name", "a member may have none"),
    ("onboard.teams", "as '{}', none"),
    ("onboard.territories", "as '{}', none"),
    ("prepare_imports.disqualified", "as '{}', none"),
    ("prepare_imports.required", "as '{}', none"),
    ("request_approval.field", "only kind field is for one"),
    ("rights_in_words.member", "who asks, as member_rights"),
    ("role_for.email", "a member without e-mail"),
    ("set_assignment_rule.condition", "every record"),
    ("set_batch_template.records", "any number"),
    ("set_field.access", "the cell is taken out"),
    ("set_handoff_step.fields", "as '{}', none"),
    ("set_handoff_step.notify", "as '{}', nobody"),
    ("set_rule.statuses", "as '{}', whatever the status"),
    ("set_transition.condition", "as '{}', none"),
    ("set_transition.from_value", "a new row, or one without value"),
    ("share.retained", "as false, since 0.1.0"),
    ("tag_namespace.role", "the namespace is removed"),
    ("valid_values.values", "every value"),
    ("visible_all.target", "a policy: false"),
    ("what_can.member", "who asks"),
];

/// Documented functions that neither caller has a good call for, and why. All others are carried out by one of them.
const OUT_OF_REACH: &[(&str, &str)] = &[("act_as", "for trusted connectors")];

#[derive(Debug)]
struct Function {
    name: String,
    /// Not only for the extension itself.
    is_public: bool,
    arguments: Vec<Argument>,
}

#[derive(Debug)]
struct Argument {
    name: String,
    of_type: String,
    good: String,
    /// Whether NULL is what it is when it is left out.
    is_null: bool,
    mandatory: bool,
}

impl Function {
    /// As a statement, with the argument at `null` being NULL.
    fn call(&self, null: Option<usize>) -> String {
        let values = self.arguments.iter().enumerate().map(|(at, argument)| match null {
            Some(null) if null == at => format!("NULL::{}", argument.of_type),
            _ => argument.good.clone(),
        });
        format!("SELECT * FROM leadguard.{}({})", self.name, values.collect::<Vec<_>>().join(", "))
    }
}

/// The functions that the caller may call and that have arguments, without those that only the server calls.
fn functions(caller: &mut Client) -> Vec<Function> {
    let text =
        "SELECT p.oid, p.proname, has_function_privilege('public', p.oid, 'EXECUTE'), coalesce(p.proargnames[a.n], ''),
               format_type(a.t, NULL), coalesce(pg_get_function_arg_default(p.oid, a.n::integer), '-')
        FROM pg_proc p CROSS JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n)
        WHERE p.pronamespace = 'leadguard'::regnamespace AND has_function_privilege(p.oid, 'EXECUTE')
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
        ORDER BY p.proname, p.oid, a.n";
    let mut found: BTreeMap<(String, String), Function> = BTreeMap::new();
    for row in rows(caller, text) {
        let [oid, function, public, name, of_type, default] = <[String; 6]>::try_from(row).expect("six columns");
        let argument = argument(&function, name, of_type, &default);
        let entry = found.entry((function.clone(), oid)).or_insert_with(|| Function {
            name: function,
            is_public: public == "t",
            arguments: Vec::new(),
        });
        entry.arguments.push(argument);
    }
    found.into_values().collect()
}

fn argument(function: &str, name: String, of_type: String, default: &str) -> Argument {
    let good = |name: &str| GOOD.iter().find(|(of, _)| *of == name).map(|(_, value)| value.to_string());
    // What takes anything takes a number.
    let of_type = if of_type.contains("any") { "bigint".to_owned() } else { of_type };
    let is_number = ["bigint", "integer"].contains(&of_type.as_str());
    let mandatory = default == "-";
    let by_name = || good(&name).filter(|value| !is_number || !value.contains('\''));
    let by_type = || match of_type.as_str() {
        "boolean" => "true".to_owned(),
        "timestamp with time zone" => "now() + interval '5 days'".to_owned(),
        "interval" => "interval '30 days'".to_owned(),
        _ if is_number => "1".to_owned(),
        _ => "'x'".to_owned(),
    };
    let value = good(&format!("{function}.{name}")).unwrap_or_else(|| match mandatory {
        true => by_name().unwrap_or_else(by_type),
        false => default.to_owned(),
    });
    let value = if value.contains("::") { value } else { format!("({value})::{of_type}") };
    Argument { name, of_type, good: value, mandatory, is_null: default.starts_with("NULL") }
}

/// How many rows the session has written so far in each table, of leadguard and its users.
fn written(caller: &mut Client) -> Vec<Vec<String>> {
    rows(
        caller,
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_all_tables
         WHERE schemaname IN ('leadguard', 'crm') AND n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1",
    )
}

#[derive(Debug)]
enum Outcome {
    Refused(String, String),
    Changed(Vec<String>),
    Nothing,
}

/// Calls it in a transaction that is taken back.
fn outcome(caller: &mut Client, call: &str) -> Outcome {
    accepted(caller, "BEGIN");
    let before = written(caller);
    let outcome = match caller.simple_query(call) {
        Err(error) => match error.as_db_error() {
            Some(error) => Outcome::Refused(error.code().code().to_owned(), error.message().to_owned()),
            None => panic!("the connection broke: {error}\n{call}"),
        },
        Ok(_) => {
            let after = written(caller);
            let tables: Vec<String> =
                after.iter().filter(|row| !before.contains(row)).map(|row| row[0].clone()).collect();
            if tables.is_empty() { Outcome::Nothing } else { Outcome::Changed(tables) }
        }
    };
    accepted(caller, "ROLLBACK");
    outcome
}

/// What is wrong with what came of NULL, if anything is.
fn complaint(function: &Function, argument: &Argument, is_documented: bool, outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Refused(code, message) if code.starts_with("XX") => Some(format!("{code} {message}")),
        _ if !function.is_public => None,
        Outcome::Refused(code, message) => {
            // Errors of what happens to be below, which judges nothing.
            ["22004", "23502", "42883", "P0001"].contains(&code.as_str()).then(|| format!("{code} {message}"))
        }
        Outcome::Changed(tables) if !argument.is_null => Some(format!("changes {}", tables.join(", "))),
        Outcome::Nothing if is_documented && argument.mandatory => Some("is answered".to_owned()),
        _ => None,
    }
}

#[test]
fn k47_null_arguments_are_refused_or_change_nothing() {
    let db = company();
    let readme = include_str!("../../README.md");
    let mut wrong = BTreeMap::new();
    let (mut documented, mut carried_out) = (BTreeSet::new(), BTreeSet::new());
    for who in ["", "admin"] {
        let mut caller = if who.is_empty() { db.admin() } else { db.connect(who) };
        for function in functions(&mut caller) {
            let is_documented = readme.contains(&format!("`{}(", function.name));
            // The twin: with all of its arguments it is carried out.
            match outcome(&mut caller, &function.call(None)) {
                Outcome::Refused(code, message) => println!("{who}: {}: {code} {message}", function.call(None)),
                _ => drop(carried_out.insert(function.name.clone())),
            }
            for (at, argument) in function.arguments.iter().enumerate() {
                let found = outcome(&mut caller, &function.call(Some(at)));
                if let Some(complaint) = complaint(&function, argument, is_documented, found) {
                    wrong.insert(format!("{}.{}", function.name, argument.name), complaint);
                }
            }
            if is_documented && function.is_public {
                documented.insert(function.name);
            }
        }
    }
    let names = |list: &[(&str, &str)]| list.iter().map(|(name, _)| name.to_string()).collect::<BTreeSet<_>>();
    let (meant, out_of_reach) = (names(MEANT), names(OUT_OF_REACH));
    // Nothing is excused that crashes.
    let undue: Vec<_> = wrong.iter().filter(|(name, what)| !meant.contains(*name) || what.starts_with("XX")).collect();
    assert!(undue.is_empty(), "{undue:#?}");
    assert!(
        meant.iter().all(|name| wrong.contains_key(name)),
        "{:?}",
        meant.iter().filter(|n| !wrong.contains_key(*n)).collect::<Vec<_>>()
    );
    assert_eq!(documented.difference(&carried_out).cloned().collect::<BTreeSet<_>>(), out_of_reach);
    assert!(documented.len() > 100, "{}", documented.len());
    // What is changed is noticed.
    let share = "SELECT leadguard.share('crm.lead', '1', 'carl')";
    assert!(
        matches!(outcome(&mut db.connect("admin"), share), Outcome::Changed(tables) if tables.contains(&"record_grant".to_owned()))
    );
}
