//! The best seller of a real company leaves.

use crate::load;
use leadguard_tests::*;

#[test]
fn story_of_the_best_seller_who_leaves() {
    let Some(data) = shared_data() else { return };
    let db = Db::new("departure");
    load::load(&db, &data);
    let mut admin = db.admin();
    let best = rows(
        &mut admin,
        "SELECT m.key, count(*), b.key FROM maven.opportunity o JOIN leadguard.member m ON m.key = o.sales_agent
         JOIN leadguard.member b ON b.id = m.manager_id WHERE o.deal_stage = 'Won' GROUP BY 1, 3 ORDER BY 2 DESC, 1 LIMIT 1",
    );
    let (seller, manager) = (best[0][0].clone(), best[0][2].clone());
    let owned = format!("SELECT count(*) FROM maven.opportunity WHERE sales_agent = '{seller}'");
    let all: i64 = scalar(&mut admin, &owned).parse().expect("a number");
    assert!(all > 100, "{seller} has {all}");
    accepted(
        &mut admin,
        &format!("INSERT INTO leadguard.member (org_id, key, name, db_role) SELECT id, 'hr', 'HR', '{}' FROM leadguard.organization WHERE key = 'maven';
                  INSERT INTO leadguard.member_role SELECT id, 'administrator' FROM leadguard.member WHERE key = 'hr'", db.create_role("hr")),
    );
    let mut hr = db.connect("hr");
    let plan = rows(
        &mut hr,
        &format!(
            "SELECT kind, suggested_owner, count(*) FROM leadguard.offboard_plan('{seller}', current_date + 14, 'moves on') GROUP BY 1, 2 ORDER BY 3 DESC"
        ),
    );
    println!("plan for {seller}: {plan:?}");
    assert_eq!(
        plan.iter().filter(|row| row[0] == "record").map(|row| row[2].parse::<i64>().expect("a number")).sum::<i64>(),
        all
    );

    let began = std::time::Instant::now();
    let done = rows(
        &mut hr,
        &format!(
            "SELECT step, target, detail, count FROM leadguard.offboard_last_day('{seller}', reason => 'last day')"
        ),
    );
    println!("last day, in {:?}: {done:?}", began.elapsed());
    assert_eq!(done[0], ["reassigned", "maven.opportunity", &format!("to {manager}"), &all.to_string()]);
    assert_eq!(scalar(&mut admin, &owned), "0");
    accepted(&mut hr, &format!("SELECT * FROM leadguard.offboard_end('{seller}', 'over')"));
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT count(*) FROM maven.opportunity o LEFT JOIN leadguard.member m ON m.key = o.sales_agent WHERE m.active IS NOT TRUE"
        ),
        "0"
    );
    let audit = rows(
        &mut hr,
        "SELECT action, target_name, reason, count(*), min(detail) FROM leadguard.audit_log WHERE member_key = 'hr' GROUP BY 1, 2, 3 ORDER BY min(at), min(id)",
    );
    for row in &audit {
        println!("audit: {}", row.join(" | "));
    }
    assert!(audit.iter().any(|row| row[0] == "reassign" && row[3] == all.to_string()), "{audit:?}");
}
