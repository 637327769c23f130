// Acks both ways with stock clients: handlers ask clients and hear the answer, or that there was none, once each (E5, M1); JSON stays
// byte for byte through handlers and acks; connect functions send, and leave data with the session.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.cluster.sql(`
    CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO pulse_client;
    CREATE TABLE app.heard (n bigint GENERATED ALWAYS AS IDENTITY, who text, args text, session text);
    CREATE FUNCTION app.hear(args json) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      INSERT INTO app.heard (who, args, session) VALUES (pulse.user_id(), args::text, pulse.session_id());
      PERFORM pulse.reply('heard', args);
      RETURN NULL;
    END $$;
    CREATE FUNCTION app.again(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      IF args ->> 0 = 'more' THEN PERFORM pulse.ask('question', '"again"', '5 s', 'app.again'); ELSE PERFORM pulse.reply('done', args); END IF;
      RETURN NULL;
    END $$;
    CREATE FUNCTION app.ask(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pulse.ask('question', args -> 0, (args ->> 1)::interval, args ->> 2);
      RETURN '"asked"';
    END $$;
    CREATE FUNCTION app.echo(args json) RETURNS json LANGUAGE sql RETURN args;
    CREATE FUNCTION app.back(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.reply_args('back', args); RETURN NULL; END $$;
    CREATE FUNCTION app.data(args json) RETURNS json LANGUAGE sql RETURN pulse.session_data();
    CREATE FUNCTION app.connect(claims json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pulse.reply('auth', pulse.auth());
      IF pulse.auth() ->> 'ask' IS NOT NULL THEN PERFORM pulse.ask('question', pulse.auth() -> 'ask', '20 s', 'app.hear'); END IF;
      RETURN json_build_object('data', json_build_object('z', 1.50, 'at', 'desk', 'said', pulse.auth() -> 'said'));
    END $$;
    SELECT pulse.on('ask', 'app.ask'), pulse.on('echo', 'app.echo'), pulse.on('back', 'app.back'), pulse.on('echo', 'app.echo', '/desk'), pulse.on('data', 'app.data', '/desk'), pulse.namespace('/desk', 'app.connect')`)
})
after(() => pulse?.stop())

const heard = (who, count = 1) => until(async () => {
  const rows = await pulse.sql('SELECT args, session FROM app.heard WHERE who = $1 ORDER BY n', [who])
  return rows.length >= count && rows
}, { what: `${count} answers of ${who}` })
const exactly = async (who, ...args) => {
  // What is asked last is heard last: then nothing else is still on its way.
  assert.deepEqual((await heard(who, args.length)).map(row => row.args), args)
}
const raw = (who, path = '/socket.io/?EIO=4&transport=websocket') => pulse.ws(undefined, { path, protocol: [] }).then(async socket => {
  const texts = () => socket.frames.items.map(([data]) => data.toString())
  socket.has = what => until(() => texts().find(text => what instanceof RegExp ? what.test(text) : text.startsWith(what)), { what: `${what} among ${JSON.stringify(texts())}` })
  await socket.has('0{')
  socket.send('40' + JSON.stringify({ token: token({ userId: who }) }))
  await socket.has('40{')
  return socket
})

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  const by = transports.join(' and ')

  test(`E5: a handler asks over ${by}, the client answers, and the function hears it once`, async () => {
    const who = `answers by ${by}`
    const socket = await pulse.io({ userId: who }, { transports })
    const thanks = gather(socket, 'heard')
    let acknowledge
    socket.on('question', (question, ack) => { acknowledge = ack; ack(question, 1, { deep: [null] }) })
    assert.equal(await socket.emitWithAck('ask', { sure: '?' }, '20 s', 'app.hear'), 'asked')
    await thanks.atLeast(1)
    acknowledge('twice')   // the client itself sends only the first
    await exactly(who, '[{"sure":"?"},1,{"deep":[null]}]')
  })

  test(`E5: nobody answers over ${by}: the function hears null, once, and a late answer is ignored`, async () => {
    const who = `silent by ${by}`
    const socket = await pulse.io({ userId: who }, { transports })
    const late = []
    socket.on('question', (question, ack) => late.push(ack))
    await socket.emitWithAck('ask', 1, '50 ms', 'app.hear')
    await heard(who)
    for (const ack of late) ack('too late')
    assert.deepEqual(await socket.emitWithAck('echo', 'behind it'), 'behind it')
    await exactly(who, null)
  })

  test(`E5: a client that goes, by ${by}, has not answered`, async () => {
    for (const [how, go] of [['leaves', socket => socket.disconnect()], ['is cut off', socket => socket.io.engine.close()]]) {
      const who = `${how} by ${by}`
      const socket = await pulse.io({ userId: who }, { transports })
      const question = next(socket, 'question')
      await socket.emitWithAck('ask', 1, '1 hour', 'app.hear')
      await question
      go(socket)
      await exactly(who, null)
    }
  })

  test(`E5: an answer leads to the next question over ${by}`, async () => {
    const socket = await pulse.io({ userId: `again by ${by}` }, { transports })
    const answers = ['more', 'more', 'enough']
    socket.on('question', (question, ack) => ack(answers.shift()))
    const done = next(socket, 'done')
    socket.emit('ask', 1, '20 s', 'app.again')
    assert.deepEqual((await done)[0], ['enough'])
    assert.deepEqual(answers, [])
  })

  test(`E5: a connect function knows the auth object, sends behind the connect and asks over ${by}`, async () => {
    const who = `greeted by ${by}`
    const socket = pulse.socket({ userId: who }, { transports, namespace: '/desk' })
    const text = socket.auth.token
    socket.auth = { token: text, ask: 'ready?', said: { b: 1, a: [2.5] } }
    const auth = next(socket, 'auth', { matches: () => socket.connected })
    socket.on('question', (question, ack) => ack(`${question} yes`))
    socket.connect()
    assert.deepEqual((await auth)[0], { token: text, ask: 'ready?', said: { b: 1, a: [2.5] } })
    await exactly(who, '["ready? yes"]')
    assert.deepEqual(await socket.emitWithAck('data'), { z: 1.5, at: 'desk', said: { b: 1, a: [2.5] } })
  })

  test(`E5: data of the connect functions comes back with the session over ${by}`, async () => {
    const socket = pulse.socket({ userId: `returns by ${by}` }, { transports, namespace: '/desk', reconnection: true, reconnectionDelay: 50 })
    socket.auth = { ...socket.auth, said: 'first' }
    const auth = gather(socket, 'auth')
    socket.connect()
    await auth.atLeast(1)
    socket.auth = { token: socket.auth.token }
    const back = next(socket, 'connect')
    socket.io.engine.close()
    await back
    assert.equal(socket.recovered, true)
    assert.deepEqual(await socket.emitWithAck('data'), { z: 1.5, at: 'desk', said: null })
    assert.equal(auth.items.length, 1)   // a recovered session is sent nothing
  })
}

test('E5, M1: unknown, malformed and repeated ack ids do nothing', async () => {
  const who = 'confused'
  const socket = await raw(who)
  socket.send('430["nobody asked"]')
  socket.send('439999999999999999["nobody asked"]')
  socket.send('420["ask",1,"20 s","app.hear"]')
  const question = await socket.has(/^42\d+\["question"/)
  const id = /^42(\d+)/.exec(question)[1]
  socket.send(`43${Number(id) + 1}["not this one"]`)
  socket.send(`43${id}["yes"]`)
  socket.send(`43${id}["no"]`)
  await socket.has('42["heard",["yes"]')
  socket.send('421["echo","behind it"]')
  await socket.has('431["behind it"]')
  await exactly(who, '["yes"]')
  assert.equal(socket.readyState, socket.OPEN)
})

test('E5, M1: JSON is the same bytes through handlers, acks, replies and answers', async () => {
  const who = 'exact'
  const odd = String.raw`{"z":1.50,"a":1e3,"10":-0,"2":12345678901234567890.10,"s":"\u001e\u00e9\/\ud83d","e":"é😀\"","n":null,"a a":[ ],"b":{"c":[]}}`
  const compact = odd.replace('[ ]', '[]')
  const socket = await raw(who)
  socket.send(`427["echo",${odd}, [1]]`)
  await socket.has(`437[${compact},[1]]`)
  socket.send(`42["back",${odd},2]`)
  await socket.has(`42["back",${compact},2`)
  // PostgreSQL's own -> refuses half a surrogate pair; pulse itself passes it on.
  const whole = compact.replace(String.raw`\ud83d`, String.raw`\ud83d\ude00`)
  socket.send(`428["ask",${whole},"20 s","app.hear"]`)
  const question = await socket.has(/^42\d+\["question"/)
  const id = /^42(\d+)/.exec(question)[1]
  assert.equal(question, `42${id}["question",${whole}]`)
  socket.send(`43${id}[${odd}]`)
  await socket.has(`42["heard",[${compact}]`)
  await exactly(who, `[${odd}]`)

  const native = await pulse.ws({ userId: who })
  const has = what => until(() => native.frames.items.map(([data]) => data.toString()).find(text => text.includes(what)), { what })
  await has('"connected"')
  native.send(`{"type":"emit","event":"echo","args":[${odd}],"id":1}`)
  await has(`{"type":"ack","id":1,"args":[${compact}]}`)
  await pulse.sql('SELECT pulse.publish($1, $2, $3::json)', [`user:${who}`, 'exact', odd])
  await socket.has(`42["exact",${compact},"`)
  await has(`"args":[${compact}],"room":"user:${who}"`)
})

test('E5: the native protocol is asked and answers', async () => {
  const who = 'native'
  const socket = await pulse.ws({ userId: who })
  const messages = () => socket.frames.items.map(([data]) => JSON.parse(data))
  const wait = matches => until(() => messages().find(matches), { what: String(matches) })
  const say = message => socket.send(JSON.stringify(message))
  await wait(({ type }) => type === 'connected')
  say({ type: 'ack', id: 7, args: ['nobody asked'] })
  say({ type: 'emit', event: 'ask', args: [{ sure: '?' }, '20 s', 'app.hear'] })
  const question = await wait(({ event }) => event === 'question')
  assert.deepEqual(question, { type: 'event', event: 'question', args: [{ sure: '?' }], id: question.id })
  assert.equal(typeof question.id, 'number')
  say({ type: 'ack', id: question.id, args: ['yes', 2] })
  say({ type: 'ack', id: question.id, args: ['no'] })
  await wait(({ event }) => event === 'heard')
  say({ type: 'emit', event: 'ask', args: [2, '1 hour', 'app.hear'], id: 'asked' })
  await wait(({ type, id }) => type === 'ack' && id === 'asked')
  socket.close()
  await exactly(who, '["yes",2]', null)
})

test('E5: a question without a function, and one whose function fails, bother nobody', async () => {
  const socket = await pulse.io({ userId: 'carefree' })
  const asked = gather(socket, 'question')
  socket.on('question', (question, ack) => ack(1))
  await socket.emitWithAck('ask', 1, '20 s', null)
  await pulse.sql(`CREATE FUNCTION app.crash(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / 0; END $$`)
  await socket.emitWithAck('ask', 2, '20 s', 'app.crash')
  await asked.atLeast(2)
  assert.equal(await socket.emitWithAck('echo', 'still here'), 'still here')
  const refused = await socket.emitWithAck('ask', 3, '20 s', 'app.missing')
  assert.equal(refused.error.code, 'internal')
})
