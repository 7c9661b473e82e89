-- Rules about e-mail domains of organization $1 that $2 allows and has none for. Who joins $2 by any other domain is for $2
-- to say; what is left stays with the organization that is archived.
UPDATE leadguard.domain_rule d SET org_id = $2
WHERE d.org_id = $1 AND d.domain <> '*' AND leadguard.domain_gives(d.kind, d.role_id, $2)
  AND NOT EXISTS (SELECT FROM leadguard.domain_rule held WHERE held.org_id = $2 AND held.domain = d.domain)
