// PostgreSQL goes away and comes back: sockets and streams stay, what needs it waits or is refused as unavailable, HTTP says 503 within a
// second and when to come back, and afterwards everything goes on.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { RawHttp, request } from '../support/raw_http.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

const room = 'open:stays'
const auth = { Authorization: `Bearer ${token({ userId: 'o' })}` }
let pulse, bridge, sockets, native, stream, parked
before(async () => {
  pulse = await startPulse()
  bridge = pulse.bridge
  await pulse.load('rooms')
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)  // polls read it
  await pulse.sql(`CREATE FUNCTION app.stream(request json) RETURNS json LANGUAGE sql RETURN '{"rooms":["open:stays"]}'::json`)
  await pulse.sql(`SELECT pulse.stream('/stays', 'app.stream', 'none')`)
  sockets = await Promise.all([['websocket'], ['polling']].map(transports => pulse.io({ userId: 'o' }, { transports })))
  for (const socket of sockets) {
    socket.got = gather(socket, 'news')
    socket.disconnects = gather(socket, 'disconnect')
    await socket.emitWithAck('room:join', { room })
  }
  native = await pulse.ws({ userId: 'o' })
  await native.frames.atLeast(1)
  native.send(JSON.stringify({ type: 'join', room, id: 1 }))
  await native.frames.atLeast(2)
  stream = await RawHttp.open(bridge.port)
  stream.send(request('GET', `/sse?room=${room}`, auth))
  await until(() => stream.text.includes('id: '))
  const { cursor } = (await RawHttp.ask(bridge.port, request('GET', `/poll?room=${room}`, auth))).json
  parked = await RawHttp.open(bridge.port)
  parked.send(request('GET', `/poll?room=${room}&timeout=60&cursor=${cursor}`, auth))
  await until(async () => (await (await fetch(`${bridge.internalUrl}/health`)).json()).checks.connections.poll === 1)
  await pulse.cluster.stop('immediate')
  await until(async () => (await fetch(`${bridge.internalUrl}/ready`)).status === 503)
})
after(() => pulse.stop())

for (const [what, target] of [['/sse', `/sse?room=${room}`], ['/poll', `/poll?room=${room}`], ['a stream of SQL', '/stays'], ['a path that nobody knows now', '/anything']]) {
  test(`M10: while PostgreSQL is away ${what} answers 503 with Retry-After, within a second`, async () => {
    await until(async () => {
      const begun = performance.now()
      const answer = await RawHttp.ask(bridge.port, request('GET', target, auth))
      const took = performance.now() - begun
      assert.equal(answer.status, 503)
      assert.ok(Number(answer.headers['retry-after']) >= 1)
      assert.equal(answer.json.error.code, 'unavailable')
      return took < 1000
    }, { what: 'an answer within a second' })
  })
}

test('M10: a wrong token is refused as such even then', async () => {
  assert.equal((await RawHttp.ask(bridge.port, request('GET', `/sse?room=${room}`, { Authorization: 'Bearer wrong' }))).status, 401)
})

test('M10: /health says so and stays 503; the sockets of every protocol stay', async () => {
  const health = await RawHttp.ask(bridge.port, request('GET', '/health'))
  assert.equal(health.status, 503)
  for (const socket of sockets) {
    assert.ok((await socket.emitWithAck('heartbeat')).timestamp, 'the bridge still answers')
    assert.equal(socket.disconnects.items.length, 0)
  }
  assert.equal(native.readyState, native.OPEN)
  assert.ok(!stream.ended)
  assert.ok(!parked.ended)
})

test('M10: events and joins are refused as unavailable, and a new CONNECT as retryable', async () => {
  for (const socket of sockets) {
    const [event, join] = await Promise.all([socket.emitWithAck('echo', 1), socket.emitWithAck('room:join', { room: 'open:other' })])
    assert.equal(event.error?.code, 'unavailable')
    assert.equal(join.error?.code, 'unavailable')
  }
  const late = pulse.socket({ userId: 'late' })
  const refused = next(late, 'connect_error')
  late.connect()
  const [error] = await refused
  assert.deepEqual(error.data, { code: 'unavailable', retryable: true })
  late.disconnect()
})

test('M10: when it is back everything goes on by itself, and nothing was lost', async () => {
  await pulse.cluster.start()
  await bridge.ready()
  await until(() => pulse.sql(`SELECT pulse.publish($1, 'news', '"back"')`, [room]))
  for (const socket of sockets) {
    assert.equal((await socket.got.atLeast(1))[0][0], 'back')
    assert.equal(await until(async () => { const answer = await socket.emitWithAck('echo', 'again'); return answer === 'again' && answer }), 'again')
  }
  await until(() => native.frames.items.some(([data]) => JSON.parse(data).args?.[0] === 'back'), { what: 'the native client\'s event' })
  await until(() => stream.text.includes('back'), { what: 'the event stream\'s event' })
  const answer = await parked.answer()
  assert.equal(answer.json.events[0].args[0], 'back')
  assert.equal((await RawHttp.ask(bridge.port, request('GET', `/poll?room=${room}`, auth))).status, 200)
})
