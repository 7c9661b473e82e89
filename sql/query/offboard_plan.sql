-- Plans the leaving of member $2, or plans it anew; nothing once the last day is over.
INSERT INTO leadguard.offboarding AS held (org_id, member_id, planned_by, last_day, transition_role, note)
VALUES ($1, $2, $3, coalesce($4::date, current_date), $5, $6)
ON CONFLICT (member_id) WHERE state IN ('planned', 'leaving')
DO UPDATE SET planned_by = excluded.planned_by, planned_at = now(), last_day = excluded.last_day,
    transition_role = excluded.transition_role, note = excluded.note
WHERE held.state = 'planned'
