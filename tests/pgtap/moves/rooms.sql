-- Who connects to which namespace, who may be in order:{id}, and what order:subscribe leaves behind.
BEGIN;
SELECT plan(39);

INSERT INTO moves.orders (id, customer_id, porter_id, status) VALUES
    ('o1', 'ann', 'pat', 'assigned'), ('o2', 'bob', NULL, 'created'), ('o:3%', 'ann', NULL, 'created');

CREATE FUNCTION pg_temp.context(user_id text, claims json, namespace text DEFAULT '/client', session text DEFAULT 's1') RETURNS json LANGUAGE sql AS
    $$SELECT json_build_object('claims', claims, 'userId', user_id, 'sessionId', session, 'socketId', 'k1', 'namespace', namespace)$$;
CREATE FUNCTION pg_temp.may(user_id text, role text, room text, operation text DEFAULT 'join') RETURNS boolean LANGUAGE sql AS
    $$SELECT d.allowed FROM pulse.decide(json_build_array(json_build_object('operation', operation, 'room', room,
        'context', pg_temp.context(user_id, json_build_object('role', role))))) d$$;
CREATE FUNCTION pg_temp.joined(user_id text, claims json, namespace text) RETURNS text[] LANGUAGE sql AS
    $$SELECT array_agg(r ORDER BY r) FROM json_array_elements_text(pulse.handle_connect(namespace, pg_temp.context(user_id, claims, namespace)) -> 'rooms') r$$;
CREATE FUNCTION pg_temp.emit(user_id text, claims json, event text, args json, namespace text DEFAULT '/client') RETURNS TABLE (ack json, effects json) LANGUAGE sql AS
    $$SELECT h.ack, h.effects FROM pulse.handle(namespace, event, args, pg_temp.context(user_id, claims, namespace)) h$$;
CREATE FUNCTION pg_temp.refused(statement text, state text, message text, description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_message text;
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || ' ' || v_message || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state || ' ' || message, description);
END
$$;

-- namespaces
SELECT is(pg_temp.joined('ann', '{"role":"customer"}', '/client'), '{user:ann}'::text[], 'M1: a customer connects to /client');
SELECT is(pg_temp.joined('pat', '{"role":"porter"}', '/porter'), '{user:pat}'::text[], 'M1: a porter connects to /porter');
SELECT is(pg_temp.joined('adm', '{"role":"admin"}', '/admin'), '{user:adm}'::text[], 'M1: an admin connects to /admin');
SELECT pg_temp.refused(format('SELECT pg_temp.joined(%L, %L, %L)', who, json_build_object('role', role), namespace), 'PL403',
           format('the namespace %s is for %ss', namespace, needed), format('M1: %s is refused in %s', coalesce(role, 'somebody without a role'), namespace))
  FROM (VALUES ('ann', 'customer', '/porter', 'porter'), ('ann', 'customer', '/admin', 'admin'), ('pat', 'porter', '/client', 'customer'), ('pat', 'porter', '/admin', 'admin'),
               ('adm', 'admin', '/client', 'customer'), ('adm', 'admin', '/porter', 'porter'), ('ann', NULL, '/client', 'customer')) AS t (who, role, namespace, needed);
SELECT pg_temp.refused($$SELECT pg_temp.joined(NULL, '{"role":"customer"}', '/client')$$, 'PL401', 'this needs a user', 'M1: nobody anonymous connects');

-- the policy
SELECT ok(pg_temp.may('ann', 'customer', 'order:o1') AND pg_temp.may('ann', 'customer', 'order:o1', 'history'), 'M2: customers are in the rooms of their own orders');
SELECT ok(NOT pg_temp.may('ann', 'customer', 'order:o2'), 'M2: not in those of others');
SELECT ok(pg_temp.may('ann', 'customer', 'order:o%3A3%25'), 'M2: an id with a colon is encoded in the room');
SELECT ok(pg_temp.may('pat', 'porter', 'order:o1'), 'M2: porters are in the rooms of orders assigned to them');
SELECT ok(NOT pg_temp.may('pat', 'porter', 'order:o2'), 'M2: not in others');
SELECT ok(NOT pg_temp.may('ann', 'porter', 'order:o1') AND NOT pg_temp.may('pat', 'customer', 'order:o1'), 'M2: the role decides which of the two one is asked to be');
SELECT ok(pg_temp.may('adm', 'admin', 'order:o1') AND pg_temp.may('adm', 'admin', 'order:o2'), 'M2: admins are in any');
SELECT ok(NOT pg_temp.may('adm', 'admin', 'order:none'), 'M2: not in one that does not exist');
SELECT ok(NOT pg_temp.may(NULL, 'admin', 'order:o1') AND NOT pg_temp.may('ann', NULL, 'order:o1'), 'M2: neither nobody nor somebody without a role');
SELECT ok(NOT pg_temp.may('ann', 'customer', 'order:o1', 'publish'), 'M2: nobody publishes into it but by handlers');

-- order:subscribe
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '[{"orderId":"o1"}]')), '[{"join":"order:o1"}]', 'M1: order:subscribe joins the room');
SELECT is((SELECT (ack -> 0 -> 'order')::jsonb - '{createdAt,updatedAt}'::text[] FROM pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '[{"orderId":"o1"}]')),
    '{"orderId":"o1","id":"o1","customerId":"ann","porterId":"pat","status":"assigned"}', 'M1: its ack has the order');
SELECT is((SELECT count(*) FROM _moves.subscriptions), 1::bigint, 'M1: subscribed twice is one subscription');
SELECT pg_temp.refused($$SELECT pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '[{"orderId":"o2"}]')$$, 'PL403', 'this order is not yours', 'M2: a foreign order is refused');
SELECT pg_temp.refused($$SELECT pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '[{"orderId":"none"}]')$$, 'PL403', 'this order is not yours', 'M2: so is one that does not exist');
SELECT pg_temp.refused($$SELECT pg_temp.emit('adm', '{"role":"admin"}', 'order:subscribe', '[{"orderId":"none"}]', '/admin')$$, 'PL404', 'there is no order none', 'M2: admins are told that it does not exist');
SELECT pg_temp.refused($$SELECT pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '[{"orderId":7}]')$$, 'PL422', 'orderId must be a text of 1 to 200 characters', 'M1: an id is a text');
SELECT pg_temp.refused($$SELECT pg_temp.emit('ann', '{"role":"customer"}', 'order:subscribe', '["o1"]')$$, 'PL422', 'what is sent must be a JSON object', 'M1: the argument is an object');

-- what a reconnect token brings back
SELECT lives_ok($$SELECT pg_temp.emit('ann', '{"role":"customer","deviceId":"d1"}', 'order:subscribe', '[{"orderId":"o:3%"}]')$$, 'M8: a device subscribes');
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect","deviceId":"d1"}', '/client'), '{order:o%3A3%25,order:o1,user:ann}'::text[],
    'M8: a reconnect token brings back the rooms of its device, and those of no device');
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect","deviceId":"d2"}', '/client'), '{order:o1,user:ann}'::text[], 'M8: not those of another device');
SELECT is(pg_temp.joined('ann', '{"role":"customer","deviceId":"d1"}', '/client'), '{user:ann}'::text[], 'M8: another token brings none');
UPDATE moves.orders SET customer_id = 'eve' WHERE id = 'o1';
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect","deviceId":"d1"}', '/client'), '{order:o%3A3%25,user:ann}'::text[], 'M8: not that of an order one has lost');
SELECT is((SELECT count(*) FROM _moves.subscriptions WHERE order_id = 'o1'), 0::bigint, 'M2: who loses an order loses the subscription');
SELECT is((SELECT effects::jsonb FROM pg_temp.emit('ann', '{"role":"customer","deviceId":"d1"}', 'order:unsubscribe', '[{"orderId":"o:3%"}]')), '[{"leave":"order:o%3A3%25"}]',
    'M1: order:unsubscribe leaves the room');
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect","deviceId":"d1"}', '/client'), '{user:ann}'::text[], 'M8: and is not brought back');
INSERT INTO _moves.subscriptions (user_id, order_id, subscribed_at) VALUES ('ann', 'o:3%', now() - interval '25 h');
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect"}', '/client'), '{user:ann}'::text[], 'M8: a subscription ends after subscription_ttl');
SELECT pulse.configure('moves', 'subscription_ttl', '26 h');
SELECT is(pg_temp.joined('ann', '{"role":"customer","use":"reconnect"}', '/client'), '{order:o%3A3%25,user:ann}'::text[], 'M8: the setting counts at once');

SELECT * FROM finish();
ROLLBACK;
