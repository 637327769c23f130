-- How many messages a user has not read.

-- Of a channel at most 1000 are counted: what a badge shows beyond that is no number.
CREATE OR REPLACE FUNCTION care.unread(user_id text) RETURNS bigint
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(sum(n.unread), 0)::bigint
      FROM care.members b
      JOIN care.channels c ON c.family_id = b.family_id
      LEFT JOIN care.reads r ON r.user_id = b.user_id AND r.channel_id = c.id
     CROSS JOIN LATERAL (
           SELECT count(*) AS unread
             FROM (SELECT FROM care.messages m
                    WHERE m.channel_id = c.id AND m.created_at > coalesce(r.read_to, b.joined_at) AND m.user_id <> b.user_id LIMIT 1000) m) n
     WHERE b.user_id = unread.user_id AND b.left_at IS NULL;
END;
COMMENT ON FUNCTION care.unread(text) IS 'messages of others in the user''s families that came after the last one read, or after joining';

CREATE OR REPLACE FUNCTION _care.on_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pulse.publish('user:' || pulse.room_part(b.user_id), 'notification:badge', json_build_object('unread', care.unread(b.user_id)))
       FROM care.members b
      WHERE b.family_id = NEW.family_id AND b.left_at IS NULL AND b.user_id <> NEW.user_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _care.on_message() IS 'trigger: the badges of the others';

CREATE OR REPLACE FUNCTION care.on_message_read(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_input   json := pulse.input_object(args -> 0, '{"channelId":"…","messageId":"…"}');
    v_channel care.channels := _care.require_channel(pulse.input_text(v_input, 'channelId', 200, true));
    v_user    text := pulse.user_id();
    v_at      timestamptz;
    v_unread  bigint;
BEGIN
    SELECT m.created_at INTO v_at FROM care.messages m
     WHERE m.id = pulse.to_uuid(pulse.input_text(v_input, 'messageId', 200, true)) AND m.channel_id = v_channel.id;
    IF NOT FOUND THEN
        PERFORM pulse.fail('not_found', 'there is no such message in the channel');
    END IF;
    PERFORM _care.lock_family(v_channel.family_id);
    INSERT INTO care.reads AS r (user_id, channel_id, read_to) VALUES (v_user, v_channel.id, v_at)
        ON CONFLICT ON CONSTRAINT reads_pkey DO UPDATE SET read_to = greatest(r.read_to, excluded.read_to);
    v_unread := care.unread(v_user);
    PERFORM pulse.publish('user:' || pulse.room_part(v_user), 'notification:badge', json_build_object('unread', v_unread));
    RETURN json_build_object('ok', true, 'unread', v_unread);
END
$$;
COMMENT ON FUNCTION care.on_message_read(json) IS 'message:read {channelId, messageId}: {ok, unread}; all devices of the user get notification:badge';
REVOKE EXECUTE ON FUNCTION care.on_message_read(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION care.on_message_read(json) TO pulse_client;
