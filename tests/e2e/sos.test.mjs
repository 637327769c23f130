// The pack pulse_sos with stock clients over two bridges: S1 – S5, S7, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
let pulse, here, there
before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_sos'] })
  ;[here, there] = pulse.bridges
})
after(() => pulse?.stop())

const as = (userId, role, sosId) => ({ userId, role, ...sosId && { sosId } })
const internal = async (path, body, { headers = { 'x-internal-token': 'internal-token-of-tests' }, base = here.internalUrl } = {}) => {
  const answer = await fetch(`${base}/internal/realtime/sos${path}`, body === undefined ? { headers }
    : { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { status: answer.status, body: await answer.json() }
}
const get = async (who, path) => {
  const answer = await fetch(`${there.url}/api/v1/sos${path}`, { headers: { authorization: `Bearer ${token(who)}` } })
  return { status: answer.status, body: await answer.json() }
}
// A case with its citizen on one bridge and its rescuer on the other.
async function opened(sosId) {
  const citizen = await pulse.io(as('citizen-123', 'citizen', sosId), { bridge: here })
  const ack = await citizen.emitWithAck('sos:init', { sosId, latitude: 12.5, longitude: 77.25, details: { floor: 3 } })
  assert.equal(ack.ok, true, JSON.stringify(ack))
  const rescuer = await pulse.io(as('rescuer-7', 'rescuer', sosId), { bridge: there })
  return { citizen, rescuer, state: ack.state }
}

test('S1: a citizen opens a case, the rescuer on another bridge changes it, both hear it with exact names', async () => {
  const citizen = await pulse.io(as('citizen-123', 'citizen', 'sos-1'), { bridge: here })
  const rescuer = await pulse.io(as('rescuer-7', 'rescuer', 'sos-1'), { bridge: there })
  const first = [citizen, rescuer].map(socket => next(socket, 'sos:status:broadcast'))
  const { ok, state } = await citizen.emitWithAck('sos:init', { sosId: 'sos-1', latitude: 12.5, longitude: 77.25, details: { floor: 3 } })
  assert.equal(ok, true)
  assert.deepEqual([state.sosId, state.status, state.citizenId, state.latitude, state.details, state.lastLocations], ['sos-1', 'open', 'citizen-123', 12.5, { floor: 3 }, []])
  for (const [told] of await Promise.all(first)) {
    assert.match(told.updatedAt, iso)
    assert.deepEqual({ ...told, updatedAt: 0 }, { sosId: 'sos-1', status: 'open', previousStatus: null, updatedBy: 'citizen-123', role: 'citizen', updatedAt: 0 })
  }
  const second = [citizen, rescuer].map(socket => next(socket, 'sos:status:broadcast'))
  const updated = await rescuer.emitWithAck('sos:status:update', { sosId: 'sos-1', status: 'en_route', note: '5 min' })
  assert.deepEqual([updated.ok, updated.state.status], [true, 'en_route'])
  for (const [told] of await Promise.all(second))
    assert.deepEqual({ ...told, updatedAt: 0 }, { sosId: 'sos-1', status: 'en_route', previousStatus: 'open', updatedBy: 'rescuer-7', role: 'rescuer', note: '5 min', updatedAt: 0 })
  const plain = next(citizen, 'sos:status:broadcast')
  await pulse.sql(`UPDATE sos.cases SET status = 'on_scene' WHERE id = 'sos-1'`)
  assert.deepEqual((({ status, previousStatus, updatedBy }) => [status, previousStatus, updatedBy])((await plain)[0]), ['on_scene', 'en_route', 'system'])
  const beat = next(citizen, 'heartbeat:ack'), pong = next(citizen, 'pong')
  citizen.emit('heartbeat')
  citizen.emit('ping')
  assert.ok((await beat)[0].timestamp && (await pong)[0].timestamp)
})

test('S2: the room is for those whose case it is or whose role allows it; others are refused whatever they send', async () => {
  const { rescuer } = await opened('sos-2')
  const stranger = await pulse.io(as('citizen-9', 'citizen', 'sos-other'), { bridge: there })
  const other = await pulse.io(as('rescuer-8', 'rescuer', 'sos-other'), { bridge: here })
  for (const socket of [stranger, other]) {
    assert.equal((await socket.emitWithAck('room:join', { room: 'sos:sos-2' })).error.code, 'forbidden')
    for (const [event, argument] of [['sos:init', { sosId: 'sos-2' }], ['sos:status:update', { sosId: 'sos-2', status: 'resolved' }], ['sos:close', { sosId: 'sos-2' }],
      ['location:update', { sosId: 'sos-2', latitude: 1, longitude: 1 }], ['message:send', { sosId: 'sos-2', message: 'x' }], ['webrtc:offer', { sosId: 'sos-2', to: 'rescuer-7', sdp: 'v=0' }]])
      assert.equal((await socket.emitWithAck(event, argument)).error?.code, 'forbidden', event)
  }
  const dispatcher = await pulse.io(as('dispatcher-1', 'dispatcher'), { bridge: here })
  assert.equal((await dispatcher.emitWithAck('room:join', { room: 'sos:sos-2' })).ok, true)
  const heard = next(dispatcher, 'message:broadcast'), leaked = gather(stranger, 'message:broadcast')
  await rescuer.emitWithAck('message:send', { sosId: 'sos-2', message: 'hello' })
  assert.equal((await heard)[0].message, 'hello')
  const fence = next(stranger, 'fence')
  await pulse.sql(`SELECT pulse.publish('user:citizen-9', 'fence', '1')`)
  await fence
  assert.equal(leaked.items.length, 0)
})

test('S3: of many positions the first goes out at once and the last always, to the others alone; the track keeps one in ten', async () => {
  const { citizen, rescuer } = await opened('sos-3')
  const own = gather(rescuer, 'location:broadcast'), seen = gather(citizen, 'location:broadcast')
  const first = await rescuer.emitWithAck('location:update', { sosId: 'sos-3', latitude: 12.001, longitude: 77.25, heading: 90 })
  assert.deepEqual(first, { ok: true, throttled: false })
  const acks = await Promise.all(Array.from({ length: 40 }, (_, n) => rescuer.emitWithAck('location:update', { latitude: (12002 + n) / 1000, longitude: 77.25 })))
  assert.ok(acks.every(({ ok }) => ok) && acks.some(({ throttled }) => throttled))
  await until(() => seen.items.some(([{ latitude }]) => latitude === 12.041), { what: 'the last position' })
  const [[told]] = seen.items
  assert.match(told.timestamp, iso)
  assert.deepEqual({ ...told, timestamp: 0 }, { sosId: 'sos-3', userId: 'rescuer-7', role: 'rescuer', latitude: 12.001, longitude: 77.25, heading: 90, timestamp: 0 })
  const latitudes = seen.items.map(([{ latitude }]) => latitude)
  assert.deepEqual(latitudes, [...latitudes].sort((a, b) => a - b), 'never an older one after a newer one')
  const seconds = (Date.now() - Date.parse(told.timestamp)) / 1000
  assert.ok(latitudes.length <= seconds + 2, `${latitudes.length} in ${seconds} s`)
  assert.equal(own.items.length, 0, 'not to the sender')
  const track = await pulse.sql(`SELECT latitude FROM sos.positions WHERE case_id = 'sos-3' ORDER BY id`)
  assert.deepEqual(track.map(({ latitude }) => latitude), [12.001, 12.011, 12.021, 12.031, 12.041])
  const state = await pulse.value(`SELECT sos.state('sos-3')`)
  assert.deepEqual(state.lastLocations.map(({ userId, latitude }) => [userId, latitude]), [['rescuer-7', 12.041]])
  assert.equal(await pulse.value(`SELECT count(*)::int FROM pulse.events WHERE name = 'location:broadcast'`), 0, 'no position is in the log')
})

test('S4: the SOS service opens, changes, reads and closes a case over the internal listener', async () => {
  assert.equal((await internal('/init', { sosId: 'sos-4', citizenId: 'citizen-123' }, { headers: {} })).status, 401)
  assert.equal((await internal('/init', { sosId: 'sos-4', citizenId: 'citizen-123' }, { headers: { 'x-internal-token': 'wrong' } })).status, 401)
  assert.equal((await internal('/init', { sosId: 'sos-4', citizenId: 'citizen-123' }, { base: here.url })).status, 404, 'the public listener knows none of it')
  const rescuer = await pulse.io(as('rescuer-7', 'rescuer', 'sos-4'), { bridge: there })
  const told = gather(rescuer, 'sos:status:broadcast')
  const created = await internal('/init', { sosId: 'sos-4', citizenId: 'citizen-123', latitude: 1, longitude: 2, details: { by: 'phone' } })
  assert.deepEqual([created.status, created.body.status, created.body.citizenId, created.body.details], [201, 'open', 'citizen-123', { by: 'phone' }])
  assert.equal((await internal('/init', { sosId: 'sos-4', citizenId: 'citizen-123' })).status, 200)
  const status = await internal('/sos-4/status', { status: 'assigned', updatedBy: 'dispatcher-1' })
  assert.deepEqual([status.status, status.body.status], [200, 'assigned'])
  assert.equal((await internal('/none/status', { status: 'assigned' })).status, 404)
  const invalid = await internal('/sos-4/status', { status: 'lost' })
  assert.deepEqual([invalid.status, invalid.body.error.code], [422, 'invalid'])
  const state = await until(async () => { const { body } = await internal('/sos-4/state'); return body.participants.length === 1 && body }, { what: 'the state' })
  assert.deepEqual([state.sosId, state.status, state.closedAt], ['sos-4', 'assigned', undefined])
  for (const key of ['createdAt', 'updatedAt', 'expiresAt']) assert.match(state[key], iso)
  assert.deepEqual([(await internal('/sos-4/close', { reason: 'safe' })).body.status, (await internal('/sos-4/close', {})).status], ['closed', 200])
  await told.atLeast(3)
  assert.deepEqual(told.items.map(([{ status, previousStatus, updatedBy }]) => [status, previousStatus, updatedBy]),
    [['open', null, 'system'], ['assigned', 'open', 'dispatcher-1'], ['closed', 'assigned', 'system']])
  assert.equal((await internal('/none/state')).status, 404)
})

test('S5: who is there is online, who has gone is not, and was seen', async () => {
  const { citizen, rescuer } = await opened('sos-5a')
  const online = async () => Object.fromEntries((await internal('/sos-5a/state')).body.participants.map(({ userId, online }) => [userId, online]))
  await until(async () => { const who = await online(); return who['citizen-123'] && who['rescuer-7'] }, { what: 'both online' })
  rescuer.disconnect()
  await until(async () => (await online())['rescuer-7'] === false, { what: 'the rescuer gone' })
  const { participants } = (await internal('/sos-5a/state')).body
  assert.deepEqual(participants.map(({ userId, role }) => [userId, role]), [['citizen-123', 'citizen'], ['rescuer-7', 'rescuer']])
  for (const { lastSeen } of participants) assert.match(lastSeen, iso)
  assert.equal(citizen.connected, true)
})

test('S5: a closed case is told, then everybody is out of its room; its state lives for closed_ttl and no longer', async () => {
  const { citizen, rescuer } = await opened('sos-5')
  const events = []
  for (const name of ['sos:status:broadcast', 'room:evicted']) rescuer.on(name, payload => events.push([name, payload.status ?? payload.room]))
  const evicted = [citizen, rescuer].map(socket => next(socket, 'room:evicted'))
  assert.deepEqual(await citizen.emitWithAck('sos:close', { sosId: 'sos-5', reason: 'safe' }), { ok: true })
  for (const [{ room, reason }] of await Promise.all(evicted)) assert.deepEqual([room, reason], ['sos:sos-5', 'closed'])
  assert.deepEqual(events.slice(-2), [['sos:status:broadcast', 'closed'], ['room:evicted', 'sos:sos-5']])
  assert.equal((await rescuer.emitWithAck('room:join', { room: 'sos:sos-5' })).error.code, 'forbidden')
  assert.equal((await rescuer.emitWithAck('message:send', { sosId: 'sos-5', message: 'x' })).error.code, 'conflict')
  const again = await pulse.io(as('rescuer-7', 'rescuer', 'sos-5'), { bridge: here })
  assert.equal((await again.emitWithAck('room:join', { room: 'sos:sos-5' })).error.code, 'forbidden', 'nor by a new connection')
  const { body } = await internal('/sos-5/state')
  assert.equal(Date.parse(body.expiresAt) - Date.parse(body.closedAt), 3_600_000)
  assert.equal((await get(as('citizen-123', 'citizen', 'sos-5'), '/sos-5/messages')).status, 200, 'what was said can still be read')
  await pulse.sql(`SELECT pulse.configure('sos', 'closed_ttl', '0 s')`)
  assert.equal((await internal('/sos-5/state')).status, 404)
  assert.equal((await get(as('citizen-123', 'citizen', 'sos-5'), '/sos-5/messages')).status, 404)
  await pulse.sql(`SELECT pulse.configure('sos', 'closed_ttl', NULL)`)
})

test('S5: a case that nobody closed expires by the worker of the database: its room is emptied', async () => {
  await pulse.sql(`SELECT pulse.configure('sos', 'state_ttl', '1 s')`)   // the clean-up runs every quarter of it
  try {
    const citizen = await pulse.io(as('citizen-123', 'citizen', 'sos-5c'), { bridge: here })
    const evicted = next(citizen, 'room:evicted')
    assert.equal((await citizen.emitWithAck('sos:init', { sosId: 'sos-5c' })).ok, true)
    const [{ room, reason }] = await evicted
    assert.deepEqual([room, reason], ['sos:sos-5c', 'expired'])
    assert.equal((await citizen.emitWithAck('sos:status:update', { sosId: 'sos-5c', status: 'resolved' })).error.code, 'not_found')
  } finally {
    await pulse.sql(`SELECT pulse.configure('sos', 'state_ttl', NULL)`)
  }
})

test('S7: messages are kept, once, and read back in pages', async () => {
  const { citizen, rescuer } = await opened('sos-7')
  const heard = gather(citizen, 'message:broadcast')
  const ack = await rescuer.emitWithAck('message:send', { sosId: 'sos-7', message: 'on my way', clientMessageId: 'k1' })
  assert.deepEqual(await rescuer.emitWithAck('message:send', { sosId: 'sos-7', message: 'on my way', clientMessageId: 'k1' }), ack)
  await citizen.emitWithAck('message:send', { sosId: 'sos-7', message: 'thank you' })
  await heard.atLeast(2)
  const [[message]] = heard.items
  assert.deepEqual({ ...message, createdAt: 0 }, { sosId: 'sos-7', messageId: ack.messageId, from: 'rescuer-7', role: 'rescuer', message: 'on my way', createdAt: 0 })
  const { body } = await get(as('citizen-123', 'citizen', 'sos-7'), '/sos-7/messages?limit=1')
  assert.deepEqual(body.items.map(item => item.message), ['thank you'])
  const { body: before } = await get(as('citizen-123', 'citizen', 'sos-7'), `/sos-7/messages?before=${body.next}`)
  assert.deepEqual([before.items.map(item => item.message), before.next], [['on my way'], null])
})

test('S7: WebRTC signals go to one user of the case, and are not stored', async () => {
  const { citizen, rescuer } = await opened('sos-7b')
  for (const [event, part] of [['webrtc:offer', { sdp: 'v=0' }], ['webrtc:answer', { sdp: { type: 'answer', sdp: 'v=0' } }], ['webrtc:candidate', { candidate: { candidate: 'a=1', sdpMid: '0' } }]]) {
    const signal = next(citizen, event), echo = gather(rescuer, event)
    assert.deepEqual(await rescuer.emitWithAck(event, { sosId: 'sos-7b', to: 'citizen-123', ...part }), { ok: true })
    assert.deepEqual((await signal)[0], { sosId: 'sos-7b', from: 'rescuer-7', to: 'citizen-123', ...part })
    assert.equal(echo.items.length, 0)
  }
  assert.equal((await rescuer.emitWithAck('webrtc:offer', { sosId: 'sos-7b', to: 'citizen-9', sdp: 'v=0' })).error.code, 'forbidden')
  assert.equal(await pulse.value(`SELECT count(*)::int FROM pulse.events WHERE name LIKE 'webrtc:%'`), 0, 'no signal is stored')
  const large = next(citizen, 'webrtc:offer'), sdp = 'a=candidate\r\n'.repeat(2000)
  assert.deepEqual(await rescuer.emitWithAck('webrtc:offer', { sosId: 'sos-7b', to: 'citizen-123', sdp }), { ok: true })
  assert.equal((await large)[0].sdp, sdp, 'a large description arrives too')
})
