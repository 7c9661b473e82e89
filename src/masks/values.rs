//! The mask that hashes; the others are SQL in the view (protect::view) and ffi::partial.

use crate::errors::failure;
use crate::ffi::scan::{self, Equal};
use crate::model::digest::{self, Key};
use pgrx::pg_extern;
use std::cell::OnceCell;

thread_local! {
    static KEY: OnceCell<Key> = const { OnceCell::new() };
}

/// Keyed by a secret of the database, so that nobody can compute the hash of a value that he guesses.
#[pg_extern(sql = false)]
fn mask_hash(value: &str) -> String {
    let key = KEY.with(|held| held.get().cloned()).unwrap_or_else(|| {
        let key = read_key();
        KEY.with(|held| held.set(key.clone()).ok());
        key
    });
    let mut text = String::with_capacity(2 * digest::LENGTH);
    digest::hex(&key.digest("mask").text(value).bytes(), &mut text);
    text
}

fn read_key() -> Key {
    let secrets = scan::Table::open(c"secret");
    let (name, key) = (secrets.column(c"name"), secrets.column(c"key"));
    let mut found = None;
    secrets.scan(Some(c"secret_pkey"), &[(name, Equal::Text(c"mask"))], |row| {
        found = row.bytes(key);
        false
    });
    match found.as_deref().and_then(Key::new) {
        Some(key) => key,
        None => failure("55000", "the masks have lost their key")
            .hint("A superuser inserts a row \"mask\" with 32 random bytes into leadguard.secret.")
            .raise(),
    }
}
