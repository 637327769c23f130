-- Rate limits: registering them, what an event takes before its handler runs, and pulse.take. The counts are in shared memory and outlive
-- the transaction, so every name of a class here carries the number of this backend.
BEGIN;
SELECT plan(57);

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO pulse_client;
-- What a statement raises, as `sqlstate message / detail / hint`.
CREATE FUNCTION shop.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_detail text;
    v_hint text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_detail = PG_EXCEPTION_DETAIL, v_hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', SQLSTATE || ' ' || SQLERRM, nullif(v_detail, ''), nullif(v_hint, ''));
END
$$;
CREATE FUNCTION shop.class(name text) RETURNS text LANGUAGE sql RETURN name || '-' || pg_backend_pid() || '-' || extract(epoch FROM now())::text;
CREATE FUNCTION shop.ok(args json) RETURNS json LANGUAGE sql RETURN '"ok"'::json;
CREATE FUNCTION shop.fails(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'boom'; END $$;
SELECT pulse.on('say', 'shop.ok'), pulse.on('whisper', 'shop.ok'), pulse.on('fails', 'shop.fails'), pulse.on('say', 'shop.ok', '/desk');
-- What one event of somebody comes to: 'ok', or the SQLSTATE.
CREATE FUNCTION shop.emit(event text, context json DEFAULT '{"userId":"ann"}', namespace text DEFAULT '/') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT h.ack ->> 0 FROM pulse.handle(emit.namespace, emit.event, '[]', emit.context) h);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
-- So many events: how many pass, and how many are refused.
CREATE FUNCTION shop.burst(count integer, event text, context json DEFAULT '{"userId":"ann"}', namespace text DEFAULT '/') RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(outcome || ' ' || times, ', ' ORDER BY outcome COLLATE "C" DESC)
      FROM (SELECT shop.emit(event, context, namespace) AS outcome, count(*) AS times FROM generate_series(1, burst.count) GROUP BY 1) AS outcomes $$;

-- registering
SELECT is(shop.error_of($$SELECT pulse.limit('', 1, '1 s')$$), '22023 "" is no name of a limit class / It has 1 to 63 letters, digits and characters of ''_-.:''.', 'a class has a name');
SELECT is(shop.error_of($$SELECT pulse.limit('a"b', 1, '1 s')$$), '22023 "a"b" is no name of a limit class / It has 1 to 63 letters, digits and characters of ''_-.:''.', 'which goes into metrics as it is');
SELECT is(shop.error_of($$SELECT pulse.limit(repeat('a', 64), 1, '1 s')$$) IS NULL, false, 'and is not long');
SELECT is(shop.error_of($$SELECT pulse.limit('a', 0, '1 s')$$), '22023 points is at least 1', 'a class has points');
SELECT is(shop.error_of($$SELECT pulse.limit('a', 1, '0')$$), '22023 per is between 1 millisecond and 366 days', 'and a time');
SELECT is(shop.error_of($$SELECT pulse.limit('a', 1, '-1 s')$$), '22023 per is between 1 millisecond and 366 days', 'that is not in the past');
SELECT is(shop.error_of($$SELECT pulse.limit('a', 1, '1000 years')$$), '22023 per is between 1 millisecond and 366 days', 'nor without end');
SELECT is(shop.error_of($$SELECT pulse.limit(NULL, 1, '1 s')$$), '22004 class is null', 'no argument is null');
SELECT is(shop.error_of($$SELECT pulse.limit('a', NULL, '1 s')$$), '22004 points is null', 'neither points');
SELECT is(shop.error_of($$SELECT pulse.limit('a', 1, NULL)$$), '22004 per is null', 'nor per');
SELECT is(shop.error_of($$SELECT pulse.limit_event('say', 'nosuch')$$), '42704 unknown limit class "nosuch" / Make it first: pulse.limit(class, points, per).', 'an event takes of a class that there is');
SELECT pulse.limit(shop.class('chat'), 3, '1 hour');
SELECT is(shop.error_of(format('SELECT pulse.limit_event(%L, %L)', 'ping', shop.class('chat'))) ~ '^22023 event "ping" is answered by the bridge itself / These are limited by', true, 'what the bridge answers itself has no class');
SELECT is(shop.error_of(format('SELECT pulse.limit_event(%L, %L)', '', shop.class('chat'))) IS NULL, false, 'an event has a name');
SELECT is(shop.error_of(format('SELECT pulse.limit_event(%L, %L, %L)', 'say', shop.class('chat'), 'desk')), '22023 namespace "desk" does not start with ''/''', 'a namespace has its form');

-- events
SELECT is(shop.burst(10, 'say'), 'ok 10', 'without a limit everything passes');
SELECT pulse.limit_event('say', shop.class('chat'));
SELECT is(shop.burst(5, 'say'), 'ok 3, PL429 2', 'M7: with one exactly its points pass');
SELECT is(shop.error_of($$SELECT pulse.handle('/', 'say', '[]', '{"userId":"ann"}')$$),
          format('PL429 too many events, try again in 3600 s / {"class":"%s","retryAfter":3600}', shop.class('chat')), 'M7: the error names class and whole seconds, rounded up');
SELECT is(shop.burst(5, 'say', '{"userId":"bob"}'), 'ok 3, PL429 2', 'M7: each user has their own');
SELECT is(shop.burst(5, 'say', '{"userId":"ann","sessionId":"s9","ip":"10.0.0.9"}'), 'PL429 5', 'M7: a user has one on all devices');
SELECT is(shop.burst(5, 'say', '{"sessionId":"s1","ip":"10.0.0.1"}'), 'ok 3, PL429 2', 'M7: before sign-in it is the session''s');
SELECT is(shop.burst(5, 'say', '{"sessionId":"s2","ip":"10.0.0.1"}'), 'ok 3, PL429 2', 'another session has another');
SELECT is(shop.burst(5, 'say', '{"ip":"10.0.0.1"}'), 'ok 3, PL429 2', 'M7: without a session the address''s');
SELECT is(shop.burst(5, 'say', '{"userId":"10.0.0.1"}'), 'ok 3, PL429 2', 'a user who is called like an address is another subject');
SELECT is(shop.burst(5, 'say', '{"userId":"s1"}'), 'ok 3, PL429 2', 'or like a session');
SELECT is(shop.burst(5, 'whisper'), 'ok 5', 'other events are not limited');
SELECT is(shop.burst(5, 'say', namespace => '/desk'), 'ok 5', 'nor those of other namespaces');

-- '*'
SELECT pulse.limit(shop.class('general'), 4, '1 hour');
SELECT pulse.limit_event('*', shop.class('general'));
SELECT is(shop.burst(3, 'whisper', '{"userId":"carl"}'), 'ok 3', '''*'' limits every event');
SELECT is(shop.burst(5, 'say', '{"userId":"carl"}'), 'ok 3, PL429 2', 'that has no class of its own');
SELECT is(shop.burst(3, 'nosuch', '{"userId":"carl"}'), 'PL429 2, PL404 1', 'also one without a handler');
SELECT is(pulse.drop_limit_event('say'), true, 'an event loses its class');
SELECT is(shop.burst(1, 'say', '{"userId":"dora"}'), 'ok 1', 'then it takes of ''*''');
SELECT is(shop.burst(4, 'whisper', '{"userId":"dora"}'), 'ok 3, PL429 1', 'which all of them share');
SELECT is(pulse.drop_limit_event('say'), false, 'a second time there was none');

-- what is taken stays taken
SELECT pulse.limit_event('fails', shop.class('chat'));
SELECT is(shop.burst(5, 'fails', '{"userId":"eve"}'), 'PL429 2, P0001 3', 'M7: a handler that fails has taken its point');
SAVEPOINT before_take;
SELECT is(pulse.take(shop.class('chat'), 'fred', 2), true, 'two of three points');
ROLLBACK TO before_take;
SELECT is(pulse.take(shop.class('chat'), 'fred', 2), false, 'a rollback gives nothing back');
SELECT is(pulse.take(shop.class('chat'), 'fred', 1), true, 'what was refused was not taken');

-- changes at once
SELECT pulse.limit(shop.class('chat'), 5, '1 hour');
SELECT is(pulse.take(shop.class('chat'), 'fred', 2), true, 'more points count at once');
SELECT is(pulse.take(shop.class('chat'), 'fred'), false, 'in the window that there is');
SELECT pulse.limit(shop.class('chat'), 5, '1 ms');
DO $$ BEGIN PERFORM pg_sleep(0.002); END $$;
SELECT is(pulse.take(shop.class('chat'), 'fred', 5), true, 'a shorter window ends sooner');

-- pulse.take
SELECT pulse.limit(shop.class('take'), 2, '1 hour');
SELECT is(shop.error_of($$SELECT pulse.take('nosuch', 'ann')$$) ~ '^42704 unknown limit class "nosuch" / Known classes: .*general-', true, 'an unknown class is an error, with those that there are');
SELECT is(shop.error_of(format('SELECT pulse.take(%L)', shop.class('take'))), '22023 there is nobody to take points from / Outside of a client''s call give a subject: pulse.take(class, subject).', 'outside of a call there is no one who asks');
SELECT is(shop.error_of(format('SELECT pulse.take(%L, %L, 0)', shop.class('take'), 'ann')), '22023 points is at least 1', 'nobody takes nothing');
SELECT is(shop.error_of(format('SELECT pulse.take(%L, %L, -5)', shop.class('take'), 'ann')), '22023 points is at least 1', 'or gives');
SELECT is(shop.error_of('SELECT pulse.take(NULL, ''ann'')'), '22004 class is null', 'a class is named');
SELECT is(pulse.take(shop.class('take'), 'gus', 3), false, 'more than a full bucket has is never there');
CREATE FUNCTION shop.takes(args json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    RETURN json_build_array(pulse.take(args ->> 0), pulse.take(args ->> 0, pulse.user_id()), pulse.take(args ->> 0), pulse.take(args ->> 0, 'other'));
END
$$;
GRANT EXECUTE ON FUNCTION shop.class(text) TO pulse_client;
SELECT pulse.on('takes', 'shop.takes', '/desk');
SELECT is((SELECT h.ack::text FROM pulse.handle('/desk', 'takes', json_build_array(shop.class('take')), '{"userId":"hanna"}') h), '[true,true,false,true]',
          'in a handler it is whoever asks; a subject that is given is a user');
CREATE ROLE nobody;
GRANT USAGE ON SCHEMA shop TO nobody;
SET LOCAL ROLE nobody;
SELECT is(shop.error_of($$SELECT pulse.take('x', 'ann')$$), '42501 permission denied to take points / Outside of a handler it takes the role pulse_publisher or pulse_admin.', 'others take nobody''s points away');
RESET ROLE;

-- whose registration counts
INSERT INTO _pulse.limits (class, points, per, extension) VALUES (shop.class('take'), 9, '1 hour', 'pulse'), (shop.class('pack'), 1, '1 hour', 'pulse'), (shop.class('gone'), 1, '1 hour', 'no_such_pack');
SELECT is(pulse.take(shop.class('take'), 'ida', 3), false, 'the application''s class wins over a pack''s');
SELECT is(pulse.take(shop.class('pack'), 'ida', 1), true, 'a pack''s counts where the application has none');
SELECT is(shop.error_of(format('SELECT pulse.take(%L, %L)', shop.class('gone'), 'ida')) ~ '^42704', true, 'that of a pack that is gone does not');
SELECT is(pulse.drop_limit(shop.class('take')), true, 'without the application''s');
SELECT is(pulse.take(shop.class('take'), 'ida', 3), true, 'the pack''s counts again');
SELECT is(shop.error_of(format('SELECT pulse.drop_limit(%L)', shop.class('general'))),
          format('2BP01 event "*" in "/" is limited by class "%s" / Take it away with pulse.drop_limit_event first.', shop.class('general')), 'a class that limits events stays');
INSERT INTO _pulse.limit_events (namespace, event, class, extension) VALUES ('/desk', '*', shop.class('pack'), 'pulse'), ('/desk', 'say', shop.class('gone'), 'no_such_pack');
SELECT is(shop.burst(2, 'say', '{"userId":"jon"}', '/desk'), 'ok 1, PL429 1', 'a pack limits events too');
SELECT pulse.limit(shop.class('mine'), 1000, '1 hour'), pulse.limit_event('*', shop.class('mine'), '/desk');
SELECT is(shop.burst(2, 'say', '{"userId":"jon"}', '/desk'), 'ok 2', 'the application''s binding wins');
SELECT is(pulse.drop_limit('nosuch'), false, 'dropping a class that there is not');

SELECT * FROM finish();
ROLLBACK;
