// Logical replication of pulse.events into a second cluster, as docs/how-to/operate.md says: one way, without id, xid and slot, whose defaults
// are local. The subscriber's own dispatcher gives its own positions and delivers to its own clients; both sides get the same
// events, in the same order, also over a restart of the subscriber and a rotation of the publisher's log.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'
import { Follower } from './follower.mjs'

let near, far
before(async () => {
  near = await startPulse({ settings: { wal_level: 'logical' } })
  far = await startPulse()
  for (const { cluster } of [near, far]) await cluster.load('rooms')
})
after(async () => {
  await far?.stop()   // first: a slot in use cannot be dropped with its cluster
  await near?.stop()
})

const publish = (side, ...names) => side.sql(`SELECT pulse.publish('open:l', 'e', to_json(n)) FROM unnest($1::text[]) AS n`, [names])
const names = (prefix, count) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

test('E1: events published in one cluster are delivered in another by its own dispatcher, once and in order', async () => {
  const here = new Follower(near, 'open:l', 'here'), there = new Follower(far, 'open:l', 'there')
  await here.connect()
  await there.connect()
  await publish(near, 'before')
  await here.has('before')

  await near.sql(`CREATE PUBLICATION pulse FOR TABLE pulse.events (at, name, rooms, payload, headers, attachments, partition_key, channel)
    WITH (publish = 'insert', publish_via_partition_root = true)`)
  await far.sql(`CREATE SUBSCRIPTION pulse CONNECTION 'host=${near.cluster.host} port=${near.cluster.port} dbname=pulse user=postgres' PUBLICATION pulse WITH (copy_data = false)`)
  await until(() => near.value('SELECT active FROM pg_replication_slots'), { what: 'the subscription' })

  // Transactions of every kind at the publisher; the subscriber publishes for itself too.
  const expected = names('a', 20)
  for (const name of expected) await publish(near, name)
  const batch = names('batch', 500)
  await publish(near, ...batch)
  const [one, other] = [await near.cluster.connect(), await near.cluster.connect()]
  const insert = (client, name) => client.query(`SELECT pulse.publish('open:l', 'e', to_json($1::text))`, [name])
  await one.query('BEGIN')
  await insert(one, 'late')            // begun first, committed last
  await other.query('BEGIN')
  await insert(other, 'rolled back')
  await other.query('ROLLBACK')
  await insert(other, 'early')
  await here.has('early')              // else one tick may order both, by id
  await one.query('COMMIT')
  await one.end()
  await other.end()
  expected.push(...batch, 'early', 'late')
  await here.has('late')
  await there.has('late')
  assert.deepEqual(here.events, ['before', ...expected])
  assert.deepEqual(there.events, expected, 'everything since the subscription')

  // The whole event travels: attachments, headers, the legacy channel; its id, transaction and slot are the subscriber's.
  const stock = await far.io({ userId: 'io' })
  assert.equal((await stock.emitWithAck('room:join', { room: 'open:l' })).ok, true)
  const binary = gather(stock, 'binary')
  await near.sql(`SELECT pulse.publish('open:l', 'binary', '{"_placeholder":true,"num":0}'::json, attachments => ARRAY['\\x00ff'::bytea], partition_key => 'p')`)
  const [[attachment]] = await binary.atLeast(1)
  assert.deepEqual([...attachment], [0, 255])
  assert.deepEqual(await far.sql(`SELECT partition_key, xid < pg_current_xact_id() AS here FROM pulse.events WHERE name = 'binary'`), [{ partition_key: 'p', here: true }])

  // The subscriber is restarted while the publisher goes on, and publishes for itself.
  const during = names('during', 50)
  const restarted = far.cluster.restart('immediate')
  for (const name of during) await publish(near, name)
  await restarted
  await far.bridge.ready()
  await publish(far, 'local')
  await publish(near, 'end')
  await here.has('end')
  await there.has('end', 'local')
  assert.equal(new Set(there.events).size, there.events.length, 'nothing twice')
  const binaryAt = payload => typeof payload === 'object'
  assert.deepEqual(there.events.filter(name => name !== 'local' && !binaryAt(name)), [...expected, ...during, 'end'])
  assert.deepEqual(here.events.filter(name => !binaryAt(name)), ['before', ...expected, ...during, 'end'], 'nothing comes back to the publisher')

  // Emptying a slot at the publisher empties nothing at the subscriber.
  const kept = await far.value('SELECT count(*)::int FROM pulse.events')
  await until(async () => { await near.sql('SELECT _pulse.rotate()'); return await near.value('SELECT count(*) = 0 FROM pulse.events') }, { what: 'the rotation' })
  await publish(near, 'after the rotation')
  await there.has('after the rotation')
  assert.equal(await far.value('SELECT count(*)::int FROM pulse.events'), kept + 1)
  assert.equal(there.socket.readyState, there.socket.OPEN, 'the socket stayed')
  await far.sql('DROP SUBSCRIPTION pulse')
})
