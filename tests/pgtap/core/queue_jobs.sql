-- Jobs to look at and to act on: views, cancel, retry, purge_queue. Nobody works on them here: states are made by hand.
BEGIN;
SELECT plan(32);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.ended(job json) RETURNS json LANGUAGE sql RETURN job;
CREATE FUNCTION pg_temp.new(queue text DEFAULT 'q', options text DEFAULT '') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
    EXECUTE format('SELECT pulse.enqueue(%L, ''sql'', ''{"function":"app.work","args":{"n":1}}'' %s)', queue, options) INTO v_id;
    RETURN v_id;
END
$$;
CREATE FUNCTION pg_temp.state(id bigint) RETURNS text LANGUAGE sql AS 'SELECT state FROM pulse.job($1)';
CREATE TEMPORARY TABLE ids (name text PRIMARY KEY, id bigint);

-- views
INSERT INTO ids VALUES ('now', pg_temp.new()), ('later', pg_temp.new('q', $$, run_at => now() + interval '1 h'$$)), ('due', pg_temp.new('q', $$, run_at => now() + interval '1 h'$$)),
    ('running', pg_temp.new()), ('failed', pg_temp.new()), ('dead', pg_temp.new()), ('done', pg_temp.new());
UPDATE _pulse.jobs SET run_at = now() - interval '1 s' WHERE id = (SELECT id FROM ids WHERE name = 'due');
UPDATE _pulse.jobs SET state = 'executing', attempt = 1, worker = 'worker 1', attempted_at = now() WHERE id = (SELECT id FROM ids WHERE name = 'running');
UPDATE _pulse.jobs SET state = 'retryable', attempt = 1, last_error = 'boom' WHERE id = (SELECT id FROM ids WHERE name = 'failed');
WITH gone AS (DELETE FROM _pulse.jobs WHERE id = (SELECT id FROM ids WHERE name = 'dead') RETURNING *)
    INSERT INTO _pulse.dead_letters (id, queue, kind, args, function, reason, priority, run_at, attempt, max_attempts, timeout, role, last_error, created_at, channel, errors, finished_at)
    SELECT id, queue, kind, args, function, 'attempts', priority, run_at, 3, 3, timeout, role, 'bang', created_at, channel, '[{"attempt":1},{"attempt":2},{"attempt":3}]', now() FROM gone;
WITH gone AS (DELETE FROM _pulse.jobs WHERE id = (SELECT id FROM ids WHERE name = 'done') RETURNING *)
    INSERT INTO _pulse.job_history (slot, id, queue, kind, args, function, state, priority, run_at, attempt, max_attempts, timeout, role, created_at, channel, finished_at, result)
    SELECT 1, id, queue, kind, args, function, 'completed', priority, run_at, 1, 3, timeout, role, created_at, channel, now(), '{"ok":true}' FROM gone;
SELECT results_eq($$ SELECT i.name, j.state, j.attempt, j.last_error, j.worker, j.finished_at IS NOT NULL, j.result ->> 'ok', json_array_length(j.errors)
                       FROM pulse.jobs j JOIN ids i USING (id) ORDER BY i.name $$,
                  $$ VALUES ('dead', 'discarded', 3, 'bang', NULL, true, NULL, 3), ('done', 'completed', 1, NULL, NULL, true, 'true', NULL), ('due', 'available', 0, NULL, NULL, false, NULL, NULL),
                            ('failed', 'retryable', 1, 'boom', NULL, false, NULL, NULL), ('later', 'scheduled', 0, NULL, NULL, false, NULL, NULL), ('now', 'available', 0, NULL, NULL, false, NULL, NULL),
                            ('running', 'executing', 1, NULL, 'worker 1', false, NULL, NULL) $$, 'E4: pulse.jobs shows each, wherever it is in its life');
SELECT results_eq($$ SELECT i.name, j.state FROM ids i, LATERAL pulse.job(i.id) j ORDER BY 1 $$, $$ SELECT i.name, j.state FROM ids i JOIN pulse.jobs j USING (id) ORDER BY 1 $$, 'E4: pulse.job the one');
SELECT is_empty('SELECT FROM pulse.job(-1)', 'or none');
SELECT results_eq('SELECT id, reason, last_error, json_array_length(errors) FROM pulse.dead_letters', $$ SELECT id, 'attempts', 'bang', 3 FROM ids WHERE name = 'dead' $$, 'E4: dead letters with all attempts');
SELECT results_eq('SELECT name, available, scheduled, executing, retryable, dead FROM pulse.queues', $$ VALUES ('q' COLLATE "C", 2::bigint, 1::bigint, 1::bigint, 1::bigint, 1::bigint) $$, 'pulse.queues counts them');
SELECT results_eq($$ SELECT key, value FROM json_each_text(_pulse.queue_counts()) ORDER BY 1 $$, $$ VALUES ('available', '3'), ('dead', '1'), ('executing', '1'), ('retryable', '1') $$, 'and so does the status');
CREATE ROLE looker;
GRANT pulse_admin TO looker;
SET LOCAL ROLE looker;
SELECT is((SELECT count(*) FROM pulse.jobs) + (SELECT count(*) FROM pulse.dead_letters) + (SELECT count(*) FROM pulse.queues), 9::bigint, 'pulse_admin may look');
RESET ROLE;
SET LOCAL ROLE pulse_publisher;
SELECT throws_ok('SELECT * FROM pulse.' || view, '42501', NULL, 'a publisher may not look at pulse.' || view) FROM unnest(ARRAY['jobs', 'dead_letters', 'queues']) view;
RESET ROLE;

-- retry
SELECT is(pulse.retry((SELECT id FROM ids WHERE name = 'later')), true, 'E4: a later job can be run now');
SELECT results_eq($$ SELECT j.state, j.run_at <= clock_timestamp() FROM _pulse.jobs j JOIN ids i USING (id) WHERE i.name = 'later' $$, $$ VALUES ('available', true) $$, 'E4: then it is due');
UPDATE _pulse.jobs SET run_at = now() + interval '1 h' WHERE id = (SELECT id FROM ids WHERE name = 'failed');
SELECT is(pulse.retry((SELECT id FROM ids WHERE name = 'failed')), true, 'E4: so can one that failed');
SELECT results_eq($$ SELECT j.state, j.run_at <= clock_timestamp() FROM _pulse.jobs j JOIN ids i USING (id) WHERE i.name = 'failed' $$, $$ VALUES ('retryable', true) $$, 'E4: then it is due, too');
SELECT is(pulse.retry(i.id), false, 'E4: not one that is ' || i.name) FROM ids i WHERE i.name IN ('running', 'done') ORDER BY i.name;
SELECT is(pulse.retry(-1), false, 'nor one that is not there');
SELECT is(pulse.retry((SELECT id FROM ids WHERE name = 'dead')), true, 'E4: a dead one is redriven');
SELECT is(pg_temp.state((SELECT id FROM ids WHERE name = 'dead')), 'available', 'E4: and waits again');

-- cancel
SELECT is(pulse.cancel((SELECT id FROM ids WHERE name = 'now')), true, 'E4: a waiting job can be cancelled');
SELECT results_eq($$ SELECT j.state, j.last_error, j.finished_at IS NOT NULL FROM ids i, LATERAL pulse.job(i.id) j WHERE i.name = 'now' $$, $$ VALUES ('cancelled', 'cancelled', true) $$, 'E4: and is history');
SELECT is(pulse.cancel((SELECT id FROM ids WHERE name = 'now')), false, 'E4: once');
SELECT is(pulse.cancel((SELECT id FROM ids WHERE name = 'failed')), true, 'E4: also one that waits for another attempt');
SELECT is(pulse.cancel((SELECT id FROM ids WHERE name = 'running')), true, 'E4: one that runs is told to stop');
SELECT results_eq($$ SELECT j.state, j.cancelled_at IS NOT NULL FROM ids i, LATERAL pulse.job(i.id) j WHERE i.name = 'running' $$, $$ VALUES ('executing', true) $$, 'E4: and runs until it does');
SELECT is(pulse.cancel((SELECT id FROM ids WHERE name = 'done')), false, 'E4: one that has ended cannot be');
SELECT pulse.configure_queue('loud', events => true);
INSERT INTO ids VALUES ('chained', pg_temp.new('loud', $$, on_end => 'app.ended', unique_key => 'k'$$));
SELECT pulse.cancel((SELECT id FROM ids WHERE name = 'chained'));
SELECT results_eq($$ SELECT e.name, e.payload ->> 'state' FROM pulse.events e WHERE e.rooms = '{queue:loud}' ORDER BY e.id $$, $$ VALUES ('job:enqueued', 'available'), ('job:cancelled', 'cancelled') $$,
                  'E4: a queue that wants it publishes the cancel');
SELECT results_eq($$ SELECT function, args ->> 'function', args -> 'args' ->> 'id', args -> 'args' ->> 'state', args -> 'args' -> 'args' ->> 'function' FROM _pulse.jobs WHERE queue = 'pulse:on_end' $$,
                  $$ SELECT 'app.ended', 'app.ended', id::text, 'cancelled', 'app.work' FROM ids WHERE name = 'chained' $$, 'E4: on_end is told of it');

-- purge_queue
SELECT pg_temp.new('full', format(', run_at => now() + %L', n * interval '1 min')) FROM generate_series(0, 4) n;
UPDATE _pulse.jobs SET state = 'executing' WHERE id = (SELECT min(id) FROM _pulse.jobs WHERE queue = 'full');
SELECT is(pulse.purge_queue('full'), 4::bigint, 'E4: the waiting jobs of a queue can be forgotten');
SELECT results_eq($$ SELECT state FROM pulse.jobs WHERE queue = 'full' $$, $$ VALUES ('executing') $$, 'E4: those that run stay, and nothing else is left');

-- never, until somebody says so
SELECT pulse.enqueue('never', 'sql', '{"function":"app.work"}', run_at => 'infinity') AS never \gset
SELECT is((SELECT state FROM pulse.job(:never)), 'scheduled', 'E4: run_at infinity: not by itself');
SELECT pulse.retry(:never);
SELECT results_eq(format('SELECT state, run_at <= clock_timestamp() FROM pulse.job(%s)', :never), $$ VALUES ('available', true) $$, 'E4: but by pulse.retry');

SELECT * FROM finish();
ROLLBACK;
