SELECT descendant_id FROM leadguard.member_closure WHERE ancestor_id = $1
