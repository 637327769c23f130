// The client code of the five systems, as their documents have it, against a server made of SQL (D4, S1, C3, F2, F3, M1).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { EventSource } from 'eventsource'
import { io } from 'socket.io-client'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { connecting, gather, next, until } from '../support/wait.mjs'

let pulse
const open = []
before(async () => {
  pulse = await startPulse({ extensions: ['pulse', 'pulse_donors'] })
  await pulse.load('systems')
})
after(async () => {
  for (const one of open) one.disconnect?.() ?? one.close?.()
  await pulse?.stop()
})

// Connected as the client connects by itself, with the options of the document.
async function connected(socket) {
  open.push(socket)
  if (!socket.connected) await next(socket, 'connect')
  return socket
}

test('D4: blood emergencies: a token in auth, WebSocket first, the emergency as a bare string', async () => {
  await pulse.sql(`INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('donor', 'O-', 'IN')`)
  const emergencyId = await pulse.value(`INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code)
    VALUES ('requester', 'O-', 'critical', 19.07, 72.87, 'IN') RETURNING id::text`)
  const socket = await connected(io(pulse.bridge.url, { auth: { token: token({ userId: 'donor' }) }, transports: ['websocket', 'polling'], forceNew: true }))
  const updated = next(socket, 'emergency:status-updated')
  socket.emit('emergency:join', emergencyId)
  socket.emit('donor:update-presence', { isAvailable: true, latitude: 19.08, longitude: 72.88 })
  await until(() => pulse.value(`SELECT is_available FROM donors.presence WHERE user_id = 'donor'`))
  await pulse.sql(`UPDATE donors.blood_requests SET status = 'matched' WHERE id::text = $1`, [emergencyId])
  assert.deepEqual((({ emergencyId: id, status }) => [id, status])((await updated)[0]), [emergencyId, 'matched'])
})

test('S1: SOS cases: nothing but a token; heartbeats, and positions to everybody else in the case', async () => {
  const [citizen, rescuer] = await Promise.all(['citizen', 'rescuer'].map(role =>
    connected(io(pulse.bridge.url, { auth: { token: token({ userId: `${role}-123`, sosId: 'sos-456', role }) }, forceNew: true }))))
  const beat = next(citizen, 'heartbeat:ack'), pong = next(citizen, 'pong')
  citizen.emit('heartbeat')
  citizen.emit('ping')
  assert.ok((await beat)[0].timestamp && (await pong)[0].timestamp)
  const broadcast = next(rescuer, 'location:broadcast'), own = gather(citizen, 'location:broadcast')
  assert.deepEqual(await citizen.emitWithAck('location:update', { latitude: 12.5, longitude: 77.25 }), { ok: true, throttled: false })
  assert.deepEqual((await broadcast)[0], { sosId: 'sos-456', userId: 'citizen-123', role: 'citizen', latitude: 12.5, longitude: 77.25 })
  assert.equal(own.items.length, 0)
})

test('F2, F3: care circles: families by themselves, membership asked each time, and what was missed since', async () => {
  const care = who => connected(io(pulse.bridge.url, { auth: { token: token({ userId: who }) }, forceNew: true, reconnectionDelay: 20 }))
  const [mother, nurse, stranger] = await Promise.all(['mother', 'nurse', 'stranger'].map(care))
  assert.deepEqual(await nurse.emitWithAck('join:family', { familyId: 'f1' }), { ok: true })
  assert.equal((await stranger.emitWithAck('join:family', { familyId: 'f1' })).error.code, 'forbidden')
  assert.equal((await stranger.emitWithAck('family:send-message', { familyId: 'f1', message: 'x' })).error.code, 'forbidden')
  const typing = next(mother, 'typing:start'), messages = gather(mother, 'message')
  nurse.emit('typing:start', { channelId: 'f1' })
  assert.equal((await typing)[0].userId, 'nurse')
  await nurse.emitWithAck('family:send-message', { familyId: 'f1', message: 'she slept well' })
  await messages.atLeast(1)
  const lost = next(mother, 'disconnect'), back = next(mother, 'connect')
  mother.io.engine.close()
  await lost
  await nurse.emitWithAck('family:send-message', { familyId: 'f1', message: 'breakfast' })
  await back
  await nurse.emitWithAck('family:send-message', { familyId: 'f1', message: 'walk' })
  await messages.atLeast(3)
  assert.deepEqual(messages.items.map(([{ from, message }]) => [from, message]), [['nurse', 'she slept well'], ['nurse', 'breakfast'], ['nurse', 'walk']])
})

// The options in docs/how-to/recovery.md, word by word.
function documentedPlan() {
  const text = readFileSync(new URL('../../docs/how-to/recovery.md', import.meta.url), 'utf8')
  const [, options] = /const plan = (\{[^}]*\})/.exec(text)
  return new Function(`return ${options}`)()
}

test('F3: the reconnection plan of the documentation: 1, 2, 4 … 30 s, ten attempts, then the application hears of it; a bridge in between ends it', async () => {
  const bridge = await pulse.addBridge()
  const waits = []
  // The client's clock runs two hundred times as fast while it is made; nobody else's does.
  const real = globalThis.setTimeout
  globalThis.setTimeout = (call, milliseconds, ...rest) => {
    if (milliseconds >= 1000 && milliseconds !== 20_000) waits.push(milliseconds)   // 20 s: how long an attempt may take
    return real(call, milliseconds / 200, ...rest)
  }
  let socket
  try {
    socket = io(bridge.url, { ...documentedPlan(), auth: answer => answer({ token: token({ userId: 'mother' }) }), transports: ['websocket'], forceNew: true, autoConnect: false })
  } finally {
    globalThis.setTimeout = real
  }
  open.push(socket)
  const messages = gather(socket, 'message')
  await connecting(socket)
  await bridge.kill()
  await next(socket.io, 'reconnect_attempt', { matches: attempt => attempt === 3 })
  await pulse.sql(`SELECT pulse.publish('family:f1', 'message', '{"n":1}')`)
  const back = next(socket, 'connect')
  await bridge.restart()
  await back
  assert.equal(socket.recovered, true)
  await messages.atLeast(1)
  assert.deepEqual(waits.slice(0, 3), [1000, 2000, 4000])
  waits.length = 0
  const failed = next(socket.io, 'reconnect_failed')
  await bridge.kill()
  await failed
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000])
  assert.equal(socket.active, true, 'connect() by hand goes on')
})

test('C3: campus dashboards: an EventSource where it always was, beside Socket.IO rooms', async () => {
  const text = token({ userId: 'ann', organizationId: 'org123', role: 'staff' })
  const url = `${pulse.bridge.url}/api/realtime/issues/stream?organizationId=org123`
  const source = new EventSource(`${url}&token=${text}`)
  open.push(source)
  const events = []
  for (const name of ['issue:created', 'issue:resolved', 'stats:updated']) source.addEventListener(name, ({ data }) => events.push([name, JSON.parse(data).issueId]))
  await until(() => source.readyState === EventSource.OPEN)
  for (const [name, id] of [['issue:created', 'i1'], ['stats:updated', 's'], ['issue:resolved', 'i1']]) {
    await pulse.sql(`SELECT pulse.publish('org:org123', $1, json_build_object('issueId', $2::text))`, [name, id])
  }
  await until(() => events.length >= 2)
  assert.deepEqual(events, [['issue:created', 'i1'], ['issue:resolved', 'i1']])
  for (const [headers, status] of [[{}, 401], [{ authorization: `Bearer ${token({ userId: 'bob', organizationId: 'other' })}` }, 403]]) {
    const answer = await fetch(url, { headers })
    assert.equal(answer.status, status)
    assert.ok((await answer.json()).error.code)
  }
})

test('M1: moving orders: a namespace a role, several devices of one user, one room for an order', async () => {
  const moves = (namespace, claims, options) => connected(io(pulse.bridge.url + namespace, { auth: { token: token(claims) }, forceNew: true, ...options }))
  const customer = { userId: 'customer', role: 'customer', orderId: 'o1' }
  const phone = await moves('/client', customer), tablet = await moves('/client', customer, { transports: ['polling'] })
  const porter = await moves('/porter', { userId: 'porter', role: 'porter', orderId: 'o1' }, { transports: ['websocket'] })
  const admin = await moves('/admin', { userId: 'admin', role: 'admin' })
  const refused = io(`${pulse.bridge.url}/porter`, { auth: { token: token(customer) }, forceNew: true })
  open.push(refused)
  assert.equal((await next(refused, 'connect_error'))[0].data.code, 'forbidden')
  for (const socket of [phone, tablet, porter, admin]) assert.equal((await socket.emitWithAck('order:subscribe', { orderId: 'o1' })).ok, true)
  assert.equal((await phone.emitWithAck('order:subscribe', { orderId: 'o2' })).error.code, 'forbidden')
  assert.ok((await phone.emitWithAck('location:update', { orderId: 'o1', latitude: 1, longitude: 2 })).error, 'only porters say where they are')
  const seen = [phone, tablet, admin].map(socket => next(socket, 'location:updated')), own = gather(porter, 'location:updated')
  assert.deepEqual(await porter.emitWithAck('location:update', { orderId: 'o1', latitude: 1, longitude: 2 }), { ok: true })
  for (const event of seen) assert.deepEqual((await event)[0], { orderId: 'o1', porterId: 'porter', latitude: 1, longitude: 2 })
  assert.equal(own.items.length, 0)
})
