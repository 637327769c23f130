// E4: docs/how-to/queue.md, followed from its top to its end by somebody who has nothing but the page.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

const page = readFileSync(join(import.meta.dirname, '../../docs/how-to/queue.md'), 'utf8')
const examples = language => [...page.matchAll(new RegExp('^```' + language + '\\n(.*?)^```', 'gms'))].map(([, code]) => code)

let pulse
const value = (text, parameters) => pulse.value(text, parameters)
before(async () => { pulse = await startPulse() })
after(() => pulse?.stop())

test('E4: every statement of the page can be run, in its order, and does what the page says', async () => {
  for (const sql of examples('sql')) await pulse.sql(sql)
  assert.deepEqual(await until(async () => { const rows = await pulse.sql('SELECT * FROM app.receipts'); return rows.length > 0 && rows }, { what: 'the receipt' }),
    [{ order_id: '7', text: 'ann paid 12.50' }])
  assert.equal(await until(() => value(`SELECT state FROM pulse.jobs WHERE queue = 'ledger' AND finished_at IS NOT NULL`), { what: 'the booking' }), 'completed')
  assert.deepEqual(await pulse.sql(`SELECT count(*)::int AS jobs, max(unique_key) AS key FROM pulse.jobs WHERE queue = 'digests'`), [{ jobs: 1, key: 'digest:ann' }])
  assert.deepEqual(await pulse.sql(`SELECT concurrency, rate, per::text FROM pulse.queues WHERE name = 'newsletter'`), [{ concurrency: 4, rate: 100, per: '00:01:00' }])
  const operator = await pulse.io({ userId: 'o', role: 'operator' }), other = await pulse.io({ userId: 'p' })
  assert.equal((await operator.emitWithAck('room:join', { room: 'queue:push' })).ok, true)
  assert.equal((await other.emitWithAck('room:join', { room: 'queue:push' })).error.code, 'forbidden')
})

test('E4: the worker of the page renders what there is, says what it cannot, and hears of a cancel', async () => {
  const client = await pulse.cluster.connect()
  const [code] = examples('js').map(js => js.replace("'30 s'", "'10 s'").replace('30_000', '50'))
  let stopped
  const render = async (args, signal) => {
    if (args.file === 'broken.mov') throw new Error('no film')
    if (args.file === 'long.mov') return await new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(stopped = new Error('stopped'))))
    return args.file
  }
  const AsyncFunction = (async () => {}).constructor
  const worker = assert.rejects(new AsyncFunction('client', 'render', code)(client, render), 'until its connection ends')
  const enqueue = file => value(`SELECT pulse.enqueue('video', 'render', json_build_object('file', $1::text), max_attempts => 1)`, [file])
  const ended = id => until(async () => (await pulse.sql('SELECT state, result, last_error FROM pulse.job($1) WHERE finished_at IS NOT NULL', [id]))[0], { what: `job ${id}` })
  assert.deepEqual(await ended(await enqueue('b.mov')), { state: 'completed', result: 'b.mov', last_error: null })
  assert.deepEqual(await ended(await enqueue('broken.mov')), { state: 'discarded', result: null, last_error: 'no film' })
  const long = await enqueue('long.mov')
  await until(async () => await value('SELECT state FROM pulse.job($1)', [long]) === 'executing', { what: 'the long one' })
  assert.equal(await value('SELECT pulse.cancel($1)', [long]), true)
  assert.equal((await ended(long)).state, 'cancelled')
  assert.ok(stopped)
  assert.equal(await value(`SELECT result #>> '{}' FROM pulse.jobs WHERE queue = 'video' AND args ->> 'file' = 'a.mov'`), 'a.mov', 'the one of the page')
  await client.end()
  await worker
})
