// E4: whose turn it is, what counts towards a rate, and how an attempt ends that is not its worker's any more.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { createQueue } from '../support/jobs.mjs'
import { until } from '../support/wait.mjs'

let queue, sql, value, enqueue
before(async () => {
  queue = await createQueue({ 'pulse.job_workers': 2, fsync: 'on' })
  ;({ sql, value, enqueue } = queue)
})
after(() => queue?.cluster.drop())
afterEach(() => queue.clean())

test('E4: keys with much to do do not starve what is more urgent, nor other keys', async () => {
  await sql(`SELECT pulse.configure_queue('q', concurrency => 2), pulse.pause_queue('q')`)
  for (const key of ['a', 'b'])
    await sql(`SELECT pulse.enqueue('q', 'sql', json_build_object('function', 'app.note', 'args', json_build_object('key', $1::text, 'sleep', 0.002, 'gate', CASE n WHEN 20 THEN 'go on' END)), partition_key => $1) FROM generate_series(1, 100) AS n`, [key])
  await sql(`SELECT pulse.resume_queue('q')`)
  await queue.areDone(38)   // and the next of both wait for the gate
  const urgent = await enqueue({ key: 'urgent' }, ', priority => -100'), keyed = await enqueue({ key: 'c' }, `, partition_key => 'c', priority => -1`)
  await queue.open('go on')
  await queue.areDone(202)
  const after = (await queue.done()).filter(row => row.job > urgent || row.job > keyed || ['a', 'b'].includes(row.key))
  const place = key => after.findIndex(row => row.key === key)
  // It is their turn at the next end, and 160 others wait.
  assert.ok(place('urgent') < 60 && place('c') < 60, `${place('urgent')}, ${place('c')}`)
})

test('E4: what an attempt did that was not its worker\'s any more is not committed', async () => {
  const id = await enqueue({ gate: 'late', n: 1 })
  await queue.workerOf(id)
  await sql('UPDATE _pulse.jobs SET attempt = 2 WHERE id = $1', [id])   // as if somebody had claimed it again
  await queue.open('late')
  const lost = await until(async () => { const row = await queue.job(id); return (row === undefined || row.worker === null) && (await queue.pids('worker')).length === 2 && /ended by somebody else/.test(queue.cluster.log) }, { what: 'the end of the worker' })
  assert.ok(lost)
  assert.deepEqual(await queue.done(), [])
  await queue.isDone(await enqueue({ n: 2 }))
  assert.deepEqual((await queue.done()).map(row => row.n), [2])
})

test('E4: a job that was begun with others and is gone before it is begun again holds up nobody', async () => {
  await queue.many(300)
  await queue.areDone(300)   // so they are known to be fast, and are given many at once
  const keeper = await queue.cluster.connect()
  try {
    await keeper.query(`SET lock_timeout = '1 s'`)
    await until(async () => {
      await sql(`SELECT pulse.pause_queue('q')`)
      await queue.many(20)
      const slow = await enqueue({ gate: 'never' })
      await sql(`SELECT pulse.resume_queue('q')`)
      await queue.workerOf(slow)
      await keeper.query('BEGIN')
      // While the transaction of the others is open, which gives it up after a tenth of a second. When this comes later, once more.
      try {
        await keeper.query('LOCK TABLE _pulse.jobs IN ACCESS EXCLUSIVE MODE')
      } catch {
        await keeper.query('ROLLBACK')
        await sql('SELECT pulse.cancel($1)', [slow])
        return false
      }
      const { rowCount } = await keeper.query('DELETE FROM _pulse.jobs WHERE id = $1', [slow])
      await keeper.query('COMMIT')
      return rowCount === 1
    }, { what: 'a job being given up and taken away' })
    await sql('TRUNCATE app.done')
    const both = [await enqueue({ gate: 'free' }), await enqueue({ gate: 'free' })]   // both workers are there for others
    for (const id of both) await queue.workerOf(id)
    await queue.open('free')
    for (const id of both) await queue.isDone(id)
  } finally {
    await keeper.end()
  }
})

test('E4: a job that was cancelled and fails for the last time is cancelled, no dead letter', async () => {
  const ids = [await enqueue({ gate: 'last', fail: true }, ', max_attempts => 1'), await enqueue({ gate: 'last', fail: true })]
  for (const id of ids) await queue.workerOf(id)
  await sql('UPDATE _pulse.jobs SET cancelled_at = clock_timestamp()')   // asked, and no news of it have come
  await queue.open('last')
  for (const id of ids) await queue.inHistory(id, 'cancelled')
  assert.equal(await value('SELECT count(*)::int FROM _pulse.dead_letters'), 0)
})

test('E4: a rate survives idle time without reading what has ended, and a longer window counts what the shorter one forgot', async () => {
  await sql(`SELECT pulse.configure_queue('q', rate => 5, per => '100 ms')`)
  const reads = () => value(`SELECT (seq_scan + coalesce(idx_scan, 0))::int FROM pg_stat_user_tables WHERE relid = '_pulse.dead_letters'::regclass`)
  const quiet = () => until(async () => { const one = await reads(); await new Promise(resolve => setTimeout(resolve, 1500)); return one === await reads() && one + 1 }, { what: 'quiet counters' })
  await queue.isDone(await enqueue({ n: 0 }))
  const before = await quiet()
  for (let n = 1; n <= 4; n++) await queue.isDone(await enqueue({ n }))
  assert.equal(await quiet(), before)
  await sql(`SELECT pulse.configure_queue('q', rate => 5, per => '1 hour')`)
  const sixth = await enqueue({ n: 5 })
  await queue.isDone(await enqueue({ n: 6 }, '', 'other'))
  assert.equal((await queue.job(sixth)).state, 'available')
})

test('E4: what a job returns is told to its on_end job when it is short', async () => {
  await sql(`CREATE FUNCTION app.returns(args json) RETURNS json LANGUAGE sql RETURN to_json(repeat('x', (args ->> 'size')::int));
    CREATE TABLE app.told (result int); CREATE FUNCTION app.tell(args json) RETURNS json LANGUAGE sql AS $$ INSERT INTO app.told VALUES (length(args ->> 'result')) RETURNING null::json $$`)
  for (const size of [1000, 2_000_000]) {
    await sql(`SELECT pulse.enqueue('q', 'sql', json_build_object('function', 'app.returns', 'args', json_build_object('size', $1::int)), on_end => 'app.tell')`, [size])
    await until(() => value('SELECT count(*) = $1 FROM app.told', [size === 1000 ? 1 : 2]), { what: 'on_end' })
  }
  assert.deepEqual(await sql('SELECT result FROM app.told ORDER BY 1 NULLS LAST'), [{ result: 1000 }, { result: null }])
})

test('E4: a job begins when its claim is on disk, although its worker was given it before', async () => {
  await sql(`TRUNCATE _pulse.jobs; CREATE EXTENSION pageinspect; CREATE TABLE app.begun (on_disk bool);
    CREATE FUNCTION app.look(args json) RETURNS json LANGUAGE sql AS $$
      INSERT INTO app.begun SELECT max((page_header(get_raw_page('_pulse.jobs', page::int))).lsn) <= pg_current_wal_flush_lsn() FROM generate_series(0, pg_relation_size('_pulse.jobs') / 8192 - 1) AS page
      RETURNING null::json $$`)
  for (let n = 1; n <= 15; n++) {   // so few that no page of the table is full, which would have it tidied up
    await sql(`SELECT pulse.enqueue('q', 'sql', '{"function": "app.look"}')`)
    await until(() => value(`SELECT count(*) = ${n} FROM app.begun`), { what: `job ${n}` })
    await until(() => value('SELECT NOT EXISTS (SELECT FROM _pulse.jobs)'), { what: `the end of job ${n}` })
  }
  assert.deepEqual(await sql('SELECT DISTINCT on_disk FROM app.begun'), [{ on_disk: true }])
})
