// Binary values end to end (E5, M1): from a client to its handler as bytea[], from a publisher with attachments to clients, and in acks
// both ways; Socket.IO and the native protocol.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.cluster.sql(`
    CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO pulse_client;
    CREATE FUNCTION app.hex(args json) RETURNS json LANGUAGE sql
      RETURN json_build_array(args, (SELECT json_agg(encode(a, 'hex')) FROM unnest(pulse.attachments()) a));
    CREATE FUNCTION app.turn(args json) RETURNS json LANGUAGE sql
      RETURN (SELECT json_agg(pulse.attach(decode(reverse(encode(a, 'hex')), 'hex')) ORDER BY n DESC) FROM unnest(pulse.attachments()) WITH ORDINALITY t (a, n));
    CREATE FUNCTION app.mirror(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pulse.attach(a) FROM unnest(pulse.attachments()) WITH ORDINALITY t (a, n);
      PERFORM pulse.reply_args('mirrored', args);
      RETURN args;
    END $$;
    CREATE FUNCTION app.told(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.reply('told', app.hex(args)); RETURN NULL; END $$;
    CREATE FUNCTION app.ask(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pulse.ask('question', json_build_object('image', pulse.attach('\\x00ff10')), '20 s', 'app.told');
      RETURN NULL;
    END $$;
    SELECT pulse.on('hex', 'app.hex'), pulse.on('turn', 'app.turn'), pulse.on('mirror', 'app.mirror'), pulse.on('ask', 'app.ask')`)
})
after(() => pulse?.stop())

const placeholder = num => ({ _placeholder: true, num })

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
  const by = transports.join(' and ')
  const connect = name => pulse.io({ userId: `${name} by ${by}` }, { transports })

  test(`E5: binary arguments reach the handler as bytea[] over ${by}`, async () => {
    const socket = await connect('sender')
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
    assert.deepEqual(await new Promise(resolve => socket.emit('hex', 'a', Buffer.from([0, 255]), { deep: [bytes], empty: Buffer.alloc(0) }, (...args) => resolve(args))),
      [['a', placeholder(0), { deep: [placeholder(1)], empty: placeholder(2) }], ['00ff', bytes.toString('hex'), '']])
    assert.deepEqual(await new Promise(resolve => socket.emit('hex', 1, (...args) => resolve(args))), [[1], null])
  })

  test(`E5: an ack with binary values over ${by}`, async () => {
    const socket = await connect('caller')
    const turned = await new Promise(resolve => socket.emit('turn', Buffer.from('01', 'hex'), Buffer.from('23', 'hex'), (...args) => resolve(args)))
    assert.deepEqual(turned.map(bytes => Buffer.from(bytes).toString('hex')), ['32', '10'])
    const back = next(socket, 'mirrored')
    const both = await new Promise(resolve => socket.emit('mirror', { b: Buffer.from('ff', 'hex') }, 1.5, Buffer.alloc(0), (...args) => resolve(args)))
    assert.deepEqual(both, [{ b: Buffer.from('ff', 'hex') }, 1.5, Buffer.alloc(0)])
    assert.deepEqual((await back).slice(0, 3), both)
  })

  test(`E5: a question with a binary value, answered with binary values over ${by}`, async () => {
    const socket = await connect('asked')
    const told = next(socket, 'told')
    socket.on('question', ({ image }, ack) => ack('got', Buffer.from(image), [Buffer.from('more')]))
    socket.emit('ask')
    assert.deepEqual((await told)[0], [['got', placeholder(0), [placeholder(1)]], ['00ff10', Buffer.from('more').toString('hex')]])
  })

  test(`E5: attachments of an event reach its clients over ${by}, in order with others`, async () => {
    const socket = await connect('receiver')
    const got = gather(socket, 'image')
    const room = `user:receiver by ${by}`
    for (let n = 0; n < 20; n++) {
      await pulse.sql('SELECT pulse.publish($1, $2, $3::json, attachments => $4::bytea[])',
        n % 2 ? [room, 'image', { n }, null] : [room, 'image', { n, a: placeholder(0), b: [placeholder(1), placeholder(0)] }, [Buffer.from([n, 0]), Buffer.alloc(0)]])
    }
    await got.atLeast(20)
    assert.deepEqual(got.items.map(([payload]) => payload), Array.from({ length: 20 }, (_, n) =>
      n % 2 ? { n } : { n, a: Buffer.from([n, 0]), b: [Buffer.alloc(0), Buffer.from([n, 0])] }))
  })
}

test('E5: binary values on the native protocol, both ways', async () => {
  const socket = await pulse.ws({ userId: 'native' })
  const messages = () => socket.frames.items.map(([data]) => JSON.parse(data))
  const wait = matches => until(() => messages().find(matches), { what: String(matches) })
  const say = message => socket.send(JSON.stringify(message))
  await wait(({ type }) => type === 'connected')
  say({ type: 'emit', event: 'hex', args: ['a', placeholder(0)], attachments: ['AP8='], id: 1 })
  assert.deepEqual((await wait(({ type, id }) => type === 'ack' && id === 1)).args, [['a', placeholder(0)], ['00ff']])
  say({ type: 'emit', event: 'mirror', args: [placeholder(0)], attachments: ['AQ=='], id: 2 })
  assert.deepEqual(await wait(({ type, id }) => type === 'ack' && id === 2), { type: 'ack', id: 2, args: [placeholder(0)], attachments: ['AQ=='] })
  const mirrored = await wait(({ event }) => event === 'mirrored')
  assert.deepEqual([mirrored.args, mirrored.attachments], [[placeholder(0)], ['AQ==']])
  say({ type: 'emit', event: 'ask' })
  const question = await wait(({ event }) => event === 'question')
  assert.deepEqual([question.args, question.attachments], [[{ image: placeholder(0) }], ['AP8Q']])
  say({ type: 'ack', id: question.id, args: ['got', placeholder(0)], attachments: ['bW9yZQ=='] })
  assert.deepEqual((await wait(({ event }) => event === 'told')).args[0], [['got', placeholder(0)], ['6d6f7265']])
  await pulse.sql(`SELECT pulse.publish('user:native', 'image', '{"a":{"_placeholder":true,"num":0}}', attachments => ARRAY['\\x00ff'::bytea])`)
  const image = await wait(({ event }) => event === 'image')
  assert.deepEqual([image.args, image.attachments], [[{ a: placeholder(0) }], ['AP8=']])
  for (const attachments of [{}, 'AP8=', ['A'], [1], Array(11).fill('AA==')]) say({ type: 'emit', event: 'hex', args: [], attachments, id: 'bad' })
  assert.equal((await until(() => messages().filter(({ id, code }) => id === 'bad' && code === 'bad_request').length === 5 && socket, { what: 'five refusals' })).readyState, socket.OPEN)
})
