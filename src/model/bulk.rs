//! The changes of many records, put together as one row: the fields once, and for each record both sides of each field.

use super::change::{Change, Field};
use super::digest::LENGTH;
use std::rc::Rc;

/// What a text in an array needs beside its bytes, at most.
const AROUND: usize = 8;

pub struct Bulk<'a> {
    pub records: Vec<&'a str>,
    /// Those that changed in one of the records at least, in the order of their names.
    pub fields: Vec<Rc<str>>,
    /// For each record, for each field: the digest before and the one after. Zeros for none.
    pub digests: Vec<u8>,
    /// In the same order; None without any.
    pub values: Option<[Vec<Option<&'a str>>; 2]>,
}

/// Names of both lists, in order; true when there were new ones.
fn merge(fields: &mut Vec<Rc<str>>, change: &Change) -> bool {
    let count = fields.len();
    let is_same = count == change.0.len() && fields.iter().zip(&change.0).all(|(a, b)| *a == b.name);
    if !is_same {
        fields.extend(change.0.iter().map(|field| Rc::clone(&field.name)));
        fields.sort_unstable();
        fields.dedup();
    }
    fields.len() > count
}

/// How many of the changes, one at least, make a row of so many bytes.
pub fn fitting<'a>(changes: impl Iterator<Item = (&'a str, &'a Change)>, room: usize) -> usize {
    let (mut fields, mut names, mut texts, mut count) = (Vec::new(), 0, 0, 0);
    let size = |value: &Option<String>| value.as_ref().map_or(0, |value| value.len() + AROUND);
    for (record, change) in changes {
        if merge(&mut fields, change) {
            names = fields.iter().map(|name| name.len() + AROUND).sum();
        }
        texts += record.len() + AROUND;
        for Field { values: [old, new], .. } in &change.0 {
            texts += size(old) + size(new);
        }
        // Digests, and a bit for each value that is missing.
        let cells = (count + 1) * fields.len() * (2 * LENGTH) + (count + 1) * fields.len() / 4;
        if count > 0 && names + texts + cells > room {
            break;
        }
        count += 1;
    }
    count
}

impl<'a> Bulk<'a> {
    pub fn new(changes: impl Iterator<Item = (&'a str, &'a Change)> + Clone) -> Bulk<'a> {
        let mut fields = Vec::new();
        for (_, change) in changes.clone() {
            merge(&mut fields, change);
        }
        let keeps = changes.clone().any(|(_, change)| change.keeps_values());
        let mut bulk = Bulk { records: Vec::new(), digests: Vec::new(), values: keeps.then(Default::default), fields };
        for (record, change) in changes {
            bulk.records.push(record);
            let mut of_change = change.0.iter().peekable();
            for name in &bulk.fields {
                let field = of_change.next_if(|field| field.name == *name);
                let digests = field.map_or([None, None], |Field { digests, .. }| *digests);
                digests.iter().for_each(|digest| bulk.digests.extend_from_slice(&digest.unwrap_or_default()));
                for (side, all) in bulk.values.iter_mut().flatten().enumerate() {
                    all.push(field.and_then(|field| field.values[side].as_deref()));
                }
            }
        }
        bulk
    }
}

/// The fields of one record in a row that is read back, with both digests; None for one that did not change.
pub fn sides(digests: &[u8], width: usize) -> impl Iterator<Item = [Option<&[u8]>; 2]> {
    let (cells, _) = digests.as_chunks::<LENGTH>();
    let side = |cell: &'_ [u8; LENGTH]| cell.iter().any(|byte| *byte != 0);
    cells.chunks_exact(2).take(width).map(move |pair| [0, 1].map(|n| side(&pair[n]).then_some(&pair[n][..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(fields: &[(&str, Option<&str>, Option<&str>)]) -> Change {
        let digest = |value: Option<&str>| value.map(|v| [v.len() as u8 + 1; LENGTH]);
        let field = |(name, old, new): &(&str, Option<&str>, Option<&str>)| Field {
            name: (*name).into(),
            digests: [digest(*old), digest(*new)],
            values: [old.map(str::to_owned), new.map(str::to_owned)],
        };
        Change(fields.iter().map(field).collect())
    }

    #[test]
    fn fields_of_all_records_have_their_place_in_each() {
        let changes =
            [change(&[("a", Some("x"), Some("xy")), ("c", None, Some(""))]), change(&[("b", Some("z"), None)])];
        let named = ["1", "2"].into_iter().zip(&changes);
        let bulk = Bulk::new(named.clone());
        assert_eq!(bulk.records, ["1", "2"]);
        assert_eq!(bulk.fields.iter().map(|f| &**f).collect::<Vec<_>>(), ["a", "b", "c"]);
        let firsts: Vec<u8> = bulk.digests.chunks(LENGTH).map(|cell| cell[0]).collect();
        assert_eq!(firsts, [2, 3, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0]);
        let [old, new] = bulk.values.as_ref().unwrap();
        assert_eq!(old[..], [Some("x"), None, None, None, Some("z"), None]);
        assert_eq!(new[..], [Some("xy"), None, Some(""), None, None, None]);
        let first: Vec<[bool; 2]> = sides(&bulk.digests, 3).map(|pair| pair.map(|side| side.is_some())).collect();
        assert_eq!(first, [[true, true], [false, false], [false, true]]);
    }

    #[test]
    fn what_is_not_kept_takes_no_room() {
        let mut one = change(&[("a", Some("x"), Some("y"))]);
        one.forget_values();
        assert!(Bulk::new([("1", &one)].into_iter()).values.is_none());
        assert!(Bulk::new([("1", &Change::default())].into_iter()).digests.is_empty());
    }

    #[test]
    fn rows_fill_a_page_and_hold_one_record_at_least() {
        let long = "v".repeat(10_000);
        let changes: Vec<Change> = (0..200).map(|_| change(&[("a", Some("x"), Some("y"))])).collect();
        let fits = |changes: &[Change], room| fitting(changes.iter().map(|c| ("record", c)), room);
        assert_eq!(fits(&changes, 100_000), 200);
        let some = fits(&changes, 4_000);
        assert!((50..80).contains(&some), "{some}");
        assert_eq!(fits(&[change(&[("a", Some(&long), None)])], 4_000), 1);
        assert_eq!(fits(&[], 4_000), 0);
    }
}
