-- pulse.queue_depths(): jobs by queue and state for metrics, in bounded time.
BEGIN;
SELECT plan(6);

SAVEPOINT before;
INSERT INTO _pulse.jobs (queue, kind, args, state, run_at, max_attempts, timeout, role) VALUES ('gone', 'sql', '{}', 'available', now(), 3, '30 s', 'postgres');
ROLLBACK TO before;
SELECT is_empty('SELECT * FROM pulse.queue_depths()', 'no jobs, no queues, also where some were');
INSERT INTO _pulse.jobs (queue, kind, args, state, run_at, max_attempts, timeout, role)
    SELECT q, 'sql', '{}', s, at, 3, '30 s', 'postgres'
      FROM (VALUES ('a', 'available', now() - interval '100 s'), ('a', 'available', now()), ('a', 'available', now() + interval '1 h'), ('a', 'scheduled', now() - interval '10 s'),
                   ('a', 'scheduled', now() + interval '1 h'), ('a', 'retryable', now() + interval '1 s'), ('a', 'executing', now()), ('c', 'executing', now()), ('é:%', 'available', now())) AS j (q, s, at);
INSERT INTO _pulse.dead_letters (id, queue, kind, args, reason, priority, run_at, attempt, max_attempts, timeout, role, created_at, channel, finished_at)
    SELECT -n, 'b', 'sql', '{}', 'attempts', 0, now(), 3, 3, '30 s', 'postgres', now(), 'sql', now() FROM generate_series(1, 2) n;
SELECT results_eq('SELECT queue, available, scheduled, executing, retryable, dead FROM pulse.queue_depths()',
    $$ VALUES ('a', 3::bigint, 2::bigint, 1::bigint, 1::bigint, 0::bigint), ('b', 0, 0, 0, 0, 2), ('c', 0, 0, 1, 0, 0), ('é:%', 1, 0, 0, 0, 0) $$, 'each queue with what it has');
SELECT ok((SELECT oldest_seconds FROM pulse.queue_depths() WHERE queue = 'a') BETWEEN 100 AND 400, 'and since when its first one waits');
INSERT INTO _pulse.jobs (queue, kind, args, state, run_at, max_attempts, timeout, role)
    SELECT 'b' || n % 2, 'sql', '{}', 'available', now(), 3, '30 s', 'postgres' FROM generate_series(1, 24000) n;
SELECT results_eq('SELECT queue, available, dead FROM pulse.queue_depths()',
    $$ VALUES ('a', 3::bigint, 0::bigint), ('b', 0, 2), ('b0', 10000, 0), ('b1', 10000, 0), ('c', 0, 0), ('é:%', 1, 0) $$, 'of long queues 10,000, of the others all');
SELECT is((SELECT count(*)::int FROM pulse.queue_depths() WHERE oldest_seconds IS NULL), 2, 'of long ones nobody knows the oldest');
SELECT results_eq($$ SELECT queue, available, complete FROM _pulse.count_queues('_pulse.jobs_lane_idx', 10, 25) $$,
    $$ VALUES ('é:%', 1::bigint, true), ('b1', 10, false), ('b0', 10, false), ('a', 1, false) $$, 'it looks at so many entries and no more, and at one of each other queue');

SELECT * FROM finish();
ROLLBACK;
