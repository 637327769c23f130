// E7: old events leave by whole slots, while everybody works: nobody who publishes waits, nobody who reads gets a part, and the floor
// is right after every kind of restart.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.retention': '1s', 'pulse.housekeeping_interval': '20ms' } })
})
after(() => cluster?.drop())
beforeEach(drained)

const lag = async () => (await cluster.value('SELECT pulse.status()')).dispatcher
async function drained() { await until(async () => (await lag()).pid !== null && (await lag()).lagEvents === 0, { what: 'an empty backlog' }) }
async function configure(settings) {
  for (const [name, value] of Object.entries(settings)) await cluster.sql(`ALTER SYSTEM SET ${name} = '${value}'`)
  await cluster.sql('SELECT pg_reload_conf()')
  for (const [name, value] of Object.entries(settings)) await until(async () => await cluster.value(`SHOW ${name}`) === value, { what: `${name} = ${value}` })
}
const emptied = async () => Number(await cluster.value('SELECT count(*) FROM _pulse.rotations WHERE emptied IS NOT NULL'))
const state = async () => (await cluster.sql(`SELECT _pulse.floor()::int AS floor, _pulse.current_slot() AS slot, split_part(pulse.position(), ':', 2)::int AS head`))[0]

// What may be read is all there: each position from the floor to the head has its event.
async function assertWholeAboveFloor() {
  const client = await cluster.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')   // what it has begun to read stays
    const { rows: [log] } = await client.query(`
      WITH head AS (SELECT max(last_position) AS head FROM pulse.ticks), floor AS MATERIALIZED (SELECT _pulse.floor() AS floor)
      SELECT head - floor + 1 AS expected, (SELECT count(*) FROM pulse.bridge_read(floor - 1, head, 1000000)) AS found FROM head, floor`)
    assert.equal(log.found, log.expected)
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

// Publishes numbered events, one a transaction, until stopped. Nothing that it meets may be an error.
function writer(room) {
  let stopping = false
  let written = 0
  const done = (async () => {
    const client = await cluster.connect()
    while (!stopping) await client.query('SELECT pulse.publish($1::text, $2, $3::json)', [room, 'n', String(++written)])
    await client.end()
  })()
  done.catch(() => {})
  return { written: () => written, stop: async () => { stopping = true; await done; return written } }
}

// Follows a room by cursor. pause: between two pages. Counts what it got and how often it had to start anew; a number that is not
// the next one is an error.
function follower(room, { pause = 0, page = 50 } = {}) {
  let stopping = false
  const seen = { events: 0, refetched: 0, last: 0 }
  const done = (async () => {
    const client = await cluster.connect()
    let cursor = null
    let anew = true   // the first number after a start is wherever the log begins
    for (;;) {
      try {
        const { rows } = await client.query('SELECT position, payload::text::int AS n FROM pulse.history($1, $2, $3)', [room, cursor, page])
        for (const { n, position } of rows) {
          if (!anew) assert.equal(n, seen.last + 1, `${n} after ${seen.last}`)
          anew = false
          seen.last = n
          seen.events += 1
          cursor = position
        }
        if (rows.length === 0 && stopping) break
      } catch (error) {
        if (error.code !== 'PL410') throw error
        assert.equal(error.detail, 'expired')
        seen.refetched += 1
        cursor = null
        anew = true
      }
      if (pause > 0 && !stopping) await new Promise(resolve => setTimeout(resolve, pause))
    }
    await client.end()
  })()
  done.catch(() => {})
  return { seen, stop: async () => { stopping = true; await done; return seen } }
}

test('E7: by time, under constant writes: a reader that keeps up gets all, a slow one all or must_refetch; also when the dispatcher ends now and then', async () => {
  const writers = [writer('a'), writer('b')]
  const quick = follower('a')
  const slow = follower('b', { pause: 700, page: 1 })
  for (let n = 0; n < 4; n++) {
    const from = await emptied()
    await until(async () => await emptied() >= from + 2, { what: 'two slots emptied' })
    await cluster.sql('SELECT pg_terminate_backend($1)', [(await lag()).pid])   // at whatever step it is
  }
  await until(() => slow.seen.refetched > 0, { what: 'the slow reader was told to fetch anew' })
  await assertWholeAboveFloor()
  const written = await writers[0].stop()
  await writers[1].stop()
  await drained()
  const seen = await quick.stop()
  assert.equal(seen.refetched, 0)
  assert.equal(seen.last, written)
  await slow.stop()
})

test('E7: a quiet log empties itself, and its position stays good', async () => {
  const [{ cursor }] = await cluster.sql('SELECT pulse.position() AS cursor')
  await until(async () => Number(await cluster.value('SELECT count(*) FROM pulse.events')) === 0, { what: 'an empty log' })
  assert.equal(await cluster.value('SELECT reason FROM _pulse.check_cursor(pulse.position())'), null)
  assert.equal(await cluster.value('SELECT pulse.position()'), cursor)
  await cluster.sql(`SELECT pulse.publish('quiet', 'event', '1'::json)`)
  await until(async () => (await cluster.sql('SELECT FROM pulse.history($1, $2)', ['quiet', cursor])).length === 1, { what: 'the next event after the old position' })
})

test('E7: slot and floor outlive a restart, a crash, and a dispatcher killed with -9', async () => {
  await configure({ 'pulse.retention': '1d' })   // what follows is only what the test does
  const expired = await cluster.value('SELECT pulse.position()')
  await cluster.sql(`SELECT pulse.publish('restart', 'event', '1'::json)`)
  await drained()
  // Whatever the clock has done before: the slot with the event is emptied after a few steps.
  await until(async () => await cluster.value('SELECT _pulse.rotate()') && (await state()).floor > Number(expired.split(':')[1]) + 1, { what: 'an emptied slot' })
  await cluster.sql(`SELECT pulse.publish('restart', 'event', '2'::json)`)
  await drained()
  const before = await state()
  assert.ok(before.floor > 1)
  for (const mode of ['fast', 'immediate']) {
    await cluster.restart(mode)
    assert.deepEqual(await state(), before, `after a ${mode} stop`)
  }
  const { pid } = await lag()
  process.kill(pid, 'SIGKILL')   // restarts the server
  await until(async () => ![null, pid].includes((await lag()).pid), { what: 'another dispatcher' })
  assert.deepEqual(await state(), before, 'after the end of a dispatcher')
  assert.equal(await cluster.value('SELECT reason FROM _pulse.check_cursor($1)', [expired]), 'expired')
  await assertWholeAboveFloor()
  await cluster.sql(`SELECT pulse.publish('restart', 'event', '3'::json)`)
  await drained()
  assert.equal(await cluster.value('SELECT slot FROM pulse.events ORDER BY id DESC LIMIT 1'), before.slot)
})

test('E7: a crash in the middle of rotations and publishing leaves a log that is whole above its floor', async () => {
  await configure({ 'pulse.retention': '1s' })
  for (let crash = 0; crash < 4; crash++) {
    const client = await cluster.connect()
    const publishing = (async () => {
      for (;;) await client.query(`SELECT pulse.publish('crash', 'event', '1'::json)`)
    })().catch(error => error)
    const from = await emptied()
    await until(async () => await emptied() > from, { what: 'a slot emptied' })
    const { pid } = await lag()
    // As often as it takes to hit whatever it does: the steps follow each other at once.
    for (let n = 0; n < 20; n++) await cluster.sql('SELECT _pulse.rotate()')
    const steps = cluster.sql(`SELECT _pulse.rotate(), pg_sleep(0.01)`).catch(() => {})
    process.kill(pid, 'SIGKILL')
    await steps
    await publishing
    await client.end().catch(() => {})
    await until(async () => ![null, pid].includes((await lag()).pid), { what: 'another dispatcher' })
    const [{ recorded, current, slot }] = await cluster.sql(`SELECT (SELECT r.floor::int FROM _pulse.rotations r ORDER BY r.number DESC LIMIT 1) AS recorded,
                                                            _pulse.floor()::int AS current, _pulse.current_slot() AS slot`)
    assert.ok(current >= recorded, `floor ${current}, recorded ${recorded}`)
    assert.ok([0, 1, 2].includes(slot))
    await drained()
    await assertWholeAboveFloor()
  }
})

test('E7: a table that somebody has locked stops neither dispatching nor retention', async () => {
  await configure({ 'pulse.retention': '1s' })
  await cluster.sql(`INSERT INTO _pulse.idempotency_keys VALUES ('old', 1, now() - interval '10 days')`)
  const client = await cluster.connect()
  await client.query('BEGIN; LOCK TABLE _pulse.idempotency_keys IN ACCESS EXCLUSIVE MODE')   // as VACUUM FULL does
  const from = await emptied()
  await until(async () => {
    await cluster.sql(`SELECT pulse.publish('locked', 'event', '1'::json)`)
    await drained()
    return await emptied() >= from + 2
  }, { what: 'two slots emptied' })
  await client.query('COMMIT')
  await client.end()
  await until(async () => await cluster.value('SELECT count(*)::int FROM _pulse.idempotency_keys') === 0, { what: 'the end of the old key' })
})

test('E7: what holds old events back is named, also in the status', async () => {
  const client = await cluster.connect()
  await client.query(`BEGIN; SELECT pulse.publish('held', 'event', '1'::json)`)
  const waits = await until(async () => (await cluster.value('SELECT pulse.status()')).problems.find(({ problem }) => problem.startsWith('old events cannot be removed')), { what: 'the problem' })
  assert.match(waits.problem, /slot [012] is in use$/)
  assert.match(waits.hint, /pg_prepared_xacts/)
  await client.query('COMMIT')
  await client.end()
  await until(async () => (await cluster.value('SELECT pulse.status()')).problems.length === 0, { what: 'no problem' })
})

// Of each slot the highest position of an event in it, as ticks record it and as it is.
async function assertSlotEnds(database) {
  const [{ recorded, real }] = await cluster.sql(`
    WITH placed AS (SELECT t.first_position + r.n - 1 AS position, r.id, r.xid FROM pulse.ticks t, unnest(t.ids, t.xids) WITH ORDINALITY AS r (id, xid, n)),
         ends AS (SELECT e.slot, max(p.position) AS position FROM placed p JOIN pulse.events e ON e.id = p.id AND e.xid = p.xid GROUP BY 1)
    SELECT (SELECT t.slot_ends FROM pulse.ticks t ORDER BY t.last_position DESC LIMIT 1) AS recorded,
           ARRAY(SELECT coalesce((SELECT ends.position FROM ends WHERE ends.slot = s.slot), 0) FROM generate_series(0, 2) AS s (slot) ORDER BY s.slot) AS real`, [], database)
  // Of an emptied slot the recorded end stays.
  for (const slot of [0, 1, 2]) assert.ok(real[slot] === recorded[slot] || real[slot] === '0', `slot ${slot}: recorded ${recorded}, real ${real}`)
  return recorded.map(Number)
}

test('E7: where each slot ends is known with late commits, a backlog and a poison event', async () => {
  await configure({ 'pulse.retention': '1d', 'pulse.dispatch_chunk': '50' })
  const [first, second] = await Promise.all([cluster.connect(), cluster.connect()])
  const publish = (client, events) => client.query(`SELECT count(pulse.publish('ends', 'event', '1'::json)) FROM generate_series(1, $1)`, [events])
  const switched = async () => {
    const slot = await cluster.value('SELECT _pulse.current_slot()')
    await until(async () => await cluster.value('SELECT _pulse.rotate()') && await cluster.value('SELECT _pulse.current_slot()') !== slot, { what: 'another slot' })
    return slot
  }
  // Two open transactions in one slot, then one in the next slot, of which the first commits after it.
  await first.query('BEGIN')
  await publish(first, 3)
  await second.query('BEGIN')
  await publish(second, 500)
  const old = await switched()
  await cluster.sql(`SELECT pulse.publish('ends', 'event', '2'::json)`)
  await drained()
  await first.query('COMMIT')
  await drained()
  const after = await assertSlotEnds()
  assert.equal(after[old], Math.max(...after), 'the late one is the last')
  // A backlog of ten chunks: nothing is emptied meanwhile, and its last event counts.
  await second.query('COMMIT')
  await drained()
  assert.equal((await assertSlotEnds())[old], after[old] + 500)
  // An event that cannot be dispatched keeps its position, and lives in a slot too.
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload) VALUES ('poison', ARRAY[NULL::text], '1')`)
  await until(async () => await cluster.value('SELECT count(*)::int FROM _pulse.quarantine') === 1, { what: 'quarantine' })
  await drained()
  const poisoned = await assertSlotEnds()
  assert.equal(Math.max(...poisoned), after[old] + 501)
  await cluster.sql('DELETE FROM _pulse.quarantine')
  await configure({ 'pulse.dispatch_chunk': '20000' })
  await Promise.all([first.end(), second.end()])
})

// Reads of pages by one statement, in whatever function: what grows with dead rows or with the length of the log shows here.
async function pages(client, statement, parameters = []) {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${statement}`, parameters)
  const plan = rows[0]['QUERY PLAN'][0].Plan
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}

test('E7: with a snapshot held for a hundred rotations, ticks and recovery read no more than at first', async t => {
  // Without a dispatcher: each tick is measured.
  await cluster.sql('CREATE DATABASE stepped')
  await cluster.sql('CREATE EXTENSION pulse', [], 'stepped')
  await cluster.sql('CREATE TABLE elsewhere AS SELECT 1 AS n', [], 'stepped')
  const client = await cluster.connect({ database: 'stepped' })
  const holder = await cluster.connect({ database: 'stepped' })
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  await holder.query('SELECT n FROM elsewhere')
  const one = async statement => Object.values((await client.query(statement)).rows[0])[0]
  const publish = () => client.query(`SELECT count(pulse.publish(ARRAY['all', 'r:' || n % 5], 'event', '{}'::json)) FROM generate_series(1, 100) AS n`)
  const rounds = []
  while (rounds.length < 60) {
    const steps = [await one('SELECT _pulse.rotate()'), await one('SELECT _pulse.rotate()')]
    assert.ok(steps.every(step => /^(emptied|new rows)/.test(step)), steps.join(', '))
    await publish()
    assert.equal(await one('SELECT _pulse.tick()'), '100')   // plans and caches are fresh after a rotation
    const cursor = await one('SELECT pulse.position()')
    await publish()
    const round = { tick: await pages(client, 'SELECT _pulse.tick()') }
    const reads = {
      history: [`SELECT count(*) FROM pulse.history('r:1', $1)`, [cursor]],
      rooms: [`SELECT count(*) FROM pulse.bridge_history(ARRAY['r:1', 'r:2', 'nobody'], split_part($1, ':', 2)::bigint, 1000000000)`, [cursor]],
      range: [`SELECT count(*) FROM pulse.bridge_read(split_part($1, ':', 2)::bigint, 1000000000)`, [cursor]],
      cursor: ['SELECT * FROM _pulse.check_cursor($1)', [cursor]]
    }
    for (const [name, [statement, parameters]] of Object.entries(reads)) {
      await client.query(statement, parameters)
      round[name] = await pages(client, statement, parameters)
    }
    rounds.push(round)
  }
  await holder.query('COMMIT')
  await holder.end()
  await client.end()
  const most = (name, part) => Math.max(...part.map(round => round[name]))
  for (const name of Object.keys(rounds[0])) {
    const early = most(name, rounds.slice(5, 15)), late = most(name, rounds.slice(-10))
    t.diagnostic(`${name}: ${early} pages in rounds 6 to 15, ${late} in the last ten`)
    assert.ok(early > 0 && late <= early * 1.1 + 3, `${name}: ${early} pages at first, ${late} at last`)
  }
})
