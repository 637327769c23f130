// Ephemeral events as docs/reference/publish.md tells them (E3, S3, M3, F2): to who is here, at most once, never from the log; throttled with
// the last one never lost; behind the durable events of their transaction; over two bridges and every protocol.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { sse, startPoll, poll } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.cluster.sql(readFileSync(new URL('../support/rooms.sql', import.meta.url), 'utf8'))
  await pulse.sql(`
    SELECT pulse.policy('open:{id}', 'history', 'app.allow');
    CREATE FUNCTION app.typing(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        PERFORM pulse.publish(args ->> 0, 'typing', json_build_object('userId', pulse.user_id()), except_session => pulse.session_id(), ephemeral => true);
        RETURN '{"ok":true}';
      END $$;
    CREATE FUNCTION app.move(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        PERFORM pulse.publish(args ->> 0, 'moved', json_build_object('userId', pulse.user_id(), 'n', args -> 1), except_session => pulse.session_id(),
          ephemeral => true, throttle => (args ->> 2)::interval, throttle_key => pulse.user_id());
        RETURN '{"ok":true}';
      END $$;
    SELECT pulse.on('typing', 'app.typing'), pulse.on('move', 'app.move')`)
})
after(() => pulse?.stop())

const join = async (socket, ...rooms) => {
  for (const room of rooms) assert.equal((await socket.emitWithAck('room:join', { room })).ok, true, room)
}
const send = (room, event, payload, options = '') =>
  pulse.sql(`SELECT pulse.publish($1, $2, $3::json, ephemeral => true${options})`, [room, event, JSON.stringify(payload)])
const status = async () => (await pulse.value('SELECT pulse.status()'))
const counters = async () => (await status()).counters

test('E3, F2: typing reaches the members of a room on both bridges, not its sender, and is stored nowhere', async () => {
  const [ann, bob, eve, outside] = await Promise.all(['ann', 'bob', 'eve', 'outside'].map((userId, n) => pulse.io({ userId }, { bridge: pulse.bridges[n % 2] })))
  for (const socket of [ann, bob, eve]) await join(socket, 'open:chat')
  await join(outside, 'open:elsewhere')
  const got = [ann, bob, eve, outside].map(socket => gather(socket, 'typing'))
  assert.deepEqual(await ann.emitWithAck('typing', 'open:chat'), { ok: true })
  for (const n of [1, 2]) await got[n].atLeast(1)
  await bob.emitWithAck('typing', 'open:chat')
  for (const n of [0, 2]) await got[n].atLeast(n === 2 ? 2 : 1)
  assert.deepEqual(got.map(({ items }) => items), [
    [[{ userId: 'bob' }]],
    [[{ userId: 'ann' }]],
    [[{ userId: 'ann' }], [{ userId: 'bob' }]],
    []], 'one argument: no offset')
  assert.equal(await pulse.value(`SELECT count(*) FROM pulse.events WHERE name = 'typing'`), '0')
})

test('E3: equal events of one transaction all arrive, a rollback takes them back, also to a savepoint, and PREPARE drops them', async () => {
  const socket = await pulse.io({ userId: 'u1' }, { bridge: pulse.bridges[1] })
  await join(socket, 'open:equal')
  const got = gather(socket, 'n')
  const before = await counters()
  const client = await pulse.cluster.connect()
  const publish = n => client.query(`SELECT pulse.publish('open:equal', 'n', to_json($1::int), ephemeral => true)`, [n])
  await client.query('BEGIN')
  await publish(1)
  await client.query('ROLLBACK')
  await client.query('BEGIN')
  await publish(2)
  await client.query('PREPARE TRANSACTION \'gone\'')
  await client.query('COMMIT PREPARED \'gone\'')
  await client.query('BEGIN')
  for (let i = 0; i < 100; i++) await publish(3)
  await client.query('SAVEPOINT outer_one')
  await publish(4)
  await client.query('SAVEPOINT kept')
  await publish(5)
  await client.query('RELEASE kept')
  await client.query('ROLLBACK TO outer_one')
  await client.query('SAVEPOINT another')
  await publish(6)
  await client.query('RELEASE another')
  await client.query(`DO $$ BEGIN
    BEGIN
      PERFORM pulse.publish('open:equal', 'n', '7', ephemeral => true);
      RAISE 'back';
    EXCEPTION WHEN OTHERS THEN
      PERFORM pulse.publish('open:equal', 'n', '8', ephemeral => true);
    END; END $$`)
  await client.query('COMMIT')
  await client.end()
  await got.atLeast(102)
  assert.deepEqual(got.items.map(([n]) => n), [...Array(100).fill(3), 6, 8])
  const now = await counters()
  assert.equal(now.ephemeralDropped - before.ephemeralDropped, 1, 'the prepared one')
})

test('E3: an ephemeral event comes after the durable ones of its transaction, positions stay dense, and history has no trace', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  await join(socket, 'open:order')
  const got = []
  socket.onAny((name, payload, ...rest) => got.push([name, payload, rest.length]))
  const first = Number(await pulse.value('SELECT max(last_position) FROM pulse.ticks'))
  const rounds = 50
  await Promise.all([1, 2].map(async writer => {
    const client = await pulse.cluster.connect()
    for (let n = 0; n < rounds; n++) {
      await client.query(`BEGIN; SELECT pulse.publish('open:order', 'note', '"${writer}:${n}"', ephemeral => true),
        pulse.publish('open:order', 'said', '"${writer}:${n}"'); COMMIT`)
    }
    await client.end()
  }))
  await until(() => got.length >= 4 * rounds, { what: 'all events' })
  const place = new Map(got.map(([name, payload], index) => [`${name} ${payload}`, index]))
  assert.equal(place.size, 4 * rounds, 'each once')
  for (const writer of [1, 2])
    for (let n = 0; n < rounds; n++) assert.ok(place.get(`said ${writer}:${n}`) < place.get(`note ${writer}:${n}`), `${writer}:${n}`)
  assert.ok(got.every(([, , rest]) => rest === 1), 'a text is followed by an offset, so that no client takes it for one')
  assert.equal(Number(await pulse.value('SELECT max(last_position) FROM pulse.ticks')), first + 2 * rounds)
  assert.equal(await pulse.value(`SELECT count(*) FROM pulse.history('open:order', max_events => 1000) h WHERE h.event = 'note'`), '0')
})

test('E3, E5: native, SSE and long-polls get it as long as they are here, without a position', async () => {
  const room = 'open:all'
  const socket = await pulse.ws({ userId: 'u1' })
  socket.send(JSON.stringify({ type: 'join', room, id: 1 }))
  const messages = () => socket.frames.items.map(([data]) => JSON.parse(data))
  await until(() => messages().some(({ type }) => type === 'ack'), { what: 'the join' })
  const stream = await sse(pulse.bridges[1], { userId: 'u1' }, { room })
  const begin = stream.lastEventId
  const { body: { cursor } } = await poll(pulse.bridge, { userId: 'u1' }, { room })
  const parked = startPoll(pulse.bridge, { userId: 'u1' }, { room, cursor })
  await until(async () => await pulse.bridge.metric('pulse_bridge_polls_waiting') === 1, { what: 'a waiting poll' })
  await send(room, 'wave', { from: 'ann' })
  const { body } = await parked.answered
  assert.deepEqual(body, { events: [{ event: 'wave', args: [{ from: 'ann' }], room }], cursor })
  await until(() => messages().some(({ type }) => type === 'event'), { what: 'the native event' })
  assert.deepEqual(messages().find(({ type }) => type === 'event'), { type: 'event', event: 'wave', args: [{ from: 'ann' }], room })
  await stream.wait(({ name }) => name === 'wave')
  assert.deepEqual(stream.events, [{ name: 'wave', data: { from: 'ann' }, id: begin }])
  assert.equal(stream.lastEventId, begin)
  await pulse.sql(`SELECT pulse.publish('${room}', 'stay', '1')`)
  const { body: after } = await poll(pulse.bridge, { userId: 'u1' }, { room, cursor: body.cursor })
  assert.deepEqual(after.events.map(({ event }) => event), ['stay'], 'and the next poll goes on where that one was')
  await stream.close()
})

test('E3: nothing of it after a reconnect, and the recovery of the rest goes on from before it', async () => {
  const room = 'open:back', who = { userId: 'back' }
  const first = await pulse.io(who), witness = await pulse.io({ userId: 'witness' }, { bridge: pulse.bridges[1] })
  for (const socket of [first, witness]) await join(socket, room)
  const seen = gather(first, 'n')
  await pulse.sql(`SELECT pulse.publish('${room}', 'n', '1')`)
  await send(room, 'n', 'a text that is no offset')
  await send(room, 'n', { n: 2 })
  await seen.atLeast(3)
  const ticket = { pid: first._pid, offset: first._lastOffset }
  first.io.engine.close()
  await until(() => !first.connected, { what: 'the cut' })
  const seenThere = next(witness, 'n', { matches: text => text === 'while away' })
  await send(room, 'n', 'while away')
  await seenThere
  await pulse.sql(`SELECT pulse.publish('${room}', 'n', '3')`)
  const again = pulse.socket(who, { bridge: pulse.bridges[1] })
  const got = gather(again, 'n')
  again._pid = ticket.pid
  again._lastOffset = ticket.offset
  again.connect()
  await got.atLeast(1)
  assert.equal(again.recovered, true)
  await pulse.sql(`SELECT pulse.publish('${room}', 'n', '4')`)
  await got.atLeast(2)
  assert.deepEqual(got.items.map(([n]) => n), [3, 4])
})

test('S3: the first position at once, then the newest once an interval, the last one always; users apart, and not to the sender', async () => {
  const room = 'open:map'
  const [ann, bob, eve] = await Promise.all(['ann', 'bob', 'eve'].map((userId, n) => pulse.io({ userId }, { bridge: pulse.bridges[n % 2] })))
  for (const socket of [ann, bob, eve]) await join(socket, room)
  const own = gather(ann, 'moved'), got = gather(eve, 'moved')
  const before = await counters()
  const interval = 1500, moves = 60
  for (let n = 1; n <= moves; n++) await Promise.all([ann, bob].map(socket => socket.emitWithAck('move', room, n, `${interval} ms`)))
  const of = user => got.items.filter(([{ userId }]) => userId === user).map(([{ n }]) => n)
  for (const user of ['ann', 'bob']) {
    await until(() => of(user).at(-1) === moves, { what: `the last move of ${user}` })
    assert.equal(of(user)[0], 1, 'the first at once')
    assert.deepEqual(of(user), [...new Set(of(user))].sort((a, b) => a - b), 'in order, none twice')
  }
  await own.atLeast(1)
  assert.ok(own.items.every(([{ userId }]) => userId === 'bob'), 'not to the sender')
  const now = await until(async () => {
    const all = await counters()
    return all.ephemeralReplaced - before.ephemeralReplaced + all.ephemeralEvents - before.ephemeralEvents === 2 * moves && all
  }, { what: 'each move sent, or gone for a newer one' })
  assert.ok(now.ephemeralReplaced > before.ephemeralReplaced, 'and some did')
  assert.equal(now.ephemeralDropped, before.ephemeralDropped)
})

test('S3: the last position comes although who published it is gone; rooms, events and keys are throttled apart', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  await join(socket, 'open:t1', 'open:t2')
  const got = gather(socket, 'at'), other = gather(socket, 'other')
  const client = await pulse.cluster.connect()
  const before = await counters()
  const publish = (room, event, n, key) =>
    client.query(`SELECT pulse.publish($1, $2, to_json($3::int), ephemeral => true, throttle => '1500 ms', throttle_key => $4)`, [room, event, n, key])
  await client.query('BEGIN')
  for (const n of [1, 2, 3]) await publish('open:t1', 'at', n, 'a')
  await client.query('COMMIT')
  await publish('open:t1', 'at', 10, 'b')
  await publish('open:t2', 'at', 20, 'a')
  await publish('open:t1', 'other', 30, 'a')
  await client.query('BEGIN')
  await publish('open:t1', 'at', 4, 'a')
  await client.query('ROLLBACK')
  await client.end()
  await got.atLeast(4)
  await other.atLeast(1)
  const numbers = got.items.map(([n]) => n)
  assert.deepEqual([...numbers].sort((a, b) => a - b), [1, 3, 10, 20], 'the rolled-back one has replaced nothing')
  assert.ok(numbers.indexOf(1) < numbers.indexOf(3))
  assert.equal((await counters()).ephemeralReplaced - before.ephemeralReplaced, 1)
})

test('M3: one position in ten, counted over all connections', async () => {
  const clients = await Promise.all([1, 2, 3].map(() => pulse.cluster.connect()))
  const answers = await Promise.all(clients.map(async client => {
    const all = []
    for (let n = 0; n < 70; n++) all.push((await client.query(`SELECT pulse.sampled('porter 1', 10) AS taken`)).rows[0].taken)
    return all
  }))
  assert.equal(answers.flat().filter(taken => taken).length, 21)
  await Promise.all(clients.map(client => client.end()))
})

test('E3: metrics count what was sent, and what the database dropped', async () => {
  const socket = await pulse.io({ userId: 'u1' })
  await join(socket, 'open:count')
  const before = await pulse.bridge.metric('realtime_messages_sent_total', { namespace: '/', event: 'counted' }) ?? 0
  const got = next(socket, 'counted')
  await send('open:count', 'counted', 1)
  await got
  assert.equal(await pulse.bridge.metric('realtime_messages_sent_total', { namespace: '/', event: 'counted' }), before + 1)
  assert.equal(await pulse.bridge.metric('pulse_ephemeral_dropped'), (await counters()).ephemeralDropped)
  assert.equal(await pulse.bridge.metric('pulse_bridge_ephemeral_missed_total'), 0)
})
