// E7: slot and floor belong to the log, wherever it goes: to a standby that is promoted, into another incarnation of the extension,
// to a server that was started without pulse.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
const others = []
before(async () => { cluster = await Cluster.create({ settings: { wal_level: 'replica' } }) })
after(async () => {
  for (const one of others) await one.drop()
  await cluster?.drop()
})

const state = async server => (await server.sql('SELECT _pulse.floor()::int AS floor, _pulse.current_slot() AS slot'))[0]
const reason = (server, cursor) => server.value('SELECT reason FROM _pulse.check_cursor($1)', [cursor])

async function publish(server, room) {
  const position = await server.value('SELECT pulse.position()')
  await server.sql(`SELECT pulse.publish($1::text, 'event', '1'::json)`, [room])
  return await until(async () => {
    const now = await server.value('SELECT pulse.position()')
    return now !== position && now
  }, { what: 'a position' })
}

// Until what stands at a cursor, and everything before, is gone.
const removeUpTo = (server, cursor) => until(async () =>
  await server.value('SELECT _pulse.rotate()') && (await state(server)).floor > Number(cursor.split(':')[1]), { what: `${cursor} is gone` })

test('E7: a promoted standby has the floor of the log, not the one that it was asked for earlier', async () => {
  const first = await publish(cluster, 'moves')
  const second = await publish(cluster, 'moves')
  const standby = await Cluster.standbyOf(cluster)
  others.push(standby)
  assert.equal((await state(standby)).floor, 1, 'what a standby tells before')
  await assert.rejects(standby.sql('SELECT * FROM pulse.history($1, $2)', ['moves', first]), error => error.code === '55000' && /standby/.test(error.message))
  assert.equal(await reason(standby, first), null)
  await removeUpTo(cluster, second)
  const expected = await state(cluster)
  const third = await publish(cluster, 'moves')
  await standby.follows(cluster)
  assert.deepEqual(await state(standby), expected, 'a standby reads the table')
  await standby.promote()
  await until(async () => (await standby.value('SELECT pulse.status()')).dispatcher.running, { what: 'a dispatcher on the new primary' })
  assert.deepEqual(await state(standby), expected)
  assert.equal(await reason(standby, first), 'expired')
  assert.equal(await reason(standby, third), null, 'a cursor of the epoch before is good up to its end')
  const fourth = await publish(standby, 'moves')
  assert.notEqual(fourth.split(':')[0], third.split(':')[0])
  assert.deepEqual((await standby.sql('SELECT position FROM pulse.history($1, $2)', ['moves', third])).map(row => row.position), [fourth])
  // The old primary goes on by itself: what it shows from here on is not of this log.
  const astray = await publish(cluster, 'moves')
  await publish(cluster, 'moves')
  assert.equal(await reason(standby, astray), 'foreign_epoch')
  await removeUpTo(standby, fourth)
  assert.equal(await reason(standby, third), 'expired')
})

test('E7: an extension that is created again begins with an empty log', async () => {
  const last = await publish(cluster, 'moves')
  await removeUpTo(cluster, last)
  assert.ok((await state(cluster)).floor > 1)
  // What is taken back changes nothing.
  const before = await state(cluster)
  const client = await cluster.connect()
  await client.query('BEGIN; DROP EXTENSION pulse; CREATE EXTENSION pulse')
  await client.query('ROLLBACK')
  assert.deepEqual(await state(cluster), before)
  await client.query('DROP EXTENSION pulse')
  await client.query('CREATE EXTENSION pulse')
  await client.end()
  assert.deepEqual(await state(cluster), { floor: 1, slot: 0 })
  assert.equal(await reason(cluster, last), 'foreign_epoch')
  const first = await until(async () => await publish(cluster, 'moves'), { what: 'a position' })
  assert.deepEqual((await cluster.sql('SELECT position FROM pulse.history($1)', ['moves'])).map(row => row.position), [first])
})

test('E7: without pulse in shared_preload_libraries nothing rotates, events are stored, and the floor is that of the log', async () => {
  const last = await publish(cluster, 'moves')
  await removeUpTo(cluster, last)
  await publish(cluster, 'moves')
  const before = await state(cluster)
  await cluster.set('shared_preload_libraries', 'plpgsql')   // something else
  await cluster.restart()
  assert.equal(await cluster.value('SELECT _pulse.rotate()'), 'pulse is not preloaded')
  assert.equal((await state(cluster)).floor, before.floor)
  assert.equal(await reason(cluster, last), null)
  assert.equal((await cluster.sql('SELECT FROM pulse.history($1)', ['moves'])).length, 1)
  await cluster.sql(`SELECT pulse.publish('moves', 'later', '1'::json)`)
  await cluster.set('shared_preload_libraries', 'pulse')
  await cluster.restart()
  await until(async () => (await cluster.sql('SELECT FROM pulse.history($1, $2)', ['moves', last])).length === 2, { what: 'the event stored meanwhile' })
  assert.deepEqual(await state(cluster), before)
})
