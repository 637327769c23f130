// An application built by SQL while bridges and clients are running: namespaces, handlers, rooms, questions and streams of its own, used at
// once by stock clients of every protocol, recovery on; changed and taken away again under their eyes (E3, E5, C3, design 6).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { EventSource } from 'eventsource'
import { Proxy } from '../support/proxy.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { connecting, gather, next, until } from '../support/wait.mjs'

const ways = { WebSocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] }
let pulse, witness
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_SSE_RETRY: '100ms', PULSE_MAX_ROOMS: '5' } })
  witness = await pulse.io({ userId: 'witness' })
})
after(() => pulse?.stop())

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

test('E3: before the application is there: no namespace, no handler, no room, no path', async () => {
  assert.equal((await pulse.io({ userId: 'ann' }, { namespace: '/club' }).catch(error => error)).message, 'Invalid namespace')
  assert.equal((await witness.emitWithAck('move', 'e4')).error.code, 'not_found')
  assert.equal((await witness.emitWithAck('room:join', { room: 'game:7' })).error.code, 'forbidden')
  assert.equal((await fetch(`${pulse.bridge.url}/games/7/stream?token=${token({ userId: 'ann' })}`)).status, 404)
})

test('E3: the application comes, in one transaction', async () => {
  await pulse.sql(`
    BEGIN;
    CREATE SCHEMA club;
    GRANT USAGE ON SCHEMA club TO pulse_client;
    CREATE TABLE club.players (game text, player text);
    INSERT INTO club.players VALUES ('7', 'ann'), ('7', 'bob'), ('8', 'cyd');
    CREATE TABLE club.moves (n bigint GENERATED ALWAYS AS IDENTITY, game text, player text, move text);
    GRANT SELECT ON club.players TO pulse_client;
    GRANT SELECT, INSERT ON club.moves TO pulse_client;
    SELECT pulse.watch('club.moves', 'moved', ARRAY['game:{game}'], operations => 'insert', payload => '{"player":"{player}","move":"{move}"}');

    CREATE FUNCTION club.plays(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE
      RETURN EXISTS (SELECT FROM club.players p WHERE p.game = params ->> 'id' AND p.player = claims ->> 'userId');
    SELECT pulse.policy('game:{id}', operation, 'club.plays') FROM unnest(ARRAY['join', 'history']) operation;

    CREATE FUNCTION club.enter(claims json) RETURNS json LANGUAGE sql STABLE
      RETURN (SELECT json_build_object('rooms', coalesce(json_agg('game:' || p.game), '[]')) FROM club.players p WHERE p.player = claims ->> 'userId');
    SELECT pulse.namespace('/club', 'club.enter');

    CREATE FUNCTION club.move(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      IF args ->> 1 = 'resign' THEN PERFORM pulse.fail('conflict', 'not yet', 'Make a move first.'); END IF;
      INSERT INTO club.moves (game, player, move) VALUES (args ->> 0, pulse.user_id(), args ->> 1);
      RETURN '{"ok":true}';
    END $$;
    SELECT pulse.on('move', 'club.move', namespace => '/club');

    CREATE FUNCTION club.agreed(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN PERFORM pulse.reply('outcome', json_build_object('answer', args -> 0)); RETURN NULL; END $$;
    CREATE FUNCTION club.draw(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN PERFORM pulse.ask('agree?', json_build_object('to', args -> 0), '20 s', 'club.agreed'); RETURN '"asked"'; END $$;
    SELECT pulse.on('draw', 'club.draw', namespace => '/club');

    CREATE FUNCTION club.board(args json) RETURNS json LANGUAGE sql STABLE
      RETURN json_build_object('board', pulse.attach(decode(md5(args ->> 0), 'hex')), 'read', (SELECT json_agg(encode(a, 'hex')) FROM unnest(pulse.attachments()) a));
    SELECT pulse.on('board', 'club.board', namespace => '/club');

    CREATE FUNCTION club.stream(request json) RETURNS json LANGUAGE sql STABLE
      RETURN json_build_object('rooms', json_build_array('game:' || (request -> 'params' ->> 'id')), 'events', json_build_array('moved'));
    SELECT pulse.stream('/games/{id}/stream', 'club.stream', 'none');
    COMMIT`)
  // Those that were connected before may use it now.
  assert.equal((await witness.emitWithAck('room:join', { room: 'game:7' })).error.code, 'forbidden')
  const ann = await pulse.io({ userId: 'ann' })
  assert.equal((await ann.emitWithAck('room:join', { room: 'game:7' })).ok, true)
})

for (const [way, transports] of Object.entries(ways)) {
  test(`E3, ${way}: players are in their games at connect, move, are asked, send and get bytes, and come back with what they missed`, async () => {
    let target = pulse.bridges[0]
    const proxy = await Proxy.start(() => target ? [target.port] : [])
    const socket = pulse.socket({ userId: 'ann' }, { bridge: proxy, namespace: '/club', transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 })
    const moved = gather(socket, 'moved')
    await connecting(socket)
    assert.deepEqual(await socket.emitWithAck('move', '7', 'e4'), { ok: true })
    assert.deepEqual((({ code, message, hint }) => ({ code, message, hint }))((await socket.emitWithAck('move', '7', 'resign')).error),
      { code: 'conflict', message: 'not yet', hint: 'Make a move first.' })
    await moved.atLeast(1)

    socket.once('agree?', (question, answer) => answer(`${question.to}? yes`))
    const outcome = next(socket, 'outcome')
    assert.equal(await socket.emitWithAck('draw', 'bob'), 'asked')
    assert.deepEqual((await outcome)[0], { answer: 'bob? yes' })

    const { board, read } = await socket.emitWithAck('board', 'x', Buffer.from([1, 2, 255]))
    assert.equal(Buffer.from(board).toString('hex'), '9dd4e461268c8034f5c8564e155c67a6')
    assert.deepEqual(read, ['0102ff'])

    const back = next(socket, 'connect')
    target = undefined
    proxy.cut()
    await pulse.sql(`INSERT INTO club.moves (game, player, move) SELECT '7', 'bob', 'm' || g FROM generate_series(1, 5) g`)
    await pulse.sql(`INSERT INTO club.moves (game, player, move) VALUES ('8', 'cyd', 'elsewhere')`)
    target = pulse.bridges[1]
    await back
    assert.equal(socket.recovered, true)
    assert.deepEqual(await socket.emitWithAck('move', '7', 'last'), { ok: true })
    await until(() => moved.items.at(-1)[0].move === 'last')
    assert.deepEqual(moved.items.map(([{ move }]) => move), ['e4', ...range(1, 5).map(n => `m${n}`), 'last'])
    socket.disconnect()
    await proxy.stop()
  })
}

test('E5: the same moves by native WebSocket, an EventSource on the application\'s own path, /sse and /poll', async () => {
  const text = token({ userId: 'ann' })
  const native = await pulse.ws({ userId: 'ann' }, { bridge: pulse.bridges[1] })
  native.send('{"type":"join","room":"game:7","id":1}')
  await until(() => native.frames.items.some(([data]) => JSON.parse(data).type === 'ack'))
  const streams = [`/games/7/stream`, `/sse?room=game:7&token=${text}`].map(path => {
    const source = new EventSource(pulse.bridge.url + path)
    source.moves = []
    source.addEventListener('moved', ({ data }) => source.moves.push(JSON.parse(data).move))
    return source
  })
  for (const source of streams) await until(() => source.readyState === EventSource.OPEN)
  const poll = async cursor => await (await fetch(`${pulse.bridge.url}/poll?room=game:7&token=${text}${cursor ? `&cursor=${cursor}` : ''}`)).json()
  let { cursor } = await poll()
  await pulse.sql(`INSERT INTO club.moves (game, player, move) SELECT '7', 'bob', 'n' || g FROM generate_series(1, 20) g`)
  const expected = range(1, 20).map(n => `n${n}`)
  const polled = []
  while (polled.length < 20) {
    const page = await poll(cursor)
    polled.push(...page.events.map(({ args: [{ move }] }) => move))
    cursor = page.cursor
  }
  assert.deepEqual(polled, expected)
  for (const source of streams) {
    await until(() => source.moves.length >= 20)
    assert.deepEqual(source.moves, expected)
    source.close()
  }
  const moves = () => native.frames.items.map(([data]) => JSON.parse(data)).filter(({ event }) => event === 'moved').map(({ args: [{ move }] }) => move)
  await until(() => moves().length >= 20)
  assert.deepEqual(moves(), expected)
})

test('M10: the bridge\'s limits hold for the application\'s rooms', async () => {
  await pulse.sql(`CREATE FUNCTION club.anybody(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true`)
  await pulse.sql(`SELECT pulse.policy('hall:{id}', 'join', 'club.anybody')`)
  const socket = await pulse.io({ userId: 'many' })
  const answers = []
  for (const n of range(1, 6)) answers.push(await socket.emitWithAck('room:join', { room: `hall:${n}` }))
  assert.ok(answers[0].ok)
  assert.ok(answers.at(-1).error?.code, JSON.stringify(answers.at(-1)))
  assert.equal(await socket.emitWithAck('room:leave', { room: 'hall:1' }).then(({ ok }) => ok), true)
  assert.equal((await socket.emitWithAck('room:join', { room: 'hall:6' })).ok, true)
})

test('E3: taken away again, it is gone for everybody, and nobody is disturbed', async () => {
  const ann = await pulse.io({ userId: 'ann' }, { namespace: '/club' })
  await pulse.sql(`SELECT pulse.drop_handler('move', '/club'), pulse.drop_policy('game:{id}', 'join'), pulse.unstream('/games/{id}/stream')`)
  assert.equal((await ann.emitWithAck('move', '7', 'e4')).error.code, 'not_found')
  assert.equal((await ann.emitWithAck('room:join', { room: 'game:8' })).error.code, 'forbidden')
  assert.equal((await fetch(`${pulse.bridge.url}/games/7/stream`)).status, 404)
  await pulse.sql(`SELECT pulse.drop_namespace('/club')`)
  assert.equal((await pulse.io({ userId: 'ann' }, { namespace: '/club' }).catch(error => error)).message, 'Invalid namespace')
  assert.equal(ann.connected, true)
  assert.equal(witness.connected, true)
})
