// Promotion of a physical standby. Synchronous: nothing that anybody saw or was told is committed is lost, and the sockets stay. Asynchronous
// and lagging: the last events, which clients have already seen, are gone, and their positions are used again; whoever saw one of
// them is told to fetch anew, explicitly, and nobody misses a new event silently.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { protocols } from '../support/returning.mjs'
import { until } from '../support/wait.mjs'
import { Follower } from './follower.mjs'

let primary, standby, pulse
beforeEach(async () => {
  primary = await Cluster.create()
  await primary.load('rooms')
  await primary.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)
  standby = await Cluster.standbyOf(primary)
  // The bridge follows whichever of the two is the primary.
  pulse = await startPulse({ cluster: primary, bridges: 0, environment: { PULSE_DATABASE_URL: Cluster.urlOfPrimary([primary, standby], { user: 'bridge' }) } })
  await pulse.addBridge()
})
afterEach(async () => {
  await pulse?.stop()
  await standby?.drop()
})

const head = cluster => cluster.value('SELECT max(last_position)::int FROM pulse.ticks')
const epoch = async cluster => (await cluster.value('SELECT pulse.position()')).split(':')[0]
const publish = (cluster, payload) => cluster.sql(`SELECT pulse.publish('open:s', 'n', to_json($1::text))`, [payload])
const names = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

// Clients of each protocol, in the room. Those of `protocols` come back as sessions, by their secret and cursor.
async function clients(role) {
  const opened = []
  for (const Client of protocols) {
    const client = await Client.open(pulse, { userId: `${role}-${Client.protocol}` })
    assert.equal((await client.join('open:s')).ok, true)
    opened.push(Object.assign(client, { Client, who: { userId: `${role}-${Client.protocol}` } }))
  }
  return opened
}
const have = (them, ...wanted) => until(() => them.every(client => wanted.every(one => client.numbers.includes(one))), { what: `all of them having ${wanted.at(-1)}` })
const back = client => client.Client.open(pulse, client.who, { ticket: client.ticket })

test('E1, E2: a synchronous standby is promoted under load: nothing that was committed is lost, nothing comes twice, the sockets stay', async () => {
  await primary.set('synchronous_standby_names', '*')
  await until(() => primary.value(`SELECT true FROM pg_stat_replication WHERE sync_state = 'sync'`), { what: 'a synchronous standby' })
  const before = await epoch(primary)
  const online = await clients('online'), offline = await clients('offline'), roomwise = new Follower(pulse, 'open:s', 'roomwise')
  await roomwise.connect()
  await publish(primary, 'first')
  await have([...online, ...offline], 'first')
  await roomwise.has('first')
  for (const client of offline) await client.cut()   // they have cursors of the old epoch
  await roomwise.leave()

  const committed = [], unsure = []
  let stop = false, target = primary
  const writers = Array.from({ length: 3 }, async (_, writer) => {
    let client, into
    for (let n = 0; !stop; n++) {
      const name = `w${writer}:${n}`
      try {
        if (into !== target) { await client?.end().catch(() => {}); client = undefined }
        client ??= await (into = target).connect()
        await client.query(`SELECT pulse.publish('open:s', 'n', to_json($1::text))`, [name])
        committed.push(name)
      } catch {
        unsure.push(name)
        client = undefined
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    }
    await client?.end().catch(() => {})
  })
  const more = async count => { const sofar = committed.length; await until(() => committed.length > sofar + count, { what: 'commits going on' }) }
  await more(100)
  await primary.stop('immediate')
  target = standby
  await standby.promote()
  await more(100)
  stop = true
  await Promise.all(writers)
  await publish(standby, 'last')
  await have(online, 'last')
  const answer = await roomwise.connect()
  assert.deepEqual([answer.ok, answer.recovered], [true, true], JSON.stringify(answer))
  await roomwise.has('last')
  const results = [...online.map(client => [client.who.userId, client.numbers]), ['roomwise', roomwise.events]]
  for (const client of offline) {
    const again = await back(client)
    assert.equal(again.recovered, true, client.who.userId)
    await have([again], 'last')
    results.push([client.who.userId, [...client.numbers, ...again.numbers]])
  }
  for (const [who, events] of results) {
    const seen = new Set(events)
    assert.equal(seen.size, events.length, `${who}: nothing twice`)
    assert.deepEqual(['first', ...committed, 'last'].filter(name => !seen.has(name)), [], `${who}: nothing missing`)
    assert.deepEqual(events.filter(name => !committed.includes(name) && !unsure.includes(name)), ['first', 'last'])
    for (let writer = 0; writer < 3; writer++) {
      const mine = events.filter(name => name.startsWith(`w${writer}:`)).map(name => Number(name.split(':')[1]))
      assert.deepEqual(mine, [...mine].sort((a, b) => a - b), `${who}: each writer's events in order`)
    }
    assert.deepEqual(events, results[0][1], 'one order for all')
  }
  const [stock, native] = online
  assert.ok(stock.socket.connected && native.socket.readyState === native.socket.OPEN, 'the sockets stayed')
  assert.notEqual(await epoch(standby), before)
})

for (const [when, sleeps] of [['before', false], ['after', true]]) {
  test(`E2: an asynchronous standby that lags is promoted, and the bridge looks ${when} positions are used again: who saw lost events is told to fetch anew, nobody misses a new one`, async () => {
    const seen = await clients('seen'), away = await clients('away'), behind = await clients('behind')
    const roomwise = new Follower(pulse, 'open:s', 'roomwise')
    await roomwise.connect()
    const kept = names('kept', 10), lost = names('lost', 10), fresh = names('new', 15)
    for (const name of kept) await publish(primary, name)
    await have([...seen, ...away, ...behind], ...kept)
    for (const client of behind) await client.cut()   // the last they saw survives
    await standby.follows(primary)
    const survives = await head(standby)

    await standby.set('primary_conninfo', '')         // the standby falls behind
    await until(() => primary.value('SELECT count(*) = 0 FROM pg_stat_replication'), { what: 'the end of replication' })
    for (const name of lost) await publish(primary, name)
    await have([...seen, ...away], ...lost)
    await roomwise.has(...lost)
    const cursor = roomwise.cursor
    assert.equal(Number(cursor.split(':')[1]), survives + lost.length)
    for (const client of away) await client.cut()     // the last they saw will be gone

    if (sleeps) process.kill(pulse.bridge.pid, 'SIGSTOP')
    await primary.stop('immediate')
    await standby.promote()
    assert.equal(await head(standby), survives)
    const told = async () => {                        // the bridge has shown what the database does not have
      assert.equal((await roomwise.socket.closed)[0], 4410)
      for (const client of seen) await client.ended
      await pulse.bridge.ready()
    }
    if (!sleeps) await told()
    for (const name of fresh) await publish(standby, name)
    await until(async () => await head(standby) === survives + fresh.length, { what: 'the new events being dispatched' })
    if (sleeps) {
      process.kill(pulse.bridge.pid, 'SIGCONT')       // it finds a position above its own
      await told()
    }

    // By number alone, these cursors lie before the last new events.
    assert.ok(survives + lost.length < await head(standby))
    const answer = await roomwise.connect(cursor)
    assert.deepEqual([answer.ok, answer.recovered, answer.mustRefetch], [true, false, 'foreign_epoch'], JSON.stringify(answer))
    const anew = []
    for (const client of [...seen, ...away]) {
      const again = await back(client)
      assert.equal(again.recovered, false, client.who.userId)
      if (again.hello) assert.equal(again.hello.mustRefetch, 'foreign_epoch')
      assert.equal((await again.join('open:s')).ok, true)
      anew.push(again)
    }
    for (const client of behind) {
      const again = await back(client)
      assert.equal(again.recovered, true, client.who.userId)
      await have([again], ...fresh)
      assert.deepEqual(again.numbers, fresh, 'each once, in order, and none of the lost ones')
    }
    await publish(standby, 'after')
    await have(anew, 'after')
    for (const client of anew) assert.deepEqual(client.numbers, ['after'], 'what came between was announced as to be fetched')
    await roomwise.has('after')
    assert.deepEqual(roomwise.events, [...kept, ...lost, 'after'])
    await roomwise.leave()
    assert.equal((await roomwise.connect()).recovered, true, 'cursors of the new epoch are good')
  })
}
