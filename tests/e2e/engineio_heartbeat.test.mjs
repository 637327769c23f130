// The heartbeat over either transport, and what it ends (E5). Pings come every 400 ms here, and the answer has 700 ms.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { frame, RawSocket } from '../support/frames.mjs'
import { http, Polling } from '../support/polling.mjs'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

let pulse, url
before(async () => {
  pulse = await startPulse({ environment: { PULSE_ENGINEIO_ECHO: 'true', PULSE_PING_INTERVAL: '400ms', PULSE_PING_TIMEOUT: '700ms', PULSE_CONNECT_TIMEOUT: '2s' } })
  url = pulse.bridge.url
})
after(() => pulse?.stop())

const echo = () => Polling.open(url, { path: '/engine.io/' })
const websocket = (path = '/engine.io/') => RawSocket.open(pulse.bridge.port, `${path}?EIO=4&transport=websocket`)
const pings = socket => socket.messages.filter(message => message === 't2').length

test('E5: polling: a ping each interval, answered by POST', async () => {
  const session = await echo()
  for (let n = 0; n < 3; n++) {
    assert.deepEqual((await session.get()).packets, ['2'])
    assert.equal((await session.post('3')).status, 200)
  }
})

test('E5: polling: no pong, and the session is gone when interval and timeout are over, to the millisecond', async () => {
  for (let n = 0; n < 3; n++) {
    const session = await echo()
    await sleep(1100)
    assert.equal((await session.get()).body, '{"code":1,"message":"Session ID unknown"}')
  }
})

test('E5: polling: a waiting GET is told with 1 when the pong does not come', async () => {
  const session = await echo()
  assert.deepEqual((await session.get()).packets, ['2'])
  assert.deepEqual((await session.get()).packets, ['1'])
  assert.equal((await session.get()).status, 400)
})

test('E5: WebSocket: pings go on whatever else there is, and other traffic is no pong', async () => {
  const socket = await websocket()
  await until(() => {
    if (pings(socket) < 3) socket.send(frame(0x81, '4noise'))
    return pings(socket) === 1
  })
  socket.send(frame(0x81, '3'))
  await until(() => pings(socket) === 2)
  socket.send(frame(0x81, '4noise'))   // and no pong
  assert.equal((await socket.closed).code, 4000)
})

test('E5: a stray pong is ignored; a ping of the client ends the session', async () => {
  const socket = await websocket()
  socket.send(Buffer.concat([frame(0x81, '3'), frame(0x81, '3'), frame(0x81, '6'), frame(0x81, '4x')]))
  await until(() => socket.messages.includes('t4x'))
  socket.send(frame(0x81, '2'))
  assert.equal((await socket.closed).code, 1002)
})

test('E5: close from the client, over WebSocket', async () => {
  const socket = await websocket()
  socket.send(frame(0x81, '1'))
  assert.equal((await socket.closed).code, 1000)
})

test('E5: the heartbeat goes on over an upgrade', async () => {
  const session = await echo()
  assert.deepEqual((await session.get()).packets, ['2'])
  const { socket } = await session.upgrade()
  socket.send('3')   // the pong of a ping that came by polling
  await until(() => socket.frames.items.some(([data]) => String(data) === '2'), { what: 'the next ping' })
  assert.equal((await socket.closed).code, 4000)
})

test('E5: nobody who joins no namespace stays: over WebSocket and polling', async () => {
  const socket = await websocket('/socket.io/')
  const answering = setInterval(() => socket.send(frame(0x81, '3')), 50)
  try {
    assert.equal((await socket.closed).code, 4001)
  } finally {
    clearInterval(answering)
  }
  const session = await Polling.open(url)
  const packets = []
  while (packets.at(-1) !== '1') {
    const answer = await session.get()
    assert.equal(answer.status, 200)
    packets.push(...answer.packets)
    if (packets.at(-1) === '2') await session.post('3')
  }
  assert.equal((await http(session.url)).status, 400)
})

test('E5: the native protocol is kept alive by WebSocket pings', async () => {
  const socket = await RawSocket.open(pulse.bridge.port, '/ws')
  const seen = () => socket.frames.filter(({ opcode }) => opcode === 9).length
  await until(() => seen() === 1)
  socket.send(frame(0x8a))
  await until(() => seen() === 2)
  assert.ok([4000, 4001].includes((await socket.closed).code))
})
