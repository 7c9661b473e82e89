-- Takes what a member ($4) or team ($5) holds on a record; retained grants only for administrators ($6).
DELETE FROM leadguard.record_grant
WHERE target = $1 AND record = $2 AND kind = $3 AND (member_id = $4 OR team_id = $5) AND ($6 OR NOT retained)
