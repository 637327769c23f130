// What the workers know of the extension is what was committed, however it was done: dropped and created in one transaction, taken back
// by a savepoint, prepared; and a job enqueued while the worker waits for something else is not forgotten.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster, client
before(async () => {
  // Long enough that nothing here can be the safety tick's doing.
  cluster = await Cluster.create({ settings: { 'pulse.dispatch_safety_interval': '1h' } })
  client = await cluster.connect()
})
after(async () => {
  await client?.end()
  await cluster?.drop()
})

const value = async (text, parameters) => Object.values((await client.query(text, parameters)).rows[0] ?? {})[0]
const pids = async () => (await client.query(
  `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'pulse %' ORDER BY backend_type`)).rows.map(row => row.pid)
// A dispatcher, a foreman and two job workers.
const allWork = () => until(async () => (await pids()).length === 4, { what: 'all workers' })
const dispatches = async () => {
  const id = await value(`SELECT pulse.publish('room', 'event', '1'::json)`)
  await until(() => value('SELECT true FROM pulse.deliveries WHERE event_id = $1', [id]), { what: 'a delivery' })
}
const runsJobs = async () => {
  await client.query('CREATE OR REPLACE FUNCTION job(args json) RETURNS json LANGUAGE sql RETURN args')
  const id = await value(`SELECT pulse.enqueue('q', 'sql', '{"function":"job"}')`)
  await until(async () => await value('SELECT count(*) FROM _pulse.jobs WHERE id = $1', [id]) === '0', { what: 'the job' })
}
const epoch = () => value(`SELECT pulse.bridge_hello('b')`)
const works = async () => {
  await allWork()
  await dispatches()
  await runsJobs()
}

test('dropped and created in one transaction: its events are dispatched from position 1, and bridges are told', async () => {
  await works()
  await client.query('BEGIN; DROP EXTENSION pulse; CREATE EXTENSION pulse; COMMIT')
  await works()
  assert.equal(await value('SELECT count(*) FROM _pulse.epochs'), '1')
  const hello = await epoch()
  const listener = await cluster.connect()
  try {
    const told = []
    listener.on('notification', message => told.push(message.payload))
    await listener.query(`LISTEN "${hello.channel}"`)
    await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`)
    await until(() => told.some(payload => payload.startsWith(`${hello.epoch} ${hello.position + 1} `)), { what: 'the notification' })
  } finally {
    await listener.end()
  }
})

test('a DROP EXTENSION that a savepoint takes back changes nothing', async () => {
  await works()
  const before = await epoch(), running = await pids()
  await client.query('BEGIN; SAVEPOINT s; DROP EXTENSION pulse; ROLLBACK TO s; COMMIT')
  await dispatches()
  assert.deepEqual([(await epoch()).epoch, await pids()], [before.epoch, running])
  for (const pid of running) await client.query('SELECT pg_terminate_backend($1)', [pid])
  await until(async () => (await pids()).every(pid => !running.includes(pid)), { what: 'the end of the workers' })
  await works()
})

test('a CREATE EXTENSION that was prepared brings the workers when it is committed', async () => {
  await client.query('DROP EXTENSION pulse')
  await until(async () => (await pids()).length === 0, { what: 'the end of the workers' })
  await client.query('BEGIN; CREATE EXTENSION pulse')
  await client.query(`PREPARE TRANSACTION 'created'`)
  assert.deepEqual(await pids(), [])
  await client.query(`COMMIT PREPARED 'created'`)
  await works()
})

test('DROP SCHEMA … CASCADE takes the extension, and the next one has workers too', async () => {
  await client.query('DROP EXTENSION pulse; CREATE SCHEMA home; CREATE EXTENSION pulse SCHEMA home')
  await works()
  await client.query('DROP SCHEMA home CASCADE')
  await until(async () => (await pids()).length === 0, { what: 'the end of the workers' })
  await client.query('CREATE EXTENSION pulse')
  await works()
})

test('a job enqueued while the worker waits for a standby runs afterwards', async () => {
  await works()
  await client.query('SET synchronous_commit = local')
  await client.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
  await client.query('SELECT pg_reload_conf()')
  await until(async () => await value(`SELECT setting FROM pg_settings WHERE name = 'synchronous_standby_names'`) === 'nobody')
  try {
    await runsJobs()   // committed here; the worker waits for its standby now
    await client.query(`SELECT pulse.enqueue('q', 'sql', '{"function":"job"}')`)
  } finally {
    await client.query('ALTER SYSTEM RESET synchronous_standby_names')
    await client.query('SELECT pg_reload_conf()')
  }
  await until(async () => await value('SELECT count(*) FROM _pulse.jobs') === '0', { what: 'the second job' })
})

test('an index that the dispatcher cannot serve stops it with a hint, not the server', async () => {
  await works()
  const postmaster = cluster.postmasterPid, started = await value('SELECT pg_postmaster_start_time()::text'), seen = cluster.log.length
  await client.query('CREATE INDEX by_length ON pulse.deliveries (length(room))')
  const id = await value(`SELECT pulse.publish('room', 'event', '1'::json)`)
  await until(() => /index "deliveries_0_length_idx" is unique, partial or has expressions[^]*drop it/.test(cluster.log.slice(seen)), { what: 'the hint in the log' })
  await client.query('DROP INDEX pulse.by_length')
  await until(() => value('SELECT true FROM pulse.deliveries WHERE event_id = $1', [id]), { what: 'the delivery' })
  assert.deepEqual([cluster.postmasterPid, await value('SELECT pg_postmaster_start_time()::text')], [postmaster, started])
  assert.doesNotMatch(cluster.log.slice(seen), /terminated by signal/)
})
