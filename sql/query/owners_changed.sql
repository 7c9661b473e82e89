-- Members who ceased to be active, or are another's or elsewhere now, other than by a merger.
SELECT o.id, o.key
FROM old_rows o
LEFT JOIN new_rows n ON n.id = o.id
WHERE n.id IS NULL OR (o.active AND NOT n.active)
   OR (n.org_id <> o.org_id
       AND NOT EXISTS (SELECT FROM leadguard.organization s WHERE s.id = o.org_id AND s.merged_into = n.org_id))
