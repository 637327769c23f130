-- Dead letters: redrive (one, by filter, all) and purge.
BEGIN;
SELECT plan(39);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
SELECT pulse.job_kind('push', 'fcm', max_attempts => 5);
CREATE FUNCTION pg_temp.bury(queue text, kind text, age interval, key text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO _pulse.dead_letters (id, queue, kind, args, function, reason, priority, run_at, attempt, max_attempts, unique_key, timeout, role, last_error, created_at, attempted_at, channel,
                                     partition_key, on_end, traceparent, worker, errors, finished_at)
    VALUES (nextval('_pulse.job_id_seq'), queue, kind, '{"a":  1}', 'app.work', 'attempts', 7, now() - age, 3, 3, key, '9 s', current_user, 'boom', now() - age, now() - age, 'sql',
            'p', 'app.work', 'trace', 'worker 1', '[{"attempt":1},{"attempt":2},{"attempt":3}]', now() - age)
    RETURNING id $$;
CREATE TEMPORARY TABLE ids (name text PRIMARY KEY, id bigint);
CREATE FUNCTION pg_temp.named() RETURNS SETOF text LANGUAGE sql AS 'SELECT i.name FROM _pulse.jobs j JOIN ids i USING (id) ORDER BY 1';
CREATE FUNCTION pg_temp.dead() RETURNS SETOF text LANGUAGE sql AS 'SELECT i.name FROM pulse.dead_letters d JOIN ids i USING (id) ORDER BY 1';
CREATE FUNCTION pg_temp.anew() RETURNS void LANGUAGE sql AS $$
    DELETE FROM _pulse.jobs; DELETE FROM _pulse.dead_letters; DELETE FROM ids;
    INSERT INTO ids VALUES ('mail 1h', pg_temp.bury('mail', 'sql', '1 h')), ('mail 2h', pg_temp.bury('mail', 'sql', '2 h')), ('mail push 3h', pg_temp.bury('mail', 'push', '3 h')),
                           ('other 4h', pg_temp.bury('other', 'sql', '4 h')) $$;
SELECT pg_temp.anew();

-- one
SELECT is(pulse.redrive((SELECT id FROM ids WHERE name = 'mail 1h')), true, 'E4: a dead letter can be redriven');
SELECT results_eq($$ SELECT queue, kind, args::text, function, state, priority, run_at <= clock_timestamp(), attempt, max_attempts, timeout, last_error, created_at, partition_key, on_end,
                            traceparent, worker, json_array_length(errors) FROM _pulse.jobs $$,
                  $$ VALUES ('mail' COLLATE "C", 'sql' COLLATE "C", '{"a":  1}', 'app.work', 'available', 7, true, 3, 6, interval '9 s', 'boom', now() - interval '1 h', 'p' COLLATE "C", 'app.work',
                             'trace', NULL::text, 3) $$, 'E4: it waits as it was, with its attempts kept, and three more');
SELECT results_eq('SELECT * FROM pg_temp.dead()', $$ VALUES ('mail 2h'), ('mail push 3h'), ('other 4h') $$, 'E4: and is dead no more');
SELECT is(pulse.redrive((SELECT id FROM ids WHERE name = 'mail 1h')), false, 'E4: once');
SELECT is(pulse.redrive((SELECT id FROM ids WHERE name = 'mail push 3h')), true, 'E4: a kind');
SELECT is((SELECT max_attempts FROM _pulse.jobs WHERE kind = 'push'), 8, 'E4: gives as many attempts as to a new one');
SELECT pulse.configure_queue('other', max_attempts => 2);
SELECT pulse.redrive((SELECT id FROM ids WHERE name = 'other 4h'));
SELECT is((SELECT max_attempts FROM _pulse.jobs WHERE queue = 'other'), 5, 'E4: else the queue does');
SELECT pulse.redrive((SELECT id FROM ids WHERE name = 'mail 2h'), attempts => 1);
SELECT is((SELECT max_attempts FROM _pulse.jobs j JOIN ids i USING (id) WHERE i.name = 'mail 2h'), 4, 'E4: or whoever asks');
SELECT throws_ok($$ SELECT pulse.redrive(1, attempts => 0) $$, '22023', 'attempts is 0', 'at least one');

-- by filter
SELECT pg_temp.anew();
SELECT is(pulse.redrive(), 4::bigint, 'E4: all can be redriven');
SELECT is_empty('SELECT * FROM pg_temp.dead()', 'E4: none is left');
SELECT is(pulse.redrive(), 0::bigint, 'E4: then there are none');
SELECT pg_temp.anew();
SELECT is(pulse.redrive('mail'), 3::bigint, 'E4: those of a queue');
SELECT pg_temp.anew();
SELECT is(pulse.redrive(kind => 'push'), 1::bigint, 'E4: of a kind');
SELECT is(pulse.redrive(since => now() - interval '2 h', until => now() - interval '1 h'), 1::bigint, 'E4: of a time');
SELECT results_eq('SELECT * FROM pg_temp.named()', $$ VALUES ('mail 2h'), ('mail push 3h') $$, 'E4: its beginning belongs to it, its end does not');
SELECT is(pulse.redrive(max_jobs => 1), 1::bigint, 'E4: so many');
SELECT results_eq('SELECT * FROM pg_temp.dead()', $$ VALUES ('mail 1h') $$, 'E4: the oldest first');

SELECT throws_ok(format('SELECT pulse.redrive(%L)', id), '22023', format('no dead letter is of a queue "%s"', id), 'an id that is taken for a queue''s name is not passed over') FROM ids WHERE name = 'mail 1h';
SELECT is(pulse.redrive('123'), 0::bigint, 'a queue may have a number for its name');

-- unique keys
SELECT pg_temp.anew();
INSERT INTO ids VALUES ('held', pg_temp.bury('held', 'sql', '1 h', 'k')), ('twin', pg_temp.bury('held', 'sql', '2 h', 'k'));
SELECT pulse.enqueue('held', 'sql', '{"function":"app.work"}', unique_key => 'k');
SELECT is(pulse.redrive((SELECT id FROM ids WHERE name = 'held')), false, 'E4: one whose unique key a waiting job has stays dead');
SELECT is(pulse.redrive('held'), 0::bigint, 'E4: asked for by its queue, too');
UPDATE _pulse.jobs SET state = 'executing';
SELECT is(pulse.redrive('held'), 1::bigint, 'E4: of two with one key, one');

-- events
SELECT pulse.configure_queue('loud', events => true);
INSERT INTO ids VALUES ('loud', pg_temp.bury('loud', 'sql', '1 h'));
SELECT pulse.redrive((SELECT id FROM ids WHERE name = 'loud'));
SELECT results_eq($$ SELECT e.name, e.payload ->> 'jobId', e.payload ->> 'attempt' FROM pulse.events e WHERE e.rooms = '{queue:loud}' $$, $$ SELECT 'job:enqueued', id::text, '3' FROM ids WHERE name = 'loud' $$,
                  'E4: a queue that wants it publishes the redrive');

-- purge
SELECT pg_temp.anew();
SELECT throws_ok(format('SELECT pulse.%s', call), '22004', message, format('E4: what a variable has that nobody has set is not taken for all: %s', call))
  FROM (VALUES ('redrive(NULL)', 'queue is null'), ('redrive(kind => NULL)', 'kind is null'), ('redrive(since => NULL)', 'since is null'), ('redrive(until => NULL)', 'until is null'),
               ('purge(NULL)', 'queue is null'), ('purge(kind => NULL)', 'kind is null'), ('purge(until => NULL)', 'until is null')) AS t (call, message);
SELECT throws_ok('SELECT pulse.redrive(max_jobs => -1)', '22023', 'max_jobs is -1', 'E4: fewer than none');
SELECT is(pulse.purge('mail', until => now() - interval '90 min'), 2::bigint, 'E4: old ones of a queue can be forgotten');
SELECT results_eq('SELECT * FROM pg_temp.dead()', $$ VALUES ('mail 1h'), ('other 4h') $$, 'E4: the others stay');
SELECT is(pulse.purge(kind => 'push'), 0::bigint, 'of a kind');
SELECT is(pulse.purge(), 2::bigint, 'E4: or all');
SELECT is_empty('SELECT FROM _pulse.dead_letters', 'none is left');
SELECT is_empty('SELECT FROM _pulse.jobs', 'and none waits');

-- as who may
CREATE ROLE deputy;
GRANT pulse_admin TO deputy;
SET LOCAL ROLE deputy;
SELECT lives_ok($$ SELECT pulse.redrive(), pulse.redrive(1), pulse.purge(), pulse.purge_queue('q'), pulse.retry(1), pulse.cancel(1), pulse.pause_queue('q'), pulse.resume_queue('q'), pulse.resume_queues(),
                          pulse.configure_queue('q', concurrency => 1), pulse.drop_queue('q'), pulse.job_kind('k', 'sms'), pulse.drop_job_kind('k') $$, 'pulse_admin may do all of it');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
