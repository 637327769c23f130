// Degraded modes: pulse is not preloaded, no dispatcher runs, the dispatcher hangs, a listener that sits in a transaction fills the NOTIFY
// queue. In each, users' transactions go on committing, pulse.status() and /ready say what is wrong and what to do, the sockets stay, and
// afterwards they have everything that was committed, once and in order.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse, clients
const published = []   // the numbers whose commit was confirmed, in order
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
  await pulse.sql(`CREATE TABLE app.orders (n int); SELECT pulse.watch('app.orders', 'order', ARRAY['open:d'])`)
  const socket = await pulse.io({ userId: 'io' }), native = await pulse.ws({ userId: 'native' })
  assert.equal((await socket.emitWithAck('room:join', { room: 'open:d' })).ok, true)
  await native.frames.atLeast(1)
  native.send(JSON.stringify({ type: 'join', room: 'open:d', id: 1 }))
  await native.frames.atLeast(2)
  const numbers = gather(socket, 'order')
  clients = {
    connected: () => socket.connected && native.readyState === native.OPEN,
    got: () => ({
      io: numbers.items.map(([{ n }]) => n),
      native: native.frames.items.map(([data]) => JSON.parse(data)).filter(({ event }) => event === 'order').map(({ args }) => args[0].n)
    })
  }
})
after(() => pulse?.stop())

// Users' transactions: one that publishes, one that is rolled back, a few at once.
async function transactions(count = 20) {
  const client = await pulse.cluster.connect()
  for (let i = 0; i < count; i++) {
    const n = published.length + 1
    await client.query('BEGIN')
    await client.query('INSERT INTO app.orders VALUES ($1)', [-n])
    await client.query('ROLLBACK')
    await client.query(`INSERT INTO app.orders VALUES ($1)`, [n])
    published.push(n)
  }
  await client.end()
}

const status = () => pulse.value('SELECT pulse.status()')
const set = async (name, value) => {
  await pulse.sql(`ALTER SYSTEM SET ${name} = '${value}'`)
  await pulse.sql('SELECT pg_reload_conf()')
}
// What an operator's /ready says, once it names a problem like `wanted` (it asks every few seconds), and is ready or not, for this reason.
const told = (wanted, reason) => until(async () => {
  const answer = await fetch(`${pulse.bridge.internalUrl}/ready`), body = await answer.json()
  return body.reason === reason && body.problems?.some(({ problem }) => wanted.test(problem)) && { status: answer.status, ...body }
}, { what: `/ready telling ${wanted}` })

async function allDelivered() {
  await until(() => Object.values(clients.got()).every(numbers => numbers.length >= published.length), { what: 'delivery of all that was committed' })
  const fence = published.length + 1   // behind it nothing comes that was published before
  await pulse.sql('INSERT INTO app.orders VALUES ($1)', [fence])
  published.push(fence)
  await until(() => Object.values(clients.got()).every(numbers => numbers.includes(fence)), { what: 'the fence' })
  assert.deepEqual(clients.got(), { io: published, native: published })
  assert.ok(clients.connected(), 'the sockets stayed')
  await until(async () => (await status()).problems.length === 0, { what: 'no problem any more' })
  await until(async () => (await (await fetch(`${pulse.bridge.internalUrl}/ready`)).json()).problems === undefined, { what: '/ready naming no problem' })
  await pulse.bridge.ready()
}

test('all is well: everything arrives and no problem is named', async () => {
  await transactions()
  await allDelivered()
})

test('E1: pulse is not preloaded: events are stored, it is said, and they are delivered after the restart that the hint asks for', async () => {
  await pulse.sql(`ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'`)
  await pulse.cluster.restart()
  await transactions()
  const { preloaded, dispatcher, problems: [first] } = await status()
  assert.deepEqual([preloaded, dispatcher.running, dispatcher.lagEvents], [false, false, 20])
  assert.deepEqual(first, {
    problem: 'pulse is not preloaded: events are stored, but nobody dispatches them',
    hint: `Set shared_preload_libraries = 'auto_explain, pulse' in postgresql.conf and restart PostgreSQL.`
  })
  const ready = await told(/pulse is not preloaded/, 'no dispatcher is running')
  assert.deepEqual([ready.status, ready.ready], [503, false])
  assert.deepEqual(ready.problems[0], first)
  assert.ok(clients.connected())
  assert.ok(clients.got().io.length < published.length)
  await pulse.sql(`ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'pulse'`)
  await pulse.cluster.restart()
  await allDelivered()
})

test('E1: no dispatcher, because the database is not in pulse.databases: the statement of the hint brings everything', async () => {
  await set('pulse.databases', '')
  await until(async () => !(await status()).dispatcher.running, { what: 'the dispatcher leaving' })
  await transactions()
  const { dispatcher, problems: [first] } = await status()
  assert.equal(dispatcher.lagEvents, 20)
  assert.deepEqual(first, {
    problem: 'database pulse is not in pulse.databases: it has no dispatcher',
    hint: `ALTER SYSTEM SET pulse.databases = 'pulse'; SELECT pg_reload_conf();`
  })
  const ready = await told(/is not in pulse\.databases/, 'no dispatcher is running')
  assert.deepEqual([ready.status, ready.problems[0]], [503, first])
  assert.deepEqual(await (await fetch(`${pulse.bridge.url}/ready`)).json(), { ready: false, reason: 'no dispatcher is running' }, 'the public learns no more')
  for (const statement of first.hint.split(';').filter(text => text.trim())) await pulse.sql(statement)
  await allDelivered()
})

test('E1: a dispatcher that hangs: events wait, it is said, and they come when it goes on', async () => {
  const { pid } = (await status()).dispatcher
  process.kill(pid, 'SIGSTOP')
  try {
    await transactions()
    const ready = await told(/^the dispatcher has not looked for \d+ s, and 20 events wait$/)
    assert.equal(ready.problems[0].hint, `See what it waits for: SELECT wait_event_type, wait_event, pg_blocking_pids(pid) FROM pg_stat_activity WHERE pid = ${pid};`)
    assert.deepEqual((await status()).problems[0].hint, ready.problems[0].hint)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await allDelivered()
})

test('E1: somebody locks the log: the dispatcher waits, the hint finds the culprit, and everything comes when he is gone', async () => {
  const culprit = await pulse.cluster.connect()
  await culprit.query('BEGIN; LOCK TABLE pulse.deliveries IN SHARE MODE')
  await transactions()
  const { problems: [{ hint }] } = await until(async () => { const found = await status(); return /has not looked/.test(found.problems[0]?.problem) && found }, { what: 'the problem' })
  const [{ wait_event_type: type, pg_blocking_pids: blocking }] = await pulse.sql(/SELECT .*;/.exec(hint)[0])
  assert.deepEqual([type, blocking], ['Lock', [culprit.processID]])
  await culprit.query('ROLLBACK')
  await culprit.end()
  await allDelivered()
})

test('E1: a listener that sits in a transaction fills the NOTIFY queue: events still arrive, it is said which session to look for', async () => {
  const stuck = await pulse.cluster.connect()
  await stuck.query('LISTEN anything')
  await stuck.query('BEGIN')
  // One page of the queue in use is more than nothing; the threshold is lowered instead of filling gigabytes.
  await until(async () => {
    await pulse.sql(`SELECT pulse.publish('fill', 'fill', to_json(repeat(md5(n::text), 150))) FROM generate_series(1, 20) AS n`)
    return await pulse.value('SELECT pg_notification_queue_usage() > 0')
  }, { what: 'a queue in use' })
  await set('pulse.notify_queue_threshold', 0)
  const ready = await told(/^[\d.]+ % of the NOTIFY queue is in use$/)
  assert.deepEqual([ready.status, ready.ready], [200, true], 'the bridge goes on, by wake-ups')
  assert.equal(ready.problems[0].hint, 'A session that listens stays in one transaction: look for old xact_start in pg_stat_activity.')
  assert.deepEqual((await status()).problems[0].hint, ready.problems[0].hint)
  const { counters: { wakeUps } } = await status()
  for (let round = 0; round < 5; round++) await transactions(10)
  await until(() => Object.values(clients.got()).every(numbers => numbers.length >= published.length), { what: 'delivery while the queue is in use' })
  assert.ok((await status()).counters.wakeUps > wakeUps, 'by wake-ups')
  const oldest = await pulse.value(`SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1`)
  assert.equal(oldest, stuck.processID, 'the hint finds it')
  await pulse.sql('SELECT pg_terminate_backend($1)', [oldest])
  await until(() => pulse.value('SELECT pg_notification_queue_usage() = 0'), { what: 'an empty queue' })
  await allDelivered()
  await set('pulse.notify_queue_threshold', 0.5)
})
