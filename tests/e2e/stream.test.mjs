// Event streams on paths of the application's own: pulse.stream and what the bridge makes of it (C3, D4).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { poll, sse, startPoll } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms', 'listeners')
})
after(() => pulse?.stop())

const ann = { userId: 'ann' }
async function publish(room, number, event = 'order:changed') {
  const id = await pulse.value(`SELECT pulse.publish($1, $2, to_json($3::int))`, [room, event, number])
  await until(() => pulse.value('SELECT EXISTS (SELECT FROM pulse.deliveries WHERE event_id = $1)', [id]), { what: 'the dispatch' })
}
const get = (path, headers = {}, base = pulse.bridge.url) => fetch(base + path, { headers })
const bearer = { authorization: `Bearer ${token(ann)}` }

test('C3: the function is told of the request, says what is sent first, and which events follow', async () => {
  const stream = await sse(pulse.bridge, ann, { a: ['1', '2'], b: 'ä b' }, { path: '/api/orders/7/stream', headers: { 'x-agent': 'tests' } })
  const { data } = await stream.wait(({ name }) => name === 'request')
  assert.deepEqual(data, { user: 'ann', as: 'pulse_client', query: { a: '2', b: 'ä b' }, method: 'GET', agent: 'tests', secret: null, last: null })
  await publish('order:7', 1, 'other')
  await publish('order:8', 2)
  await publish('order:7', 3)
  await stream.wait(({ name }) => name === 'order:changed')
  assert.deepEqual(stream.named('order:changed'), [3])
  assert.deepEqual(stream.named('other'), [])
  assert.equal(await pulse.bridge.metric('realtime_sse_streams', { stream: '/api/orders/{id}/stream' }), 1)
  await stream.close()
  await publish('order:7', 4)
  const back = await sse(pulse.bridge, ann, {}, { path: '/api/orders/7/stream', headers: { 'last-event-id': stream.lastEventId } })
  await publish('order:7', 5)
  await back.wait(({ data }) => data === 5)
  assert.deepEqual(back.named('order:changed'), [4, 5])
  assert.equal((await back.wait(({ name }) => name === 'request')).data.last, stream.lastEventId)
  await back.close()
  const lost = await sse(pulse.bridge, ann, {}, { path: '/api/orders/7/stream', headers: { 'last-event-id': `0123456789abcdef:1` } })
  assert.equal((await lost.wait(({ name }) => name === 'must-refetch')).data.reason, 'foreign_epoch')
  await lost.close()
})

test('C3: refusals have the status of their code, in one form', async () => {
  const refusals = [['/api/orders/7/stream', {}, 401, 'unauthenticated'], ['/api/orders/7/stream', { authorization: 'Bearer a.b.c' }, 401, 'unauthenticated'],
    ['/api/orders/secret/stream', bearer, 403, 'forbidden'], ['/api/orders/none/stream', bearer, 404, 'not_found'], ['/api/nothing', bearer, 404, 'not_found'],
    ['/', {}, 404, 'not_found'], ['/api/orders/crash/stream', bearer, 500, 'internal'], ['/%ff', bearer, 400, 'bad_request'], ['/internal/orders/7/stream', bearer, 404, 'not_found']]
  for (const [path, headers, status, code] of refusals) {
    const answer = await get(path, headers)
    const body = await answer.text()
    assert.deepEqual([answer.status, JSON.parse(body).error.code], [status, code], path)
    assert.doesNotMatch(body, /secret plan/)
  }
  const post = await fetch(`${pulse.bridge.url}/api/orders/7/stream`, { method: 'POST', headers: bearer, body: '{}' })
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, OPTIONS'])
})

test('C3: auth none and internal', async () => {
  const open = await sse(pulse.bridge, undefined, {}, { path: '/api/open/9/stream' })
  assert.equal((await open.wait(({ name }) => name === 'request')).data.user, null)
  await open.close()
  const internal = pulse.bridge.internalUrl
  assert.equal((await get('/internal/orders/7/stream', {}, internal)).status, 401)
  const stream = await sse({ url: internal }, undefined, {}, { path: '/internal/orders/7/stream', headers: { 'x-internal-token': 'internal-token-of-tests' } })
  await publish('order:7', 6)
  await stream.wait(({ data }) => data === 6)
  await stream.close()
})

test('S1: requests whose functions take long hold up no handler', async () => {
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(4711)')
  const answers = Array.from({ length: 12 }, () => get('/api/locked/stream', bearer))
  let answered = 0
  for (const answer of answers) answer.then(() => answered++)
  await until(() => pulse.value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'bridge'`), { what: 'a waiting request' })
  const socket = await pulse.io(ann)
  for (let n = 0; n < 5; n++) assert.equal(await socket.emitWithAck('echo', n), n)
  assert.equal(answered, 0)
  await keeper.end()
  for (const answer of answers) {
    const { status, body } = await answer
    assert.equal(status, 200)
    await body.cancel()
  }
})

test('D4: while PostgreSQL is away streams and polls stay, new ones are refused within a second, and nothing is lost', async () => {
  const stream = await sse(pulse.bridge, ann, { room: 'open:away' })
  const { body: { cursor } } = await poll(pulse.bridge, ann, { room: 'open:away' })
  const parked = startPoll(pulse.bridge, ann, { room: 'open:away', cursor, timeout: 60 })
  await until(async () => await pulse.bridge.metric('pulse_bridge_polls_waiting') === 1, { what: 'the parked poll' })
  await pulse.cluster.stop()
  for (const path of ['/sse?room=open:away', `/poll?room=open:away&cursor=${cursor}`, '/api/orders/7/stream']) {
    await until(async () => {
      const began = performance.now()
      const answer = await get(path, bearer)
      const took = performance.now() - began
      assert.equal(answer.status, 503)
      assert.equal((await answer.json()).error.code, 'unavailable')
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
      return took < 1000
    }, { what: `${path} refused within a second` })
  }
  assert.equal(stream.over, false)
  await pulse.cluster.start()
  await pulse.bridge.ready()
  await until(() => pulse.sql('SELECT 1'), { what: 'SQL' })
  await publish('open:away', 1, 'n')
  await stream.wait(({ data }) => data === 1)
  assert.deepEqual((await parked.answered).body.events.map(({ args }) => args[0]), [1])
  await stream.close()
})
