// From polling to WebSocket: the probe, what goes where while it lasts, and everything that may go wrong with it (E5).
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { io } from 'socket.io-client'
import { http, Polling, texts } from '../support/polling.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, url
before(async () => {
  pulse = await startPulse({ environment: { PULSE_ENGINEIO_ECHO: 'true' } })
  url = pulse.bridge.url
  await pulse.load('rooms', 'clients')
})
after(() => pulse?.stop())

const md5 = bytes => createHash('md5').update(Buffer.from(bytes)).digest('hex')
const echo = () => Polling.open(url, { path: '/engine.io/' })
const connected = async user => {
  const session = await Polling.open(url)
  await session.post(`40${JSON.stringify({ token: token({ userId: user }) })}`)
  await session.until(packets => packets.some(packet => packet.startsWith('40')))
  return session
}

test('E5: 3probe, 6 for the GET, and after 5 everything goes by the WebSocket', async () => {
  const session = await echo()
  const waiting = session.get()
  await waiting.sent
  const socket = await session.socket()
  socket.send('2probe')
  await until(() => socket.frames.items.length === 1)
  assert.deepEqual(texts(socket), ['3probe'])
  assert.deepEqual((await waiting).packets, ['6'])
  assert.deepEqual((await session.get()).packets, ['6'], 'every GET, not just the first')
  await session.post('4by polling')
  assert.deepEqual((await session.get()).packets, ['4by polling'], 'until 5 it still polls')
  assert.deepEqual(texts(socket), ['3probe'], 'and nothing else goes down the new socket')
  socket.send('5')
  socket.send('4by socket')
  socket.send(Buffer.from([1, 2]))
  await until(() => socket.frames.items.length === 3)
  assert.deepEqual(texts(socket), ['3probe', '4by socket', 'bAQI='])
  const late = await session.get()
  assert.deepEqual([late.status, late.body], [400, '{"code":3,"message":"Bad request"}'])
  assert.equal((await session.post('4x')).status, 400)
  socket.terminate()
})

test('E5: what was not fetched yet goes to the socket first, in order', async () => {
  const session = await echo()
  const packets = Array.from({ length: 40 }, (_, n) => `4${n}`)
  await session.post([...packets, 'bAQI='])
  const { socket, packets: fetched } = await session.upgrade()
  socket.send('4last')
  await until(() => texts(socket).includes('4last'))
  assert.deepEqual([...fetched, ...texts(socket).slice(1)], [...packets, 'bAQI=', '4last'])
  assert.equal(fetched.length, 16)
  socket.terminate()
})

test('E5: events that are published all the while come once and in order', async () => {
  const session = await connected('steady')
  const got = [], numbers = packets => packets.filter(packet => packet.startsWith('42["n"')).map(packet => JSON.parse(packet.slice(2))[1])
  let sent = 0, stop = false
  const writer = (async () => { while (!stop) await pulse.sql(`SELECT pulse.publish('user:steady', 'n', to_json($1::int))`, [++sent]) })()
  try {
    got.push(...numbers(await session.until(packets => numbers(packets).length >= 3)))
    const { socket, packets } = await session.upgrade()
    got.push(...numbers(packets))
    await until(() => numbers(texts(socket)).length > 20)
    stop = true
    await writer
    await until(() => numbers(texts(socket)).at(-1) === sent, { what: 'the last event' })
    got.push(...numbers(texts(socket)))
    socket.terminate()
  } finally {
    stop = true
    await writer
  }
  assert.deepEqual(got, Array.from({ length: sent }, (_, n) => n + 1))
})

test('E5: a packet whose head came by polling has its attachments by WebSocket', async () => {
  const session = await connected('split')
  await session.post(['452-1["digest",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', 'bAQID'])
  const { socket } = await session.upgrade()
  socket.send(Buffer.from([4]))
  await until(() => texts(socket).some(text => text.startsWith('431')))
  const [answer] = JSON.parse(texts(socket).find(text => text.startsWith('431')).slice(3))
  assert.deepEqual(answer.md5, [md5([1, 2, 3]), md5([4])])
  socket.terminate()
})

test('E5: a probe that says something else, or goes, ends alone', async () => {
  for (const nonsense of ['2', '2prob', '4hello', 'x', Buffer.from('2probe')]) {
    const session = await echo()
    const socket = await session.socket()
    socket.send(nonsense)
    assert.equal((await socket.closed).code, 1000)
    await session.post('4alive')
    assert.deepEqual((await session.get()).packets, ['4alive'])
  }
  const session = await echo()
  const socket = await session.socket()
  socket.send('2probe')
  await until(() => socket.frames.items.length === 1)
  socket.terminate()
  await session.post('4alive')
  assert.deepEqual((await session.get()).packets, ['4alive'])
  await until(async () => {
    const next = await session.socket()
    next.send('2probe')
    const closed = await Promise.race([next.closed, until(() => next.frames.items.length === 1).then(() => false)])
    if (closed) return false
    next.send('5')
    return true
  }, { what: 'a second try, once the first is seen to be gone' })
})

test('E5: a second WebSocket is sent away while one upgrades and after, and the first does not notice', async () => {
  const session = await echo()
  const socket = await session.socket()
  socket.send('2probe')
  await until(() => socket.frames.items.length === 1)
  assert.equal((await (await session.socket()).closed).code, 1000)
  socket.send('5')
  socket.send('4one')
  await until(() => socket.frames.items.length === 2)
  const late = await session.socket()
  assert.equal((await late.closed).code, 1000)
  assert.deepEqual(texts(late), [])
  socket.send('4two')
  await until(() => socket.frames.items.length === 3)
  assert.deepEqual(texts(socket), ['3probe', '4one', '4two'])
  socket.terminate()
})

test('E5: 5 without a probe is an upgrade too, and packets in the same segment are read', async () => {
  const session = await echo()
  const socket = await session.socket()
  socket.send('5')
  socket.send('4at once')
  await until(() => texts(socket).includes('4at once'))
  socket.terminate()
})

test('E5: the session ends while it is probed: the probe ends too', async () => {
  const session = await echo()
  const socket = await session.socket()
  socket.send('2probe')
  await until(() => socket.frames.items.length === 1)
  assert.equal((await session.post('1')).status, 200)
  await socket.closed
  assert.equal((await session.get()).status, 400)
})

test('E5: the stock client upgrades while messages flow both ways, and loses none', async () => {
  const socket = io(url, { transports: ['polling', 'websocket'], auth: { token: token({ userId: 'stock' }) }, forceNew: true, reconnection: false })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject))
  const answers = []
  let n = 0
  while (socket.io.engine.transport.name !== 'websocket' || n < 50) answers.push(await socket.emitWithAck('echo', ++n))
  assert.deepEqual(answers, Array.from({ length: n }, (_, i) => i + 1))
  assert.equal((await http(`${url}/socket.io/?EIO=4&transport=polling&sid=${socket.io.engine.id}`)).body, '{"code":3,"message":"Bad request"}')
  socket.disconnect()
})
