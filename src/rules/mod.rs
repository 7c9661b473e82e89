//! Rules about which records roles reach, and what they may do there.

use crate::errors::{NOT_YET, failure};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

fn later() -> ! {
    failure(NOT_YET, "not yet").raise()
}

#[pg_extern(sql = false)]
fn set_rule(_t: Option<Oid>, _r: Option<&str>, _p: Option<&str>, _a: Option<&str>, _e: Option<&str>, _s: Option<Vec<Option<String>>>) {
    later()
}
#[pg_extern(sql = false)]
fn drop_rule(_t: Option<Oid>, _r: Option<&str>, _p: Option<&str>, _a: Option<&str>, _s: Option<Vec<Option<String>>>) -> bool {
    later()
}
#[pg_extern(sql = false)]
fn set_switch(_t: Option<Oid>, _s: Option<&str>, _v: Option<&str>, _r: Option<&str>) {
    later()
}
#[pg_extern(sql = false)]
fn reset_switch(_t: Option<Oid>, _s: Option<&str>, _r: Option<&str>) -> bool {
    later()
}
#[pg_extern(sql = false)]
fn set_preset(_t: Option<Oid>, _p: Option<&str>, _o: Option<&str>) {
    later()
}
#[pg_extern(sql = false)]
fn access_matrix(_t: Option<Oid>) -> TableIterator<'static, (name!(role, String),)> {
    later()
}
#[pg_extern(sql = false)]
fn member_rights(_m: Option<&str>) -> TableIterator<'static, (name!(role, String),)> {
    later()
}
#[pg_extern(sql = false)]
fn mark_sensitive(_t: Option<Oid>, _r: Option<&str>, _e: Option<&str>) {
    later()
}
#[pg_extern(sql = false)]
fn unmark_sensitive(_t: Option<Oid>, _r: Option<&str>, _e: Option<&str>) {
    later()
}
