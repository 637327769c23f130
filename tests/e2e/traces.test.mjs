// M9: a W3C traceparent said by a socket goes into the events that its handlers publish and into the bridge's log: said with the
// connect, with one message, or by the HTTP request; what is none is ignored.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

const trace = n => `00-${String(n).padStart(32, 'a')}-00f067aa0ba902b7-01`
let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_LOG_LEVEL: 'debug' } })
  await pulse.load('rooms')
  await pulse.sql(`
    GRANT pulse_publisher TO pulse_client;
    CREATE FUNCTION app.tell(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pulse.publish('open:traces', 'told', to_json(args ->> 0));
      RETURN to_json(current_setting('pulse.traceparent', true));
    END $$;
    CREATE FUNCTION app.ask(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.ask('question', '1', '10 s', 'app.tell'); RETURN NULL; END $$;
    CREATE FUNCTION app.hello(claims json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.publish('open:traces', 'told', '"connect"'); RETURN NULL; END $$;
    SELECT pulse.on('tell', 'app.tell'), pulse.on('ask', 'app.ask'), pulse.namespace('/hello', 'app.hello'), pulse.on('tell', 'app.tell', '/hello')`)
})
after(() => pulse?.stop())

// The header of the event that told `what`.
const told = what => until(async () => {
  const [row] = await pulse.sql(`SELECT headers ->> 'traceparent' AS traceparent FROM pulse.events WHERE name = 'told' AND payload #>> '{}' = $1`, [what])
  return row
}, { what: `the event ${what}` }).then(({ traceparent }) => traceparent)
const socketio = (auth, options) => pulse.io('', { auth: { token: token({ userId: 'ann' }), ...auth }, ...options })

async function native(connect, headers, userId = 'ann') {
  const socket = await pulse.ws(undefined, { headers })
  socket.send(JSON.stringify({ type: 'connect', token: token({ userId }), ...connect }))
  let last = 0
  socket.tell = async (what, more = {}) => {
    const id = ++last
    socket.send(JSON.stringify({ type: 'emit', event: 'tell', args: [what], id, ...more }))
    return await until(() => socket.frames.items.map(([data]) => JSON.parse(data)).find(frame => frame.id === id)?.args)
  }
  return socket
}

test('M9: auth.traceparent of a Socket.IO connect is that of every event of its session, answers included, in each namespace its own', async () => {
  const socket = await socketio({ traceparent: trace(1) })
  assert.equal(await socket.emitWithAck('tell', 'socketio'), trace(1))
  assert.equal(await told('socketio'), trace(1))
  socket.on('question', (question, answer) => answer('answered'))
  await socket.emitWithAck('ask')
  assert.equal(await told('answered'), trace(1))
  const other = await socketio({ traceparent: trace(2) }, { namespace: '/hello', bridge: pulse.bridges[1] })
  assert.equal(await told('connect'), trace(2), 'connect functions, too')
  assert.equal(await other.emitWithAck('tell', 'hello'), trace(2))
})

test('M9: the HTTP request\'s header is for those that say none, and what is no traceparent is none', async () => {
  const extraHeaders = { traceparent: trace(3) }
  const silent = await socketio({}, { extraHeaders }), saying = await socketio({ traceparent: trace(4) }, { extraHeaders })
  assert.equal(await silent.emitWithAck('tell', 'header'), trace(3))
  assert.equal(await saying.emitWithAck('tell', 'both'), trace(4))
  for (const traceparent of ['nonsense', trace(4).toUpperCase(), `${trace(4)}-more`, 7, null, { a: 1 }, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
    const bad = await socketio({ traceparent })
    assert.equal(await bad.emitWithAck('tell', `bad ${JSON.stringify(traceparent)}`), '')
    assert.equal(await told(`bad ${JSON.stringify(traceparent)}`), null)
    bad.disconnect()
  }
  const bad = await socketio({}, { extraHeaders: { traceparent: 'nonsense' } })
  assert.equal(await bad.emitWithAck('tell', 'bad header'), '')
})

test('M9: the native connect message\'s counts likewise, and a message may have its own', async () => {
  const socket = await native({ traceparent: trace(5) }, { traceparent: trace(6) })
  assert.deepEqual(await socket.tell('native'), [trace(5)])
  assert.deepEqual(await socket.tell('own', { traceparent: trace(7) }), [trace(7)])
  assert.deepEqual(await socket.tell('own, but none', { traceparent: 'nonsense' }), [trace(5)])
  assert.deepEqual(await socket.tell('again'), [trace(5)])
  assert.deepEqual([await told('native'), await told('own')], [trace(5), trace(7)])
  assert.deepEqual(await (await native({}, { traceparent: trace(6) })).tell('upgrade'), [trace(6)])
})

test('M9: a session that comes back on another bridge has the traceparent of that connect', async () => {
  const socket = await native({ traceparent: trace(8) })
  assert.deepEqual(await socket.tell('before'), [trace(8)])
  const { recovery, position } = JSON.parse(socket.frames.items[0][0])
  socket.terminate()
  const back = await pulse.ws(undefined, { bridge: pulse.bridges[1] })
  back.send(JSON.stringify({ type: 'connect', token: token({ userId: 'ann' }), recovery, since: position, traceparent: trace(9) }))
  back.send(JSON.stringify({ type: 'emit', event: 'tell', args: ['after'], id: 1 }))
  const frames = () => back.frames.items.map(([data]) => JSON.parse(data))
  assert.deepEqual((await until(() => frames().find(({ id }) => id === 1))).args, [trace(9)])
  assert.equal(frames().find(({ type }) => type === 'connected').recovered, true)
})

test('M9: what is left of a closed connection is handled with the traceparent it had', async () => {
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(815)')
  await pulse.sql(`CREATE FUNCTION app.wait(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(815); RETURN NULL; END $$; SELECT pulse.on('wait', 'app.wait')`)
  const socket = await native({ traceparent: trace(10) }, {}, 'zoe')
  socket.send(JSON.stringify({ type: 'emit', event: 'wait', args: [] }))
  socket.send(JSON.stringify({ type: 'emit', event: 'tell', args: ['left behind'] }))
  socket.send(JSON.stringify({ type: 'emit', event: 'tell', args: ['left behind with its own'], traceparent: trace(11) }))
  socket.send(JSON.stringify({ type: 'ping' }))
  await until(() => socket.frames.items.some(([data]) => JSON.parse(data).type === 'pong'), { what: 'all of it being here' })
  socket.terminate()
  await until(async () => await pulse.value(`SELECT count(*)::int FROM pulse.sessions('zoe') WHERE ended_at IS NULL`) === 0, { what: 'the end of its session' })
  await keeper.end()
  assert.equal(await told('left behind'), trace(10))
  assert.equal(await told('left behind with its own'), trace(11))
})

test('M9: the lines of the bridge\'s log about a client\'s doing name its trace; those without one have no such field', async () => {
  const line = ({ error }) => until(() => pulse.bridge.log.find(({ correlationId }) => correlationId === error.correlationId), { what: 'the line' })
  const socket = await socketio({ traceparent: trace(12) }), plain = await socketio({})
  assert.equal((await line(await socket.emitWithAck('crash'))).traceparent, trace(12))
  assert.equal((await line(await socket.emitWithAck('room:join', { room: 'nowhere' }))).traceparent, trace(12))
  assert.equal('traceparent' in await line(await plain.emitWithAck('crash')), false)

  await pulse.sql(`CREATE FUNCTION app.broken(request json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN to_json(1 / 0); END $$; SELECT pulse.route('GET', '/api/broken', 'app.broken', 'none')`)
  assert.equal((await fetch(`${pulse.bridge.url}/api/broken`, { headers: { traceparent: trace(13) } })).status, 500)
  assert.equal((await until(() => pulse.bridge.log.find(({ traceparent }) => traceparent === trace(13)))).correlationId, trace(13).split('-')[1])
})
