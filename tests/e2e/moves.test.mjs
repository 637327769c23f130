// The moves pack with stock clients over two bridges: M1 – M5, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse, one, two, orders = 0

before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_moves'] })
  ;[one, two] = pulse.bridges
})
after(() => pulse?.stop())

const claims = { client: role => ({ role: 'customer', ...role }), porter: role => ({ role: 'porter', ...role }), admin: role => ({ role: 'admin', ...role }) }
const connect = (kind, userId, bridge = one, options = {}) => pulse.io(claims[kind]({ userId }), { namespace: `/${kind}`, bridge, ...options })

// A new order; its id.
async function order(customer, porter = null, status = porter ? 'assigned' : 'created') {
  const id = `o${++orders}`
  await pulse.sql(`INSERT INTO moves.orders (id, customer_id, porter_id, status, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude)
                   VALUES ($1, $2, $3, $4, 19.07, 72.87, 19.2, 72.9)`, [id, customer, porter, status])
  return id
}

async function subscribed(socket, orderId) {
  const ack = await socket.emitWithAck('order:subscribe', { orderId })
  assert.equal(ack.ok, true, JSON.stringify(ack))
  return ack.order
}

// What was published to a room before has arrived: this comes after it.
async function fence(room, ...sockets) {
  const arrived = sockets.map(socket => next(socket, 'fence'))
  await pulse.sql(`SELECT pulse.publish($1, 'fence', '1')`, [room])
  await Promise.all(arrived)
}

test('M1: a namespace a role, several devices of one user over two bridges, one room for an order', async () => {
  const id = await order('ann', 'pat')
  const phone = await connect('client', 'ann'), tablet = await connect('client', 'ann', two, { transports: ['polling'] })
  const porter = await connect('porter', 'pat', two), admin = await connect('admin', 'adm')
  for (const [kind, namespace] of [['client', '/porter'], ['client', '/admin'], ['porter', '/client'], ['porter', '/admin'], ['admin', '/client'], ['admin', '/porter']]) {
    const error = await pulse.io(claims[kind]({ userId: 'x' }), { namespace }).catch(refused => refused)
    assert.equal(error.data?.code, 'forbidden', `${kind} in ${namespace}`)
  }
  for (const socket of [phone, tablet, porter, admin]) {
    assert.deepEqual((({ orderId, customerId, porterId, status }) => [orderId, customerId, porterId, status])(await subscribed(socket, id)), [id, 'ann', 'pat', 'assigned'])
  }
  const all = [phone, tablet, porter, admin].map(socket => gather(socket, 'order:status:updated'))
  await pulse.sql(`UPDATE moves.orders SET status = 'arrived' WHERE id = $1`, [id])
  for (const heard of all) {
    const [[{ updatedAt, ...payload }]] = await heard.atLeast(1)
    assert.deepEqual(payload, { orderId: id, status: 'arrived', previousStatus: 'assigned', porterId: 'pat' })
    assert.match(updatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
  assert.equal((await tablet.emitWithAck('order:unsubscribe', { orderId: id })).ok, true)
  const talk = [phone, tablet].map(socket => gather(socket, 'chat:message'))
  await porter.emitWithAck('chat:message:send', { orderId: id, message: 'here' })
  await fence('user:ann', phone, tablet)
  assert.deepEqual([talk[0].items.length, talk[1].items.length], [1, 0])
  assert.deepEqual(all.map(({ items }) => items.length), [1, 1, 1, 1], 'in the order and in user:, yet once')
})

test('M2: customers have their own orders, porters those assigned to them, admins any; who loses one hears no more of it', async () => {
  const mine = await order('bob', 'pat'), foreign = await order('cyd')
  const customer = await connect('client', 'bob'), porter = await connect('porter', 'pat', two), admin = await connect('admin', 'adm', two)
  for (const socket of [customer, porter]) {
    assert.equal((await socket.emitWithAck('order:subscribe', { orderId: foreign })).error.code, 'forbidden')
    assert.equal((await socket.emitWithAck('room:join', { room: `order:${foreign}` })).error.code, 'forbidden')
    assert.equal((await socket.emitWithAck('chat:message:send', { orderId: foreign, message: 'x' })).error.code, 'forbidden')
  }
  for (const id of [mine, foreign]) await subscribed(admin, id)
  for (const socket of [customer, porter]) await subscribed(socket, mine)
  for (const socket of [customer, admin]) {
    for (const [event, argument] of [['location:update', { latitude: 1, longitude: 1 }], ['porter:availability', { available: true }], ['job:offer:accept', { offerId: 'j' }], ['job:offer:reject', { offerId: 'j' }]]) {
      assert.equal((await socket.emitWithAck(event, argument)).error.code, 'forbidden', event)
    }
  }
  const evicted = next(porter, 'room:evicted'), heard = gather(porter, 'chat:message')
  await pulse.sql(`UPDATE moves.orders SET porter_id = 'quin' WHERE id = $1`, [mine])
  assert.equal((await evicted)[0].room, `order:${mine}`)
  await customer.emitWithAck('chat:message:send', { orderId: mine, message: 'not for pat any more' })
  await fence('user:pat', porter)
  assert.equal(heard.items.length, 0)
  assert.equal((await porter.emitWithAck('order:subscribe', { orderId: mine })).error.code, 'forbidden')
})

test('M3: positions go to the rooms of all active orders, not to the sender; one in ten is kept', async () => {
  const first = await order('dan', 'rik', 'in_transit'), second = await order('eli', 'rik', 'loading'), done = await order('fay', 'rik', 'delivered')
  const porter = await connect('porter', 'rik'), watchers = []
  for (const [customer, id] of [['dan', first], ['eli', second], ['fay', done]]) {
    const socket = await connect('client', customer, two)
    await subscribed(socket, id)
    watchers.push(gather(socket, 'location:updated'))
  }
  for (const id of [first, second]) await subscribed(porter, id)
  const own = gather(porter, 'location:updated')
  assert.deepEqual(await porter.emitWithAck('location:update', { latitude: 19.5, longitude: 72.5, heading: 45, speed: 7, timestamp: '2026-01-02T03:04:05.678Z' }), { ok: true })
  for (const [n, id] of [[0, first], [1, second]]) {
    const [[payload]] = await watchers[n].atLeast(1)
    assert.deepEqual(payload, { orderId: id, porterId: 'rik', latitude: 19.5, longitude: 72.5, heading: 45, speed: 7, timestamp: '2026-01-02T03:04:05.678Z' })
  }
  await porter.emitWithAck('location:update', { latitude: 20, longitude: 73, orderId: second })
  await watchers[1].atLeast(2)
  for (let n = 3; n <= 11; n++) await porter.emitWithAck('location:update', { latitude: n, longitude: 0 })
  await watchers[0].atLeast(10)
  assert.deepEqual(watchers[0].items.map(([{ latitude }]) => latitude), [19.5, 3, 4, 5, 6, 7, 8, 9, 10, 11], 'one that names an order is for that order')
  assert.deepEqual([own.items.length, watchers[2].items.length], [0, 0])
  assert.deepEqual(await pulse.value(`SELECT array_agg(latitude ORDER BY id) FROM moves.porter_track WHERE porter_id = 'rik'`), [19.5, 11])
  assert.equal((await porter.emitWithAck('location:update', { latitude: 91, longitude: 0 })).error.code, 'invalid')
})

const offer = `WITH offer AS (INSERT INTO moves.job_offers (order_id, expires_at) VALUES ($1, now() + $3::interval) RETURNING id)
               INSERT INTO moves.job_offer_porters (offer_id, porter_id) SELECT offer.id, p FROM offer, unnest($2::text[]) p RETURNING offer_id`

test('M4: a job is offered to porters on two bridges, all accept at once, one wins and all are told', async () => {
  const id = await order('gus'), names = ['p1', 'p2', 'p3', 'p4']
  const porters = await Promise.all(names.map((name, n) => connect('porter', name, n % 2 ? one : two)))
  const customer = await connect('client', 'gus')
  const offered = porters.map(socket => next(socket, 'job:offer')), closed = porters.map(socket => next(socket, 'job:offer:closed'))
  const assigned = next(customer, 'order:status:updated', { matches: ({ status }) => status === 'assigned' })
  await pulse.sql(offer, [id, names, '60 s'])
  let offerId
  for (const event of offered) {
    const [{ expiresAt, ...payload }] = await event
    offerId = payload.offerId
    assert.deepEqual(payload, { offerId, orderId: id, pickup: { latitude: 19.07, longitude: 72.87 }, dropoff: { latitude: 19.2, longitude: 72.9 } })
    assert.ok(Date.parse(expiresAt) > Date.now())
  }
  const acks = await Promise.all(porters.map(socket => socket.emitWithAck('job:offer:accept', { offerId })))
  const winner = acks.findIndex(({ ok }) => ok)
  assert.deepEqual(acks[winner], { ok: true, orderId: id })
  assert.deepEqual(acks.map(({ error }) => error?.code), names.map((_, n) => n === winner ? undefined : 'conflict'))
  for (const [n, event] of closed.entries()) assert.deepEqual((await event)[0], { offerId, status: 'accepted', won: n === winner })
  assert.equal((await assigned)[0].porterId, names[winner])
  assert.deepEqual(await subscribed(porters[winner], id).then(({ porterId, status }) => [porterId, status]), [names[winner], 'assigned'])
})

test('M4: an offer expires by time, its porters are told, and a late answer is a conflict with a hint', async () => {
  const id = await order('hal'), porter = await connect('porter', 'p5', two)
  const offered = next(porter, 'job:offer'), closed = next(porter, 'job:offer:closed')
  await pulse.sql(offer, [id, ['p5'], '300 ms'])
  const [{ offerId }] = await offered
  assert.deepEqual((await closed)[0], { offerId, status: 'expired', won: false })
  for (const event of ['job:offer:accept', 'job:offer:reject']) {
    const { error } = await porter.emitWithAck(event, { offerId })
    assert.equal(error.code, 'conflict')
    assert.ok(error.hint)
  }
  assert.equal((await porter.emitWithAck('job:offer:accept', { offerId: 'none' })).error.code, 'forbidden')
  assert.deepEqual(await porter.emitWithAck('porter:availability', { available: true }), { ok: true })
})

test('M5: chat reaches both sides, the sender too; sent again it is the same', async () => {
  const id = await order('ida', 'sam')
  const customer = await connect('client', 'ida'), porter = await connect('porter', 'sam', two)
  for (const socket of [customer, porter]) await subscribed(socket, id)
  const both = [customer, porter].map(socket => gather(socket, 'chat:message'))
  const { ok, messageId } = await customer.emitWithAck('chat:message:send', { orderId: id, message: 'Wo "bist" du? 🚚', clientMessageId: 'c1' })
  assert.equal(ok, true)
  assert.deepEqual(await customer.emitWithAck('chat:message:send', { orderId: id, message: 'Wo "bist" du? 🚚', clientMessageId: 'c1' }), { ok, messageId })
  await porter.emitWithAck('chat:message:send', { orderId: id, message: 'gleich' })
  for (const heard of both) {
    await heard.atLeast(2)
    const [{ createdAt, ...payload }] = heard.items[0]
    assert.deepEqual(payload, { orderId: id, messageId, from: 'ida', role: 'customer', message: 'Wo "bist" du? 🚚' })
    assert.match(createdAt, /Z$/)
    assert.deepEqual(heard.items.map(([{ message }]) => message), ['Wo "bist" du? 🚚', 'gleich'])
  }
})

test('M5: what is said to somebody offline is there when they come back: once, whether the session goes on or is a new one', async () => {
  const id = await order('jan', 'tom')
  const porter = await connect('porter', 'tom', two), said = message => porter.emitWithAck('chat:message:send', { orderId: id, message })
  const first = await connect('client', 'jan')
  await subscribed(first, id)
  const texts = heard => heard.items.map(([{ message }]) => message)
  const heard = gather(first, 'chat:message'), lost = next(first, 'disconnect')
  first.io.engine.transport.ws.terminate()
  await lost
  await until(() => pulse.value(`SELECT count(*) = 0 FROM pulse.sessions('jan') WHERE ended_at IS NULL`), { what: 'the end of the session' })
  await said('while the phone is in a tunnel')
  first.connect()
  await next(first, 'connect')
  assert.equal(first.recovered, true)
  await subscribed(first, id)
  await said('back')
  await heard.atLeast(2)
  await fence('user:jan', first)
  assert.deepEqual(texts(heard), ['while the phone is in a tunnel', 'back'])
  first.disconnect()
  await until(() => pulse.value(`SELECT count(*) = 0 FROM pulse.sessions('jan') WHERE ended_at IS NULL`), { what: 'the end of the session' })
  await said('good night')
  await said('good morning')
  await fence('user:tom', porter)   // both have their place in the order of events: what has not may come both ways
  const second = await connect('client', 'jan', two), later = gather(second, 'chat:message')
  await subscribed(second, id)
  await later.atLeast(2)
  await fence('user:jan', second)
  assert.deepEqual(texts(later), ['good night', 'good morning'])
})
