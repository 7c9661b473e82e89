//! What an application asks. The table is a placeholder, so that every variant runs the same text.

use crate::people::Person;

pub struct Query {
    pub name: &'static str,
    text: &'static str,
}

pub const COUNT: Query = Query { name: "count", text: "SELECT count(*) FROM {lead} AS l" };
pub const NEWEST: Query = Query {
    name: "newest 50",
    text: "SELECT id, company, status, amount, created_at FROM {lead} AS l ORDER BY created_at DESC LIMIT 50",
};
pub const DASHBOARD: Query = Query {
    name: "dashboard",
    text: "SELECT status, count(*), sum(amount) FROM {lead} AS l GROUP BY status ORDER BY status",
};
pub const BY_EMAIL: Query = Query { name: "by e-mail", text: "SELECT * FROM {lead} AS l WHERE email = '{email}'" };
pub const BY_ID: Query = Query { name: "by id", text: "SELECT * FROM {lead} AS l WHERE id = {id}" };
/// Index-only scans, one per owner.
pub const PER_OWNER: Query = Query {
    name: "count per owner",
    text: "SELECT o, (SELECT count(*) FROM {lead} AS l WHERE l.owner_id = o) FROM generate_series({owner}, {owner} + 50) AS o",
};
/// An index-only scan of the whole index.
pub const OWNERS: Query = Query { name: "distinct owners", text: "SELECT count(DISTINCT owner_id) FROM {lead} AS l" };
pub const ACCOUNTS: Query = Query {
    name: "join accounts",
    text: "SELECT a.industry, count(*), sum(l.amount) FROM {lead} AS l JOIN crm.account AS a ON a.id = l.account_id
           GROUP BY a.industry ORDER BY a.industry",
};
pub const SEARCH: Query =
    Query { name: "text search", text: "SELECT count(*), max(id) FROM {lead} AS l WHERE company ILIKE '%nova%'" };
pub const PAGE: Query = Query {
    name: "next page",
    text: "SELECT id, company, created_at FROM {lead} AS l WHERE (created_at, id) < ('{page_at}', {page_id})
           ORDER BY created_at DESC, id DESC LIMIT 50",
};
pub const LIST: Query =
    Query { name: "list of ids", text: "SELECT id, company, status FROM {lead} AS l WHERE id IN ({list})" };
pub const TOP_THREE: Query = Query {
    name: "top 3 per status",
    text: "SELECT * FROM (
               SELECT id, status, amount, rank() OVER (PARTITION BY status ORDER BY amount DESC) AS place FROM {lead} AS l
           ) AS r WHERE place <= 3",
};

impl Query {
    pub fn sql(&self, lead: &str, person: &Person) -> String {
        self.text
            .replace("{lead}", lead)
            .replace("{id}", &person.lead.to_string())
            .replace("{email}", &person.email)
            .replace("{owner}", &person.owner.to_string())
            .replace("{page_at}", &person.page.0)
            .replace("{page_id}", &person.page.1.to_string())
            .replace("{list}", &person.list)
    }
}
