// E3, S5: presence over two bridges: users come and go once each, whatever their connections do.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.sql(readFileSync(new URL('../support/presence.sql', import.meta.url), 'utf8'))
})
after(() => pulse?.stop())

// Somebody in the room who gathers what is said there: ['join ann', …], in order.
async function witness(room, bridge = pulse.bridges[1]) {
  const socket = await pulse.io({ userId: 'witness' }, { bridge })
  const said = []
  for (const what of ['join', 'update', 'leave', 'sync']) socket.on(`presence:${what}`, payload => said.push({ what, ...payload }))
  assert.equal((await socket.emitWithAck('room:join', { room })).ok, true)
  return {
    socket, said,
    words: () => said.map(({ what, userId }) => `${what} ${userId}`),
    until: n => until(() => said.length >= n, { what: `${n} events of presence` })
  }
}
const grace = value => pulse.sql(`SELECT pulse.configure('pulse', 'presence_grace', $1)`, [value])
const there = async room => Object.fromEntries((await pulse.sql('SELECT * FROM pulse.presence($1)', [room])).map(row => [row.user_id, row]))
// As when the network fails: no goodbye, and nobody comes back by itself.
const cut = socket => {
  const gone = next(socket, 'disconnect')
  socket.io.engine.close()
  return gone
}

test('E3: one user with two tabs on two bridges: one join, updates of the newest state, one leave', async () => {
  const room = 'club:tabs', seen = await witness(room)
  const first = await pulse.io({ userId: 'ann' }), second = await pulse.io({ userId: 'ann' }, { bridge: pulse.bridges[1] })
  await first.emitWithAck('track', room, { status: 'online' })
  await second.emitWithAck('track', room, { status: 'away' })
  assert.deepEqual(await seen.socket.emitWithAck('who', room), { ann: { status: 'away' } })
  assert.equal((await there(room)).ann.sessions, 2)
  await second.emitWithAck('untrack', room)
  await first.emitWithAck('untrack', room)
  await seen.until(4)
  assert.deepEqual(seen.said.map(({ what, state }) => `${what} ${state?.status}`), ['join online', 'update away', 'update online', 'leave undefined'])
  assert.ok(Math.abs(Date.parse(seen.said[3].lastSeen) - Date.now()) < 60_000)
  assert.ok(Math.abs(Date.parse(seen.said[0].at) - Date.now()) < 60_000)
  for (const socket of [first, second, seen.socket]) socket.disconnect()
})

test('E3: a policy decides who may read', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  assert.equal((await socket.emitWithAck('who', 'secret:1')).error.code, 'forbidden')
  assert.deepEqual(await socket.emitWithAck('who', 'club:empty'), {})
  socket.disconnect()
})

test('E3: who is gone for longer than the grace leaves; who comes back later, with a session that goes on, joins by that', async () => {
  const room = 'club:grace', seen = await witness(room)
  const socket = pulse.socket({ userId: 'bob' })
  socket.connect()
  await next(socket, 'connect')
  await socket.emitWithAck('track', room, { n: 1 })
  await grace('1 hour')
  await cut(socket)
  await until(async () => (await there(room)).bob.sessions === 0, { what: 'the end being reported' })
  socket.io.uri = pulse.bridges[1].url
  socket.connect()
  await next(socket, 'connect')
  assert.equal(socket.recovered, true)
  assert.equal((await there(room)).bob.sessions, 1)
  await seen.until(1)
  assert.deepEqual(seen.words(), ['join bob'])

  await grace('100 ms')
  await cut(socket)
  await seen.until(2)
  assert.deepEqual(await there(room), {})
  assert.ok(await pulse.value(`SELECT pulse.last_seen('bob') BETWEEN now() - interval '1 minute' AND now()`))
  socket.connect()
  await next(socket, 'connect')
  assert.equal(socket.recovered, true)
  await seen.until(3)
  assert.deepEqual(seen.words(), ['join bob', 'leave bob', 'join bob'])
  assert.deepEqual(seen.said[2].state, { n: 1 })
  await grace(null)
  for (const one of [socket, seen.socket]) one.disconnect()
})

test('E3: who leaves the room or is put out of it is not present there any more', async () => {
  const room = 'club:left', seen = await witness(room)
  const socket = await pulse.io({ userId: 'cat' })
  for (const end of [() => socket.emitWithAck('room:leave', { room }), () => pulse.sql(`SELECT pulse.evict($1, 'cat')`, [room])]) {
    await socket.emitWithAck('room:join', { room })
    await socket.emitWithAck('track', room, {})
    await end()
    await until(() => seen.words().at(-1) === 'leave cat')
  }
  assert.deepEqual(seen.words(), ['join cat', 'leave cat', 'join cat', 'leave cat'])
  for (const one of [socket, seen.socket]) one.disconnect()
})

test('S5: a time to live is renewed by what the client says, and ends in silence', async () => {
  const room = 'club:ttl', seen = await witness(room)
  const socket = await pulse.io({ userId: 'dan' })
  await socket.emitWithAck('track', room, {}, '6 s')
  const [{ end }] = await pulse.sql(`SELECT expires_at + interval '2 s' AS end FROM _pulse.leases WHERE user_id = 'dan'`)
  await until(async () => {
    await socket.emitWithAck('ping')
    return await pulse.value('SELECT clock_timestamp() > $1', [end])
  }, { every: 200, what: 'the first ttl being over' })
  assert.deepEqual(seen.words(), ['join dan'])
  await seen.until(2)   // it says nothing any more
  assert.deepEqual(seen.words(), ['join dan', 'leave dan'])
  assert.ok(socket.connected)
  for (const one of [socket, seen.socket]) one.disconnect()
})

test('E3: a bridge with hundreds of sessions is restarted: they go on elsewhere, and nobody hears of any', { timeout: 120_000 }, async () => {
  const many = 300, room = 'club:lobby', bridge = await pulse.addBridge()
  await grace('1 minute')
  const sockets = []
  for (let n = 0; n < many; n++) {
    const socket = pulse.socket({ userId: `user ${n}` }, { bridge, namespace: '/club', reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 500 })
    socket.io.on('reconnect_attempt', () => { socket.io.uri = `${pulse.bridges[n % 2].url}/club` })
    socket.recoveries = gather(socket, 'connect')
    socket.connect()
    sockets.push(socket)
    if (n % 50 === 49) await Promise.all(sockets.map(one => one.recoveries.atLeast(1)))
  }
  await until(async () => await pulse.value('SELECT pulse.presence_count($1)', [room]) === String(many), { what: 'everybody being present' })
  const events = () => pulse.sql(`SELECT name, count(*)::int AS n FROM pulse.events WHERE rooms = ARRAY[$1] AND name LIKE 'presence:%' GROUP BY 1`, [room])
  assert.deepEqual(await events(), [{ name: 'presence:join', n: many }])
  await sockets[7].emitWithAck('track', room, { status: 'away' })

  await bridge.stop()
  await Promise.all(sockets.map(socket => socket.recoveries.atLeast(2)))
  assert.equal(sockets.filter(socket => socket.recovered).length, many)
  const rows = await there(room)
  assert.equal(Object.keys(rows).length, many)
  assert.ok(Object.values(rows).every(({ sessions }) => sessions === 1))
  assert.deepEqual(rows['user 7'].state, { status: 'away' }, 'what a connect function tracks is for those who begin')
  assert.deepEqual((await events()).sort((a, b) => a.n - b.n), [{ name: 'presence:update', n: 1 }, { name: 'presence:join', n: many }])

  await grace('100 ms')
  for (const socket of sockets) socket.disconnect()
  await until(async () => await pulse.value('SELECT pulse.presence_count($1)', [room]) === '0', { what: 'nobody being there' })
  assert.equal((await events()).find(({ name }) => name === 'presence:leave').n, many)
  await grace(null)
})

test('E3: of very many who leave at once a report ends a part, and the dispatcher the rest, without another report', async () => {
  const quiet = await startPulse({ bridges: 0, settings: { 'pulse.housekeeping_interval': '1h' } })
  try {
    await quiet.sql(readFileSync(new URL('../support/presence.sql', import.meta.url), 'utf8'))
    await quiet.sql(`SELECT pulse.configure('pulse', 'presence_grace', '0 s')`)
    await until(() => quiet.value('SELECT count(*) = 1 FROM _pulse.epochs'), { what: 'a dispatcher' })
    await quiet.sql(`
      SELECT pulse.handle_connect('/', c), pulse.handle('/', 'track', '["club:many",1]', c)
        FROM generate_series(1, 1000) n, json_build_object('userId', 'user ' || n, 'sessionId', 'key ' || n, 'socketId', n::text, 'bridge', 'b', 'generation', 1) c`)
    await quiet.sql(`INSERT INTO _pulse.lease_bridges VALUES ('', true) ON CONFLICT DO NOTHING`)
    assert.equal(await quiet.value(`SELECT pulse.presence_count('club:many')`), '1000')
    await quiet.sql(`SELECT pulse.bridge_sessions('b', json_agg(json_build_object('key', 'key ' || n, 'generation', 1, 'ended', true))) FROM generate_series(1, 1000) n`)
    await until(async () => await quiet.value(`SELECT pulse.presence_count('club:many')`) === '0', { what: 'the last leave' })
    assert.equal(await quiet.value(`SELECT count(*) FROM pulse.events WHERE name = 'presence:leave'`), '1000')
  } finally {
    await quiet.stop()
  }
})
