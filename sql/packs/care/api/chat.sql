-- Joining a family's room, saying something there, typing.

CREATE OR REPLACE FUNCTION _care.require_channel(channel_id text) RETURNS care.channels
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_channel care.channels;
BEGIN
    SELECT * INTO v_channel FROM care.channels c WHERE c.id = require_channel.channel_id;
    PERFORM _care.require_member(v_channel.family_id);   -- no channel, no member
    RETURN v_channel;
END
$$;
COMMENT ON FUNCTION _care.require_channel(text) IS 'a channel of a family that the user of this call belongs to, or an error';

CREATE OR REPLACE FUNCTION care.on_join_family(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_family text := pulse.input_text(pulse.input_object(args -> 0, '{"familyId":"…"}'), 'familyId', 200, true);
BEGIN
    PERFORM _care.require_member(v_family);
    PERFORM pulse.join(_care.room(v_family));
    PERFORM pulse.track(_care.room(v_family));
    RETURN json_build_object('ok', true, 'familyId', v_family);
END
$$;
COMMENT ON FUNCTION care.on_join_family(json) IS 'join:family {familyId}: joins family:{familyId}; {ok, familyId}';
REVOKE EXECUTE ON FUNCTION care.on_join_family(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_join_family(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.on_send_message(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input   json := pulse.input_object(args -> 0, '{"familyId":"…","message":"…"}');
    v_family  text := pulse.input_text(v_input, 'familyId', 200, true);
    v_user    text := _care.require_member(v_family);
    v_channel text := pulse.input_text(v_input, 'channelId', 200);
    v_own     text := pulse.input_text(v_input, 'clientMessageId', 200);
    v_id      uuid;
BEGIN
    SELECT c.id INTO v_channel FROM care.channels c
     WHERE c.family_id = v_family AND CASE WHEN v_channel IS NULL THEN c.is_default ELSE c.id = v_channel END;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'there is no such channel in the family', 'GET /api/v1/care/families/{id}/channels names them; the default one is taken when channelId is left out.');
    END IF;
    INSERT INTO care.messages (channel_id, family_id, user_id, message, client_message_id)
    VALUES (v_channel, v_family, v_user, pulse.input_text(v_input, 'message', 4000, true), v_own)
        ON CONFLICT ON CONSTRAINT messages_client_message_id_key DO NOTHING
    RETURNING id INTO v_id;
    IF v_id IS NULL THEN   -- sent again
        SELECT m.id INTO v_id FROM care.messages m WHERE m.family_id = v_family AND m.user_id = v_user AND m.client_message_id = v_own;
    END IF;
    RETURN json_build_object('ok', true, 'messageId', v_id);
END
$$;
COMMENT ON FUNCTION care.on_send_message(json) IS
    'family:send-message {familyId, message, channelId?, clientMessageId?}: {ok, messageId}; with the same clientMessageId the same messageId';
REVOKE EXECUTE ON FUNCTION care.on_send_message(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_send_message(json) TO pulse_client;

CREATE OR REPLACE FUNCTION care.on_typing(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input   json := pulse.input_object(args -> 0, '{"channelId":"…"}');
    v_channel care.channels := _care.require_channel(pulse.input_text(v_input, 'channelId', 200, true));
BEGIN
    PERFORM pulse.publish(_care.room(v_channel.family_id), 'typing:start',
        json_build_object('channelId', v_channel.id, 'familyId', v_channel.family_id, 'userId', pulse.user_id()),
        except_session => pulse.session_id(), ephemeral => true);
    RETURN json_build_object('ok', true);
END
$$;
COMMENT ON FUNCTION care.on_typing(json) IS 'typing:start {channelId}: told to the family, not to the sender, never stored; {ok}';
REVOKE EXECUTE ON FUNCTION care.on_typing(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_typing(json) TO pulse_client;
