// M7: rate limits of SQL, counted in shared memory: the same over all bridges, whatever becomes of a bridge.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms')
  // Long windows: no test waits for one to end, unless it is about that.
  await pulse.sql(`SELECT pulse.limit('general', 100, '1 hour'), pulse.limit('chat', 3, '1 hour'), pulse.limit('short', 2, '1500 ms')`)
  await pulse.sql(`SELECT pulse.limit_event('*', 'general', '/client'), pulse.limit_event('chat', 'chat', '/client'), pulse.limit_event('short', 'short', '/client')`)
  await pulse.sql(`CREATE FUNCTION app.client(claims json) RETURNS json LANGUAGE sql RETURN NULL::json`)
  await pulse.sql(`SELECT pulse.namespace('/client', 'app.client'), pulse.on(event, 'app.echo', '/client') FROM unnest(ARRAY['echo', 'chat', 'short']) AS event`)
  await pulse.sql(`SELECT pulse.on('crash', 'app.crash', '/client')`)
})
after(() => pulse?.stop())

const client = (userId, n = 0) => pulse.io({ userId }, { bridge: pulse.bridges[n], namespace: '/client' })
const limited = async () => {
  const counts = await Promise.all(pulse.bridges.map(bridge => bridge.metric('realtime_rate_limited_total', { class: 'general' })))
  return counts.reduce((sum, count) => sum + (count ?? 0), 0)
}
// Emits with ack one after the other on each socket, all sockets at once, and gives every answer.
async function burst(sockets, event, count) {
  const answers = await Promise.all(sockets.map(async socket => {
    const own = []
    for (let n = 0; n < count; n++) own.push(await socket.emitWithAck(event, n))
    return own
  }))
  return answers.flat()
}
const passed = answers => answers.filter(answer => typeof answer === 'number').length

test('M7: of 200 events of a user over two bridges in one window with a limit of 100 exactly 100 pass', async () => {
  const sockets = await Promise.all([0, 1, 0, 1].map(n => client('ann', n)))
  const before = await limited()
  const answers = await burst(sockets, 'echo', 50)
  assert.equal(passed(answers), 100)
  const refused = answers.filter(answer => typeof answer !== 'number')
  assert.equal(refused.length, 100)
  for (const { error } of refused) {
    assert.equal(error.code, 'rate_limited')
    assert.equal(error.class, 'general')
    assert.ok(Number.isInteger(error.retryAfter) && error.retryAfter >= 1 && error.retryAfter <= 3600, error.retryAfter)
    assert.ok(error.correlationId)
  }
  assert.equal(await limited() - before, 100, 'realtime_rate_limited_total')
  assert.ok(sockets.every(socket => socket.connected), 'nobody is disconnected')
  assert.equal(passed(await burst([await client('bob')], 'echo', 5)), 5, 'another user has a limit of their own')
})

test('M7: without an ack it is an event `error` with code, event, class and retryAfter; the native protocol says the same', async () => {
  const socket = await client('carl')
  const errors = gather(socket, 'error')
  for (let n = 0; n < 5; n++) socket.emit('chat', n)
  const [[error]] = await errors.atLeast(2)
  assert.deepEqual({ ...error, retryAfter: 0, correlationId: '', message: '' },
    { code: 'rate_limited', message: '', event: 'chat', correlationId: '', retryAfter: 0, class: 'chat' })
  assert.ok(error.retryAfter >= 1 && error.retryAfter <= 3600)
  assert.equal(errors.items.length, 2)
  assert.equal(await socket.emitWithAck('echo', 1), 1, 'it goes on with other events')

  await pulse.sql(`SELECT pulse.limit_event('echo', 'chat', '/')`)
  const native = await pulse.ws({ userId: 'dora' })
  for (let n = 0; n < 4; n++) native.send(JSON.stringify({ type: 'emit', event: 'echo', args: [n] }))
  const message = await until(() => native.frames.items.map(([data]) => JSON.parse(data)).find(({ type }) => type === 'error'))
  assert.equal(message.code, 'rate_limited')
  assert.equal(message.class, 'chat')
  assert.equal(message.event, 'echo')
  assert.ok(message.retryAfter >= 1)
  await pulse.sql(`SELECT pulse.drop_limit_event('echo', '/')`)
})

test('M7: a bridge that is killed and started again in between keeps the count', async () => {
  assert.equal(passed(await burst([await client('eve', 1)], 'echo', 60)), 60)
  await pulse.bridges[1].kill()
  await pulse.bridges[1].restart()
  assert.equal(passed(await burst([await client('eve', 1)], 'echo', 60)), 40)
  assert.equal(passed(await burst([await client('eve', 0)], 'echo', 5)), 0, 'and on the other bridge')
})

test('M7: the window ends by itself, and retryAfter is its rest in whole seconds', async () => {
  const socket = await client('fred')
  const { error } = await until(async () => { const answer = await socket.emitWithAck('short', 1); return answer.error && answer })
  assert.ok(error.retryAfter === 1 || error.retryAfter === 2, error.retryAfter)
  await until(async () => typeof await socket.emitWithAck('short', 1) === 'number', { what: 'the end of the window' })
})

test('M7: a handler that fails has taken its point; a changed class counts at once on both bridges', async () => {
  const socket = await client('gus')
  for (let n = 0; n < 99; n++) await socket.emitWithAck('echo', n)
  assert.equal((await socket.emitWithAck('crash')).error.code, 'internal')
  assert.equal((await socket.emitWithAck('crash')).error.code, 'rate_limited')
  await pulse.sql(`SELECT pulse.limit('general', 101, '1 hour')`)
  assert.equal(passed(await burst([socket, await client('gus', 1)], 'echo', 2)), 1)
  await pulse.sql(`SELECT pulse.limit('general', 100, '1 hour')`)
})

test('M7: anonymous clients have a limit for each session', async () => {
  const bridge = await pulse.addBridge({ PULSE_ALLOW_ANONYMOUS: 'true' })
  const anonymous = () => pulse.io('', { bridge, namespace: '/client', auth: {} })
  const [first, second] = [await anonymous(), await anonymous()]
  assert.equal(passed(await burst([first], 'chat', 5)), 3)
  assert.equal(passed(await burst([second], 'chat', 5)), 3)
})

test('M7: when the table is full, new subjects are refused and counted, and those that have a bucket go on', async () => {
  await pulse.sql(`SELECT pulse.limit('tiny', 2, '1 hour')`)
  const counter = () => pulse.value(`SELECT (pulse.status() -> 'counters' ->> 'limitsFull')::int`)
  const capacity = Number(await pulse.value(`SHOW pulse.limit_buckets`))
  assert.equal(await pulse.value(`SELECT pulse.take('tiny', 'first')`), true)
  const taken = await pulse.value(`SELECT count(*)::int FROM generate_series(1, $1::int) AS n WHERE pulse.take('tiny', 'stranger ' || n)`, [2 * capacity])
  assert.ok(taken < capacity && taken > capacity * 0.9, taken)
  assert.equal(await counter(), 2 * capacity - taken)
  const newcomer = await client('newcomer')
  const { error } = await newcomer.emitWithAck('chat', 1)
  assert.equal(error.code, 'rate_limited')
  assert.ok(error.retryAfter >= 1)
  assert.equal(await pulse.value(`SELECT pulse.take('tiny', 'first')`), true)
  assert.equal(await pulse.value(`SELECT pulse.take('tiny', 'first')`), false)
})
