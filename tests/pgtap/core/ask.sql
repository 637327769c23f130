-- pulse.ask and pulse.handle_answer, pulse.attach, and what connect functions know, keep and send.
BEGIN;
SELECT plan(68);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
\ir ../../support/error_of.sql
CREATE FUNCTION shop.handler(event text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION shop.%I(args json) RETURNS json LANGUAGE plpgsql AS %L', event, 'BEGIN ' || body || ' END');
    PERFORM pulse.on(event, format('shop.%I', event));
END
$$;
CREATE FUNCTION shop.call(event text, args json DEFAULT '[]', context json DEFAULT '{"userId":"ann","claims":{}}', attachments bytea[] DEFAULT NULL,
                          OUT ack json, OUT effects json) LANGUAGE sql
    BEGIN ATOMIC SELECT h.ack, h.effects FROM pulse.handle('/', event, args, context, attachments) h; END;
CREATE FUNCTION shop.answer(function text, body text, attributes text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION shop.%I(args json) RETURNS json LANGUAGE plpgsql %s AS %L', function, attributes, 'BEGIN ' || body || ' END');
END
$$;
CREATE TABLE shop.heard (what text);
GRANT INSERT ON shop.heard TO pulse_client;
SELECT shop.answer('hear', $$INSERT INTO shop.heard VALUES (coalesce(args::text, 'nobody')); RETURN '"ignored"';$$);

-- asking
SELECT shop.handler('ask', $$PERFORM pulse.ask('confirm', '{ "z" : 1.50, "a" : "\u001e" }', '2 s', 'shop.hear'); RETURN NULL;$$);
SELECT is((shop.call('ask')).effects::text, '[{"ask":{"event":"confirm","payload":{"z":1.50,"a":"\u001e"},"timeout":2000,"answer":"shop.hear"}}]', 'E5: asking is an effect, its payload byte for byte');
SELECT shop.handler('plain', $$PERFORM pulse.ask('confirm', NULL); RETURN NULL;$$);
SELECT is((shop.call('plain')).effects::text, '[{"ask":{"event":"confirm","payload":null,"timeout":10000,"answer":null}}]', 'ten seconds, and nobody who hears, by default');
SELECT shop.handler('path', $$SET LOCAL search_path = shop; PERFORM pulse.ask('x', '1', on_answer => 'hear'), pulse.ask('y', '1', on_answer => 'hear(json)'); RETURN NULL;$$);
SELECT is((SELECT string_agg(e -> 'ask' ->> 'answer', ' ') FROM json_array_elements((shop.call('path')).effects) e), 'shop.hear shop.hear', 'the function is named as the handler sees it, and sent with its schema');
SELECT shop.handler('asks', $$PERFORM pulse.ask(args ->> 0, '1', (args ->> 1)::interval, args ->> 2); RETURN NULL;$$);
SELECT shop.answer('strict', 'RETURN NULL;', 'STRICT'), shop.answer('secret', 'RETURN NULL;');
REVOKE EXECUTE ON FUNCTION shop.secret(json) FROM PUBLIC;
CREATE FUNCTION shop.two(a json, b json) RETURNS json LANGUAGE sql RETURN a;
SELECT matches(shop.error_of(format('SELECT shop.call(%L, %L)', 'asks', args)), pattern, 'refused: ' || args)
    FROM (VALUES ('["connect","1 s",null]', '^22023 .*reserved'), ('[null,"1 s",null]', '^22004 event is null'), ('["x",null,null]', '^22004 timeout is null'), ('["x","0",null]', '^22023 timeout is between'),
          ('["x","-1 s",null]', '^22023 timeout'), ('["x","25 hours",null]', '^22023 timeout'), ('["x","100000000 days",null]', '^22023 timeout'), ('["x","1 s","shop.missing"]', '^42883 no function "shop.missing" with the arguments that pulse.ask needs'),
          ('["x","1 s","shop.two"]', '^42883'), ('["x","1 s",""]', '^22023 no function is given'), ('["x","1 s","shop.strict"]', '^42P13 function shop.strict is STRICT'),
          ('["x","1 s","shop.secret"]', '^42501 pulse_client cannot execute shop.secret / GRANT EXECUTE ON FUNCTION shop.secret')) bad (args, pattern);
SELECT is((SELECT e -> 'ask' ->> 'timeout' FROM json_array_elements((shop.call('asks', '["x","1 hour 0.5 s",null]')).effects) e), '3600500', 'any interval up to a day');
SELECT matches(shop.error_of(statement), '^55000 pulse.\w+ works only in a handler', statement) FROM unnest(ARRAY[$$SELECT pulse.ask('x', '1')$$, $$SELECT pulse.attach('x')$$]) statement;
SELECT shop.handler('rolled', $$
    BEGIN PERFORM pulse.ask('one', '1'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
    PERFORM pulse.ask('two', '1'); RETURN NULL;$$);
SELECT is((SELECT string_agg(e -> 'ask' ->> 'event', ' ') FROM json_array_elements((shop.call('rolled')).effects) e), 'two', 'what a rolled-back block asked is not asked');
CREATE FUNCTION shop.asks_policy(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.ask('x', '1'); RETURN true; END $$;
SELECT pulse.policy('asks', 'join', 'shop.asks_policy');
SELECT shop.handler('joins', $$PERFORM pulse.join('asks'); RETURN NULL;$$);
SELECT matches(shop.error_of($$SELECT shop.call('joins')$$), '^PL403', 'a policy cannot ask');

-- the answer
SELECT is((SELECT h.effects::text FROM pulse.handle_answer('shop.hear', '[ 1, "two" ]', '{"userId":"ann"}') h), '[]', 'E5: an answer runs its function, whose result is ignored');
SELECT is((SELECT h.effects::text FROM pulse.handle_answer('shop.hear', NULL, '{"userId":"ann"}') h), '[]', 'E5: so does none');
SELECT results_eq('SELECT what FROM shop.heard', $$VALUES ('[ 1, "two" ]'), ('nobody')$$, 'E5: the arguments as they came; null when nobody answered');
SELECT shop.answer('who', $$PERFORM pulse.reply('who', json_build_array(current_user, pulse.user_id(), pulse.session_id(), pulse.claim('role'), encode((pulse.attachments())[1], 'hex'))); RETURN NULL;$$);
SELECT is((SELECT h.effects::text FROM pulse.handle_answer('shop.who', '[{"_placeholder":true,"num":0}]', '{"userId":"ann","sessionId":"k","claims":{"role":"nurse"}}', ARRAY['\x00ff'::bytea]) h),
    '[{"reply":["who",["pulse_client","ann","k","nurse","00ff"]]}]', 'E5: it runs as pulse_client, sees who answered and what came with it, and replies');
CREATE FUNCTION shop.any(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;
SELECT pulse.policy('desk:{id}', 'join', 'shop.any');
SELECT shop.answer('everything', $$PERFORM pulse.join('desk:1'), pulse.leave('desk:2'), pulse.ask('again', args, '1 s', 'shop.everything'), pulse.disconnect('bye'); RETURN NULL;$$);
SELECT is((SELECT h.effects::text FROM pulse.handle_answer('shop.everything', '[]', '{"userId":"ann"}') h),
    '[{"join":"desk:1"},{"leave":"desk:2"},{"ask":{"event":"again","payload":[],"timeout":1000,"answer":"shop.everything"}},{"disconnect":"bye"}]', 'E5: it may do what a handler may');
SELECT pulse.handle_connect('/', '{"userId":"ann","sessionId":"k1","bridge":"b1","pid":"p1"}');
SELECT pulse.handle_answer('shop.everything', NULL, '{"userId":"ann","sessionId":"k1","generation":1}');
SELECT is((SELECT s.rooms FROM _pulse.sessions s WHERE s.key = 'k1'), ARRAY['user:ann', 'desk:1'], 'what it joins is the session''s');
SELECT pulse.handle_answer('shop.everything', NULL, '{"userId":"ann","sessionId":"k1","generation":0}');
SELECT is(current_user::text, session_user::text, 'the role is given back');
SELECT is((SELECT count(*) FROM pulse.handle_answer('shop.strict', NULL, '{}')), 1::bigint, 'a function that became STRICT is not called for nobody');
SELECT matches(shop.error_of(format('SELECT pulse.handle_answer(%s)', arguments)), pattern, arguments)
    FROM (VALUES ($$NULL, '[]', '{}'$$, '^PL400 on_answer is missing'), ($$'shop.hear', '{}', '{}'$$, '^PL400 args is no JSON array'), ($$'shop.hear', '[]', NULL$$, '^PL400 context is missing'),
          ($$'shop.hear', '[]', '[]'$$, '^PL400 context is no'), ($$'shop.gone', '[]', '{}'$$, '^42883 the registered function shop.gone is gone'), ($$'shop.secret', '[]', '{}'$$, '^42501 pulse_client cannot execute')) bad (arguments, pattern);
SELECT shop.answer('crash', 'RETURN 1 / 0;'), shop.answer('endless', 'PERFORM pg_sleep(60); RETURN NULL;');
SELECT is(shop.error_of($$SELECT pulse.handle_answer('shop.crash', '[]', '{}')$$), '22012 division by zero', 'its errors keep their SQLSTATE');
SET LOCAL pulse.handler_timeout = '50ms';
SELECT is(shop.error_of($$SELECT pulse.handle_answer('shop.endless', '[]', '{}')$$), '57014 answer function shop.endless ran longer than pulse.handler_timeout (50 ms)', 'it is cancelled when it runs too long');
SET LOCAL pulse.handler_timeout = '5s';

-- attachments
SELECT shop.handler('file', $$RETURN json_build_array(1, pulse.attach('\x00ff'), 'two');$$);
SELECT is(shop.call('file')::text, ROW('[1,{"_placeholder":true,"num":0},"two"]'::json, '[{"attach":["AP8="]}]'::json)::text, 'E5: a result with an attachment is a binary ack');
SELECT shop.handler('files', $$
    PERFORM pulse.attach('unused');
    PERFORM pulse.reply('b', json_build_object('b', pulse.attach('B'), 'c', pulse.attach('C'))), pulse.reply('none', '1');
    RETURN ('{"again":{"num":2,"_placeholder":true},"first":{"_placeholder":true,"num":1},"more":{"_placeholder":true,"num":2}}');$$);
SELECT is((shop.call('files')).effects::text, '[{"reply":["b",{"b":{"_placeholder":true,"num":0},"c":{"_placeholder":true,"num":1}},["Qg==","Qw=="]]},{"reply":["none",1]},{"attach":["Qw==","Qg=="]}]',
    'E5: each message carries the attachments that it names');
SELECT is((shop.call('files')).ack::text, '[{"again":{"num":0,"_placeholder":true},"first":{"_placeholder":true,"num":1},"more":{"_placeholder":true,"num":0}}]', 'E5: numbered anew, one that is named twice once');
SELECT shop.handler('asks_file', $$PERFORM pulse.ask('x', pulse.attach('')); RETURN NULL;$$);
SELECT is((shop.call('asks_file')).effects::text, '[{"ask":{"event":"x","payload":{"_placeholder":true,"num":0},"timeout":10000,"answer":null,"attachments":[""]}}]', 'a question carries them too, also empty ones');
SELECT shop.handler('echo_file', $$PERFORM pulse.attach(a) FROM unnest(pulse.attachments()) a; RETURN args;$$);
SELECT is(shop.call('echo_file', '[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', attachments => ARRAY['\x00'::bytea, '\x01'])::text,
    ROW('[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'::json, '[{"attach":["AQ==","AA=="]}]'::json)::text, 'E5: what came in goes back');
SELECT shop.handler('data', $$RETURN args;$$);
SELECT is(shop.call('data', '[{"_placeholder":true,"num":7}]')::text, ROW('[{"_placeholder":true,"num":7}]'::json, '[]'::json)::text, 'where nothing is attached a placeholder is data');
SELECT shop.handler('lies', $$PERFORM pulse.attach('x'); RETURN args;$$);
SELECT matches(shop.error_of(format('SELECT shop.call(%L, %L)', 'lies', args)), '^22023 a placeholder names no attachment', 'it names nothing: ' || args)
    FROM unnest(ARRAY['[{"_placeholder":true,"num":1}]', '[{"a":{"_placeholder":true}}]', '[{"_placeholder":true,"num":-1}]', '[{"_placeholder":true,"num":"0"}]']) args;
SELECT shop.handler('many', $$RETURN (SELECT json_agg(pulse.attach('x')) FROM generate_series(1, (args ->> 0)::int));$$);
SELECT is((SELECT json_array_length(e -> 'attach') FROM json_array_elements((shop.call('many', '[10]')).effects) e), 10, 'ten attachments');
SELECT matches(shop.error_of($$SELECT shop.call('many', '[11]')$$), '^54000 a message has 11 attachments', 'eleven are refused');
SELECT shop.handler('null_file', $$RETURN pulse.attach(NULL);$$);
SELECT matches(shop.error_of($$SELECT shop.call('null_file')$$), '^22004 bytes is null', 'null is no attachment');
SELECT shop.handler('rolled_file', $$
    BEGIN PERFORM pulse.attach('x'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
    RETURN pulse.attach('y');$$);
SELECT is(shop.call('rolled_file')::text, ROW('[{"_placeholder":true,"num":0}]'::json, '[{"attach":["eQ=="]}]'::json)::text, 'a rolled-back block attaches nothing');
SELECT pulse.on('keyed', 'shop.file', key => '{id}');
SELECT shop.call('keyed', '[{"id":1}]');
SELECT is(shop.call('keyed', '[{"id":1}]')::text, ROW('[1,{"_placeholder":true,"num":0},"two"]'::json, '[{"attach":["AP8="]}]'::json)::text, 'a retried call gets the stored attachment');

-- several arguments
SELECT shop.handler('several', $$PERFORM pulse.attach('unused'), pulse.reply_args('back', json_build_array(1, pulse.attach('\x00ff'), 'x')), pulse.reply_args('none', '[ ]'); RETURN NULL;$$);
SELECT is((shop.call('several')).effects::text, '[{"replyArgs":["back",[1,{"_placeholder":true,"num":0},"x"],["AP8="]]},{"replyArgs":["none",[]]}]', 'E5: a reply with several arguments, or none');
SELECT shop.handler('bad_several', $$PERFORM pulse.reply_args('x', args -> 0); RETURN NULL;$$);
SELECT is(shop.error_of($$SELECT shop.call('bad_several', '[{}]')$$), '22023 args is no JSON array / It holds the event''s arguments; pulse.reply sends one.', 'they are an array');
SELECT matches(shop.error_of($$SELECT shop.call('bad_several', '[]')$$), '^22004 args is null', 'not null');
SELECT matches(shop.error_of($$SELECT pulse.reply_args('x', '[]')$$), '^55000 pulse.reply_args works only in a handler', 'in a handler');

-- connect functions
CREATE FUNCTION shop.connect(claims json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF pulse.auth() ->> 'do' IS NOT NULL THEN EXECUTE pulse.auth() ->> 'do'; END IF;
    PERFORM pulse.reply('auth', pulse.auth());
    RETURN json_build_object('data', coalesce(pulse.auth() -> 'data', '{}'));
END $$;
SELECT pulse.namespace('/', 'shop.connect');
CREATE FUNCTION shop.connect_as(key text, auth text, recover text DEFAULT 'null') RETURNS json LANGUAGE sql
    RETURN pulse.handle_connect('/', format('{"userId":"ann","sessionId":"%s","socketId":"s","bridge":"b1","pid":"pid of %s","auth":%s,"recover":%s}', key, key, auth, recover)::json);
CREATE FUNCTION shop.data_of(key text) RETURNS text LANGUAGE sql RETURN (SELECT s.data::text FROM _pulse.sessions s WHERE s.key = data_of.key);
SELECT is(shop.connect_as('c0', '{ "z" : 1.50, "a":"\u001e", "token":"t" }') ->> 'effects', '[{"reply":["auth",{"z":1.50,"a":"\u001e","token":"t"}]}]', 'E5: a connect function knows what the client said, and replies');
SELECT is(shop.connect_as('c1', 'null') ->> 'effects', '[{"reply":["auth",null]}]', 'who said nothing has no auth');
SELECT shop.handler('auth', $$RETURN json_build_array(pulse.auth(), pulse.session_data());$$);
SELECT is((shop.call('auth', context => '{"sessionId":"c0"}')).ack::text, '[null,null]', 'a handler does not, and without data there is none');
SELECT is(ARRAY[pulse.auth()::text, pulse.session_data()::text], ARRAY[NULL, NULL], 'nobody asks outside');
SELECT is(shop.connect_as('c2', '{"do":"SELECT pulse.ask(''hi'', pulse.attach(''x''), ''1 s'', ''shop.hear'')"}') -> 'effects' ->> 0,
    '{"ask":{"event":"hi","payload":{"_placeholder":true,"num":0},"timeout":1000,"answer":"shop.hear","attachments":["eA=="]}}', 'E5: it asks, with attachments');
SELECT matches(shop.error_of(format('SELECT shop.connect_as(%L, %L)', 'c3', json_build_object('do', statement))), '^55000 pulse.\w+ does not work in a connect function', 'a connect function cannot: ' || statement)
    FROM unnest(ARRAY[$$SELECT pulse.join('desk:1')$$, $$SELECT pulse.leave('desk:1')$$, $$SELECT pulse.disconnect('x')$$]) statement;
SELECT is(shop.connect_as('c4', '{"data":{"z":1.50,"a":{"b":1}}}') ->> 'data', '{"z":1.50,"a":{"b":1}}', 'E5: data of the connect functions');
SELECT is(shop.data_of('c4'), '{"z":1.50,"a":{"b":1}}', 'is stored with the session');
SELECT is((shop.call('auth', context => '{"sessionId":"c4"}')).ack::text, '[null,{"z":1.50,"a":{"b":1}}]', 'E5: and its handlers read it');
INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000aa', 'pulse_secret', 1000000);
SELECT shop.connect_as('c5', '{"data":{"kept":1,"old":1}}');
SELECT is((r ->> 'recovered') || ' ' || (r ->> 'data') || ' ' || coalesce(r ->> 'effects', 'no effects'), 'true {"kept":1,"old":2,"new":3} no effects', 'E6: it comes back with the session, what is given anew counts; a recovered session is sent nothing')
    FROM shop.connect_as('c6', '{"data":{"old":2,"new":3}}', '{"pid":"pid of c5","cursor":null}') r;
SELECT is(shop.data_of('c5'), '{"kept":1,"old":2,"new":3}', 'and is stored so');

SELECT * FROM finish();
ROLLBACK;
