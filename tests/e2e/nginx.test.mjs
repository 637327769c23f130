// Two bridges behind nginx with the configuration of docs/how-to/nginx.conf: every protocol, stickiness where it is needed, and a bridge that dies (E5, M10).
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { EventSource } from 'eventsource'
import { Nginx } from '../support/nginx.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { connecting, gather, until } from '../support/wait.mjs'

let pulse, nginx
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_SSE_RETRY: '100ms' } })
  await pulse.load('rooms', 'clients')
})
after(() => pulse?.stop())
// One for each test: it remembers for a while which bridge did not answer.
beforeEach(async () => { nginx = await Nginx.start(pulse.bridges) })
afterEach(() => nginx?.stop())

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const publish = async (from, to) => { for (const number of range(from, to)) await pulse.sql(`SELECT pulse.publish('open:nginx', 'n', to_json($1::int))`, [number]) }
const sockets = () => Promise.all(pulse.bridges.map(bridge => bridge.metric('pulse_bridge_sockets')))
const comesBack = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100, timeout: 5000 }

const ways = { 'WebSocket only': ['websocket'], 'polling only': ['polling'], upgrade: ['polling', 'websocket'] }

// Connected through nginx, in the room; client: what it calls itself.
async function socketio(name, transports, client) {
  const socket = pulse.socket({ userId: name }, { bridge: nginx, transports, ...comesBack, ...client && { query: { client } } })
  const got = gather(socket, 'n')
  await connecting(socket)
  await until(() => socket.io.engine.transport.name === transports.at(-1), { what: 'the last transport' })
  assert.equal((await socket.emitWithAck('room:join', { room: 'open:nginx' })).ok, true)
  return { socket, numbers: () => got.items.map(([number]) => number) }
}

for (const [way, transports] of Object.entries(ways)) {
  test(`M10 nginx, Socket.IO, ${way}: sessions stay where they began, on both bridges, and those of a bridge that dies go on at the other`, async () => {
    const clients = await Promise.all(range(1, 12).map(n => socketio(`${way} ${n}`, transports, `${way} ${n}`)))
    const unnamed = await socketio(way, transports)
    assert.ok((await sockets()).every(count => count >= 1), `both bridges have some: ${await sockets()}`)
    await publish(1, 20)
    for (const { socket, numbers } of [...clients, unnamed]) {
      await until(() => numbers().length === 20)
      assert.deepEqual(await socket.emitWithAck('echo', 'x'), 'x')
    }
    const [dying] = pulse.bridges
    const before = clients.map(({ socket }) => socket.id)
    const lost = clients.map(({ socket }) => gather(socket, 'disconnect'))
    await dying.kill()
    await publish(21, 25)
    await until(() => clients.every(({ numbers }) => numbers().length === 25), { what: 'everybody having everything' })
    await publish(26, 30)
    for (const { numbers } of [...clients, unnamed]) {
      await until(() => numbers().length >= 30)
      assert.deepEqual(numbers(), range(1, 30))
    }
    assert.ok(lost.some(({ items }) => items.length > 0), 'some were at the bridge that died')
    assert.ok(lost.some(({ items }) => items.length === 0), 'those of the other bridge noticed nothing')
    assert.deepEqual(clients.map(({ socket }) => socket.id), before)
    await dying.restart()
    await publish(31, 40)
    for (const { numbers } of clients) {
      await until(() => numbers().length >= 40)
      assert.deepEqual(numbers(), range(1, 40))
    }
    for (const { socket } of [...clients, unnamed]) socket.disconnect()
  })
}

test('E5 nginx: native WebSocket is served by any bridge', async () => {
  const clients = await Promise.all(range(1, 6).map(n => pulse.ws({ userId: `native ${n}` }, { bridge: nginx })))
  for (const client of clients) {
    client.send('{"type":"join","room":"open:nginx","id":1}')
    await until(() => client.frames.items.some(([data]) => JSON.parse(data).type === 'ack'))
  }
  assert.ok((await sockets()).every(count => count >= 2), `least_conn spreads them: ${await sockets()}`)
  await publish(1, 10)
  for (const client of clients) {
    const numbers = () => client.frames.items.map(([data]) => JSON.parse(data)).filter(({ event }) => event === 'n').map(({ args: [number] }) => number)
    await until(() => numbers().length >= 10)
    assert.deepEqual(numbers(), range(1, 10))
    client.close()
  }
})

test('M10 nginx: SSE and long-poll are served by any bridge; when one dies its streams come back, and its polls notice nothing', async () => {
  const query = new URLSearchParams({ room: 'open:nginx', token: token({ userId: 'streams' }) })
  const streams = range(1, 4).map(() => new EventSource(`${nginx.url}/sse?${query}`))
  for (const source of streams) {
    source.numbers = []
    source.addEventListener('n', ({ data }) => source.numbers.push(JSON.parse(data)))
  }
  for (const source of streams) await until(() => source.readyState === EventSource.OPEN)
  let ended = false
  const ask = async (cursor, timeout) => await fetch(`${nginx.url}/poll?${query}&timeout=${timeout}${cursor ? `&cursor=${cursor}` : ''}`)
  const start = await (await ask(undefined, 0)).json()
  const polls = range(1, 6).map(() => {
    const numbers = [], statuses = new Set()
    const polling = (async () => {
      for (let { cursor } = start; !ended;) {
        const answer = await ask(cursor, 3)
        statuses.add(answer.status)
        if (answer.status !== 200) continue
        const page = await answer.json()
        numbers.push(...page.events.filter(({ event }) => event === 'n').map(({ args: [number] }) => number))
        cursor = page.cursor
      }
    })()
    return { numbers, statuses, polling }
  })
  const all = [...streams, ...polls]
  try {
    await publish(1, 10)
    await until(() => all.every(({ numbers }) => numbers.length >= 10), { what: 'the first ten' })
    await pulse.bridges[0].kill()
    await publish(11, 20)
    await until(() => all.every(({ numbers }) => numbers.length >= 20), { what: 'everything' })
    for (const { numbers } of all) assert.deepEqual(numbers, range(1, 20))
  } finally {
    ended = true
    for (const source of streams) source.close()
  }
  for (const { polling, statuses } of polls) {
    await polling
    assert.ok([...statuses].every(status => [200, 204].includes(status)), [...statuses].join())
  }
  await pulse.bridges[0].restart()
})
