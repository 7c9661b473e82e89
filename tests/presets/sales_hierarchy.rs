//! sales_hierarchy: what the other test targets do not show: accounts, custom roles, deal registration that sticks, other rules.

use leadguard_tests::*;

use crate::lab::{attempt, creates, lines, rights, rule, seen, table};

/// The cast of `org` with accounts: lead 1 (alice's) and 11 (loner's, dach) belong to account 1 of carl, 9 (carl's) to account 2 of amy.
pub fn accounts(name: &str) -> Db {
    let db = Db::new(name);
    lead_table(&db);
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.account (id int PRIMARY KEY, owner_id bigint, name text);
         INSERT INTO crm.account SELECT v.id, m.id, v.name FROM (VALUES (1, 'carl', 'one'), (2, 'amy', 'two')) v (id, owner, name)
             JOIN leadguard.member m ON m.key = v.owner;
         ALTER TABLE crm.lead ADD account_id int, ADD creator_id bigint;
         UPDATE crm.lead SET account_id = CASE WHEN id IN (1, 11) THEN 1 WHEN id = 9 THEN 2 END;
         SELECT leadguard.protect('crm.account', id => 'id', owner => 'owner_id', object => 'account',
             archived_at => 'archived_at', archived_by => 'archived_by');
         SELECT leadguard.protect('crm.lead', id => 'id', owner => 'owner_id', creator => 'creator_id', territory => 'territory_id',
             parent => 'crm.account', parent_column => 'account_id', archived_at => 'archived_at', archived_by => 'archived_by');",
    );
    db
}

#[test]
fn o20_who_reads_the_account_reads_its_leads() {
    let db = accounts("o20");
    assert_eq!(
        table(&db, "crm.lead", "carl bob amy alice tess loner admin", "1 9 11 13"),
        lines(
            "carl  r---- ruasm r---- -----
             bob   r---- ruasm r---- -----
             amy   ----- r---- ----- -----
             alice ruasm ----- ----- -----
             tess  ----- ----- ru--- -----
             loner ----- ----- ruasm -----
             admin ruasm ruasm ruasm ruasm"
        )
    );
    // Everything that opens the account opens its leads, and ends with it.
    let (mut amy, mut ted) = (db.connect("amy"), db.connect("ted"));
    assert_eq!(seen(&mut ted, "crm.lead"), "");
    accepted(&mut amy, "SELECT leadguard.share('crm.account', '2', 'ted', 'full')");
    assert_eq!(seen(&mut ted, "crm.lead"), "9");
    assert_eq!(rights(&mut ted, "crm.lead", "9"), "r----", "full on the account is read on its leads");
    accepted(&mut amy, "SELECT leadguard.unshare('crm.account', '2', 'ted')");
    assert_eq!(seen(&mut ted, "crm.lead"), "");
    accepted(&mut amy, "SELECT leadguard.reassign('crm.account', '2', owner => 'ted')");
    assert_eq!(seen(&mut ted, "crm.lead"), "9");
    assert_eq!(seen(&mut amy, "crm.lead"), "15", "what amy has of her own");
    accepted(&mut ted, "DELETE FROM crm.account WHERE id = 2");
    assert_eq!(seen(&mut ted, "crm.lead"), "", "an archived account opens nothing");
}

#[test]
fn o20_the_account_can_give_more() {
    let db = accounts("o20_edit");
    let mut carl = db.connect("carl");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "r----");
    rule(&db, "crm.lead", "* parent access edit");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "ru---");
    rule(&db, "crm.lead", "* parent access none");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "-----");
    accepted(&mut db.admin(), "SELECT leadguard.drop_rule('crm.lead', '*', 'parent', 'access')");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "r----");
}

// A rep with level edit moves a lead to an account of his: nobody else may come to see it, and he does not keep a way in.
#[test]
fn o20_moving_a_lead_to_another_account_is_no_way_to_pass_it_on() {
    let db = accounts("o20_move");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '2', 'ted', 'edit')");
    let mut ted = db.connect("ted");
    assert_eq!(rights(&mut ted, "crm.lead", "2"), "ru---");
    assert_eq!(
        attempt(&mut ted, "UPDATE crm.lead SET account_id = 1 WHERE id = 2"),
        "42501",
        "carl would see it: that takes the right to share"
    );
    assert_eq!(attempt(&mut ted, "UPDATE crm.lead SET name = 'x' WHERE id = 2"), "1", "twin: another column");
    let move_it = "UPDATE crm.lead SET account_id = 1 WHERE id = 2";
    assert_eq!(attempt(&mut db.connect("alice"), move_it), "42501", "she does not see the account");
    accepted(&mut db.connect("carl"), "SELECT leadguard.share('crm.account', '1', 'alice', 'read')");
    assert_eq!(attempt(&mut db.connect("alice"), move_it), "1", "twin: level full, and sight of the account");
    accepted(&mut db.connect("carl"), "SELECT leadguard.share('crm.account', '1', 'ted', 'full')");
    assert_eq!(attempt(&mut ted, move_it), "42501", "full on the account is not full on the lead");
}

#[test]
fn o17_custom_roles_are_view_only() {
    let db = Db::new("o17");
    org(&db);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, level_cap) VALUES ('observer', 1, 'read'), ('editor_only', 1, 'edit');
         INSERT INTO leadguard.role (name, org_id) VALUES ('inspector', 1)",
    );
    let mut alice = db.connect("alice");
    assert_eq!(rights(&mut alice, "crm.lead", "1"), "ruasm");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'editor_only' FROM leadguard.member WHERE key = 'alice'",
    );
    assert_eq!(rights(&mut alice, "crm.lead", "1"), "ru---");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'observer' FROM leadguard.member WHERE key = 'alice'",
    );
    assert_eq!(rights(&mut alice, "crm.lead", "1"), "r----");
    assert!(!creates(&mut alice, "crm.lead"));
    for sql in [
        "UPDATE crm.lead SET name = 'x' WHERE false",
        "DELETE FROM crm.lead WHERE id = -1",
        "TRUNCATE crm.lead",
        "MERGE INTO crm.lead l USING (VALUES (1)) v (id) ON l.id = v.id WHEN MATCHED THEN DELETE",
        "SELECT leadguard.share('crm.lead', '1', 'carl')",
        "SELECT leadguard.team_add('crm.lead', '1', 'carl')",
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'carl')",
        "SELECT leadguard.archive('crm.lead', '1')",
    ] {
        assert_eq!(attempt(&mut alice, sql), "42501", "{sql}");
    }
    // A custom role that reads everything and writes what it wrote before.
    let mut anton = db.connect("anton");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'inspector' FROM leadguard.member WHERE key = 'anton'",
    );
    assert_eq!(seen(&mut anton, "crm.lead"), "6 7 8", "a role without rules");
    rule(&db, "crm.lead", "inspector organization access read");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'visibility', 'all', 'inspector')");
    assert_eq!(seen(&mut anton, "crm.lead"), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    assert_eq!(rights(&mut anton, "crm.lead", "1"), "r----");
    assert_eq!(rights(&mut anton, "crm.lead", "6"), "ruasm");
}

#[test]
fn o16_a_deal_registration_sticks() {
    let db = Db::new("o16");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit', reason => 'registration', retained => true)",
    );
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '2', 'carl', 'edit', reason => 'help')");
    let mut carl = db.connect("carl");
    for id in ["1", "2"] {
        assert_eq!(rights(&mut carl, "crm.lead", id), "ru---");
    }
    refused(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')", "42501");
    accepted(&mut alice, "SELECT leadguard.unshare('crm.lead', '2', 'carl')");
    accepted(
        &mut alice,
        "SELECT leadguard.team_add('crm.lead', '1', 'carl'); SELECT leadguard.team_remove('crm.lead', '1', 'carl')",
    );
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '3', 'carl', 'edit', retained => true)");
    accepted(&mut alice, "SELECT leadguard.reassign('crm.lead', '1', owner => 'amy')");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "ru---", "still");
    assert_eq!(rights(&mut carl, "crm.lead", "2"), "-----", "twin: an ordinary share");
    accepted(&mut db.connect("admin"), "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    assert_eq!(rights(&mut carl, "crm.lead", "1"), "-----");
    // What no longer counts is the rule's decision, also for those who hold one.
    rule(&db, "crm.lead", "* share access none");
    assert_eq!(rights(&mut carl, "crm.lead", "3"), "-----");
    accepted(&mut db.admin(), "SELECT leadguard.drop_rule('crm.lead', '*', 'share', 'access')");
    assert_eq!(rights(&mut carl, "crm.lead", "3"), "ru---");
}

#[test]
fn o21_the_shipped_rules_can_be_replaced() {
    let db = accounts("o21");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET creator_id = m.id FROM leadguard.member m WHERE m.key = 'ted' AND lead.id IN (1, 2)",
    );
    let (mut tess, mut mona, mut ted) = (db.connect("tess"), db.connect("mona"), db.connect("ted"));
    assert_eq!(rights(&mut tess, "crm.lead", "11"), "ru---");
    rule(&db, "crm.lead", "* territory access read");
    assert_eq!(rights(&mut tess, "crm.lead", "11"), "r----");
    assert_eq!(rights(&mut tess, "crm.lead", "12"), "ru---", "an ancestor's is another path");
    rule(&db, "crm.lead", "* territory share allow");
    assert_eq!(rights(&mut tess, "crm.lead", "11"), "r--s-");
    assert_eq!(rights(&mut mona, "crm.lead", "1"), "ruasm");
    rule(&db, "crm.lead", "* manager access read");
    assert_eq!(rights(&mut mona, "crm.lead", "1"), "r----");
    assert_eq!(seen(&mut ted, "crm.lead"), "", "a creator is nobody here");
    rule(&db, "crm.lead", "* created access read");
    assert_eq!(seen(&mut ted, "crm.lead"), "1 2");
    rule(&db, "crm.lead", "* own archive deny");
    assert_eq!(rights(&mut db.connect("alice"), "crm.lead", "1"), "ru-sm");
    rule(&db, "crm.lead", "* * create none");
    assert!(!creates(&mut db.connect("alice"), "crm.lead"));
    // Another table of the same preset keeps them.
    assert_eq!(rights(&mut db.connect("carl"), "crm.account", "1"), "ruasm");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.rules WHERE target = 'crm.lead'::regclass AND origin = 'table'"
        ),
        "6"
    );
    accepted(&mut db.admin(), "SELECT leadguard.set_preset('crm.lead', 'sales_hierarchy')");
    assert_eq!(rights(&mut tess, "crm.lead", "11"), "ru---", "the shipped rules again");
    assert_eq!(rights(&mut mona, "crm.lead", "1"), "ruasm");
    assert_eq!(seen(&mut ted, "crm.lead"), "");
}
