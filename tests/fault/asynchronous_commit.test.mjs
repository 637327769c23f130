// synchronous_commit = off at the publishers: a crash may take transactions whose commit was confirmed, as PostgreSQL says. What pulse
// adds: never one whose event a client has seen, since the dispatcher's own commit reaches the disk first and takes along all before it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  // The writer of the log looks as rarely as it can: what nobody flushes is lost for sure.
  pulse = await startPulse({ settings: { wal_writer_delay: '10s', wal_writer_flush_after: '10MB' } })
  await pulse.load('rooms')
})
after(() => pulse?.stop())

test('E1: with synchronous_commit = off a crash never takes an event that a client has seen', async t => {
  const native = await pulse.ws({ userId: 'native' })
  await native.frames.atLeast(1)
  native.send(JSON.stringify({ type: 'join', room: 'open:async', id: 1 }))
  await native.frames.atLeast(2)
  const seen = () => native.frames.items.map(([data]) => JSON.parse(data)).filter(({ type }) => type === 'event')
    .map(({ args, position }) => [Number(position.split(':')[1]), args[0]])
  let number = 0, lost = 0
  for (let round = 0; round < 5; round++) {
    let stop = false
    const confirmed = new Set(), earlier = seen().length
    const writers = Array.from({ length: 4 }, async () => {
      const client = await pulse.cluster.connect()
      await client.query('SET synchronous_commit = off')
      while (!stop) {
        const n = ++number
        await client.query(`SELECT pulse.publish('open:async', 'e', to_json($1::int))`, [n]).then(() => confirmed.add(n), () => { stop = true })
      }
      await client.end().catch(() => {})
    })
    await until(() => seen().length > earlier + 100, { what: 'events under load' })
    await pulse.cluster.stop('immediate')
    await Promise.all(writers)
    await pulse.cluster.start()
    await pulse.bridge.ready()
    const fence = ++number
    await pulse.sql(`SELECT pulse.publish('open:async', 'e', to_json($1::int))`, [fence])
    await until(() => seen().at(-1)[1] === fence, { what: 'the fence' })
    const stored = new Map((await pulse.sql('SELECT position, payload FROM pulse.bridge_read(0, 10000000, 10000000)')).map(({ position, payload }) => [Number(position), payload]))
    const events = seen()
    assert.deepEqual(events.filter(([position, n]) => stored.get(position) !== n), [], 'what was seen is there, at its position')
    assert.deepEqual(events.map(([position]) => position), Array.from(events, (_, n) => events[0][0] + n), 'no hole, none twice')
    const got = new Set(events.map(([, n]) => n))
    assert.equal(got.size, events.length)
    lost += [...confirmed].filter(n => !got.has(n)).length
    assert.equal([...stored.values()].length, events.length, 'and nothing is there that was not delivered')
  }
  t.diagnostic(`${lost} of ${number} confirmed commits were lost, none of them seen`)
})
