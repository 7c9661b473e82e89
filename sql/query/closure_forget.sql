WITH below AS (
    DELETE FROM {closure} c USING unnest($1) AS removed (id) WHERE c.ancestor_id = removed.id
)
DELETE FROM {closure} c USING unnest($1) AS removed (id) WHERE c.descendant_id = removed.id
