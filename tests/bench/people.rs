//! Who is measured, and which leads their queries ask for.

use crate::session::{Result, Session};

#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    /// Empty for somebody who is no member.
    pub key: String,
    pub member: i64,
    /// How many leads of the main table.
    pub sees: i64,
    pub share: f64,
    /// A visible lead, one of the person's own where there is one.
    pub lead: i64,
    pub owner: i64,
    pub email: String,
    /// The middle of the newest-first order.
    pub page: (String, i64),
    /// Twenty ids, at least half of them visible.
    pub list: String,
}

impl Person {
    /// The login as which leadguard knows the person.
    pub fn login(&self) -> String {
        format!("bench_{}", self.name)
    }
}

pub fn load(admin: &mut Session) -> Result<Vec<Person>> {
    let rows = admin.run(
        "SELECT c.name, coalesce(m.key, ''), coalesce(c.member_id, 0), c.sees,
             100.0 * c.sees / (SELECT count(*) FROM plain.lead), c.lead_id, c.owner_id, c.email, c.page_at, c.page_id, c.list
         FROM org.cast_member AS c
         LEFT JOIN org.member AS m ON m.id = c.member_id
         ORDER BY c.place",
    )?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("a number expected, got \"{text}\""));
    let mut people = Vec::new();
    for row in rows {
        people.push(Person {
            name: row[0].clone(),
            key: row[1].clone(),
            member: number(&row[2])?,
            sees: number(&row[3])?,
            share: row[4].parse().map_err(|_| format!("a share expected, got \"{}\"", row[4]))?,
            lead: number(&row[5])?,
            owner: number(&row[6])?,
            email: row[7].clone(),
            page: (row[8].clone(), number(&row[9])?),
            list: row[10].clone(),
        });
    }
    Ok(people)
}
