-- What a session keeps, and a search for those who see everything.

CREATE FUNCTION leadguard.cache()
RETURNS TABLE (members bigint, bytes bigint, bytes_limit bigint, hits bigint, misses bigint, evicted bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cache_wrapper';
COMMENT ON FUNCTION leadguard.cache() IS
'What this session keeps of what members reach: how many members, their memory and its limit (leadguard.cache_size), and how often a member was found, had to be loaded, or made room. Anyone may call it.';
