// The limits of the moves pack with stock clients over two bridges: M7.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { next } from '../support/wait.mjs'

let pulse, one, two

before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_moves'] })
  ;[one, two] = pulse.bridges
  await pulse.sql(`INSERT INTO moves.orders (id, customer_id, porter_id, status) VALUES ('o1', 'kim', 'uli', 'assigned')`)
})
after(() => pulse?.stop())

const roles = { client: 'customer', porter: 'porter' }
const connect = (kind, userId, bridge = one) => pulse.io({ userId, role: roles[kind] }, { namespace: `/${kind}`, bridge })

test('M7: each class of events has its limit of a user, over two bridges together; over it comes an error and no disconnect', async () => {
  const id = 'o1'
  const phone = await connect('client', 'kim'), tablet = await connect('client', 'kim', two), devices = [phone, tablet]
  const send = async (sockets, times, event, argument) => {
    const acks = []
    // in waves: a session has room for a hundred events that wait
    while (acks.length < times) acks.push(...await Promise.all(Array.from({ length: Math.min(100, times - acks.length) }, (_, n) => sockets[n % sockets.length].emitWithAck(event, argument))))
    const refused = acks.filter(({ error }) => error?.code === 'rate_limited')
    for (const { error } of refused) assert.ok(Number.isInteger(error.retryAfter) && error.retryAfter >= 1 && error.retryAfter <= 60, JSON.stringify(error))
    assert.equal(acks.length - refused.length, acks.filter(({ ok }) => ok).length, JSON.stringify(acks.find(({ ok, error }) => !ok && error.code !== 'rate_limited')))
    return acks.length - refused.length
  }
  assert.equal(await send(devices, 200, 'order:subscribe', { orderId: id }), 100)
  assert.equal(await send(devices, 60, 'chat:message:send', { orderId: id, message: 'x' }), 50, 'chat is another class')
  const error = next(phone, 'error')
  phone.emit('chat:message:send', { orderId: id, message: 'x' })
  const [{ code, event, class: limited, retryAfter }] = await error
  assert.deepEqual([code, event, limited, retryAfter >= 1], ['rate_limited', 'chat:message:send', 'chat', true])
  const porters = await Promise.all([one, two].map(bridge => connect('porter', 'uli', bridge)))
  assert.equal(await send(porters, 1040, 'location:update', { latitude: 1, longitude: 1 }), 1000)
  assert.equal(await send(porters, 3, 'porter:availability', { available: true }), 3, 'another user, another class')
  assert.ok([...devices, ...porters].every(socket => socket.connected))
  await pulse.sql(`SELECT pulse.limit('chat', 3, '60 s')`)
  try {
    assert.equal(await send(porters, 5, 'chat:message:send', { orderId: id, message: 'x' }), 3, 'a limit of the application counts at once')
  } finally {
    await pulse.sql(`SELECT pulse.drop_limit('chat')`)
  }
})
