-- What clients send, checked member by member. Each refusal says what is accepted.

CREATE OR REPLACE FUNCTION _moves.require_role(roles text[], what text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.require_user();
    IF NOT coalesce(pulse.claim('role') = ANY (require_role.roles), false) THEN
        PERFORM pulse.fail('forbidden', format('%s is for %s', require_role.what, array_to_string(require_role.roles, 's, ') || 's'),
            'The claim role of the token tells who one is.');
    END IF;
    RETURN pulse.user_id();
END
$$;
COMMENT ON FUNCTION _moves.require_role(text[], text) IS 'the user of this call when the claim role is one of these, or an error';

