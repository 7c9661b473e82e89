-- Asking for approvals and deciding them. Requests and decisions are rows of leadguard.approval, which requesters and
-- approvers read.

CREATE FUNCTION leadguard.request_approval(kind text, target regclass, record text, field text, justification text,
                                       until timestamptz DEFAULT now() + interval '7 days')
    RETURNS bigint
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'request_approval_wrapper';
COMMENT ON FUNCTION leadguard.request_approval(text, regclass, text, text, text, timestamptz) IS
'Asks for an approval; returns its number. kind: field (write the field, which kind field needs and the others do not take), delete, purge, restore. Once granted it is used by the requesters next write that needs it, once, until the given time. For members who see the record, systems too. Errors: 42501 no member, a login that only reads, or no such record for the caller; 22023 arguments; 42703 no such column.';

CREATE FUNCTION leadguard.decide_approval(id bigint, granted boolean, answer text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'decide_approval_wrapper';
COMMENT ON FUNCTION leadguard.decide_approval(bigint, boolean, text) IS
'Grants or denies a request of any kind, once, and tells the requester. For persons with the capability approve, of the requesters organization, who see the record, if it is for one, and are not the requester; requests of kinds access and role are decided by whoever may give what they ask for. Errors: 42501 no right, own request, or no such request for the caller; 22023 arguments; 55000 decided already, or expired.';
