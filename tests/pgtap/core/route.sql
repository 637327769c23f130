-- pulse.route, pulse.http_response and pulse.handle_request: what answers an HTTP request, for whom, and how.
BEGIN;
SELECT plan(154);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_hint text;
    v_detail text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT, v_detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN v_hint <> '' THEN ' / ' || v_hint ELSE '' END || CASE WHEN v_detail <> '' THEN ' | ' || v_detail ELSE '' END;
END
$$;
-- Registers a route with this plpgsql body.
CREATE FUNCTION shop.route(method text, path text, body text, auth text DEFAULT 'jwt') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION shop.%I(request json) RETURNS json LANGUAGE plpgsql AS %L', method || path, body);
    PERFORM pulse.route(method, path, format('shop.%I', method || path), auth);
END
$$;
CREATE FUNCTION shop.ask(method text, path text, request text DEFAULT '{}', context text DEFAULT '{"claims":{"role":"nurse"},"userId":"ann"}') RETURNS text LANGUAGE sql
    BEGIN ATOMIC SELECT pulse.handle_request(method, path, request::json, context::json)::text; END;
-- What the function got as body.
CREATE FUNCTION shop.body_of(body text, content_type text DEFAULT 'application/json') RETURNS text LANGUAGE sql
    RETURN (shop.ask('POST', '/echo', json_build_object('headers', json_build_object('content-type', content_type), 'body', body)::text)::json -> 'body' ->> 'body')::text;

-- registering
CREATE FUNCTION shop.one(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json;
CREATE FUNCTION shop.two(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '2'::json;
CREATE FUNCTION shop.wrong(request text) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json;
CREATE FUNCTION shop.said(answer text) RETURNS text LANGUAGE sql IMMUTABLE RETURN (answer::json ->> 'status') || ' ' || coalesce(answer::json ->> 'body', '-');
SELECT matches(shop.error_of($$SELECT shop.ask('GET', '/api/orders')$$), '^PL404 nothing is here', 'D9: nothing is registered yet');
SELECT lives_ok($$SELECT pulse.route('GET', '/api/orders', 'shop.one')$$, 'D9: a route is registered');
SELECT is(shop.ask('GET', '/api/orders'), '{"kind":"response","method":"GET","path":"/api/orders","status":200,"headers":{},"body":1}', 'D9: and answers at once');
SELECT lives_ok($$SELECT pulse.route('get', '/api/orders', 'shop.two(json)', 'none')$$, 'registering again replaces, by signature and in small letters too');
SELECT is(shop.said(shop.ask('GET', '/api/orders')), '200 2', 'the new one answers');
SELECT is((SELECT concat_ws(' ', method, path, function, auth) FROM _pulse.routes), 'GET /api/orders shop.two none', 'with its new auth');
SELECT is(shop.said(shop.ask('HEAD', '/api/orders')), '200 2', 'D9: GET answers HEAD too');
SELECT lives_ok($$SELECT pulse.route('POST', '/api/orders', 'shop.one'), pulse.route('DELETE', '/api/{what}', 'shop.one'), pulse.route('GET', '/api/{what}', 'shop.one')$$, 'other methods of a path, and a path with a variable');
SELECT is(shop.said(shop.ask(method, path)), answer, method || ' ' || path)
    FROM (VALUES ('GET', '/api/orders', '200 2'), ('POST', '/api/orders', '200 1'), ('DELETE', '/api/orders', '200 1'), ('GET', '/api/other', '200 1')) known (method, path, answer);
SELECT matches(shop.error_of($$SELECT shop.ask('GET', '/api/other/')$$), '^PL404', 'another number of segments is another path');
SELECT is(shop.ask('PATCH', '/api/orders', context => '{"correlationId":"c1"}'),
    '{"kind":"response","method":null,"path":null,"status":405,"headers":{"Allow":"GET, HEAD, POST, DELETE, OPTIONS"},"body":{"error":{"code":"bad_request","message":"PATCH is not answered here","hint":"Answered are: GET, HEAD, POST, DELETE, OPTIONS.","correlationId":"c1"}}}',
    'D9: a known path with another method is 405 with Allow');
SELECT is(pulse.unroute('Get', '/api/orders'), true, 'a route is dropped');
SELECT is(shop.said(shop.ask('GET', '/api/orders')), '200 1', 'and answers no more');
SELECT is(pulse.unroute('GET', '/api/orders'), false, 'dropping it again finds nothing');
SELECT matches(shop.error_of(format('SELECT pulse.route(%L, %L, %L)', method, path, 'shop.one')), pattern, coalesce(method, 'null') || ' ' || coalesce(left(path, 20), 'null'))
    FROM (VALUES ('GET', '', '^22023 path "": a path starts'), ('GET', '/a/', '^22023'), ('GET', '/{a}/{a}', '^22023 .*stands twice'), ('GET', '/' || repeat('x', 255), '^22023 .*255 bytes'), ('GET', NULL, '^22004 path is null'),
          ('POST', '/sse', '^22023 path "/sse" is answered by the bridge itself / These and all below'), ('GET', '/metrics', '^22023 .*bridge'), (NULL, '/a', '^22004 method is null'),
          ('HEAD', '/a', '^22023 method HEAD needs no route / A GET route'), ('OPTIONS', '/a', '^22023 method OPTIONS needs no route'), ('FETCH', '/a', '^22023 unknown method "FETCH" / Accepted are: GET, POST')) bad (method, path, pattern);
SELECT is(shop.error_of($$SELECT pulse.route('GET', '/x', 'shop.one', 'password')$$), '22023 unknown auth "password" / Accepted are: jwt, internal, none.', 'an unknown auth lists the known ones');
SELECT is(shop.error_of($$SELECT pulse.route('GET', '/x', 'shop.missing')$$), '42883 no function "shop.missing" with the arguments that pulse.route needs / pulse.route needs a function f(request json) returns json.', 'a missing function says what is needed');
SELECT matches(shop.error_of($$SELECT pulse.route('GET', '/x', 'shop.wrong')$$), '^42883 .*There is shop.wrong', 'a wrong one shows what there is');
SELECT matches(shop.error_of($$SELECT pulse.route('GET', '/x', NULL)$$), '^22004', 'no function is refused');

-- streams beside routes
CREATE FUNCTION shop.rooms(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["one"]}'::json;
SELECT pulse.stream('/orders/{id}/stream', 'shop.rooms');
SELECT is(shop.error_of($$SELECT pulse.route('GET', '/orders/{order}/stream', 'shop.one')$$),
    '42710 path "/orders/{order}/stream" belongs to the stream "/orders/{id}/stream" / Event streams are opened by GET too; take it away with pulse.unstream first.', 'a stream''s path takes no GET route');
SELECT matches(shop.error_of($$SELECT pulse.stream('/api/{else}', 'shop.rooms')$$), '^42710 path "/api/{else}" belongs to the GET route "/api/{what}"', 'nor a GET route''s a stream');
SELECT lives_ok($$SELECT pulse.route('POST', '/orders/{id}/stream', 'shop.two')$$, 'another method does');
SELECT is(shop.ask('GET', '/orders/7/stream')::json ->> 'kind', 'stream', 'the stream is opened');
SELECT is(shop.said(shop.ask('POST', '/orders/7/stream')), '200 2', 'the route answers');
SELECT is(shop.ask('HEAD', '/orders/7/stream')::json -> 'headers' ->> 'Allow', 'POST, GET, OPTIONS', 'C3: HEAD opens no stream');

-- what the function is given, and who runs it
SELECT shop.route('POST', '/rooms/{id}/of/{who}', 'BEGIN RETURN request; END');
SELECT is(shop.ask('POST', '/rooms/a ä😀/of/7', '{"query":{"x":"1"},"headers":{"accept":"*/*"},"path":"/lie","claims":{"lie":1},"body":"hello","ip":"::1"}', '{"claims":{"n":1.50,"a":{}},"userId":"ann"}'),
    '{"kind":"response","method":"POST","path":"/rooms/{id}/of/{who}","status":200,"headers":{},"body":{"method":"POST","path":"/rooms/a ä😀/of/7","params":{"id":"a ä😀","who":"7"},"claims":{"n":1.50,"a":{}},"query":{"x":"1"},"headers":{"accept":"*/*"},"ip":"::1","body":"hello"}}',
    'D9: the function is given the request with its variables and the claims as they were signed');
SELECT shop.route('GET', '/who', $$BEGIN RETURN json_build_array(current_user, pulse.user_id(), pulse.claim('role')); END$$, 'none');
SELECT is(shop.ask('GET', '/who')::json ->> 'body', '["pulse_client", "ann", "nurse"]', 'D9: it runs as pulse_client and sees who asks');
SELECT is(current_user::text, session_user::text, 'the role is given back');
CREATE VIEW shop.calls AS SELECT * FROM (VALUES ('join', $$pulse.join('a')$$), ('reply', $$pulse.reply('x', '1')$$), ('ask', $$pulse.ask('x', '1')$$), ('disconnect', $$pulse.disconnect('x')$$)) calls (name, call);
SELECT shop.route('GET', '/' || name, format('BEGIN PERFORM %s; RETURN NULL; END', call)) FROM shop.calls;
SELECT matches(shop.error_of(format('SELECT shop.ask(%L, %L)', 'GET', '/' || name)), '^55000 pulse.' || name || ' works only in', 'it has no session: pulse.' || name) FROM shop.calls;
SELECT shop.route('GET', '/private', $$BEGIN PERFORM FROM _pulse.epochs; RETURN NULL; END$$);
SELECT matches(shop.error_of($$SELECT shop.ask('GET', '/private')$$), '^42501 permission denied for schema _pulse', 'it cannot read private tables');
CREATE TABLE shop.orders (id int PRIMARY KEY);
GRANT INSERT ON shop.orders TO pulse_client;
GRANT pulse_publisher TO pulse_client;
SELECT shop.route('POST', '/orders', $$BEGIN INSERT INTO shop.orders VALUES ((request -> 'body' ->> 'id')::int); PERFORM pulse.publish('orders', 'order:new', request -> 'body'); RETURN pulse.http_response(201, request -> 'body'); END$$);
SELECT is(shop.said(shop.ask('POST', '/orders', '{"headers":{"content-type":"application/json"},"body":"{\"id\":7}"}')), '201 {"id":7}', 'D9: it may write and publish');
SELECT results_eq('SELECT id FROM shop.orders', 'VALUES (7)', 'which it did');
SELECT is((SELECT payload::text FROM pulse.events WHERE name = 'order:new'), '{"id":7}', 'both');

-- the body
SELECT shop.route('POST', '/echo', $$BEGIN RETURN json_build_object('body', request -> 'body'); END$$);
SELECT is(shop.body_of('{ "b": 1.50, "a":[] }'), '{"b":1.50,"a":[]}', 'D9: JSON is given as JSON, its text unchanged');
SELECT is(shop.body_of(' [1] ', type), '[1]', type || ' is JSON') FROM unnest(ARRAY['Application/JSON; charset=utf-8', 'application/problem+json', 'text/json']) type;
SELECT is(shop.body_of('[1]', type), '[1]', type || ' is text') FROM unnest(ARRAY['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '']) type;
SELECT is(shop.ask('POST', '/echo', '{"headers":{"content-type":"text/plain"},"body":"[1]"}')::json -> 'body' ->> 'body', '[1]', 'text is a JSON string');
SELECT is(shop.ask('POST', '/echo', request)::json -> 'body' ->> 'body', NULL, 'no body is null: ' || request)
    FROM unnest(ARRAY['{}', '{"body":""}', '{"body":null}', '{"headers":{"content-type":"application/json"},"body":""}']) request;
SELECT shop.route('PUT', '/echo', 'BEGIN INSERT INTO shop.orders VALUES (99); RETURN NULL; END');
SELECT matches(shop.error_of(format('SELECT shop.ask(%L, %L, %L)', 'PUT', '/echo', json_build_object('headers', '{"content-type":"application/json"}'::json, 'body', body))), '^PL400 the body is no JSON: .*, at byte', 'D9: malformed: ' || body)
    FROM unnest(ARRAY['{', '{"a":}', 'nul', '[1] 2', '''a''', repeat('[', 1500)]) body;
SELECT is_empty('SELECT FROM shop.orders WHERE id = 99', 'and the function does not run');
SELECT matches(shop.error_of($$SELECT shop.ask('PUT', '/echo', '{"body":7}')$$), '^PL400 request.body is no string', 'the bridge hands over text');

-- what it answers
SELECT shop.route('GET', '/answers', $$BEGIN RETURN request -> 'query' -> 'what'; END$$);
SELECT is(shop.ask('GET', '/answers', format('{"query":{"what":%s}}', what))::json ->> 'body', result, 'any JSON is a body: ' || what) FROM (VALUES ('[]', '[]'), ('"x"', 'x'), ('false', 'false'), ('null', NULL)) bodies (what, result);
SELECT matches(shop.ask('GET', '/answers', '{"query":{"what":null}}'), '"status":200,"headers":\{\},"body":null\}$', 'a JSON null too');
SELECT is(shop.ask('GET', '/answers'), '{"kind":"response","method":"GET","path":"/answers","status":204,"headers":{}}', 'D9: NULL is 204');
SELECT shop.route('GET', '/says', $$BEGIN RETURN pulse.http_response((request -> 'query' ->> 'status')::int, request -> 'query' -> 'body', request -> 'query' -> 'headers'); END$$);
CREATE FUNCTION shop.says(status text, headers text DEFAULT 'null', body text DEFAULT '1') RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT shop.ask('GET', '/says', format('{"query":{"status":%s,"headers":%s,"body":%s}}', status, headers, body)); END;
SELECT is(shop.says('201', '{"Location":"/a","X-N":7,"X-B":true,"Set-Cookie":["a=1","b=2"]}'),
    '{"kind":"response","method":"GET","path":"/says","status":201,"headers":{"Location":"/a","X-N":"7","X-B":"true","Set-Cookie":["a=1","b=2"]},"body":1}', 'D9: pulse.http_response sets status and headers');
SELECT is(shop.says('200', '{"Content-Type":"text/csv; charset=utf-8"}', '"a;b\nü"')::json ->> 'text', E'a;b\nü', 'text of another type goes out as text');
SELECT is(shop.says('200', '{"content-type":"application/vnd.api+json"}', '"x"')::json ->> 'body', 'x', 'of a JSON type as JSON');
SELECT is(shop.says('200', '{"content-type":"text/plain"}', '{"a":1}')::json ->> 'body', '{"a":1}', 'and what is no string in any case');
SELECT shop.route('GET', '/empty', 'BEGIN RETURN pulse.http_response(303, headers => ''{"Location":"/other"}''); END');
SELECT is(shop.ask('GET', '/empty'), '{"kind":"response","method":"GET","path":"/empty","status":303,"headers":{"Location":"/other"}}', 'an answer without a body');
SELECT matches(shop.error_of(format('SELECT shop.says(%L, %L)', status, headers)), '^(22023|22004|54000) ' || message, 'pulse.http_response refuses ' || status || ' ' || left(headers, 30))
    FROM (VALUES ('199', 'null', 'status 199 is no answer / Accepted are 200 to 599'), ('600', 'null', 'status 600'), ('101', 'null', 'status 101'), ('null', 'null', 'status is null'), ('204', 'null', 'an answer with status 204 has no body'),
          ('200', '[]', 'headers is no JSON object'), ('200', '{"a b":"1"}', '"a b" is no name'), ('200', '{"":"1"}', '"" is no name'), ('200', '{"a":{}}', 'header "a" is neither'), ('200', '{"a":[[]]}', 'header "a" is neither'),
          ('200', '{"a":"x\r\ny: z"}', 'header "a" has a character'), ('200', '{"a":"ü"}', 'header "a" has a character'), ('200', '{"Content-Length":"1"}', 'header "Content-Length" is set by'),
          ('200', '{"transfer-encoding":"chunked"}', 'header "transfer-encoding" is set by'), ('200', '{"Access-Control-Allow-Origin":"*"}', 'header "Access-Control-Allow-Origin" is set by'),
          ('200', format('{"a":"%s"}', repeat('x', 8192)), 'an answer has at most')) bad (status, headers, message);
SELECT shop.route('POST', '/last', $$BEGIN PERFORM pulse.http_response(201, NULL, '{"A":"1"}'); BEGIN PERFORM pulse.http_response(202); RAISE 'back'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN '"kept"'; END$$);
SELECT is(shop.ask('POST', '/last'), '{"kind":"response","method":"POST","path":"/last","status":201,"headers":{"A":"1"},"body":"kept"}', 'what a rolled-back block said is forgotten');
SELECT shop.route('POST', '/last', $$BEGIN PERFORM pulse.http_response(201, NULL, '{"A":"1"}'); PERFORM pulse.http_response(200); RETURN NULL; END$$);
SELECT is(shop.ask('POST', '/last'), '{"kind":"response","method":"POST","path":"/last","status":200,"headers":{}}', 'the last call counts');
SELECT is(shop.said(shop.ask('GET', '/answers', '{"query":{"what":{"kind":"response","status":500,"headers":{"a":"b"}}}}')), '200 {"kind":"response","status":500,"headers":{"a":"b"}}', 'no JSON of a client forges a status');
SELECT matches(shop.error_of($$SELECT pulse.http_response(200)$$), '^55000 pulse.http_response works only in a route', 'it works in routes only');
CREATE FUNCTION shop.handler(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN pulse.http_response(200, '1'); END $$;
SELECT pulse.on('answer', 'shop.handler'), shop.route('GET', '/policy', $$BEGIN PERFORM pulse.history('policy:1', '0:0'); RETURN NULL; END$$);
SELECT matches(shop.error_of($$SELECT pulse.handle('/', 'answer', '[]', '{}')$$), '^55000 pulse.http_response works only in a route', 'not in handlers');

-- errors
CREATE FUNCTION shop.fails(call text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM shop.route('GET', '/fails', format('BEGIN RETURN %s; END', call)); RETURN shop.error_of($q$SELECT shop.ask('GET', '/fails')$q$); END $$;
SELECT is(shop.fails($$pulse.fail('conflict', 'dose already logged', 'Look.', '{"loggedBy":"ann", "loggedBy":"bob", "at":[1, 2.50]}')$$), 'PL409 dose already logged / Look. | {"loggedBy":"bob","at":[1,2.50]}', 'F5: pulse.fail says code, message, hint and details');
SELECT is(shop.fails($$pulse.fail('conflict', 'taken')$$), 'PL409 taken', 'hint and details may be missing');
SELECT is(shop.fails($$pulse.fail('conflict', 'taken', details => '{}')$$), 'PL409 taken', 'or empty');
SELECT is(shop.fails($$pulse.fail('rate_limited', 'wait', details => '{"retryAfter":7}')$$), 'PL429 wait | {"retryAfter":7}', 'seconds to wait are a detail');
SELECT matches(shop.fails(format('pulse.fail(%L, %L, details => %L)', 'conflict', 'x', details)), '^(22023|54000) ' || message, 'details refused: ' || left(details, 30))
    FROM (VALUES ('[]', 'details is no JSON object'), ('{"code":"x"}', 'details has the member "code"'), ('{"correlationId":1}', 'details has the member "correlationId"'), (format('{"a":"%s"}', repeat('x', 1000)), 'details has 1008 bytes')) bad (details, message);
CREATE FUNCTION shop.context_of(path text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_context text;
BEGIN
    PERFORM shop.ask('GET', path, context => '{"claims":{},"correlationId":"abc-1"}');
    RETURN NULL;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS v_context = PG_EXCEPTION_CONTEXT;
    RETURN v_context;
END $$;
SELECT shop.fails($$pulse.fail('conflict', 'taken')$$), pulse.route('GET', '/named/{id}', 'shop."GET/fails"');
SELECT matches(shop.context_of('/named/7'), E'PL/pgSQL function shop."GET/fails".*\npulse route GET /named/\\{id\\} \\(correlation id abc-1\\)\n', 'M9: an error says which route it was, and for whom');
SELECT shop.route('GET', '/deep', $$BEGIN IF (request ->> 'ip') IS NULL THEN RETURN shop."GET/deep"('{"ip":"1"}'); END IF; RETURN (SELECT shop."GET/deeper"(repeat('x', 900))); END$$);
CREATE FUNCTION shop."GET/deeper"(long text) RETURNS json LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('SELECT shop.one(%L) /* %s */', long, long); RETURN NULL; END $$;
SELECT matches(shop.context_of('/deep'), E'\npulse route GET /deep \\(correlation id abc-1\\)\n', 'also when it was deep inside');
SET LOCAL pulse.handler_timeout = '50ms';
SELECT shop.route('GET', '/endless', 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.ask('GET', '/endless')$$), '57014 route function shop."GET/endless" ran longer than pulse.handler_timeout (50 ms)', 'a function that runs too long is cancelled');
SET LOCAL pulse.handler_timeout = '5s';
DROP FUNCTION shop."GET/endless"(json);
SELECT matches(shop.error_of($$SELECT shop.ask('GET', '/endless')$$), '^42883 the registered function', 'a dropped function is a clear error');
REVOKE EXECUTE ON FUNCTION shop.two(json) FROM PUBLIC;
SELECT matches(shop.error_of($$SELECT shop.ask('POST', '/orders/7/stream')$$), '^42501 pulse_client cannot execute .*GRANT EXECUTE', 'a missing grant names the GRANT');

-- who may
SELECT is(shop.error_of($$SELECT shop.ask('GET', '/api/other', context => '{"claims":null}')$$), 'PL401 a token is needed | {"reason":"missing"}', 'D9: without a token none');
SELECT is(shop.error_of($$SELECT shop.ask('GET', '/api/other', context => '{"claims":null,"authError":"the token has expired","authReason":"expired"}')$$), 'PL401 the token has expired | {"reason":"expired"}', 'a bad token is said to be bad');
SELECT is(shop.ask('GET', '/who', context => '{"claims":null,"authError":"the token has expired"}')::json ->> 'body', '["pulse_client", null, null]', 'auth none asks for no token');
SELECT shop.route('POST', '/machines', 'BEGIN RETURN ''"machines"''; END', 'internal'), shop.route('GET', '/machines', 'BEGIN RETURN ''"all"''; END', 'none');
SELECT is(shop.ask('POST', '/machines', context => '{"internalToken":true}')::json -> 'headers' ->> 'Allow', 'GET, HEAD, OPTIONS', 'S4: auth internal: the public does not learn that it is there');
SELECT matches(shop.error_of($$SELECT shop.ask('POST', '/machines', context => '{"internal":true}')$$), '^PL401 the internal token', 'S4: inside the token is needed');
SELECT is(shop.said(shop.ask('POST', '/machines', context => '{"internal":true,"internalToken":true}')), '200 machines', 'and enough');
SELECT shop.route('POST', '/internal/feed', 'BEGIN RETURN ''"feed"''; END');
SELECT matches(shop.error_of($$SELECT shop.ask('POST', '/internal/feed')$$), '^PL404', 'S4: nothing below /internal is for the public');
SELECT is(shop.said(shop.ask('POST', '/internal/feed', context => '{"internal":true,"claims":{}}')), '200 feed', 'inside it is there');
SELECT pulse.revoke('mallory');
SELECT is(shop.error_of($$SELECT shop.ask('GET', '/api/other', context => '{"claims":{"iat":1},"userId":"mallory"}')$$), 'PL401 the token is revoked | {"reason":"revoked"}', 'a revoked token is refused');

-- whose doing an event is
SELECT shop.route('POST', '/traced', $$BEGIN PERFORM pulse.publish('traced', 'traced', '1'::json, headers => coalesce(request -> 'query' -> 'headers', '{}')); RETURN to_json(current_setting('pulse.traceparent')); END$$);
CREATE FUNCTION shop.traced(traceparent text, headers text DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shop.ask('POST', '/traced', format('{"query":{"headers":%s}}', headers), json_build_object('claims', '{}'::json, 'traceparent', traceparent)::text);
    RETURN (SELECT e.headers FROM pulse.events e WHERE e.name = 'traced' ORDER BY e.id DESC LIMIT 1);
END $$;
SELECT is(shop.traced('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'), '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}', 'M9: an event carries the traceparent of its request');
SELECT is(shop.traced('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '{"actor":"x","traceparent":"own"}'), '{"actor":"x","traceparent":"own"}', 'unless it has one of its own');
SELECT is(shop.traced(traceparent), '{}', 'what is none is ignored: ' || coalesce(traceparent, 'null'))
    FROM unnest(ARRAY[NULL, '', 'x', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01', '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"']) traceparent;
SET LOCAL pulse.traceparent = '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00';
SELECT is(shop.traced(NULL), '{}', 'M9: a call without one does not inherit that of the connection');
SELECT is(current_setting('pulse.traceparent'), '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00', 'which stays as it was');
SELECT pulse.publish('traced', 'traced', '1'::json, headers => '{"actor":"x"}', except_session => 's');
SELECT is((SELECT e.headers::text FROM pulse.events e ORDER BY e.id DESC LIMIT 1), '{"actor":"x","exceptSession":"s","traceparent":"00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00"}', 'M9: the setting is for SQL that publishes by itself');
SELECT pulse.watch('shop.orders', 'order:changed', ARRAY['orders'], operations => 'insert');
INSERT INTO shop.orders VALUES (8);
SELECT is((SELECT e.headers::text FROM pulse.events e ORDER BY e.id DESC LIMIT 1), '{"traceparent":"00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00"}', 'and for watched tables');

-- bad input of the bridge
SELECT matches(shop.error_of(format('SELECT pulse.handle_request(%s)', arguments)), '^PL400 ' || message, arguments)
    FROM (VALUES ($$NULL, '/who', '{}', '{}'$$, 'method is missing'), ($$'GET', NULL, '{}', '{}'$$, 'path is missing'), ($$'GET', '/who', NULL, '{}'$$, 'request is missing'), ($$'GET', '/who', '[]', '{}'$$, 'request is no'),
          ($$'GET', '/who', '{}', NULL$$, 'context is missing'), ($$'GET', '/who', '{}', '{"traceparent":7}'$$, 'context.traceparent is no string')) bad (arguments, message);

-- packs and the application
SELECT pulse.route('PUT', '/deal', 'shop.one');
UPDATE _pulse.routes SET extension = 'plpgsql' WHERE path = '/deal';
GRANT EXECUTE ON FUNCTION shop.two(json) TO PUBLIC;
SELECT is(shop.said(shop.ask('PUT', '/deal')), '200 1', 'a pack''s route answers');
SELECT pulse.route('PUT', '/deal', 'shop.two');
SELECT is(shop.said(shop.ask('PUT', '/deal')), '200 2', 'an application overrides it');
SELECT is(pulse.unroute('PUT', '/deal'), true, 'dropping drops the application''s');
SELECT is(shop.said(shop.ask('PUT', '/deal')), '200 1', 'and the pack''s is back');
UPDATE _pulse.routes SET extension = 'gone_pack' WHERE path = '/deal';
SELECT matches(shop.error_of($$SELECT shop.ask('PUT', '/deal')$$), '^PL404', 'that of a pack that is gone is ignored');
CREATE EXTENSION lo;
UPDATE _pulse.routes SET extension = 'lo' WHERE path = '/deal';
DROP EXTENSION lo;
SELECT is_empty($$SELECT FROM _pulse.routes WHERE extension = 'lo'$$, 'and goes with it');

-- who may register
CREATE ROLE some_admin;
GRANT pulse_admin TO some_admin;
CREATE ROLE nobody_special;
GRANT USAGE ON SCHEMA shop TO some_admin, nobody_special, pulse_bridge;
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
SELECT is(shop.as_role('some_admin', $$SELECT pulse.route('GET', '/by_admin', 'shop.one'), pulse.unroute('GET', '/by_admin')$$), NULL, 'pulse_admin may register');
SELECT is(shop.as_role('nobody_special', statement), '42501 permission denied for function ' || name, 'nobody else: ' || name)
    FROM (VALUES ('route', $$SELECT pulse.route('GET', '/x', 'shop.one')$$), ('unroute', $$SELECT pulse.unroute('GET', '/x')$$)) calls (name, statement);
SELECT is(shop.as_role('pulse_bridge', $$SELECT pulse.handle_request('GET', '/api/other', '{}', '{"claims":{}}')$$), NULL, 'the bridge may ask');

SELECT shop.route('POST', '/look', $$BEGIN RETURN to_json(request -> 'body' ->> 'a'); END$$);
SELECT is(shop.error_of($$SELECT shop.ask('POST', '/look', '{"headers":{"content-type":"application/json"},"body":"{\"a\":\"\\u0000\"}"}')$$),
    'PL400 a text has \u0000 or half of a surrogate pair, which PostgreSQL cannot hold', 'a body with a text that PostgreSQL cannot hold is 400');

SELECT * FROM finish();
ROLLBACK;
