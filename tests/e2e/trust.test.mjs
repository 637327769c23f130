// Whom a bridge believes. NOTIFY has no privileges in PostgreSQL, so the secret channel and the sender's pid are what it goes by.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
})
after(() => pulse?.stop())

test('E6: a notification that is not the dispatcher\'s is dropped and counted, and nothing is lost around it', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  assert.equal((await socket.emitWithAck('room:join', { room: 'open:trust' })).ok, true)
  const got = gather(socket, 'trust')
  const forger = await pulse.cluster.connect()
  const hello = JSON.parse(await pulse.value(`SELECT pulse.bridge_hello('forger')::text`))
  for (let n = 1; n <= 20; n++) {
    // As the dispatcher would say it, from a pid that is not the dispatcher's: a next position, a malformed one, a far one.
    const position = hello.position + n
    for (const payload of [
      `${hello.epoch} ${position} ${position} ${n}\n${position}\t1\t["open:trust"]\t"trust"\t{}\t{"n":"forged"}`,
      'nonsense',
      `${hello.epoch} ${position + 1e6} ${position + 1e6} ${n}`]) await forger.query('SELECT pg_notify($1, $2)', [hello.channel, payload])
    await pulse.sql(`SELECT pulse.publish('open:trust', 'trust', json_build_object('n', ${n}))`)
  }
  await forger.end()
  await got.atLeast(20)
  await until(async () => await pulse.bridge.metric('pulse_bridge_foreign_notifications_total') >= 60, { what: 'the forged ones counted' })
  assert.deepEqual(got.items.map(([event]) => event.n), Array.from({ length: 20 }, (_, i) => i + 1))
  assert.equal(await pulse.bridge.metric('pulse_bridge_malformed_notifications_total'), 0)
})

test('E6: an ordinary role can neither see the channel nor call what the bridge calls', async () => {
  await pulse.sql(`CREATE ROLE stranger LOGIN`)
  const stranger = await pulse.cluster.connect({ user: 'stranger' })
  for (const call of [`pulse.bridge_hello('x')`, `pulse.bridge_read(0, 10)`, `pulse.handle('/', 'echo', '[]', '{}')`, `pulse.handle_event('/', 'echo', '[]', '{}')`,
    `pulse.handle_connect('/', '{}')`, `pulse.decide('[]')`]) {
    await assert.rejects(stranger.query(`SELECT ${call}`), { code: '42501' }, call)
  }
  await stranger.end()
})
