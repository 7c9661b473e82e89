-- Claims and disputes, and who works on records beside their owners.

CREATE FUNCTION leadguard.put_claim(target regclass, record text, organization bigint, claimant bigint, reason text)
RETURNS TABLE (claim bigint, dispute bigint, opened boolean)
LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_dispute bigint;
    other bigint;
BEGIN
    LOOP
        opened := false;
        IF EXISTS (SELECT FROM leadguard.claim c WHERE c.target = put_claim.target AND c.record = put_claim.record
                                                   AND c.member_id = claimant AND c.state <> 'closed') THEN
            RETURN;
        END IF;
        -- A dispute that is open takes the claim in; while this holds its row, nobody closes it.
        SELECT d.id INTO found_dispute FROM leadguard.dispute d
        WHERE d.target = put_claim.target AND d.record = put_claim.record AND d.closed_at IS NULL FOR UPDATE;
        IF found_dispute IS NULL THEN
            -- Of two sessions that come to an unclaimed record at once, the second waits here for the first.
            INSERT INTO leadguard.claim (org_id, target, record, member_id, reason)
            VALUES (organization, put_claim.target, put_claim.record, claimant, put_claim.reason)
            ON CONFLICT (target, record) WHERE state = 'open' DO NOTHING
            RETURNING id INTO claim;
            IF claim IS NOT NULL THEN
                -- Whoever was waited for may have opened a dispute with the claim that was there.
                SELECT d.id INTO found_dispute FROM leadguard.dispute d
                WHERE d.target = put_claim.target AND d.record = put_claim.record AND d.closed_at IS NULL FOR UPDATE;
                IF found_dispute IS NOT NULL THEN
                    UPDATE leadguard.claim c SET state = 'disputed', dispute_id = found_dispute WHERE c.id = claim;
                END IF;
                dispute := found_dispute;
                RETURN NEXT;
                RETURN;
            END IF;
            SELECT c.id INTO other FROM leadguard.claim c
            WHERE c.target = put_claim.target AND c.record = put_claim.record AND c.state = 'open' FOR UPDATE;
            -- It was closed, or a dispute opened, meanwhile.
            CONTINUE WHEN other IS NULL;
            INSERT INTO leadguard.dispute (org_id, target, record) VALUES (organization, put_claim.target, put_claim.record)
            ON CONFLICT (target, record) WHERE closed_at IS NULL DO NOTHING
            RETURNING id INTO found_dispute;
            CONTINUE WHEN found_dispute IS NULL;
            opened := true;
            UPDATE leadguard.claim c SET state = 'disputed', dispute_id = found_dispute WHERE c.id = other;
        END IF;
        dispute := found_dispute;
        INSERT INTO leadguard.claim (org_id, target, record, member_id, reason, state, dispute_id)
        VALUES (organization, put_claim.target, put_claim.record, claimant, put_claim.reason, 'disputed', found_dispute)
        RETURNING id INTO claim;
        RETURN NEXT;
        RETURN;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadguard.put_claim(regclass, text, bigint, bigint, text) IS
'Internal: stores a claim, and opens or joins the dispute that it makes; no row where the member claims the record already.';

CREATE FUNCTION leadguard.end_dispute(dispute bigint, closer bigint, winner bigint, reason text)
RETURNS void LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE leadguard.dispute d
    SET closed_at = clock_timestamp(), closed_by = closer, winner = end_dispute.winner, reason = end_dispute.reason
    WHERE d.id = dispute;
    UPDATE leadguard.claim c SET state = 'closed', closed_at = clock_timestamp()
    WHERE c.dispute_id = dispute AND c.state = 'disputed' AND c.member_id IS DISTINCT FROM end_dispute.winner;
    UPDATE leadguard.claim c SET state = 'open'
    WHERE c.dispute_id = dispute AND c.state = 'disputed' AND c.member_id = end_dispute.winner;
END
$$;
COMMENT ON FUNCTION leadguard.end_dispute(bigint, bigint, bigint, text) IS
'Internal: closes a dispute; the claim of the winner stays open, the others are closed.';

CREATE FUNCTION leadguard.claim(target regclass, record text, reason text)
RETURNS bigint LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'claim_wrapper';
COMMENT ON FUNCTION leadguard.claim(regclass, text, text) IS
'Claims a record; returns the number of the claim. A claim of another member beside it opens a dispute, or joins the one that is open. Owner and claimants are told. For members, no guests, who may update the record, or read it where the switch claims says so. Errors: 42501 no right, or no such record for the caller; 22023 without a reason; 23505 claimed by the caller already; 55000 archived.';

CREATE FUNCTION leadguard.release(claim bigint)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'release_wrapper';
COMMENT ON FUNCTION leadguard.release(bigint) IS
'Ends a claim; a dispute that it is part of stays until it is closed. For who made it; claims in no dispute also for persons with the capability approve of the organization, and who made it is told. Errors: 42501 no such claim for the caller; 22023; 55000 closed already, or in a dispute that close_dispute decides.';

CREATE FUNCTION leadguard.close_dispute(id bigint, winner text, reason text, reassign boolean DEFAULT true)
RETURNS void LANGUAGE c VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'close_dispute_wrapper';
COMMENT ON FUNCTION leadguard.close_dispute(bigint, text, text, boolean) IS
'Decides a dispute for one of the claimants (key), or for none (NULL), once; the winner becomes the owner unless reassign is false. For persons with the capability approve of the organization who claim nothing in it; to reassign they need the right on the record. Errors: 42501 no right, own dispute, or no such dispute for the caller; 22023; 55000 closed already.';

CREATE FUNCTION leadguard.worked_on(target regclass, record text, days integer DEFAULT 30)
RETURNS TABLE (member text, what text, times bigint, last_at timestamptz, owner boolean)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'worked_on_wrapper';
COMMENT ON FUNCTION leadguard.worked_on(regclass, text, integer) IS
'Who worked on a record in the last days: changed it (what the audit has: rows that change owner, territory or a field with rules, archiving), claims it, was offered it, or noted something; and whether that is its owner. For whoever reads the record; no rows for others. Errors: 42501 no identity, 22023.';

CREATE FUNCTION leadguard.ghost_leads(target regclass, days integer DEFAULT 30)
RETURNS TABLE (record text, owner text, members text[], last_at timestamptz)
LANGUAGE c STABLE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'ghost_leads_wrapper';
COMMENT ON FUNCTION leadguard.ghost_leads(regclass, integer) IS
'Records that the caller reads and on which others than the owner worked in the last days, as worked_on says, and all that have no owner; archived ones do not count. Errors: 42501 no identity, 22023.';
