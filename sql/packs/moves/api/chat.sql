-- The chat of an order. An insert into moves.messages is an event in the order's room; for a customer or porter none of whose sessions
-- is there, the message waits, and is sent when one comes (order:subscribe, a reconnect token). A session that goes on where it was
-- gets what it missed from the log; the message's id tells the same message when it comes both ways.

CREATE OR REPLACE FUNCTION moves.message_json(target moves.messages) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object(
               'orderId', (message_json.target).order_id,
               'messageId', (message_json.target).id,
               'from', (message_json.target).sender_id,
               'role', (message_json.target).sender_role,
               'message', (message_json.target).message,
               'createdAt', pulse.iso8601((message_json.target).created_at));
END;
COMMENT ON FUNCTION moves.message_json(moves.messages) IS 'a message as clients read it, field by field the event chat:message';

CREATE OR REPLACE FUNCTION _moves.on_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO _moves.waiting (user_id, order_id, message_id)
    SELECT DISTINCT p.user_id, NEW.order_id, NEW.id
      FROM moves.orders o, unnest(ARRAY[o.customer_id, o.porter_id]) AS p (user_id)
     WHERE o.id = NEW.order_id AND p.user_id <> NEW.sender_id
       AND NOT EXISTS (SELECT FROM pulse.sessions(p.user_id) s
                        WHERE s.ended_at IS NULL AND 'order:' || pulse.room_part(NEW.order_id) = ANY (s.rooms));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION _moves.on_message() IS 'trigger: a message waits for whom of its order is not there';

CREATE OR REPLACE FUNCTION _moves.deliver_waiting(order_id text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_message moves.messages;
    v_there   boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM _moves.waiting w WHERE w.user_id = pulse.user_id() AND w.order_id = deliver_waiting.order_id) THEN
        RETURN;
    END IF;
    -- a session that is in the room already, as one that was recovered, has them from the log
    v_there := EXISTS (SELECT FROM pulse.sessions(pulse.user_id()) s
                        WHERE s.session_id = pulse.session_id() AND 'order:' || pulse.room_part(deliver_waiting.order_id) = ANY (s.rooms));
    FOR v_message IN
        WITH gone AS (
            DELETE FROM _moves.waiting w WHERE w.user_id = pulse.user_id() AND w.order_id = deliver_waiting.order_id RETURNING w.message_id)
        SELECT m.* FROM gone JOIN moves.messages m ON m.id = gone.message_id ORDER BY m.created_at, m.id
    LOOP
        IF NOT v_there THEN
            PERFORM pulse.reply('chat:message', moves.message_json(v_message));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION _moves.deliver_waiting(text) IS 'sends this session the messages of an order that waited for its user';

CREATE OR REPLACE FUNCTION moves.on_chat_message(args json) RETURNS json
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user    text := _moves.require_role('{customer,porter,admin}', 'the chat of an order');
    v_input   json := pulse.input_object(args -> 0, '{"orderId":"…","message":"…"}');
    v_message text := pulse.input_text(v_input, 'message', 4000, true);
    v_order   moves.orders := _moves.require_order(pulse.input_text(v_input, 'orderId', 200, true));
    v_id      uuid;
BEGIN
    INSERT INTO moves.messages (order_id, sender_id, sender_role, message)
    VALUES (v_order.id, v_user, pulse.claim('role'), v_message)
    RETURNING id INTO v_id;
    RETURN json_build_object('ok', true, 'messageId', v_id);
END
$$;
COMMENT ON FUNCTION moves.on_chat_message(json) IS
    'chat:message:send {orderId, message, clientMessageId?}: {ok, messageId}; again with the same clientMessageId: the same messageId';
REVOKE EXECUTE ON FUNCTION moves.on_chat_message(json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION moves.on_chat_message(json) TO pulse_client;
