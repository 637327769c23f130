-- Queues and kinds of jobs: configuring, pausing, and what a restored database does.
BEGIN;
SELECT plan(54);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.message(args json) RETURNS json LANGUAGE sql RETURN json_build_object('to', args ->> 'recipient');
CREATE FUNCTION pg_temp.job(id bigint) RETURNS _pulse.jobs LANGUAGE sql AS 'SELECT j FROM _pulse.jobs j WHERE j.id = $1';
CREATE FUNCTION pg_temp.enqueue(queue text, options text DEFAULT '') RETURNS _pulse.jobs LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
    EXECUTE format('SELECT pulse.enqueue(%L, %s', queue, CASE WHEN options = '' THEN $q$'sql', '{"function":"app.work"}'$q$ ELSE options END) || ')' INTO v_id;
    RETURN pg_temp.job(v_id);
END
$$;

-- configure
SELECT lives_ok($$ SELECT pulse.configure_queue(queue => 'q', concurrency => 10, rate => 100, per => '1 min', max_attempts => 5, backoff => '2 s', backoff_max => '10 min', events => false) $$,
                'E4: all arguments have their documented names');
SELECT results_eq($$ SELECT name, paused, concurrency, rate, per, max_attempts, backoff, backoff_max, events FROM pulse.queues $$,
                  $$ VALUES ('q' COLLATE "C", false, 10, 100, interval '1 min', 5, interval '2 s', interval '10 min', false) $$, 'E4: pulse.queues shows it');
SELECT pulse.configure_queue('q', rate => 50);
SELECT results_eq($$ SELECT concurrency, rate, per, max_attempts FROM pulse.queues $$, $$ VALUES (10, 50, interval '1 min', 5) $$, 'what is null stays as it was');
SELECT is((pg_temp.enqueue('q')).max_attempts, 5, 'E4: a job has the attempts that its queue says');
SELECT is((pg_temp.enqueue('q', $$'sql', '{"function":"app.work"}', max_attempts => 2$$)).max_attempts, 2, 'E4: or those that it says itself');
SELECT pulse.configure_queue('q', concurrency => 0, rate => 0, max_attempts => 0, backoff => '0', backoff_max => '0');
SELECT results_eq($$ SELECT concurrency, rate, per, max_attempts, backoff, backoff_max FROM pulse.queues $$,
                  $$ VALUES (NULL::int, NULL::int, NULL::interval, NULL::int, NULL::interval, NULL::interval) $$, '0 takes a value back');
SELECT is((pg_temp.enqueue('q')).max_attempts, 3, 'and the default is 3 attempts');
SELECT is(pulse.drop_queue('q'), true, 'it can be forgotten');
SELECT is(pulse.drop_queue('q'), false, 'once');
SELECT is((SELECT count(*) FROM _pulse.jobs), 3::bigint, 'its jobs stay');
SELECT throws_ok(format('SELECT pulse.configure_queue(''q'', %s)', arguments), '22023', NULL, 'refused: ' || arguments)
  FROM unnest(ARRAY['concurrency => -1', 'rate => -1', 'rate => 10', 'per => ''0''', 'per => ''1 year''', 'max_attempts => 1001', 'backoff => ''-1 s''', 'backoff => ''8 days''']) arguments;
SELECT throws_ok($$ SELECT pulse.configure_queue('') $$, '22023', NULL, 'a queue has a name');
SELECT throws_ok($$ SELECT pulse.configure_queue(NULL) $$, '22004', 'queue is null', 'really');
SELECT is((SELECT count(*) FROM _pulse.queues), 0::bigint, 'nothing of that is stored');

-- a pack's word, and the application's over it
INSERT INTO _pulse.queues (name, extension, concurrency, rate, per, events) VALUES ('packed', 'plpgsql', 10, 100, '1 min', true), ('gone', 'no_such_extension', 1, 1, '1 s', true);
INSERT INTO _pulse.job_kinds (kind, extension, channel, function, max_attempts) VALUES ('packed', 'plpgsql', 'fcm', 'app.message', 4), ('gone', 'no_such_extension', 'sms', NULL, 1);
SELECT pulse.configure_queue('packed', concurrency => 20);
SELECT results_eq($$ SELECT concurrency, rate, events FROM pulse.queues WHERE name = 'packed' $$, $$ VALUES (20, 100, true) $$, 'the application''s word wins, value by value');
SELECT pulse.configure_queue('packed', rate => 0, events => false);
SELECT results_eq($$ SELECT concurrency, rate, events FROM pulse.queues WHERE name = 'packed' $$, $$ VALUES (20, NULL::int, false) $$, '0 takes a pack''s value away');
SELECT is(pulse.drop_queue('packed'), true, 'forgotten');
SELECT results_eq($$ SELECT concurrency, rate, events FROM pulse.queues WHERE name = 'packed' $$, $$ VALUES (10, 100, true) $$, 'the pack''s counts again');
SELECT results_eq($$ SELECT concurrency, rate, events FROM pulse.queues WHERE name = 'gone' $$, $$ VALUES (NULL::int, NULL::int, false) $$, 'that of a pack which is gone does not');
SELECT is((pg_temp.enqueue('q', $$'packed', '{}'$$)).max_attempts, 4, 'a pack''s kind is there');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'gone', '{}') $$, '22023', 'unknown kind of job "gone"', 'one of a pack which is gone is not');
SELECT pulse.job_kind('packed', 'sql', 'app.work', 6);
SELECT results_eq($$ SELECT channel, function, max_attempts FROM pg_temp.enqueue('q', $q$'packed', '{}'$q$) $$, $$ VALUES ('sql' COLLATE "C", 'app.work', 6) $$, 'the application''s wins');
SELECT is(pulse.drop_job_kind('packed'), true, 'until it is dropped');
SELECT is((pg_temp.enqueue('q', $$'packed', '{}'$$)).max_attempts, 4, 'then the pack''s counts again');

-- kinds
SELECT lives_ok($$ SELECT pulse.job_kind(kind => 'push', channel => 'fcm', function => 'app.message', max_attempts => 7, backoff => '5 s', backoff_max => '1 min') $$, 'E4: all arguments have their documented names');
SELECT results_eq($$ SELECT kind, channel, function, max_attempts, args::text FROM pg_temp.enqueue('q', $q$'push', '{"recipient":"ann"}'$q$) $$,
                  $$ VALUES ('push' COLLATE "C", 'fcm' COLLATE "C", 'app.message', 7, '{"recipient":"ann"}') $$, 'E4: a job of it goes to its channel, by its function');
SELECT is((pg_temp.enqueue('q', format('%L, %L', k, '{}'))).channel, k, 'E4: the engine''s own kind ' || k) FROM unnest(ARRAY['fcm', 'sms', 'webhook']) k;
SELECT pulse.job_kind('print', 'external'), pulse.job_kind('sms', 'sms', max_attempts => 1);
SELECT is((pg_temp.enqueue('q', $$'print', '[1]'$$)).channel, 'external', 'E4: a kind for workers outside');
SELECT is((pg_temp.enqueue('q', $$'sms', '{}'$$)).max_attempts, 1, 'E4: the engine''s own kinds take other attempts');
SELECT throws_ok(format('SELECT pulse.job_kind(%s)', arguments), code, NULL, 'refused: ' || arguments)
  FROM (VALUES ('''a b'', ''sql'', ''app.work''', '22023'), ('''k'', ''mail''', '22023'), ('''k'', ''sql''', '22023'), ('''k'', ''external'', ''app.work''', '22023'),
               ('''sql'', ''sql'', ''app.work''', '22023'), ('''fcm'', ''sms''', '22023'), ('''k'', ''sql'', ''app.nothing''', '42883'), ('''k'', ''sms'', max_attempts => 0', '22023'),
               ('''k'', ''sms'', backoff => ''-1 s''', '22023'), ('NULL, ''sms''', '22004')) AS v (arguments, code);

-- pausing
SELECT is(pulse.pause_queue('q', 'too loud'), true, 'E4: a queue can be paused');
SELECT is(pulse.pause_queue('q'), false, 'once');
SELECT results_eq($$ SELECT paused, pause_reason, paused_at IS NOT NULL FROM pulse.queues WHERE name = 'q' $$, $$ VALUES (true, 'too loud', true) $$, 'with a reason');
SELECT is(pulse.resume_queue('q'), true, 'E4: and resumed');
SELECT is(pulse.resume_queue('q'), false, 'once');
SELECT results_eq($$ SELECT paused, pause_reason, paused_at FROM pulse.queues WHERE name = 'q' $$, $$ VALUES (false, NULL::text, NULL::timestamptz) $$, 'then it is as before');

SELECT * FROM finish();
ROLLBACK;
