-- pulse.status() in a database without a dispatcher: its form, its problems with hints, and the lag.
BEGIN;
SELECT plan(26);

SELECT is((SELECT array_agg(k) FROM json_object_keys(pulse.status()) AS k),
          '{preloaded,databases,dispatcher,worker,epoch,position,floor,notifyQueueUsage,quarantined,presence,queue,counters,problems}'::text[], 'E6: the documented keys');
SELECT is((SELECT array_agg(k) FROM json_object_keys(pulse.status() -> 'dispatcher') AS k), '{running,pid,lagEvents,lastTickAt,failedTicks}'::text[],
          'E6: the dispatcher''s keys');
SELECT is((SELECT array_agg(k) FROM json_object_keys(pulse.status() -> 'queue') AS k), '{available,executing,retryable,dead}'::text[], 'E6: the queue''s keys');
SELECT is(pulse.status() ->> 'preloaded', 'true', 'pulse is preloaded here');
SELECT is(pulse.status() -> 'dispatcher' ->> 'running', 'false', 'no dispatcher runs');
SELECT is(pulse.status() -> 'problems' -> 0 ->> 'problem', format('database %I is not in pulse.databases: it has no dispatcher', current_database()),
          'the problem is named');
SELECT matches(pulse.status() -> 'problems' -> 0 ->> 'hint', format('^ALTER SYSTEM SET pulse.databases = ''.*%I''; SELECT pg_reload_conf\(\);$', current_database()),
               'and the statement that helps');

-- The first tick's xid has ended: rows that carry it are due.
SELECT is(_pulse.lag_events(0), 0::bigint, 'there is no lag');
INSERT INTO pulse.events (name, rooms, payload, xid)
    SELECT 'late', '{r}', '1', pg_snapshot_xmax(t.upto) FROM pulse.ticks t, generate_series(1, 3) WHERE t.last_position = 0;
SELECT is(_pulse.lag_events(0), 3::bigint, 'events without a position are the lag');
SELECT is(_pulse.lag_events(1000), 1003::bigint, 'beside the backlog that the dispatcher knows of');
INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, done_id, xids, ids)
    SELECT 1, 1, 0, now(), t.upto, format('%s:%s:', pg_snapshot_xmax(t.upto)::text::bigint + 1, pg_snapshot_xmax(t.upto)::text::bigint + 1)::pg_snapshot,
           (SELECT min(id) FROM pulse.events WHERE name = 'late'), '{}', '{}'
      FROM pulse.ticks t WHERE t.last_position = 0;
SELECT is(_pulse.lag_events(0), 2::bigint, 'of a backlog, what comes after the chunks that are done');
UPDATE pulse.ticks SET done_id = NULL WHERE last_position = 1;
SELECT is(_pulse.lag_events(0), 0::bigint, 'and none when the last chunk is done');

INSERT INTO _pulse.quarantine (position, event_id, xid, sqlstate, message) VALUES (1, 1, '3', '54000', 'too long');
SELECT is(pulse.status() ->> 'quarantined', '1', 'quarantined events are counted');
SELECT is((SELECT p ->> 'problem' FROM json_array_elements(pulse.status() -> 'problems') AS p WHERE p ->> 'hint' LIKE '%_pulse.quarantine%'),
          '1 events could not be dispatched', 'and are a problem');

INSERT INTO _pulse.jobs (queue, kind, args, state, run_at, max_attempts, timeout, role)
    SELECT 'q', 'sql', '{}', state, now(), 1, '1 s', 'r'
      FROM (VALUES ('available', 2), ('scheduled', 1), ('executing', 4), ('retryable', 5)) AS v (state, times), generate_series(1, times);
CREATE FUNCTION pg_temp.bury(jobs bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO _pulse.dead_letters (id, queue, kind, args, reason, priority, run_at, attempt, max_attempts, timeout, role, created_at, channel, finished_at)
        SELECT nextval('_pulse.job_id_seq'), 'q', 'sql', '{}', 'attempts', 0, now(), 1, 1, '1 s', 'r', now(), 'sql', now() FROM generate_series(1, jobs) $$;
SELECT pg_temp.bury(6);
SELECT is((SELECT json_object_agg(key, value)::text FROM json_each_text(pulse.status() -> 'queue')),
          '{ "available" : "3", "executing" : "4", "retryable" : "5", "dead" : "6" }', 'jobs are counted by state');
INSERT INTO _pulse.jobs (queue, kind, args, state, run_at, max_attempts, timeout, role)
    SELECT 'q', 'sql', '{}', 'available', now(), 1, '1 s', 'r' FROM generate_series(1, 100001);
SELECT pg_temp.bury(100001);
SELECT ok((pulse.status() -> 'queue' ->> 'available')::bigint BETWEEN 9995 AND 100010, 'a long queue is counted up to 10,000, then estimated');
SELECT ok((pulse.status() -> 'queue' ->> 'dead')::bigint BETWEEN 10000 AND 100010, 'and so are the dead');
SELECT is(c.*::text, '(9990,f)', 'a count looks at so many entries of an index and no more') FROM _pulse.count_by_index('_pulse.jobs_lane_idx', 9990) c;
SELECT is(c.*::text, '(4,t)', 'or at all of them') FROM _pulse.count_by_index('_pulse.jobs_executing_idx', 5) c;
SAVEPOINT gone;
DELETE FROM _pulse.jobs WHERE state = 'executing' AND id <> (SELECT min(id) FROM _pulse.jobs WHERE state = 'executing');
SELECT is(c.*::text, '(0,f)', 'also at those of rows that are gone') FROM _pulse.count_by_index('_pulse.jobs_executing_idx', 3) c;
SELECT is(c.*::text, '(1,t)', 'which it does not count') FROM _pulse.count_by_index('_pulse.jobs_executing_idx', 5) c;
DELETE FROM _pulse.jobs WHERE state = 'available';
SELECT is(pulse.status() -> 'queue' ->> 'retryable', '5', 'a long queue that is gone costs no more');
ROLLBACK TO gone;
SELECT is(pulse.status() -> 'queue' ->> 'executing', '4', 'whatever the length of the others');

SELECT ok(NOT (pulse.status() -> 'problems')::text LIKE '%version%', 'the SQL is of the library''s version');
UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'pulse';
SELECT matches((SELECT p ->> 'problem' FROM json_array_elements(pulse.status() -> 'problems') AS p WHERE p ->> 'hint' LIKE 'ALTER EXTENSION pulse UPDATE;%'),
               '^the SQL of pulse here is version 0\.9, its library [\d.]+: nothing is dispatched$', 'another version is a problem');
UPDATE pg_extension e SET extversion = a.default_version FROM pg_available_extensions a WHERE a.name = 'pulse' AND e.extname = 'pulse';

CREATE ROLE monitor;
GRANT pulse_admin TO monitor;
SET LOCAL ROLE monitor;
SELECT isnt(pulse.status()::text, NULL, 'pulse_admin can read it');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
