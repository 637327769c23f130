// The stock socket.io-client over each of its ways to the server, recovery on: what applications do with it, and why it says it lost
// its connection (E5, F4, M1).
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { Proxy } from '../support/proxy.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { connecting, gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_PING_INTERVAL: '300ms', PULSE_MAX_PAYLOAD: '400000' } })
  await pulse.load('rooms', 'clients')
})
after(() => pulse?.stop())

const publish = (rooms, number) => pulse.sql(`SELECT pulse.publish($1::text[], 'n', to_json($2::int))`, [[rooms].flat(), number])
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const md5 = bytes => createHash('md5').update(bytes).digest('hex')
const comesBack = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100, timeout: 3000 }
let users = 0

const ways = { 'WebSocket only': ['websocket'], 'polling only': ['polling'], upgrade: ['polling', 'websocket'] }

for (const [way, transports] of Object.entries(ways)) {
  const settled = socket => until(() => socket.io.engine?.transport.name === transports.at(-1), { what: 'the last transport' })
  const somebody = () => ({ userId: `${way} ${++users}` })
  const open = (who, options) => pulse.io(who, { transports, ...options })

  // Connected and over its last transport, in its own room only; gathers `n`.
  async function here(options) {
    const who = somebody()
    const socket = pulse.socket(who, { transports, ...options })
    const got = gather(socket, 'n')
    await connecting(socket)
    await settled(socket)
    return { who, socket, room: `user:${who.userId}`, numbers: () => got.items.map(([number]) => number) }
  }

  test(`E5 ${way}: events that flow while it connects and changes its transport come once and in order`, async () => {
    const who = somebody()
    const socket = pulse.socket(who, { transports })
    const got = gather(socket, 'n')
    let number = 0, stop = false
    const writer = (async () => { while (!stop) await publish(`user:${who.userId}`, ++number) })()
    try {
      socket.connect()
      await got.atLeast(1)
      await settled(socket)
      await got.atLeast(got.items.length + 60)
    } finally {
      stop = true
      await writer
    }
    await until(() => got.items.at(-1)[0] === number, { what: 'the last event' })
    assert.deepEqual(got.items.map(([n]) => n), range(got.items[0][0], number))
    const cursors = got.items.map(([, cursor]) => BigInt(cursor.split(':')[1]))
    assert.ok(cursors.every((cursor, n) => n === 0 || cursor > cursors[n - 1]), 'cursors grow')
  })

  test(`E5 ${way}: acks answer their own question, with all arguments and in order, also many at once`, async () => {
    const socket = await open(somebody())
    const back = await new Promise(resolve => socket.emit('echo', 1, 'two', { three: [3.5, '𝄞'] }, null, (...args) => resolve(args)))
    assert.deepEqual(back, [1, 'two', { three: [3.5, '𝄞'] }, null])
    assert.deepEqual(await Promise.all(range(1, 100).map(n => socket.emitWithAck('echo', n))), range(1, 100))
    assert.equal((await socket.timeout(20_000).emitWithAck('refuse')).error.code, 'conflict')
  })

  test(`F4 ${way}: binary goes up as bytes and comes down as bytes, empty, many and large`, async () => {
    const { who, socket } = await here()
    const blobs = [randomBytes(1), Buffer.alloc(0), randomBytes(200_000)]
    const answer = await socket.emitWithAck('digest', { photo: blobs[0], name: 'x' }, blobs[1], [blobs[2]])
    assert.deepEqual(answer.md5, blobs.map(md5))
    assert.equal(answer.args[0].name, 'x')
    const downward = [...Array.from({ length: 9 }, (_, n) => randomBytes(n)), randomBytes(250_000)]
    const event = next(socket, 'files')
    await pulse.sql(`SELECT pulse.publish($1, 'files', $2::json, attachments => $3::bytea[])`,
      [`user:${who.userId}`, JSON.stringify(downward.map((_, num) => ({ _placeholder: true, num }))), downward])
    assert.deepEqual((await event)[0].map(one => md5(one)), downward.map(md5))
  })

  test(`M1 ${way}: namespaces share a connection and nothing else`, async () => {
    const who = { ...somebody(), role: 'clerk' }
    const socket = await open(who)
    const desk = socket.io.socket('/desk', { auth: socket.auth })
    const nowhere = socket.io.socket('/nowhere', { auth: socket.auth })
    const refused = next(nowhere, 'connect_error')
    await connecting(desk)
    assert.notEqual(desk.id, socket.id)
    nowhere.connect()
    assert.equal((await refused)[0].message, 'Invalid namespace')
    assert.equal(nowhere.active, false, 'it does not try again by itself')
    assert.equal(await desk.emitWithAck('echo', 'desk'), 'desk')
    const both = [next(socket, 'both'), next(desk, 'both')]
    await pulse.sql(`SELECT pulse.publish($1, 'both', '1')`, [`user:${who.userId}`])
    await Promise.all(both)
    const onlyDesk = gather(socket, 'all')
    const all = next(desk, 'all')
    await pulse.sql(`SELECT pulse.publish('desk:all', 'all', '1')`)
    await all
    const left = next(desk, 'disconnect')
    desk.disconnect()
    assert.equal((await left)[0], 'io client disconnect')
    assert.equal(await socket.emitWithAck('echo', 'still here'), 'still here')
    assert.equal(onlyDesk.items.length, 0)
    await connecting(desk)
    assert.equal(await desk.emitWithAck('echo', 'again'), 'again')
    nowhere.disconnect()
    desk.disconnect()
  })

  test(`E5 ${way}: refused by a connect function or for its token: message and data, no attempt by itself, and welcome later`, async () => {
    const refusal = await open(somebody(), { namespace: '/desk' }).catch(error => error)
    assert.deepEqual([refusal.message, refusal.data.code], ['clerks only', 'forbidden'])
    const socket = pulse.socket('no.token.this', { transports, ...comesBack })
    const [error] = await Promise.all([next(socket, 'connect_error'), socket.connect()]).then(([first]) => first)
    assert.equal(error.data.code, 'unauthenticated')
    assert.equal(socket.active, false)
    socket.auth = { token: token(somebody()) }
    await connecting(socket)
    assert.equal(await socket.emitWithAck('echo', 1), 1)
  })

  test(`E5 ${way}: told to leave by a handler: io server disconnect, it stays away until it is told to come back`, async () => {
    const { socket } = await here(comesBack)
    const gone = next(socket, 'disconnect')
    socket.emit('leave-me')
    assert.equal((await gone)[0], 'io server disconnect')
    assert.equal(socket.active, false)
    await connecting(socket)
    assert.equal(socket.recovered, false, 'a session that was ended does not go on')
  })

  test(`E5 ${way}: leaving by itself: io client disconnect, and the server knows at once`, async () => {
    const { who, socket } = await here(comesBack)
    const gone = next(socket, 'disconnect')
    socket.disconnect()
    assert.equal((await gone)[0], 'io client disconnect')
    await until(() => pulse.value('SELECT count(*) = 0 FROM _pulse.sessions WHERE user_id = $1 AND ended_at IS NULL', [who.userId]), { what: 'the session being over' })
  })

  test(`E2 ${way}: the network breaks: it comes back by itself, on another bridge, with everything once, and sends what it kept`, async () => {
    let target = pulse.bridges[0]
    const proxy = await Proxy.start(() => target ? [target.port] : [])
    const { who, socket, room, numbers } = await here({ bridge: proxy, ...comesBack })
    const { id } = socket
    assert.deepEqual(await socket.emitWithAck('enter', 'open:trip'), { ok: true })
    await publish([room, 'open:trip'], 1)
    await until(() => numbers().length === 1)
    const reasons = gather(socket, 'disconnect')
    for (const [round, bridge] of [pulse.bridges[1], pulse.bridges[0]].entries()) {
      target = undefined
      const lost = next(socket, 'disconnect')
      proxy.cut()
      const [reason] = await lost
      assert.ok(['transport close', 'transport error'].includes(reason), reason)
      for (const n of [1, 2, 3]) socket.emit('say', round, n)
      for (const n of [2, 3, 4]) await publish([room, 'open:trip'].slice(n % 2), 10 * round + n)
      target = bridge
      await next(socket, 'connect')
      assert.equal(socket.recovered, true)
      assert.equal(socket.id, id)
      await until(() => numbers().at(-1) === 10 * round + 4)
      await until(() => pulse.value('SELECT count(*) = $2 FROM app.said WHERE user_id = $1', [who.userId, 3 * (round + 1)]), { what: 'what it kept' })
    }
    await publish('open:trip', 100)
    await until(() => numbers().at(-1) === 100)
    assert.deepEqual(numbers(), [1, 2, 3, 4, 12, 13, 14, 100])
    assert.equal(reasons.items.length, 2)
    const said = await pulse.sql('SELECT args FROM app.said WHERE user_id = $1 ORDER BY id', [who.userId])
    assert.deepEqual(said.map(({ args }) => args), [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3]])
    socket.disconnect()
    await proxy.stop()
  })

  test(`M10 ${way}: the bridge is killed, drained and started again: it comes back by itself, recovered`, async () => {
    const bridge = await pulse.addBridge()
    const { socket, room, numbers } = await here({ bridge, ...comesBack })
    await publish(room, 1)
    await until(() => numbers().length === 1)
    for (const [number, end] of [[2, () => bridge.kill()], [4, () => bridge.stop()]]) {
      const lost = next(socket, 'disconnect'), failed = next(socket.io, 'error')
      await end()
      const [reason] = await lost
      assert.ok(['transport close', 'transport error'].includes(reason), reason)
      assert.equal(socket.active, true)
      assert.match((await failed)[0].message, /websocket error|xhr poll error/)
      await publish(room, number)
      const back = next(socket, 'connect')
      await bridge.restart()
      await back
      assert.equal(socket.recovered, true)
      await publish(room, number + 1)
      await until(() => numbers().at(-1) === number + 1)
    }
    assert.deepEqual(numbers(), [1, 2, 3, 4, 5])
    socket.disconnect()
    await bridge.stop()
  })

  test(`E5 ${way}: the bridge stands still: ping timeout, then it goes on where it was`, async () => {
    const bridge = await pulse.addBridge({ PULSE_PING_INTERVAL: '200ms', PULSE_PING_TIMEOUT: '2s' })
    const { socket, room, numbers } = await here({ bridge, ...comesBack })
    const lost = next(socket, 'disconnect')
    process.kill(bridge.pid, 'SIGSTOP')
    const [reason] = await lost.finally(() => process.kill(bridge.pid, 'SIGCONT'))
    assert.equal(reason, 'ping timeout')
    await publish(room, 1)
    await until(() => socket.connected && numbers().length === 1, { what: 'coming back' })
    assert.equal(socket.recovered, true)
    socket.disconnect()
    await bridge.stop()
  })

  test(`M10 ${way}: a message over the limit ends the connection; the client comes back and goes on`, async () => {
    const { socket, room, numbers } = await here(comesBack)
    const lost = next(socket, 'disconnect'), back = next(socket, 'connect')
    socket.emit('echo', 'x'.repeat(500_000))
    assert.ok(['transport close', 'transport error'].includes((await lost)[0]))
    await back
    assert.equal(socket.recovered, true)
    await publish(room, 1)
    await until(() => numbers().length === 1)
    socket.disconnect()
  })
}
