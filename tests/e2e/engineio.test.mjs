// Engine.IO v4 over HTTP long-polling, by hand: handshake, payloads, closing, and every refusal with its exact answer (E5).
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { RawSocket } from '../support/frames.mjs'
import { http, Polling } from '../support/polling.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, url
before(async () => {
  pulse = await startPulse({ environment: { PULSE_ENGINEIO_ECHO: 'true', PULSE_MAX_PAYLOAD: '100000', PULSE_CORS_ORIGIN: 'https://app.example' } })
  url = pulse.bridge.url
  await pulse.load('rooms')
})
after(() => pulse?.stop())

const echo = options => Polling.open(url, { path: '/engine.io/', ...options })
const connected = async (user, { at = url, ...options } = {}) => {
  const session = await Polling.open(at, options)
  await session.post(`40${JSON.stringify({ token: token({ userId: user }) })}`)
  const [packet] = await session.until(packets => packets.length > 0)
  assert.match(packet, /^40\{"sid":/)
  return session
}
const unknown = '{"code":1,"message":"Session ID unknown"}', badRequest = '{"code":3,"message":"Bad request"}'
const isGone = async session => assert.deepEqual(await session.get().then(({ status, body }) => [status, body]), [400, unknown])

test('E5: the handshake', async () => {
  const session = await Polling.open(url, { query: '&t=abc&anything=else' })
  assert.deepEqual(Object.keys(session.hello), ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'])
  assert.deepEqual({ ...session.hello, sid: '' }, { sid: '', upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 100000 })
  assert.match(session.sid, /^[A-Za-z0-9_-]{20}$/)
  assert.match(session.opened.headers['content-type'], /^text\/plain; charset=UTF-8$/i)
  assert.equal(session.opened.headers['cache-control'], 'no-store')
  assert.equal(Number(session.opened.headers['content-length']), Buffer.byteLength(session.opened.body))
  const sids = await Promise.all(Array.from({ length: 20 }, () => Polling.open(url).then(({ sid }) => sid)))
  assert.equal(new Set(sids).size, 20)
})

test('E5: every refusal of a handshake or a request, with its exact answer', async () => {
  const session = await Polling.open(url)
  const upgraded = await Polling.open(url)
  await upgraded.upgrade()
  const at = (query, path = '/socket.io/') => `${url}${path}?${query}`
  const cases = [
    [at('EIO=4'), {}, 400, '{"code":0,"message":"Transport unknown"}'],
    [at('EIO=4&transport=pigeon'), {}, 400, '{"code":0,"message":"Transport unknown"}'],
    [at('EIO=4&transport=polling'), { headers: { origin: 'http://\xe9' } }, 400, badRequest],
    [at('EIO=4&transport=polling&sid=__proto__'), {}, 400, unknown],
    [at(`EIO=4&transport=polling&sid=${session.sid}x`), {}, 400, unknown],
    [at(`EIO=4&transport=polling&sid=${session.sid.toLowerCase()}!`), {}, 400, unknown],
    [at('EIO=4&transport=polling&sid='), {}, 400, unknown],
    [at('EIO=4&transport=polling&sid=unknown'), { method: 'POST', body: '4x' }, 400, unknown],
    [at(`EIO=4&transport=websocket&sid=${session.sid}`), {}, 400, badRequest],
    [at(`EIO=4&transport=polling&sid=${upgraded.sid}`), {}, 400, badRequest],
    [at(`EIO=4&transport=polling&sid=${upgraded.sid}`), { method: 'POST', body: '4x' }, 400, badRequest],
    [at('EIO=4&transport=polling'), { method: 'POST', body: '4x' }, 400, '{"code":2,"message":"Bad handshake method"}'],
    [at('EIO=4&transport=websocket'), { method: 'PUT' }, 400, '{"code":2,"message":"Bad handshake method"}'],
    [at('EIO=4&transport=websocket'), {}, 400, badRequest],
    [at('EIO=4&transport=polling'), { headers: { origin: 'https://other.example' } }, 403, '{"code":4,"message":"Forbidden"}'],
    [at('EIO=3&transport=polling'), {}, 400, '{"code":5,"message":"Unsupported protocol version"}'],
    [at('transport=polling'), {}, 400, '{"code":5,"message":"Unsupported protocol version"}'],
    [at('EIO=3&transport=pigeon&sid=x'), { method: 'PUT' }, 400, '{"code":0,"message":"Transport unknown"}']
  ]
  for (const [where, options, status, body] of cases) {
    const answer = await http(where, options)
    assert.deepEqual([answer.status, answer.body], [status, body], `${options.method ?? 'GET'} ${where}`)
    assert.match(answer.headers['content-type'], /^application\/json/)
  }
  const cors = await http(at('EIO=4&transport=pigeon'), { headers: { origin: 'https://app.example' } })
  assert.deepEqual([cors.status, cors.headers['access-control-allow-origin'], cors.headers.vary], [400, 'https://app.example', 'Origin'])
  assert.equal((await http(`${url}/socket.io?EIO=4&transport=polling`)).status, 404, 'the slash belongs to it')
  assert.equal((await session.get({ method: 'PUT' })).status, 400)
  assert.equal((await session.post('4"x"', {})).status, 200, 'the session has noticed nothing')
})

test('E5: the same for WebSocket, before the 101', async () => {
  const open = (query, options) => RawSocket.open(pulse.bridge.port, `/socket.io/?${query}`, options)
  const cases = [
    ['EIO=4', {}, 400], ['EIO=4&transport=polling', {}, 400], ['EIO=4&transport=websocket&sid=nobody', {}, 400], ['EIO=3&transport=websocket', {}, 400],
    ['transport=websocket', {}, 400], ['EIO=4&transport=websocket', { headers: { Origin: 'https://other.example' } }, 403]
  ]
  for (const [query, options, status] of cases) {
    const socket = await open(query, options)
    assert.equal(socket.status, status, query)
    socket.destroy()
  }
  const good = await open('EIO=4&transport=websocket', { headers: { Origin: 'https://app.example' } })
  const hello = JSON.parse((await good.message()).slice(2))
  assert.deepEqual({ ...hello, sid: '' }, { sid: '', upgrades: [], pingInterval: 25000, pingTimeout: 20000, maxPayload: 100000 })
  good.destroy()
})

test('E5: a POST is answered with ok, a GET with all that is queued, text and binary', async () => {
  const session = await echo()
  const posted = await session.post(['4hello', 'bAQIDBA==', '4', 'b', '4☃'])
  assert.deepEqual([posted.status, posted.body, posted.headers['content-type']], [200, 'ok', 'text/html'])
  const got = await session.get()
  assert.deepEqual(got.packets, ['4hello', 'bAQIDBA==', '4', 'b', '4☃'])
  assert.match(got.headers['content-type'], /^text\/plain; charset=UTF-8$/i)
  assert.equal(got.headers['cache-control'], 'no-store')
  assert.equal(Number(got.headers['content-length']), Buffer.byteLength(got.body))
})

test('E5: a GET waits until there is something', async () => {
  const session = await echo()
  const waiting = session.get()
  await waiting.sent
  await session.post('4now')
  assert.deepEqual((await waiting).packets, ['4now'])
})

test('E5: keep-alive serves the requests of a session one after the other', async () => {
  const session = await echo()
  const socket = connect(pulse.bridge.port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => { text += chunk })
  const path = session.url.slice(url.length)
  for (let n = 1; n <= 3; n++) {
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n4n${n}GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await until(() => text.includes(`4n${n}`), { what: `answer ${n}` })
  }
  assert.equal(text.match(/HTTP\/1\.1 200/g).length, 6)
  socket.destroy()
})

test('E5: at most 16 packets an answer, nothing lost and in order', async () => {
  const session = await echo()
  const packets = Array.from({ length: 50 }, (_, n) => `4${n}`)
  await session.post(packets)
  const answers = []
  while (answers.flat().length < 50) answers.push((await session.get()).packets)
  assert.deepEqual(answers.flat(), packets)
  assert.ok(answers.every(({ length }) => length <= 16))
})

test('E5: a bad packet ends the session, those before it count', async () => {
  for (const bad of ['abc', '', '2', '0', '5', '4x\x1e', 'b!']) {
    const session = await echo()
    const waiting = session.get()
    await waiting.sent
    const answer = await session.post(bad)
    assert.deepEqual([answer.status, answer.body], [400, badRequest], JSON.stringify(bad))
    assert.equal((await waiting).status, 200)
    await isGone(session)
  }
  const session = await connected('half')
  assert.equal((await session.post(['42["say-nothing"]', 'x', '42["later"]'])).status, 400)
  await isGone(session)
})

test('E5: bytes instead of text end the session', async () => {
  const session = await echo()
  const answer = await session.post('4x', { headers: { 'content-type': 'application/octet-stream' } })
  assert.deepEqual([answer.status, answer.body], [400, badRequest])
  await isGone(session)
})

test('M10: a body over maxPayload is refused with 413, before it is read', async () => {
  const session = await echo()
  assert.equal((await session.post('4' + 'x'.repeat(99_999))).status, 200, 'exactly as much')
  const answer = await session.post('4' + 'x'.repeat(100_000)).catch(error => error)
  assert.deepEqual([answer.status, answer.body], [413, ''])
  assert.equal((await session.get()).packets[0].length, 100_000, 'the session goes on')
})

test('E5: a second GET while one waits ends the session', async () => {
  const session = await echo()
  const first = session.get()
  await first.sent
  const answers = await Promise.all([first, session.get()])   // on two connections: whichever it reads first waits
  assert.deepEqual(answers.map(({ status, body }) => [status, body]).sort(([a], [b]) => a - b), [[200, '1'], [400, badRequest]])
  await isGone(session)
})

test('E5: a second POST while one is coming ends the session', async () => {
  const session = await echo()
  const slow = connect(pulse.bridge.port, '127.0.0.1')
  let text = ''
  slow.on('data', chunk => { text += chunk })
  slow.write(`POST ${session.url.slice(url.length)} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n4ha`)
  await until(() => text.startsWith('HTTP/1.1 100'), { what: 'its head being read' })
  assert.equal((await session.post('4x')).status, 400)
  await until(() => text.includes('HTTP/1.1 400'), { what: 'the first being answered' })
  await isGone(session)
})

test('E5: a GET or a POST that breaks off ends the session', async () => {
  const session = await echo()
  const waiting = session.get()
  await waiting.sent
  waiting.abort()
  await until(async () => (await http(`${session.base}&transport=websocket&sid=${session.sid}`)).body === unknown, { what: 'the end of the session' })

  const other = await echo()
  const poll = other.get()
  await poll.sent
  const slow = connect(pulse.bridge.port, '127.0.0.1')
  let text = ''
  slow.on('data', chunk => { text += chunk })
  slow.write(`POST ${other.url.slice(url.length)} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n4ha`)
  await until(() => text.startsWith('HTTP/1.1 100'), { what: 'its head being read' })
  slow.destroy()
  assert.equal((await poll).body, '1')
  await isGone(other)
})

test('E5: the client closes: 6 for its GET, ok for its POST, and the session is gone', async () => {
  const session = await connected('leaves')
  const waiting = session.get()
  await waiting.sent
  const posted = await session.post('1')
  assert.deepEqual([posted.status, posted.body], [200, 'ok'])
  assert.deepEqual((await waiting).packets, ['6'])
  await isGone(session)
  await until(async () => await pulse.bridge.metric('realtime_connections_closed_total', { transport: 'polling', reason: 'client_close' }) >= 1)
})

test('E5: the server closes: what was sent before, then 1', async () => {
  const waiting = await connected('told at once')
  const get = waiting.get()
  await get.sent
  await waiting.post('42["no')   // Socket.IO's own nonsense: the POST is fine, the session is not
  assert.deepEqual((await get).packets, ['1'])
  await isGone(waiting)

  const later = await connected('told later')
  assert.equal((await later.post(['42["ping"]', '42{}'])).status, 200)
  const packets = await later.until(all => all.at(-1) === '1')
  assert.equal(packets.length, 2)
  assert.match(packets[0], /^42\["pong",/)
  await isGone(later)
})

test('M10: a client that does not fetch what it is sent is closed, and goes on with all of it when it comes back', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '65536' })
  const open = async more => {
    const session = await Polling.open(bridge.url)
    await session.post(`40${JSON.stringify({ token: token({ userId: 'slow' }), ...more })}`)
    return session
  }
  const session = await open()
  const [hello] = await session.until(packets => packets.length > 0)
  for (let n = 1; n <= 20; n++) await pulse.sql(`SELECT pulse.publish('user:slow', 'n', json_build_array($1::int, repeat('x', 10000)))`, [n])
  await until(async () => await bridge.metric('pulse_bridge_slow_consumers_total') === 1, { what: 'the bridge being tired of it' })
  assert.deepEqual((await session.get()).packets, ['1'])
  assert.equal((await session.get()).status, 400)
  const back = await open({ pid: JSON.parse(hello.slice(2)).pid })
  const packets = await back.until(all => all.filter(packet => packet.startsWith('42["n"')).length === 20)
  assert.deepEqual(packets.filter(packet => packet.startsWith('42["n"')).map(packet => JSON.parse(packet.slice(2))[1][0]), Array.from({ length: 20 }, (_, n) => n + 1))
})

test('E5: binary for a session that asked for base64, on either transport', async () => {
  const session = await echo({ query: '&b64=1' })
  await session.post('bAQID')
  assert.deepEqual((await session.get()).packets, ['bAQID'])
  const { socket } = await session.upgrade('&b64=1')
  socket.send(Buffer.from([4, 5]))
  await until(() => socket.frames.items.length === 2)
  assert.deepEqual([socket.frames.items[1][1], String(socket.frames.items[1][0])], [false, 'bBAU='])
  socket.terminate()

  const late = await echo()   // only its WebSocket cannot take bytes
  const upgraded = await late.upgrade('&b64=1')
  upgraded.socket.send('bBAU=')
  await until(() => upgraded.socket.frames.items.length === 2)
  assert.deepEqual([upgraded.socket.frames.items[1][1], String(upgraded.socket.frames.items[1][0])], [false, 'bBAU='])
  upgraded.socket.terminate()
})

test('S1: metrics and health know the transport of a session, also after an upgrade', async () => {
  const bridge = await pulse.addBridge()   // with nobody else on it, whose session might end
  const connections = async () => JSON.parse((await http(`${bridge.url}/health`)).body).checks.connections
  const before = await connections()
  const session = await connected('counted', { at: bridge.url })
  assert.equal((await connections()).polling, before.polling + 1)
  const opened = await bridge.metric('realtime_connections_opened_total', { transport: 'polling' })
  assert.ok(opened >= 1)
  const { socket } = await session.upgrade()
  await until(async () => (await connections()).polling === before.polling)
  assert.equal((await connections()).websocket, before.websocket + 1)
  socket.terminate()
  await until(async () => (await connections()).websocket === before.websocket)
})
