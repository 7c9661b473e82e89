//! A search for members who see every row.
//!
//! A predicate whose operator is not leakproof cannot use its index in front of any row security, because it
//! would run on rows that the policy hides. For somebody from whom nothing is hidden that reason is void; but a
//! plan cannot say so, since it may outlive him. Here it can: the query is planned and run once, in one state
//! of the database, within this call, and with the caller's own rights.

use crate::errors::bad_argument;
use crate::ffi::call::Call;
use crate::ffi::rows;
use crate::names::{literal, quote, relation};
use crate::visibility;
use pgrx::pg_sys::Datum;

/// What an operator may be made of, as the lexer of Postgres has it.
const OPERATOR_CHARACTERS: &str = "+-*/<>=~!@#%^&|`?";

/// leadguard.search(target anyelement, column, operator, value).
pub(crate) fn search(call: &Call) -> Datum {
    let Some(target) = call.argument_row_type(0).filter(|t| visibility::statement().table(*t).is_some()) else {
        bad_argument("search needs a row of a protected table")
            .hint(
                "Say which table by a NULL of its type: leadguard.search(NULL::crm.lead, 'company', '~~*', '%acme%').",
            )
            .raise();
    };
    let [Some(column), Some(operator), Some(value)] = [1, 2, 3].map(|index| call.text_argument(index)) else {
        bad_argument("search needs a column, an operator and a value").raise();
    };
    if !is_operator(&operator) {
        bad_argument(format!("{} is not an operator", literal(&operator)))
            .hint("LIKE is ~~, ILIKE is ~~*, a text search is @@.")
            .raise();
    }
    let Some(table) = relation(target) else { bad_argument("there is no such table any more").raise() };
    // "found.*" is the row whatever its columns are called; "found" alone could be one of them.
    let query = format!(
        "SELECT (found.*)::{table} FROM {table} found WHERE found.{} {operator} {}",
        quote(&column),
        literal(&value)
    );
    rows::of_query(call, &query)
}

fn is_operator(text: &str) -> bool {
    let comment = text.contains("--") || text.contains("/*");
    !text.is_empty() && !comment && text.chars().all(|c| OPERATOR_CHARACTERS.contains(c))
}
