-- pulse.handle, what handlers may do, and what they may not.
BEGIN;
SELECT plan(80);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;

\ir ../../support/error_of.sql
-- Registers a handler `event` with this plpgsql body.
CREATE FUNCTION shop.handler(event text, body text, attributes text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION shop.%I(args json) RETURNS json LANGUAGE plpgsql %s AS %L', event, attributes, body);
    PERFORM pulse.on(event, format('shop.%I', event));
END
$$;
CREATE FUNCTION shop.call(event text, args json DEFAULT '[]', context json DEFAULT '{"userId":"ann","claims":{}}',
                          OUT ack json, OUT effects json, OUT "position" text) LANGUAGE sql
    BEGIN ATOMIC SELECT h.ack, h.effects, h.position FROM pulse.handle('/', event, args, context) h; END;

-- the ack
SELECT shop.handler('echo', 'BEGIN RETURN args; END');
SELECT is((shop.call('echo', '[1, "two" , {"three": 3.50}]')).ack::text, '[1,"two",{"three":3.50}]', 'an array is the ack''s arguments, numbers as written');
SELECT shop.handler('object', 'BEGIN RETURN ''{"ok": true}''; END');
SELECT is((shop.call('object')).ack::text, '[{"ok":true}]', 'an object is the one argument');
SELECT shop.handler('scalar', 'BEGIN RETURN ''"x"''; END');
SELECT is((shop.call('scalar')).ack::text, '["x"]', 'a scalar is the one argument');
SELECT shop.handler('json_null', 'BEGIN RETURN ''null''; END');
SELECT is((shop.call('json_null')).ack::text, '[null]', 'JSON null is the one argument');
SELECT shop.handler('nothing', 'BEGIN RETURN NULL; END');
SELECT is((shop.call('nothing')).ack::text, '[]', 'NULL is no argument');
SELECT is((shop.call('nothing')).effects::text, '[]', 'no effects are an empty array');
SELECT is((shop.call('echo', '["tab\tquote\" \u001e 😀"]')).ack ->> 0, E'tab\tquote" \u001e 😀', 'quotes, control characters and emoji come back intact');

-- who runs it
SELECT shop.handler('who', 'BEGIN RETURN json_build_array(current_user, current_setting(''search_path'')); END');
SELECT is((shop.call('who')).ack ->> 0, 'pulse_client', 'a handler runs as pulse_client');
SELECT is((shop.call('who')).ack ->> 1, current_setting('search_path'), 'with the search_path of the session');
SELECT is(current_user::text, session_user::text, 'the role is given back');
SELECT shop.handler('reset_role', 'BEGIN RESET ROLE; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('reset_role')$$), '42501 cannot set parameter "role" within security-definer function', 'RESET ROLE is refused');
SELECT shop.handler('set_role', 'BEGIN SET ROLE NONE; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('set_role')$$), '42501 cannot set parameter "role" within security-definer function', 'SET ROLE is refused');
SELECT shop.handler('set_config', 'BEGIN PERFORM set_config(''role'', ''none'', false); RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('set_config')$$), '42501 cannot set parameter "role" within security-definer function', 'set_config of the role is refused');
SELECT shop.handler('session_authorization', 'BEGIN RESET SESSION AUTHORIZATION; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('session_authorization')$$), '42501 cannot set parameter "session_authorization" within security-definer function', 'RESET SESSION AUTHORIZATION is refused');
SELECT is(current_user::text, session_user::text, 'the role is given back after errors');
SELECT shop.handler('hold', 'BEGIN EXECUTE ''DECLARE c CURSOR WITH HOLD FOR SELECT current_user''; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('hold')$$), '0A000 cursors WITH HOLD are refused in handlers, policies and jobs / Their query would run at commit, as another role.', 'a cursor that would run at commit is refused');
SELECT shop.handler('command', 'BEGIN EXECUTE args ->> 0; RETURN NULL; END');
SELECT is(shop.error_of(format('SELECT shop.call(%L, %L)', 'command', json_build_array(command))), '0A000 ' || name || ' is refused in handlers, policies and jobs / It would outlive them in a session that belongs to the bridge or a worker.', command || ' is refused')
    FROM (VALUES ('LISTEN x', 'LISTEN'), ('UNLISTEN *', 'UNLISTEN'), ('PREPARE p AS SELECT 1', 'PREPARE'), ('DEALLOCATE ALL', 'DEALLOCATE ALL'), ('DISCARD PLANS', 'DISCARD PLANS')) commands (command, name);
SELECT is(shop.error_of($$SELECT shop.call('command', '["NOTIFY x"]')$$), NULL, 'NOTIFY is the transaction''s and works');
SELECT lives_ok('DECLARE kept CURSOR WITH HOLD FOR SELECT 1', 'outside handlers such cursors work');
CLOSE kept;
SELECT shop.handler('private', 'BEGIN PERFORM FROM _pulse.epochs; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('private')$$), '42501 permission denied for schema _pulse', 'a handler cannot read private tables');

-- deferred constraints are checked as pulse_client, before the role is given back
CREATE TABLE shop.parents (id int PRIMARY KEY);
CREATE TABLE shop.children (id int REFERENCES shop.parents DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE shop.seen (by_role text);
CREATE FUNCTION shop.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.seen VALUES (current_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER parents_insert_see AFTER INSERT ON shop.parents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.see();
GRANT SELECT, INSERT ON shop.parents, shop.children, shop.seen TO pulse_client;
SELECT shop.handler('orphan', 'BEGIN INSERT INTO shop.children VALUES (1); RETURN NULL; END');
SELECT matches(shop.error_of($$SELECT shop.call('orphan')$$), '^23503 .*children_id_fkey', 'a deferred foreign key is checked before handle returns');
SET CONSTRAINTS ALL DEFERRED;   -- the handlers before left them immediate
SELECT shop.handler('parent', 'BEGIN INSERT INTO shop.children VALUES (2); INSERT INTO shop.parents VALUES (2); RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('parent')$$), NULL, 'and satisfied at the end is good enough');
SELECT results_eq('SELECT by_role FROM shop.seen', $$VALUES ('pulse_client')$$, 'a deferred trigger runs as pulse_client');

-- who asks
SELECT shop.handler('asked', 'BEGIN RETURN json_build_array(pulse.user_id(), pulse.session_id(), pulse.socket_id(), pulse.claims(), pulse.claim(''role''), current_setting(''request.jwt.claims'')); END');
SELECT is((shop.call('asked', '[]', '{"userId":"ann","sessionId":"s1","socketId":"k1","claims":{"role":"nurse"}}')).ack::text,
    '["ann","s1","k1",{"role":"nurse"},"nurse","{\"role\":\"nurse\"}"]', 'a handler sees user, session, socket and claims');
SELECT is((shop.call('asked', '[]', '{}')).ack::text, '[null,null,null,{},null,"{}"]', 'an anonymous client has none');
SELECT is(pulse.user_id(), NULL, 'nobody asks outside a handler');
SELECT is(nullif(current_setting('request.jwt.claims', true), ''), NULL, 'request.jwt.claims is gone with the handler');
SELECT shop.handler('fake', 'BEGIN PERFORM set_config(''request.jwt.claims'', ''{"role":"admin"}'', true); RETURN json_build_array(pulse.claim(''role'')); END');
SELECT is((shop.call('fake', '[]', '{"userId":"ann","claims":{"role":"nurse"}}')).ack ->> 0, 'nurse', 'setting request.jwt.claims changes no claim');
SELECT shop.handler('files', 'BEGIN RETURN json_build_array(encode((pulse.attachments())[1], ''hex''), array_length(pulse.attachments(), 1)); END');
SELECT is((SELECT h.ack::text FROM pulse.handle('/', 'files', '[{"_placeholder":true,"num":0}]', '{}', ARRAY['\x00ff'::bytea, '\x01']) h), '["00ff",2]', 'binary arguments are attachments');
SELECT is((shop.call('files')).ack::text, '[null,null]', 'without binary arguments there are none');
SELECT current_setting('search_path') AS path, current_setting('work_mem') AS memory \gset
SELECT shop.handler('settings', 'BEGIN SET search_path = shop; SET shop.own = ''1''; SET work_mem = ''123kB''; RETURN to_json(current_setting(''work_mem'')); END');
SELECT is((shop.call('settings')).ack::text, '["123kB"]', 'a handler may SET');
SELECT is(ARRAY[current_setting('search_path'), current_setting('work_mem'), coalesce(current_setting('shop.own', true), '')], ARRAY[:'path', :'memory', ''],
    'and it ends with the handler');

-- effects
CREATE FUNCTION shop.desk(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF params ->> 'id' = 'private' THEN PERFORM pulse.fail('forbidden', 'Not a member'); END IF;
    IF params ->> 'id' = 'full' THEN PERFORM pulse.fail('conflict', 'The desk is taken', 'Take another.'); END IF;
    RETURN params ->> 'id' <> 'closed';
END $$;
SELECT pulse.policy('desk:{id}', 'join', 'shop.desk');
SELECT shop.handler('effects', $$BEGIN
    PERFORM pulse.join('desk:1');
    PERFORM pulse.leave(E'a "quoted" room 😀');
    PERFORM pulse.reply('hello', '{ "a" : [1,  2.0], "b" : " x " }');
    PERFORM pulse.disconnect('bye');
    RETURN NULL; END$$);
SELECT is((shop.call('effects')).effects::text,
    '[{"join":"desk:1"},{"leave":"a \"quoted\" room 😀"},{"reply":["hello",{"a":[1,2.0],"b":" x "}]},{"disconnect":"bye"}]', 'effects come in order, as compact JSON');
SELECT shop.handler('savepoint', $$BEGIN
    PERFORM pulse.leave('one');
    BEGIN PERFORM pulse.leave('two'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
    BEGIN PERFORM pulse.leave('three'); EXCEPTION WHEN division_by_zero THEN NULL; END;
    RETURN NULL; END$$);
SELECT is((shop.call('savepoint')).effects::text, '[{"leave":"one"},{"leave":"three"}]', 'what a rolled-back block asked for is forgotten');
SELECT shop.handler('closed', $$BEGIN PERFORM pulse.join('desk:closed'); RETURN NULL; END$$);
SELECT is(shop.error_of($$SELECT shop.call('closed')$$), 'PL403 refused by the policy of "desk:{id}"', 'pulse.join asks the policy');
SELECT shop.handler('not_member', $$BEGIN PERFORM pulse.join('desk:private'); RETURN NULL; END$$);
SELECT is(shop.error_of($$SELECT shop.call('not_member')$$), 'PL403 Not a member', 'a policy may say why it refuses');
SELECT shop.handler('full', $$BEGIN PERFORM pulse.join('desk:full'); RETURN NULL; END$$);
SELECT is(shop.error_of($$SELECT shop.call('full')$$), 'PL409 The desk is taken / Take another.', 'E3: with a code of its own');
SELECT shop.handler('nowhere', $$BEGIN PERFORM pulse.join('nowhere'); RETURN NULL; END$$);
SELECT is(shop.error_of($$SELECT shop.call('nowhere')$$), 'PL403 no policy allows to join this room', 'a room without policy is closed');
SELECT is(shop.error_of($$SELECT pulse.join('desk:1')$$), '55000 pulse.join works only in a handler / Handlers are registered with pulse.on and run by the bridge.', 'joining outside a handler is an error');
SELECT is(shop.error_of($$SELECT pulse.reply('x', '1')$$), '55000 pulse.reply works only in a handler / Handlers are registered with pulse.on and run by the bridge.', 'replying too');
SELECT shop.handler('bad_reply', $$BEGIN PERFORM pulse.reply('connect', '1'); RETURN NULL; END$$);
SELECT matches(shop.error_of($$SELECT shop.call('bad_reply')$$), '^22023 .*reserved', 'a reply with a reserved name is refused');
SELECT shop.handler('long_room', $$BEGIN PERFORM pulse.leave(repeat('x', 256)); RETURN NULL; END$$);
SELECT matches(shop.error_of($$SELECT shop.call('long_room')$$), '^22023 .*255', 'a room of 256 bytes is refused');

-- errors
SELECT is(shop.error_of(format('SELECT pulse.fail(%L, %L, %L)', code, 'm "1"', 'h')), sqlstate || ' m "1" / h', 'pulse.fail ' || code)
    FROM (VALUES ('bad_request', 'PL400'), ('unauthenticated', 'PL401'), ('forbidden', 'PL403'), ('not_found', 'PL404'), ('conflict', 'PL409'),
          ('payload_too_large', 'PL413'), ('invalid', 'PL422'), ('rate_limited', 'PL429'), ('unavailable', 'PL503')) codes (code, sqlstate);
SELECT is(shop.error_of($$SELECT pulse.fail('teapot', 'x')$$), '22023 unknown error code "teapot" / Known codes: bad_request, unauthenticated, forbidden, not_found, conflict, payload_too_large, invalid, rate_limited, unavailable.', 'an unknown code lists the known ones');
SELECT is(shop.error_of($$SELECT shop.call('nobody')$$), 'PL404 no handler for event "nobody" in namespace "/" / Handlers are registered with pulse.on(event, function, namespace).', 'an unknown event is not found');
SELECT is(shop.error_of($$SELECT pulse.handle('/nowhere', 'echo', '[]', '{}')$$), 'PL404 Invalid namespace', 'an unknown namespace is not found');
SELECT shop.handler('crash', 'BEGIN RETURN 1 / 0; END');
SELECT is(shop.error_of($$SELECT shop.call('crash')$$), '22012 division by zero', 'any other error keeps its SQLSTATE');
SELECT is(shop.error_of($$SELECT pulse.handle('/', 'echo', '{}', '{}')$$), 'PL400 args is no JSON array', 'args must be an array');
SELECT is(shop.error_of(format('SELECT pulse.handle(%L, %L, %L, %L)', '/', 'echo', '[]', context)), 'PL400 ' || message, 'context ' || context)
    FROM (VALUES ('[]', 'context is no JSON object'), ('"x"', 'context is no JSON object'), ('{"claims":[]}', 'context.claims is no JSON object'),
          ('{"claims":"x"}', 'context.claims is no JSON object'), ('{"userId":7}', 'context.userId is no string'),
          ('{"userId":""}', 'context.userId is empty'), ('{"userId":"a\u0000b"}', 'context.userId is no string'),
          ('{"sessionId":{}}', 'context.sessionId is no string')) bad (context, message);

SELECT shop.handler('look', 'BEGIN RETURN args -> 0; END');
SELECT is(shop.error_of(format($$SELECT shop.call('look', %L)$$, args)), 'PL400 a text has \u0000 or half of a surrogate pair, which PostgreSQL cannot hold', 'a handler that looks into ' || args || ' fails by its client')
    FROM unnest(ARRAY['["\u0000"]', '[{"a":[1,"\ud800"]}]', '["\ude00x"]']) args;
SELECT is((shop.call('look', '["\\u0000 \ud83d\ude00"]')).ack::text, '["\\u0000 \ud83d\ude00"]', 'other escapes are as good as what they stand for');
SELECT shop.handler('wrong', $$BEGIN RETURN to_json('x'::integer); END$$);
SELECT is(shop.error_of($$SELECT shop.call('wrong', '["\u0000"]')$$), '22P02 invalid input syntax for type integer: "x"', 'a handler''s own mistake stays its own, whatever its client sent');
SELECT shop.handler('own', $$BEGIN RETURN '["\u0000"]'::json -> 0; END$$);
SELECT matches(shop.error_of($$SELECT shop.call('own')$$), '^22P05', 'a function''s own such text is its own error');

-- functions that are gone or not granted
SELECT shop.handler('gone', 'BEGIN RETURN NULL; END');
DROP FUNCTION shop.gone(json);
SELECT is(shop.error_of($$SELECT shop.call('gone')$$), '42883 the registered function shop.gone is gone or has another signature / pulse.on needs a function f(args json) returns json.', 'a dropped function is a clear error');
SELECT shop.handler('secret', 'BEGIN RETURN NULL; END');
REVOKE EXECUTE ON FUNCTION shop.secret(json) FROM PUBLIC;
SELECT is(shop.error_of($$SELECT shop.call('secret')$$), '42501 pulse_client cannot execute shop.secret / GRANT EXECUTE ON FUNCTION shop.secret(json) TO pulse_client;', 'a missing grant names the GRANT');

-- time
SET LOCAL pulse.handler_timeout = '50ms';
SELECT shop.handler('endless', 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('endless')$$), '57014 handler shop.endless ran longer than pulse.handler_timeout (50 ms)', 'a handler that runs too long is cancelled');
SELECT shop.handler('stubborn', 'BEGIN BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; RETURN NULL; END');
SELECT is(shop.error_of($$SELECT shop.call('stubborn')$$), '57014 handler shop.stubborn ran longer than pulse.handler_timeout (50 ms)', 'also when it catches the cancel');
SELECT is((shop.call('object')).ack::text, '[{"ok":true}]', 'the next call has its own time');
SET LOCAL pulse.handler_timeout = 0;
SET LOCAL statement_timeout = '100ms';
SELECT is(shop.error_of($$SELECT shop.call('endless')$$), '57014 canceling statement due to statement timeout', 'statement_timeout still counts');
SET LOCAL statement_timeout = 0;

SELECT * FROM finish();
ROLLBACK;
