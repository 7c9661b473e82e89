SELECT field_default = 'no access', id_column, owner_column, creator_column, territory_column, organization_column,
       archived_at_column, archived_by_column
FROM leadguard.protected_table
WHERE target = $1
