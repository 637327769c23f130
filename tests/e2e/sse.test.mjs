// GET /sse as docs/reference/sse.md tells it, read by the rules of the standard, by npm's eventsource and by curl (M1, E2, E5, E7, S1).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { EventSource } from 'eventsource'
import { connections, sse } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, other
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_RECOVERY_MAX_EVENTS: '50' } })
  other = pulse.bridges[1]
  await pulse.load('rooms', 'listeners')
})
after(() => pulse?.stop())

const ann = { userId: 'ann' }
const publish = (room, number, event = 'n') => dispatched(`SELECT pulse.publish($1, $2, to_json($3::int))`, [room, event, number])
const dispatched = (statement, parameters) => pulse.dispatched(statement, parameters)
const numbers = stream => stream.named('n')

test('M1: head, first block, events with id, name and payload, one of several rooms', async () => {
  const stream = await sse(pulse.bridge, ann, { room: ['open:a', 'open:b'], rooms: 'open:c,open:a' })
  assert.match(stream.headers['content-type'], /^text\/event-stream/)
  assert.equal(stream.headers['cache-control'], 'no-store')
  assert.equal(stream.headers['x-accel-buffering'], 'no')
  assert.equal(stream.headers['content-length'], undefined)
  assert.equal(stream.retry, 3000)
  assert.match(stream.lastEventId, /^[0-9a-f]{16}:\d+$/)
  await dispatched(`SELECT pulse.publish(ARRAY['open:a', 'open:b', 'open:c'], 'order:update', '{"b":1,"a":"ä\\n"}')`)
  await publish('open:c', 2)
  await stream.wait(({ name }) => name === 'n')
  assert.deepEqual(stream.events.map(({ name, data }) => [name, data]), [['order:update', { b: 1, a: 'ä\n' }], ['n', 2]])
  assert.equal(stream.lastEventId, stream.events[1].id)
  await stream.close()
})

test('M1: only the events that are asked for', async () => {
  const [few, all] = [await sse(pulse.bridge, ann, { room: 'open:f', event: ['x', 'y'] }), await sse(pulse.bridge, ann, { room: 'open:f' })]
  for (const event of ['x', 'z', 'y']) await publish('open:f', 1, event)
  await all.wait(({ name }) => name === 'y')
  await few.wait(({ name }) => name === 'y')
  assert.deepEqual(few.events.map(({ name }) => name), ['x', 'y'])
  assert.deepEqual(all.events.map(({ name }) => name), ['x', 'z', 'y'])
  await Promise.all([few.close(), all.close()])
})

test('E5: the token by header, query or cookie; refusals have a status and a body before anything is streamed', async () => {
  const ways = [[ann, {}, {}], [undefined, { token: token(ann) }, {}], [undefined, {}, { cookie: `a=b; pulse_token=${token(ann)}` }]]
  for (const [who, parameters, headers] of ways) {
    const stream = await sse(pulse.bridge, who, { room: 'named:ann', ...parameters }, { headers })
    assert.equal(stream.status, 200)
    await stream.close()
  }
  const refusals = [[undefined, { room: 'open:a' }, 401, 'unauthenticated'], ['a.b.c', { room: 'open:a' }, 401, 'unauthenticated'],
    [token({ userId: 'ann', exp: 1 }), { room: 'open:a' }, 401, 'unauthenticated'], [ann, {}, 422, 'invalid'], [ann, { room: 'x'.repeat(256) }, 422, 'invalid'],
    [ann, { room: ['open:a', 'named:bob'] }, 403, 'forbidden'], [ann, { room: 'broken:1' }, 403, 'forbidden'], [ann, { room: 'pulse:system' }, 403, 'forbidden']]
  for (const [who, parameters, status, code] of refusals) {
    const { status: got, body, headers } = await sse(pulse.bridge, who, parameters)
    assert.deepEqual([got, body.error.code], [status, code], JSON.stringify(parameters))
    assert.match(headers['content-type'], /json/)
    assert.doesNotMatch(JSON.stringify(body), /secret plan/)
  }
  const post = await fetch(`${pulse.bridge.url}/sse?room=open:a`, { method: 'POST', headers: { authorization: `Bearer ${token(ann)}` } })
  assert.equal(post.status, 405)
})

test('E2: a stream that is cut goes on at its last event, on either bridge, and with no event seen at its first block', async () => {
  for (const [n, bridge] of [pulse.bridge, other].entries()) {
    const room = `open:resume${n}`
    const stream = await sse(pulse.bridge, ann, { room })
    const first = stream.lastEventId
    await publish(room, 1)
    await stream.wait(({ data }) => data === 1)
    await stream.close()
    for (const number of [2, 3]) await publish(room, number)
    const back = await sse(bridge, ann, { room }, { headers: { 'last-event-id': stream.lastEventId } })
    await back.wait(({ data }) => data === 3)
    await publish(room, 4)
    await back.wait(({ data }) => data === 4)
    assert.deepEqual(numbers(back), [2, 3, 4])
    const zero = await sse(bridge, ann, { room, lastEventId: first })
    await zero.wait(({ data }) => data === 4)
    assert.deepEqual(numbers(zero), [1, 2, 3, 4])
    const query = await sse(bridge, ann, { room, last_event_id: first, event: 'nothing' }, { headers: { 'last-event-id': back.lastEventId } })
    await publish(room, 5, 'nothing')
    await query.wait(({ data }) => data === 5)
    assert.deepEqual(query.events.map(({ data }) => data), [5], 'the header wins')
    await Promise.all([back.close(), zero.close(), query.close()])
  }
})

test('E7: what cannot be given is said with its reason, and the stream is live', async () => {
  const room = 'open:matrix'
  const stream = await sse(pulse.bridge, ann, { room })
  const [epoch, at] = stream.lastEventId.split(':')
  await stream.close()
  const refused = async (cursor, reason, wanted = room) => {
    const back = await sse(pulse.bridge, ann, { room: wanted }, { headers: { 'last-event-id': cursor } })
    const { data, id } = await back.wait(({ name }) => name === 'must-refetch')
    assert.equal(data.reason, reason)
    assert.equal(data.position, id)
    await publish(wanted, 7)
    await back.wait(({ data }) => data === 7)
    assert.deepEqual(back.events.map(({ name }) => name), ['must-refetch', 'n'], 'nothing of before, not even a part')
    await back.close()
  }
  await publish(room, 1)
  await refused('no cursor', 'unknown')
  await refused(`${epoch}:${BigInt(at) + 1000n}`, 'future')
  await refused(`0123456789abcdef:${at}`, 'foreign_epoch')
  await refused(`${epoch}:${at}`, 'forbidden', 'live:nohistory')
  await dispatched(`SELECT max(pulse.publish('${room}', 'n', to_json(n))) FROM generate_series(1, 60) n`)
  await refused(`${epoch}:${at}`, 'too_much')
  await pulse.sql(`SELECT pulse.evict('${room}', 'ann', 'a test')`)
  await until(() => pulse.value(`SELECT NOT EXISTS (SELECT FROM pulse.events e WHERE NOT EXISTS (SELECT FROM pulse.deliveries d WHERE d.event_id = e.id))`), { what: 'all dispatched' })
  await refused(`${epoch}:${at}`, 'evicted')
})

test('S1: rights that are gone meanwhile: 403; out of every room, the stream says so and ends', async () => {
  await pulse.sql(`INSERT INTO app.doors VALUES ('front', true)`)
  const stream = await sse(pulse.bridge, ann, { room: ['door:front', 'open:garden'] })
  await pulse.sql(`SELECT pulse.evict('door:front', 'ann', 'closed')`)
  assert.deepEqual((await stream.wait(({ name }) => name === 'room:evicted')).data, { room: 'door:front', reason: 'closed' })
  assert.equal(stream.over, false)
  await publish('open:garden', 3)
  await stream.wait(({ data }) => data === 3)
  await pulse.sql(`SELECT pulse.evict('open:garden', 'ann', 'closed')`)
  assert.equal((await stream.wait(({ name }) => name === 'error')).data.code, 'forbidden')
  await stream.ended
  await pulse.sql(`UPDATE app.doors SET open = false`)
  assert.equal((await sse(pulse.bridge, ann, { room: 'door:front' }, { headers: { 'last-event-id': stream.lastEventId } })).status, 403)
})

test('E5: an expired and a revoked token end the stream with an error, and are refused then', async () => {
  const revoked = await sse(other, { userId: 'rita' }, { room: 'open:t' })
  let short
  const expiring = await until(async () => {   // the first may have expired before it is shown
    short = token({ userId: 'short', exp: Math.floor(Date.now() / 1000) + 2 })
    const stream = await sse(pulse.bridge, short, { room: 'open:t' })
    return stream.status === 200 && stream
  }, { what: 'a stream' })
  await pulse.sql(`SELECT pulse.revoke(user_id => 'rita')`)
  for (const stream of [expiring, revoked]) {
    assert.equal((await stream.wait(({ name }) => name === 'error')).data.code, 'unauthenticated')
    await stream.ended
  }
  assert.equal((await sse(pulse.bridge, short, { room: 'open:t' })).status, 401)
})

test('M1: heartbeats are comments that take the cursor along', async () => {
  const bridge = await pulse.addBridge({ PULSE_PING_INTERVAL: '100ms' })
  const stream = await sse(bridge, ann, { room: 'open:quiet' })
  const began = stream.lastEventId
  await publish('open:elsewhere', 1)
  await until(() => stream.comments.length >= 3 && stream.lastEventId !== began, { what: 'a heartbeat with a later cursor' })
  assert.deepEqual(stream.events, [])
  await stream.close()
})

test('M1: npm eventsource: named events, and it goes on by itself after the bridge was replaced', async () => {
  const bridge = await pulse.addBridge({ PULSE_SSE_RETRY: '100ms' })
  const source = new EventSource(`${bridge.url}/sse?room=open:es&token=${token(ann)}`)
  const seen = []
  source.addEventListener('n', ({ data, lastEventId }) => seen.push([JSON.parse(data), lastEventId]))
  await until(() => source.readyState === EventSource.OPEN, { what: 'open' })
  await publish('open:es', 1)
  await until(() => seen.length === 1, { what: 'event 1' })
  await bridge.stop()
  await publish('open:es', 2)
  await bridge.restart()
  await publish('open:es', 3)
  await until(() => seen.length >= 3, { what: 'events 2 and 3' })
  assert.deepEqual(seen.map(([data]) => data), [1, 2, 3])
  source.close()
})

test('M1: curl', async () => {
  const curl = spawn('curl', ['-sN', '-H', `Authorization: Bearer ${token(ann)}`, `${pulse.bridge.url}/sse?room=open:curl`])
  let text = ''
  curl.stdout.on('data', chunk => { text += chunk })
  await until(() => text.includes('retry: 3000\nid: '), { what: 'the first block' })
  await publish('open:curl', 5)
  await until(() => /\nid: [0-9a-f]{16}:\d+\nevent: n\ndata: 5\n\n/.test(text), { what: 'the event' })
  curl.kill()
})

test('M10: a client that does not read is let go, others go on, and it may come back for what it missed', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '300000' })
  const [slow, quick] = [await sse(bridge, ann, { room: 'open:flood' }), await sse(bridge, ann, { room: 'open:flood' })]
  slow.response.pause()
  const before = await bridge.metric('pulse_bridge_slow_consumers_total') ?? 0
  let sent = 0
  await until(async () => {
    await dispatched(`SELECT pulse.publish('open:flood', 'big', to_json(repeat('x', 100000)))`)
    sent++
    await until(() => quick.events.length === sent, { what: `event ${sent} at the quick one` })
    return await bridge.metric('pulse_bridge_slow_consumers_total') > before
  }, { what: 'the slow one being let go', every: 0 })
  await publish('open:flood', 1)
  await quick.wait(({ data }) => data === 1)
  slow.response.resume()
  await slow.ended
  assert.equal(quick.over, false)
  await quick.close()
})

test('M1: /health and the metrics count streams; those that clients close are noticed', async () => {
  const bridge = await pulse.addBridge()
  const streams = await Promise.all(Array.from({ length: 20 }, () => sse(bridge, ann, { room: 'open:count' })))
  assert.equal((await connections(bridge)).sse, 20)
  assert.equal(await bridge.metric('realtime_sse_streams', { stream: '/sse' }), 20)
  await publish('open:count', 1)
  await Promise.all(streams.map(stream => stream.wait(({ data }) => data === 1)))
  assert.equal(await bridge.metric('realtime_sse_messages_total', { stream: '/sse' }), 20)
  assert.equal(await bridge.metric('realtime_sse_message_bytes_count'), 1, 'encoded once')
  await Promise.all(streams.map(stream => stream.close()))
  await until(async () => (await connections(bridge)).sse === 0, { what: 'all gone' })
  assert.equal(await bridge.metric('realtime_sse_streams', { stream: '/sse' }), 0)
})

test('D4: a drained bridge ends its streams, and they go on elsewhere', async () => {
  const bridge = await pulse.addBridge()
  const stream = await sse(bridge, ann, { room: 'open:drain' })
  await publish('open:drain', 1)
  await stream.wait(({ data }) => data === 1)
  await bridge.stop()
  await stream.ended
  await publish('open:drain', 2)
  const back = await sse(pulse.bridge, ann, { room: 'open:drain' }, { headers: { 'last-event-id': stream.lastEventId } })
  await back.wait(({ data }) => data === 2)
  assert.deepEqual(numbers(back), [2])
  await back.close()
})
