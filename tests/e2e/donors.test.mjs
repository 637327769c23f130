// The donors pack with stock clients: D1 – D4, D6, D7, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
const mumbai = { latitude: 19.0760, longitude: 72.8777 }
const people = [['near', 'O-', mumbai], ['wrong', 'AB+', mumbai], ['far', 'O-', { latitude: 28.61, longitude: 77.21 }]]
const donors = {}

before(async () => {
  pulse = await startPulse({ extensions: ['pulse', 'pulse_donors'] })
  for (const [id, group, at] of people) {
    await pulse.sql('INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ($1, $2, $3)', [id, group, 'IN'])
    donors[id] = await pulse.io({ userId: id })
    const ack = await donors[id].emitWithAck('donor:update-presence', { isAvailable: true, ...at })
    assert.equal(ack.ok, true, JSON.stringify(ack))
    assert.equal(ack.isAvailable, true)
    assert.match(ack.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
})
after(() => pulse?.stop())

const insert = `INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code)
                VALUES ($1, $2, 'critical', $3, $4, 'IN') RETURNING id::text`
const request = async (requester = 'requester', group = 'O-') =>
  await pulse.value(insert, [requester, group, mumbai.latitude + 0.01, mumbai.longitude + 0.01])

test('D2, D3, D7: an insert reaches the region, the available donors and the near compatible donor', async () => {
  const listener = await pulse.cluster.connect()
  await listener.query('LISTEN emergency_created')
  const legacy = next(listener, 'notification')
  const created = Object.values(donors).map(socket => next(socket, 'emergency:created'))
  const nearby = Object.fromEntries(Object.entries(donors).map(([id, socket]) => [id, gather(socket, 'emergency:nearby')]))
  const twice = gather(donors.near, 'emergency:created')
  const id = await request()
  for (const event of created) {
    const [payload] = await event
    assert.equal(payload.emergencyId, id)
    assert.deepEqual([payload.bloodGroup, payload.urgency, payload.units, payload.countryCode, payload.status], ['O-', 'critical', 1, 'IN', 'open'])
    assert.match(payload.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.ok(!JSON.stringify(payload).includes('requester'), 'no requester id')
  }
  const [near] = await nearby.near.atLeast(1)
  assert.equal(near[0].emergencyId, id)
  assert.ok(near[0].distanceKm > 0.5 && near[0].distanceKm < 3, String(near[0].distanceKm))
  const [{ payload }] = await legacy
  assert.equal(JSON.parse(payload).emergencyId, id)
  assert.ok(JSON.parse(payload).eventId)
  await listener.end()
  await pulse.sql(`SELECT pulse.publish('region:IN', 'fence', '1')`)
  await next(donors.near, 'fence', { matches: () => true }).catch(() => {})
  assert.equal(twice.items.length, 1, 'in region and donors:available, yet once')
  assert.deepEqual([nearby.wrong.items.length, nearby.far.items.length], [0, 0])
})

test('D3, D4: join, respond, the requester hears it; responding twice gives the same response', async () => {
  const id = await request('ann')
  const ann = await pulse.io({ userId: 'ann', countryCode: 'IN' })
  const joined = await ann.emitWithAck('emergency:join', id)
  assert.equal(joined.ok, true, JSON.stringify(joined))
  assert.ok(joined.emergency)
  const heard = gather(ann, 'emergency:response')
  const ack = await donors.near.emitWithAck('emergency:respond', { emergencyId: id, status: 'accepted', etaMinutes: 12 })
  assert.equal(ack.ok, true, JSON.stringify(ack))
  const again = await donors.near.emitWithAck('emergency:respond', { emergencyId: id, status: 'accepted', etaMinutes: 12 })
  assert.equal(again.responseId, ack.responseId)
  const [[response]] = await heard.atLeast(1)
  assert.deepEqual([response.emergencyId, response.responseId, response.donorId, response.status, response.etaMinutes], [id, ack.responseId, 'near', 'accepted', 12])
  for (const hidden of ['phone', 'latitude', 'longitude', 'name']) assert.ok(!(hidden in response), hidden)
  const refused = await donors.near.emitWithAck('room:join', { room: `emergency:${id}:requester` })
  assert.equal(refused.error.code, 'forbidden')
  assert.equal((await ann.emitWithAck('room:join', { room: `emergency:${id}:requester` })).ok, true)
  const updated = next(ann, 'emergency:status-updated')
  await pulse.sql(`UPDATE donors.blood_requests SET status = 'matched' WHERE id = $1`, [id])
  const [{ status, previousStatus, emergencyId }] = await updated
  assert.deepEqual({ status, previousStatus, emergencyId }, { status: 'matched', previousStatus: 'open', emergencyId: id })
  assert.equal((await ann.emitWithAck('emergency:leave', { emergencyId: id })).ok, true)
  assert.equal(heard.items.length, 1)
})

test('D2: hospital and inventory changes reach the region and the legacy channels', async () => {
  const listener = await pulse.cluster.connect()
  await listener.query('LISTEN hospital_status_update; LISTEN blood_inventory_update')
  const channels = gather(listener, 'notification')
  const hospital = await pulse.value(`INSERT INTO donors.hospitals (name, country_code, latitude, longitude, emergency, is_active)
    VALUES ('City "General"', 'IN', 19.0, 72.8, false, true) RETURNING id::text`)
  const status = next(donors.far, 'hospital:status-updated'), stock = next(donors.far, 'blood_inventory:updated')
  await pulse.sql('UPDATE donors.hospitals SET emergency = true WHERE id = $1', [hospital])
  await pulse.sql(`INSERT INTO donors.blood_inventory (hospital_id, blood_group, units) VALUES ($1, 'O-', 4)`, [hospital])
  const [told] = await status
  assert.deepEqual([told.hospitalId, told.emergency, told.isActive, told.name], [hospital, true, true, 'City "General"'])
  const [units] = await stock
  assert.deepEqual([units.hospitalId, units.bloodGroup, units.units], [hospital, 'O-', 4])
  await channels.atLeast(2)
  assert.deepEqual(channels.items.map(([{ channel }]) => channel).sort(), ['blood_inventory_update', 'hospital_status_update'])
  await listener.end()
})

test('D5: isAvailable false ends it at once; a closed socket does not', async () => {
  const find = async () => (await pulse.sql(`SELECT user_id FROM donors.nearby($1, $2, 25, 'O-', 50)`, [mumbai.latitude, mumbai.longitude])).map(row => row.user_id)
  assert.ok((await find()).includes('near'))
  const off = await donors.near.emitWithAck('donor:update-presence', { isAvailable: false, ...mumbai })
  assert.equal(off.isAvailable, false)
  assert.ok(!(await find()).includes('near'))
  assert.equal((await donors.near.emitWithAck('room:join', { room: 'donors:available' })).error.code, 'forbidden')
  await donors.near.emitWithAck('donor:update-presence', { isAvailable: true, ...mumbai })
  donors.near.disconnect()
  assert.ok((await find()).includes('near'))
  donors.near.connect()
  await next(donors.near, 'connect')
})

test('D4: wrong arguments are refused with a hint and accepted values', async () => {
  for (const [event, args] of [['donor:update-presence', [{ isAvailable: 'maybe' }]], ['donor:update-presence', [{ isAvailable: true, latitude: 200, longitude: 0 }]],
    ['emergency:join', ['not-a-uuid']], ['emergency:join', []], ['emergency:join', ['00000000-0000-0000-0000-000000000000']],
    ['emergency:respond', [{ emergencyId: await request('x'), status: 'perhaps' }]]]) {
    const { error } = await donors.far.emitWithAck(event, ...args)
    assert.ok(['bad_request', 'invalid', 'not_found'].includes(error?.code), `${event} ${JSON.stringify(args)}: ${JSON.stringify(error)}`)
    assert.ok(error.message)
  }
})

test('D9: a client without a socket: availability, a request, who comes, push tokens, all over HTTP', async () => {
  const call = async (userId, method, path, body, claims = {}) => {
    const answer = await fetch(`${pulse.bridge.url}/api/v1${path}`, { method, headers: { authorization: `Bearer ${token({ userId, ...claims })}`, ...body && { 'content-type': 'application/json' } },
      ...body && { body: JSON.stringify(body) } })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
  const near = await call('near', 'PATCH', '/donors/me/presence', { isAvailable: true, ...mumbai })
  assert.deepEqual([near.status, near.body.ok, near.body.isAvailable], [200, true, true])
  assert.match(near.body.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const told = next(donors.near, 'emergency:nearby', { matches: ({ bloodGroup }) => bloodGroup === 'A-' })
  const created = await call('paul', 'POST', '/blood-requests', { bloodGroup: 'A-', urgency: 'high', ...mumbai, countryCode: 'IN' })
  assert.deepEqual([created.status, created.body.status, created.body.nearbyDonors], [201, 'open', 1])
  assert.equal((await told)[0].emergencyId, created.body.id)
  const refused = await call('paul', 'POST', '/blood-requests', { bloodGroup: 'A-', urgency: 'high', ...mumbai, countryCode: 'India' })
  assert.deepEqual([refused.status, refused.body.error.code, typeof refused.body.error.hint], [422, 'invalid', 'string'])
  const response = await call('near', 'POST', `/blood-requests/${created.body.id}/responses`, { status: 'accepted', etaMinutes: 9 })
  assert.deepEqual([response.status, response.body.ok], [201, true])
  const mine = await call('paul', 'GET', `/blood-requests/${created.body.id}`)
  assert.deepEqual(mine.body.responses.map(({ donorId, etaMinutes, latitude }) => [donorId, etaMinutes, latitude]), [['near', 9, mumbai.latitude]])
  assert.equal((await call('near', 'GET', `/blood-requests/${created.body.id}`)).body.responses, undefined)
  assert.equal((await call('near', 'PATCH', `/blood-requests/${created.body.id}`, { status: 'fulfilled' })).status, 403)
  assert.equal((await call('paul', 'PATCH', `/blood-requests/${created.body.id}`, { status: 'fulfilled' })).body.status, 'fulfilled')
  const list = await call('paul', 'GET', '/blood-requests?countryCode=IN&status=fulfilled')
  assert.deepEqual(list.body.items.map(({ id }) => id), [created.body.id])
  assert.equal((await call('paul', 'GET', `/donors/nearby?latitude=${mumbai.latitude}&longitude=${mumbai.longitude}&bloodGroup=O-`)).status, 403)
  const found = await call('ward', 'GET', `/donors/nearby?latitude=${mumbai.latitude}&longitude=${mumbai.longitude}&bloodGroup=A%2B`, undefined, { role: 'hospital' })
  assert.deepEqual(found.body.items.map(({ userId }) => userId), ['near'])
  assert.equal((await call('paul', 'POST', '/users/me/tokens', { token: 'fcm:abc', tokenType: 'fcm', deviceType: 'android' })).status, 201)
  assert.equal((await call('paul', 'DELETE', '/users/me/tokens/fcm%3Aabc')).status, 204)
  await donors.near.emitWithAck('donor:update-presence', { isAvailable: true, ...mumbai })
  const out = next(donors.near, 'room:evicted')
  assert.equal((await call('near', 'PATCH', '/donors/me/presence', { isAvailable: false })).body.isAvailable, false)
  assert.equal((await out)[0].room, 'donors:available')
  assert.equal((await fetch(`${pulse.bridge.url}/api/v1/donors/me/presence`, { method: 'PATCH' })).status, 401)
})
