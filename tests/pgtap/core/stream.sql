-- pulse.stream and pulse.handle_request: what an HTTP request opens, for whom, and from where on.
BEGIN;
SELECT plan(100);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
\ir ../../support/error_of.sql
-- Registers a stream with this plpgsql body.
CREATE FUNCTION shop.stream(path text, body text, auth text DEFAULT 'jwt') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION shop.%I(request json) RETURNS json LANGUAGE plpgsql AS %L', path, body);
    PERFORM pulse.stream(path, format('shop.%I', path), auth);
END
$$;
CREATE FUNCTION shop.get(path text, context text DEFAULT '{"claims":{"role":"nurse"},"userId":"ann"}', request text DEFAULT '{}') RETURNS text LANGUAGE sql
    BEGIN ATOMIC SELECT pulse.handle_request('GET', path, request::json, context::json)::text; END;

-- registering
CREATE FUNCTION shop.one(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["one"]}'::json;
CREATE FUNCTION shop.two(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["two"]}'::json;
CREATE FUNCTION shop.wrong(request text) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json;
CREATE FUNCTION shop.rooms(path text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT shop.get(path)::json ->> 'rooms'; END;
SELECT matches(shop.error_of($$SELECT shop.get('/api/orders')$$), '^PL404 nothing is here', 'C3: nothing is registered yet');
SELECT lives_ok($$SELECT pulse.stream('/api/orders', 'shop.one')$$, 'C3: a stream is registered');
SELECT is(shop.rooms('/api/orders'), '["one"]', 'C3: and answers at once');
SELECT lives_ok($$SELECT pulse.stream('/api/orders', 'shop.two(json)', 'none')$$, 'registering again replaces, by signature too');
SELECT is(shop.rooms('/api/orders'), '["two"]', 'the new one answers');
SELECT is((SELECT auth FROM _pulse.streams WHERE path = '/api/orders'), 'none', 'with its new auth');
SELECT lives_ok($$SELECT pulse.stream('/api/{what}', 'shop.one')$$, 'a path with a variable');
SELECT is(shop.rooms('/api/orders'), '["two"]', 'text wins over a variable');
SELECT is(shop.rooms('/api/other'), '["one"]', 'which takes the rest');
SELECT matches(shop.error_of($$SELECT shop.get('/api/other/')$$), '^PL404', 'but no other number of segments');
SELECT is(pulse.unstream('/api/orders'), true, 'a stream is dropped');
SELECT is(shop.rooms('/api/orders'), '["one"]', 'and answers no more');
SELECT is(pulse.unstream('/api/orders'), false, 'dropping it again finds nothing');
SELECT matches(shop.error_of(format('SELECT pulse.stream(%L, %L)', path, 'shop.one')), pattern, 'path ' || to_json(left(path, 20)))
    FROM (VALUES ('', '^22023 path "": a path starts'), ('api', '^22023'), ('/', '^22023'), ('/a/', '^22023'), ('/a//b', '^22023'), ('/{a}/{a}', '^22023 .*stands twice'), ('/a b', '^22023'),
          ('/a?b=1', '^22023'), ('/x{id}', '^22023'), ('/' || repeat('x', 255), '^22023 .*255 bytes'),
          ('/sse', '^22023 path "/sse" is answered by the bridge itself / These and all below'), ('/socket.io/x', '^22023 .*bridge'), ('/metrics', '^22023 .*bridge'), (NULL, '^22004 path is null')) bad (path, pattern);
SELECT is(shop.error_of($$SELECT pulse.stream('/x', 'shop.one', 'password')$$), '22023 unknown auth "password" / Accepted are: jwt, internal, none.', 'an unknown auth lists the known ones');
SELECT is(shop.error_of($$SELECT pulse.stream('/x', 'shop.missing')$$), '42883 no function "shop.missing" with the arguments that pulse.stream needs / pulse.stream needs a function f(request json) returns json.', 'a missing function says what is needed');
SELECT matches(shop.error_of($$SELECT pulse.stream('/x', 'shop.wrong')$$), '^42883 .*There is shop.wrong', 'a wrong one shows what there is');
SELECT matches(shop.error_of($$SELECT pulse.stream('/x', NULL)$$), '^22004', 'no function is refused');

-- what the function is given, and who runs it
SELECT shop.stream('/api/rooms/{id}/of/{who}', $$BEGIN RETURN json_build_object('rooms', '[]'::json, 'first', json_build_array(json_build_object('event', 'request', 'data', request))); END$$);
SELECT is((shop.get('/api/rooms/a ä😀/of/7', '{"claims":{"n":1.50,"a":{}},"userId":"ann"}', '{"query":{"x":"1"},"headers":{"accept":"*/*"},"path":"/lie","claims":{"lie":1},"body":"","ip":"::1"}')::json -> 'first' -> 0 ->> 'data')::text,
    '{"method":"GET","path":"/api/rooms/a ä😀/of/7","params":{"id":"a ä😀","who":"7"},"claims":{"n":1.50,"a":{}},"query":{"x":"1"},"headers":{"accept":"*/*"},"body":"","ip":"::1"}',
    'C3: the function is given the request with its variables and the claims as they were signed');
SELECT shop.stream('/who', $$BEGIN RETURN json_build_object('rooms', json_build_array(current_user, pulse.user_id(), pulse.claim('role'))); END$$, 'none');
SELECT is(shop.rooms('/who'), '["pulse_client","ann","nurse"]', 'C3: it runs as pulse_client and sees who asks');
SELECT is(current_user::text, session_user::text, 'the role is given back');
SELECT is(pulse.user_id(), NULL, 'and nobody asks any more');
SELECT shop.stream('/effects', $$BEGIN PERFORM pulse.reply('x', '1'); RETURN NULL; END$$);
SELECT matches(shop.error_of($$SELECT shop.get('/effects')$$), '^55000 pulse.reply works only in', 'it has no session to reply to');
SELECT shop.stream('/private', $$BEGIN PERFORM FROM _pulse.epochs; RETURN NULL; END$$);
SELECT is(shop.error_of($$SELECT shop.get('/private')$$), '42501 permission denied for schema _pulse', 'and cannot read private tables');
CREATE TABLE shop.seen (path text);
GRANT INSERT ON shop.seen TO pulse_client;
SELECT shop.stream('/writes', $$BEGIN INSERT INTO shop.seen VALUES (request ->> 'path'); RETURN '{"rooms":[]}'; END$$);
SELECT shop.get('/writes');
SELECT results_eq('SELECT path FROM shop.seen', $$VALUES ('/writes')$$, 'it may write');

-- who may
SELECT is(shop.error_of($$SELECT shop.get('/api/other', '{"claims":null}')$$), 'PL401 a token is needed', 'C3: without a token none');
SELECT is(shop.error_of($$SELECT shop.get('/api/other', '{}')$$), 'PL401 a token is needed', 'nor without a word of it');
SELECT is(shop.error_of($$SELECT shop.get('/api/other', '{"claims":null,"authError":"the token has expired"}')$$), 'PL401 the token has expired', 'a bad token is said to be bad');
SELECT shop.stream('/open', $$BEGIN RETURN json_build_object('rooms', json_build_array(coalesce(pulse.user_id(), 'nobody'))); END$$, 'none');
SELECT is(shop.get('/open', '{"claims":null,"authError":"the token has expired"}')::json ->> 'rooms', '["nobody"]', 'auth none asks for no token');
SELECT is(shop.get('/open')::json ->> 'rooms', '["ann"]', 'but knows who has one');
SELECT shop.stream('/machines', $$BEGIN RETURN '{"rooms":["machines"]}'; END$$, 'internal');
SELECT matches(shop.error_of($$SELECT shop.get('/machines')$$), '^PL404', 'auth internal: nothing is there for the public');
SELECT matches(shop.error_of($$SELECT shop.get('/machines', '{"internalToken":true}')$$), '^PL404', 'also with the token');
SELECT matches(shop.error_of($$SELECT shop.get('/machines', '{"internal":true}')$$), '^PL401 the internal token', 'inside the token is needed');
SELECT is(shop.get('/machines', '{"internal":true,"internalToken":true}')::json ->> 'rooms', '["machines"]', 'and enough');
SELECT shop.stream('/internal/feed', $$BEGIN RETURN '{"rooms":["feed"]}'; END$$);
SELECT matches(shop.error_of($$SELECT shop.get('/internal/feed')$$), '^PL404', 'nothing below /internal is for the public');
SELECT is(shop.get('/internal/feed', '{"internal":true,"claims":{}}')::json ->> 'rooms', '["feed"]', 'inside it is there');
SELECT is((SELECT concat_ws(' ', r ->> 'kind', r ->> 'status', r -> 'headers' ->> 'Allow') FROM pulse.handle_request(method, '/open', '{}', '{}') r), 'response 405 GET, OPTIONS', 'C3: a stream is opened by GET, not by ' || method)
    FROM unnest(ARRAY['POST', 'DELETE']) method;
SELECT pulse.revoke('mallory');
SELECT is(shop.error_of($$SELECT shop.get('/api/other', '{"claims":{"iat":1},"userId":"mallory"}')$$), 'PL401 the token is revoked', 'C3: a revoked token is refused');

-- what it gives
SELECT shop.stream('/full', $$BEGIN RETURN '{"rooms":["b","a","b"], "events":["order:new", "x"],"first":[{"event":"hello","data":{ "z":1,"a":[1.50, 1e3] }},{"event":"nothing"}]}'; END$$);
SELECT is(regexp_replace(shop.get('/full'), '"position":("[^"]*"|null)', '"position":0'),
    '{"kind":"stream","path":"/full","rooms":["b","a"],"events":["order:new","x"],"first":[{"event":"hello","data":{"z":1,"a":[1.50,1e3]}},{"event":"nothing","data":null}],"position":0,"since":null,"recovered":null,"mustRefetch":null}',
    'C3: rooms once, events, first ones byte for byte');
SELECT is(shop.get('/open')::json ->> 'events', NULL, 'no events are all of them');
SELECT shop.stream('/null', 'BEGIN RETURN NULL; END'), shop.stream('/json_null', $$BEGIN RETURN 'null'; END$$);
SELECT matches(shop.error_of(format('SELECT shop.get(%L)', path)), '^PL404 nothing is here', path || ' is not found') FROM unnest(ARRAY['/null', '/json_null']) path;
SELECT shop.stream('/fail', $$BEGIN RETURN pulse.fail('forbidden', 'not yours', 'Ask.'); END$$);
SELECT is(shop.error_of($$SELECT shop.get('/fail')$$), 'PL403 not yours / Ask.', 'C3: pulse.fail says the status');
SELECT shop.stream('/gives', $$BEGIN RETURN request -> 'query' -> 'what'; END$$);
SELECT matches(shop.error_of(format('SELECT shop.get(%L, request => %L)', '/gives', format('{"query":{"what":%s}}', gives))), '^42P13 stream function shop."/gives": ' || message, 'it may not give ' || gives)
    FROM (VALUES ('[]', 'the result is no'), ('"x"', 'the result is no'), ('{"rooms":"a"}', 'rooms is no JSON array'), ('{"rooms":[1]}', 'a room is no string'), ('{"rooms":[""]}', 'room name is empty'),
          ('{"rooms":["pulse:system"]}', '.*reserved'), ('{"events":["connect"]}', '.*reserved'), ('{"events":{}}', 'events is no'), ('{"first":[1]}', 'an element of first'),
          ('{"first":[{"data":1}]}', 'an event is no string'), ('{"first":[{"event":"x","more":1}]}', 'unknown key "more"'), ('{"room":"a"}', 'unknown key "room"')) bad (gives, message);

-- from where on: the log as a dispatcher would write it, inside this transaction
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000aa', 'pulse_secret', 1000000);
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) VALUES (1000000, 1000000, 0, now(), '1:1:', '1:1:', '{1}', '{0}');
CREATE FUNCTION shop.dispatch() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_event record;
    v_position bigint;
BEGIN
    FOR v_event IN SELECT e.* FROM pulse.events e WHERE e.xid = pg_current_xact_id() AND NOT EXISTS (SELECT FROM pulse.deliveries d WHERE d.event_id = e.id AND d.xid = e.xid) ORDER BY e.id LOOP
        v_position := split_part(pulse.position(), ':', 2)::bigint + 1;
        INSERT INTO pulse.deliveries (room, position, xid, event_id, slot) SELECT room, v_position, v_event.xid, v_event.id, v_event.slot FROM unnest(v_event.rooms) room;
        INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids) VALUES (v_position, v_position, 0, now(), '1:1:', '1:1:', ARRAY[v_event.xid], ARRAY[v_event.id]);
    END LOOP;
END $$;
CREATE FUNCTION shop.from_cursor(cursor text, user_id text DEFAULT 'ann') RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', coalesce(r ->> 'recovered', 'null'), (r ->> 'since')::bigint - 1000000, r ->> 'mustRefetch', 'at ' || split_part(r ->> 'position', ':', 2)::bigint - 1000000)
        FROM (SELECT shop.get('/full', json_build_object('claims', '{}'::json, 'userId', user_id, 'cursor', cursor)::text)::json) t (r));
SELECT shop.dispatch();   -- the revocation above: position 1
SELECT is(shop.from_cursor(NULL), 'null at 1', 'C3: without a cursor nothing is recovered, and the position is where to begin');
SELECT is(shop.from_cursor('00000000000000aa:1000000'), 'true 0 at 1', 'C3: a cursor that is good is gone on from');
SELECT is(shop.from_cursor(cursor), 'false ' || reason || ' at 1', 'E6: ' || cursor || ': ' || reason)
    FROM (VALUES ('nonsense', 'unknown'), ('00000000000000bb:1', 'foreign_epoch'), ('00000000000000aa:1000009', 'future')) bad (cursor, reason);
SELECT pulse.evict('a', 'bob'), pulse.evict('other', 'ann'), shop.dispatch();
SELECT is(shop.from_cursor('00000000000000aa:1000000'), 'true 0 at 3', 'evictions of others, and from other rooms, take nothing away');
SELECT is(shop.from_cursor('00000000000000aa:1000000', 'bob'), 'false evicted at 3', 'who was put out of one of the rooms since then is told to fetch anew');
SELECT is(shop.from_cursor('00000000000000aa:1000002', 'bob'), 'true 2 at 3', 'who came after it is not');
SELECT pulse.evict('b'), shop.dispatch();
SELECT is(shop.from_cursor('00000000000000aa:1000003'), 'false evicted at 4', 'when everybody was put out, everybody is');

-- bad input of the bridge
SELECT matches(shop.error_of(format('SELECT pulse.handle_request(%s)', arguments)), '^PL400 ' || message, arguments)
    FROM (VALUES ($$NULL, '/open', '{}', '{}'$$, 'method is missing'), ($$'GET', NULL, '{}', '{}'$$, 'path is missing'), ($$'GET', '/open', NULL, '{}'$$, 'request is missing'),
          ($$'GET', '/open', '[]', '{}'$$, 'request is no'), ($$'GET', '/open', '{}', NULL$$, 'context is missing'), ($$'GET', '/open', '{}', '[]'$$, 'context is no'),
          ($$'GET', '/open', '{}', '{"cursor":7}'$$, 'context.cursor is no string')) bad (arguments, message);

-- time, and functions that are gone or not granted
SET LOCAL pulse.handler_timeout = '50ms';
SELECT shop.stream('/endless', 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.get('/endless')$$), '57014 stream function shop."/endless" ran longer than pulse.handler_timeout (50 ms)', 'a function that runs too long is cancelled');
SET LOCAL pulse.handler_timeout = '5s';
DROP FUNCTION shop."/endless"(json);
SELECT matches(shop.error_of($$SELECT shop.get('/endless')$$), '^42883 the registered function', 'a dropped function is a clear error');
REVOKE EXECUTE ON FUNCTION shop."/open"(json) FROM PUBLIC;
SELECT matches(shop.error_of($$SELECT shop.get('/open')$$), '^42501 pulse_client cannot execute .*GRANT EXECUTE', 'a missing grant names the GRANT');

-- packs and the application
SELECT pulse.stream('/deal', 'shop.one');
UPDATE _pulse.streams SET extension = 'plpgsql' WHERE path = '/deal';
SELECT is(shop.rooms('/deal'), '["one"]', 'a pack''s stream answers');
SELECT pulse.stream('/deal', 'shop.two');
SELECT is(shop.rooms('/deal'), '["two"]', 'an application overrides it');
SELECT is(pulse.unstream('/deal'), true, 'dropping drops the application''s');
SELECT is(shop.rooms('/deal'), '["one"]', 'and the pack''s is back');
UPDATE _pulse.streams SET extension = 'gone_pack' WHERE path = '/deal';
SELECT matches(shop.error_of($$SELECT shop.get('/deal')$$), '^PL404', 'that of a pack that is gone is ignored');
CREATE EXTENSION lo;
UPDATE _pulse.streams SET extension = 'lo' WHERE path = '/deal';
DROP EXTENSION lo;
SELECT is_empty($$SELECT FROM _pulse.streams WHERE extension = 'lo'$$, 'and goes with it');

-- who may register
CREATE ROLE some_admin;
GRANT pulse_admin TO some_admin;
GRANT USAGE ON SCHEMA shop TO some_admin;
CREATE ROLE nobody_special;
CREATE FUNCTION shop.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_error text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    v_error := shop.error_of(statement);
    RESET ROLE;
    RETURN v_error;
END
$$;
GRANT USAGE ON SCHEMA shop TO nobody_special, pulse_bridge;
SELECT is(shop.as_role('some_admin', $$SELECT pulse.stream('/by_admin', 'shop.one'), pulse.unstream('/by_admin')$$), NULL, 'pulse_admin may register');
SELECT is(shop.as_role('nobody_special', statement), '42501 permission denied for function ' || name, 'nobody else: ' || name)
    FROM (VALUES ('stream', $$SELECT pulse.stream('/x', 'shop.one')$$), ('unstream', $$SELECT pulse.unstream('/x')$$)) calls (name, statement);
SELECT is(shop.as_role('pulse_bridge', $$SELECT pulse.handle_request('GET', '/api/other', '{}', '{"claims":{}}')$$), NULL, 'the bridge may ask');
SELECT is(shop.as_role(role, $$SELECT pulse.handle_request('GET', '/api/other', '{}', '{"claims":{}}')$$), '42501 permission denied for function handle_request', role || ' may not')
    FROM unnest(ARRAY['pulse_client', 'pulse_admin']) role;

SELECT * FROM finish();
ROLLBACK;
