-- What clients may send about a case and its messages. Each takes the array of the event's arguments and returns the ack.

CREATE OR REPLACE FUNCTION sos.on_init(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user      text := pulse.require_user();
    v_input     json := pulse.input_object(args -> 0, '{"sosId":"…","latitude":19.076,"longitude":72.8777}');
    v_id        text := _sos.sos_id(v_input);
    v_latitude  double precision := pulse.input_number(v_input, 'latitude', -90, 90);
    v_longitude double precision := pulse.input_number(v_input, 'longitude', -180, 180);
    v_case      sos.cases;
BEGIN
    IF NOT _sos.may_enter(v_id) THEN
        PERFORM pulse.fail('forbidden', 'this is not your case', 'The claim sosId of your token names the case that you may open.');
    END IF;
    IF _sos.role() = 'citizen' AND pulse.claim('sosId') = v_id THEN   -- to be let into a case is no right to open it
        PERFORM _sos.open_case(v_id, v_user, v_latitude, v_longitude, CASE WHEN json_typeof(v_input -> 'details') <> 'null' THEN v_input -> 'details' END, v_user, 'citizen');
    END IF;
    v_case := _sos.require_case(v_id, true);   -- rescuers come into cases that there are
    PERFORM pulse.join(_sos.room(v_id));
    PERFORM _sos.seen(v_id);
    PERFORM _sos.enter(v_id);
    RETURN json_build_object('ok', true, 'state', _sos.state_json(v_case));
END
$$;
COMMENT ON FUNCTION sos.on_init(json) IS 'sos:init {sosId, latitude?, longitude?, details?}: opens the case or enters it; {ok, state}';
REVOKE EXECUTE ON FUNCTION sos.on_init(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_init(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.on_status_update(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user   text := pulse.require_user();
    v_input  json := pulse.input_object(args -> 0, '{"sosId":"…","status":"en_route"}');
    v_case   sos.cases := _sos.require_case(_sos.sos_id(v_input), true);
    v_status text := _sos.status(v_input);
BEGIN
    PERFORM _sos.seen(v_case.id);
    PERFORM _sos.set_status(v_case.id, v_status, pulse.input_text(v_input, 'note', 2000), v_user, _sos.role());
    RETURN json_build_object('ok', true, 'state', _sos.state_json(_sos.find_case(v_case.id)));
END
$$;
COMMENT ON FUNCTION sos.on_status_update(json) IS 'sos:status:update {sosId, status, note?}: {ok, state}';
REVOKE EXECUTE ON FUNCTION sos.on_status_update(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_status_update(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.on_close(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := pulse.require_user();
    v_input json := pulse.input_object(coalesce(args -> 0, '{}'), '{"sosId":"…"}');
    v_case  sos.cases := _sos.require_case(_sos.sos_id(v_input), false);
BEGIN
    PERFORM _sos.set_status(v_case.id, 'closed', pulse.input_text(v_input, 'reason', 2000), v_user, _sos.role());
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION sos.on_close(json) IS 'sos:close {sosId, reason?}: closes the case and empties its room; {ok}, again too';
REVOKE EXECUTE ON FUNCTION sos.on_close(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_close(json) TO pulse_client;

CREATE OR REPLACE FUNCTION sos.on_message(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user  text := pulse.require_user();
    v_input json := pulse.input_object(args -> 0, '{"sosId":"…","message":"on my way"}');
    v_case  sos.cases := _sos.require_case(_sos.sos_id(v_input), true);
    v_own   text := pulse.input_text(v_input, 'clientMessageId', 200);
    v_id    uuid;
BEGIN
    PERFORM _sos.seen(v_case.id);
    INSERT INTO sos.messages (case_id, user_id, role, message, client_message_id)
    VALUES (v_case.id, v_user, _sos.role(), pulse.input_text(v_input, 'message', 4000, true), v_own)
        ON CONFLICT ON CONSTRAINT messages_client_message_id_key DO NOTHING
    RETURNING id INTO v_id;
    IF v_id IS NULL THEN   -- sent again
        SELECT m.id INTO v_id FROM sos.messages m WHERE m.case_id = v_case.id AND m.user_id = v_user AND m.client_message_id = v_own;
    END IF;
    RETURN json_build_object('ok', true, 'messageId', v_id);
END
$$;
COMMENT ON FUNCTION sos.on_message(json) IS 'message:send {sosId, message, clientMessageId?}: {ok, messageId}; with the same clientMessageId the same messageId';
REVOKE EXECUTE ON FUNCTION sos.on_message(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sos.on_message(json) TO pulse_client;
