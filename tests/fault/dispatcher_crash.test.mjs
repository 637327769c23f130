// E1, E2: the dispatcher and the server die in every way, under load; each committed event has one position, in order, and a
// restart of the server opens a new epoch whose positions go on.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  cluster = await Cluster.create({ settings: { fsync: 'on', 'pulse.dispatch_chunk': 200 } })
  await until(async () => (await epochs()).length === 1, { what: 'the first epoch' })
})
after(() => cluster?.drop())

const status = async () => cluster.value('SELECT pulse.status()')
const drained = () => until(async () => (await status()).dispatcher.lagEvents === 0, { what: 'an empty backlog' })
const dispatcherPid = (other = null) => until(async () => {
  const { pid } = (await status()).dispatcher
  return pid !== null && pid !== other && pid
}, { what: 'a running dispatcher' })
const epochs = () => cluster.sql('SELECT epoch, channel, after_position::int AS after FROM _pulse.epochs ORDER BY number')

// Every event has exactly one position, positions are dense, and a publisher's events stand in the order of its commits.
async function assertLogIsWhole() {
  await drained()
  const [log] = await cluster.sql(`
    WITH placed AS (SELECT t.first_position + r.n - 1 AS position, r.id, r.xid
                      FROM pulse.ticks t, unnest(t.ids, t.xids) WITH ORDINALITY AS r (id, xid, n))
    SELECT (SELECT count(*) FROM pulse.events) AS events, count(*) AS placed, count(DISTINCT position) AS positions, max(position) AS last,
           count(DISTINCT (id, xid)) AS distinct_events,
           (SELECT count(*) FROM pulse.deliveries) AS deliveries,
           (SELECT sum(cardinality(rooms)) FROM pulse.events) AS rooms,
           (SELECT count(*) FROM (SELECT (e.payload ->> 'n')::int < lag((e.payload ->> 'n')::int) OVER (PARTITION BY e.name ORDER BY p.position) AS back
              FROM placed p JOIN pulse.events e ON e.id = p.id AND e.xid = p.xid WHERE e.name LIKE 'writer%') AS o WHERE back) AS out_of_order
      FROM placed`)
  assert.equal(log.placed, log.events)
  assert.equal(log.distinct_events, log.events)
  assert.equal(log.positions, log.events)
  assert.equal(log.last, log.events)
  assert.equal(log.deliveries, log.rooms)
  assert.equal(log.out_of_order, '0')
}
afterEach(assertLogIsWhole)

// Publishes from several connections until stopped; a connection that breaks comes back. Returns what surely committed.
function load(writers = 4) {
  let stopping = false
  const committed = new Array(writers).fill(0)
  const one = async n => {
    let client
    for (let i = 1; !stopping; ++i) {
      try {
        client ??= await cluster.connect()
        await client.query('SELECT pulse.publish($1::text[], $2, $3::json)', [[`room${n}`, 'all'], `writer${n}`, JSON.stringify({ n: i, run: Date.now() })])
        committed[n] += 1
      } catch {
        await client?.end().catch(() => {})
        client = undefined
        i = 0   // counts again from one: the run tells the two apart
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    await client?.end()
  }
  const done = Promise.all(committed.map((_, n) => one(n)))
  return {
    committed,
    reached: count => until(() => committed.every(n => n >= count), { what: `${count} publishes of each writer` }),
    stop: async () => { stopping = true; await done; return committed.reduce((a, b) => a + b, 0) }
  }
}

async function underLoad(accident, { restarts }) {
  const before = Number(await cluster.value('SELECT count(*) FROM pulse.events'))
  await cluster.sql(`UPDATE pulse.events SET name = 'earlier' WHERE name LIKE 'writer%'`)
  const epochsBefore = await epochs()
  const writers = load()
  await writers.reached(50)
  const pid = await dispatcherPid()
  await accident(pid)
  const known = writers.committed.map(n => n)
  await until(() => writers.committed.every((n, i) => n > known[i] + 20), { what: 'publishing again' })
  await dispatcherPid(pid)
  const committed = await writers.stop()
  await drained()
  assert.ok(Number(await cluster.value('SELECT count(*) FROM pulse.events')) - before >= committed, 'nothing that was acknowledged is lost')
  const epochsAfter = await epochs()
  assert.equal(epochsAfter.length, epochsBefore.length + (restarts ? 1 : 0))
  if (restarts) {
    const [previous, newest] = epochsAfter.slice(-2)
    assert.notEqual(newest.epoch, previous.epoch)
    assert.notEqual(newest.channel, previous.channel)
    assert.ok(newest.after > previous.after, 'positions go on where the epoch before ended')
    assert.equal((await status()).epoch, newest.epoch)
  }
}

// Writers that lost their connection count from one again, so order is only compared where nothing broke.
const renamed = async accident => { await accident(); await cluster.sql(`UPDATE pulse.events SET name = 'crossed' WHERE name LIKE 'writer%'`) }

test('E2: a terminated dispatcher is replaced; the epoch stays', () =>
  underLoad(pid => cluster.sql('SELECT pg_terminate_backend($1)', [pid]), { restarts: false }))

test('E2: a dispatcher killed with -9 restarts the server: a new epoch, nothing lost, nothing doubled', () =>
  renamed(() => underLoad(async pid => { process.kill(pid, 'SIGKILL') }, { restarts: true })))

test('E2: a postmaster killed with -9: a new epoch, nothing lost, nothing doubled', () =>
  renamed(() => underLoad(async () => {
    const pid = cluster.postmasterPid
    process.kill(pid, 'SIGKILL')
    await until(() => { try { process.kill(pid, 0); return false } catch { return true } }, { what: 'the end of the postmaster' })
    // its children notice by themselves; until then the shared memory is in use
    await until(async () => { await cluster.start(); return true }, { what: 'a start', every: 200 })
  }, { restarts: true })))

test('E2: an immediate stop and a fast one', async () => {
  for (const mode of ['immediate', 'fast']) await renamed(() => underLoad(() => cluster.restart(mode), { restarts: true }))
})

test('E2: a promoted standby opens an epoch of its own', async () => {
  const data = await cluster.value('SHOW data_directory')
  const before = await epochs()
  await cluster.sql(`COPY (SELECT) TO '${join(data, 'standby.signal')}'`)
  await cluster.restart()
  assert.equal((await status()).dispatcher.running, false)
  assert.deepEqual((await status()).problems.map(({ problem }) => problem), ['this server is a standby'])
  await cluster.sql('SELECT pg_promote()')
  await dispatcherPid()
  await cluster.sql(`SELECT pulse.publish('promoted', 'x', '1'::json)`)
  await drained()
  const after = await epochs()
  assert.equal(after.length, before.length + 1)
  assert.equal(after.at(-1).after, Number(await cluster.value('SELECT count(*) FROM pulse.events')) - 1)
})

test('E2: a backlog cut short by a killed dispatcher goes on where it was', async () => {
  const before = Number(await cluster.value('SELECT count(*) FROM pulse.events'))
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload) SELECT 'writer-backlog', ARRAY['a', 'b'], json_build_object('n', n) FROM generate_series(1, 30000) AS n`)
  const pids = new Set()
  for (let round = 0; round < 3; ++round) {
    const pid = await dispatcherPid()
    await until(async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks')) > before + 1000 * (round + 1), { what: 'some chunks', every: 2 })
    await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
    pids.add(pid)
    await dispatcherPid(pid)
  }
  assert.equal(pids.size, 3)
  await drained()
  assert.ok(await cluster.value('SELECT count(*) FILTER (WHERE done_id IS NOT NULL) > 100 FROM pulse.ticks'), 'it was cut into chunks')
})

test('E2: poison is isolated: its neighbours are dispatched, it keeps its position and is in quarantine', async () => {
  const before = Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks'))
  // a room that no page of a btree can hold, and that compression does not save
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload)
    SELECT CASE WHEN n IN (20, 21, 77) THEN 'poison' ELSE 'good' END,
           CASE WHEN n IN (20, 21, 77) THEN ARRAY[(SELECT string_agg(md5(i::text || n), '') FROM generate_series(1, 400) AS i), 'poisoned'] ELSE ARRAY['healthy'] END,
           to_json(n) FROM generate_series(1, 100) AS n`)
  await until(async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks')) === before + 100, { what: 'the tick' })
  const quarantined = await cluster.sql(`SELECT position::int - $1::int AS place, sqlstate, message FROM _pulse.quarantine ORDER BY position`, [before])
  assert.deepEqual(quarantined.map(row => [row.place, row.sqlstate]), [[20, '54000'], [21, '54000'], [77, '54000']])
  assert.match(quarantined[0].message, /index row requires \d+ bytes/)
  assert.equal(await cluster.value(`SELECT count(*) FROM pulse.deliveries WHERE room = 'healthy' AND position > $1`, [before]), '97')
  assert.equal(await cluster.value(`SELECT count(*) FROM pulse.deliveries WHERE room = 'poisoned'`), '0')
  assert.match(cluster.log, /WARNING: {2}event \d+ cannot be dispatched and is in quarantine at position \d+/)
  const now = await status()
  assert.equal(now.quarantined, 3)
  assert.equal(now.counters.quarantined, 3)
  assert.equal(now.dispatcher.failedTicks, 0)
  assert.deepEqual(now.problems.map(({ problem }) => problem), ['3 events could not be dispatched'])
  // for the check that the log is whole: quarantined events have no deliveries
  await cluster.sql(`UPDATE pulse.events SET rooms = '{}' WHERE name = 'poison'`)
  await cluster.sql('DELETE FROM _pulse.quarantine')
})

test('E2: an event without a room, with a null room and with a channel too long: only what cannot be sent is quarantined', async () => {
  const before = Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks'))
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload, channel) VALUES
    ('roomless', '{}', '1', NULL), ('null-room', ARRAY['odd', NULL], '1', NULL), ('square', '{{odd,odder},{odd,odder}}', '1', NULL),
    ('channel', '{odd}', '1', repeat('c', 64)), ('good', '{odd}', '1', 'c')`)
  await until(async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks')) === before + 5, { what: 'the tick' })
  const quarantined = await cluster.sql(`SELECT e.name, q.sqlstate FROM _pulse.quarantine q JOIN pulse.events e ON e.id = q.event_id ORDER BY q.position`)
  assert.deepEqual(quarantined.map(row => [row.name, row.sqlstate]), [['null-room', '23502'], ['square', '2202E'], ['channel', '22023']])
  await cluster.sql(`UPDATE pulse.events SET rooms = '{}' WHERE name IN ('null-room', 'square', 'channel')`)
  await cluster.sql('DELETE FROM _pulse.quarantine')
})

test('E2: rows copied from another cluster, whose transaction ids are ahead, are dispatched once', async () => {
  const before = Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks'))
  const far = BigInt(await cluster.value('SELECT pg_current_xact_id()')) + 1000n
  const pid = await dispatcherPid()
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload, xid) SELECT 'foreign', '{foreign}', to_json(n), ($1::bigint + n)::text::xid8 FROM generate_series(1, 300) AS n`, [String(far)])
  await cluster.sql(`INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids)
    SELECT $1::bigint + 1, $1, 0, clock_timestamp(), s, s, '{}', '{}' FROM (SELECT format('%1$s:%1$s:', $2::text)::pg_snapshot AS s) AS p`, [before, String(far + 400n)])
  await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
  await dispatcherPid(pid)
  await until(async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks')) === before + 300, { what: 'the foreign rows' })
  assert.match(cluster.log, /the log was written by another cluster; dispatching everything that has no position/)
  // this cluster's ids pass theirs: they must not be found again
  for (let i = 0; i < 1500; ++i) await cluster.sql('SELECT pg_current_xact_id()')
  await cluster.sql(`SELECT pulse.publish('native', 'x', '1'::json)`)
  await until(async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks')) >= before + 301, { what: 'a native event' })
  assert.equal(await cluster.value(`SELECT count(*) FROM pulse.deliveries WHERE room = 'foreign'`), '300')
})
