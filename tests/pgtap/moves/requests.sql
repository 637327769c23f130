-- The routes of orders and tokens, asked as the bridge asks.
BEGIN;
SELECT plan(28);

INSERT INTO moves.orders (id, customer_id, porter_id, status, pickup_latitude, pickup_longitude) VALUES ('o1', 'ann', 'pat', 'in_transit', 19, 72);
INSERT INTO moves.orders (id, customer_id) VALUES ('o2', 'bob');
INSERT INTO moves.messages (order_id, sender_id, sender_role, message, created_at)
SELECT 'o1', 'ann', 'customer', 'm' || n, '2026-01-02 03:00:00+00'::timestamptz + n * interval '1 s' FROM generate_series(1, 55) n;

CREATE FUNCTION pg_temp.ask(claims json, path text, query json DEFAULT '{}', method text DEFAULT 'GET') RETURNS json LANGUAGE sql AS
    $$SELECT pulse.handle_request(method, path, json_build_object('query', query, 'headers', '{}'::json, 'body', NULL, 'ip', '127.0.0.1'),
        json_build_object('claims', claims, 'userId', claims ->> 'userId', 'transport', 'http'))$$;
CREATE FUNCTION pg_temp.refused(claims json, path text, state text, description text, query json DEFAULT '{}', method text DEFAULT 'GET') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_hint text;
BEGIN
    PERFORM pg_temp.ask(claims, path, query, method);
    RETURN fail(description);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_hint = PG_EXCEPTION_HINT;
    RETURN is(v_state || CASE WHEN v_hint = '' THEN ' (no hint)' ELSE '' END, state, description);
END
$$;
CREATE FUNCTION pg_temp.payload(token text) RETURNS jsonb LANGUAGE sql AS
    $$SELECT convert_from(decode(rpad(translate(split_part(token, '.', 2), '-_', '+/'), (length(split_part(token, '.', 2)) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb$$;
CREATE TEMPORARY TABLE who (name text PRIMARY KEY, claims json);
INSERT INTO who VALUES ('ann', '{"userId":"ann","role":"customer"}'), ('bob', '{"userId":"bob","role":"customer"}'), ('pat', '{"userId":"pat","role":"porter"}'), ('adm', '{"userId":"adm","role":"admin"}');
CREATE FUNCTION pg_temp.c(name text) RETURNS json LANGUAGE sql AS $$SELECT w.claims FROM who w WHERE w.name = c.name$$;

-- the order
SELECT is((pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1') ->> 'status')::int, 200, 'M2: the customer reads the order');
SELECT is((pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1') -> 'body')::jsonb - '{createdAt,updatedAt}'::text[],
    '{"orderId":"o1","id":"o1","customerId":"ann","porterId":"pat","status":"in_transit","pickupLatitude":19,"pickupLongitude":72}', 'M2: as it is');
SELECT is((pg_temp.ask(pg_temp.c('pat'), '/api/v1/orders/o1') -> 'body' ->> 'id') || (pg_temp.ask(pg_temp.c('adm'), '/api/v1/orders/o1') -> 'body' ->> 'id'), 'o1o1', 'M2: so do its porter and an admin');
SELECT pg_temp.refused(pg_temp.c('bob'), '/api/v1/orders/o1', 'PL403', 'M2: another customer is refused');
SELECT pg_temp.refused(pg_temp.c('bob'), '/api/v1/orders/none', 'PL403', 'M2: also for an order that does not exist');
SELECT pg_temp.refused(pg_temp.c('adm'), '/api/v1/orders/none', 'PL404', 'M2: an admin is told so');
SELECT pg_temp.refused(NULL, '/api/v1/orders/o1', 'PL401 (no hint)', 'M2: nobody without a token');

-- its messages
SELECT is((SELECT array_agg(i ->> 'message') FROM json_array_elements(pg_temp.ask(pg_temp.c('pat'), '/api/v1/orders/o1/messages') -> 'body' -> 'items') i),
    (SELECT array_agg('m' || n ORDER BY n DESC) FROM generate_series(6, 55) n), 'M5: fifty messages, newest first');
SELECT is((SELECT m.message FROM moves.messages m WHERE m.id::text = pg_temp.ask(pg_temp.c('pat'), '/api/v1/orders/o1/messages') -> 'body' ->> 'next'), 'm6', 'M5: next says where the next page begins');
SELECT is((SELECT array_agg(i ->> 'message') FROM json_array_elements(pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1/messages',
        json_build_object('before', (SELECT m.id FROM moves.messages m WHERE m.message = 'm6'))) -> 'body' -> 'items') i), '{m5,m4,m3,m2,m1}'::text[], 'M5: which is that');
SELECT is(pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1/messages', json_build_object('limit', '55')) -> 'body' ->> 'next', NULL, 'M5: the last page has no next');
SELECT is(json_array_length(pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1/messages', json_build_object('limit', '2')) -> 'body' -> 'items'), 2, 'M5: as many as asked for');
SELECT is((pg_temp.ask(pg_temp.c('bob'), '/api/v1/orders/o2/messages') -> 'body')::jsonb, '{"items":[],"next":null}', 'M5: no messages');
SELECT pg_temp.refused(pg_temp.c('ann'), '/api/v1/orders/o1/messages', 'PL422', 'M5: before is a message', '{"before":"x"}');
SELECT pg_temp.refused(pg_temp.c('bob'), '/api/v1/orders/o2/messages', 'PL422', 'M5: of this order', (SELECT json_build_object('before', m.id) FROM moves.messages m LIMIT 1));
SELECT pg_temp.refused(pg_temp.c('ann'), '/api/v1/orders/o1/messages', 'PL422', 'M5: limit is a number', '{"limit":"0"}');
SELECT pg_temp.refused(pg_temp.c('bob'), '/api/v1/orders/o1/messages', 'PL403', 'M2: nobody reads a foreign chat');

-- where the porter is
SELECT pg_temp.refused(pg_temp.c('ann'), '/api/v1/orders/o1/location', 'PL404', 'M3: no position is known');
INSERT INTO moves.porter_positions (porter_id, latitude, longitude, heading, at) VALUES ('pat', 19.5, 72.5, 45, '2026-01-02 03:04:05.678+00');
SELECT is((pg_temp.ask(pg_temp.c('ann'), '/api/v1/orders/o1/location') -> 'body')::jsonb,
    '{"orderId":"o1","porterId":"pat","latitude":19.5,"longitude":72.5,"heading":45,"timestamp":"2026-01-02T03:04:05.678Z"}', 'M3: the porter''s position');
SELECT pg_temp.refused(pg_temp.c('bob'), '/api/v1/orders/o1/location', 'PL403', 'M2: for nobody else');
UPDATE moves.orders SET status = 'delivered' WHERE id = 'o1';
SELECT pg_temp.refused(pg_temp.c('ann'), '/api/v1/orders/o1/location', 'PL404', 'M3: not after the delivery');

-- tokens
DO $$BEGIN EXECUTE format('COPY (SELECT repeat(''k'', 40)) TO %L', current_setting('data_directory') || '/moves_test_secret'); END$$;
SET pulse.jwt_secret_file = 'moves_test_secret';
CREATE TEMPORARY TABLE t AS SELECT pg_temp.ask('{"userId":"ann","role":"customer","aud":"app","exp":1,"jti":"x"}', '/api/v1/socket-token', method => 'POST') AS answer;
SELECT is((SELECT answer ->> 'status' FROM t), '201', 'M8: an access token is exchanged');
SELECT is((SELECT array_agg(k) FROM t, json_object_keys(t.answer -> 'body') k), '{token,reconnectToken,expiresAt}'::text[], 'M8: for two tokens');
SELECT is((SELECT pg_temp.payload(answer -> 'body' ->> 'token') - '{iat,exp,jti,deviceId}'::text[] FROM t), '{"userId":"ann","role":"customer","aud":"app","use":"socket"}', 'M8: one for sockets, of the same user');
SELECT is((SELECT pg_temp.payload(answer -> 'body' ->> 'reconnectToken') - '{iat,exp,jti,deviceId}'::text[] FROM t), '{"userId":"ann","role":"customer","aud":"app","use":"reconnect"}', 'M8: one to come back');
SELECT ok((SELECT (pg_temp.payload(answer -> 'body' ->> 'token') ->> 'exp')::bigint - extract(epoch FROM now()) BETWEEN 86390 AND 86410
             AND pg_temp.payload(answer -> 'body' ->> 'token') ->> 'deviceId' = pg_temp.payload(answer -> 'body' ->> 'reconnectToken') ->> 'deviceId' FROM t), 'M8: for a day, and of one device');
SELECT pg_temp.refused('{"userId":"ann","role":"customer","use":"socket"}', '/api/v1/socket-token', 'PL403', 'M8: a socket token is not exchanged', method => 'POST');
SELECT ok((pg_temp.payload(moves.mint_access_token('ann', 'customer')) ->> 'exp')::bigint - extract(epoch FROM now()) BETWEEN 890 AND 910, 'M8: an access token lives for a quarter of an hour');

SELECT * FROM finish();
ROLLBACK;
