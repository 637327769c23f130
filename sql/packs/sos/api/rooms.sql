-- Who may be in sos:{sosId}: whose case it is, whose token is for it, whose role allows it, and whom a row of sos.participants admits.

CREATE OR REPLACE FUNCTION _sos.may_enter(sos_id text) RETURNS boolean
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pulse.user_id() IS NOT NULL
       AND (coalesce(pulse.claim('sosId') = may_enter.sos_id, false)
            OR _sos.role() IN ('dispatcher', 'admin')
            OR _sos.role() = 'rescuer' AND pulse.claim('sosId') IS NULL   -- a token with a case is for that case
            OR EXISTS (SELECT FROM sos.cases c WHERE c.id = may_enter.sos_id AND c.citizen_id = pulse.user_id())
            OR EXISTS (SELECT FROM sos.participants p WHERE p.case_id = may_enter.sos_id AND p.user_id = pulse.user_id() AND p.admitted));
END;
COMMENT ON FUNCTION _sos.may_enter(text) IS 'whether the user of this call has to do with a case, which need not be there yet';

CREATE OR REPLACE FUNCTION sos.may_join(claims json, room text, params json) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id   text := params ->> 'sosId';
    v_case sos.cases;
BEGIN
    IF NOT _sos.may_enter(v_id) THEN
        RETURN false;
    END IF;
    SELECT * INTO v_case FROM sos.cases c WHERE c.id = v_id;
    IF NOT FOUND THEN
        RETURN coalesce(pulse.claim('sosId') = v_id, false);   -- waits for its case to be opened
    END IF;
    IF v_case.closed_at IS NOT NULL OR _sos.live_until(v_case) <= clock_timestamp() THEN
        PERFORM pulse.fail('forbidden', 'the case is over');
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION sos.may_join(json, text, json) IS 'policy: sos:{sosId} for those whose case it is or whose role allows it, while it is open';
REVOKE EXECUTE ON FUNCTION sos.may_join(json, text, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.may_join(json, text, json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.connect(claims json) RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id   text := pulse.claim('sosId');
    v_case sos.cases;
BEGIN
    IF pulse.user_id() IS NULL OR v_id IS NULL OR v_id = '' OR octet_length(v_id) > 200 OR octet_length(pulse.room_part(v_id)) > 240 OR v_id ~ '[[:cntrl:]]' THEN
        RETURN NULL;
    END IF;
    SELECT * INTO v_case FROM sos.cases c WHERE c.id = v_id;
    IF FOUND THEN
        IF v_case.closed_at IS NOT NULL OR _sos.live_until(v_case) <= clock_timestamp() THEN
            RETURN NULL;
        END IF;
        PERFORM _sos.seen(v_id);
    END IF;
    PERFORM _sos.enter(v_id);
    RETURN json_build_object('rooms', json_build_array(_sos.room(v_id)));
END
$$;
COMMENT ON FUNCTION sos.connect(json) IS 'connect: joins sos:{sosId} of the claim, unless that case is over';
REVOKE EXECUTE ON FUNCTION sos.connect(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.connect(json) TO pulse_client;

-- The case that a call is about. Who has nothing to do with it is told no more than that.
CREATE OR REPLACE FUNCTION _sos.require_case(sos_id text, writes boolean) RETURNS sos.cases
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case sos.cases;
BEGIN
    PERFORM pulse.require_user();
    IF NOT _sos.may_enter(require_case.sos_id) THEN
        PERFORM pulse.fail('forbidden', 'this is not your case', 'The case must be yours, or your token''s sosId, or your role must allow it.');
    END IF;
    v_case := _sos.find_case(require_case.sos_id);
    IF v_case.id IS NULL THEN
        PERFORM pulse.fail('not_found', format('there is no case %s', require_case.sos_id), 'It was never opened, or has expired.');
    END IF;
    IF require_case.writes AND v_case.closed_at IS NOT NULL THEN
        PERFORM pulse.fail('conflict', 'the case is closed');
    END IF;
    RETURN v_case;
END
$$;
COMMENT ON FUNCTION _sos.require_case(text, boolean) IS 'a case that the user of this call may read, or write, or an error';
