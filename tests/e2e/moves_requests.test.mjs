// What the moves pack answers by HTTP, and its tokens, over two bridges: M2, M3, M5, M8, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { connecting, gather, next, until } from '../support/wait.mjs'

let pulse, one, two

before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_moves'] })
  ;[one, two] = pulse.bridges
  await pulse.sql(`INSERT INTO moves.orders (id, customer_id, porter_id, status) VALUES
    ('o1', 'ann', 'pat', 'in_transit'), ('o2', 'bob', NULL, 'created'), ('o3', 'lea', 'vic', 'assigned'), ('o4', 'lea', NULL, 'created'), ('o5', 'fay', 'pat', 'delivered')`)
})
after(() => pulse?.stop())

const customer = userId => ({ userId, role: 'customer' }), admin = { userId: 'adm', role: 'admin' }
const porter = (userId, bridge = one) => pulse.io({ userId, role: 'porter' }, { namespace: '/porter', bridge })

async function request(who, path, { method = 'GET', bridge = one } = {}) {
  const authorization = who === undefined ? {} : { authorization: `Bearer ${typeof who === 'string' ? who : token(who)}` }
  const answer = await fetch(bridge.url + path, { method, headers: authorization })
  return { status: answer.status, body: await answer.json() }
}

test('M2: an order is read by its customer, its porter and admins', async () => {
  const { status, body } = await request(customer('ann'), '/api/v1/orders/o1')
  assert.deepEqual([status, body.orderId, body.customerId, body.porterId, body.status], [200, 'o1', 'ann', 'pat', 'in_transit'])
  for (const [who, id, wanted] of [[{ userId: 'pat', role: 'porter' }, 'o1', 200], [admin, 'o2', 200], [admin, 'none', 404], [customer('bob'), 'o1', 403], [customer('bob'), 'none', 403],
    [undefined, 'o1', 401], ['a.b.c', 'o1', 401]]) {
    for (const rest of ['', '/messages']) assert.equal((await request(who, `/api/v1/orders/${id}${rest}`, { bridge: two })).status, wanted, `${id}${rest}`)
  }
})

test('M3: the last position is read on any bridge, while the porter is about the order', async () => {
  const socket = await porter('pat')
  assert.equal((await request(customer('ann'), '/api/v1/orders/o1/location')).status, 404)
  assert.deepEqual(await socket.emitWithAck('location:update', { latitude: 19.5, longitude: 72.5, heading: 45, timestamp: '2026-01-02T03:04:05.678Z' }), { ok: true })
  assert.deepEqual(await request(customer('ann'), '/api/v1/orders/o1/location', { bridge: two }),
    { status: 200, body: { orderId: 'o1', porterId: 'pat', latitude: 19.5, longitude: 72.5, heading: 45, timestamp: '2026-01-02T03:04:05.678Z' } })
  assert.equal((await request(customer('bob'), '/api/v1/orders/o1/location')).status, 403)
  assert.equal((await request(customer('fay'), '/api/v1/orders/o5/location')).status, 404, 'not after the delivery')
})

test('M5: the chat is read by pages', async () => {
  const socket = await porter('pat', two)
  for (const message of ['one', 'two', 'three']) assert.equal((await socket.emitWithAck('chat:message:send', { orderId: 'o1', message })).ok, true)
  const page = async (query = '') => (await request(customer('ann'), `/api/v1/orders/o1/messages${query}`)).body
  const last = await page('?limit=2')
  assert.deepEqual(last.items.map(({ message }) => message), ['three', 'two'])
  const first = await page(`?before=${last.next}`)
  assert.deepEqual([first.items.map(({ message, from, role }) => [message, from, role]), first.next], [[['one', 'pat', 'porter']], null])
})

test('M8: an access token is exchanged for a socket token and a reconnect token; a socket token is not exchanged again', async () => {
  const access = token(customer('lea'), { expires: 900 })
  const { status, body } = await request(access, '/api/v1/socket-token', { method: 'POST' })
  assert.equal(status, 201)
  assert.deepEqual(Object.keys(body).sort(), ['expiresAt', 'reconnectToken', 'token'])
  const hours = (Date.parse(body.expiresAt) - Date.now()) / 3_600_000
  assert.ok(hours > 23.9 && hours <= 24.01, body.expiresAt)
  assert.equal((await request(body.token, '/api/v1/socket-token', { method: 'POST' })).status, 403)
  for (const wrong of [undefined, 'a.b.c', token(customer('lea'), { expires: -3600 })]) {
    assert.equal((await request(wrong, '/api/v1/socket-token', { method: 'POST' })).status, 401)
  }
  const socket = await pulse.io(body.token, { namespace: '/client' })
  assert.equal((await socket.emitWithAck('order:subscribe', { orderId: 'o3' })).ok, true)
  assert.deepEqual(await pulse.sql(`SELECT socket_id, namespace FROM pulse.sessions('lea') WHERE ended_at IS NULL`), [{ socket_id: socket.id, namespace: '/client' }])
  socket.disconnect()
})

test('M8: a reconnect token brings the rooms back on another bridge, and what was said meanwhile', async () => {
  const { body } = await request(customer('lea'), '/api/v1/socket-token', { method: 'POST' })
  assert.equal((await request(body.reconnectToken, '/api/v1/socket-token', { method: 'POST' })).status, 401, 'it is good for nothing else')
  const socket = await pulse.io(body.token, { namespace: '/client' }), socketOfPorter = await porter('vic', two)
  for (const orderId of ['o3', 'o4']) assert.equal((await socket.emitWithAck('order:subscribe', { orderId })).ok, true)
  assert.equal((await socket.emitWithAck('order:unsubscribe', { orderId: 'o4' })).ok, true)
  socket.disconnect()
  await until(() => pulse.value(`SELECT count(*) = 0 FROM pulse.sessions('lea') WHERE ended_at IS NULL`), { what: 'the end of the session' })
  await socketOfPorter.emitWithAck('chat:message:send', { orderId: 'o3', message: 'missed' })
  const back = pulse.socket('', { namespace: '/client', bridge: two, auth: { reconnectToken: body.reconnectToken } })
  const chat = gather(back, 'chat:message'), changed = next(back, 'order:status:updated')
  await connecting(back)
  await socketOfPorter.emitWithAck('chat:message:send', { orderId: 'o3', message: 'live' })
  await chat.atLeast(2)
  assert.deepEqual(chat.items.map(([{ message }]) => message), ['missed', 'live'])
  await pulse.sql(`UPDATE moves.orders SET status = 'loading' WHERE id = 'o3'`)
  assert.equal((await changed)[0].status, 'loading')
  assert.deepEqual((await pulse.sql(`SELECT rooms FROM pulse.sessions('lea') WHERE ended_at IS NULL`))[0].rooms.sort(), ['order:o3', 'user:lea'])
})
