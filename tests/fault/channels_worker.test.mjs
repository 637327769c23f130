// The HTTP worker itself: builders that are slow or wild, a synchronous standby that is away, and the end of the process. What is on its
// way goes on meanwhile, and nothing counts as an attempt that was not one.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { startChannels } from '../support/channels.mjs'
import { until } from '../support/wait.mjs'

let channels, cluster, provider

before(async () => {
  channels = await startChannels()
  ;({ cluster, provider } = channels)
  await cluster.sql(`SELECT pulse.configure_queue('q', backoff => '10 ms', backoff_max => '10 ms');
    CREATE TABLE gate (name text PRIMARY KEY);
    CREATE FUNCTION slow(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_sleep((args ->> 'seconds')::float8);
      WHILE args ->> 'gate' IS NOT NULL AND NOT EXISTS (SELECT FROM gate WHERE name = args ->> 'gate') LOOP PERFORM pg_sleep(0.01); END LOOP;
      RETURN args -> 'hook'; END $$;
    CREATE FUNCTION wild(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the other server is restarted' USING ERRCODE = '57P01'; END $$;
    CREATE FUNCTION stubborn(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
      LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
    SELECT pulse.job_kind('slow', 'webhook', 'public.slow'), pulse.job_kind('wild', 'webhook', 'public.wild'), pulse.job_kind('stubborn', 'webhook', 'public.stubborn')`)
})
after(() => channels?.stop())
afterEach(() => {
  provider.clearFaults()
  provider.arrivals = []
})

const hook = (path, options) => channels.enqueue('webhook', { url: provider.url + path }, options)
const slow = (path, seconds) => ({ seconds, hook: { url: provider.url + path } })
// Is built until open(gate).
const held = (path, gate) => ({ gate, hook: { url: provider.url + path } })
const open = gate => cluster.sql('INSERT INTO gate VALUES ($1)', [gate])
const workerPid = () => cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse http worker'`)
const arrived = (path, count = 1) => until(() => provider.at(path).length === count, { what: `${count} requests at ${path}` })
const builds = () => until(() => cluster.value(`SELECT true FROM pg_stat_activity WHERE backend_type = 'pulse http worker' AND wait_event = 'PgSleep'`), { what: 'a builder that runs' })
const result = async id => { const { state, attempt } = await channels.ended(id); return [state, attempt] }
// In one transaction, so that the worker has them at once.
const together = (...jobs) => cluster.sql(`SELECT pulse.enqueue('q', kind, args, max_attempts => 3) AS id FROM json_to_recordset($1) AS j (kind text, args json)`,
  [JSON.stringify(jobs)]).then(rows => rows.map(({ id }) => id))

test('E4: answers are read between builders that are slow: nothing that was answered in time is sent again', async () => {
  await channels.ended(await hook('/hook/first'))
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late')
  await arrived('/hook/late')
  const built = await together(...Array.from({ length: 4 }, (_, n) => ({ kind: 'slow', args: slow(`/hook/built${n}`, 1) })))
  await builds()
  answer()
  const { state, attempt, finished_at } = await channels.ended(late)
  assert.deepEqual([state, attempt], ['completed', 1])
  for (const id of built) assert.deepEqual(await result(id), ['completed', 1])
  assert.ok(await cluster.value('SELECT $1::timestamptz < finished_at FROM pulse.job($2)', [finished_at, built.at(-1)]), 'before the last of them was built')
  assert.equal(provider.at('/hook/late').length, 1)
})

test('E4: what has been answered has ended before the next builder is called, however long that one takes', async () => {
  await channels.ended(await hook('/hook/first'))
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late')
  await arrived('/hook/late')
  const [first, second] = await together({ kind: 'slow', args: { ...held('/hook/built', 'first'), seconds: 0.2 } }, { kind: 'slow', args: held('/hook/built', 'second') })
  await builds()
  answer()
  await open('first')
  assert.deepEqual(await result(late), ['completed', 1])
  assert.deepEqual(await cluster.sql('SELECT state, attempt FROM pulse.job($1)', [second]), [{ state: 'executing', attempt: 1 }], 'it is being built')
  await open('second')
  for (const id of [first, second]) assert.deepEqual(await result(id), ['completed', 1])
})

test('E4: an answer that came in time while one builder took longer is no timeout', async () => {
  await channels.ended(await hook('/hook/first'))
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late', `timeout => '5 s'`)
  await arrived('/hook/late')
  const end = Date.now() + 5000
  await together({ kind: 'slow', args: held('/hook/built', 'longer') })
  await builds()
  answer()
  await until(() => Date.now() > end, { what: 'the end of the time that the request had' })
  await open('longer')
  assert.deepEqual(await result(late), ['completed', 1])
  assert.equal(provider.at('/hook/late').length, 1)
})

test('E4: a builder that raises the error of a server\'s end, and one that catches every cancel, fail their jobs only', async () => {
  provider.fault('/hook/hang', { hang: true })
  const waits = await hook('/hook/hang', `timeout => '60 s'`)
  await arrived('/hook/hang')
  const pid = await workerPid()
  const wild = await channels.ended(await channels.enqueue('wild', {}, 'max_attempts => 1'))
  assert.deepEqual([wild.state, wild.last_error], ['discarded', '57P01: the other server is restarted'])
  const stubborn = await channels.ended(await channels.enqueue('stubborn', {}, `max_attempts => 1, timeout => '300 ms'`))
  assert.deepEqual([stubborn.state, stubborn.last_error], ['discarded', '57014: its builder ran longer than 300 ms'])
  assert.equal(await workerPid(), pid)
  assert.deepEqual(await cluster.sql('SELECT state, attempt FROM pulse.job($1)', [waits]), [{ state: 'executing', attempt: 1 }])
  await cluster.sql('SELECT pulse.cancel($1)', [waits])
  assert.deepEqual(await result(waits), ['cancelled', 1])
})

test('E4: pulse.cancel ends a builder; pg_cancel_backend makes its job try again, and is nothing to those on their way', async () => {
  const pid = await workerPid()
  const cancelled = await channels.enqueue('slow', slow('/hook/never', 60), `timeout => '60 s'`)
  await builds()
  await cluster.sql('SELECT pulse.cancel($1)', [cancelled])
  assert.deepEqual(await result(cancelled), ['cancelled', 1])
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late')
  await arrived('/hook/late')
  await cluster.sql('SELECT pg_cancel_backend($1)', [pid])
  answer()
  assert.deepEqual(await result(late), ['completed', 1])
  const again = await channels.enqueue('slow', held('/hook/again', 'again'))
  await builds()
  await cluster.sql('SELECT pg_cancel_backend($1)', [pid])
  await open('again')
  const job = await channels.ended(again)
  assert.deepEqual([job.state, job.attempt], ['completed', 2])
  assert.match(job.errors[0].error, /^57014: /)
  assert.equal(await workerPid(), pid)
})

test('E4: a fast shutdown returns what has not been sent, uncounted: what is being built, and what waits for it', async () => {
  provider.fault('/hook/hang', { hang: true })
  const waits = await hook('/hook/hang', `timeout => '60 s'`)
  await arrived('/hook/hang')
  const built = await channels.enqueue('slow', held('/hook/built', 'restart'))
  await builds()
  const plain = await hook('/hook/plain', 'max_attempts => 1')
  await until(() => cluster.value(`SELECT state = 'executing' FROM pulse.job($1)`, [plain]), { what: 'its being claimed' })
  await cluster.restart('fast')
  await open('restart')
  for (const id of [built, plain]) assert.deepEqual(await result(id), ['completed', 1])
  assert.deepEqual(await result(waits), ['completed', 2], 'this one may have been delivered')
})

test('E4: a fast shutdown in a builder: what was loaded with it is not sent', async () => {
  const [built, plain] = await together({ kind: 'slow', args: held('/hook/built', 'stop') }, { kind: 'webhook', args: { url: `${provider.url}/hook/plain` } })
  await builds()
  await cluster.stop('fast')
  assert.equal(provider.at('/hook/').length, 0)
  await cluster.start()
  await open('stop')
  for (const id of [built, plain]) assert.deepEqual(await result(id), ['completed', 1])
  assert.equal(provider.at('/hook/').length, 2)
})

test('E4: SIGTERM in a builder: what has been answered meanwhile is not sent again', async () => {
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late')
  await arrived('/hook/late')
  const built = await channels.enqueue('slow', held('/hook/built', 'term'))
  await builds()
  answer()
  await builds()
  await cluster.sql('SELECT pg_terminate_backend($1)', [await workerPid()])
  assert.deepEqual(await result(late), ['completed', 1])
  await open('term')
  assert.deepEqual(await result(built), ['completed', 1])
  assert.equal(provider.at('/hook/late').length, 1)
})

test('E4: when the process ends in a builder, what it had not begun loses no attempt', async () => {
  const [stubborn, other] = await together({ kind: 'stubborn', args: {} }, { kind: 'slow', args: slow('/hook/other', 0) })
  await builds()
  const pid = await workerPid()
  await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
  const failed = await channels.failed(stubborn)
  assert.match(failed.errors[0].error, /^the worker ended/)
  await cluster.sql('SELECT pulse.cancel($1)', [stubborn])
  assert.deepEqual(await result(other), ['completed', 1])
  assert.notEqual(await workerPid(), pid)
})

test('E4: while the synchronous standby is away answers are read and jobs sent, and SIGTERM ends the worker; nothing is sent twice', async () => {
  await channels.ended(await hook('/hook/first'))
  let answer
  provider.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
  const late = await hook('/hook/late')
  await arrived('/hook/late')
  await cluster.set('synchronous_standby_names', 'nobody')
  try {
    const client = await cluster.connect()
    await client.query('SET synchronous_commit = local')
    const enqueue = async path => (await client.query(`SELECT pulse.enqueue('q', 'webhook', json_build_object('url', $1::text)) AS id`, [provider.url + path])).rows[0].id
    const state = async id => (await client.query('SELECT state, attempt FROM pulse.job($1)', [id])).rows[0]
    const completed = id => until(async () => (await state(id)).state === 'completed', { what: `job ${id}` })
    const first = await enqueue('/hook/one')
    await completed(first)
    const second = await enqueue('/hook/two')
    answer()
    for (const id of [late, second]) await completed(id)
    const pid = await workerPid()
    await client.query('SELECT pg_terminate_backend($1)', [pid])
    await until(async () => ![pid, null, undefined].includes(await workerPid()), { what: 'another worker' })
    const third = await enqueue('/hook/three')
    await completed(third)
    for (const id of [late, first, second, third]) assert.equal((await state(id)).attempt, 1)
    await client.end()
  } finally {
    await cluster.set('synchronous_standby_names', '')
  }
  assert.deepEqual(provider.arrivals.map(({ path }) => path), ['/hook/first', '/hook/late', '/hook/one', '/hook/two', '/hook/three'])
})

test('E4: a builder that ends the process has failed that attempt, and is dead after the last; others are sent', async () => {
  await cluster.sql(`CREATE FUNCTION ends(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END $$; SELECT pulse.job_kind('ends', 'webhook', 'public.ends')`)
  const id = await channels.enqueue('ends', {}, 'max_attempts => 2')
  const dead = await until(async () => (await cluster.sql('SELECT attempt, errors FROM pulse.dead_letters WHERE id = $1', [id]))[0], { what: 'the dead letter' })
  assert.deepEqual([dead.attempt, dead.errors.map(({ error }) => error)], [2, Array(2).fill('57P01: its function ended the worker')])
  assert.deepEqual(await result(await hook('/hook/plain')), ['completed', 1])
})
