// E4 through SQL alone, with the workers at work: what was enqueued together, in order, once; on_end; cancel; pause; limits of a queue;
// events of a queue at a socket; the traceparent; workers outside of the database.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.sql(`CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO pulse_client;
    CREATE TABLE app.ran (n int, job bigint DEFAULT pulse.job_id(), began timestamptz DEFAULT clock_timestamp(), ended timestamptz);
    CREATE TABLE app.ends (job json);
    CREATE TABLE app.gate (open bool); INSERT INTO app.gate VALUES (true);
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE sql AS $$ INSERT INTO app.ran (n) VALUES ((args ->> 'n')::int) RETURNING json_build_object('noted', n) $$;
    CREATE FUNCTION app.wait(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN PERFORM app.note(args); WHILE NOT (SELECT open FROM app.gate) LOOP PERFORM pg_sleep(0.005); END LOOP; UPDATE app.ran SET ended = clock_timestamp() WHERE job = pulse.job_id(); RETURN NULL; END $$;
    CREATE FUNCTION app.fail(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'boom'; END $$;
    CREATE FUNCTION app.tell(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.publish('told', 'told', args); RETURN NULL; END $$;
    CREATE FUNCTION app.ended(job json) RETURNS json LANGUAGE sql AS $$ INSERT INTO app.ends VALUES (job) RETURNING NULL::json $$;
    CREATE FUNCTION app.allow(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO pulse_client;
    SELECT pulse.policy('queue:{name}', 'join', 'app.allow'), pulse.job_kind('note', 'sql', 'app.note'), pulse.job_kind('print', 'external')`)
})
after(() => pulse?.stop())
afterEach(() => pulse.sql(`UPDATE app.gate SET open = true; DELETE FROM app.ran; DELETE FROM app.ends`))

const sql = (text, parameters) => pulse.sql(text, parameters)
const value = (text, parameters) => pulse.value(text, parameters)
const args = (name, more = {}) => JSON.stringify({ function: `app.${name}`, args: more })
const enqueue = (queue, name, more = {}, options = '') => value(`SELECT pulse.enqueue($1, 'sql', $2::json ${options})`, [queue, args(name, more)])
const job = async id => (await sql('SELECT * FROM pulse.job($1)', [id]))[0]
const inState = (id, state) => until(async () => { const row = await job(id); return row?.state === state && row }, { what: `job ${id} ${state}` })
const ends = count => until(async () => { const rows = await sql('SELECT job FROM app.ends'); return rows.length === count && rows.map(row => row.job) }, { what: `${count} on_end` })
const close = () => sql('UPDATE app.gate SET open = false'), open = () => sql('UPDATE app.gate SET open = true')

test('E4: many at once: all run, once each, in their order within a partition key', async () => {
  const stored = await value(`SELECT pulse.enqueue_many('many', 'note', array_agg(json_build_object('n', n) ORDER BY n), partition_keys => array_agg((n % 3)::text ORDER BY n)) FROM generate_series(1, 60) n`)
  assert.equal(Number(stored), 60)
  await until(async () => await value('SELECT count(*)::int FROM app.ran') === 60, { what: 'all of them' })
  assert.deepEqual(await sql(`SELECT count(DISTINCT n)::int AS different, (SELECT count(*)::int FROM (SELECT n, lag(n) OVER (PARTITION BY n % 3 ORDER BY began) AS before FROM app.ran) x WHERE before > n) AS disordered FROM app.ran`),
    [{ different: 60, disordered: 0 }])
  const [row] = await sql(`SELECT state, result, worker IS NOT NULL AS worked FROM pulse.jobs WHERE queue = 'many' AND args ->> 'n' = '7'`)
  assert.deepEqual(row, { state: 'completed', result: { noted: 7 }, worked: true })
})

test('E4: on_end hears of each end: completed, discarded with its error, cancelled', async () => {
  const option = `, on_end => 'app.ended', max_attempts => 1`
  const done = await enqueue('chain', 'note', { n: 1 }, option), dead = await enqueue('chain', 'fail', {}, option)
  const cancelled = await enqueue('chain', 'note', {}, `, on_end => 'app.ended', run_at => now() + interval '1 hour'`)
  assert.equal(await value('SELECT pulse.cancel($1)', [cancelled]), true)
  const all = (await ends(3)).sort((a, b) => a.id - b.id)
  assert.deepEqual(all.map(({ id, queue, kind, state, attempt, result, error }) => ({ id, queue, kind, state, attempt, result, error })), [
    { id: done, queue: 'chain', kind: 'sql', state: 'completed', attempt: 1, result: { noted: 1 }, error: null },
    { id: dead, queue: 'chain', kind: 'sql', state: 'discarded', attempt: 1, result: null, error: all[1].error },
    { id: cancelled, queue: 'chain', kind: 'sql', state: 'cancelled', attempt: 0, result: null, error: 'cancelled' }])
  assert.match(all[1].error, /boom/)
  assert.deepEqual(all[0].args, { function: 'app.note', args: { n: 1 } })
})

test('E4: a running job that is cancelled stops, leaves nothing, and is not tried again', async () => {
  await close()
  const id = await enqueue('stop', 'wait', { n: 1 })
  await inState(id, 'executing')
  assert.equal(await value('SELECT pulse.cancel($1)', [id]), true)
  const row = await inState(id, 'cancelled')
  assert.equal(row.attempt, 1)
  assert.deepEqual(await sql('SELECT * FROM app.ran'), [])
  assert.equal(await value('SELECT pulse.cancel($1)', [id]), false)
})

test('E4: a job that is replaced, keeps its time and gets another priority is found in its new place', async () => {
  await close()
  await value(`SELECT pulse.configure_queue('moved', concurrency => 1)`)
  const first = await enqueue('moved', 'wait', { n: 1 })
  await inState(first, 'executing')
  const id = await enqueue('moved', 'note', { n: 2 }, `, unique_key => 'k'`)
  assert.equal(await enqueue('moved', 'note', { n: 3 }, `, unique_key => 'k', unique_mode => 'keep_run_at', priority => 5`), id)
  await open()
  await inState(id, 'completed')
  assert.deepEqual(await sql('SELECT n FROM app.ran ORDER BY n'), [{ n: 1 }, { n: 3 }])
})

test('E4: a paused queue starts nothing, others go on; resumed, it goes on', async () => {
  await value(`SELECT pulse.pause_queue('quiet')`)
  const held = await enqueue('quiet', 'note', { n: 1 })
  await inState(await enqueue('other', 'note', { n: 2 }), 'completed')
  assert.equal((await job(held)).state, 'available')
  await value(`SELECT pulse.resume_queue('quiet')`)
  await inState(held, 'completed')
})

test('E4: at most so many of a queue run at once, also when that is said while they wait', async () => {
  await close()
  await sql(`SELECT pulse.configure_queue('narrow', concurrency => 1)`)
  const ids = []
  for (let n = 0; n < 4; n++) ids.push(await enqueue('narrow', 'wait', { n }))
  await inState(ids[0], 'executing')
  await inState(await enqueue('wide', 'note', { n: 9 }), 'completed')
  assert.equal(await value(`SELECT count(*)::int FROM pulse.jobs WHERE queue = 'narrow' AND state = 'executing'`), 1)
  await open()
  for (const id of ids) await inState(id, 'completed')
  assert.equal(await value(`SELECT count(*)::int FROM app.ran a, app.ran b WHERE a.job < b.job AND a.n < 9 AND b.n < 9 AND a.ended > b.began`), 0)
})

test('E4: a running job does not hold its unique key; the waiting one is replaced', async () => {
  await close()
  const option = `, unique_key => 'k', unique_mode => 'replace'`
  const first = await enqueue('unique', 'wait', { n: 1 }, option)
  await inState(first, 'executing')
  await value(`SELECT pulse.pause_queue('unique')`)
  const second = await enqueue('unique', 'note', { n: 2 }, option), third = await enqueue('unique', 'note', { n: 3 }, option)
  assert.notEqual(second, first)
  assert.equal(third, second)
  await open()
  await value(`SELECT pulse.resume_queue('unique')`)
  await inState(third, 'completed')
  assert.deepEqual((await sql('SELECT n FROM app.ran ORDER BY n')).map(({ n }) => n), [1, 3])
})

test('E4: a dead letter that is redriven runs again, and its attempts are all there', async () => {
  await sql(`CREATE OR REPLACE FUNCTION app.mended(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not yet'; END $$`)
  const id = await enqueue('mend', 'mended', {}, ', max_attempts => 1')
  const dead = await inState(id, 'discarded')
  assert.deepEqual([dead.attempt, dead.errors.length], [1, 1])
  await sql(`CREATE OR REPLACE FUNCTION app.mended(args json) RETURNS json LANGUAGE sql AS $$ SELECT '"well"'::json $$`)
  assert.equal(await value('SELECT pulse.redrive($1::bigint)', [id]), true)
  const done = await inState(id, 'completed')
  assert.deepEqual([done.attempt, done.result, done.errors.map(({ attempt }) => attempt)], [2, 'well', [1]])
  assert.match(done.errors[0].error, /not yet/)
  assert.ok(done.errors[0].worker && done.errors[0].startedAt <= done.errors[0].finishedAt)
})

test('E4: whoever is in room queue:{name} hears of each change, when the queue wants it', async () => {
  await sql(`SELECT pulse.configure_queue(name, events => true) FROM unnest('{loud,pulse:on_end}'::text[]) AS name`)
  const socket = await pulse.io({ userId: 'operator' })
  for (const room of ['queue:loud', 'queue:pulse%3Aon_end']) assert.equal((await socket.emitWithAck('room:join', { room })).ok, true)
  const heard = []
  socket.onAny((event, payload) => heard.push({ event, ...payload }))
  const done = await enqueue('loud', 'note', { n: 1 })
  await inState(done, 'completed')
  const dead = await enqueue('loud', 'fail', {}, `, max_attempts => 1, on_end => 'app.ended'`)
  await inState(dead, 'discarded')
  await until(() => heard.length >= 9, { what: 'nine events' })
  const of = id => heard.filter(({ jobId }) => jobId === id).map(({ event, queue, state, attempt }) => [event, queue, state, attempt])
  assert.deepEqual(of(done), [['job:enqueued', 'loud', 'available', 0], ['job:started', 'loud', 'executing', 1], ['job:completed', 'loud', 'completed', 1]])
  assert.deepEqual(of(dead), [['job:enqueued', 'loud', 'available', 0], ['job:started', 'loud', 'executing', 1], ['job:discarded', 'loud', 'discarded', 1]])
  assert.deepEqual(heard.filter(({ queue }) => queue === 'pulse:on_end').map(({ event, state, attempt }) => [event, state, attempt]),
    [['job:enqueued', 'available', 0], ['job:started', 'executing', 1], ['job:completed', 'completed', 1]])
  const { error, at } = heard.findLast(({ event }) => event === 'job:discarded')
  assert.match(error, /boom/)
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('M9: the traceparent of a session goes through its job into what that publishes', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const client = await pulse.cluster.connect()
  await client.query(`SET pulse.traceparent = '${traceparent}'`)
  const { rows: [{ id }] } = await client.query(`SELECT pulse.enqueue('traced', 'sql', $1::json) AS id`, [args('tell', { n: 1 })])
  await client.end()
  await inState(id, 'completed')
  assert.equal(await value(`SELECT headers ->> 'traceparent' FROM pulse.events WHERE name = 'told'`), traceparent)
})

test('E4: a worker outside that waits gets a job that becomes due meanwhile, for its first attempt or another', async () => {
  const wait = () => sql(`SELECT id, attempt FROM pulse.fetch_jobs('late printer', 'printer 1', wait => '20 s')`)
  const id = await value(`SELECT pulse.enqueue('late printer', 'print', '{}', run_at => clock_timestamp() + interval '300 ms')`)
  assert.deepEqual(await wait(), [{ id, attempt: 1 }])
  assert.equal(await value(`SELECT pulse.nack($1, 1, 'paper jam')`, [id]), true)
  assert.deepEqual(await wait(), [{ id, attempt: 2 }])
  assert.equal(await value('SELECT pulse.ack($1, 2)', [id]), true)
})

test('E4: a worker outside fetches, prolongs, ends: done, failed and tried again, failed for good; a late word changes nothing', async () => {
  const ids = []
  for (let n = 1; n <= 3; n++) ids.push(await value(`SELECT pulse.enqueue('printer', 'print', $1::json, max_attempts => 2)`, [JSON.stringify({ page: n })]))
  const fetch = (most, wait = '5 s') => sql(`SELECT * FROM pulse.fetch_jobs('printer', 'printer 1', $1, lease => '1 min', wait => $2)`, [most, wait])
  const two = await fetch(2), one = await fetch(5)
  assert.deepEqual([...two, ...one].map(({ id, kind, args, attempt, max_attempts }) => ({ id, kind, args, attempt, max_attempts })),
    ids.map((id, n) => ({ id, kind: 'print', args: { page: n + 1 }, attempt: 1, max_attempts: 2 })))
  assert.deepEqual(await fetch(5, '0'), [])
  const [done, failed, bad] = ids
  assert.deepEqual(await sql(`SELECT worker, lease_until > now() + interval '50 s' AS leased FROM pulse.job($1)`, [done]), [{ worker: 'printer 1', leased: true }])
  assert.equal(await value(`SELECT pulse.heartbeat($1, 1, '10 min')`, [done]), true)
  assert.equal(await value(`SELECT lease_until > now() + interval '9 min' FROM pulse.job($1)`, [done]), true)
  assert.equal(await value(`SELECT pulse.ack($1, 1, '{"pages":1}')`, [done]), true)
  assert.equal(await value('SELECT pulse.ack($1, 1)', [done]), false)
  assert.equal(await value('SELECT pulse.heartbeat($1, 1)', [done]), false)
  assert.deepEqual([(await job(done)).state, (await job(done)).result], ['completed', { pages: 1 }])
  assert.equal(await value(`SELECT pulse.nack($1, 1, 'paper jam', retry_after => '0')`, [failed]), true)
  assert.equal(await value(`SELECT pulse.nack($1, 1, 'no such printer', permanent => true)`, [bad]), true)
  assert.deepEqual([(await job(bad)).state, (await job(bad)).last_error], ['discarded', 'no such printer'])
  await value('SELECT pulse.retry($1)', [failed])
  const [again] = await fetch(5)
  assert.deepEqual([again.id, again.attempt], [failed, 2])
  assert.equal(await value('SELECT pulse.ack($1, 1)', [failed]), false)
  assert.equal(await value('SELECT pulse.cancel($1)', [failed]), true)
  assert.equal(await value('SELECT pulse.heartbeat($1, 2)', [failed]), false)
})
