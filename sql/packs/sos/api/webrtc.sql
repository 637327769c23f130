-- Signalling of WebRTC: handed on to one other user of the case, when both are in its room. Ephemeral, but for the rare description that is
-- too large for that: it goes through the log.

CREATE OR REPLACE FUNCTION _sos.relay(event text, member text, args json) RETURNS json
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := pulse.require_user();
    v_input json := pulse.input_object(args -> 0, format('{"sosId":"…","to":"…","%s":"…"}', member));
    v_case  sos.cases := _sos.require_case(_sos.sos_id(v_input), true);
    v_to    text := pulse.input_text(v_input, 'to', 200, true);
    v_room  text := 'user:' || pulse.room_part(v_to);
    v_data  json;
BEGIN
    IF coalesce(json_typeof(v_input -> member), 'null') NOT IN ('string', 'object') THEN
        PERFORM pulse.fail('invalid', format('%s must be there', member), format('Send {"sosId":"…","to":"…","%s":"…"}.', member));
    END IF;
    IF NOT _sos.in_room(v_user, v_case.id) OR NOT _sos.in_room(v_to, v_case.id) THEN
        PERFORM pulse.fail('forbidden', 'both must be in the room of the case', 'Join it first; the other may have left.');
    END IF;
    v_data := json_build_object('sosId', v_case.id, 'from', v_user, 'to', v_to, member, v_input -> member);
    PERFORM pulse.publish(v_room, relay.event, v_data, ephemeral => octet_length(v_data::text) <= 7000);
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION _sos.relay(text, text, json) IS 'hands a signal on to the user named by to';

CREATE OR REPLACE FUNCTION sos.on_webrtc_offer(args json) RETURNS json
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sos.relay('webrtc:offer', 'sdp', args) $$;
COMMENT ON FUNCTION sos.on_webrtc_offer(json) IS 'webrtc:offer {sosId, to, sdp}: {ok}';
REVOKE EXECUTE ON FUNCTION sos.on_webrtc_offer(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_webrtc_offer(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.on_webrtc_answer(args json) RETURNS json
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sos.relay('webrtc:answer', 'sdp', args) $$;
COMMENT ON FUNCTION sos.on_webrtc_answer(json) IS 'webrtc:answer {sosId, to, sdp}: {ok}';
REVOKE EXECUTE ON FUNCTION sos.on_webrtc_answer(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_webrtc_answer(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.on_webrtc_candidate(args json) RETURNS json
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$ SELECT _sos.relay('webrtc:candidate', 'candidate', args) $$;
COMMENT ON FUNCTION sos.on_webrtc_candidate(json) IS 'webrtc:candidate {sosId, to, candidate}: {ok}';
REVOKE EXECUTE ON FUNCTION sos.on_webrtc_candidate(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_webrtc_candidate(json) TO pulse_client;
