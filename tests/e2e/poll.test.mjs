// GET /poll as docs/reference/poll.md tells it (M1, E2, E5, E7, S1, D4).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connections, poll, startPoll } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, other
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  other = pulse.bridges[1]
  await pulse.load('rooms', 'listeners')
})
after(() => pulse?.stop())

const ann = { userId: 'ann' }
const publish = (room, number, event = 'n') => dispatched(`SELECT pulse.publish($1, $2, to_json($3::int))`, [room, event, number])
const dispatched = (statement, parameters) => pulse.dispatched(statement, parameters)
const start = async (room, bridge = pulse.bridge) => (await poll(bridge, ann, { room })).body.cursor
const waiting = (bridge, n) => until(async () => await bridge.metric('pulse_bridge_polls_waiting') === n, { what: `${n} waiting polls` })
const numbers = ({ body }) => body.events.map(({ args }) => args[0])

test('M1: a cursor to start from, events as the native protocol has them, and the next cursor', async () => {
  const begin = await poll(pulse.bridge, ann, { room: 'open:a' })
  assert.equal(begin.status, 200)
  assert.deepEqual(begin.body.events, [])
  await dispatched(`SELECT pulse.publish('open:a', 'photo', '{"is":{"_placeholder":true,"num":0}}', attachments => ARRAY['\\x6162'::bytea])`)
  const one = await poll(pulse.bridge, ann, { room: ['open:a', 'open:b'], cursor: begin.body.cursor })
  assert.equal(one.status, 200)
  const [{ position, ...event }] = one.body.events
  assert.deepEqual(event, { event: 'photo', args: [{ is: { _placeholder: true, num: 0 } }], room: 'open:a', attachments: ['YWI='] })
  assert.match(position, /^[0-9a-f]{16}:\d+$/)
  assert.equal(one.headers['cache-control'], 'no-store')
  const parked = startPoll(pulse.bridge, ann, { room: 'open:a', cursor: one.body.cursor })
  await waiting(pulse.bridge, 1)
  await publish('open:a', 2)
  assert.deepEqual(numbers(await parked.answered), [2])
})

test('M1: nothing within the timeout: 204 and a cursor that misses nothing', async () => {
  const cursor = await start('open:quiet')
  await publish('open:elsewhere', 1)
  const { status, body, headers } = await poll(pulse.bridge, ann, { room: 'open:quiet', cursor, timeout: 0 })
  assert.equal(status, 204)
  assert.equal(body, undefined)
  for (const next of [headers['pulse-cursor'], cursor]) {
    await publish('open:quiet', 7)
    assert.equal(numbers(await poll(pulse.bridge, ann, { room: 'open:quiet', cursor: next })).at(-1), 7)
  }
})

test('E2: each event once and in order, whichever bridge a poll comes to, while they are published', async () => {
  const room = 'open:order'
  let cursor = await start(room)
  const publishing = (async () => { for (let n = 1; n <= 60; n++) await pulse.sql(`SELECT pulse.publish('${room}', 'n', to_json($1::int))`, [n]) })()
  const seen = []
  for (let turn = 0; seen.length < 60; turn++) {
    const { status, body, headers } = await poll(pulse.bridges[turn % 2], ann, { room, cursor, timeout: 2 })
    assert.ok([200, 204].includes(status), `status ${status}`)
    seen.push(...(body?.events ?? []).map(({ args }) => args[0]))
    cursor = body?.cursor ?? headers['pulse-cursor']
  }
  await publishing
  assert.deepEqual(seen, Array.from({ length: 60 }, (_, n) => n + 1))
})

test('M1: a long absence comes in parts, however much it is', async () => {
  const room = 'open:long'
  let cursor = await start(room, other)
  await dispatched(`SELECT max(pulse.publish('${room}', 'n', to_json(n))) FROM generate_series(1, 2500) n`)
  const fresh = await pulse.addBridge({ PULSE_RECOVERY_MAX_EVENTS: '50' })   // has nothing of it in memory
  const seen = []
  for (const bridge of [other, fresh]) {
    let at = cursor
    const got = [], sizes = []
    while (got.length < 2500) {
      const { body } = await poll(bridge, ann, { room, cursor: at })
      got.push(...body.events.map(({ args }) => args[0]))
      sizes.push(body.events.length)
      at = body.cursor
    }
    assert.ok(Math.max(...sizes) <= 1000)
    seen.push(got)
  }
  for (const got of seen) assert.deepEqual(got, Array.from({ length: 2500 }, (_, n) => n + 1))
})

test('E7: what cannot be given is a 410 with the reason and a cursor from now on', async () => {
  const room = 'open:matrix'
  const cursor = await start(room)
  const [epoch, at] = cursor.split(':')
  const refused = async (wrong, reason) => {
    const { status, body } = await poll(pulse.bridge, ann, { room, cursor: wrong })
    assert.deepEqual([status, body.error.code, body.error.reason], [410, 'must_refetch', reason])
    assert.equal((await poll(pulse.bridge, ann, { room, cursor: body.cursor, timeout: 0 })).status, 204)
  }
  await publish(room, 1)
  await refused('no cursor', 'unknown')
  await refused(`${epoch}:${BigInt(at) + 1000n}`, 'future')
  await refused(`0123456789abcdef:${at}`, 'foreign_epoch')
  await pulse.sql(`SELECT pulse.evict('${room}', 'ann', 'a test')`)
  await until(async () => (await poll(pulse.bridge, ann, { room, cursor })).body.error?.reason === 'evicted', { what: 'evicted' })
})

test('S1: refusals: tokens, rooms, rights gone meanwhile, no right to the past', async () => {
  const refusals = [[undefined, { room: 'open:a' }, 401], [token({ userId: 'ann', exp: 1 }), { room: 'open:a' }, 401], [ann, {}, 422],
    [ann, { room: 'open:a', timeout: '61' }, 422], [ann, { room: 'open:a', timeout: 'x' }, 422], [ann, { room: 'named:bob' }, 403]]
  for (const [who, parameters, status] of refusals) assert.equal((await poll(pulse.bridge, who, parameters)).status, status, JSON.stringify(parameters))
  const member = await start('live:a')  // a room with a policy for join only
  assert.equal((await poll(pulse.bridge, ann, { room: 'live:a', cursor: member, timeout: '1' })).status, 204, 'a member goes on')
  assert.equal((await poll(pulse.bridge, { userId: 'eve' }, { room: 'live:a', cursor: member })).body.error.code, 'forbidden', 'who was none does not')
  await pulse.sql(`INSERT INTO app.doors VALUES ('front', true)`)
  const cursor = await start('door:front')
  const parked = startPoll(pulse.bridge, ann, { room: 'door:front', cursor })
  await waiting(pulse.bridge, 1)
  await pulse.sql(`UPDATE app.doors SET open = false`)
  await pulse.sql(`SELECT pulse.evict('door:front', 'ann', 'closed')`)
  assert.deepEqual((await parked.answered).body.events.map(({ event, args }) => [event, args[0]]), [['room:evicted', { room: 'door:front', reason: 'closed' }]])
  assert.equal((await poll(pulse.bridge, ann, { room: 'door:front', cursor })).status, 403)
})

test('E5: a token that expires or is revoked ends a parked poll with 401', async () => {
  const cursor = await start('open:t')
  const revoked = startPoll(pulse.bridge, { userId: 'rita' }, { room: 'open:t', cursor })
  await waiting(pulse.bridge, 1)
  await pulse.sql(`SELECT pulse.revoke(user_id => 'rita')`)
  assert.equal((await revoked.answered).status, 401)
  await until(async () => {   // until one was parked before its token expired
    const short = startPoll(pulse.bridge, token({ userId: 'short', exp: Math.floor(Date.now() / 1000) + 3 }), { room: 'open:t', cursor })
    const first = await Promise.race([short.answered, until(async () => await pulse.bridge.metric('pulse_bridge_polls_waiting') === 1).then(() => 'parked')])
    assert.equal((await short.answered).status, 401)
    return first === 'parked'
  }, { what: 'a token that expires meanwhile' })
})

test('M1: concurrent polls for the same share queries of the log', async () => {
  const room = 'open:shared'
  const cursor = await start(room)
  await dispatched(`SELECT max(pulse.publish('${room}', 'n', to_json(n))) FROM generate_series(1, 20) n`)
  const fresh = await pulse.addBridge()   // has nothing of it in memory
  // They come while nobody can read the log, else a quick bridge has answered one before the next is there.
  const keeper = await pulse.cluster.connect()
  await keeper.query('BEGIN; LOCK TABLE pulse.deliveries IN ACCESS EXCLUSIVE MODE')
  const answers = Array.from({ length: 200 }, () => poll(fresh, ann, { room, cursor }))
  await until(async () => (await connections(fresh)).poll === 200, { what: 'all of them' })
  await keeper.query('ROLLBACK')
  await keeper.end()
  for (const answer of answers) assert.equal(numbers(await answer).length, 20)
  const queries = await fresh.metric('pulse_history_queries_total')
  assert.ok(queries >= 1 && queries <= 40, `${queries} queries for 200 polls`)
})

test('M1: parked polls that clients close are noticed and cost nothing', async () => {
  const bridge = await pulse.addBridge()
  const cursor = await start('open:gone', bridge)
  const parked = Array.from({ length: 50 }, () => startPoll(bridge, ann, { room: 'open:gone', cursor, timeout: 60 }))
  await waiting(bridge, 50)
  assert.equal((await connections(bridge)).poll, 50)
  for (const { request } of parked) request.destroy()
  await until(async () => (await connections(bridge)).poll === 0, { what: 'all gone' })
  assert.equal(await bridge.metric('pulse_bridge_polls_waiting'), 0)
})

test('D4: a drained bridge answers its parked polls, and they go on elsewhere', async () => {
  const bridge = await pulse.addBridge()
  const cursor = await start('open:drain', bridge)
  const parked = startPoll(bridge, ann, { room: 'open:drain', cursor, timeout: 60 })
  await waiting(bridge, 1)
  await bridge.stop()
  assert.equal((await parked.answered).status, 204)
  await publish('open:drain', 4)
  assert.deepEqual(numbers(await poll(pulse.bridge, ann, { room: 'open:drain', cursor })), [4])
})

test('E5: a page of another origin may read answers and the cursor of an empty one', async () => {
  const bridge = await pulse.addBridge({ PULSE_CORS_ORIGIN: 'https://app.example' })
  const cursor = await start('open:cors', bridge)
  const answer = await poll(bridge, ann, { room: 'open:cors', cursor, timeout: 0 }, { headers: { origin: 'https://app.example' } })
  assert.equal(answer.status, 204)
  assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example')
  assert.match(answer.headers['access-control-expose-headers'], /pulse-cursor/i)
})
