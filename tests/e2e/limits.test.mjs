// So much and no more: connections, their rate, payloads on each protocol, events and rooms of a session, bytes for one that does not read.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { RawHttp, request } from '../support/raw_http.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)  // event streams that come back read it
})
after(() => pulse.stop())

const health = request('GET', '/health')
// Stays open after its answer.
async function guest(bridge, options) {
  const line = await RawHttp.open(bridge.port, options)
  line.send(health)
  line.status = (await line.answer()).status
  return line
}

test('M10: a page of a listed origin reads why its connection is refused, and its browser may ask first', async () => {
  const origin = 'https://app.example'
  const bridge = await pulse.addBridge({ PULSE_MAX_CONNECTIONS: '1', PULSE_CORS_ORIGIN: `https://other.example,${origin}` })
  const line = await guest(bridge)
  const ask = (method, headers = {}, body) => RawHttp.ask(bridge.port, request(method, '/api/x', { Origin: origin, ...headers }, body))
  for (const answer of [await ask('GET'), await ask('POST', { 'Content-Length': '5' }, 'hello')]) {
    assert.deepEqual([answer.status, answer.json.error.code, answer.headers['access-control-allow-origin'], answer.headers['access-control-allow-credentials']], [503, 'unavailable', origin, 'true'])
    assert.match(answer.headers['access-control-expose-headers'], /Retry-After/)
    assert.ok(Number(answer.headers['retry-after']) >= 1)
  }
  const preflight = await ask('OPTIONS', { 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'authorization' })
  assert.deepEqual([preflight.status, preflight.headers['access-control-allow-origin'], preflight.headers['access-control-allow-headers']], [204, origin, 'authorization'])
  assert.equal((await ask('GET', { Origin: 'https://bad.example' })).headers['access-control-allow-origin'], undefined)
  line.destroy()
})

test('M10: --max-connections: one too many hears 503 with Retry-After before it has asked; a place that becomes free is given', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_CONNECTIONS: '5' })
  const guests = []
  for (let n = 0; n < 5; n++) guests.push(await guest(bridge))
  assert.deepEqual(guests.map(({ status }) => status), [200, 200, 200, 200, 200])
  const refused = await RawHttp.open(bridge.port)
  const answer = await refused.answer()
  assert.equal(answer.status, 503)
  assert.ok(Number(answer.headers['retry-after']) >= 1)
  assert.equal(answer.json.error.code, 'unavailable')
  await refused.closed
  assert.equal((await fetch(`${bridge.internalUrl}/health`)).status, 200, 'the internal listener has room')
  assert.ok(await bridge.metric('pulse_bridge_connections_refused_total', { reason: 'full' }) >= 1)
  guests.pop().destroy()
  guests.push(await until(async () => { const line = await guest(bridge); return line.status === 200 && line }))
  for (const line of guests) line.destroy()
  const socket = await until(() => pulse.io({ userId: 'u' }, { bridge }), { what: 'a WebSocket in a free place' })
  socket.disconnect()
})

test('M10: --max-connections counts WebSockets and streams, for as long as they live', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_CONNECTIONS: '3' })
  const native = await pulse.ws({ userId: 'a' }, { bridge }), socket = await pulse.io({ userId: 'b' }, { bridge })
  const stream = await RawHttp.open(bridge.port)
  stream.send(request('GET', '/sse?room=open:1', { Authorization: `Bearer ${token({ userId: 'c' })}` }))
  await until(() => stream.text.includes('id: '))
  assert.equal((await (await RawHttp.open(bridge.port)).answer()).status, 503)
  native.terminate()
  socket.disconnect()
  stream.destroy()
  for (let n = 0; n < 3; n++) await until(async () => (await guest(bridge)).status === 200)
})

test('M10: --max-connections-per-ip: of one address so many; another one has its own', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_CONNECTIONS_PER_IP: '3' })
  const guests = []
  for (let n = 0; n < 3; n++) guests.push(await guest(bridge))
  const refused = await RawHttp.open(bridge.port)
  const answer = await refused.answer()
  assert.equal(answer.status, 429)
  assert.equal(answer.json.error.code, 'rate_limited')
  assert.ok(answer.headers['retry-after'])
  assert.equal((await guest(bridge, { localAddress: '127.0.0.2' })).status, 200)
  guests.pop().destroy()
  await until(async () => (await guest(bridge)).status === 200)
  assert.ok(await bridge.metric('pulse_bridge_connections_refused_total', { reason: 'ip' }) >= 1)
  for (const line of guests) line.destroy()
})

test('M10: --max-connections-per-ip holds for polling sessions, which outlive their connections', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_CONNECTIONS_PER_IP: '3' })
  const begin = options => until(async () => { const answer = await RawHttp.ask(bridge.port, request('GET', '/socket.io/?EIO=4&transport=polling'), options); return answer.status !== 429 && answer })
  const sids = []
  for (let n = 0; n < 3; n++) sids.push(JSON.parse((await begin()).body.slice(1)).sid)
  const refused = await begin()
  assert.deepEqual([refused.status, refused.json], [403, { code: 4, message: 'Forbidden' }])
  assert.equal((await begin({ localAddress: '127.0.0.2' })).status, 200)
  await until(async () => (await RawHttp.ask(bridge.port, request('POST', `/socket.io/?EIO=4&transport=polling&sid=${sids[0]}`, { 'Content-Length': '1' }, '1'))).status === 200)
  assert.equal((await begin()).status, 200, 'the place of the one that left')
})

test('M10: --connect-rate: a burst is let in, the rest hears 429 and comes in later', async () => {
  const bridge = await pulse.addBridge({ PULSE_CONNECT_RATE: '5' })
  const lines = await Promise.all(Array.from({ length: 60 }, () => RawHttp.open(bridge.port)))
  const refused = await until(() => { const found = lines.filter(line => line.answers.length > 0); return found.length >= 20 && found })
  for (const line of refused) assert.equal(line.answers[0].status, 429)
  const accepted = lines.filter(line => !refused.includes(line) && !line.ended)
  assert.ok(accepted.length >= 5)
  assert.equal(await bridge.metric('pulse_bridge_connections_refused_total', { reason: 'rate' }) >= 20, true)
  assert.equal((await until(async () => { const line = await guest(bridge); return line.status === 200 && line })).status, 200)
  for (const line of lines) line.destroy()
})

test('M10: --trust-proxy: the client\'s address is the proxy\'s word; without it the header is only a header', async () => {
  await pulse.sql(`CREATE FUNCTION app.address(request json) RETURNS json LANGUAGE sql STABLE
      RETURN json_build_object('rooms', '["open:address"]'::json, 'first', json_build_array(json_build_object('event', 'address', 'data', request->'ip')))`)
  await pulse.sql(`SELECT pulse.stream('/address', 'app.address', 'none')`)
  const trusting = await pulse.addBridge({ PULSE_TRUST_PROXY: '127.0.0.0/8', PULSE_MAX_CONNECTIONS_PER_IP: '1' })
  const seen = async (bridge, headers) => {
    const line = await RawHttp.open(bridge.port)
    line.send(`GET /address HTTP/1.1\r\nHost: x\r\n${headers.map(value => `X-Forwarded-For: ${value}\r\n`).join('')}\r\n`)
    const [, address] = await until(() => /event: address\ndata: "([^"]+)"/.exec(line.text))
    line.destroy()
    return address
  }
  assert.equal(await seen(pulse.bridge, ['203.0.113.9']), '127.0.0.1')
  assert.equal(await seen(trusting, []), '127.0.0.1')
  assert.equal(await seen(trusting, ['203.0.113.9']), '203.0.113.9')
  assert.equal(await seen(trusting, ['1.1.1.1, 203.0.113.9', '127.0.0.3']), '203.0.113.9')
  const guests = [await guest(trusting), await guest(trusting)]
  assert.deepEqual(guests.map(({ status }) => status), [200, 200], 'a trusted proxy is many clients')
  for (const line of guests) line.destroy()
})

// ---- payloads

test('M10: a message over --max-payload: 1009 on WebSockets, 413 on polling; the client comes back', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_PAYLOAD: '20000' })
  const big = 'x'.repeat(30_000)
  const native = await pulse.ws({ userId: 'n' }, { bridge })
  native.send(JSON.stringify({ type: 'emit', event: 'echo', args: [big] }))
  assert.equal((await native.closed)[0], 1009)

  for (const transports of [['websocket'], ['polling']]) {
    const socket = pulse.socket({ userId: 's' }, { bridge, transports, reconnection: true, reconnectionDelay: 10 })
    const connects = gather(socket, 'connect'), disconnects = gather(socket, 'disconnect')
    socket.connect()
    await connects.atLeast(1)
    socket.emit('echo', big)
    await disconnects.atLeast(1)
    await connects.atLeast(2)
    assert.deepEqual(await socket.emitWithAck('echo', 'small'), 'small')
    socket.disconnect()
  }
  const answer = await RawHttp.ask(bridge.port, request('POST', '/api/anything', { 'Content-Length': '30000' }, big))
  assert.equal(answer.status, 413)
  assert.equal(answer.json.error.code, 'payload_too_large')
})

// ---- sessions

for (const transports of [['websocket'], ['polling']]) {
  test(`M10: --event-rate over ${transports}: what is too much is refused with retryAfter, and the session stays`, async () => {
    const bridge = await pulse.addBridge({ PULSE_EVENT_RATE: '5' })
    const socket = await pulse.io({ userId: 'fast' }, { bridge, transports })
    const errors = gather(socket, 'error')
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => socket.emitWithAck('echo', n)))
    const refused = answers.filter(answer => answer?.error)
    assert.ok(answers.length - refused.length >= 9, 'with the CONNECT a burst of twice the rate')
    assert.ok(refused.length >= 20)
    for (const { error } of refused) {
      assert.equal(error.code, 'rate_limited')
      assert.ok(error.retryAfter >= 1)
    }
    for (let n = 0; n < 20; n++) socket.emit('echo', n)
    await errors.atLeast(1)
    assert.equal(errors.items[0][0].code, 'rate_limited')
    assert.equal(errors.items[0][0].event, 'echo')
    await until(async () => await socket.emitWithAck('echo', 'later') === 'later', { what: 'room for another one' })
    assert.ok(await bridge.metric('realtime_rate_limited_total', { class: 'events' }) >= 20)
  })
}

test('M10: --event-rate on the native protocol', async () => {
  const bridge = await pulse.addBridge({ PULSE_EVENT_RATE: '2' })
  const socket = await pulse.ws({ userId: 'fast' }, { bridge })
  await socket.frames.atLeast(1)
  for (let n = 0; n < 30; n++) socket.send(JSON.stringify({ type: 'emit', event: 'echo', args: [n], id: n }))
  await socket.frames.atLeast(31)
  const messages = socket.frames.items.map(([data]) => JSON.parse(data))
  const refused = messages.filter(({ error, type }) => type === 'error' || error !== undefined)
  assert.ok(refused.length >= 10, JSON.stringify(messages.slice(0, 8)))
  assert.ok(messages.filter(({ type, error }) => type === 'ack' && !error).length >= 3)
})

test('M10: --max-rooms: one more room is refused, the session and its rooms stay', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_ROOMS: '5' })
  const socket = await pulse.io({ userId: 'collector' }, { bridge })
  const joined = []
  let refused
  for (let n = 0; n < 8 && !refused; n++) {
    const answer = await socket.emitWithAck('room:join', { room: `open:${n}` })
    if (answer.ok) joined.push(n)
    else refused = answer.error
  }
  assert.equal(refused.code, 'invalid')
  assert.equal(joined.length, 4, 'the user\'s own room is one of them')
  const got = gather(socket, 'news')
  await pulse.sql(`SELECT pulse.publish('open:0', 'news', '1')`)
  await got.atLeast(1)
  assert.equal((await socket.emitWithAck('room:leave', { room: 'open:0' })).ok, true)
  assert.equal((await socket.emitWithAck('room:join', { room: 'open:7' })).ok, true)
})

// ---- slow consumers

test('M10: a native client that does not read is closed with 4002 and goes on by its cursor where it was', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '200000' })
  const slow = await pulse.ws({ userId: 'slow' }, { bridge })
  await slow.frames.atLeast(1)
  const connected = JSON.parse(slow.frames.items[0][0])
  slow.send(JSON.stringify({ type: 'join', room: 'open:slow', id: 1 }))
  await slow.frames.atLeast(2)
  slow.pause()
  const text = 'x'.repeat(50_000)
  let published = 0
  await until(async () => {
    for (let n = 0; n < 20; n++) await pulse.sql(`SELECT pulse.publish('open:slow', 'flood', $1::json)`, [JSON.stringify({ n: published++, text })])
    return await bridge.metric('pulse_bridge_slow_consumers_total') >= 1
  }, { what: 'its queue being full' })
  slow.resume()
  assert.equal((await slow.closed)[0], 4002)
  const events = frames => frames.items.map(([data]) => JSON.parse(data)).filter(({ event }) => event === 'flood')
  const first = events(slow.frames)
  const seen = first.at(-1)?.position ?? JSON.parse(slow.frames.items[1][0]).args[0].position
  const back = await pulse.ws({ userId: 'slow' }, { path: `/ws?recovery=${connected.recovery}&since=${encodeURIComponent(seen)}` })
  await until(() => events(back.frames).length === published - first.length, { what: `the other ${published - first.length} events` })
  assert.deepEqual([...first, ...events(back.frames)].map(({ args }) => args[0].n), Array.from({ length: published }, (_, n) => n))
})

test('M10: an EventSource that does not read is ended, and goes on by Last-Event-ID where it was', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '200000' })
  const auth = { Authorization: `Bearer ${token({ userId: 'slow' })}` }
  const slow = await RawHttp.open(bridge.port)
  slow.send(request('GET', '/sse?room=open:sse', auth))
  await until(() => slow.text.includes('id: '))
  slow.socket.pause()
  const text = 'x'.repeat(50_000)
  let published = 0
  await until(async () => {
    for (let n = 0; n < 20; n++) await pulse.sql(`SELECT pulse.publish('open:sse', 'flood', $1::json)`, [JSON.stringify({ n: published++, text })])
    return await bridge.metric('pulse_bridge_slow_consumers_total') >= 1
  }, { what: 'its queue being full' })
  slow.socket.resume()
  await slow.closed
  const whole = text => [...text.slice(0, text.lastIndexOf('\n\n') + 1).matchAll(/id: (\S+)\nevent: flood\ndata: \{"n":(\d+)/g)].map(([, id, n]) => ({ id, n: Number(n) }))
  const first = whole(slow.text)
  const id = first.at(-1)?.id ?? /id: (\S+)/.exec(slow.text)[1]
  const back = await RawHttp.open(pulse.bridge.port)
  back.send(request('GET', '/sse?room=open:sse', { ...auth, 'Last-Event-ID': id }))
  await until(() => whole(back.text).length === published - first.length)
  assert.deepEqual([...first, ...whole(back.text)].map(({ n }) => n), Array.from({ length: published }, (_, n) => n))
  back.destroy()
})
