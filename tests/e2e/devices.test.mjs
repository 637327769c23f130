// One user, many devices: user:{id} reaches all of them, pulse.sessions lists them, and connect functions refuse with their own words (M1, M8, F1).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms')
  await pulse.sql(`
    CREATE FUNCTION app.porters(claims json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      IF claims->>'role' IS DISTINCT FROM 'porter' THEN PERFORM pulse.fail('forbidden', 'porters only'); END IF;
      IF claims->>'van' IS NULL THEN PERFORM pulse.fail('conflict', 'no van is free', 'Try again at noon.'); END IF;
      IF claims->>'van' = 'broken' THEN RAISE EXCEPTION 'the secret plan of vans'; END IF;
      RETURN json_build_object('rooms', json_build_array('van:' || (claims->>'van')));
    END $$`)
  await pulse.sql(`SELECT pulse.namespace('/porter', 'app.porters')`)
})
after(() => pulse?.stop())

const porter = { userId: 'ann', role: 'porter', van: '7' }
// A socket that says what it is called.
async function device(name, { bridge = pulse.bridge, namespace = '/', agent } = {}) {
  const socket = pulse.socket(porter, { bridge, namespace, extraHeaders: agent === undefined ? {} : { 'user-agent': agent } })
  if (name !== undefined) socket.auth = { ...socket.auth, device: name }
  const connected = next(socket, 'connect')
  socket.connect()
  await connected
  return socket
}
const sessions = () => pulse.sql(`SELECT device, namespace, bridge, rooms, connected_at, socket_id FROM pulse.sessions('ann') WHERE ended_at IS NULL ORDER BY device COLLATE "C", namespace`)

test('M1, M8: an event for user:{id} reaches each session of the user once, on all bridges, namespaces and protocols, and nobody else', async () => {
  const [first, second] = pulse.bridges
  const all = [await device('phone'), await device('phone', { namespace: '/porter' }), await device('laptop', { bridge: second }), await device(undefined, { bridge: second, agent: 'Tablet/1.0' })]
  const stranger = gather(await pulse.io({ userId: 'bob' }, { bridge: second }), 'hello')
  const native = await pulse.ws(token(porter), { bridge: second, headers: { 'user-agent': 'watch' } })
  await native.frames.atLeast(1)
  const heard = all.map(socket => gather(socket, 'hello'))
  for (const n of [1, 2, 3]) await pulse.sql(`SELECT pulse.publish('user:ann', 'hello', to_json($1::int))`, [n])
  for (const one of heard) await one.atLeast(3)
  await native.frames.atLeast(4)
  await pulse.sql(`SELECT pulse.publish('user:bob', 'hello', '"mine"')`)
  await stranger.atLeast(1)
  for (const one of heard) assert.deepEqual(one.items.map(([n]) => n), [1, 2, 3])
  assert.deepEqual(stranger.items.map(([n]) => n), ['mine'])
  assert.deepEqual(native.frames.items.slice(1).map(([text]) => JSON.parse(text).args[0]), [1, 2, 3])

  const rows = await sessions()
  assert.deepEqual(rows.map(({ device, namespace }) => [device, namespace]), [['Tablet/1.0', '/'], ['laptop', '/'], ['phone', '/'], ['phone', '/porter'], ['watch', '/']])
  const names = [first, second].map(({ port }) => `:${port}`)
  assert.deepEqual(rows.map(({ bridge }) => names.findIndex(name => bridge.endsWith(name))), [1, 1, 0, 0, 1])
  assert.ok(rows.every(({ connected_at }) => Math.abs(Date.now() - connected_at) < 60_000))
  assert.deepEqual(rows[3].rooms.sort(), ['user:ann', 'van:7'])
  assert.equal(rows[2].socket_id, all[0].id)

  all[2].disconnect()
  await until(async () => (await sessions()).length === 4, { what: 'the laptop being gone' })
  assert.ok(!(await sessions()).some(({ device }) => device === 'laptop'))
  for (const socket of all) socket.disconnect()
  native.close()
  await until(async () => (await sessions()).length === 0, { what: 'all being gone' })
})

test('M8: a device is text of at most 255 bytes, cut between characters; anything else counts as not said', async () => {
  for (const [said, kept] of [['ä'.repeat(200), 'ä'.repeat(127)], ['x'.repeat(255), 'x'.repeat(255)], ['a\u0000b', 'Fallback'], [7, 'Fallback'], ['', 'Fallback'], [{ a: 1 }, 'Fallback']]) {
    const socket = await device(said, { agent: 'Fallback' })
    assert.equal((await sessions())[0].device, kept)
    socket.disconnect()
    await until(async () => (await sessions()).length === 0, { what: 'it being gone' })
  }
})

test('M1, F1: a connect function refuses with its code and message, on Socket.IO and the native protocol; what breaks is internal', async () => {
  const refusals = [[{ ...porter, role: 'customer' }, { code: 'forbidden', retryable: false }, 'porters only'],
    [{ ...porter, van: undefined }, { code: 'conflict', retryable: false }, 'no van is free']]
  for (const [claims, data, message] of refusals) {
    const error = await pulse.io(claims, { namespace: '/porter' }).then(() => assert.fail('connected'), error => error)
    assert.deepEqual([error.data, error.message], [data, message])
  }
  const broken = await pulse.io({ ...porter, van: 'broken' }, { namespace: '/porter' }).then(() => assert.fail('connected'), error => error)
  assert.deepEqual(broken.data, { code: 'internal', retryable: true })
  assert.doesNotMatch(broken.message, /secret/)
  await pulse.sql(`SELECT pulse.namespace('/', 'app.porters')`)
  const native = await pulse.ws(token({ ...porter, role: 'customer' }))
  const [code] = await native.closed
  assert.equal(code, 4403)
  const { type, code: name, message } = JSON.parse(native.frames.items[0][0])
  assert.deepEqual([type, name, message], ['error', 'forbidden', 'porters only'])
  await pulse.sql(`SELECT pulse.drop_namespace('/', 'app.porters')`)
  assert.equal(await pulse.value(`SELECT count(*)::int FROM pulse.sessions('ann') WHERE ended_at IS NULL`), 0, 'who was refused has no session')
})
