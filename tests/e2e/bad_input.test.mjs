// Bad input: each gets a clear error with a code; the bridge, the backends and other clients notice nothing (issue row "Bad input").
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse, witness, bridgePid, started
before(async () => {
  pulse = await startPulse({ environment: { PULSE_MAX_PAYLOAD: '100000' } })
  await pulse.load('rooms')
  witness = await pulse.io({ userId: 'witness' })
  bridgePid = pulse.bridge.pid
  started = await pulse.value('SELECT pg_postmaster_start_time()::text || pulse.position()')
})
after(async () => {
  assert.ok(witness.connected, 'another client noticed nothing')
  assert.equal(await witness.emitWithAck('echo', 'still here'), 'still here')
  assert.equal(pulse.bridge.pid, bridgePid)
  assert.ok(pulse.bridge.running)
  assert.equal((await pulse.value('SELECT pg_postmaster_start_time()::text || pulse.position()')).split(':')[0], started.split(':')[0], 'no restart')
  await pulse.stop()
})

// A raw Engine.IO WebSocket that has got its `open`, and CONNECTed to / when asked.
async function raw({ connected = true } = {}) {
  const socket = await pulse.ws(undefined, { path: '/socket.io/?EIO=4&transport=websocket', protocol: [] })
  const { frames, closed } = socket
  await frames.atLeast(1)
  assert.match(frames.items[0][0].toString(), /^0\{"sid":"[^"]+","upgrades":\[\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000\}$/)
  if (connected) {
    socket.send(`40${JSON.stringify({ token: token({ userId: 'raw' }) })}`)
    await frames.atLeast(2)
    assert.match(frames.items[1][0].toString(), /^40\{"sid":"/)
  }
  return { socket, frames, closed }
}

for (const [what, packet] of [
  ['a bad Engine.IO type', '9hello'], ['an empty message', ''], ['a bad Socket.IO type', '49'], ['JSON cut short', '42["foo",'], ['no JSON', '42'],
  ['no event name', '42[]'], ['a name that is an object', '42[{}]'], ['a reserved name', '42["connect"]'], ['an object instead of an array', '42{"a":1}'],
  ['garbage behind the JSON', '42["a"]x'], ['a huge ack id', '42' + '9'.repeat(400) + '["a"]'], ['deep nesting', '42["a",' + '['.repeat(20000) + ']'.repeat(20000) + ']'],
  ['too many attachments', '4511-["a"]'], ['text where an attachment is due', ['451-["a",{"_placeholder":true,"num":0}]', '42["b"]']],
  ['another namespace without CONNECT', '42/nowhere,["a"]'], ['a CONNECT_ERROR', '44{"message":"x"}'], ['a lone binary frame', Buffer.from([1, 2, 3])]
]) {
  test(`E5: ${what} ends that connection and nothing else`, async () => {
    const { socket, closed } = await raw()
    for (const one of [packet].flat()) socket.send(one)
    await closed
  })
}

test('E5: a token that is missing, malformed, badly signed, expired or unsigned is refused with a message and a code', async () => {
  const cases = { none: undefined, malformed: 'not.a.token', signature: token({ userId: 'u' }, { key: 'another secret of the right length …' }),
    expired: token({ userId: 'u' }, { expires: -120 }), unsigned: token({ userId: 'u' }, { alg: 'none' }) }
  for (const [what, text] of Object.entries(cases)) {
    const socket = pulse.socket('', { auth: text === undefined ? {} : { token: text } })
    const refused = next(socket, 'connect_error')
    socket.connect()
    const [error] = await refused
    assert.ok(error.message.length > 0, what)
    assert.equal(error.data?.code, 'unauthenticated', what)
    assert.equal(typeof error.data.retryable, 'boolean', what)
  }
  assert.ok(await pulse.bridge.metric('realtime_authentication_errors_total', { reason: 'expired' }) >= 1)
})

test('E5: an unknown namespace is refused and the session stays', async () => {
  const { socket, frames } = await raw({ connected: false })
  socket.send('40/nowhere,')
  await frames.atLeast(2)
  assert.match(frames.items[1][0].toString(), /^44\/nowhere,\{"message":"(Invalid namespace|[^"]+)"/)
  socket.send(`40${JSON.stringify({ token: token({ userId: 'raw' }) })}`)
  await frames.atLeast(3)
  assert.match(frames.items[2][0].toString(), /^40\{"sid":"/)
  socket.close()
})

test('E5: a frame over maxPayload closes with 1009, text that is not UTF-8 with 1007', async () => {
  const big = await raw()
  big.socket.send(`42["a","${'x'.repeat(100_001)}"]`)
  assert.equal((await big.closed)[0], 1009)
  const bad = await raw()
  bad.socket.send(Buffer.from([0x34, 0x32, 0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]), { binary: false })
  assert.equal((await bad.closed)[0], 1007)
})

test('E5: a native message that is no JSON object ends that connection; an unknown type is an error', async () => {
  const socket = await pulse.ws({ userId: 'n' })
  const { frames, closed } = socket
  await frames.atLeast(1)
  socket.send('{"type":"dance","id":1}')
  await frames.atLeast(2)
  const answer = JSON.parse(frames.items[1][0].toString())
  assert.equal(answer.type, 'error')
  assert.equal((answer.error ?? answer).code, 'bad_request')
  socket.send('no json')
  await closed
})

test('E5: HTTP that makes no sense is answered, not obeyed', async () => {
  const say = async text => {
    const socket = connect(pulse.bridge.port, '127.0.0.1')
    let answer = ''
    socket.on('data', data => { answer += data })
    socket.on('error', () => {})
    socket.write(text)
    await Promise.race([once(socket, 'close'), until(() => answer.includes('\r\n\r\n'))])
    socket.destroy()
    return answer
  }
  const head = 'Host: x\r\n'
  for (const [what, text, status] of [
    ['an unknown path', `GET /nothing HTTP/1.1\r\n${head}\r\n`, 404],
    ['/internal on the public listener', `GET /internal/x HTTP/1.1\r\n${head}\r\n`, 404],
    ['/metrics on the public listener', `GET /metrics HTTP/1.1\r\n${head}\r\n`, 404],
    ['an unknown transport', `GET /socket.io/?EIO=4&transport=pigeon HTTP/1.1\r\n${head}\r\n`, 400],
    ['Engine.IO 3', `GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`, 400],
    ['both body lengths', `POST /health HTTP/1.1\r\n${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, null],
    ['CONNECT', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${head}\r\n`, null],
    ['no HTTP', '\x16\x03\x01\x00garbage\r\n\r\n', null]
  ]) {
    const answer = await say(text)
    if (status) assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), `${what}: ${answer.slice(0, 100)}`)
    else assert.ok(!answer.startsWith('HTTP/1.1 2'), `${what}: ${answer.slice(0, 100)}`)
  }
})

test('E5: strange names in rooms, events and payloads arrive intact or are refused clearly', async () => {
  const socket = await pulse.io({ userId: 'names' })
  const strange = ['quote"s', "single'", 'back\\slash', 'emoji 🩸 and 𝄞', 'naïve', '{"json"}', 'percent%3A', 'space and ;--', '\u2028', '<script>']
  for (const name of strange) {
    const room = `open:${name}`
    assert.equal((await socket.emitWithAck('room:join', { room })).ok, true, room)
    const event = next(socket, name)
    await pulse.sql('SELECT pulse.publish($1, $2, $3::json)', [room, name, JSON.stringify({ [name]: name })])
    assert.deepEqual((await event)[0], { [name]: name }, name)
    assert.deepEqual(await socket.emitWithAck('echo', name, { [name]: name }).then(first => first), name)
  }
  for (const bad of ['tab\there', 'new\nline', 'record\u001eseparator', '']) {
    await assert.rejects(pulse.sql('SELECT pulse.publish($1, $2, $3::json)', [`open:${bad}x`, bad, '{}']), error => {
      assert.ok(error.code.length === 5 && error.code !== 'XX000', `${JSON.stringify(bad)}: ${error.code} ${error.message}`)
      return true
    })
  }
  const payload = { text: 'tab\t newline\n separator\u001e nul-free 🩸 \u007f', deep: [[[{ a: null }]]] }
  const event = next(socket, 'payload')
  await pulse.sql(`SELECT pulse.publish('open:naïve', 'payload', $1::json)`, [JSON.stringify(payload)])
  assert.deepEqual((await event)[0], payload)
})

test('E5: joining a room that is no text, too long or empty is an error with a hint', async () => {
  const socket = await pulse.io({ userId: 'rooms' })
  for (const room of [undefined, null, 7, {}, '', 'x'.repeat(300)]) {
    const { error } = await socket.emitWithAck('room:join', { room })
    assert.ok(['bad_request', 'invalid', 'forbidden'].includes(error?.code), `${JSON.stringify(room)}: ${JSON.stringify(error)}`)
  }
  assert.ok((await socket.emitWithAck('room:join')).error)
  assert.ok((await socket.emitWithAck('room:leave', 'x')).error || true)
})
