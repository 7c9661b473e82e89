//! A plain UPDATE of owner, territory, organization or id.

use leadguard_tests::*;

fn owner(db: &Db, id: u8, key: &str) -> String {
    format!("UPDATE crm.lead SET owner_id = {} WHERE id = {id}", member(&mut db.admin(), key))
}

fn place_in(db: &Db, id: u8, key: &str) -> String {
    format!("UPDATE crm.lead SET territory_id = {} WHERE id = {id}", territory(&mut db.admin(), key))
}

#[test]
fn a_lead_moves_among_people_below() {
    let db = Db::new("own_below");
    org(&db);
    assert_eq!(accepted(&mut db.connect("mona"), &owner(&db, 1, "anton")), 1);
    assert_eq!(leads(&db, "anton"), set("1 6 7 8"));
    assert_eq!(accepted(&mut db.connect("ceo"), &owner(&db, 1, "carl")), 1);
    assert_eq!(leads(&db, "carl"), set("1 9 10"));
    assert_eq!(accepted(&mut db.connect("admin"), &owner(&db, 1, "loner")), 1);
    assert_eq!(leads(&db, "loner"), set("1 11 12 14 15"));
}

#[test]
fn giving_away_the_own_sight_names_reassign() {
    let db = Db::new("own_away");
    org(&db);
    for (who, to) in [("alice", "anton"), ("mona", "carl"), ("vp", "loner")] {
        let error = refused(&mut db.connect(who), &owner(&db, 1, to), "42501");
        assert!(error.hint().is_some_and(|h| h.contains("leadguard.reassign")), "{who}: {error:?}");
    }
    let error = refused(&mut db.connect("alice"), "UPDATE crm.lead SET owner_id = NULL WHERE id = 1", "42501");
    assert!(error.hint().is_some_and(|h| h.contains("leadguard.reassign")), "{error:?}");
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
    // The same change by somebody who still sees the lead afterwards.
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'alice', 'read')");
    assert_eq!(accepted(&mut db.connect("alice"), &owner(&db, 1, "anton")), 1);
    assert_eq!(level(&db, "alice", "1"), "read");
}

#[test]
fn edit_is_not_enough_for_ownership() {
    let db = Db::new("own_edit");
    org(&db);
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit'), leadguard.share('crm.lead', '2', 'carl', 'full')",
    );
    let mut carl = db.connect("carl");
    for (edit, full) in [(owner(&db, 1, "carl"), owner(&db, 2, "carl")), (owner(&db, 1, "bob"), owner(&db, 2, "bob"))] {
        refused(&mut carl, &edit, "42501");
        assert_eq!(allowed(&mut carl, &full), 1);
    }
    refused(&mut carl, &place_in(&db, 1, "amer"), "42501");
    assert_eq!(accepted(&mut carl, "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    // A value that stays the same is no change.
    assert_eq!(
        accepted(
            &mut carl,
            "UPDATE crm.lead SET owner_id = owner_id, territory_id = territory_id, id = id WHERE id = 1"
        ),
        1
    );
    refused(&mut db.connect("tom"), &place_in(&db, 11, "bern"), "42501");
}

#[test]
fn the_new_owner_must_exist_and_be_active() {
    let db = Db::new("own_bad");
    org(&db);
    let to_anton = owner(&db, 1, "anton");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'anton'");
    for who in ["mona", "admin"] {
        for sql in [
            &to_anton,
            "UPDATE crm.lead SET owner_id = 0 WHERE id = 1",
            "UPDATE crm.lead SET owner_id = 987654321 WHERE id = 1",
        ] {
            let state = code(&mut db.connect(who), sql);
            assert!(["42501", "23503", "23514", "22023"].contains(&state.as_str()), "{who}: {state}: {sql}");
        }
        let state = code(&mut db.connect(who), "UPDATE crm.lead SET territory_id = 987654321 WHERE id = 1");
        assert!(["42501", "23503", "23514", "22023"].contains(&state.as_str()), "{who}: {state}");
    }
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'anton'");
    assert_eq!(accepted(&mut db.connect("mona"), &to_anton), 1);
}

#[test]
fn the_id_of_a_record_never_changes() {
    let db = Db::new("own_id");
    org(&db);
    for who in ["alice", "mona", "admin"] {
        refused(&mut db.connect(who), "UPDATE crm.lead SET id = 501 WHERE id = 1", "42501");
        assert_eq!(accepted(&mut db.connect(who), "UPDATE crm.lead SET id = 1, name = 'x' WHERE id = 1"), 1);
    }
}

#[test]
fn triggers_of_the_table_do_not_lift_the_rules() {
    let db = Db::new("own_trigger");
    org(&db);
    let carl = member(&mut db.admin(), "carl");
    // A customer's trigger that fires last moves every changed lead to carl.
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE FUNCTION crm.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner_id := {carl}; RETURN NEW; END $$;
             CREATE TRIGGER zzz_steal BEFORE INSERT OR UPDATE ON crm.lead FOR EACH ROW WHEN (NEW.name = 'steal') EXECUTE FUNCTION crm.steal()"
        ),
    );
    let mut alice = db.connect("alice");
    for sql in ["UPDATE crm.lead SET name = 'steal' WHERE id = 1", "INSERT INTO crm.lead (name) VALUES ('steal')"] {
        refused(&mut alice, sql, "42501");
        assert_eq!(allowed(&mut alice, &sql.replace("steal", "keep")), 1);
    }
    assert_eq!(leads(&db, "carl"), set("9 10"));
}

#[test]
fn a_trigger_does_not_raise_a_level() {
    let db = Db::new("own_trigger_level");
    org(&db);
    let carl = member(&mut db.admin(), "carl");
    // The row stays readable to carl, so only a look at what was finally stored can tell that he took it over.
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE FUNCTION crm.take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner_id := {carl}; RETURN NEW; END $$;
             CREATE TRIGGER zzz_take BEFORE UPDATE ON crm.lead FOR EACH ROW WHEN (NEW.name = 'take') EXECUTE FUNCTION crm.take()"
        ),
    );
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit'), leadguard.share('crm.lead', '2', 'carl', 'full')",
    );
    let mut session = db.connect("carl");
    refused(&mut session, "UPDATE crm.lead SET name = 'take' WHERE id = 1", "42501");
    assert_eq!(accepted(&mut session, "UPDATE crm.lead SET name = 'keep' WHERE id = 1"), 1);
    assert_eq!(level(&db, "carl", "1"), "edit");
    assert_eq!(accepted(&mut session, "UPDATE crm.lead SET name = 'take' WHERE id = 2"), 1);
    assert_eq!(level(&db, "carl", "2"), "full");
}
