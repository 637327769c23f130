-- The chat of an order: kept, told, read, and what waits for who was not there.
BEGIN;
SELECT plan(31);

INSERT INTO moves.orders (id, customer_id, porter_id, status) VALUES ('o1', 'ann', 'pat', 'assigned');
INSERT INTO moves.orders (id, customer_id) VALUES ('o2', 'bob');

CREATE FUNCTION pg_temp.context(user_id text, claims json, session text) RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', claims, 'userId', user_id, 'sessionId', session, 'socketId', session, 'namespace', '/client', 'bridge', 'b1', 'pid', session)$$;
CREATE FUNCTION pg_temp.emit(user_id text, claims json, event text, args json, session text DEFAULT 's1') RETURNS TABLE (ack json, effects json) LANGUAGE sql AS
    $$SELECT h.ack, h.effects FROM pulse.handle('/client', event, args, pg_temp.context(user_id, claims, session)) h$$;
CREATE FUNCTION pg_temp.said(user_id text, role text, message text, id text DEFAULT 'o1', session text DEFAULT 's1', client text DEFAULT NULL) RETURNS text LANGUAGE sql AS
    $$SELECT h.ack -> 0 ->> 'messageId' FROM pg_temp.emit(user_id, json_build_object('role', role), 'chat:message:send',
        json_build_array(json_build_object('orderId', id, 'message', message, 'clientMessageId', client)), session) h$$;
-- the messages that an answer carries, in order
CREATE FUNCTION pg_temp.got(effects json) RETURNS text[] LANGUAGE sql AS
    $$SELECT coalesce(array_agg(x.v -> 'reply' -> 1 ->> 'message' ORDER BY x.n), '{}') FROM json_array_elements(effects) WITH ORDINALITY x (v, n) WHERE x.v -> 'reply' ->> 0 = 'chat:message'$$;
CREATE FUNCTION pg_temp.subscribe(user_id text, role text, session text DEFAULT 's1') RETURNS text[] LANGUAGE sql AS
    $$SELECT pg_temp.got(h.effects) FROM pg_temp.emit(user_id, json_build_object('role', role), 'order:subscribe', '[{"orderId":"o1"}]', session) h$$;
CREATE FUNCTION pg_temp.refused(statement text, state text, message text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
BEGIN
    EXECUTE statement;
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
    RETURN is(v_state || ' ' || v_message, state || ' ' || message, description);
END
$$;

CREATE TEMPORARY TABLE sent AS SELECT pg_temp.said('ann', 'customer', 'where "are" you?') AS id;
SELECT ok((SELECT id FROM sent) ~ '^[0-9a-f-]{36}$', 'M5: chat:message:send is acked with the message''s id');
SELECT results_eq('SELECT id::text, order_id, sender_id, sender_role, message FROM moves.messages', $$SELECT id, 'o1' COLLATE "C", 'ann' COLLATE "C", 'customer', 'where "are" you?' FROM sent$$, 'M5: it is kept');
SELECT results_eq('SELECT name, rooms, partition_key FROM pulse.events ORDER BY id DESC LIMIT 1', $$VALUES ('chat:message', '{order:o1}'::text[], 'o1')$$, 'M5: it goes to the order''s room, the sender too');
SELECT is((SELECT payload::jsonb FROM pulse.events ORDER BY id DESC LIMIT 1), (SELECT moves.message_json(m)::jsonb FROM moves.messages m), 'M5: its payload is the message as clients read it');
SELECT is((SELECT array_agg(k) FROM (SELECT payload FROM pulse.events ORDER BY id DESC LIMIT 1) e, json_object_keys(e.payload) k), '{orderId,messageId,from,role,message,createdAt}'::text[], 'M5: with these keys');
SELECT is(pg_temp.said('pat', 'porter', 'at the gate', client => 'c1'), pg_temp.said('pat', 'porter', 'at the gate', client => 'c1'), 'M5: a message sent again is the same message');
SELECT is((SELECT count(*) FROM moves.messages), 2::bigint, 'M5: and kept once');
SELECT isnt(pg_temp.said('pat', 'porter', 'at the gate', client => 'c2'), NULL, 'M5: the same words may be said twice');

SELECT pg_temp.refused($$SELECT pg_temp.said('bob', 'customer', 'x')$$, 'PL403', 'this order is not yours', 'M2: nobody talks into a foreign order');
SELECT pg_temp.refused($$SELECT pg_temp.said('pat', 'customer', 'x')$$, 'PL403', 'this order is not yours', 'M2: nor as somebody else');
SELECT pg_temp.refused($$SELECT pg_temp.said('ann', NULL, 'x')$$, 'PL403', 'the chat of an order is for customers, porters, admins', 'M2: nor without a role');
SELECT pg_temp.refused($$SELECT pg_temp.said('ann', 'customer', '  ')$$, 'PL422', 'message must be a text of 1 to 4000 characters', 'M5: something is said');
SELECT pg_temp.refused(format('SELECT pg_temp.said(%L, %L, %L)', 'ann', 'customer', repeat('x', 4001)), 'PL422', 'message must be a text of 1 to 4000 characters', 'M5: not too much');
SELECT isnt(pg_temp.said('adm', 'admin', 'this is support'), NULL, 'M2: admins talk in any');

-- what waits
SELECT results_eq('SELECT w.user_id, m.message FROM _moves.waiting w JOIN moves.messages m ON m.id = w.message_id ORDER BY 1, m.created_at',
    $$VALUES ('ann' COLLATE "C", 'at the gate'), ('ann', 'at the gate'), ('ann', 'this is support'), ('pat', 'where "are" you?'), ('pat', 'this is support')$$, 'M5: who is not there is waited for, but not the sender');
SELECT is(pg_temp.subscribe('ann', 'customer'), '{"at the gate","at the gate","this is support"}'::text[], 'M5: what waited comes with order:subscribe, in order');
SELECT is(pg_temp.subscribe('ann', 'customer'), '{}'::text[], 'M5: once');
SELECT is(pg_temp.subscribe('adm', 'admin'), '{}'::text[], 'M5: nothing waits for an admin');
SELECT is((SELECT count(*) FROM json_array_elements((SELECT h.effects FROM pg_temp.emit('pat', '{"role":"porter"}', 'order:subscribe', '[{"orderId":"o1"}]') h)) e WHERE e ->> 'reply' IS NULL), 1::bigint, 'M5: beside the join');

-- a session in the room is there: the event reaches it
SELECT is((SELECT json_array_length(pulse.handle_connect('/client', pg_temp.context('ann', '{"role":"customer"}', 'phone')) -> 'rooms')), 1, 'M5: a phone connects');
SELECT isnt(pg_temp.said('pat', 'porter', 'one'), NULL, 'M5: a message while it is not in the room');
SELECT is(pg_temp.subscribe('ann', 'customer', 'phone'), '{one}'::text[], 'M5: comes when it enters');
SELECT isnt(pg_temp.said('pat', 'porter', 'two'), NULL, 'M5: a message while it is in the room');
SELECT is((SELECT count(*) FROM _moves.waiting WHERE user_id = 'ann'), 0::bigint, 'M5: waits for nobody');
UPDATE _pulse.sessions SET ended_at = clock_timestamp() WHERE user_id = 'ann';
SELECT isnt(pg_temp.said('pat', 'porter', 'three'), NULL, 'M5: a message while its connection is cut');
SELECT is((SELECT count(*) FROM _moves.waiting WHERE user_id = 'ann'), 1::bigint, 'M5: waits');
SELECT is(pg_temp.subscribe('ann', 'customer', 'phone'), '{}'::text[], 'M5: a session that goes on in the room has it from the log');
SELECT is((SELECT count(*) FROM _moves.waiting WHERE user_id = 'ann'), 0::bigint, 'M5: it waits no more');

UPDATE _pulse.sessions SET ended_at = clock_timestamp() WHERE user_id = 'ann';
SELECT isnt(pg_temp.said('pat', 'porter', 'four'), NULL, 'M5: and one more');
SELECT is((SELECT pg_temp.got(pulse.handle_connect('/client', pg_temp.context('ann', '{"role":"customer","use":"reconnect"}', 'new')) -> 'effects')), '{four}'::text[], 'M5, M8: a reconnect token brings what waited');
INSERT INTO moves.messages (order_id, sender_id, sender_role, message) VALUES ('o1', 'ann', 'customer', 'plain SQL');
SELECT is(pg_temp.subscribe('pat', 'porter', 'p2'), '{"plain SQL"}'::text[], 'M5: plain SQL is the same');

SELECT * FROM finish();
ROLLBACK;
