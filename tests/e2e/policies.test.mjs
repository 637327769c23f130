// Policies at work: how often they are asked, when they are asked again, and rules by row security instead of policies.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
})
after(() => pulse?.stop())

const decisions = () => pulse.bridge.metric('pulse_bridge_decisions_total')
const batches = () => pulse.bridge.metric('pulse_bridge_decision_batches_total')
const join = (socket, room) => socket.emitWithAck('room:join', { room })
// A native client that joins `rooms` at once and gives the answers by room.
async function joinAll(socket, rooms) {
  const answers = new Map()
  socket.on('message', data => {
    const { id, type, args } = JSON.parse(data)
    if (id !== undefined) answers.set(id, type === 'ack' && args[0].ok)
  })
  for (const room of rooms) socket.send(JSON.stringify({ type: 'join', room, id: room }))
  await until(() => answers.size === rooms.length, { what: `${rooms.length} joins`, timeout: 60_000 })
  return [...answers.values()]
}

test('E3: ten thousand joins at once are a few statements over two connections, each answered', async () => {
  const sockets = await Promise.all(Array.from({ length: 250 }, (_, n) => pulse.ws({ userId: `u${n}` })))
  const [asked, statements] = [await decisions(), await batches()]
  const connections = await pulse.value(`SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'bridge'`)
  const answers = await Promise.all(sockets.map((socket, n) => joinAll(socket, Array.from({ length: 40 }, (_, room) => room % 2 ? `open:${n}-${room}` : `locked:${n}-${room}`))))
  assert.equal(answers.flat().length, 10_000)
  assert.equal(answers.flat().filter(Boolean).length, 5_000, 'half of them are allowed')
  assert.equal(await decisions() - asked, 10_000)
  const used = await batches() - statements
  assert.ok(used <= 1_000, `${used} statements`)
  assert.ok(await pulse.value(`SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'bridge'`) <= connections, 'no connection more')
  for (const socket of sockets) socket.terminate()
})

test('E3: a join of a room that the session is in asks nobody; after leaving, an eviction or a new connection it is asked again', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const expect = async (room, asked, ok) => {
    const before = await decisions()
    const answer = await join(socket, room)
    assert.equal(answer.ok, ok ? true : undefined, JSON.stringify(answer))
    assert.equal(await decisions() - before, asked, room)
    return answer
  }
  const first = await expect('open:again', 1, true)
  for (let n = 0; n < 5; n++) assert.deepEqual(Object.keys(await expect('open:again', 0, true)), Object.keys(first), 'the answer has the same form')
  await socket.emitWithAck('room:leave', { room: 'open:again' })
  await expect('open:again', 1, true)

  const evicted = gather(socket, 'room:evicted')
  await pulse.sql(`SELECT pulse.evict('open:again', 'ann')`)
  await evicted.atLeast(1)
  await pulse.sql(`CREATE FUNCTION app.deny(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false`)
  await pulse.sql(`SELECT pulse.policy('open:again', 'join', 'app.deny')`)
  await expect('open:again', 1, false)
  await expect('open:again', 1, false)
  await pulse.sql(`SELECT pulse.drop_policy('open:again', 'join')`)
  await expect('open:again', 1, true)
  const other = await pulse.io({ userId: 'ann' })
  const before = await decisions()
  assert.equal((await join(other, 'open:again')).ok, true)
  assert.equal(await decisions() - before, 1, 'a decision is one session\'s')
})

test('E3: a refreshed token is decided about anew: what it may not have is left, and a join asks again', async () => {
  await pulse.sql(`CREATE FUNCTION app.members(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE RETURN claims ->> 'role' = 'member'`)
  await pulse.sql(`SELECT pulse.policy('members:{id}', 'join', 'app.members')`)
  const socket = await pulse.io({ userId: 'ann', role: 'member' })
  for (const room of ['members:1', 'open:refresh']) assert.equal((await join(socket, room)).ok, true)
  const evicted = gather(socket, 'room:evicted')
  assert.equal((await socket.emitWithAck('auth:refresh', { token: token({ userId: 'ann', role: 'guest' }) })).ok, true)
  const [[notice]] = await evicted.atLeast(1)
  assert.equal(notice.room, 'members:1')
  const before = await decisions()
  assert.equal((await join(socket, 'members:1')).error.code, 'forbidden')
  assert.equal((await join(socket, 'open:refresh')).ok, true)
  assert.equal(await decisions() - before, 1, 'it is still in the other one')
  assert.equal((await socket.emitWithAck('auth:refresh', { token: token({ userId: 'ann', role: 'member' }) })).ok, true)
  assert.equal((await join(socket, 'members:1')).ok, true)
})

test('E3: events go on after a repeated join, none twice', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const got = gather(socket, 'tick')
  for (let n = 1; n <= 20; n++) {
    assert.equal((await join(socket, 'open:ticks')).ok, true)
    await pulse.sql(`SELECT pulse.publish('open:ticks', 'tick', json_build_object('n', $1::int))`, [n])
  }
  await got.atLeast(20)
  assert.deepEqual(got.items.map(([event]) => event.n), Array.from({ length: 20 }, (_, n) => n + 1))
})

test('E3: a policy that raises denies in general words and is counted, and those beside it are decided', async () => {
  const socket = await pulse.io({ userId: 'ann' })
  const errors = () => pulse.value(`SELECT (pulse.status() -> 'counters' ->> 'policyErrors')::int`)
  const before = await errors()
  const answers = await joinAll(await pulse.ws({ userId: 'ann' }), ['open:x', 'broken:x', 'open:y', 'broken:y', 'named:ann', 'named:bob'])
  assert.deepEqual(answers, [true, false, true, false, true, false])
  assert.equal(await errors() - before, 2)
  const { error } = await join(socket, 'broken:z')
  assert.equal(error.code, 'forbidden')
  assert.doesNotMatch(JSON.stringify(error), /secret plan|broken_policy/)
  assert.match(await pulse.value(`SELECT e.reason FROM pulse.explain_access('{"userId":"ann"}', 'join', 'broken:z') e`), /the secret plan of policies/, 'explain_access tells')
})

test('E3: a policy\'s own words reach whoever wants to join, with code, hint and details, and count as no error', async () => {
  await pulse.sql(`
    CREATE FUNCTION app.seat(claims json, room text, params json) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN
      IF params ->> 'n' = 'cup' THEN PERFORM pulse.fail('not_found', 'a cup, not a seat'); END IF;
      PERFORM pulse.fail('conflict', 'this seat is taken', 'Take another one.', '{"seat": 7}');
    END $$;
    CREATE FUNCTION app.sit(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.join(args ->> 0); RETURN NULL; END $$;
    SELECT pulse.policy('seat:{n}', 'join', 'app.seat'), pulse.on('sit', 'app.sit')`)
  const errors = () => pulse.value(`SELECT (pulse.status() -> 'counters' ->> 'policyErrors')::int`)
  const before = await errors()
  const said = ({ correlationId, ...rest }) => { assert.ok(correlationId); return rest }
  const taken = { code: 'conflict', message: 'this seat is taken', hint: 'Take another one.', seat: 7 }
  const socket = await pulse.io({ userId: 'ann' })
  assert.deepEqual(said((await join(socket, 'seat:7')).error), taken)
  assert.deepEqual(said((await socket.emitWithAck('sit', 'seat:7')).error), taken, 'as pulse.join in a handler')
  const heard = gather(socket, 'error')
  socket.emit('room:join', { room: 'seat:cup' })
  await heard.atLeast(1)
  assert.deepEqual(said(heard.items[0][0]), { code: 'not_found', message: 'a cup, not a seat', event: 'room:join' })
  const native = await pulse.ws({ userId: 'ann' })
  native.send(JSON.stringify({ type: 'join', room: 'seat:7', id: 1 }))
  const { type, id, ...error } = await until(() => native.frames.items.map(([data]) => JSON.parse(data)).find(frame => frame.id === 1))
  assert.deepEqual([type, said(error)], ['error', taken])
  for (const path of ['/sse', '/poll']) {
    const answer = await fetch(`${pulse.bridge.url}${path}?room=open:x&room=seat:7`, { headers: { authorization: `Bearer ${token({ userId: 'ann' })}` } })
    assert.deepEqual([answer.status, said((await answer.json()).error)], [409, taken], path)
  }
  assert.equal(await errors(), before)
  assert.ok(!pulse.bridge.log.some(({ message }) => message === 'statement failed'))
})

test('E3: row security by request.jwt.claims, as written for PostgREST: each client reads and writes its own rows only', async () => {
  await pulse.sql(`CREATE TABLE app.notes (id int GENERATED ALWAYS AS IDENTITY, owner text NOT NULL DEFAULT current_setting('request.jwt.claims')::json ->> 'userId', body text);
    ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON app.notes USING (owner = current_setting('request.jwt.claims')::json ->> 'userId');
    GRANT SELECT, INSERT, DELETE ON app.notes TO pulse_client;
    INSERT INTO app.notes (owner, body) VALUES ('ann', 'of ann'), ('bob', 'of bob');
    CREATE FUNCTION app.notes(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC SELECT coalesce(json_agg(json_build_array(n.body) ORDER BY n.id), '[]') FROM app.notes n; END;
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC INSERT INTO app.notes (body) VALUES (args ->> 0) RETURNING to_json(owner); END;
    CREATE FUNCTION app.note_for(args json) RETURNS json LANGUAGE sql BEGIN ATOMIC INSERT INTO app.notes (owner, body) VALUES (args ->> 0, 'forged') RETURNING to_json(owner); END;
    CREATE FUNCTION app.may_read_note(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
      BEGIN ATOMIC SELECT EXISTS (SELECT FROM app.notes n WHERE n.id::text = params ->> 'id'); END`)
  await pulse.sql(`SELECT pulse.on('notes', 'app.notes'), pulse.on('note', 'app.note'), pulse.on('note:for', 'app.note_for'), pulse.policy('note:{id}', 'join', 'app.may_read_note')`)
  const ann = await pulse.io({ userId: 'ann' }), bob = await pulse.io({ userId: 'bob' })
  const bodies = socket => new Promise(resolve => socket.emit('notes', (...rows) => resolve(rows.flat())))
  assert.equal(await ann.emitWithAck('note', 'more of ann'), 'ann')
  assert.deepEqual(await bodies(ann), ['of ann', 'more of ann'])
  assert.deepEqual(await bodies(bob), ['of bob'])
  assert.equal((await ann.emitWithAck('note:for', 'bob')).error.code, 'internal', 'a row for somebody else is refused')
  assert.equal((await join(ann, 'note:1')).ok, true)
  assert.equal((await join(ann, 'note:2')).error.code, 'forbidden', 'a policy that reads the table sees what row security shows')
  assert.equal((await join(bob, 'note:2')).ok, true)
})
