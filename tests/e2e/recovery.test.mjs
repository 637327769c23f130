// Sessions go on after a cut: each event once and in order, on this bridge or another, over each protocol (E2, E7).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { protocols, SocketIoClient } from '../support/returning.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms')
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)
  await pulse.sql(`CREATE FUNCTION app.my_session(args json) RETURNS json LANGUAGE sql STABLE RETURN to_json(pulse.session_id())`)
  await pulse.sql(`SELECT pulse.on('my-session', 'app.my_session')`)
})
after(() => pulse?.stop())

const publish = (rooms, number) => pulse.sql(`SELECT pulse.publish($1::text[], 'n', to_json($2::int))`, [[rooms].flat(), number])
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
let users = 0

for (const Client of protocols) {
  const room = name => `open:${Client.protocol}-${name}`

  // In these rooms, has seen event 1.
  async function here(rooms, options) {
    const who = { userId: `c${++users}` }
    const client = await Client.open(pulse, who, options)
    for (const name of rooms) assert.equal((await client.join(name)).ok, true)
    await publish(rooms, 1)
    await until(() => client.numbers.includes(1), { what: 'event 1' })
    return { client, who }
  }

  test(`E2 ${Client.protocol}: what was missed comes once and in order over overlapping rooms, then what is new, and the session is the same`, async () => {
    const rooms = [room('a'), room('b'), room('c')]
    const { client, who } = await here(rooms)
    const session = await client.ask('my-session')
    await client.cut()
    for (const number of range(2, 40)) await publish(rooms.slice(number % 3), number)
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    assert.equal(back.recovered, true)
    assert.equal(back.id, client.id)
    assert.equal(back.ticket.pid, client.ticket.pid)
    assert.equal(await back.ask('my-session'), session)
    for (const number of range(41, 45)) await publish(rooms, number)
    await back.fence()
    assert.deepEqual(back.numbers, range(2, 45))
    const positions = [...client.cursors, ...back.cursors].map(cursor => BigInt(cursor.split(':')[1]))
    assert.ok(positions.every((position, n) => n === 0 || position > positions[n - 1]), 'cursors grow')
  })

  test(`E2 ${Client.protocol}: live and replayed, an event has the same cursor`, async () => {
    const { client, who } = await here([room('same')])
    const witness = await Client.open(pulse, { userId: 'witness' })
    await witness.join(room('same'))
    await client.cut()
    for (const number of range(2, 5)) await publish(room('same'), number)
    await witness.fence()
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    await back.fence()
    assert.deepEqual(back.cursors, witness.cursors)
  })

  test(`E2 ${Client.protocol}: nothing happened meanwhile: recovered, and nothing is sent`, async () => {
    const { client, who } = await here([room('quiet')])
    await client.cut()
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    assert.equal(back.recovered, true)
    await back.fence()
    assert.deepEqual(back.numbers, [])
  })

  test(`E2 ${Client.protocol}: nothing was received before: all since it connected`, async () => {
    const who = { userId: `c${++users}` }
    const client = await Client.open(pulse, who)
    await client.join(room('fresh'))
    await client.cut()
    const { pid } = client.ticket
    for (const number of range(1, 3)) await publish(room('fresh'), number)
    const back = await Client.open(pulse, who, { ticket: { pid } })
    assert.equal(back.recovered, true)
    await back.fence()
    assert.deepEqual(back.numbers, [1, 2, 3])
  })

  test(`E2 ${Client.protocol}: quicker than the server noticed: the old connection ends, the new one has everything`, async () => {
    for (const bridge of pulse.bridges) {
      const { client, who } = await here([room('quick')])
      const back = await Client.open(pulse, who, { ticket: client.ticket, bridge })
      assert.equal(back.recovered, true)
      assert.equal(await client.ended, Client.takenOver)
      await publish(room('quick'), 2)
      await back.fence()
      assert.deepEqual(back.numbers, [2])
      assert.deepEqual(client.numbers, [1], 'nothing went to the old one')
      const again = await Client.open(pulse, who, { ticket: back.ticket, bridge })
      assert.equal(again.recovered, true, 'the old connection had no say in it any more')
    }
  })

  test(`E2 ${Client.protocol}: twice in a row, on one bridge and the other`, async () => {
    const { client, who } = await here([room('twice')])
    let last = client
    for (const [turn, bridge] of [...pulse.bridges, ...pulse.bridges].entries()) {
      await last.cut()
      await publish(room('twice'), turn + 2)
      const back = await Client.open(pulse, who, { ticket: last.ticket.offset ? last.ticket : client.ticket, bridge })
      assert.equal(back.recovered, true, `turn ${turn}`)
      await until(() => back.numbers.length > 0)
      await back.fence()
      assert.deepEqual(back.numbers, [turn + 2])
      assert.equal(back.id, client.id)
      last = back
    }
  })

  test(`E2 ${Client.protocol}: rooms come back as they were: those joined by itself or by a handler, not those it left`, async () => {
    const { client, who } = await here([room('stays'), room('left')])
    assert.deepEqual(await client.ask('enter', room('entered')), { ok: true })
    await client.leave(room('left'))
    await client.leave(room('stays'))
    await client.join(room('stays'))
    await client.cut()
    await publish(room('left'), 2)
    await publish(room('entered'), 3)
    await publish(room('stays'), 4)
    const back = await Client.open(pulse, who, { ticket: client.ticket, bridge: pulse.bridges[1] })
    assert.equal(back.recovered, true)
    await back.fence()
    assert.deepEqual(back.numbers, [3, 4])
    await publish(room('entered'), 5)
    await publish(room('left'), 6)
    await back.fence()
    assert.deepEqual(back.numbers, [3, 4, 5])
  })

  test(`E2 ${Client.protocol}: what a session was left out of while it was here is not replayed to it`, async () => {
    const { client, who } = await here([room('except')])
    const session = await client.ask('my-session')
    await client.cut()
    await pulse.sql(`SELECT pulse.publish($1, 'n', '2', except_session => $2)`, [room('except'), session])
    await publish(room('except'), 3)
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    await back.fence()
    assert.deepEqual(back.numbers, [3])
  })

  test(`E2 ${Client.protocol}: room:join with a cursor: the past first, then the ack; malformed or from the future: must refetch`, async () => {
    const from = await pulse.value('SELECT pulse.position()')
    for (const number of range(1, 5)) await publish(room('since'), number)
    const client = await Client.open(pulse, { userId: `c${++users}` })
    const position = await pulse.value('SELECT pulse.position()')
    const ack = await client.join(room('since'), from)
    assert.deepEqual({ ok: ack.ok, recovered: ack.recovered }, { ok: true, recovered: true })
    await client.fence()
    assert.deepEqual(client.numbers, range(1, 5))
    const [epoch, at] = position.split(':')
    for (const [cursor, reason] of [['yesterday', 'unknown'], [`${epoch}:${BigInt(at) + 100000n}`, 'future'], [`0123456789abcdef:${at}`, 'foreign_epoch']]) {
      const refused = await client.join(room(`since ${reason}`), cursor)
      assert.deepEqual({ ok: refused.ok, recovered: refused.recovered, mustRefetch: refused.mustRefetch }, { ok: true, recovered: false, mustRefetch: reason })
    }
    const other = await client.join(`named:${client.userId}`, from)
    assert.deepEqual({ ok: other.ok, recovered: other.recovered, mustRefetch: other.mustRefetch },
      { ok: true, recovered: false, mustRefetch: 'forbidden' }, 'a right to join is none to read what came before')
  })

  test(`E2 ${Client.protocol}: snapshot and stream: what was read at a position and what comes after it is the table`, async () => {
    await pulse.sql(`CREATE TABLE IF NOT EXISTS app.tally (id int PRIMARY KEY, n int)`)
    await pulse.sql(`TRUNCATE app.tally`)
    await pulse.sql(`INSERT INTO app.tally SELECT g, 0 FROM generate_series(1, 5) g`)
    let stop = false, written = 0
    const writer = (async () => {
      for (; !stop; written++) {
        await pulse.sql(`WITH up AS (UPDATE app.tally SET n = n + 1 WHERE id = 1 + $1 % 5 RETURNING id, n)
          SELECT pulse.publish($2, 'tally', json_build_object('id', id, 'n', n)) FROM up`, [written, room('tally')])
      }
    })()
    const rounds = async () => {
      for (let round = 0; round < 5; round++) {
        await until(() => written > 20 * round)
        const session = await pulse.cluster.connect()
        await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
        const [{ position }] = (await session.query('SELECT pulse.position() AS position')).rows
        const table = new Map((await session.query('SELECT id, n FROM app.tally')).rows.map(({ id, n }) => [id, n]))
        await session.query('COMMIT')
        await session.end()
        const client = await Client.open(pulse, { userId: `c${++users}` })
        const events = []
        if (client.hello) client.socket.on('message', data => { const message = JSON.parse(data); if (message.event === 'tally') events.push(message.args[0]) })
        else client.socket.on('tally', row => events.push(row))
        assert.equal((await client.join(room('tally'), position)).recovered, true)
        await until(() => events.length > 10)
        for (const { id, n } of events) {
          // What was committed but not dispatched at the position is in the table already and comes once more.
          assert.ok(n <= table.get(id) + 1, `row ${id}: ${table.get(id)}, then ${n}`)
          table.set(id, Math.max(n, table.get(id)))
        }
      }
    }
    await rounds().finally(() => { stop = true })
    await writer
  })

  test(`E2 ${Client.protocol}: an eviction takes effect at its position: before is delivered, after is not, and recovery knows of it`, async () => {
    const { client, who } = await here([room('evict'), room('stays')])
    const session = await pulse.cluster.connect()
    await session.query('BEGIN')
    await session.query(`SELECT pulse.publish($1, 'n', '2')`, [room('evict')])
    await session.query(`SELECT pulse.evict($1, $2, 'moved out')`, [room('evict'), who.userId])
    await session.query(`SELECT pulse.publish(ARRAY[$1, $2], 'n', '3')`, [room('evict'), room('stays')])
    await session.query(`SELECT pulse.publish($1, 'n', '4')`, [room('evict')])
    await session.query('COMMIT')
    await session.end()
    await client.fence()
    assert.deepEqual(client.numbers, [1, 2, 3])
    assert.deepEqual(client.evictions, [{ room: room('evict'), reason: 'moved out', after: 2 }])
    await client.cut()
    await publish([room('evict')], 5)
    await publish([room('stays')], 6)
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    assert.equal(back.recovered, true, 'it has seen the eviction')
    await back.fence()
    assert.deepEqual(back.numbers, [6])
    assert.equal((await back.join(room('evict'))).ok, true, 'when the policy allows it again')
  })

  test(`M10 ${Client.protocol}: the bridge is killed: its sessions go on where they were`, async () => {
    const { client, who } = await here([room('killed')], { bridge: pulse.bridges[1] })
    await pulse.bridges[1].kill()
    await client.ended
    for (const number of range(2, 4)) await publish(room('killed'), number)
    await pulse.bridges[1].restart()
    const back = await Client.open(pulse, who, { ticket: client.ticket, bridge: pulse.bridges[1] })
    assert.equal(back.recovered, true)
    await back.fence()
    assert.deepEqual(back.numbers, [2, 3, 4])
  })

  test(`M10 ${Client.protocol}: PostgreSQL crashes while it is away: a cursor of the epoch before is good`, async () => {
    const { client, who } = await here([room('crash')])
    await client.cut()
    await until(() => pulse.value('SELECT ended_at IS NOT NULL FROM _pulse.sessions WHERE user_id = $1', [who.userId]))
    await publish(room('crash'), 2)
    await pulse.cluster.restart('immediate')
    await until(async () => (await fetch(`${pulse.bridge.internalUrl}/ready`)).status === 200)
    await publish(room('crash'), 3)
    const back = await Client.open(pulse, who, { ticket: client.ticket })
    assert.equal(back.recovered, true)
    await back.fence()
    assert.deepEqual(back.numbers, [2, 3])
    assert.notEqual(back.last.split(':')[0], client.last.split(':')[0])
  })
}

test('E2 Socket.IO: the stock client comes back by itself with what it missed, in every namespace, binary too', async () => {
  await pulse.sql(`CREATE OR REPLACE FUNCTION app.welcome(claims json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["open:stock"]}'::json`)
  await pulse.sql(`SELECT pulse.namespace('/stock', 'app.welcome')`)
  const options = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 }
  const socket = pulse.socket({ userId: 'stock' }, options)
  const other = socket.io.socket('/stock', { auth: socket.auth })
  const got = gather(socket, 'n'), gotOther = gather(other, 'n')
  const both = Promise.all([next(socket, 'connect'), next(other, 'connect')])
  socket.connect()
  other.connect()
  await both
  await socket.emitWithAck('room:join', { room: 'open:stock' })
  await publish('open:stock', 1)
  await Promise.all([got.atLeast(1), gotOther.atLeast(1)])
  for (const round of [1, 2]) {
    const back = Promise.all([next(socket, 'connect'), next(other, 'connect')])
    socket.io.engine.transport.ws.terminate()
    await pulse.sql(`SELECT pulse.publish('open:stock', 'n', '{"_placeholder":true,"num":0}', attachments => ARRAY['\\x0102'::bytea])`)
    await publish('open:stock', 10 * round)
    await back
    assert.ok(socket.recovered && other.recovered)
    for (const one of [got, gotOther]) {
      await one.atLeast(1 + 2 * round)
      assert.deepEqual([...one.items.at(-2)[0]], [1, 2])
      assert.equal(one.items.at(-1)[0], 10 * round)
      assert.match(one.items.at(-2)[1], /^[0-9a-f]{16}:\d+$/)
    }
  }
  for (const one of [socket, other]) one.disconnect()
})

test('E5: without recovery there is no secret and no offset, and nobody is recovered', async () => {
  const bridge = await pulse.addBridge({ PULSE_RECOVERY: 'false' })
  const raw = await pulse.ws({ userId: 'raw' }, { bridge, path: '/socket.io/?EIO=4&transport=websocket', protocol: [] })
  const frames = () => raw.frames.items.map(([data]) => data.toString())
  raw.send('40{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"0123456789abcdef:1"}')
  const connected = await until(() => frames().find(text => text.startsWith('40')))
  assert.deepEqual(Object.keys(JSON.parse(connected.slice(2))), ['sid'])
  await pulse.sql(`SELECT pulse.publish('user:raw', 'n', '1')`)
  await until(() => frames().includes('42["n",1]'))
  raw.send('42["ping"]')
  await until(() => frames().some(text => /^42\["pong",\{"timestamp":"[^"]*"\}\]$/.test(text)))
  const client = await SocketIoClient.open(pulse, { userId: 'off' }, { bridge })
  assert.equal(client.ticket.pid, undefined)
  await client.cut()
})
