// E4: whoever holds something of the queue, or goes away with it, holds up nothing else: rows, keys, tables, prepared transactions,
// standbys, answers that nobody reads.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { createQueue } from '../support/jobs.mjs'
import { until } from '../support/wait.mjs'

let queue, sql, value, enqueue, many
before(async () => {
  queue = await createQueue({ 'pulse.job_workers': 3 })
  ;({ sql, value, enqueue, many } = queue)
  await sql(`SELECT pulse.job_kind('outside', 'external')`)
})
after(() => queue?.cluster.drop())
afterEach(() => queue.clean())

// What f does is done while a session of its own has its transaction open.
async function during(statements, f, end = 'ROLLBACK') {
  const session = await queue.cluster.connect()
  try {
    await session.query('BEGIN')
    for (const [text, parameters] of statements) await session.query(text, parameters)
    const result = await f(session)
    await session.query(end)
    return result
  } finally {
    await session.end()
  }
}

test('E4: a worker whose transaction waits for a lock at its end is given nothing, and holds nothing', async () => {
  await many(300)
  await queue.areDone(300)    // so they are known to be fast, and are given many at once
  const failing = await enqueue({ gate: 'end', fail: true }, `, unique_key => 'u'`)
  await queue.workerOf(failing)
  await during([[`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note"}', unique_key => 'u', run_at => now() + interval '1 h')`]], async () => {
    await queue.open('end')
    await queue.waitsForLock('worker')
    for (let n = 1; n <= 20; n++) {
      await many(10)
      await queue.areDone(300 + 10 * n)
    }
    assert.equal((await queue.job(failing)).state, 'executing')
  })
  await queue.inState(failing, 'retryable')
})

test('E4: code that raises what a server says when it ends fails its attempt, and ends no worker', async () => {
  await sql(`CREATE OR REPLACE FUNCTION app.remote(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'; END $$`)
  const before = (await queue.pids('worker')).sort()
  assert.equal(before.length, 3)
  const id = await value(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.remote"}', max_attempts => 1)`)
  await until(() => value('SELECT true FROM _pulse.dead_letters WHERE id = $1', [id]), { what: 'the dead letter' })
  assert.equal(await value('SELECT last_error FROM _pulse.dead_letters WHERE id = $1', [id]), '57P01: terminating connection')
  assert.deepEqual((await queue.pids('worker')).sort(), before)
})

test('E4: rows that somebody holds at the head of a lane are passed by, and claimed when they are free', async () => {
  await sql(`SELECT pulse.configure_queue('q', concurrency => 1), pulse.pause_queue('q')`)
  await many(3)
  await during([['SELECT FROM _pulse.jobs FOR UPDATE']], async () => {
    await many(10)
    await sql(`SELECT pulse.resume_queue('q')`)
    await queue.areDone(10)
    assert.equal(await value(`SELECT count(*)::int FROM _pulse.jobs WHERE state = 'available'`), 3)
  })
  await queue.areDone(13)
})

test('E4: a claim takes a job as it was seen, or not at all', async () => {
  await sql(`SELECT pulse.pause_queue('q')`)
  const id = await enqueue({ n: 1 }, `, unique_key => 'r'`)
  await during([[`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note"}', unique_key => 'r', unique_mode => 'replace', run_at => now() + interval '1 day')`]], async () => {
    await sql(`SELECT pulse.resume_queue('q')`)
    await queue.isDone(await enqueue({ n: 2 }))   // so the first has been passed by
  }, 'COMMIT')
  await queue.isDone(await enqueue({ n: 3 }))
  assert.deepEqual([(await queue.job(id)).state, (await queue.job(id)).attempt], ['scheduled', 0])
})

test('E4: the head of a key that somebody holds keeps the order, and nobody else waits for it', async () => {
  await sql(`SELECT pulse.pause_queue('q')`)
  const first = await enqueue({ n: 1 }, `, partition_key => 'k'`), second = await enqueue({ n: 2 }, `, partition_key => 'k'`)
  await during([['SELECT FROM _pulse.jobs WHERE id = $1 FOR UPDATE', [first]]], async () => {
    await sql(`SELECT pulse.resume_queue('q')`)
    await queue.isDone(await enqueue({ n: 3 }))
    assert.equal((await queue.job(second)).state, 'available')
  })
  await queue.isDone(second)
  assert.deepEqual((await queue.done()).map(row => row.n), [3, 1, 2])
})

test('E4: a pause and a cancel that a prepared transaction commits are heard', async () => {
  const running = await enqueue({ gate: 'never' }, '', 'other')
  await queue.workerOf(running)
  await during([[`SELECT pulse.pause_queue('q'), pulse.cancel($1)`, [running]]], () => {}, `PREPARE TRANSACTION 'paused'`)
  await sql(`COMMIT PREPARED 'paused'`)
  await queue.inHistory(running, 'cancelled')
  const paused = await enqueue({ n: 1 })
  await queue.isDone(await enqueue({ n: 2 }, '', 'other'))
  assert.equal((await queue.job(paused)).state, 'available')
})

test('E4: what was told while the foreman waited for a lock is heard', async () => {
  await sql(`SELECT pulse.configure_queue('loud', events => true), pulse.pause_queue('loud')`)
  const loud = await enqueue({ gate: 'heard' }, '', 'loud')
  const quiet = await during([['LOCK TABLE pulse.events IN ACCESS EXCLUSIVE MODE']], async () => {
    await sql(`SELECT pulse.resume_queue('loud')`)
    await queue.waitsForLock('foreman')   // it wants to publish that the job begins
    return enqueue({ n: 1 })
  }, 'COMMIT')
  await queue.isDone(quiet)
  assert.equal((await queue.job(loud)).state, 'executing')
  await queue.open('heard')
  await queue.isDone(loud)
})

test('E4: a job that waits again while its worker still waits for the standby is claimed once, and counts once', async () => {
  await sql(`SELECT pulse.configure_queue('q', concurrency => 2, backoff => '10 ms', backoff_max => '10 ms')`)
  const session = await queue.cluster.connect()
  try {
    await session.query('SET synchronous_commit = local')
    await queue.cluster.set('synchronous_standby_names', 'nobody')
    await until(async () => (await session.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names === 'nobody', { what: 'the setting' })
    const { rows: [{ id }] } = await session.query(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","args":{"fail":true}}', max_attempts => 5) AS id`)
    const state = async () => (await session.query('SELECT state, attempt, run_at < clock_timestamp() AS due FROM _pulse.jobs WHERE id = $1', [id])).rows[0]
    await until(async () => { const row = await state(); return row.state === 'retryable' && row.due }, { what: 'the failed attempt' })
    // Another queue's job has the foreman look, and claim what it may.
    await session.query(`SELECT pulse.enqueue('other', 'sql', '{"function":"app.note","args":{"n":1}}')`)
    await until(async () => (await session.query('SELECT FROM app.done WHERE n = 1')).rows.length === 1, { what: 'the other job' })
    assert.deepEqual(await state(), { state: 'retryable', attempt: 1, due: true })
  } finally {
    await session.query(`ALTER SYSTEM RESET synchronous_standby_names`)
    await session.query('SELECT pg_reload_conf()')
    await session.end()
  }
  await until(() => value(`SELECT count(*) = 1 FROM _pulse.dead_letters WHERE attempt = 5`), { what: 'all attempts' })
  const both = [await enqueue({ gate: 'free' }), await enqueue({ gate: 'free' })]   // both places are free
  for (const id of both) await queue.workerOf(id)
  await queue.open('free')
  for (const id of both) await queue.isDone(id)
})

test('E4: what was fetched for a session that went before it had read the answer goes back, un-counted', async () => {
  await sql(`SELECT pulse.configure_queue('out', events => true)`)
  for (const end of ['pg_cancel_backend', 'pg_terminate_backend']) {
    const session = await queue.cluster.connect()
    const pid = (await session.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
    const fetched = assert.rejects(session.query(`SELECT * FROM pulse.fetch_jobs('out', 'me', 10, '1 day', '1 min')`))
    await until(() => value(`SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = $1`, [pid]), { what: 'the fetch' })
    process.kill(pid, 'SIGSTOP')
    const id = await value(`SELECT pulse.enqueue('out', 'outside', '{}')`)
    await queue.inState(id, 'executing')
    await queue.isDone(await enqueue({ n: 1 }))   // a turn of the foreman later it has answered
    await sql(`SELECT ${end}($1)`, [pid])
    process.kill(pid, 'SIGCONT')
    await fetched
    await session.end().catch(() => {})
    const row = await queue.inState(id, 'available')
    assert.deepEqual([row.attempt, row.lease_until], [0, null])
    assert.deepEqual(await sql(`SELECT name, payload ->> 'state' AS state, payload ->> 'attempt' AS attempt FROM pulse.events WHERE payload ->> 'jobId' = $1 ORDER BY id`, [id]), [
      { name: 'job:enqueued', state: 'available', attempt: '0' }, { name: 'job:started', state: 'executing', attempt: '1' }, { name: 'job:enqueued', state: 'available', attempt: '0' }])
    assert.deepEqual(await sql(`SELECT id, attempt FROM pulse.fetch_jobs('out', 'me')`), [{ id, attempt: 1 }])
    await sql('SELECT pulse.ack($1, 1)', [id])
    await sql('DELETE FROM app.done')
  }
})

test('E4: sessions that fetch at once get the jobs of their own queues', async () => {
  const sessions = await Promise.all(Array.from({ length: 12 }, () => queue.cluster.connect()))
  try {
    for (let n = 0; n < sessions.length; n++)
      await sql(`SELECT pulse.enqueue('out' || $1, 'outside', to_json($1::int)) FROM generate_series(1, 120)`, [n])
    await Promise.all(sessions.map(async (session, n) => {
      for (let seen = 0; seen < 120;) {
        const { rows } = await session.query(`SELECT args FROM pulse.fetch_jobs('out' || $1::int, 'worker' || $1::int, 2, '5 min', '0')`, [n])
        for (const { args } of rows) assert.equal(args, n)
        seen += rows.length
      }
    }))
    assert.deepEqual(await sql(`SELECT FROM _pulse.jobs WHERE worker IS DISTINCT FROM 'worker' || args::text OR state <> 'executing'`), [])
  } finally {
    await Promise.all(sessions.map(session => session.end()))
  }
})

test('E4: what is in a database that is loaded beside a running foreman waits until somebody says so', async () => {
  const ran = await enqueue({ n: 1 })
  await queue.isDone(ran)
  // As COPY does it: rows come without a word.
  await sql(`BEGIN;
    INSERT INTO _pulse.jobs (queue, kind, args, function, state, run_at, attempt, max_attempts, timeout, role)
      SELECT 'q', 'sql', '{"function":"app.note"}', 'app.note', state, now(), (state = 'executing')::int, 3, '30 s', 'postgres'
      FROM unnest(ARRAY['available', 'executing']) AS state;
    INSERT INTO _pulse.queue_origin VALUES (1, 1);
    COMMIT`)
  await until(() => value(`SELECT count(*) = 1 FROM _pulse.queue_states WHERE name = '*' AND paused AND reason = 'restored'`), { what: 'the pause' })
  await until(() => value(`SELECT count(*) = 0 FROM _pulse.jobs WHERE state = 'executing'`), { what: 'the recovery' })
  assert.deepEqual(await sql(`SELECT state, attempt, last_error FROM _pulse.jobs ORDER BY state`), [
    { state: 'available', attempt: 0, last_error: null }, { state: 'retryable', attempt: 1, last_error: 'the worker ended during this attempt' }])
  assert.equal(await value('SELECT count(*)::int FROM _pulse.queue_origin'), 1)
  await sql('SELECT pulse.resume_queues()')
  await queue.areDone(3)
})
