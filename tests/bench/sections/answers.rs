//! Before anything is timed: do all variants give the same rows?

use crate::Bench;
use crate::book::Spot;
use crate::data::WITH_LIMIT_TABLE;
use crate::people::Person;
use crate::session::Result;
use crate::table::Table;
use crate::variants::{Entrant, Variant, Variant::*};

/// Number and contents of the visible rows.
const CHECKSUM: &str = "SELECT count(*), coalesce(sum(hashtextextended(l::text, 0)::numeric), 0) FROM {lead} AS l";

const VARIANTS: [Variant; 7] = [Leadguard, Unprotected, Limit, Ideal, Exists, Any, Function];

/// Whether a variant exists for somebody and must give the same rows.
fn comparable(variant: Variant, person: &Person) -> bool {
    match variant {
        Leadguard => true,
        Limit => WITH_LIMIT_TABLE.contains(&person.name.as_str()),
        Unprotected | Column | Heap => variant.agrees(person),
        // By hand, only the rules of the hierarchy are written, not the privilege.
        Ideal => person.name != "analyst" && person.member != 0,
        Exists | Any | Function => person.name != "analyst",
    }
}

pub fn run(bench: &mut Bench) -> Result<()> {
    let mut table = Table::new(1);
    table.row(["member", "rows"].into_iter().chain(VARIANTS.map(Variant::name)));
    // A form that is too slow for one is not waited for again.
    let mut too_slow = Vec::new();
    for person in bench.people.clone() {
        let spot = Spot::new("answers", &person.name, "checksum");
        let mut cells = vec![person.name.clone(), person.sees.to_string()];
        let mut expected = None;
        for variant in VARIANTS {
            if !comparable(variant, &person) || too_slow.contains(&variant) {
                cells.push("-".to_string());
                continue;
            }
            let mut entrant = Entrant::new(&mut bench.admin, &person, variant)?;
            let answer = match entrant.session.run(&CHECKSUM.replace("{lead}", &entrant.lead)) {
                Ok(rows) => rows,
                Err(trouble) if trouble.is_timeout() => {
                    cells.push("too slow".to_string());
                    too_slow.push(variant);
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            let counted = answer[0][0].parse::<i64>().ok();
            let same = counted == Some(person.sees) && expected.get_or_insert_with(|| answer.clone()) == &answer;
            cells.push(if same { "same".to_string() } else { format!("{} rows", answer[0][0]) });
            if !same {
                bench.book.disagreement(&spot, variant.name(), "the rules");
            }
        }
        table.row(cells);
    }
    table.print();
    Ok(())
}
