// Socket.IO v5 packet by packet, over both transports (E5): what each packet brings, and which ones end the session.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { lines, SocketLine } from '../support/lines.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms', 'clients')
  await pulse.sql(`CREATE FUNCTION app.greet(claims json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.reply('hello', '1'); RETURN '{"rooms":["hall"]}'; END $$`)
  await pulse.sql(`SELECT pulse.namespace('/hall', 'app.greet'), pulse.on('echo', 'app.echo', namespace => '/hall')`)
})
after(() => pulse?.stop())

const auth = (userId, more = {}) => JSON.stringify({ token: token({ userId, ...more }) })

for (const Line of lines) {
  const say = what => `${Line.transport}: ${what}`
  const open = () => Line.open(pulse.bridge)
  async function connected(userId = 'ann') {
    const line = await open()
    await line.send(`40${auth(userId)}`)
    await line.wait('40{')
    return line
  }
  // Nothing else has come: what is sent last is answered last.
  async function rest(line, known) {
    await line.send('4277["echo","fence"]')
    await line.wait('4377')
    return line.packets.slice(known, -1)
  }

  test(`E5 ${say('each namespace is connected by itself, and has a sid of its own')}`, async () => {
    const line = await open()
    await line.send(`40${auth('ann')}`, `40/desk,${auth('ann', { role: 'clerk' })}`)
    const main = JSON.parse((await line.wait('40{')).slice(2)), desk = JSON.parse((await line.wait('40/desk,{')).slice(8))
    assert.deepEqual(Object.keys(main), ['sid', 'pid'])
    assert.equal(new Set([main.sid, main.pid, desk.sid, desk.pid]).size, 4)
    await line.send('42/desk,5["echo",1]', '425["echo",2]')
    assert.deepEqual([await line.wait('43/desk'), await line.wait('435')], ['43/desk,5[1]', '435[2]'])
  })

  test(`E5 ${say('an unknown namespace is refused, with these bytes, and the session stays')}`, async () => {
    const line = await connected()
    for (const name of ['/x', '/desk?a=1', '/DESK', '/a/b']) {
      await line.send(`40${name},${auth('ann')}`)
      assert.equal(await line.wait(`44${name},`), `44${name},{"message":"Invalid namespace"}`)
    }
    await line.send('40/unterminated')
    await line.wait('44/unterminated,')
    assert.deepEqual(await rest(line, 6), [])
  })

  test(`E5 ${say('a refused CONNECT has a message and data, touches no other namespace, and may be sent again')}`, async () => {
    const line = await connected()
    await line.send(`40/desk,${auth('ann')}`)
    assert.equal(await line.wait('44/desk,'), '44/desk,{"message":"clerks only","data":{"code":"forbidden","retryable":false}}')
    await line.send('40/hall,{"token":"x"}', '40/hall,{"token":7}')
    await until(() => line.packets.filter(packet => packet.startsWith('44/hall,{"message":"')).length === 2)
    await line.send(`40/desk,${auth('ann', { role: 'clerk' })}`)
    await line.wait('40/desk,{')
    assert.deepEqual(await rest(line, 5), [])
  })

  test(`E5 ${say('40 comes before any event of its namespace, and what is sent meanwhile waits for it')}`, async () => {
    const line = await open()
    await line.send(`40/hall,${auth('ann')}`, '42/hall,1["echo","early"]')
    await line.wait('43/hall,1')
    assert.match(line.packets[0], /^40\/hall,\{"sid"/)
    assert.equal(line.packets.at(-1), '43/hall,1["early"]')
  })

  test(`E5 ${say('what is no packet ends the session: all its namespaces, and no answer')}`, async () => {
    const placeholder = '{"_placeholder":true,"num":0}'
    const cases = {
      'nothing': ['4'], 'an unknown type': ['47["x"]'], 'a word': ['4abc'], 'no payload': ['42'], 'an object': ['42{}'], 'no name': ['42[]'], 'a null name': ['42[null]'],
      'bad JSON': ['42["echo",'], 'more behind it': ['42["echo"]x'], 'a bad id': ['42abc["echo"]'], 'a negative id': ['42-1["echo"]'],
      'connect_error': ['44{"message":"x"}'], 'an ack without id': ['43[1]'], 'an ack that is no array': ['435{}'], 'a DISCONNECT that says something': ['41{"x":1}'],
      'a CONNECT that is no object': ['40/hall,[1]'], 'a CONNECT again': [`40${auth('ann')}`], 'an event to a namespace that is not joined': ['42/desk,["echo"]'],
      'an ack to one': ['43/desk,1[]'], 'a DISCONNECT of one': ['41/desk,'],
      'no attachment count': ['45["x"]'], 'too many attachments': [`4511-["x",${placeholder}]`], 'a placeholder too many': [`450-["x",${placeholder}]`],
      'bytes out of turn': [Buffer.from([1])], 'text between attachments': [`451-["echo",${placeholder}]`, '42["echo"]'],
      ...Object.fromEntries(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].map(name => [`the reserved ${name}`, [`42["${name}"]`]]))
    }
    for (const [name, packets] of Object.entries(cases)) {
      const line = await connected()
      await line.send(...packets)
      const end = await line.closed
      assert.ok(end.code === 1002 || end.status === 200, `${name}: ${JSON.stringify(end)}`)
      assert.deepEqual(line.packets.slice(1).filter(packet => packet !== '1'), [], name)
    }
    const early = await open()
    await early.send('42["echo"]')
    const end = await early.closed
    assert.ok(end.code === 1002 || end.status === 200, 'before any CONNECT')
  })

  test(`E5 ${say('names that are free: error, message, numbers')}`, async () => {
    const line = await connected()
    await line.send('421["error"]', '422["message",1]', '423[7]')
    for (const id of [1, 2, 3]) assert.match(await line.wait(`43${id}[`), /"code":"not_found"/)
  })

  test(`E5 ${say('acks: any id, 0 too, once; none without an id; an ack of nothing is ignored')}`, async () => {
    const line = await connected()
    await line.send('420["echo","zero"]', '42["echo","none"]', '43999[1]', '429007199254740993["echo","big"]', '420["echo","again"]')
    await until(() => line.packets.length === 4)
    assert.deepEqual(line.packets.slice(1), ['430["zero"]', '439007199254740993["big"]', '430["again"]'])
    assert.deepEqual(await rest(line, 4), [])
  })

  test(`E5 ${say('JSON passes byte for byte, placeholders in plain packets too')}`, async () => {
    const line = await connected()
    const texts = ['1.0,1e3,-0', '{"b":1,"a":[2,{"z":null,"y":true}]}', '"\\u001e\\u0000 ☃ \\/"', '{"_placeholder":true,"num":9}', '12345678901234567890123']
    for (const [n, text] of texts.entries()) {
      if (text.includes('\\u0000')) continue
      await line.send(`42${n + 1}["echo",${text}]`)
      assert.equal(await line.wait(`43${n + 1}[`), `43${n + 1}[${text}]`)
    }
  })

  test(`F4 ${say('binary events: attachments in their order, over every namespace, an empty one too')}`, async () => {
    const line = await connected()
    await line.send('453-8["digest",{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]},{"_placeholder":true,"num":2}]', Buffer.from([1]), Buffer.alloc(0), Buffer.from('three'))
    const [answer] = JSON.parse((await line.wait('438')).slice(3))
    assert.equal(answer.md5.length, 3)
    assert.equal(answer.md5[1], 'd41d8cd98f00b204e9800998ecf8427e')
    await line.send('450-9["echo",1]')
    assert.equal(await line.wait('439'), '439[1]', 'no attachments are fine')
    await pulse.sql(`SELECT pulse.publish('user:ann', 'pic', '[{"_placeholder":true,"num":0},1]', attachments => ARRAY['\\x0102'::bytea])`)
    await line.wait(/^451-\["pic",/)
    await line.wait('b')
    const at = line.packets.findIndex(packet => packet.startsWith('451-'))
    assert.equal(line.packets[at + 1], 'bAQI=', 'right behind its head')
  })

  test(`E5 ${say('DISCONNECT of the client: no answer, the session stays, and it may connect again')}`, async () => {
    const line = await connected()
    await line.send('41')
    await line.send('42["crosses it"]')   // of a namespace that was joined a moment ago
    await line.send(`40${auth('ann')}`)
    await until(() => line.packets.length === 2)
    const [first, second] = line.packets.map(packet => JSON.parse(packet.slice(2)).sid)
    assert.notEqual(first, second)
    assert.deepEqual(await rest(line, 2), [])
  })

  test(`E5 ${say('a handler sends the session away: the ack, then 41, and the connection stays')}`, async () => {
    const line = await connected()
    await line.send(`40/hall,${auth('ann')}`)
    await line.wait('40/hall')
    await line.send('421["leave-me"]')
    await line.wait('41')
    assert.deepEqual(line.packets.slice(-2), ['431[{"ok":true}]', '41'])
    await line.send('42["late"]', '42/hall,2["echo",1]')
    assert.equal(await line.wait('43/hall,2'), '43/hall,2[1]')
  })

  test(`E5 ${say('a client that goes while its CONNECT is asked for does no harm')}`, async () => {
    for (let n = 0; n < 10; n++) {
      const line = await open()
      await line.send(`40${auth('hasty')}`)
      line.cut()
    }
    const line = await connected('hasty')
    assert.deepEqual(await rest(line, 1), [])
    line.cut()
  })

  for (const Back of lines) {
    test(`E2 ${say(`a session goes on by ${Back.transport}, here or on another bridge, with what it missed, once and in order`)}`, async () => {
      const other = pulse.bridges[1] ?? await pulse.addBridge()
      const user = `${Line.transport}-${Back.transport}`
      const publish = n => pulse.sql(`SELECT pulse.publish('user:' || $1, 'n', to_json($2::int))`, [user, n])
      for (const bridge of [pulse.bridge, other]) {
        const line = await connected(user)
        const hello = JSON.parse(line.packets[0].slice(2))
        await publish(1)
        const offset = JSON.parse((await line.wait('42["n",1')).slice(2)).at(-1)
        line.cut()
        await publish(2)
        await publish(3)
        const back = await Back.open(bridge)
        await back.send(`40${JSON.stringify({ token: token({ userId: user }), pid: hello.pid, offset })}`)
        const again = JSON.parse((await back.wait('40{')).slice(2))
        assert.deepEqual(again, hello)
        await publish(4)
        await back.wait('42["n",4')
        assert.deepEqual(back.packets.filter(packet => packet.startsWith('42')).map(packet => JSON.parse(packet.slice(2))[1]), [2, 3, 4])
        back.cut()
      }
    })
  }
}

test('E5: a token of somebody else does not continue a session, nor does a pid alone', async () => {
  const line = await SocketLine.open(pulse.bridge)
  await line.send(`40${auth('owner')}`)
  const hello = JSON.parse((await line.wait('40{')).slice(2))
  for (const attempt of [{ pid: hello.pid, offset: 'x' }, { pid: hello.pid, token: token({ userId: 'thief' }) }]) {
    const thief = await SocketLine.open(pulse.bridge)
    await thief.send(`40${JSON.stringify(attempt)}`)
    const answer = await thief.wait(/^4[04]\{/)
    if (answer.startsWith('40')) assert.notEqual(JSON.parse(answer.slice(2)).sid, hello.sid)
    assert.equal(answer.startsWith('40'), 'token' in attempt)
  }
  await line.send('421["echo",1]')
  assert.equal(await line.wait('431'), '431[1]', 'its owner has noticed nothing')
})
