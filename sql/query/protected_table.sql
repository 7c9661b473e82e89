-- Policies name the root; triggers of partitions run on the partition.
SELECT org_id, id_column, owner_column, creator_column, territory_column, organization_column, on_denied, force, target
FROM leadguard.protected_table
WHERE target = coalesce(pg_partition_root($1), $1)
