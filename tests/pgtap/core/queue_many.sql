-- pulse.enqueue_many: what it stores and what it refuses.
BEGIN;
SELECT plan(20);

CREATE SCHEMA app;
CREATE FUNCTION app.work(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION app.other(args json) RETURNS json LANGUAGE sql RETURN args;
CREATE FUNCTION pg_temp.args(n int) RETURNS json LANGUAGE sql RETURN json_build_object('function', 'app.work', 'n', n);

SELECT is((SELECT pulse.enqueue_many('q', 'sql', array_agg(pg_temp.args(n) ORDER BY n)) FROM generate_series(1, 1000) n), 1000::bigint, 'E4: it tells how many were stored');
SELECT results_eq($$ SELECT (args ->> 'n')::int, function, state, priority, run_at, max_attempts, timeout, role FROM _pulse.jobs ORDER BY id $$,
                  $$ SELECT n, 'app.work', 'available', 0, now(), 3, interval '30 s', current_user::text COLLATE "default" FROM generate_series(1, 1000) n $$,
                  'E4: one job an element, in their order, with the defaults of pulse.enqueue');
DELETE FROM _pulse.jobs;
SELECT is((SELECT pulse.enqueue_many('q', 'sql', array_agg(pg_temp.args(n))) FROM generate_series(1, 0) n), 0::bigint, 'over no rows it stores nothing');
SELECT is(pulse.enqueue_many('q', 'sql', '{}'), 0::bigint, 'nor for an empty array');
SELECT is((SELECT count(*) FROM _pulse.jobs), 0::bigint, 'really');

SELECT is(pulse.enqueue_many(queue => 'q', kind => 'sql', args => ARRAY[pg_temp.args(1), '{"function":"app.other"}'], priority => 2, run_at => now() + interval '1 h', max_attempts => 9,
                             timeout => '1 min', partition_keys => ARRAY['a', NULL], on_end => 'app.other'), 2::bigint, 'all arguments have their documented names');
SELECT results_eq($$ SELECT function, state, priority, run_at, max_attempts, timeout, partition_key, on_end FROM _pulse.jobs ORDER BY id $$,
                  $$ VALUES ('app.work', 'scheduled', 2, now() + interval '1 h', 9, interval '1 min', 'a' COLLATE "C", 'app.other'),
                            ('app.other', 'scheduled', 2, now() + interval '1 h', 9, interval '1 min', NULL, 'app.other') $$, 'E4: each job has its function and partition key');
DELETE FROM _pulse.jobs;

-- unique keys
SELECT pulse.enqueue('q', 'sql', pg_temp.args(0), unique_key => 'b');
SELECT is(pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1), pg_temp.args(2), pg_temp.args(3)], unique_keys => '{a,b,a}'), 1::bigint,
          'E4: neither a waiting job''s key nor one that came before in the array is stored again');
SELECT results_eq($$ SELECT unique_key, args ->> 'n' FROM _pulse.jobs ORDER BY id $$, $$ VALUES ('b' COLLATE "C", '0'), ('a', '1') $$, 'E4: the earlier one stays');
SELECT is(pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(4), pg_temp.args(5), pg_temp.args(6)], unique_keys => '{a,b,a}', unique_mode => 'replace'), 2::bigint,
          'E4: replace counts what it replaces');
SELECT results_eq($$ SELECT unique_key, args ->> 'n' FROM _pulse.jobs ORDER BY id $$, $$ VALUES ('b' COLLATE "C", '5'), ('a', '6') $$, 'E4: the last one takes the place');

-- events
SELECT pulse.configure_queue('loud', events => true);
SELECT pulse.enqueue_many('loud', 'sql', ARRAY[pg_temp.args(1), pg_temp.args(2)]), pulse.enqueue('loud', 'sql', pg_temp.args(3), run_at => now() + interval '1 h');
SELECT results_eq($$ SELECT e.rooms::text[], e.name, e.payload ->> 'jobId', e.payload ->> 'queue', e.payload ->> 'kind', e.payload ->> 'state', e.payload ->> 'attempt' FROM pulse.events e ORDER BY e.id $$,
                  $$ SELECT ARRAY['queue:loud'], 'job:enqueued', j.id::text, 'loud', 'sql', j.state, '0' FROM _pulse.jobs j WHERE j.queue = 'loud' ORDER BY j.id $$,
                  'E4: a queue that wants it publishes each in its room');

-- refusals
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1), NULL]) $$, '22004', 'args of job 2 is null', 'no element is null');
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1), '{"function":"app.nothing"}']) $$, '42883', 'function app.nothing(json) does not exist', 'each function must exist');
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1)], unique_keys => '{a,b}') $$, '2202E', 'unique_keys has 2 elements for 1 jobs', 'a key for each');
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1)], unique_keys => ARRAY[NULL]) $$, '22004', 'unique key of job 1 is null', 'a unique key for each or none');
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[pg_temp.args(1)], partition_keys => '{""}') $$, '22023', 'an element of partition_keys has 0 bytes', 'an empty partition key');
SELECT throws_ok($$ SELECT pulse.enqueue_many('q', 'sql', ARRAY[[pg_temp.args(1)]]) $$, '2202E', NULL, 'one dimension');
SELECT throws_ok($$ SELECT pulse.enqueue_many(NULL, 'sql', '{}') $$, '22004', 'queue is null', 'nulls are refused by name');
SELECT is((SELECT count(*) FROM _pulse.jobs WHERE queue = 'q'), 2::bigint, 'a refused call has stored nothing');

SELECT * FROM finish();
ROLLBACK;
