-- pulse.enqueue: what it stores and what it refuses. Running jobs is in tests/fault/queue.test.mjs.
BEGIN;
SELECT plan(59);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.other(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app."Odd Name"(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.returns_text(args json) RETURNS text LANGUAGE sql RETURN 'x'::text;
CREATE FUNCTION app.returns_set(args json) RETURNS SETOF json LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION app.other_arguments(args jsonb) RETURNS json LANGUAGE sql RETURN args::json;
CREATE PROCEDURE app.procedure(args json) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pg_temp.temporary(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE ROLE worker_ann;
CREATE ROLE worker_bob;
GRANT pulse_publisher TO worker_ann, worker_bob;
GRANT USAGE ON SCHEMA app TO worker_ann, worker_bob;

-- what is stored
SELECT is(pulse.enqueue('mail', 'sql', '{"function":"app.work","args":{"b":1.50, "a":2}}'), currval('_pulse.job_id_seq'), 'E4: it returns the id');
SELECT results_eq(
    $$ SELECT queue, kind, channel, args::text, function, state, priority, attempt, max_attempts, unique_key, partition_key, timeout, role, last_error, on_end,
              traceparent, worker, lease_until, cancelled_at, errors::text FROM _pulse.jobs $$,
    $$ VALUES ('mail' COLLATE "C", 'sql' COLLATE "C", 'sql' COLLATE "C", '{"function":"app.work","args":{"b":1.50, "a":2}}', 'app.work', 'available', 0, 0, 3,
               NULL::text COLLATE "C", NULL::text COLLATE "C", interval '30 s', current_user::text COLLATE "default", NULL::text, NULL::text, NULL::text, NULL::text,
               NULL::timestamptz, NULL::timestamptz, NULL::text) $$,
    'E4: the job waits with the documented defaults');
SELECT is((SELECT run_at FROM _pulse.jobs), now(), 'run_at is the time of the transaction');
SELECT ok((SELECT created_at BETWEEN now() AND clock_timestamp() FROM _pulse.jobs), 'created_at that of the call');
SELECT is(pulse.job_id(), NULL, 'outside a job there is no job_id');
SELECT throws_ok($$SELECT pulse.discard_job('no such customer')$$, 'PJ001', 'no such customer', 'E4: pulse.discard_job is an error like another outside a job');
SELECT throws_ok($$SELECT pulse.discard_job(NULL)$$, 'PJ001', 'another attempt would fail alike', 'E4: it needs no words');
DELETE FROM _pulse.jobs;

SELECT isnt(pulse.enqueue(queue => 'mail', kind => 'sql', args => '{"function":"app.work"}', priority => -3, run_at => now() + interval '1 h',
                          max_attempts => 7, unique_key => 'k', timeout => '2 min'), NULL, 'all arguments have their documented names');
SELECT results_eq($$ SELECT state, priority, run_at, max_attempts, unique_key, timeout FROM _pulse.jobs $$,
                  $$ VALUES ('scheduled', -3, now() + interval '1 h', 7, 'k' COLLATE "C", interval '2 min') $$, 'a later job is scheduled');
SELECT is(pulse.enqueue('mail', 'sql', '{"function":"app.work","n":2}', unique_key => 'k'), (SELECT min(id) FROM _pulse.jobs),
          'E4: a unique key that waits gives the waiting job''s id');
SELECT is((SELECT count(*) FROM _pulse.jobs), 1::bigint, 'E4: and stores nothing');
SELECT isnt(pulse.enqueue('other', 'sql', '{"function":"app.work"}', unique_key => 'k'), (SELECT min(id) FROM _pulse.jobs), 'it belongs to one queue');
UPDATE _pulse.jobs SET state = 'executing' WHERE queue = 'mail';
SELECT isnt(pulse.enqueue('mail', 'sql', '{"function":"app.work"}', unique_key => 'k'), (SELECT min(id) FROM _pulse.jobs),
            'E4: a running job does not hold its key');
DELETE FROM _pulse.jobs;

-- unique_mode
SELECT pulse.enqueue('q', 'sql', '{"function":"app.work","n":1}', run_at => now() + interval '1 h', unique_key => 'k', partition_key => 'p1');
UPDATE _pulse.jobs SET state = 'retryable', attempt = 2, last_error = 'boom', errors = '[{"attempt":1},{"attempt":2}]';
SELECT is(pulse.enqueue('q', 'sql', '{"function":"app.other","n":2}', priority => 5, unique_key => 'k', unique_mode => 'keep_run_at', timeout => '7 s'),
          (SELECT id FROM _pulse.jobs), 'E4: keep_run_at gives the waiting job''s id');
SELECT results_eq($$ SELECT args ->> 'n', function, priority, run_at, state, attempt, max_attempts, timeout, partition_key, last_error, errors ->> 1 FROM _pulse.jobs $$,
                  $$ VALUES ('2', 'app.other', 5, now() + interval '1 h', 'retryable', 2, 5, interval '7 s', NULL::text COLLATE "C", NULL::text, '{"attempt":2}') $$,
                  'E4: and puts the new one in its place, at its old time; attempts go on counting, and those that were are kept');
SELECT is(pulse.enqueue('q', 'sql', '{"function":"app.work","n":3}', run_at => now() - interval '1 h', max_attempts => 1, unique_key => 'k', unique_mode => 'replace'),
          (SELECT id FROM _pulse.jobs), 'E4: replace gives it, too');
SELECT results_eq($$ SELECT args ->> 'n', run_at, state, max_attempts FROM _pulse.jobs $$,
                  $$ VALUES ('3', now() - interval '1 h', 'available', 3) $$, 'E4: and takes the new one''s time');
SELECT pulse.enqueue('q', 'sql', '{"function":"app.work","n":4}', run_at => now() + interval '1 h', unique_key => 'k', unique_mode => 'replace');
SELECT is((SELECT state FROM _pulse.jobs), 'scheduled', 'E4: or later');
UPDATE _pulse.jobs SET state = 'executing';
SELECT isnt(pulse.enqueue('q', 'sql', '{"function":"app.work","n":5}', unique_key => 'k', unique_mode => 'replace'), (SELECT min(id) FROM _pulse.jobs),
            'E4: a running job is never replaced');
SELECT is((SELECT count(*) FROM _pulse.jobs), 2::bigint, 'E4: the new one waits beside it');
DELETE FROM _pulse.jobs;

-- partition key, on_end, traceparent
SET LOCAL pulse.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', partition_key => 'account:7', on_end => 'app.other');
SELECT results_eq($$ SELECT partition_key, on_end, traceparent FROM _pulse.jobs $$,
                  $$ VALUES ('account:7' COLLATE "C", 'app.other', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01') $$,
                  'E4, M9: partition key, on_end, and the traceparent of the session are stored with it');
SET LOCAL pulse.traceparent = 'nonsense';
SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', unique_key => 'k', on_end => 'app."Odd Name"');
SELECT results_eq($$ SELECT on_end, traceparent FROM _pulse.jobs WHERE unique_key = 'k' $$, $$ VALUES ('app."Odd Name"', NULL::text) $$, 'M9: what is no traceparent is not');
RESET pulse.traceparent;
DELETE FROM _pulse.jobs;

-- names of functions
SET LOCAL search_path TO app, public;
SELECT pulse.enqueue('q', 'sql', '{"function":"work"}');
SELECT pulse.enqueue('q', 'sql', '{"function":"\"Odd Name\""}');
SELECT results_eq('SELECT function FROM _pulse.jobs ORDER BY id', $$ VALUES ('app.work'), ('app."Odd Name"') $$,
                  'the name is resolved as the caller does and stored qualified');
RESET search_path;

-- the role
SET LOCAL ROLE worker_ann;
SELECT isnt(pulse.enqueue('q', 'sql', '{"function":"app.work"}', unique_key => 'mine'), NULL, 'a publisher can enqueue');
SELECT throws_ok($$ SELECT * FROM _pulse.jobs $$, '42501', NULL, 'and cannot read the jobs');
RESET ROLE;
SET LOCAL ROLE worker_bob;
SELECT isnt(pulse.enqueue('q', 'sql', '{"function":"app.work"}', unique_key => 'mine'), NULL, 'another one has keys of its own');
RESET ROLE;
SELECT results_eq($$ SELECT role FROM _pulse.jobs WHERE unique_key = 'mine' ORDER BY id $$, $$ VALUES ('worker_ann'), ('worker_bob') $$,
                  'E4: a job belongs to who enqueued it, and nobody takes the place of another role''s job');
CREATE FUNCTION app.enqueue_as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN pulse.enqueue('definer', 'sql', '{"function":"app.work"}');
ALTER FUNCTION app.enqueue_as_owner() OWNER TO worker_bob;
SET LOCAL ROLE worker_ann;
SELECT app.enqueue_as_owner();
RESET ROLE;
SELECT is((SELECT role FROM _pulse.jobs WHERE queue = 'definer'), 'worker_bob', 'inside SECURITY DEFINER that is the owner');
REVOKE EXECUTE ON FUNCTION app.work(json) FROM PUBLIC;
SET LOCAL ROLE worker_ann;
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}') $$, '42501', 'permission denied for function app.work',
                 'a function that the role may not execute is refused');
RESET ROLE;
GRANT EXECUTE ON FUNCTION app.work(json) TO PUBLIC;
SELECT is(has_function_privilege('pulse_client', 'pulse.enqueue(text, text, json, integer, timestamptz, integer, text, interval, text, text, text)', 'EXECUTE'), false,
          'clients cannot enqueue by themselves');
DELETE FROM _pulse.jobs;

-- refusals
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'pigeon', '{}') $$, '22023', 'unknown kind of job "pigeon"', 'unknown kind');
SELECT throws_ok($$ SELECT pulse.enqueue('*', 'sql', '{"function":"app.work"}') $$, '22023', 'no queue can have the name *', 'the name that stands for all queues');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', unique_mode => 'overwrite') $$, '22023', 'unknown unique_mode "overwrite"', 'unknown unique_mode');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', partition_key => '') $$, '22023', 'partition_key has 0 bytes', 'an empty partition key');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', on_end => 'app.nothing') $$, '42883', 'function app.nothing(json) does not exist', 'on_end must exist');
CREATE FUNCTION app.read_only() RETURNS bigint LANGUAGE plpgsql SET transaction_read_only = on AS $$ BEGIN RETURN pulse.enqueue('q', 'sql', '{"function":"app.work"}'); END $$;
SELECT throws_ok('SELECT app.read_only()', '25006', 'cannot enqueue in a read-only transaction', 'a read-only transaction stores nothing');
SELECT throws_ok(format($$ SELECT pulse.enqueue('q', 'sql', %L) $$, args), code, message, format('args %s are refused', args))
  FROM (VALUES ('[]', '22023', 'args is no JSON object'), ('{}', '22023', 'args names no function'), ('{"function":7}', '22023', 'args names no function'),
               ('{"function":" "}', '22023', 'args names no function'), ('{"function":"app.nothing"}', '42883', 'function app.nothing(json) does not exist'),
               ('{"function":"app.other_arguments"}', '42883', 'function app.other_arguments(json) does not exist'),
               ('{"function":"app.returns_text"}', '42P13', 'function app.returns_text(json) does not return json'),
               ('{"function":"app.returns_set"}', '42P13', 'function app.returns_set(json) does not return json'),
               ('{"function":"app.procedure"}', '42883', 'function app.procedure(json) does not exist'),
               ('{"function":"pg_temp.temporary"}', '22023', 'a temporary function cannot be a job''s'),
               ('{"function":"app.work); DROP TABLE x"}', '42602', NULL)) AS t (args, code, message);
SELECT throws_ok($$ SELECT pulse.enqueue('', 'sql', '{"function":"app.work"}') $$, '22023', 'queue has 0 bytes', 'a queue has a name');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', unique_key => repeat('k', 256)) $$, '22023', 'unique_key has 256 bytes',
                 'a unique key has a limit');
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', max_attempts => 0) $$, '22023', 'max_attempts is 0', 'at least one attempt');
SELECT throws_ok(format($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', timeout => %L) $$, timeout), '22023', NULL,
                 format('timeout %s is refused', timeout))
  FROM unnest(ARRAY['0', '-1 s', '999 us', '8 days', '1 month', '1000000 h', '106751992 days']) AS timeout;
SELECT throws_ok($$ SELECT pulse.enqueue('q', 'sql', '{"function":"app.work"}', partition_key => 'schedule:x') $$, '22023', 'partition_key begins with "schedule:"',
                 'E4: nobody holds up what a schedule enqueues');
SELECT throws_ok($$ SELECT pulse.enqueue('q', NULL, '{"function":"app.work"}') $$, '22004', 'kind is null', 'nulls are refused by name');

SELECT * FROM finish();
ROLLBACK;
