// E4: the foreman and its workers. Whatever ends one of them, every job ends once; limits, keys and order hold over all workers; a slow
// job holds nobody; what is idle costs nothing, and what is dead is not walked over again.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.dispatch_safety_interval': '1h', 'pulse.job_workers': 3, max_worker_processes: 20 } })
  await cluster.sql(`
    CREATE SCHEMA app;
    -- begun: what a job did first, whether it was committed or not, in the order of real time
    CREATE SEQUENCE app.clock;
    CREATE TABLE app.done (job bigint, n int, key text, began bigint, ended bigint, began_at timestamptz, ended_at timestamptz, pid int DEFAULT pg_backend_pid());
    CREATE TABLE app.gate (name text PRIMARY KEY);
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE plpgsql AS $$
      DECLARE v_began bigint := nextval('app.clock'); v_at timestamptz := clock_timestamp();
      BEGIN
        IF args ->> 'sleep' IS NOT NULL THEN PERFORM pg_sleep((args ->> 'sleep')::float); END IF;
        WHILE args ->> 'gate' IS NOT NULL AND NOT EXISTS (SELECT FROM app.gate WHERE name = args ->> 'gate') LOOP PERFORM pg_sleep(0.005); END LOOP;
        INSERT INTO app.done VALUES (pulse.job_id(), (args ->> 'n')::int, args ->> 'key', v_began, nextval('app.clock'), v_at, clock_timestamp());
        IF args ->> 'fail' IS NOT NULL THEN RAISE EXCEPTION 'told to fail'; END IF;
        RETURN args;
      END $$`)
})
after(() => cluster?.drop())
afterEach(async () => {
  await cluster.sql('TRUNCATE app.done, app.gate')
  await cluster.sql('DELETE FROM _pulse.jobs; DELETE FROM _pulse.dead_letters; DELETE FROM _pulse.queues')
})

const args = values => JSON.stringify({ function: 'app.note', args: values })
const enqueue = (values = {}, options = '') => cluster.value(`SELECT pulse.enqueue('q', 'sql', $1::json ${options})`, [args(values)])
const many = (count, values = '{}', options = '') => cluster.sql(`SELECT pulse.enqueue('q', 'sql', json_build_object('function', 'app.note', 'args',
  (('${values}')::jsonb || jsonb_build_object('n', n))::json) ${options}) FROM generate_series(1, ${count}) AS n`)
const open = name => cluster.sql('INSERT INTO app.gate VALUES ($1)', [name])
const job = async id => (await cluster.sql('SELECT * FROM _pulse.jobs WHERE id = $1', [id]))[0]
const done = () => cluster.sql('SELECT * FROM app.done ORDER BY began')
const doneCount = () => cluster.value('SELECT count(*)::int FROM app.done')
const finished = count => until(async () => await doneCount() === count && await cluster.value('SELECT count(*) FROM _pulse.jobs') === '0', { what: `${count} jobs done` })
const pids = type => cluster.sql('SELECT pid FROM pg_stat_activity WHERE backend_type = $1', [`pulse ${type}`]).then(rows => rows.map(row => row.pid))
const workerOf = id => until(() => cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse worker' AND state = 'active' AND query LIKE $1`, [`pulse: job ${id}:%`]), { what: `the worker of job ${id}` })
const executing = id => until(async () => (await job(id))?.state === 'executing', { what: `job ${id} executing` })

test('E4: a slow job holds nobody, not even what was given to the same worker', async () => {
  await many(300)
  await finished(300)    // so workers know these to be fast, and are given many at once
  const slow = await enqueue({ gate: 'slow' })
  await executing(slow)
  await many(500)
  await until(async () => await doneCount() === 800, { what: 'the others' })
  assert.equal((await job(slow)).state, 'executing')
  await open('slow')
  await finished(801)
})

test('E4: a job that is slow for once in a transaction with others neither fails nor keeps them from being committed', async () => {
  await many(300)
  await finished(300)
  await cluster.sql('BEGIN; SELECT pulse.pause_queue($$q$$); COMMIT')
  await many(20)
  const slow = await enqueue({ gate: 'once' })
  await many(20)
  await cluster.sql(`SELECT pulse.resume_queue('q')`)
  await until(async () => await doneCount() === 340, { what: 'the others' })
  assert.deepEqual([(await job(slow)).state, (await job(slow)).attempt], ['executing', 1])
  await open('once')
  await finished(341)
  assert.equal(await cluster.value('SELECT attempt FROM _pulse.job_history WHERE id = $1', [slow]), 1)
})

test('E4: the history has all of every job, however many end in one transaction and however large they are', async () => {
  await cluster.sql(`SELECT pulse.pause_queue('q')`)
  await cluster.sql(`SELECT pulse.enqueue('q', 'sql', json_build_object('function', 'app.note', 'args', json_build_object('n', n, 'text',
    (SELECT string_agg(md5(n::text || part::text), '') FROM generate_series(1, CASE WHEN n % 7 = 0 THEN 3000 WHEN n % 5 = 0 THEN 60 ELSE 1 END) AS part)))) FROM generate_series(1, 400) AS n`)
  const waiting = await cluster.sql('SELECT id, md5(args::text) AS args FROM _pulse.jobs ORDER BY id')
  await cluster.sql(`SELECT pulse.resume_queue('q')`)
  await finished(400)
  const ids = `id BETWEEN ${waiting[0].id} AND ${waiting.at(-1).id}`
  assert.deepEqual(await cluster.sql(`SELECT id, md5(args::text) AS args FROM _pulse.job_history WHERE ${ids} ORDER BY id`), waiting)
  // What is short of a result is kept with it, and each is found by its id.
  assert.deepEqual(await cluster.sql(`SELECT count(*)::int AS jobs, count(*) FILTER (WHERE j.result::text = (h.args -> 'args')::text)::int AS results
    FROM _pulse.job_history h, pulse.job(h.id) j WHERE h.${ids}`), [{ jobs: 400, results: 343 }])
})

test('E4: a transaction with more savepoints that wrote than the server keeps in its snapshots has no other job', async () => {
  await cluster.sql(`CREATE UNLOGGED TABLE app.pieces (n int);
    CREATE FUNCTION app.in_pieces(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
      FOR n IN 1..65 LOOP BEGIN INSERT INTO app.pieces VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP;
      RETURN null; END $$`)
  const ids = await cluster.sql(`SELECT pulse.enqueue('q', 'sql', '{"function": "app.in_pieces"}') AS id FROM generate_series(1, 100)`)
  await until(async () => await cluster.value('SELECT count(*) FROM _pulse.jobs') === '0', { what: 'all jobs' })
  assert.equal(await cluster.value('SELECT count(DISTINCT xmin::text)::int FROM _pulse.job_history WHERE id = ANY ($1)', [ids.map(row => row.id)]), 100)
})

test('E4: a worker killed with -9: the job whose code ran has lost an attempt, others are not lost', async () => {
  await many(300)
  await finished(300)
  const victim = await enqueue({ gate: 'killed' }, ', max_attempts => 2')
  const pid = await workerOf(victim)
  await many(200, '{}', ', max_attempts => 2')
  process.kill(pid, 'SIGKILL')
  await until(async () => (await job(victim))?.last_error === 'the worker ended during this attempt', { what: 'the rescue' })
  const [error] = (await job(victim)).errors
  assert.deepEqual([error.attempt, error.error], [1, 'the worker ended during this attempt'])
  assert.ok(Date.parse(error.startedAt) <= Date.parse(error.finishedAt))
  await open('killed')
  await finished(501)
  assert.equal(await cluster.value('SELECT count(DISTINCT n)::int FROM app.done WHERE job > $1', [victim]), 200)
})

test('E4: a worker that ends without a crash: what it had not begun runs at once elsewhere, un-counted', async () => {
  const running = await enqueue({ gate: 'ended' }, ', max_attempts => 3')
  const pid = await workerOf(running)
  const seen = cluster.log.length
  await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
  // It gives its job back, and another worker takes it.
  await until(async () => { const other = await cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse worker' AND query LIKE $1 AND pid <> $2`, [`pulse: job ${running}:%`, pid]); return other }, { what: 'another worker' })
  assert.deepEqual([(await job(running)).attempt, (await job(running)).last_error], [1, null])
  await until(async () => (await pids('worker')).length === 3, { what: 'three workers' })
  assert.doesNotMatch(cluster.log.slice(seen), /terminated by signal/)
  await open('ended')
  await finished(1)
})

test('E4: a job that is given back and meets a newer one of its key is superseded; one that was cancelled meanwhile does not run again', async () => {
  const old = await enqueue({ gate: 'given' }, `, unique_key => 'k'`), stopped = await enqueue({ gate: 'never' })
  const [worker, other] = [await workerOf(old), await workerOf(stopped)]
  const newer = await enqueue({ gate: 'given' }, `, unique_key => 'k', run_at => now() + interval '1 hour'`)
  assert.notEqual(newer, old)
  await cluster.sql('UPDATE _pulse.jobs SET cancelled_at = now() WHERE id = $1', [stopped])  // asked, and the foreman not told
  await cluster.sql('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [[worker, other]])
  await until(() => cluster.value(`SELECT true FROM _pulse.dead_letters WHERE id = $1 AND reason = 'superseded'`, [old]), { what: 'the older one superseded' })
  await until(() => cluster.value(`SELECT true FROM _pulse.job_history WHERE id = $1 AND state = 'cancelled'`, [stopped]), { what: 'the cancelled one ended' })
  assert.equal(await cluster.value('SELECT pulse.retry($1)', [newer]), true)
  await open('given')
  await finished(1)
  assert.deepEqual((await done()).map(row => String(row.job)), [String(newer)])
})

test('E4: the foreman killed with -9, and one that is told to end: nothing is lost and nothing runs twice', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    await cluster.sql(`SELECT pulse.configure_queue('q', concurrency => 3)`)
    await many(400, '{"sleep":0.002}', ', max_attempts => 5')
    await until(async () => await doneCount() > 20, { what: 'some' })
    const [pid] = await pids('foreman')
    process.kill(pid, signal)
    await until(async () => { const [now] = await pids('foreman'); return now !== undefined && now !== pid }, { what: 'another foreman' })
    await finished(400)
    assert.equal(await cluster.value('SELECT count(DISTINCT n)::int FROM app.done'), 400)
    await cluster.sql('TRUNCATE app.done')
  }
})

test('E4: a fast shutdown gives back what runs, holds nobody up, and it runs again after the start, un-counted', async () => {
  const ids = [await enqueue({ gate: 'restart' }), await enqueue({ gate: 'restart' }, ', max_attempts => 1'), await enqueue({ sleep: 600 }, ', max_attempts => 1')]
  for (const id of ids) await workerOf(id)
  await cluster.restart('fast')   // pg_ctl waits for a minute, and the third would sleep for ten
  await open('restart')
  await until(async () => await doneCount() === 2, { what: 'the two' })
  await workerOf(ids[2])
  assert.deepEqual([(await job(ids[2])).attempt, (await job(ids[2])).last_error], [1, null])
  assert.equal(await cluster.value('SELECT pulse.cancel($1)', [ids[2]]), true)
  await until(async () => await cluster.value('SELECT state FROM _pulse.job_history WHERE id = $1', [ids[2]]) === 'cancelled', { what: 'the cancelled one' })
  assert.equal(await doneCount(), 2)
})

test('E4: a job that ends its own worker has failed that attempt; others are given back', async () => {
  await cluster.sql(`CREATE OR REPLACE FUNCTION app.ends(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END $$`)
  const id = await cluster.value(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.ends"}', max_attempts => 2)`)
  const dead = await until(async () => (await cluster.sql('SELECT attempt, errors FROM _pulse.dead_letters WHERE id = $1', [id]))[0], { what: 'the dead letter' })
  assert.deepEqual([dead.attempt, dead.errors.map(each => each.error)], [2, Array(2).fill('57P01: its function ended the worker')])
  assert.match(dead.errors[0].worker, /^worker \d \(pid \d+\)$/)
  await enqueue()
  await finished(1)
})

test('E4: the postmaster killed with -9: all jobs end, attempts that may have begun are counted', async () => {
  const slow = await enqueue({ gate: 'crash' }, ', max_attempts => 2')
  await workerOf(slow)
  await many(50, '{}', `, run_at => clock_timestamp() + interval '1 s'`)
  await cluster.stop('immediate')
  await cluster.start()
  const row = await until(async () => { const found = await job(slow); return found?.last_error && found }, { what: 'the rescue' })
  assert.equal(row.last_error, 'the worker ended during this attempt')
  await open('crash')
  await finished(51)
})

test('E4: concurrency is exact over three workers', async () => {
  await cluster.sql(`SELECT pulse.configure_queue('q', concurrency => 2)`)
  await many(60, '{"sleep":0.01}')
  await finished(60)
  const marks = (await done()).flatMap(row => [[Number(row.began), 1], [Number(row.ended), -1]]).sort((a, b) => a[0] - b[0])
  let running = 0, most = 0
  for (const [, change] of marks) most = Math.max(most, running += change)
  assert.equal(most, 2)
})

test('E4: a rate is exact over three workers, also when the foreman is killed in between', async () => {
  await cluster.sql(`SELECT pulse.configure_queue('q', rate => 20, per => '1500 ms')`)
  await many(70, '{"sleep":0.003}', ', max_attempts => 5')
  await until(async () => await doneCount() >= 30, { what: 'some' })
  await cluster.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pulse foreman'`)
  await finished(70)
  // The receiver sees a job anywhere between its begin and its end: count all ways that windows can lie.
  const rows = await done()
  for (const from of rows) {
    const seen = rows.filter(row => row.began_at >= from.began_at && row.ended_at - from.began_at <= 1500)
    assert.ok(seen.length <= 20, `${seen.length} in a window`)
  }
  const first = Math.min(...rows.map(row => row.began_at)), last = Math.max(...rows.map(row => row.ended_at))
  assert.ok(last - first >= 3 * 1500, 'four windows are needed')
})

test('E4: jobs of one key run one after the other in the order of ids, whatever their priority, and a retry keeps its place', async () => {
  for (let n = 1; n <= 45; n++) await enqueue({ n, key: `k${n % 3}`, sleep: 0.002 }, `, partition_key => 'k${n % 3}', priority => ${-n}`)
  await cluster.sql('CREATE TABLE app.failed (n int)')
  await cluster.sql(`CREATE FUNCTION app.once(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN IF (SELECT attempt FROM _pulse.jobs WHERE id = pulse.job_id()) = 1 THEN RAISE EXCEPTION 'the first time'; END IF; RETURN app.note(args); END $$`)
  await cluster.sql(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.once","args":{"n":100,"key":"k0"}}', partition_key => 'k0')`)
  for (let n = 101; n <= 105; n++) await enqueue({ n, key: 'k0' }, `, partition_key => 'k0', priority => -1000`)
  await finished(51)
  for (const key of ['k0', 'k1', 'k2']) {
    const rows = (await done()).filter(row => row.key === key)
    assert.deepEqual(rows.map(row => row.n), rows.map(row => row.n).sort((a, b) => a - b), key)
    for (let n = 1; n < rows.length; n++) assert.ok(Number(rows[n].began) > Number(rows[n - 1].ended), `${key}: ${rows[n].n} before the end of the one before`)
  }
})

test('E4: the head of a key that is cancelled while it waits for later frees the key', async () => {
  const head = await enqueue({ n: 1 }, `, partition_key => 'h', run_at => clock_timestamp() + interval '1 h'`)
  const second = await enqueue({ n: 2 }, `, partition_key => 'h'`)
  const other = await enqueue({ n: 3 })
  await until(async () => (await done()).some(row => row.job === other), { what: 'a job without key' })
  assert.equal((await job(second)).state, 'available')
  assert.equal(await cluster.value('SELECT pulse.cancel($1)', [head]), true)
  await until(async () => (await done()).some(row => row.job === second), { what: 'the second' })
})

test('E4: a low priority does not starve', async () => {
  await cluster.sql(`SELECT pulse.configure_queue('q', concurrency => 1)`)
  const gate = await enqueue({ gate: 'open' }, ', priority => -1')
  await workerOf(gate)
  const poor = await enqueue({ n: 0 }, `, priority => 100, run_at => clock_timestamp() - interval '1 min'`)
  await many(200, '{"sleep":0.001}')
  await open('open')
  await finished(202)
  const order = (await done()).map(row => row.job)
  assert.ok(order.indexOf(poor) < 20, `it came ${order.indexOf(poor)}th`)
})

test('E4: cancel ends a running job, and nothing of it stays', async () => {
  const id = await enqueue({ sleep: 600 })
  await workerOf(id)
  assert.equal(await cluster.value('SELECT pulse.cancel($1)', [id]), true)
  await until(async () => await cluster.value('SELECT state FROM _pulse.job_history WHERE id = $1', [id]) === 'cancelled', { what: 'the end' })
  assert.deepEqual(await done(), [])
  await enqueue({ n: 1 })
  await finished(1)
})

test('E4: workers outside get what limits and leases allow; a lease that runs out costs an attempt', async () => {
  await cluster.sql(`SELECT pulse.job_kind('outside', 'external'); SELECT pulse.configure_queue('out', concurrency => 3)`)
  await cluster.sql(`SELECT pulse.enqueue('out', 'outside', to_json(n), max_attempts => 2) FROM generate_series(1, 5) AS n`)
  const fetch = (most, lease = '5 min', wait = '0') => cluster.sql(`SELECT id, args, attempt, max_attempts FROM pulse.fetch_jobs('out', 'me', $1, $2::interval, $3::interval)`, [most, lease, wait])
  const first = await fetch(2)
  assert.deepEqual(first.map(row => [row.args, row.attempt, row.max_attempts]), [[1, 1, 2], [2, 1, 2]])
  const [third] = await fetch(10)
  assert.equal(third.args, 3)
  assert.deepEqual(await fetch(10), [], 'three run')
  assert.equal(await cluster.value(`SELECT pulse.ack($1, 1, '{"ok":true}')`, [first[0].id]), true)
  assert.equal(await cluster.value('SELECT pulse.ack($1, 1)', [first[0].id]), false, 'once')
  const [fourth] = await fetch(10, '5 min', '5 s')
  assert.equal(fourth.args, 4, 'an end makes room for a fetch that waits')
  assert.equal(await cluster.value(`SELECT pulse.heartbeat($1, 1, '100 ms')`, [third.id]), true)
  await until(async () => (await job(third.id)).state === 'retryable', { what: 'the end of the lease' })
  assert.equal((await job(third.id)).errors[0].worker, 'me')
  assert.equal(await cluster.value('SELECT pulse.ack($1, 1)', [third.id]), false, 'its attempt is over')
  assert.equal(await cluster.value(`SELECT pulse.nack($1, 1, 'bad', permanent => true)`, [fourth.id]), true)
  assert.equal(await cluster.value('SELECT reason FROM _pulse.dead_letters WHERE id = $1', [fourth.id]), 'permanent')
  assert.equal(await cluster.value('SELECT pulse.heartbeat($1, 1)', [first[1].id]), true)
  assert.equal(await cluster.value('SELECT pulse.cancel($1)', [first[1].id]), true)
  assert.equal(await cluster.value('SELECT pulse.heartbeat($1, 1)', [first[1].id]), false, 'cancelled: stop')
  assert.equal(await cluster.value(`SELECT pulse.nack($1, 1, 'stopped')`, [first[1].id]), true)
  assert.equal(await cluster.value('SELECT state FROM _pulse.job_history WHERE id = $1', [first[1].id]), 'cancelled')
})

test('E4: an outside worker that keeps its transaction open beyond its lease holds nobody else', async () => {
  await cluster.sql(`SELECT pulse.job_kind('outside', 'external'); SELECT pulse.enqueue('held', 'outside', '{}', max_attempts => 100)`)
  const session = await cluster.connect()
  try {
    // Before the lease ends, however slow this machine is: else with the next attempt.
    const mine = await until(async () => {
      const [fetched] = await cluster.sql(`SELECT id, attempt FROM pulse.fetch_jobs('held', 'me', 1, '1 s', '20 s')`)
      await session.query('BEGIN')
      if ((await session.query(`SELECT pulse.heartbeat($1, $2, '1 s') AS alive`, [fetched.id, fetched.attempt])).rows[0].alive) return fetched
      await session.query('ROLLBACK')
    }, { what: 'a lease that is held' })
    await until(() => cluster.value('SELECT lease_until < clock_timestamp() FROM _pulse.jobs WHERE id = $1', [mine.id]), { what: 'the end of the lease' })
    for (let n = 0; n < 5; n++) {
      await enqueue({ n })
      await until(async () => await doneCount() === n + 1, { what: 'another job' })
    }
    assert.equal((await job(mine.id)).state, 'executing')
    await session.query('ROLLBACK')
    await until(async () => (await job(mine.id)).state === 'retryable', { what: 'the end of the attempt' })
  } finally {
    await session.end()
  }
})

test('E4: a lost attempt whose unique key somebody is about to take holds nobody else', async () => {
  await cluster.sql(`SELECT pulse.job_kind('outside', 'external'); SELECT pulse.enqueue('held', 'outside', '{}', max_attempts => 2, unique_key => 'u')`)
  const [mine] = await cluster.sql(`SELECT id FROM pulse.fetch_jobs('held', 'me', 1, '5 min')`)
  const session = await cluster.connect()
  try {
    await session.query('BEGIN')
    await session.query(`SELECT pulse.enqueue('held', 'outside', '{}', unique_key => 'u', run_at => clock_timestamp() + interval '1 h')`)
    assert.equal(await cluster.value(`SELECT pulse.heartbeat($1, 1, '100 ms')`, [mine.id]), true)
    await until(() => cluster.value('SELECT lease_until < clock_timestamp() FROM _pulse.jobs WHERE id = $1', [mine.id]), { what: 'the end of the lease' })
    for (let n = 0; n < 5; n++) {
      await enqueue({ n })
      await until(async () => await doneCount() === n + 1, { what: 'another job' })
    }
    assert.equal((await job(mine.id)).state, 'executing')
    await session.query('COMMIT')
  } finally {
    await session.end()
  }
  await until(async () => await cluster.value('SELECT reason FROM _pulse.dead_letters WHERE id = $1', [mine.id]) === 'superseded', { what: 'the end of the attempt' })
})

test('E4: what is given back meets a newer job with its unique key: it is superseded, and its worker goes on', async () => {
  const older = await enqueue({ gate: 'never' }, `, unique_key => 'u'`)
  const pid = await workerOf(older)
  const newer = await enqueue({ n: 2 }, `, unique_key => 'u', run_at => clock_timestamp() + interval '1 h'`)
  assert.notEqual(newer, older)
  await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
  await until(async () => await cluster.value('SELECT reason FROM _pulse.dead_letters WHERE id = $1', [older]) === 'superseded', { what: 'the dead letter' })
  assert.equal((await job(newer)).state, 'scheduled')
  await enqueue({ n: 3 })
  await until(async () => (await done()).some(row => row.n === 3), { what: 'another job' })
})

test('E4: an idle queue costs nothing', async () => {
  // Read from another database, since reading counts too. Sessions report what they did up to ten seconds later: first it has to be quiet.
  const commits = () => cluster.value(`SELECT xact_commit::int FROM pg_stat_database WHERE datname = 'pulse'`, [], 'postgres')
  const spent = async seconds => {
    const before = await commits()
    await new Promise(resolve => setTimeout(resolve, seconds * 1000))
    return await commits() - before
  }
  // A tenth of a minute, in which 15 would be too many.
  await until(async () => await spent(6) < 15, { what: 'six idle seconds', timeout: 40_000 })
})

test('E4: DROP DATABASE is not held up by a running job', async () => {
  await cluster.sql('CREATE DATABASE short', [], 'postgres')
  await cluster.sql('CREATE EXTENSION pulse', [], 'short')
  await cluster.set('pulse.databases', 'pulse, short')
  await cluster.sql('CREATE FUNCTION slow(args json) RETURNS json LANGUAGE sql AS $$ SELECT to_json(pg_sleep(600)::text) $$', [], 'short')
  const id = await cluster.value(`SELECT pulse.enqueue('q', 'sql', '{"function":"public.slow"}', timeout => '1 h')`, [], 'short')
  await until(async () => (await cluster.sql(`SELECT FROM pg_stat_activity WHERE datname = 'short' AND query LIKE 'pulse: job ${id}:%'`)).length === 1, { what: 'the job' })
  await cluster.sql('DROP DATABASE short WITH (FORCE)', [], 'postgres')   // which fails when a process stays for five seconds
})

test('E4: an old snapshot is held: what a claim touches does not grow with the jobs that have ended', async () => {
  const holder = await cluster.connect()
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
  try {
    // Blocks of the index of lanes that were touched for twenty jobs one after the other.
    const touched = () => cluster.value(`SELECT (idx_blks_hit + idx_blks_read)::int FROM pg_statio_user_indexes WHERE indexrelname = 'jobs_lane_idx'`)
    const costs = async () => {
      const before = await until(async () => { const one = await touched(); await new Promise(resolve => setTimeout(resolve, 1500)); return one === await touched() && one }, { what: 'quiet counters' })
      for (let n = 0; n < 20; n++) {
        const id = await enqueue({ n })
        await until(async () => !(await job(id)), { what: 'the job' })
      }
      const then = await until(async () => { const one = await touched(); await new Promise(resolve => setTimeout(resolve, 1500)); return one === await touched() && one }, { what: 'quiet counters' })
      return then - before
    }
    const few = await costs()
    await many(20000)
    await until(async () => await cluster.value('SELECT count(*) FROM _pulse.jobs') === '0', { what: 'all jobs', timeout: 60000 })
    // Now and then the foreman does look everywhere, within half a percent of its time: not in each measurement.
    await until(async () => { const more = await costs(); return more < few * 3 + 100 }, { what: 'claims that touch no more than before', timeout: 60_000 })
    assert.ok(few > 0)
  } finally {
    await holder.end()
  }
})
