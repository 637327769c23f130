-- What the bridge calls beside pulse.handle: handle_connect, decide, bridge_hello, bridge_read; and answers to retried calls.
BEGIN;
SELECT plan(72);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
\ir ../../support/error_of.sql

-- connect
CREATE FUNCTION shop.connect(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF claims ->> 'role' = 'thief' THEN PERFORM pulse.fail('forbidden', 'no thieves', 'Be honest.'); END IF;
    IF claims ->> 'role' = 'crash' THEN RETURN 1 / 0; END IF;
    IF claims ->> 'role' = 'guest' THEN RETURN NULL; END IF;
    IF claims ->> 'role' = 'raw' THEN RETURN (claims ->> 'result')::json; END IF;
    IF claims ->> 'role' = 'join' THEN PERFORM pulse.leave('x'); END IF;
    RETURN json_build_object('rooms', json_build_array('hall', 'as:' || current_user, 'hall'), 'data', json_build_object('n', 1, 'user', pulse.user_id()));
END $$;
CREATE FUNCTION shop.connect_too(claims json) RETURNS json LANGUAGE sql RETURN '{"rooms":["hall","attic"],"data":{"n":2}}'::json;
SELECT pulse.namespace('/shop', 'shop.connect'), pulse.namespace('/shop', 'shop.connect_too');
CREATE FUNCTION shop.welcome(claims text, namespace text DEFAULT '/shop') RETURNS json LANGUAGE sql
    RETURN pulse.handle_connect(namespace, ('{"userId":"ann","claims":' || claims || '}')::json);
SELECT is(shop.welcome('{}')::jsonb - 'position', '{"rooms":["user:ann","hall","as:pulse_client","attic"],"data":{"n":2,"user":"ann"},"recovered":false}', 'rooms and data of all connect functions are united');
SELECT is(shop.welcome('{}', '/')::jsonb - 'position', '{"rooms":["user:ann"],"data":{},"recovered":false}', 'the namespace / exists by itself');
SELECT is(pulse.handle_connect('/', '{}')::jsonb - 'position', '{"rooms":[],"data":{},"recovered":false}', 'an anonymous client has no room of its own');
SELECT is(shop.welcome('{"role":"guest"}')::jsonb - 'position', '{"rooms":["user:ann","hall","attic"],"data":{"n":2},"recovered":false}', 'null adds nothing');
SELECT is(shop.error_of($$SELECT shop.welcome('{"role":"thief"}')$$), 'PL403 no thieves / Be honest.', 'one refusal refuses');
SELECT is(shop.error_of($$SELECT shop.welcome('{"role":"crash"}')$$), '22012 division by zero', 'an error too');
SELECT matches(shop.error_of($$SELECT shop.welcome('{"role":"join"}')$$), '^55000', 'a connect function asks for nothing but its result');
SELECT is(shop.error_of(format('SELECT shop.welcome(%L)', json_build_object('role', 'raw', 'result', result))), '42P13 connect function shop.connect: ' || message || ' / It returns {"rooms":["…"],"data":{…}} or null.', 'result ' || result)
    FROM (VALUES ('[]', 'the result is no JSON object'), ('{"rooms":"x"}', 'rooms is no JSON array'), ('{"rooms":[1]}', 'a room is no string'), ('{"rooms":[""]}', 'room name is empty'),
          ('{"data":[]}', 'data is no JSON object'), ('{"room":["x"]}', 'unknown key "room"')) bad (result, message);
SELECT is(shop.welcome('{"role":"raw","result":"null"}')::jsonb -> 'data', '{"n":2}', 'JSON null is null');
SELECT is(shop.welcome('{"role":"raw","result":"{\"rooms\":null,\"data\":null}"}')::jsonb -> 'data', '{"n":2}', 'null members add nothing');
SELECT is(shop.error_of($$SELECT pulse.handle_connect('/', '[]')$$), 'PL400 context is no JSON object', 'a malformed context is refused');
SELECT is(shop.error_of($$SELECT pulse.handle_connect(NULL, '{}')$$), 'PL400 namespace is missing', 'a missing namespace is refused');
SELECT is(shop.error_of(format('SELECT pulse.handle_connect(%L, %L)', '/', json_build_object('userId', repeat(':', 100)))), 'PL400 the user id is too long', 'a user id that fits in no room is refused');

-- decide
CREATE FUNCTION shop.member(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF params ->> 'id' = 'crash' THEN RETURN 1 / 0; END IF;
    IF params ->> 'id' = 'write' THEN CREATE TABLE public.written (); END IF;
    IF params ->> 'id' = 'publish' THEN PERFORM nextval('shop.counter'); END IF;
    IF params ->> 'id' = 'null' THEN RETURN NULL; END IF;
    IF params ->> 'id' = 'fail' THEN PERFORM pulse.fail('forbidden', 'Not a member'); END IF;
    IF params ->> 'id' = 'full' THEN PERFORM pulse.fail('conflict', 'full', 'Come "later".', '{"retryAfter": 5, "seats": 0}'); END IF;
    IF params ->> 'id' = 'effect' THEN PERFORM pulse.leave('x'); END IF;
    IF params ->> 'id' = 'role' THEN RETURN current_user = 'pulse_client'; END IF;
    IF params ->> 'id' = 'reset' THEN RESET ROLE; RETURN true; END IF;
    IF params ->> 'id' = 'writable' THEN SET LOCAL transaction_read_only = off; END IF;
    IF params ->> 'id' = 'sleep' THEN PERFORM pg_sleep(60); END IF;
    RETURN params ->> 'id' = claims ->> 'role' AND room = 'shop:' || (params ->> 'id') AND pulse.claim('role') = claims ->> 'role';
END $$;
CREATE SEQUENCE shop.counter;
GRANT USAGE ON SEQUENCE shop.counter TO pulse_client;
GRANT CREATE ON SCHEMA public TO pulse_client;
SELECT pulse.policy('shop:{id}', 'join', 'shop.member');
CREATE FUNCTION shop.ask(room text, operation text DEFAULT 'join', OUT allowed boolean, OUT reason text) LANGUAGE sql
    BEGIN ATOMIC SELECT d.allowed, d.reason FROM pulse.decide(json_build_array(json_build_object('operation', operation, 'room', room,
        'context', '{"userId":"ann","claims":{"role":"nurse"}}'::json))) d; END;
SELECT is(shop.ask('shop:nurse')::text, '(t,"allowed by the policy of ""shop:{id}""")', 'a policy sees claims, room and params');
SELECT is(shop.ask('shop:doctor')::text, '(f,"refused by the policy of ""shop:{id}""")', 'false denies');
SELECT is((shop.ask('shop:null')).allowed, false, 'null denies');
SELECT is((shop.ask('shop:role')).allowed, true, 'a policy runs as pulse_client');
SELECT is(shop.ask('shop:fail')::text, '(f,"Not a member")', 'a policy may say why');
SELECT is(shop.ask('shop:' || id)::text, '(f,"the policy of ""shop:{id}"" failed")', 'an error denies: ' || id)
    FROM unnest(ARRAY['crash', 'write', 'publish', 'effect', 'reset', 'writable']) id;
SELECT is(shop.ask('shop:nurse', 'history')::text, '(f,"no policy allows to history this room")', 'another operation has its own policy');
SELECT is((shop.ask('shop:nurse', 'steal')).reason, 'unknown operation "steal"; known: join, publish, history, presence', 'an unknown operation is denied');
SELECT is((shop.ask('')).reason, 'room name is empty', 'an empty room is denied');
SELECT matches((shop.ask(repeat('x', 256))).reason, '^room name ".*" is too long: 256 bytes', 'a long room is denied');
SELECT is((shop.ask(E'a\nb')).reason, 'room name "a\nb" contains a control character', 'control characters are denied');
SELECT is((shop.ask(E'shop:"q\'u\\o😀')).allowed, false, 'quotes and emoji reach the policy');
SELECT results_eq($$SELECT d.n, d.allowed, d.reason FROM pulse.decide('[
        {"operation":"join","room":"shop:nurse","context":{"claims":{"role":"nurse"}}},
        {"operation":"join","room":"shop:crash","context":{"claims":{"role":"nurse"}}},
        7,
        {"operation":"join","room":"shop:doctor","context":{"claims":{"role":"doctor"}}},
        {"operation":"join","room":7,"context":{}},
        {"room":"shop:nurse","context":{}},
        {"operation":"join","room":"shop:nurse","context":[]},
        {"operation":"join","room":"a\u0000b","context":{}},
        {"operation":"join","room":"shop:fail","context":{}},
        {"operation":"join","room":"shop:nurse","context":{"claims":{"role":"doctor"}}}]') d$$,
    $$VALUES (0, true, 'allowed by the policy of "shop:{id}"'), (1, false, 'the policy of "shop:{id}" failed'), (2, false, 'the request is no JSON object'),
             (3, true, 'allowed by the policy of "shop:{id}"'), (4, false, 'room is no string'), (5, false, 'operation is no string'),
             (6, false, 'context is no JSON object'), (7, false, 'room is no string'), (8, false, 'Not a member'), (9, false, 'refused by the policy of "shop:{id}"')$$,
    'one bad request harms no other, and each has its own claims');
CREATE FUNCTION shop.words(room text) RETURNS json LANGUAGE sql RETURN (SELECT d.error FROM pulse.decide(json_build_array(json_build_object('operation', 'join', 'room', room, 'context', '{}'::json))) d);
SELECT is(shop.words('shop:fail')::text, '{"sqlstate":"PL403","message":"Not a member","hint":"","detail":""}', 'E3: what a policy says to the client');
SELECT is(shop.words('shop:full')::jsonb, '{"sqlstate":"PL409","message":"full","hint":"Come \"later\".","detail":"{\"retryAfter\":5,\"seats\":0}"}', 'E3: with code, hint and details');
SELECT is(string_agg(shop.words(room)::text, ','), NULL, 'E3: it says nothing by null, false, true or any other error, and nobody speaks for a room without one')
    FROM unnest(ARRAY['shop:null', 'shop:doctor', 'shop:role', 'shop:crash', 'shop:write', 'nowhere', '']) room;
SELECT is_empty($$SELECT * FROM pulse.decide('[]')$$, 'no requests, no rows');
SELECT is(shop.error_of($$SELECT pulse.decide('{}')$$), 'PL400 requests is no JSON array', 'requests must be an array');
SET LOCAL pulse.handler_timeout = '50ms';
SELECT is(shop.error_of($$SELECT shop.ask('shop:sleep')$$), '57014 deciding ran longer than pulse.handler_timeout (50 ms)', 'a batch that runs too long is cancelled');
SET LOCAL pulse.handler_timeout = '5s';
SELECT lives_ok('CREATE TABLE shop.still_writable ()', 'the transaction can still write');
REVOKE EXECUTE ON FUNCTION shop.member(json, text, json) FROM PUBLIC;
SELECT is((shop.ask('shop:nurse')).reason, 'the policy of "shop:{id}" failed', 'a policy that pulse_client cannot execute denies');
DROP FUNCTION shop.member(json, text, json);
SELECT is((shop.ask('shop:nurse')).reason, 'the policy of "shop:{id}" failed', 'a policy whose function is gone denies');

-- answers to retried calls
CREATE TABLE shop.orders (id serial, user_id text);
GRANT INSERT, SELECT ON shop.orders TO pulse_client;
GRANT USAGE ON SEQUENCE shop.orders_id_seq TO pulse_client;
CREATE FUNCTION shop.may_join(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN claims ->> 'evicted' IS NULL;
SELECT pulse.policy('orders:{user}', 'join', 'shop.may_join');
CREATE FUNCTION shop.order(args json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    v_id int;
BEGIN
    INSERT INTO shop.orders (user_id) VALUES (pulse.user_id()) RETURNING id INTO v_id;
    IF args -> 0 ->> 'fail' IS NOT NULL THEN RAISE 'no'; END IF;
    PERFORM pulse.join('orders:' || pulse.user_id());
    PERFORM pulse.reply('ordered', to_json(v_id));
    RETURN json_build_object('id', v_id);
END $$;
SELECT pulse.on('order', 'shop.order', key => 'order/{requestId}');
CREATE FUNCTION shop.place(request text, user_id text DEFAULT 'ann', claims json DEFAULT '{}', OUT ack text, OUT effects text) LANGUAGE sql
    BEGIN ATOMIC SELECT h.ack::text, h.effects::text FROM pulse.handle('/', 'order', json_build_array(request::json), json_build_object('userId', user_id, 'claims', claims)) h; END;
SELECT is(shop.place('{"requestId":"r1"}')::text, '("[{""id"":1}]","[{""join"":""orders:ann""},{""reply"":[""ordered"",1]}]")', 'the first call runs the handler');
SELECT is(shop.place('{"requestId":"r1"}')::text, '("[{""id"":1}]","[{""join"":""orders:ann""}]")', 'a retried one gets its answer, joins again and replies nothing');
SELECT is((shop.place('{"requestId":"r1"}', claims => '{"evicted":true}')).effects, '[]', 'but joins only what it may by now');
SELECT is((shop.place('{"requestId":"r2"}')).ack, '[{"id":2}]', 'another key is another call');
SELECT is((shop.place('{"requestId":"r1"}', 'bob')).ack, '[{"id":3}]', 'keys are a user''s own');
SELECT is((shop.place('{}')).ack || (shop.place('{"requestId":null}')).ack || (shop.place('7')).ack, '[{"id":4}][{"id":5}][{"id":6}]', 'without the key each call runs');
SELECT matches(shop.error_of($$SELECT shop.place('{"requestId":"r3","fail":1}')$$), '^P0001', 'a call that fails');
SELECT is((shop.place('{"requestId":"r3"}')).ack, '[{"id":8}]', 'is run again');
SELECT is((shop.place('{"requestId":1}')).ack = (shop.place('{"requestId":"1"}')).ack, false, 'a number and a string are two keys');
INSERT INTO _pulse.answers (user_id, namespace, event, key, ack, effects, at)
    VALUES ('ann', '/', 'order', 'old', '[]', '[]', now() - interval '25 hours'), ('ann', '/', 'order', 'young', '[]', '[]', now() - interval '23 hours');
SELECT count(*) FROM generate_series(1, 64) n, shop.place(json_build_object('requestId', n)::text);
SELECT is(ARRAY(SELECT a.key FROM _pulse.answers a WHERE a.key IN ('old', 'young')), ARRAY['young'], 'old answers are forgotten by and by');

-- the stream: positions 1000001 … 1000006 in two ticks, 1000004 quarantined
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000ff', 'pulse_secret', 1000000);
SELECT is(pulse.bridge_hello('b')::jsonb - 'dispatcherPid', '{"version":"1.1","epoch":"00000000000000ff","channel":"pulse_secret","position":1000000,"floor":1,"epochKnown":false,"epochEnd":null}', 'hello tells the epoch, its channel and where it stands');
SELECT is(json_typeof(pulse.bridge_hello('b') -> 'dispatcherPid') IN ('number', 'null'), true, 'and the dispatcher''s pid when one runs');
INSERT INTO pulse.events (id, xid, slot, at, name, rooms, payload, headers, attachments)
    SELECT 900000 + n, (5000000000 + n % 2)::text::xid8, (n % 3)::smallint, now(), CASE n WHEN 2 THEN E'odd "name" 😀' ELSE 'event' END,
           CASE n WHEN 2 THEN ARRAY['a "b"', 'c\d 😀'] ELSE ARRAY['r:' || n] END, ('{"n":' || n || '.0}')::json, '{"actor":"x"}',
           CASE n WHEN 3 THEN ARRAY['\x0102'::bytea] END
    FROM generate_series(1, 6) n;
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids)
    SELECT 1000000 + min(n), 1000000 + max(n), (min(n) % 3)::smallint, now(), '1:1:', '1:1:', array_agg((5000000000 + n % 2)::text::xid8 ORDER BY n), array_agg(900000 + n ORDER BY n)
    FROM generate_series(1, 6) n GROUP BY n / 4;
INSERT INTO _pulse.quarantine (position, event_id, xid, sqlstate, message) VALUES (1000004, 900004, '5000000000', '22000', 'poison');
CREATE FUNCTION shop.read(after int, up_to int, max_events int DEFAULT 1000) RETURNS text LANGUAGE sql
    RETURN (SELECT string_agg((r.position - 1000000)::text, ' ') FROM pulse.bridge_read(1000000 + after, 1000000 + up_to, max_events) r);
SELECT is(pulse.bridge_hello('b') ->> 'position', '1000006', 'hello''s position is the last one dispatched');
SELECT is((SELECT h.position FROM pulse.decide('[{"operation":"join","room":"x","context":{}}]') h), '00000000000000ff:1000006', 'a decision carries the cursor');
SELECT is(pulse.handle_connect('/', '{}') ->> 'position', '00000000000000ff:1000006', 'a connect does');
CREATE FUNCTION shop.nothing(args json) RETURNS json LANGUAGE sql RETURN NULL::json;
SELECT pulse.on('nothing', 'shop.nothing');
SELECT is((SELECT h.position FROM pulse.handle('/', 'nothing', '[]', '{}') h), NULL, 'the answer of a handler that asked for nothing has none');
CREATE FUNCTION shop.greeting(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.reply('hello', '1'); RETURN NULL; END $$;
SELECT pulse.on('greeting', 'shop.greeting');
SELECT is((SELECT h.position FROM pulse.handle('/', 'greeting', '[]', '{}') h), '00000000000000ff:1000006', 'that of one with effects does');
SELECT is(shop.read(0, 6), '1 2 3 5 6', 'a range comes in order, without quarantined events');
SELECT is(shop.read(1, 5), '2 3 5', 'after is exclusive, up_to inclusive, over ticks');
SELECT is(shop.read(0, 100), '1 2 3 5 6', 'a range may end beyond the last tick');
SELECT is(shop.read(6, 100), NULL, 'nothing is after the last');
SELECT is(shop.read(3, 4), NULL, 'a quarantined position alone is empty');
SELECT is(shop.read(5, 4), NULL, 'an empty range is empty');
SELECT is(shop.read(0, 6, 4), '1 2 3 5', 'a page is full although a position in it is quarantined');
SELECT is((SELECT r::text FROM (SELECT r.rooms::text, r.name::text, r.headers::text, r.payload::text, r.attachments FROM pulse.bridge_read(1000001, 1000002) r) r),
    (SELECT ROW('["a \"b\"","c\\d 😀"]', '"odd \"name\" 😀"', '{"actor":"x"}', '{"n":2.0}', NULL)::text), 'rooms and name are JSON, payload and headers as stored');
SELECT is((SELECT r.attachments FROM pulse.bridge_read(1000002, 1000003) r), ARRAY['\x0102'::bytea], 'attachments are read too');
SELECT is(shop.read(-1000000000, 6, 0), NULL, 'a page of none is empty');

SELECT * FROM finish();
ROLLBACK;
