-- What a session keeps, and a search for those who see everything.

CREATE FUNCTION leadguard.cache()
RETURNS TABLE (members bigint, bytes bigint, bytes_limit bigint, hits bigint, misses bigint, evicted bigint)
LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'cache_wrapper';
COMMENT ON FUNCTION leadguard.cache() IS
'What this session keeps of what members reach: how many members, their memory and its limit (leadguard.cache_size), and how often a member was found, had to be loaded, or made room. Anyone may call it.';

CREATE FUNCTION leadguard.search(target anyelement, "column" text, operator text, value text)
RETURNS SETOF anyelement LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'leadguard_search';
COMMENT ON FUNCTION leadguard.search(anyelement, text, text, text) IS
'The rows of a protected table that the caller sees and where column operator value holds, as in search(NULL::crm.lead, ''company'', ''~~*'', ''%acme%''). For members who see every row, operators that are not leakproof (~~, @@, ->) can use their index here, which they cannot under row security. Anyone may call it, with his own rights; 22023 for an argument that is not a protected table''s row, 42703 for an unknown column.';
