// SIGTERM: everybody is told to come back, of every protocol, not all at once; what was under way is answered; nothing is lost.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { heldHandler, hold, underWay } from '../support/held.mjs'
import { startPulse } from '../support/pulse.mjs'
import { RawHttp, request } from '../support/raw_http.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ settings: { 'pulse.handler_timeout': '20s' } })
  await pulse.load('rooms')
  await pulse.sql(heldHandler)
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)  // polls read it
})
after(() => pulse.stop())

const auth = { Authorization: `Bearer ${token({ userId: 'd' })}` }

test('M10: clients of every protocol are told to come back, and what they miss meanwhile they get elsewhere', async () => {
  const bridge = await pulse.addBridge()
  const room = 'open:moving', got = {}
  // Socket.IO goes through a name that both bridges answer to: here, the other bridge's address by its manager's next try.
  const sockets = { websocket: ['websocket'], polling: ['polling'] }
  for (const [name, transports] of Object.entries(sockets)) {
    const socket = pulse.socket({ userId: name }, { bridge, transports, reconnection: true, reconnectionDelay: 10 })
    got[name] = gather(socket, 'news')
    got[name].socket = socket
    socket.connect()
    await next(socket, 'connect')
    assert.equal((await socket.emitWithAck('room:join', { room })).ok, true)
    socket.io.on('reconnect_attempt', () => { socket.io.uri = pulse.bridge.url })
  }
  const native = await pulse.ws({ userId: 'native' }, { bridge })
  await native.frames.atLeast(1)
  native.send(JSON.stringify({ type: 'join', room, id: 1 }))
  await native.frames.atLeast(2)
  const stream = await RawHttp.open(bridge.port)
  stream.send(request('GET', `/sse?room=${room}`, auth))
  await until(() => stream.text.includes('id: '))
  const { cursor } = (await RawHttp.ask(bridge.port, request('GET', `/poll?room=${room}`, auth))).json
  const parked = await RawHttp.open(bridge.port)
  parked.send(request('GET', `/poll?room=${room}&timeout=60&cursor=${cursor}`, auth))
  await until(async () => (await (await fetch(`${bridge.internalUrl}/health`)).json()).checks.connections.poll === 1)

  const stopped = bridge.stop()
  await pulse.sql(`SELECT pulse.publish($1, 'news', '"meanwhile"')`, [room])
  assert.equal((await native.closed)[0], 1001)
  await stream.closed
  await parked.closed
  const answer = parked.answers[0]
  assert.ok(answer.status === 204 || answer.status === 200, `${answer.status} ${answer.body}`)
  await stopped

  for (const name of Object.keys(sockets)) assert.deepEqual((await got[name].atLeast(1))[0][0], 'meanwhile', name)
  const last = [...stream.text.matchAll(/id: (\S+)/g)].at(-1)[1]
  if (!stream.text.includes('meanwhile')) {
    const again = await RawHttp.open(pulse.bridge.port)
    again.send(request('GET', `/sse?room=${room}`, { ...auth, 'Last-Event-ID': last }))
    await until(() => again.text.includes('meanwhile'))
    again.destroy()
  }
  if (answer.status === 204) {
    const next = await RawHttp.ask(pulse.bridge.port, request('GET', `/poll?room=${room}&cursor=${answer.headers['pulse-cursor'] ?? cursor}`, auth))
    assert.equal(next.json.events[0].args[0], 'meanwhile')
  }
  for (const { socket } of Object.values(got)) {
    await until(() => socket.recovered, { what: 'its recovery elsewhere' })
    socket.disconnect()
  }
})

test('M10: clients are told at --drain-rate and in random order; those not told yet go on as ever', async () => {
  const bridge = await pulse.addBridge({ PULSE_DRAIN_RATE: '10', PULSE_DRAIN_TIMEOUT: '20s' })
  const order = [], clients = []
  for (let n = 0; n < 40; n++) {
    const socket = await pulse.ws({ userId: `u${n}` }, { bridge })
    await socket.frames.atLeast(1)
    socket.once('close', code => order.push([n, code]))
    clients.push(socket)
  }
  const stopped = bridge.stop()
  await until(() => order.length >= 3)
  assert.ok(order.length < 30, 'not all at once')
  // Somebody who is still there is still served.
  const [busy, id] = [clients.find((_, n) => order.every(([gone]) => gone !== n)), 99]
  const answered = until(() => busy.frames.items.some(([data]) => JSON.parse(data).id === id), { what: 'an answer in the drain' })
  busy.send(JSON.stringify({ type: 'emit', event: 'echo', args: [1], id }))
  await answered
  await stopped
  await until(() => order.length === 40)
  assert.ok(order.every(([, code]) => code === 1001))
  assert.notDeepEqual(order.map(([n]) => n), order.map(([n]) => n).sort((a, b) => a - b))
})

test('M10: a few clients leave at once', async () => {
  const bridge = await pulse.addBridge()
  const sockets = await Promise.all(Array.from({ length: 20 }, (_, n) => pulse.io({ userId: `few${n}` }, { bridge })))
  const gone = sockets.map(socket => next(socket, 'disconnect'))
  const draining = until(() => bridge.log.some(({ message }) => message === 'draining'))
  await Promise.all([bridge.stop(), draining, ...gone])
  const [begun, ended] = ['draining', 'stopped'].map(message => Date.parse(bridge.log.find(entry => entry.message === message).at))
  assert.ok(ended - begun < 5000, `${ended - begun} ms, much less than the drain's time`)
})

test('M10: what clients sent before the drain is answered, also what waits for its turn, over every transport', async () => {
  const bridge = await pulse.addBridge()
  const clients = [await pulse.io({ userId: 'w' }, { bridge }), await pulse.io({ userId: 'p' }, { bridge, transports: ['polling'] })]
  const letGo = await hold(pulse)
  const answers = clients.map(client => Promise.all([client.emitWithAck('held', 1), client.emitWithAck('echo', 'a'), client.emitWithAck('echo', 'b')]))
  await underWay(pulse, 2)
  const stopped = bridge.stop()
  await until(() => bridge.log.some(({ message }) => message === 'draining'))
  await letGo()
  for (const answer of answers) assert.deepEqual(await answer, [1, 'a', 'b'])
  await stopped
})

test('M10: what clients send to a bridge that waits for their last answer is refused as unavailable', async () => {
  const bridge = await pulse.addBridge()
  const client = await pulse.io({ userId: 'late' }, { bridge })
  const letGo = await hold(pulse)
  const slow = client.emitWithAck('held', 2)
  await underWay(pulse, 1)
  const stopped = bridge.stop()
  await until(() => bridge.log.some(({ message }) => message === 'draining'))
  const late = await until(() => client.emitWithAck('echo', 'late'))
  assert.equal(late.error?.code, 'unavailable')
  await letGo()
  assert.equal(await slow, 2)
  await stopped
})

test('M10: an HTTP request under way is answered, on a connection that then closes; nobody new comes in', async () => {
  await pulse.sql(`CREATE OR REPLACE FUNCTION app.slow_stream(request json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN PERFORM app.held(NULL); PERFORM pulse.fail('conflict', 'after a while'); RETURN NULL; END $$`)
  await pulse.sql(`SELECT pulse.stream('/slow', 'app.slow_stream', 'none')`)
  const bridge = await pulse.addBridge()
  const idle = await RawHttp.open(bridge.port), busy = await RawHttp.open(bridge.port)
  idle.send(request('GET', '/health'))
  await idle.answer()
  const letGo = await hold(pulse)
  busy.send(request('GET', '/slow'))
  await underWay(pulse, 1)
  const stopped = bridge.stop()
  await until(() => bridge.log.some(({ message }) => message === 'draining'))
  await idle.closed
  await assert.rejects(RawHttp.open(bridge.port), error => error.code === 'ECONNREFUSED')
  await until(async () => (await fetch(`${bridge.internalUrl}/ready`)).status === 503)   // fetch() may take a kept connection that ends just now
  await letGo()
  const answer = await busy.answer()
  assert.equal(answer.status, 409)
  assert.equal(answer.headers.connection, 'close')
  await busy.closed
  await stopped
})

test('M10: two bridges on one port: when one drains, the other takes over without anybody being refused for long', async () => {
  const first = await pulse.addBridge()
  const second = await pulse.addBridge({ PULSE_LISTEN: `127.0.0.1:${first.port}` })
  second.port = first.port
  const sockets = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const socket = pulse.socket({ userId: `two${n}` }, { bridge: first, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 })
    socket.connect()
    await next(socket, 'connect')
    await socket.emitWithAck('room:join', { room: 'open:two' })
    return socket
  }))
  const got = sockets.map(socket => gather(socket, 'tick'))
  let publishing = true, published = 0
  const publisher = (async () => { while (publishing) await pulse.sql(`SELECT pulse.publish('open:two', 'tick', $1::json)`, [String(published++)]) })()
  await first.stop()
  await until(() => sockets.every(socket => socket.connected))
  publishing = false
  await publisher
  for (const one of got) {
    await one.atLeast(published)
    assert.deepEqual(one.items.map(([n]) => n), Array.from({ length: published }, (_, n) => n))
  }
  for (const socket of sockets) socket.disconnect()
})

test('M10: a second signal ends the process at once', async () => {
  const bridge = await pulse.addBridge({ PULSE_DRAIN_TIMEOUT: '60s' })
  const client = await pulse.io({ userId: 'long' }, { bridge })
  const poller = await pulse.io({ userId: 'long' }, { bridge, transports: ['polling'] })  // its GET waits to the end
  const letGo = await hold(pulse)
  for (const one of [client, poller]) one.emit('held', 4)
  await underWay(pulse, 2)
  process.kill(bridge.pid, 'SIGTERM')
  await until(() => bridge.log.some(({ message }) => message === 'draining'))
  process.kill(bridge.pid, 'SIGTERM')
  const [code] = await bridge.exited
  assert.equal(code, 0)
  await letGo()
  await underWay(pulse, 0)
})
