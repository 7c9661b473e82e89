//! Whether texts are values of a column, and how its type writes them.
//!
//! The input functions of types run as the caller, as they would in his INSERT: a domain may check its values with code
//! of its owner. Many values are tried together; where that fails, the halves are, down to the one that is to blame.

use super::target::Field;
use crate::ffi::attempt::attempt;
use crate::ffi::row;

/// For each text how the type of the column writes it, or nothing where that is not asked for; None for what is no value.
pub(super) fn written(field: &Field, texts: &[&str], asked: bool) -> Vec<Option<String>> {
    if field.takes_any() {
        return texts.iter().map(|text| Some(if asked { (*text).to_owned() } else { String::new() })).collect();
    }
    let mut answer = Vec::with_capacity(texts.len());
    tried(texts, &mut answer, &|text| {
        if asked {
            return row::rewritten(field.type_oid, field.modifier, text);
        }
        row::parse(field.type_oid, field.modifier, text);
        String::new()
    });
    answer
}

fn tried<T>(texts: &[&str], answer: &mut Vec<Option<T>>, read: &dyn Fn(&str) -> T) {
    match attempt(|| texts.iter().map(|text| read(text)).collect::<Vec<T>>()) {
        Some(values) => answer.extend(values.into_iter().map(Some)),
        None if texts.len() == 1 => answer.push(None),
        None => {
            let (first, second) = texts.split_at(texts.len() / 2);
            tried(first, answer, read);
            tried(second, answer, read);
        }
    }
}

/// The tags in each text; None for what is no list of texts.
pub(super) fn tags(field: &Field, texts: &[&str]) -> Vec<Option<Vec<Option<String>>>> {
    let mut answer = Vec::with_capacity(texts.len());
    tried(texts, &mut answer, &|text| row::elements(field.type_oid, text));
    answer.into_iter().map(Option::flatten).collect()
}
