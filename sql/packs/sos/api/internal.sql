-- Routes of the SOS service, on the internal listener with the internal token. It knows the cases: it is asked for no user.

CREATE OR REPLACE FUNCTION _sos.require_live(sos_id text) RETURNS sos.cases
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case sos.cases := _sos.find_case(require_live.sos_id);
BEGIN
    IF v_case.id IS NULL THEN
        PERFORM pulse.fail('not_found', format('there is no case %s', require_live.sos_id), 'It was never opened, or has expired.');
    END IF;
    RETURN v_case;
END
$$;
COMMENT ON FUNCTION _sos.require_live(text) IS 'a case that has not expired, or an error';

CREATE OR REPLACE FUNCTION sos.internal_init(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input   json := pulse.input_object(request -> 'body', '{"sosId":"…","citizenId":"…"}');
    v_id      text := _sos.sos_id(v_input);
    v_citizen text := pulse.input_text(v_input, 'citizenId', 255, true);
    v_opened  boolean;
    v_case    sos.cases;
BEGIN
    v_opened := _sos.open_case(v_id, v_citizen, pulse.input_number(v_input, 'latitude', -90, 90), pulse.input_number(v_input, 'longitude', -180, 180),
                               CASE WHEN json_typeof(v_input -> 'details') <> 'null' THEN v_input -> 'details' END, 'system', 'system');
    v_case := _sos.require_live(v_id);
    IF v_case.citizen_id <> v_citizen THEN
        PERFORM pulse.fail('conflict', 'the case belongs to another citizen');
    END IF;
    IF NOT v_case.verified THEN   -- it does know the case
        PERFORM sos.verify(v_id);
    END IF;
    RETURN pulse.http_response(CASE WHEN v_opened THEN 201 ELSE 200 END, _sos.state_json(v_case));
END
$$;
COMMENT ON FUNCTION sos.internal_init(json) IS 'POST /internal/realtime/sos/init {sosId, citizenId, latitude?, longitude?, details?}: 201 state, again 200';
REVOKE EXECUTE ON FUNCTION sos.internal_init(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.internal_init(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.internal_status(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input json := pulse.input_object(request -> 'body', '{"status":"assigned"}');
    v_case  sos.cases := _sos.require_live(request -> 'params' ->> 'sosId');
    v_by    text := coalesce(pulse.input_text(v_input, 'updatedBy', 255), 'system');
BEGIN
    PERFORM _sos.set_status(v_case.id, _sos.status(v_input), pulse.input_text(v_input, 'note', 2000), v_by,
        coalesce((SELECT p.role FROM sos.participants p WHERE p.case_id = v_case.id AND p.user_id = v_by), 'system'));
    RETURN _sos.state_json(_sos.find_case(v_case.id));
END
$$;
COMMENT ON FUNCTION sos.internal_status(json) IS 'POST /internal/realtime/sos/{sosId}/status {status, note?, updatedBy?}: state';
REVOKE EXECUTE ON FUNCTION sos.internal_status(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.internal_status(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.internal_close(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_case sos.cases := _sos.require_live(request -> 'params' ->> 'sosId');
    v_input json := CASE WHEN json_typeof(request -> 'body') = 'object' THEN request -> 'body' ELSE '{}' END;   -- a close needs no body
BEGIN
    PERFORM _sos.set_status(v_case.id, 'closed', pulse.input_text(v_input, 'reason', 2000), 'system', 'system');
    RETURN _sos.state_json(_sos.find_case(v_case.id));
END
$$;
COMMENT ON FUNCTION sos.internal_close(json) IS 'POST /internal/realtime/sos/{sosId}/close {reason?}: state, again too';
REVOKE EXECUTE ON FUNCTION sos.internal_close(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.internal_close(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.internal_state(request json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN _sos.state_json(_sos.require_live(request -> 'params' ->> 'sosId'));
END
$$;
COMMENT ON FUNCTION sos.internal_state(json) IS 'GET /internal/realtime/sos/{sosId}/state: state';
REVOKE EXECUTE ON FUNCTION sos.internal_state(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.internal_state(json) TO pulse_client;
