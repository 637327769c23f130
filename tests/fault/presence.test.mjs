// E3: presence when backends and bridges are killed: who is there stays there, who is not leaves, and each join has one leave.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2, settings: { 'pulse.housekeeping_interval': '500ms', restart_after_crash: 'on' } })
  await pulse.sql(readFileSync(new URL('../support/presence.sql', import.meta.url), 'utf8'))
})
after(() => pulse?.stop())

const there = async room => Object.fromEntries((await pulse.sql('SELECT * FROM pulse.presence($1)', [room])).map(row => [row.user_id, row]))
const said = async room => (await pulse.sql(`SELECT name, payload FROM pulse.events WHERE rooms = ARRAY[$1] AND name LIKE 'presence:%' ORDER BY id`, [room]))
  .map(({ name, payload }) => `${name.slice(9)} ${payload.userId ?? payload.room}`)

// kill -9 of a backend: PostgreSQL restarts all of itself, and UNLOGGED tables are empty.
async function crash() {
  const epochs = await pulse.value('SELECT count(*) FROM _pulse.epochs')
  const backend = await pulse.cluster.connect()
  const { rows: [{ pid }] } = await backend.query('SELECT pg_backend_pid() AS pid')
  process.kill(pid, 'SIGKILL')
  await until(async () => await pulse.value('SELECT count(*) FROM _pulse.epochs') > epochs, { what: 'the next epoch' })
  await backend.end().catch(() => {})
}

test('E3: a backend is killed: no join, no leave, the states are back within seconds, and rooms are told', async () => {
  const room = 'club:crash'
  const sockets = []
  for (const [n, bridge] of pulse.bridges.entries()) {
    const socket = await pulse.io({ userId: `user ${n}` }, { bridge })
    await socket.emitWithAck('room:join', { room })
    await socket.emitWithAck('track', room, { n }, n === 0 ? '1 hour' : null)
    sockets.push(socket)
  }
  const quiet = await pulse.io({ userId: 'left' })
  await quiet.emitWithAck('track', room, {})
  await quiet.emitWithAck('untrack', room)
  const synced = Promise.all(sockets.map(socket => next(socket, 'presence:sync')))
  await crash()
  assert.deepEqual(Object.keys(await there(room)), ['user 0', 'user 1'], 'users are there all the time')
  for (const [payload] of await synced) assert.deepEqual(payload, { room })
  assert.deepEqual(Object.values(await there(room)).map(({ state, sessions }) => ({ state, sessions })),
    [{ state: { n: 0 }, sessions: 1 }, { state: { n: 1 }, sessions: 1 }])
  assert.equal(await pulse.value(`SELECT ttl = interval '1 hour' FROM _pulse.leases WHERE user_id = 'user 0'`), true)
  assert.ok(await pulse.value(`SELECT max(e.at) < (SELECT opened_at + interval '5 s' FROM _pulse.epochs ORDER BY number DESC LIMIT 1) FROM pulse.events e WHERE e.name = 'presence:sync'`),
    'within five seconds')
  assert.ok(sockets.every(socket => socket.connected))
  await sockets[0].emitWithAck('track', room, { n: 'new' }, '1 hour')
  await sockets[1].emitWithAck('untrack', room)
  assert.deepEqual(await said(room), ['join user 0', 'join user 1', 'join left', 'leave left', `sync ${room}`, 'update user 0', 'leave user 1'])
  for (const socket of [...sockets, quiet]) socket.disconnect()
})

test('E3: who disappears together with the leases leaves, once', async () => {
  const room = 'club:both', bridge = await pulse.addBridge()
  await pulse.sql(`SELECT pulse.configure('pulse', 'presence_grace', '100 ms')`)
  const socket = await pulse.io({ userId: 'ann' }, { bridge })
  await socket.emitWithAck('track', room, {})
  await bridge.kill()
  await crash()
  await until(async () => (await said(room)).includes('leave ann'), { what: 'the leave', timeout: 40_000 })
  assert.deepEqual(await there(room), {})
  assert.deepEqual(await said(room), ['join ann', 'leave ann'])
  assert.ok(await pulse.value(`SELECT pulse.last_seen('ann') IS NOT NULL`))
})

test('E3: a bridge is killed: who comes back elsewhere never left, who does not leaves', { timeout: 90_000 }, async () => {
  const room = 'club:killed', bridge = await pulse.addBridge()
  const [stays, goes] = await Promise.all(['stays', 'goes'].map(userId => pulse.io({ userId }, { bridge })))
  for (const socket of [stays, goes]) await socket.emitWithAck('track', room, {})
  await pulse.sql(`SELECT pulse.configure('pulse', 'presence_grace', '100 ms')`)
  const cut = next(stays, 'disconnect')
  await bridge.kill()
  await cut
  stays.io.uri = pulse.bridges[0].url
  stays.connect()
  await next(stays, 'connect')
  assert.equal(stays.recovered, true)
  await until(async () => (await said(room)).includes('leave goes'), { what: 'the leave', timeout: 40_000 })
  assert.deepEqual(await said(room), ['join stays', 'join goes', 'leave goes'])
  assert.deepEqual(Object.keys(await there(room)), ['stays'])
  stays.disconnect()
})

test('E3: sessions whose rows are lost, as those of the last moment before a crash, are tracked all the same, and leave once', async () => {
  const room = 'club:rowless'
  const sockets = await Promise.all([0, 1].map(n => pulse.io({ userId: 'ann' }, { bridge: pulse.bridges[n] })))
  await pulse.sql(`DELETE FROM _pulse.sessions WHERE user_id = 'ann'`)
  assert.deepEqual(await sockets[0].emitWithAck('track', room, 'first'), { ok: true })
  await until(async () => (await there(room)).ann?.sessions === 1, { what: 'the first session' })
  await sockets[1].emitWithAck('track', room, 'second')
  assert.deepEqual(await sockets[1].emitWithAck('who', room), { ann: 'second' }, 'what a session does next sees it')
  await sockets[0].emitWithAck('track', room, 'third')
  await sockets[0].emitWithAck('untrack', room)
  sockets[1].disconnect()
  await until(async () => (await said(room)).includes('leave ann'), { what: 'the leave' })
  assert.deepEqual(await said(room), ['join ann', 'update ann', 'update ann', 'update ann', 'leave ann'])
  sockets[0].disconnect()
})

test('E3: the last bridge is killed: the dispatcher ends what nobody else can', { timeout: 90_000 }, async () => {
  const room = 'club:last'
  const socket = await pulse.io({ userId: 'ann' })
  await socket.emitWithAck('track', room, {})
  for (const bridge of pulse.bridges.filter(one => one.running)) await bridge.kill()
  await until(async () => (await said(room)).includes('leave ann'), { what: 'the leave', timeout: 60_000 })
  assert.deepEqual(await there(room), {})
})
