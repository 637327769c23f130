// RFC 6455 frame by frame, on both WebSocket endpoints (E5, S1): what is taken, what ends a connection, and with which close code.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { closeFrame, frame, RawSocket } from '../support/frames.mjs'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

const maxPayload = 20_000
let pulse
before(async () => { pulse = await startPulse({ environment: { PULSE_MAX_PAYLOAD: String(maxPayload) } }) })
after(() => pulse?.stop())

// text: a message that each endpoint answers, padded to any length; first: how many messages come unasked.
const endpoints = [
  { path: '/ws', first: 0, text: (pad = '') => `{"type":"ping","pad":"${pad}"}`, answer: 't{"type":"error"', unicode: '{"type":"ping","é":"☃😀"}' },
  { path: '/socket.io/?EIO=4&transport=websocket', first: 1, text: (pad = '') => `40{"pad":"${pad}"}`, answer: 't44{"message"', unicode: '40{"é":"☃😀"}' }
]
const open = endpoint => RawSocket.open(pulse.bridge.port, endpoint.path)

// It is alive and reads: the n-th answer to endpoint.text().
async function answers(socket, endpoint, n = 0) {
  const message = await socket.message(endpoint.first + n)
  assert.ok(message.startsWith(endpoint.answer), message)
}

const split = (text, at) => [frame(0x01, Buffer.from(text).subarray(0, at)), frame(0x80, Buffer.from(text).subarray(at))]
const pad = size => 'x'.repeat(size)

// Frames, and how many answers they bring.
const good = {
  'a text frame': e => [[frame(0x81, e.text())], 1],
  'three messages in one piece': e => [[Buffer.concat([frame(0x81, e.text()), frame(0x81, e.text()), frame(0x81, e.text())])], 3],
  'a length of two bytes': e => [[frame(0x81, e.text(pad(500)))], 1],
  'the largest message': e => [[frame(0x81, e.text(pad(maxPayload - e.text().length)))], 1],
  'the largest message in fragments': e => [split(e.text(pad(maxPayload - e.text().length)), 7000), 1],
  'fragments, an empty one too': e => [[frame(0x01, e.text().slice(0, 2)), frame(0x00), frame(0x80, e.text().slice(2))], 1],
  'control frames between fragments': e => [[frame(0x01, e.text().slice(0, 2)), frame(0x89, 'p'), frame(0x8a, 'stray'), frame(0x80, e.text().slice(2))], 1],
  'every byte alone': e => [[...frame(0x81, e.text('abc'))].map(byte => Buffer.from([byte])), 1],
  'a mask of zeros': e => [[frame(0x81, e.text(), { mask: Buffer.alloc(4) })], 1],
  'stray pongs': e => [[frame(0x8a), frame(0x8a, 'x'), frame(0x81, e.text())], 1]
}

// Frames, and the close code.
const bad = {
  'no mask': [[frame(0x81, 'x', { masked: false })], 1002],
  'an empty frame without mask': [[frame(0x89, '', { masked: false })], 1002],
  'RSV1': [[frame(0xc1, 'x')], 1002],
  'RSV2': [[frame(0xa1, 'x')], 1002],
  'RSV3': [[frame(0x91, 'x')], 1002],
  'RSV1 on a ping': [[frame(0xc9)], 1002],
  'opcode 3': [[frame(0x83, 'x')], 1002],
  'opcode 7': [[frame(0x87)], 1002],
  'opcode 11': [[frame(0x8b)], 1002],
  'opcode 15': [[frame(0x8f, 'x')], 1002],
  'a fragmented ping': [[frame(0x09, 'x'), frame(0x80, 'y')], 1002],
  'a ping of 126 bytes': [[frame(0x89, pad(126))], 1002],
  'a close of 126 bytes': [[closeFrame(1000, pad(124))], 1002],
  'a continuation of nothing': [[frame(0x80, 'x')], 1002],
  'an unfinished continuation of nothing': [[frame(0x00, 'x')], 1002],
  'a message inside a message': [[frame(0x01, 'x'), frame(0x81, 'y')], 1002],
  'another beginning inside a message': [[frame(0x01, 'x'), frame(0x02, 'y')], 1002],
  'a length in more bytes than needed': [[frame(0x81, 'x', { sizeBytes: 2 })], 1002],
  'a length in eight bytes where two do': [[frame(0x81, pad(300), { sizeBytes: 8 })], 1002],
  'a negative length': [[Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])], 1002],
  'a close of one byte': [[frame(0x88, 'x')], 1002],
  'text that is not UTF-8': [[frame(0x81, Buffer.from([0x34, 0xff]))], 1007],
  'an overlong slash': [[frame(0x81, Buffer.from([0xc0, 0xaf]))], 1007],
  'a surrogate': [[frame(0x81, Buffer.from([0xed, 0xa0, 0x80]))], 1007],
  'text that ends inside a character': [[frame(0x81, Buffer.from([0xe2, 0x98]))], 1007],
  'a character that never ends, in fragments': [[frame(0x01, Buffer.from([0xe2])), frame(0x80, Buffer.from([0x98]))], 1007],
  'not UTF-8 in a first fragment, at once': [[frame(0x01, Buffer.from([0xff]))], 1007],
  'not UTF-8 in a frame whose end never comes': [[frame(0x81, Buffer.from('x\xff', 'latin1'), { size: 5000 })], 1007],
  'a close reason that is not UTF-8': [[frame(0x88, Buffer.from([0x03, 0xe8, 0xff]))], 1007],
  'one byte too much': [[frame(0x82, pad(maxPayload + 1))], 1009],
  'one byte too much over fragments': [[frame(0x02, pad(maxPayload)), frame(0x80, 'x')], 1009],
  'much too much, announced': [[frame(0x82, 'x', { size: 1e12 })], 1009]
}

for (const endpoint of endpoints) {
  const where = endpoint.path.split('?')[0]

  test(`S1 ${where}: takes frames as they may come`, async () => {
    for (const [name, make] of Object.entries(good)) {
      const socket = await open(endpoint)
      const [pieces, count] = make(endpoint)
      await socket.sendSlowly(pieces)
      for (let n = 0; n < count; n++) await answers(socket, endpoint, n).catch(error => { throw new Error(`${name}: ${error.message}`) })
      socket.destroy()
    }
  })

  test(`S1 ${where}: ends what is not allowed with its close code, and says nothing else`, async () => {
    for (const [name, [pieces, code]] of Object.entries(bad)) {
      const socket = await open(endpoint)
      await until(() => socket.frames.length >= endpoint.first)
      await socket.sendSlowly(pieces)
      assert.equal((await socket.closed).code, code, name)
      assert.equal(socket.messages.length, endpoint.first, name)
    }
  })

  test(`S1 ${where}: text cut inside a character, at every byte and in every fragment`, async () => {
    const bytes = Buffer.from(endpoint.unicode)
    const socket = await open(endpoint)
    for (let at = 0; at <= bytes.length; at++) for (const piece of split(bytes, at)) socket.send(piece)
    const sent = bytes.length + 1
    await answers(socket, endpoint, sent - 1)
    const whole = frame(0x81, bytes)
    for (let at = 1; at < whole.length; at++) await socket.sendSlowly([whole.subarray(0, at), whole.subarray(at)])
    await answers(socket, endpoint, sent + whole.length - 2)
    socket.destroy()
  })

  test(`S1 ${where}: pings are answered with what they carry`, async () => {
    const socket = await open(endpoint)
    socket.send(Buffer.concat([frame(0x89), frame(0x89, 'abc'), frame(0x89, pad(125))]))
    await until(() => socket.pongs.length === 3)
    assert.deepEqual(socket.pongs, ['', 'abc', pad(125)])
    socket.destroy()
  })

  test(`S1 ${where}: a close is echoed, and then the connection ends`, async () => {
    const cases = [[frame(0x88), 1005], [closeFrame(1000), 1000], [closeFrame(1001, 'bye'), 1001], [closeFrame(3000), 3000], [closeFrame(4999, pad(123)), 4999]]
    for (const [bytes, code] of cases) {
      const socket = await open(endpoint)
      socket.send(Buffer.concat([bytes, frame(0x81, endpoint.text()), frame(0x89)]))
      assert.equal((await socket.closed).code, code)
      assert.deepEqual([socket.messages.length <= endpoint.first, socket.pongs.length], [true, 0], 'nothing behind it is read')
    }
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]) {
      const socket = await open(endpoint)
      socket.send(closeFrame(code))
      assert.equal((await socket.closed).code, 1002, `${code} may not be sent`)
    }
  })

  test(`S1 ${where}: frames that come with the request are read`, async () => {
    const socket = await RawSocket.open(pulse.bridge.port, endpoint.path, { behind: frame(0x81, endpoint.text()) })
    await answers(socket, endpoint)
    socket.destroy()
  })

  test(`S1 ${where}: the handshake is what the RFC demands`, async () => {
    const socket = await open(endpoint)
    assert.equal(socket.status, 101)
    assert.equal(socket.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    assert.equal(socket.headers['sec-websocket-protocol'], undefined)
    assert.equal(socket.headers['sec-websocket-extensions'], undefined)
    socket.destroy()
    const refused = [
      [{ 'Sec-WebSocket-Version': '7' }, 426], [{ 'Sec-WebSocket-Version': undefined }, 426],
      [{ 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400], [{ 'Sec-WebSocket-Key': undefined }, 400], [{ 'Sec-WebSocket-Key': '!' }, 400]
    ]
    for (const [headers, status] of refused) {
      const other = await RawSocket.open(pulse.bridge.port, endpoint.path, { headers })
      assert.equal(other.status, status, JSON.stringify(headers))
      if (status === 426) assert.equal(other.headers['sec-websocket-version'], '13')
      other.destroy()
    }
    const compressed = await RawSocket.open(pulse.bridge.port, endpoint.path, { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } })
    assert.equal(compressed.headers['sec-websocket-extensions'], undefined, 'declined')
    compressed.send(frame(0x81, endpoint.text()))
    await answers(compressed, endpoint)
    compressed.destroy()
  })
}

test('S1: a binary message is none of the native protocol', async () => {
  const socket = await open(endpoints[0])
  socket.send(frame(0x82, endpoints[0].text()))
  assert.equal((await socket.closed).code, 1002)
})

test('S1: subprotocols: the native one, none, or the first that is offered', async () => {
  const offer = (path, protocols) => RawSocket.open(pulse.bridge.port, path, { headers: { 'Sec-WebSocket-Protocol': protocols } })
  const native = await offer('/ws', 'chat, pulse.v1.json')
  assert.deepEqual([native.status, native.headers['sec-websocket-protocol']], [101, 'pulse.v1.json'])
  assert.equal((await offer('/ws', 'chat')).status, 400)
  const socketio = await offer('/socket.io/?EIO=4&transport=websocket', 'a,b')
  assert.deepEqual([socketio.status, socketio.headers['sec-websocket-protocol']], [101, 'a'])
  for (const socket of [native, socketio]) socket.destroy()
})
