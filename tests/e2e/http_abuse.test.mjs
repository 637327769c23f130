// HTTP that breaks rules, or its neighbours' patience: each is answered or closed in time, and nobody else notices.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { RawHttp, request } from '../support/raw_http.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, bridge, witness
before(async () => {
  pulse = await startPulse({ environment: { PULSE_HEADER_TIMEOUT: '1200ms', PULSE_BODY_TIMEOUT: '1200ms', PULSE_KEEP_ALIVE_TIMEOUT: '1200ms', PULSE_MAX_HEADER_BYTES: '8000', PULSE_MAX_PAYLOAD: '50000' } })
  bridge = pulse.bridge
  witness = await pulse.io({ userId: 'witness' })
})
after(async () => {
  assert.ok(witness.connected, 'another client noticed nothing')
  assert.ok((await witness.emitWithAck('ping')).timestamp)
  assert.ok(bridge.running)
  await pulse.stop()
})
const ask = text => RawHttp.ask(bridge.port, text)
const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }

for (const [what, text, status] of [
  ['garbage', '\x00\x01\x02 garbage\r\n\r\n', 400],
  ['a TLS hello on a plain port', Buffer.from('160301020001000001fc0303', 'hex'), 400],
  ['no version', 'GET /health\r\n\r\n', [400, 505]],
  ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
  ['a header without colon', 'GET /health HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n', 400],
  ['a space before the colon', 'GET /health HTTP/1.1\r\nHost : x\r\n\r\n', 400],
  ['a negative length', request('POST', '/health', { 'Content-Length': '-1' }), 400],
  ['a length that is no number', request('POST', '/health', { 'Content-Length': '1x' }), 400],
  ['a length that overflows', request('POST', '/health', { 'Content-Length': '99999999999999999999999' }), 400],
  ['two lengths', 'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  ['a huge length', request('POST', '/api/anything', { 'Content-Length': '4000000000' }), 413],
  ['length and chunks at once', 'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['an unknown transfer encoding', request('POST', '/health', { 'Transfer-Encoding': 'gzip' }), 501],
  ['a bad chunk size', 'POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', [400, 405]],
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 405],
  ['TRACE', request('TRACE', '/health'), 405],
  ['a target that is no path', 'GET ftp://x HTTP/1.1\r\nHost: x\r\n\r\n', [400, 404]],
  ['a broken escape in the path', request('GET', '/%zz'), [400, 404]],
  ['a NUL in the path', request('GET', '/%00'), [400, 404]],
  ['huge headers', request('GET', '/health', { 'X-Big': 'x'.repeat(9000) }), 431],
  ['very many headers', `GET /health HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(3000)}\r\n`, 431],
  ['a huge target', request('GET', `/${'x'.repeat(9000)}`), [414, 431]],
  ['an unknown expectation', request('POST', '/health', { Expect: 'the-moon', 'Content-Length': '1' }), 417]
]) {
  test(`M10: ${what} is answered with ${status}, and the connection ends where it cannot go on`, async () => {
    const line = await RawHttp.open(bridge.port)
    line.send(text)
    const answer = await line.answer()
    assert.ok([status].flat().includes(answer.status), `${answer.status} ${answer.body}`)
    assert.equal(answer.json.error.code, answer.status === 404 ? 'not_found' : answer.status === 413 ? 'payload_too_large' : 'bad_request')
    if (answer.headers.connection === 'close') await line.closed
    line.destroy()
  })
}

test('M10: what is smuggled behind a request with two lengths is not read as a request', async () => {
  const line = await RawHttp.open(bridge.port)
  line.send('POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\n\r\n')
  await line.closed
  assert.equal(line.answers.length, 1)
  assert.equal(line.answers[0].status, 400)
})

test('M10: h2c is not spoken: the request is answered as HTTP/1.1', async () => {
  const answer = await ask(request('GET', '/health', { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }))
  assert.equal(answer.status, 200)
})

test('M10: HTTP/1.0 is answered and closed, unless it asks to stay', async () => {
  const line = await RawHttp.open(bridge.port)
  line.send('GET /health HTTP/1.0\r\n\r\n')
  assert.equal((await line.answer()).status, 200)
  await line.closed
  const stays = await RawHttp.open(bridge.port)
  for (let n = 0; n < 2; n++) {
    stays.send('GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.equal((await stays.answer(n)).status, 200)
  }
  stays.destroy()
})

test('M10: pipelined requests are answered one after the other, in order, also byte by byte', async () => {
  const text = request('GET', '/health') + request('HEAD', '/nothing') + request('GET', '/nothing') + request('OPTIONS', '/health') + request('GET', '/ready')
  for (const size of [text.length, 1, 7]) {
    const line = await RawHttp.open(bridge.port)
    line.socket.setNoDelay(true)
    for (let at = 0; at < text.length; at += size) line.send(text.slice(at, at + size))
    await until(() => line.text.includes('"ready":true'))
    assert.deepEqual(line.text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 404', 'HTTP/1.1 204', 'HTTP/1.1 200'], `${size} bytes at once`)
    line.destroy()
  }
})

test('M10: very many pipelined requests from one that does not read neither block others nor fill memory', async () => {
  const line = await RawHttp.open(bridge.port)
  line.socket.pause()
  line.send(request('GET', '/health').repeat(20_000))
  assert.equal((await ask(request('GET', '/ready'))).status, 200)
  assert.ok(await bridge.metric('process_resident_memory_bytes') < 400_000_000)
  line.destroy()
})

test('M10: chunked bodies, trailers and Expect: 100-continue are understood', async () => {
  const line = await RawHttp.open(bridge.port)
  line.send('POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n')
  assert.equal((await line.answer()).status, 405)
  line.destroy()
})

// ---- time

test('M10: slowloris: a head that comes byte by byte ends by its deadline, however lively', async () => {
  const line = await RawHttp.open(bridge.port)
  const text = request('GET', '/health', { 'X-Slow': 'x'.repeat(500) })
  let at = 0
  const drip = setInterval(() => { if (!line.ended) line.send(text[at++ % text.length]) }, 20)
  try {
    await line.closed
  } finally {
    clearInterval(drip)
  }
  assert.ok(at < text.length, 'it ended before the head was complete')
  if (line.answers.length > 0) assert.equal(line.answers[0].status, 408)
})

test('M10: a body that drips ends by its deadline', async () => {
  const line = await RawHttp.open(bridge.port)
  const opened = await RawHttp.ask(bridge.port, request('GET', '/socket.io/?EIO=4&transport=polling'))
  const { sid } = JSON.parse(opened.body.slice(1))
  line.send(request('POST', `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { 'Content-Length': '40000' }))
  const drip = setInterval(() => { if (!line.ended) line.send('4') }, 20)
  try {
    await line.closed
  } finally {
    clearInterval(drip)
  }
  if (line.answers.length > 0) assert.ok([400, 408].includes(line.answers[0].status))
})

test('M10: a connection that says nothing, and one that is idle between requests, end by their deadlines', async () => {
  const silent = await RawHttp.open(bridge.port)
  const idle = await RawHttp.open(bridge.port)
  idle.send(request('GET', '/health'))
  assert.equal((await idle.answer()).status, 200)
  await Promise.all([silent.closed, idle.closed])
  assert.equal(idle.answers.length, 1)
})

test('M10: a thousand slow connections hold up nobody', async () => {
  const slow = await Promise.all(Array.from({ length: 1000 }, () => RawHttp.open(bridge.port)))
  for (const line of slow) line.send('GET /health HTTP/1.1\r\nHost:')
  assert.equal((await ask(request('GET', '/ready'))).status, 200)
  const socket = await pulse.io({ userId: 'between' })
  assert.ok((await socket.emitWithAck('ping')).timestamp)
  socket.disconnect()
  await Promise.all(slow.map(line => line.closed))
})

test('M10: a parked event stream and a parked poll whose clients go are noticed and cost no CPU', async () => {
  const parked = []
  const connections = async () => (await (await fetch(`${bridge.internalUrl}/health`)).json()).checks.connections
  await pulse.cluster.sql(`CREATE SCHEMA IF NOT EXISTS abuse; GRANT USAGE ON SCHEMA abuse TO pulse_client;
    CREATE OR REPLACE FUNCTION abuse.allow(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
    SELECT pulse.policy('abuse:{id}', 'join', 'abuse.allow'), pulse.policy('abuse:{id}', 'history', 'abuse.allow')`)
  const auth = { Authorization: `Bearer ${token({ userId: 'p' })}` }
  const cursor = (await RawHttp.ask(bridge.port, request('GET', '/poll?room=abuse:1', auth))).json.cursor
  for (let n = 0; n < 100; n++) {
    const line = await RawHttp.open(bridge.port)
    line.send(request('GET', n % 2 ? '/sse?room=abuse:1' : `/poll?room=abuse:1&timeout=60&cursor=${cursor}`, auth))
    parked.push(line)
  }
  await until(async () => { const { sse, poll } = await connections(); return sse === 50 && poll === 50 }, { what: 'all of them being parked' })
  for (const line of parked) line.destroy()
  await until(async () => { const { sse, poll } = await connections(); return sse === 0 && poll === 0 }, { what: 'all of them being gone' })
  const before = await bridge.metric('process_cpu_seconds_total')
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(await bridge.metric('process_cpu_seconds_total') - before < 0.25, 'no spinning')
})

// ---- WebSocket handshakes

for (const [what, changes, status] of [
  ['an old version', { 'Sec-WebSocket-Version': '8' }, 426],
  ['a short key', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400],
  ['an unknown subprotocol', { 'Sec-WebSocket-Protocol': 'chat' }, 400]
]) {
  test(`M10: a WebSocket handshake with ${what} is answered with ${status}`, async () => {
    assert.equal((await ask(request('GET', '/ws', { ...upgrade, ...changes }))).status, status)
  })
}

test('M10: a WebSocket handshake by POST, or with a body, is refused', async () => {
  assert.ok((await ask(request('POST', '/ws', upgrade))).status >= 400)
  assert.ok((await ask(request('GET', '/ws', { ...upgrade, 'Content-Length': '5' }, 'hello'))).status >= 400)
})
