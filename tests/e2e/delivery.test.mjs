// From a commit to sockets: what arrives, what must not, in which order, and how often.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms')
})
after(() => pulse?.stop())

const join = async (socket, ...rooms) => {
  for (const room of rooms) assert.equal((await socket.emitWithAck('room:join', { room })).ok, true, room)
}

test('E1: an event exists exactly when its transaction commits', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  await join(socket, 'open:commit')
  const got = gather(socket, 'tick')
  const client = await pulse.cluster.connect()
  await client.query('BEGIN')
  await client.query(`SELECT pulse.publish('open:commit', 'tick', '{"n":1}')`)
  await client.query('ROLLBACK')
  await client.query('BEGIN')
  await client.query(`SELECT pulse.publish('open:commit', 'tick', '{"n":2}')`)
  await client.query('SAVEPOINT s')
  await client.query(`SELECT pulse.publish('open:commit', 'tick', '{"n":3}')`)
  await client.query('ROLLBACK TO s')
  await pulse.sql(`SELECT pulse.publish('open:commit', 'tick', '{"n":4}')`)
  await got.atLeast(1)
  await client.query('COMMIT')
  await client.query(`BEGIN`)
  await client.query(`SELECT pulse.publish('open:commit', 'tick', '{"n":5}')`)
  await client.query(`PREPARE TRANSACTION 'p1'`)
  await got.atLeast(2)
  await pulse.sql(`SELECT pulse.publish('open:commit', 'tick', '{"n":6}')`)
  await got.atLeast(3)
  await client.query(`COMMIT PREPARED 'p1'`)
  await got.atLeast(4)
  await client.end()
  assert.deepEqual(got.items.map(([event]) => event.n), [4, 2, 6, 5])
})

test('E2: every session of both bridges gets each event once and in one order, across overlapping rooms, from concurrent writers', async () => {
  const sockets = []
  for (let n = 0; n < 6; n++) sockets.push(await pulse.io({ userId: `u${n}` }, { bridge: pulse.bridges[n % 2] }))
  for (const socket of sockets) await join(socket, 'open:a', 'open:b', 'open:c')
  const got = sockets.map(socket => gather(socket, 'n'))
  const writers = 8, each = 50
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    const client = await pulse.cluster.connect()
    for (let n = 0; n < each; n++) {
      const rolledBack = n % 10 === 9
      await client.query('BEGIN')
      await client.query(`SELECT pulse.publish($1::text[], 'n', $2::json)`, [['open:a', 'open:b', 'open:c'].slice(n % 3), JSON.stringify({ writer, n })])
      await client.query(rolledBack ? 'ROLLBACK' : 'COMMIT')
    }
    await client.end()
  }))
  const expected = writers * each * 9 / 10
  for (const one of got) await one.atLeast(expected)
  await join(sockets[0], 'open:fence')
  const fence = next(sockets[0], 'fence')
  await pulse.sql(`SELECT pulse.publish('open:fence', 'fence', 'null')`)
  await fence
  const first = got[0].items.map(([event]) => `${event.writer}:${event.n}`)
  assert.equal(new Set(first).size, expected)
  for (const one of got) assert.deepEqual(one.items.map(([event]) => `${event.writer}:${event.n}`), first)
  for (let writer = 0; writer < writers; writer++) {
    const own = got[0].items.filter(([event]) => event.writer === writer).map(([event]) => event.n)
    assert.deepEqual(own, [...own].sort((a, b) => a - b), 'the order of one writer is kept')
  }
})

test('E2: an event between the decision and the join is neither lost nor doubled', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  const got = gather(socket, 'count')
  let n = 0, stop = false
  const writer = (async () => { while (!stop) await pulse.sql(`SELECT pulse.publish('open:race', 'count', to_json($1::int))`, [++n]) })()
  const { position } = await socket.emitWithAck('room:join', { room: 'open:race' })
  await got.atLeast(20)
  stop = true
  await writer
  await until(() => got.items.at(-1)[0] === n)
  const numbers = got.items.map(([count]) => count)
  assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, i) => numbers[0] + i), 'no hole, no double')
  assert.match(position, /^[0-9a-f]{16}:\d+$/)
})

test('E3: a left room and a closed door are quiet; except_session leaves one out', async () => {
  const a = await pulse.io({ userId: 'ann' }), b = await pulse.io({ userId: 'bob' }, { bridge: pulse.bridges[1] })
  for (const socket of [a, b]) await join(socket, 'open:talk')
  const gotA = gather(a, 'say'), gotB = gather(b, 'say')
  await pulse.sql(`CREATE OR REPLACE FUNCTION app.say(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN PERFORM pulse.publish('open:talk', 'say', args->0, except_session => pulse.session_id()); RETURN '{"ok":true}'; END $$`)
  await pulse.sql(`SELECT pulse.on('say', 'app.say')`)
  assert.deepEqual(await a.emitWithAck('say', { text: 'hello' }), { ok: true })
  await gotB.atLeast(1)
  assert.deepEqual(await b.emitWithAck('room:leave', { room: 'open:talk' }), { ok: true })
  await pulse.sql(`SELECT pulse.publish('open:talk', 'say', '{"text":"again"}')`)
  await gotA.atLeast(1)
  assert.deepEqual(gotA.items.map(([say]) => say.text), ['again'])
  assert.deepEqual(gotB.items.map(([say]) => say.text), ['hello'])
})

test('E2: a payload larger than a notification, a long list of rooms and JSON to the byte arrive intact', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  await join(socket, 'open:big')
  const raw = await pulse.ws({ userId: 'u1' })
  const frames = gather(raw, 'message')
  raw.send(JSON.stringify({ type: 'join', room: 'open:big', id: 1 }))
  await until(() => frames.items.some(([data]) => data.toString().includes('"ack"')))
  const got = gather(socket, 'big')
  const text = 'é😀"\\\n\t\u001e'.repeat(20_000)
  await pulse.sql(`SELECT pulse.publish('open:big', 'big', $1::json)`, [JSON.stringify({ text })])
  const rooms = Array.from({ length: 500 }, (_, n) => `open:${'x'.repeat(100)}${n}`)
  await pulse.sql(`SELECT pulse.publish($1::text[], 'big', '{"text":"rooms"}'::json)`, [[...rooms, 'open:big']])
  await pulse.sql(`SELECT pulse.publish('open:big', 'big', '{ "z": 1.50, "a": 12345678901234567890, "z2" : [ 1 , 2 ] }'::json)`)
  await got.atLeast(3)
  assert.equal(got.items[0][0].text, text)
  assert.equal(got.items[1][0].text, 'rooms')
  await until(() => frames.items.some(([data]) => data.toString().includes('"z":')))
  const last = frames.items.map(([data]) => data.toString()).find(data => data.includes('"z":'))
  assert.ok(last.includes('{"z":1.50,"a":12345678901234567890,"z2":[1,2]}'), last.slice(0, 300))
})

test('D2: LISTEN on a legacy channel works from a plain session', async () => {
  await pulse.sql('CREATE TABLE app.things (id int PRIMARY KEY, label text)')
  await pulse.sql(`SELECT pulse.watch('app.things', 'thing:added', ARRAY['open:things'], payload => '{"thingId":"{id}","label":"{label}"}', channel => 'thing_added')`)
  const client = await pulse.cluster.connect()
  await client.query('LISTEN thing_added')
  const notification = next(client, 'notification')
  await pulse.sql(`INSERT INTO app.things VALUES (7, 'quote " and \t tab')`)
  const [{ channel, payload }] = await notification
  await client.end()
  const { eventId, ...thing } = JSON.parse(payload)
  assert.equal(channel, 'thing_added')
  assert.deepEqual(thing, { thingId: 7, label: 'quote " and \t tab' })
  assert.ok(eventId)
})
