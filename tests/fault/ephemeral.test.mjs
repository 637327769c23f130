// Ephemeral events when things break (E3): the memory overflows, nobody dispatches, the dispatcher or the server dies, the NOTIFY queue is full,
// pulse is not preloaded. What is lost is counted; durable events lose nothing.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.ephemeral_memory': '128kB', fsync: 'on' } })
  await until(() => cluster.value('SELECT epoch FROM _pulse.epochs'), { what: 'the first epoch' })
})
after(() => cluster?.drop())

const status = () => cluster.value('SELECT pulse.status()')
const counters = async () => (await status()).counters
const dispatcherPid = (other = null) => until(async () => {
  const { pid } = (await status()).dispatcher
  return pid !== null && pid !== other && pid
}, { what: 'a running dispatcher' })

// A bridge's ear: both kinds of notifications, the durable ones without a hole.
async function listen() {
  const client = await cluster.connect()
  const { epoch, channel } = (await cluster.sql('SELECT epoch, channel FROM _pulse.epochs ORDER BY number DESC LIMIT 1'))[0]
  const ear = { ephemeral: [], lines: [], sequences: [], dropped: 0, pids: new Set() }
  client.on('notification', ({ payload, processId }) => {
    assert.ok(Buffer.byteLength(payload) <= 7999, 'it fits')
    ear.pids.add(processId)
    const [header, ...lines] = payload.split('\n')
    const [ofEpoch, kind, sequence, dropped] = header.split(' ')
    assert.equal(ofEpoch, epoch)
    if (kind !== '~') {
      ear.lines.push(...lines.map(line => line.split('\t')[5]))
      return
    }
    ear.sequences.push(Number(sequence))
    ear.dropped = Number(dropped)
    for (const line of lines) {
      const fields = line.split('\t')
      assert.equal(fields.length, 4)
      ear.ephemeral.push(fields)
    }
  })
  await client.query(`LISTEN ${channel}`)
  ear.end = () => client.end().catch(() => {})
  return ear
}

const publish = (text, options = '') => cluster.sql(`SELECT pulse.publish('r', 'e', $1::text::json, ephemeral => true${options})`, [text])
const stopped = async (pid, body) => {
  process.kill(pid, 'SIGSTOP')
  try { return await body() } finally { process.kill(pid, 'SIGCONT') }
}

test('E3: notify.md: rooms, name, headers and payload to the byte, each notification with a sequence of its own', async () => {
  const ear = await listen()
  await cluster.sql(`SELECT pulse.publish(ARRAY['r1', $1], $1, E'{ "b" : 1.50,\n\t"a" : "x y" }', headers => '{ "traceparent": "00-1" }', except_session => 'k', ephemeral => true)`, ['a "b" \\ 🩸'])
  for (let n = 0; n < 3; n++) await publish('1')
  await until(() => ear.ephemeral.length === 4, { what: 'the notifications' })
  const [[rooms, name, headers, payload]] = ear.ephemeral
  assert.deepEqual(JSON.parse(rooms), ['r1', 'a "b" \\ 🩸'])
  assert.equal(JSON.parse(name), 'a "b" \\ 🩸')
  assert.equal(headers, '{"traceparent":"00-1","exceptSession":"k"}')
  assert.equal(payload, '{"b":1.50,"a":"x y"}')
  assert.deepEqual(ear.sequences, [...new Set(ear.sequences)].sort((a, b) => a - b))
  assert.deepEqual([...ear.pids], [await dispatcherPid()])
  await ear.end()
})

test('E3: a transaction without durable events writes no WAL of its own', async () => {
  const client = await cluster.connect()
  await client.query('BEGIN')
  await client.query(`SELECT pulse.publish('r', 'e', '1', ephemeral => true)`)
  assert.equal((await client.query('SELECT pg_current_xact_id_if_assigned() AS xid')).rows[0].xid, null)
  await client.query('COMMIT')
  await client.end()
})

test('E3: while the dispatcher stands still the memory overflows: the oldest are dropped and counted, and durable events wait unharmed', async () => {
  const ear = await listen()
  const before = await counters()
  const events = 3000, durable = 200
  await stopped(await dispatcherPid(), async () => {
    for (let n = 0; n < 30; n++)
      await cluster.sql(`SELECT pulse.publish('r', 'e', to_json($1 * 100 + n), ephemeral => true) FROM generate_series(1, 100) AS n`, [n])
    await cluster.sql(`SELECT pulse.publish('r', 'd', to_json(n)) FROM generate_series(1, $1::int) AS n`, [durable])
    const { ephemeralDropped } = await counters()
    assert.ok(ephemeralDropped > before.ephemeralDropped, 'already counted')
  })
  await until(() => ear.lines.length >= durable && ear.ephemeral.at(-1)?.[3] === String(events), { what: 'what is left' })
  assert.deepEqual(ear.lines, Array.from({ length: durable }, (_, n) => String(n + 1)))
  const now = await counters()
  const dropped = now.ephemeralDropped - before.ephemeralDropped
  assert.equal(dropped + ear.ephemeral.length, events)
  assert.deepEqual(ear.ephemeral.map(([, , , n]) => Number(n)), Array.from({ length: events - dropped }, (_, n) => dropped + n + 1), 'the newest are left, in order')
  assert.equal(ear.dropped, now.ephemeralDropped, 'and bridges are told')
  await ear.end()
})

test('E3, S3: one transaction with more than the memory holds: its first ones are dropped and counted, a throttled key keeps its last', async () => {
  const ear = await listen()
  const before = await counters()
  await cluster.sql(`BEGIN;
    SELECT pulse.publish('r', 'big', to_json(n || repeat('x', 5000)), ephemeral => true) FROM generate_series(1, 100) AS n;
    SAVEPOINT s;
    SELECT pulse.publish('r', 'taken back', to_json(n), ephemeral => true) FROM generate_series(1, 10) AS n;
    ROLLBACK TO s;
    SELECT pulse.publish('r', 'at', to_json(n), ephemeral => true, throttle => '1 second', throttle_key => 'last') FROM generate_series(1, 5000) AS n;
    COMMIT`)
  await publish('"after"')
  const of = name => ear.ephemeral.filter(([, found]) => found === `"${name}"`).map(([, , , payload]) => payload)
  await until(() => of('e').length === 1 && of('at').at(-1) === '5000', { what: 'the next one, and the last of the key' })
  assert.equal(of('taken back').length, 0)
  const big = of('big').map(text => Number.parseInt(JSON.parse(text)))
  assert.deepEqual(big, Array.from({ length: big.length }, (_, n) => 101 - big.length + n), 'of the others the last ones are left')
  const now = await counters()
  assert.ok(now.ephemeralDropped > before.ephemeralDropped)
  assert.equal(now.ephemeralDropped + now.ephemeralReplaced - before.ephemeralDropped - before.ephemeralReplaced + ear.ephemeral.length, 5101)
  await ear.end()
})

test('E3, S3: a dispatcher that is terminated loses at most what it had in hand; what waits for its throttle comes from its successor', async () => {
  const ear = await listen()
  const before = await counters()
  await publish('"first"', `, throttle => '3 seconds', throttle_key => 'k'`)
  await until(() => ear.ephemeral.length === 1, { what: 'the first' })
  await publish('"last"', `, throttle => '3 seconds', throttle_key => 'k'`)
  let pid = await dispatcherPid(), published = 0
  for (let round = 0; round < 3; round++) {
    const killed = cluster.sql('SELECT pg_terminate_backend($1)', [pid])
    for (let n = 0; n < 50; n++) { await publish('1'); published++; }
    await killed
    pid = await dispatcherPid(pid)
  }
  await cluster.sql(`SELECT pulse.publish('r', 'durable', '"end"')`)
  await until(() => ear.lines.at(-1) === '"end"', { what: 'a durable event' })
  await until(() => ear.ephemeral.some(([, , , payload]) => payload === '"last"'), { what: 'the trailing edge' })
  const now = await counters()
  assert.equal(ear.ephemeral.length + now.ephemeralDropped - before.ephemeralDropped, published + 2, 'each was sent or counted')
  assert.equal(new Set(ear.sequences).size, ear.sequences.length, 'none twice')
  await ear.end()
})

test('E3: what waited for ten seconds is not worth telling any more', async () => {
  const ear = await listen()
  const before = await counters()
  await stopped(await dispatcherPid(), async () => {
    await publish('"old"')
    const since = Date.now()
    await until(() => Date.now() - since > 10_500, { what: 'ten seconds' })
    await publish('"new"')
  })
  await until(() => ear.ephemeral.length > 0, { what: 'the new one' })
  assert.deepEqual(ear.ephemeral.map(([, , , payload]) => payload), ['"new"'])
  assert.equal((await counters()).ephemeralDropped - before.ephemeralDropped, 1)
  await ear.end()
})

test('E3: above the threshold of the NOTIFY queue ephemeral events are dropped, durable ones announced by wake-ups', async () => {
  const stuck = await cluster.connect()
  await stuck.query('LISTEN anything')
  await stuck.query('BEGIN')
  for (let i = 0; i < 5; i++) await cluster.sql(`SELECT pulse.publish('fill', 'fill', to_json(repeat(md5(n::text), 150))) FROM generate_series(1, 20) AS n`)
  await until(async () => await cluster.value('SELECT pg_notification_queue_usage()') > 0, { what: 'a queue in use' })
  await cluster.set('pulse.notify_queue_threshold', 0)
  const before = await counters()
  await until(async () => {
    await publish('1')
    return (await counters()).ephemeralDropped > before.ephemeralDropped
  }, { what: 'one dropped', every: 60 })
  const { position } = await status()
  await cluster.sql(`SELECT pulse.publish('r', 'd', '1')`)
  await until(async () => (await status()).position === position + 1, { what: 'a position for the durable one' })
  await stuck.query('ROLLBACK')
  await stuck.end()
  await cluster.set('pulse.notify_queue_threshold', 0.5)
  const ear = await listen()
  await until(async () => {
    await publish('2')
    return ear.ephemeral.length > 0
  }, { what: 'one sent', every: 60 })
  await ear.end()
})

for (const [what, accident] of [
  ['a dispatcher killed with -9', async () => process.kill(await dispatcherPid(), 'SIGKILL')],
  ['a postmaster killed with -9', async () => {
    const pid = cluster.postmasterPid
    process.kill(pid, 'SIGKILL')
    await until(() => { try { process.kill(pid, 0); return false } catch { return true } }, { what: 'the end of the postmaster' })
    await until(async () => { await cluster.start(); return true }, { what: 'a start', every: 200 })
  }]
]) {
  test(`E3: ${what} takes ephemeral events along, no durable one, and the next ones flow`, async () => {
    await cluster.sql(`SELECT pulse.publish('r', 'waits', '1', ephemeral => true, throttle => '1 hour') FROM generate_series(1, 3)`)
    const events = Number(await cluster.value('SELECT count(*) FROM pulse.events'))
    const epoch = (await status()).epoch
    const client = await cluster.connect()
    await client.query('BEGIN')
    await client.query(`SELECT pulse.publish('r', 'd', '1'), pulse.publish('r', 'e', '1', ephemeral => true)`)
    await client.query('COMMIT')
    await accident()
    await client.end().catch(() => {})
    await until(async () => { const now = await status(); return now.epoch !== epoch && now.dispatcher.running && now.dispatcher.lagEvents === 0 }, { what: 'a new epoch' })
    assert.equal(Number(await cluster.value('SELECT count(*) FROM pulse.events')), events + 1)
    assert.equal((await status()).position, events + 1, 'dense')
    assert.equal((await counters()).ephemeralDropped, 0, 'the counts begin anew')
    const ear = await listen()
    await publish('"again"')
    await until(() => ear.ephemeral.length > 0, { what: 'an event' })
    assert.deepEqual(ear.ephemeral.map(([, , , payload]) => payload), ['"again"'])
    await ear.end()
  })
}

test('E3: two databases, one of them without a dispatcher, do not get into each other\'s way; a dropped one leaves nothing behind', async () => {
  await cluster.sql('CREATE DATABASE dead', [], 'postgres')
  await cluster.sql('CREATE EXTENSION pulse', [], 'dead')
  await cluster.sql(`SELECT pulse.publish('r', 'dead', to_json(n), ephemeral => true, throttle => CASE WHEN n % 10 = 0 THEN interval '1 s' END, throttle_key => n::text) FROM generate_series(1, 2000) AS n`, [], 'dead')
  const before = await counters()
  const ear = await listen()
  for (let n = 0; n < 50; n++) await publish(String(n))
  await until(() => ear.ephemeral.length >= 50, { what: 'all of the living one' })
  assert.ok(ear.ephemeral.every(([, name]) => name === '"e"'))
  assert.equal((await counters()).ephemeralDropped, before.ephemeralDropped)
  await until(async () => { await cluster.sql('DROP DATABASE dead', [], 'postgres'); return true }, { what: 'the drop' })
  await cluster.sql('CREATE DATABASE heir', [], 'postgres')
  await cluster.sql('CREATE EXTENSION pulse', [], 'heir')
  const { ephemeralDropped, ephemeralEvents } = (await cluster.value('SELECT pulse.status()', [], 'heir')).counters
  assert.deepEqual([ephemeralDropped, ephemeralEvents], [0, 0])
  await ear.end()
})

test('E3: without shared_preload_libraries ephemeral events and samples are refused with what to do; durable ones are stored', async () => {
  await cluster.set('shared_preload_libraries', 'plpgsql')   // something else
  await cluster.restart()
  const refused = async statement => cluster.sql(statement).then(() => assert.fail('it did not fail'), error => error)
  for (const statement of [`SELECT pulse.publish('r', 'e', '1', ephemeral => true)`, `SELECT pulse.sampled('k', 10)`]) {
    const error = await refused(statement)
    assert.equal(error.code, '55000')
    assert.match(error.message, /pulse is not preloaded/)
    assert.match(error.hint, /shared_preload_libraries = 'plpgsql,pulse'/)
  }
  assert.ok(Number(await cluster.value(`SELECT pulse.publish('r', 'd', '1')`)) > 0)
  const { ephemeralEvents } = await counters()
  assert.equal(ephemeralEvents, 0)
})
