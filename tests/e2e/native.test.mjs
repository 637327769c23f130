// The native protocol pulse.v1.json with the plain `ws` client, as docs/reference/native.md tells it (E5).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
})
after(() => pulse?.stop())

// A connected native client: say(message), and wait(type, matches) for the next message of a type.
async function client(who, options) {
  const socket = await pulse.ws(who, options)
  const messages = () => socket.frames.items.map(([data]) => JSON.parse(data))
  const wait = (type, matches = () => true) => until(() => messages().find(message => message.type === type && matches(message)), { what: type })
  return { socket, messages, wait, say: message => socket.send(JSON.stringify(message)) }
}

test('E5: connect, join, events with room and position, emit with ack', async () => {
  const { wait, say } = await client({ userId: 'ann' })
  const hello = await wait('connected')
  assert.ok(hello.session)
  assert.match(hello.position, /^[0-9a-f]{16}:\d+$/)
  say({ type: 'join', room: 'open:n', id: 1 })
  assert.equal((await wait('ack', ({ id }) => id === 1)).args[0].ok, true)
  await pulse.sql(`SELECT pulse.publish('open:n', 'news', '{"n":1}')`)
  const event = await wait('event')
  assert.deepEqual({ event: event.event, args: event.args, room: event.room }, { event: 'news', args: [{ n: 1 }], room: 'open:n' })
  assert.match(event.position, /^[0-9a-f]{16}:\d+$/)
  say({ type: 'emit', event: 'echo', args: ['a', 2], id: 'two' })
  assert.deepEqual((await wait('ack', ({ id }) => id === 'two')).args, ['a', 2])
  say({ type: 'ping' })
  await wait('pong')
})

test('E5: the token in the first message, in the query or in a header', async () => {
  const late = await client(undefined)
  late.say({ type: 'connect', token: token({ userId: 'late' }) })
  await late.wait('connected')
  late.say({ type: 'emit', event: 'who', id: 1 })
  assert.equal((await late.wait('ack')).args[0].user, 'late')
  const query = await client(undefined, { path: `/ws?token=${token({ userId: 'query' })}` })
  await query.wait('connected')
})

test('E5: refusals carry the same codes as everywhere', async () => {
  const { wait, say } = await client({ userId: 'ann' })
  await wait('connected')
  say({ type: 'join', room: 'named:bob', id: 1 })
  say({ type: 'emit', event: 'refuse', id: 2 })
  say({ type: 'emit', event: 'nobody', id: 3 })
  for (const [id, code] of [[1, 'forbidden'], [2, 'conflict'], [3, 'not_found']]) {
    assert.equal((await wait('error', message => message.id === id)).code, code)
  }
})

test('E5: a wrong token is refused', async () => {
  const bad = await client('a.b.c').catch(error => error)
  if (bad instanceof Error) assert.equal(bad.status, 401)
  else {
    await bad.wait('error', message => (message.error ?? message).code === 'unauthenticated')
    if (bad.socket.readyState < 2) await once(bad.socket, 'close')
  }
})

test('E5: a client that answers pings, as every WebSocket client does by itself, stays', async () => {
  const bridge = await pulse.addBridge({ PULSE_PING_INTERVAL: '150ms', PULSE_PING_TIMEOUT: '1s' })
  const { socket, wait, say } = await client({ userId: 'ann' }, { bridge })
  const pings = gather(socket, 'ping')
  await pings.atLeast(12)   // each is sent when the one before was answered
  assert.equal(socket.readyState, 1)
  say({ type: 'ping' })
  await wait('pong')
})

test('E5: a wrong subprotocol is refused before the upgrade', async () => {
  const error = await pulse.ws({ userId: 'x' }, { protocol: 'mqtt' }).catch(error => error)
  assert.equal(error.status, 400)
})

test('E5: one event for a session in several of its rooms', async () => {
  const { wait, say, messages } = await client({ userId: 'ann' })
  await wait('connected')
  for (const [id, room] of ['open:x', 'open:y'].entries()) { say({ type: 'join', room, id }); await wait('ack', message => message.id === id) }
  await pulse.sql(`SELECT pulse.publish(ARRAY['open:x','open:y','user:ann'], 'once', '1')`)
  await pulse.sql(`SELECT pulse.publish('user:ann', 'fence', '1')`)
  await wait('event', message => message.event === 'fence')
  assert.equal(messages().filter(message => message.event === 'once').length, 1)
})
