// E4, first form: jobs run as who enqueued them, fail alone, count every attempt, and survive whatever ends their worker.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.dispatch_safety_interval': '1h' } })
  await cluster.sql(`
    CREATE ROLE ann LOGIN; CREATE ROLE bob LOGIN; GRANT pulse_publisher TO ann, bob;
    CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC;
    CREATE TABLE app.done (job bigint, who text, session text, args json, at timestamptz DEFAULT clock_timestamp());
    GRANT ALL ON app.done TO PUBLIC;
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE sql AS $$
      INSERT INTO app.done VALUES (pulse.job_id(), current_user, session_user, args) RETURNING args $$;
    CREATE FUNCTION app.fail(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note(args); RAISE EXCEPTION 'boom' USING ERRCODE = 'PX001'; END $$;
    CREATE FUNCTION app.sleep(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note(args); PERFORM pg_sleep(600); RETURN null; END $$;
    CREATE TABLE app.gate (name text PRIMARY KEY); GRANT SELECT ON app.gate TO PUBLIC;
    CREATE FUNCTION app.wait(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN WHILE NOT EXISTS (SELECT FROM app.gate WHERE name = args ->> 'gate') LOOP PERFORM pg_sleep(0.01); END LOOP;
        IF args ->> 'fail' IS NOT NULL THEN PERFORM app.fail(args); END IF; RETURN null; END $$;
    CREATE FUNCTION app.do(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN EXECUTE args ->> 'sql'; RETURN null; END $$`)
})
after(() => cluster?.drop())
afterEach(() => cluster.sql('DELETE FROM _pulse.jobs; DELETE FROM _pulse.dead_letters; TRUNCATE app.done, app.gate'))

const enqueue = (fn, args = {}, options = '') =>
  cluster.value(`SELECT pulse.enqueue('q', 'sql', $1::json ${options})`, [JSON.stringify({ function: fn, args })])
async function as(user, text, parameters) {
  const client = await cluster.connect({ user })
  try { return (await client.query(text, parameters)).rows } finally { await client.end() }
}
const enqueueAs = async (user, fn, args = {}, options = '') =>
  (await as(user, `SELECT pulse.enqueue('q', 'sql', $1::json ${options}) AS id`, [JSON.stringify({ function: fn, args })]))[0].id
// Of a job that waits, runs or is dead.
const job = async id => (await cluster.sql(`SELECT state, attempt, last_error, run_at, attempted_at, errors FROM _pulse.jobs WHERE id = $1
  UNION ALL SELECT 'discarded', attempt, last_error, run_at, attempted_at, errors FROM _pulse.dead_letters WHERE id = $1`, [id]))[0]
const open = name => cluster.sql('INSERT INTO app.gate VALUES ($1)', [name])
const gone = id => until(async () => !(await job(id)), { what: `the end of job ${id}` })
const inState = (id, state) => until(async () => { const row = await job(id); return row?.state === state && row }, { what: `job ${id} ${state}` })
const done = () => cluster.sql('SELECT job, who, session, args FROM app.done ORDER BY at')
const workers = async () => (await cluster.sql(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse worker' AND datname = 'pulse'`)).map(row => row.pid)
const workerOf = id => until(() => cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse worker' AND state = 'active' AND query LIKE $1`, [`pulse: job ${id}:%`]), { what: `the worker of job ${id}` })

test('E4: a job runs after the commit, as who enqueued it, and is gone; rolled back it never runs', async () => {
  const client = await cluster.connect({ user: 'ann' })
  await client.query('BEGIN')
  await client.query(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","args":{"rolled":"back"}}')`)
  await client.query('ROLLBACK; BEGIN')
  const id = (await client.query(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","args":{"n":1}}') AS id`)).rows[0].id
  assert.deepEqual(await done(), [])
  await client.query('COMMIT')
  await client.end()
  await gone(id)
  assert.deepEqual(await done(), [{ job: id, who: 'ann', session: 'postgres', args: { n: 1 } }])
  const whole = await cluster.value(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","n":2}')`)
  await gone(whole)
  assert.deepEqual((await done())[1].args, { function: 'app.note', n: 2 })
  assert.equal(await cluster.value('SELECT pulse.job_id()'), null)
})

test('E4: a function that discards its job: nothing of what it did stays, no attempt follows, its neighbours and what comes after go on', async () => {
  await cluster.sql(`CREATE FUNCTION app.give_up(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note(args); RETURN pulse.discard_job('no such customer'); END $$;
    CREATE FUNCTION app.build_nothing(args json) RETURNS json LANGUAGE sql AS $$ SELECT pulse.discard_job('no such host') $$;
    SELECT pulse.job_kind('hopeless', 'webhook', function => 'app.build_nothing')`)
  const ids = (await cluster.sql(`SELECT pulse.enqueue('q', 'sql', f::json, max_attempts => 5, on_end => o) AS id FROM (VALUES
    ('{"function":"app.note"}', NULL), ('{"function":"app.give_up"}', 'app.note'), ('{"function":"app.note"}', NULL)) AS v (f, o)`)).map(row => row.id)
  const built = await cluster.value(`SELECT pulse.enqueue('q', 'hopeless', '{}', max_attempts => 5)`)
  const dead = async id => until(async () => (await cluster.sql('SELECT reason, attempt, last_error, json_array_length(errors) AS errors FROM _pulse.dead_letters WHERE id = $1', [id]))[0], { what: `job ${id} dead` })
  assert.deepEqual(await dead(ids[1]), { reason: 'permanent', attempt: 1, last_error: 'no such customer', errors: 1 })
  assert.deepEqual(await dead(built), { reason: 'permanent', attempt: 1, last_error: 'no such host', errors: 1 })
  for (const id of [ids[0], ids[2]]) await gone(id)
  const told = await until(async () => (await done()).find(row => row.args.state), { what: 'on_end' })
  assert.deepEqual([told.args.id, told.args.state, told.args.error], [ids[1], 'discarded', 'no such customer'])
  assert.deepEqual((await done()).map(row => row.job).filter(id => ids.includes(id)).sort(), [ids[0], ids[2]].sort())
})

test('E4: what a job does and its end are one transaction; a failed attempt leaves nothing, is tried again later, and dies', async () => {
  const id = await enqueue('app.wait', { gate: 'fails', fail: true }, ', max_attempts => 2')
  await inState(id, 'executing')
  await cluster.sql(`SELECT pulse.pause_queue('q')`)   // so that it can be looked at
  await open('fails')
  const waiting = await inState(id, 'retryable')
  assert.deepEqual([waiting.attempt, waiting.last_error], [1, 'PX001: boom'])
  // A second and up to a tenth more, from when its end was written, which is a moment after it failed.
  assert.deepEqual(await cluster.sql(`SELECT run_at >= (errors -> 0 ->> 'finishedAt')::timestamptz + interval '1 s' AS late_enough,
    run_at < clock_timestamp() + interval '1.1 s' AS soon_enough FROM _pulse.jobs WHERE id = $1`, [id]), [{ late_enough: true, soon_enough: true }])
  assert.deepEqual(await done(), [])
  await cluster.sql(`SELECT pulse.resume_queue('q')`)
  const dead = await inState(id, 'discarded')
  assert.deepEqual([dead.attempt, dead.last_error], [2, 'PX001: boom'])
  assert.deepEqual((await cluster.value('SELECT pulse.status()')).queue, { available: 0, executing: 0, retryable: 0, dead: 1 })
})

test('E4: a failing job takes no other with it; smaller priority first, then run_at, then id; later jobs wait', async () => {
  await cluster.sql(`SELECT pulse.configure_queue('q', concurrency => 1)`)
  const gate = await enqueue('app.wait', { gate: 'all' })
  await inState(gate, 'executing')
  for (const [n, priority] of [[1, 5], [2, 0], [3, 5], [4, -1], [5, 0]]) await enqueue('app.note', { n }, `, priority => ${priority}`)
  await enqueue('app.fail', {}, ', priority => -5, max_attempts => 1')
  const later = await enqueue('app.note', { n: 6 }, `, priority => -9, run_at => clock_timestamp() + interval '1 h'`)
  const soon = await enqueue('app.note', { n: 7 }, `, priority => 9, run_at => clock_timestamp() + interval '1.5 s'`)
  const due = (await job(soon)).run_at
  await open('all')
  await gone(soon)
  assert.deepEqual((await done()).map(row => row.args.n), [4, 2, 5, 1, 3, 7])
  assert.ok(await cluster.value('SELECT max(at) >= $1 FROM app.done', [due]), 'not before its time')
  assert.equal((await job(later)).state, 'scheduled')
  await cluster.sql(`SELECT pulse.drop_queue('q')`)
})

test('E4: a job that runs longer than its timeout is ended, also one that catches it', async () => {
  const slow = await enqueue('app.sleep', {}, `, timeout => '200 ms', max_attempts => 1`)
  const stubborn = await enqueue('app.do', { sql: `DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$` },
    `, timeout => '300 ms', max_attempts => 1`)
  assert.equal((await inState(slow, 'discarded')).last_error, '57014: ran longer than its timeout of 200 ms')
  // it swallows every cancel, and meets the next one outside of what caught it
  assert.equal((await inState(stubborn, 'discarded')).last_error, '57014: ran longer than its timeout of 300 ms')
  await gone(await enqueue('app.note'))
})

test('E4: neither RESET ROLE nor SET ROLE nor SET SESSION AUTHORIZATION leads out of the role', async () => {
  for (const sql of ['RESET ROLE', 'SET ROLE postgres', 'SET LOCAL ROLE bob', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'PREPARE s AS SELECT 1', 'CREATE TABLE public.mine ()', 'SELECT * FROM _pulse.jobs']) {
    const id = await enqueueAs('ann', 'app.do', { sql }, ', max_attempts => 1')
    const { last_error: error } = await inState(id, 'discarded')
    assert.match(error, /^(42501|0A000): /, `${sql}: ${error}`)
  }
})

test('E4: a deferred constraint trigger fires as the role of the job, and its failure fails the job', async () => {
  await cluster.sql(`CREATE TABLE app.deferred (n int);
    GRANT ALL ON app.deferred TO PUBLIC;
    CREATE FUNCTION app.at_end() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.n < 0 THEN RAISE EXCEPTION 'negative'; END IF; INSERT INTO app.done (who) VALUES (current_user); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_end AFTER INSERT ON app.deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.at_end()`)
  await gone(await enqueueAs('ann', 'app.do', { sql: 'INSERT INTO app.deferred VALUES (1)' }))
  assert.deepEqual((await done()).map(row => row.who), ['ann'])
  const id = await enqueueAs('ann', 'app.do', { sql: 'INSERT INTO app.deferred VALUES (-1)' }, ', max_attempts => 1')
  assert.equal((await inState(id, 'discarded')).last_error, 'P0001: negative')
})

test('E4: a job finds nothing of the job before it in its session', async () => {
  await cluster.sql(`CREATE FUNCTION app.set(args json) RETURNS json LANGUAGE sql AS $$ SELECT to_json(set_config('work_mem', '77kB', false)) $$`)
  await gone(await enqueueAs('ann', 'app.do', { sql: `CREATE TEMP TABLE left_behind (); SELECT pg_advisory_lock(4711)` }))
  await gone(await enqueueAs('ann', 'app.set'))
  await gone(await enqueueAs('bob', 'app.do', { sql: `INSERT INTO app.done (args) SELECT json_build_object('table', to_regclass('pg_temp.left_behind') IS NOT NULL, 'lock', EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'), 'work_mem', current_setting('work_mem') = '77kB')` }))
  assert.deepEqual((await done()).map(row => row.args), [{ table: false, lock: false, work_mem: false }])
  assert.equal(await cluster.value(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`), '0')
})

test('E4: cursors and large objects that a job leaves open are closed for the next one, of another role in the same transaction too', async () => {
  await cluster.sql(`CREATE TABLE app.secret (s text); INSERT INTO app.secret VALUES ('of ann'); ALTER TABLE app.secret OWNER TO ann;
    CREATE FUNCTION app.leave_open(args json) RETURNS json LANGUAGE plpgsql AS $$
      DECLARE left_open refcursor := 'left_open'; BEGIN OPEN left_open FOR SELECT s FROM app.secret; RETURN to_json(lo_open(lo_from_bytea(0, 'of ann'), 393216)); END $$;
    CREATE FUNCTION app.read_left(args json) RETURNS json LANGUAGE plpgsql AS $$
      DECLARE left_open refcursor := 'left_open'; v_found text := 'nothing';
      BEGIN
        BEGIN FETCH left_open INTO v_found; EXCEPTION WHEN invalid_cursor_name THEN NULL; END;
        BEGIN v_found := convert_from(loread(0, 100), 'UTF8'); EXCEPTION WHEN undefined_object THEN NULL; END;
        RETURN to_json(v_found);
      END $$`)
  const pair = async () => [await enqueueAs('ann', 'app.leave_open'), await enqueueAs('bob', 'app.read_left')]
  for (const id of await pair()) await gone(id)    // now they are known to be fast
  await cluster.sql(`SELECT pulse.pause_queue('q')`)
  const pairs = []
  for (let n = 0; n < 20; ++n) pairs.push(await pair())
  await cluster.sql(`SELECT pulse.resume_queue('q')`)
  for (const id of pairs.flat()) await gone(id)
  const ended = await cluster.sql(`SELECT attempt, result #>> '{}' AS result FROM _pulse.job_history WHERE id = ANY ($1) ORDER BY id`, [pairs.flat()])
  assert.deepEqual(ended, pairs.flatMap(() => [{ attempt: 1, result: '0' }, { attempt: 1, result: 'nothing' }]))
})

test('E4: a cursor that a job leaves open on its own temporary table is no failure', async () => {
  await cluster.sql(`CREATE FUNCTION app.leave_cursor(args json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE c refcursor; BEGIN CREATE TEMP TABLE mine AS SELECT 1; OPEN c FOR SELECT * FROM mine; RETURN '1'; END $$`)
  const ids = (await cluster.sql(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.leave_cursor"}', max_attempts => 1) AS id FROM generate_series(1, 5)`)).map(row => row.id)
  for (const id of ids) await until(async () => await cluster.value('SELECT state FROM _pulse.job_history WHERE id = $1', [id]) === 'completed', { what: `job ${id} completed` })
})

test('E4: a role that is gone, a function that is gone or forbidden: the job dies with a clear error, the worker goes on', async () => {
  await cluster.sql(`CREATE ROLE leaving LOGIN; GRANT pulse_publisher TO leaving;
    CREATE FUNCTION app.leaving(args json) RETURNS json LANGUAGE sql RETURN args; CREATE FUNCTION app.forbidden(args json) RETURNS json LANGUAGE sql RETURN args`)
  await cluster.sql(`SELECT pulse.pause_queue('q')`)
  const options = ', max_attempts => 1'
  const ids = [await enqueueAs('leaving', 'app.note', {}, options), await enqueueAs('ann', 'app.leaving', {}, options), await enqueueAs('ann', 'app.forbidden', {}, options)]
  await cluster.sql('REVOKE pulse_publisher FROM leaving; DROP ROLE leaving; DROP FUNCTION app.leaving(json); REVOKE EXECUTE ON FUNCTION app.forbidden(json) FROM PUBLIC')
  await cluster.sql(`SELECT pulse.resume_queue('q')`)
  const errors = []
  for (const id of ids) errors.push((await inState(id, 'discarded')).last_error)
  assert.deepEqual(errors, ['role "leaving" does not exist', '42883: function app.leaving(json) does not exist', '42501: permission denied for function forbidden'])
})

test('E4: a function that is replaced, forbidden, allowed again, dropped or made again is that for the next job', async () => {
  const version = (n, language = 'plpgsql') => language === 'plpgsql'
    ? `CREATE OR REPLACE FUNCTION app.version(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM app.note(json_build_object('version', ${n})); RETURN to_json(${n}); END $$`
    : `CREATE OR REPLACE FUNCTION app.version(args json) RETURNS json LANGUAGE sql AS $$ SELECT to_json((app.note(json_build_object('version', ${n})) ->> 'version')::int) $$`
  await cluster.sql(version(1))
  const ids = []
  const steps = ['', version(2), 'REVOKE EXECUTE ON FUNCTION app.version(json) FROM PUBLIC', 'GRANT EXECUTE ON FUNCTION app.version(json) TO ann', 'REVOKE USAGE ON SCHEMA app FROM PUBLIC',
    'GRANT USAGE ON SCHEMA app TO PUBLIC', version(3, 'sql'), 'DROP FUNCTION app.version(json)', version(4), version(5)]
  const later = `clock_timestamp() + interval '1 s'`
  for (const step of steps) {
    if (step) await enqueue('app.do', { sql: step }, `, partition_key => 'steps', run_at => ${later}`)
    for (let n = 0; n < 3; ++n) ids.push(await enqueueAs('ann', 'app.version', {}, `, partition_key => 'steps', run_at => ${later}, max_attempts => 1`))
  }
  await until(async () => await cluster.value('SELECT count(*)::int FROM _pulse.jobs') === 0, { what: 'all jobs' })
  const outcome = async id => await cluster.value('SELECT result #>> $${}$$ FROM _pulse.job_history WHERE id = $1', [id])
    ?? await cluster.value('SELECT last_error FROM _pulse.dead_letters WHERE id = $1', [id])
  const found = []
  for (const id of ids) found.push(await outcome(id))
  const each = ['1', '2', '42501: permission denied for function version', '2', '42501: permission denied for schema app', '2', '3', '42883: function app.version(json) does not exist', '4', '5']
  assert.deepEqual(found, each.flatMap(one => [one, one, one]))
})

test('E4: a worker killed with -9 in a job: its attempt counts, other jobs run, a job that always kills dies', async () => {
  const victim = await enqueue('app.sleep', {}, ', max_attempts => 2')
  const other = await enqueue('app.note', { other: true }, ', priority => 1')
  for (let attempt = 1; attempt <= 2; ++attempt) {
    const row = await inState(victim, 'executing')
    assert.equal(row.attempt, attempt)
    process.kill(await workerOf(victim), 'SIGKILL')
    await until(async () => (await job(victim)).state !== 'executing', { what: 'the rescue' })
    if (attempt === 1) {
      await gone(other)
      await cluster.sql('SELECT pulse.retry($1)', [victim])
    }
  }
  const dead = await inState(victim, 'discarded')
  assert.deepEqual([dead.attempt, dead.last_error], [2, 'the worker ended during this attempt'])
  assert.deepEqual((await done()).map(row => row.args), [{ other: true }])
})

test('E4: a unique key covers waiting jobs of the same role; a retry that meets a newer one is superseded', async () => {
  const options = `, unique_key => 'key', run_at => clock_timestamp() + interval '1 h'`
  const first = await enqueueAs('ann', 'app.note', { n: 1 }, options)
  assert.equal(await enqueueAs('ann', 'app.note', { n: 2 }, options), first)
  assert.notEqual(await enqueueAs('bob', 'app.note', { n: 3 }, options), first)
  await cluster.sql('DELETE FROM _pulse.jobs')
  const running = await enqueue('app.wait', { gate: 'superseded', fail: true }, `, unique_key => 'key'`)
  await inState(running, 'executing')
  const newer = await enqueue('app.note', { newer: true }, options)
  assert.notEqual(newer, running)
  await open('superseded')
  assert.match((await inState(running, 'discarded')).last_error, /^superseded by a newer job with the same unique_key; its own error: PX001: boom/)
  assert.equal((await job(newer)).state, 'scheduled')
})

test('E4: a SECURITY DEFINER trigger of a pack enqueues for a user who may not', async () => {
  await cluster.sql(`CREATE ROLE visitor LOGIN; CREATE ROLE pack_owner; GRANT pulse_publisher TO pack_owner; GRANT ALL ON SCHEMA app TO pack_owner;
    CREATE TABLE app.requests (id int); GRANT INSERT ON app.requests TO visitor;
    CREATE FUNCTION app.on_request() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
      BEGIN PERFORM pulse.enqueue('q', 'sql', json_build_object('function', 'app.note', 'args', to_json(NEW))); RETURN NULL; END $$;
    ALTER FUNCTION app.on_request() OWNER TO pack_owner;
    CREATE TRIGGER on_request AFTER INSERT ON app.requests FOR EACH ROW EXECUTE FUNCTION app.on_request()`)
  await assert.rejects(enqueueAs('visitor', 'app.note'), { code: '42501' })
  await as('visitor', 'INSERT INTO app.requests VALUES (7)')
  await until(async () => (await done()).length === 1, { what: 'the job' })
  assert.deepEqual((await done()).map(({ who, args }) => [who, args]), [['pack_owner', { id: 7 }]])
})

test('E4: DROP EXTENSION ends an idle worker and waits for a running job', async () => {
  const id = await enqueue('app.wait', { gate: 'dropped' })
  await workerOf(id)
  const seen = cluster.log.length
  const dropped = cluster.sql('DROP EXTENSION pulse CASCADE')
  await until(() => cluster.value(`SELECT true FROM pg_stat_activity WHERE query LIKE 'DROP EXTENSION%' AND wait_event_type = 'Lock'`), { what: 'its waiting' })
  assert.equal((await workers()).length, 2)
  await open('dropped')
  await dropped
  await until(async () => (await workers()).length === 0, { what: 'the end of the worker' })
  assert.doesNotMatch(cluster.log.slice(seen), /background worker "pulse (dispatcher|worker)[^"]*" \(PID \d+\) (was terminated|exited with exit code [1-9])/)
  await cluster.sql('CREATE EXTENSION pulse')
  await gone(await enqueue('app.note', { again: true }))
})
