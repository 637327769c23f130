// An application made of SQL on the running system: rooms, policies, handlers, namespaces, without a restart (E3, issue row 8).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
})
after(() => pulse?.stop())

test('E3: a policy registered now decides the next join', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const refused = await socket.emitWithAck('room:join', { room: 'later:1' })
  assert.equal(refused.error.code, 'forbidden')
  await pulse.sql(`SELECT pulse.policy('later:{id}', 'join', 'app.allow')`)
  assert.equal((await socket.emitWithAck('room:join', { room: 'later:1' })).ok, true)
  await pulse.sql(`SELECT pulse.drop_policy('later:{id}', 'join')`)
  assert.equal((await socket.emitWithAck('room:join', { room: 'later:2' })).error.code, 'forbidden')
})

test('E3: policies see claims and the variables of the pattern; an error denies without telling why', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  assert.equal((await socket.emitWithAck('room:join', { room: 'named:ann' })).ok, true)
  for (const room of ['named:bob', 'broken:1', 'user:bob', 'nothing', 'open:a:b']) {
    const { error } = await socket.emitWithAck('room:join', { room })
    assert.equal(error?.code, 'forbidden', room)
    assert.ok(!JSON.stringify(error).includes('secret plan'), room)
  }
})

test('E3: every client is in its own user room from the start, in every namespace', async () => {
  await pulse.sql(`CREATE OR REPLACE FUNCTION app.connect_desk(claims json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      IF claims->>'role' IS DISTINCT FROM 'clerk' THEN PERFORM pulse.fail('forbidden', 'clerks only'); END IF;
      RETURN json_build_object('rooms', json_build_array('desk:all'), 'data', json_build_object());
    END $$`)
  const early = await pulse.io({ userId: 'ann', role: 'clerk' }, { namespace: '/desk' }).catch(error => error)
  assert.equal(early.message, 'Invalid namespace')
  await pulse.sql(`SELECT pulse.namespace('/desk', 'app.connect_desk')`)
  const clerk = await pulse.io({ userId: 'ann', role: 'clerk' }, { namespace: '/desk' })
  const plain = await pulse.io({ userId: 'ann' })
  const events = [next(clerk, 'hi'), next(plain, 'hi')]
  await pulse.sql(`SELECT pulse.publish('user:ann', 'hi', '1')`)
  await Promise.all(events)
  const all = next(clerk, 'all')
  await pulse.sql(`SELECT pulse.publish('desk:all', 'all', '1')`)
  await all
  const refused = await pulse.io({ userId: 'bob' }, { namespace: '/desk' }).catch(error => error)
  assert.equal(refused.message, 'clerks only')
  assert.equal(refused.data.code, 'forbidden')
})

test('design 6: handlers answer with acks, join rooms and reply, as pulse_client', async () => {
  const socket = await pulse.io({ userId: 'ann', role: 'nurse' })
  assert.deepEqual(await socket.emitWithAck('who'), { user: 'ann', role: 'nurse', as: 'pulse_client' })
  const welcome = next(socket, 'welcome')
  assert.deepEqual(await socket.emitWithAck('enter', 'open:door'), { ok: true })
  assert.deepEqual((await welcome)[0], { room: 'open:door' })
  const event = next(socket, 'knock')
  await pulse.sql(`SELECT pulse.publish('open:door', 'knock', '{}')`)
  await event
  assert.equal((await socket.emitWithAck('enter', 'named:bob')).error.code, 'forbidden')
})

test('design 6: acks carry any number of arguments, and events in order', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const args = await new Promise(resolve => socket.emit('echo', 1, 'two', { three: [3.50] }, null, (...back) => resolve(back)))
  assert.deepEqual(args, [1, 'two', { three: [3.5] }, null])
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => socket.emitWithAck('echo', n)))
  assert.deepEqual(answers, Array.from({ length: 100 }, (_, n) => n))
})

test('design 6: a handler replaced and dropped takes effect at once', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  await pulse.sql(`CREATE FUNCTION app.v1(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '1'::json`)
  await pulse.sql(`CREATE FUNCTION app.v2(args json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '2'::json`)
  await pulse.sql(`SELECT pulse.on('version', 'app.v1')`)
  assert.equal(await socket.emitWithAck('version'), 1)
  await pulse.sql(`SELECT pulse.on('version', 'app.v2')`)
  assert.equal(await socket.emitWithAck('version'), 2)
  await pulse.sql('DROP FUNCTION app.v2(json)')
  assert.ok((await socket.emitWithAck('version')).error, 'a dropped function is an error, not a crash')
  await pulse.sql(`SELECT pulse.drop_handler('version')`)
  assert.equal((await socket.emitWithAck('version')).error.code, 'not_found')
})

test('design 6: a handler that fails, escapes or never ends gets a clear error; others notice nothing', async () => {
  await pulse.sql(`ALTER SYSTEM SET pulse.handler_timeout = '2s'`)
  await pulse.sql('SELECT pg_reload_conf()')
  const socket = await pulse.io({ userId: 'ann' }), other = await pulse.io({ userId: 'bob' })
  const refusal = await socket.emitWithAck('refuse')
  assert.deepEqual({ code: refusal.error.code, message: refusal.error.message, hint: refusal.error.hint },
    { code: 'conflict', message: 'already taken', hint: 'take another one' })
  const crash = await socket.emitWithAck('crash')
  assert.equal(crash.error.code, 'internal')
  assert.ok(crash.error.correlationId)
  assert.ok(!JSON.stringify(crash).includes('secret plan'))
  await until(() => pulse.bridge.text.includes(crash.error.correlationId), { what: 'the correlation id in the log' })
  const escape = await socket.emitWithAck('escape')
  assert.ok(escape.error, `RESET ROLE must not work: ${JSON.stringify(escape)}`)
  const endless = socket.emitWithAck('endless')
  assert.equal(await other.emitWithAck('echo', 'quick'), 'quick')
  assert.equal((await endless).error.code, 'unavailable')
  const without = gather(socket, 'error')
  socket.emit('refuse')
  socket.emit('nobody:handles:this')
  await without.atLeast(2)
  assert.deepEqual(without.items.map(([error]) => [error.code, error.event]), [['conflict', 'refuse'], ['not_found', 'nobody:handles:this']])
})

test('S1: ping and heartbeat are answered in every namespace', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const pong = next(socket, 'pong'), beat = next(socket, 'heartbeat:ack')
  socket.emit('ping')
  socket.emit('heartbeat')
  assert.ok((await pong)[0].timestamp)
  assert.ok((await beat)[0].timestamp)
  assert.ok((await socket.emitWithAck('ping')).timestamp)
})
