// Who enqueues wakes the foreman when something can begin, and only then: nothing is slept over, and a queue in which nothing can begin costs no
// wake-up. A wake-up that is lost would be made good by the foreman's look after half a minute: each wait here is shorter.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import { createQueue } from '../support/jobs.mjs'
import { Random } from '../support/random.mjs'
import { until } from '../support/wait.mjs'

const rounds = 150
const timeout = 15_000
const seed = Number(process.env.SEED ?? 7)

let queue, cluster, one, two
before(async () => {
  queue = await createQueue({ 'pulse.job_workers': 2 })
  ;({ cluster } = queue)
  await cluster.sql(`SELECT pulse.job_kind('out', 'external')`)
  one = await cluster.connect()
  two = await cluster.connect()
})
after(async () => {
  await Promise.all([one?.end(), two?.end()])
  await cluster?.drop()
})
afterEach(() => cluster.sql(`SELECT pulse.resume_queue('q'), pulse.configure_queue('q', concurrency => 0, rate => 0), pulse.purge_queue('q')`))

const enqueue = async (client, priority = 0) =>
  (await client.query(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","args":{}}', priority => $1) AS id`, [priority])).rows[0].id
const settled = id => until(() => cluster.value('SELECT NOT EXISTS (SELECT FROM _pulse.jobs WHERE id = $1)', [id]), { what: `the end of job ${id}`, timeout, every: 2 })
// Some time within the foreman's next steps: a few of its passes long.
const a_moment = random => {
  const end = process.hrtime.bigint() + BigInt(random.integer(0, 3_000_000))
  while (process.hrtime.bigint() < end);
}
const switches = pid => Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])

test(`E4: a job that comes while its queue is being resumed is not slept over (SEED=${seed})`, async () => {
  const random = new Random(seed, 'resume')
  for (let round = 0; round < rounds; round++) {
    await one.query(`SELECT pulse.pause_queue('q')`)
    const waits = await enqueue(two)
    const resumed = one.query(`SELECT pulse.resume_queue('q')`)
    a_moment(random)
    const id = await enqueue(two, round)   // another lane each time
    await resumed
    await settled(id)
    await settled(waits)
  }
})

test(`E4: a job that comes while the last one of its queue's limit ends is not slept over (SEED=${seed})`, async () => {
  const random = new Random(seed, 'limit')
  await cluster.sql(`SELECT pulse.configure_queue('q', concurrency => 1)`)
  for (let round = 0; round < rounds; round++) {
    const first = enqueue(one)
    a_moment(random)
    const ids = await Promise.all([first, enqueue(two, round)])
    for (const id of ids) await settled(id)
  }
})

test('E4: a job that comes while the rate is used up begins when it is not', async () => {
  await cluster.sql(`SELECT pulse.configure_queue('q', rate => 2, per => '300 ms')`)
  const ids = []
  for (let n = 0; n < 7; n++) ids.push(await enqueue(one))
  for (const id of ids) await settled(id)
})

test('E4: a job that comes while all workers are taken begins with the next that is free', async () => {
  await cluster.sql('TRUNCATE app.gate')
  const busy = [0, 1].map(() => cluster.value(`SELECT pulse.enqueue('gated', 'sql', '{"function":"app.note","args":{"gate":"g"}}', max_attempts => 1)`))
  for (const id of await Promise.all(busy))
    await until(() => cluster.value(`SELECT state = 'executing' FROM _pulse.jobs WHERE id = $1`, [id]), { what: `the begin of job ${id}` })
  const alone = await cluster.value(`SELECT pulse.enqueue('q', 'sql', '{"function":"app.note","args":{}}', max_attempts => 1)`)
  const ids = [alone, await enqueue(one), await enqueue(two)]
  assert.equal(await cluster.value(`SELECT count(*)::int FROM _pulse.jobs WHERE id = $1`, [alone]), 1)
  await cluster.sql(`INSERT INTO app.gate VALUES ('g')`)
  for (const id of ids) await settled(id)
})

test(`E4: a job for workers outside is had by who comes for it, and by who waits (SEED=${seed})`, async () => {
  const random = new Random(seed, 'fetch')
  for (let round = 0; round < 50; round++) {
    const fetched = one.query(`SELECT id, attempt FROM pulse.fetch_jobs('out', 'worker', wait => '15 s')`)
    a_moment(random)
    const { id } = (await two.query(`SELECT pulse.enqueue('out', 'out', '{}') AS id`)).rows[0]
    assert.deepEqual((await fetched).rows, [{ id, attempt: 1 }])
    await one.query('SELECT pulse.ack($1, 1)', [id])
  }
})

test('E4: what is enqueued where nothing can begin wakes nobody', async () => {
  const [pid] = await queue.pids('foreman')
  const jobs = 300
  const woken = async (queue, kind) => {
    const before = switches(pid)
    for (let n = 0; n < jobs; n++) await one.query(`SELECT pulse.enqueue($1, $2, '{"function":"app.note","args":{}}')`, [queue, kind])
    return switches(pid) - before
  }
  await cluster.sql(`SELECT pulse.pause_queue('still')`)
  await woken('still', 'sql')
  const paused = await woken('still', 'sql'), unwanted = await woken('unwanted', 'out'), open = await woken('q', 'sql')
  assert.ok(paused < jobs / 3 && unwanted < jobs / 3 && open > jobs / 3, `of ${jobs} jobs: paused ${paused}, nobody fetches ${unwanted}, open ${open}`)
  await cluster.sql(`SELECT pulse.resume_queue('still')`)
  await until(() => cluster.value(`SELECT NOT EXISTS (SELECT FROM _pulse.jobs WHERE queue <> 'unwanted')`), { what: 'the end of all that waited' })
  assert.equal((await one.query(`SELECT count(*)::int FROM pulse.fetch_jobs('unwanted', 'worker', max_jobs => 100)`)).rows[0].count, 100)
})
