// Who comes back by /sse or /poll with a cursor from before what the log still holds is told to fetch anew, and why (E2, E7).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { poll, sse } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms', 'listeners')
})
after(() => pulse?.stop())

const ann = { userId: 'ann' }
const room = 'open:a'
const publish = number => pulse.dispatched(`SELECT pulse.publish($1, 'n', to_json($2::int))`, [room, number])
const floor = async () => Number(await pulse.value('SELECT _pulse.floor()'))

test('E7: a cursor from before the log is told so by /sse and /poll of a bridge that never saw the client; who it let in before it gives what it remembers', async () => {
  const { cursor } = (await poll(pulse.bridge, ann, { room })).body
  for (const number of [1, 2]) await publish(number)
  await until(async () => await pulse.value('SELECT _pulse.rotate()') && await floor() > Number(cursor.split(':')[1]) + 1, { what: 'an emptied slot' })
  const [before, other] = pulse.bridges
  const asked = await poll(other, ann, { room, cursor })
  assert.deepEqual([asked.status, asked.body.error?.code, asked.body.error?.reason], [410, 'must_refetch', 'expired'])
  const stream = await sse(other, ann, { room, lastEventId: cursor })
  assert.equal((await stream.wait(({ name }) => name === 'must-refetch')).data.reason, 'expired')
  await publish(3)
  await stream.wait(({ name }) => name === 'n')
  assert.deepEqual(stream.named('n'), [3], 'no part of what is gone, and then it is live')
  await stream.close()
  const known = await poll(before, ann, { room, cursor })
  assert.deepEqual([known.status, known.body.events?.map(({ args }) => args[0])], [200, [1, 2, 3]])
})
