// Cuts: the LISTEN connection under load, every backend, the dispatcher, the server. Sockets stay, and get everything once.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse, sockets
before(async () => {
  pulse = await startPulse()
  await pulse.load('rooms')
  sockets = []
  for (let n = 0; n < 4; n++) {
    const socket = await pulse.io({ userId: `u${n}` })
    for (const room of ['open:a', 'open:b']) assert.equal((await socket.emitWithAck('room:join', { room })).ok, true)
    sockets.push(socket)
  }
})
after(() => pulse?.stop())

// Publishes 1 … until stopped, from several sessions, while `disturb` runs; returns the numbers whose commit was confirmed.
async function underLoad(event, disturb) {
  const got = sockets.map(socket => gather(socket, event))
  const committed = new Set(), unsure = new Set()
  let stop = false, n = 0
  const writers = Array.from({ length: 4 }, async () => {
    let client
    while (!stop) {
      const number = ++n
      try {
        client ??= await pulse.cluster.connect()
        await client.query(`SELECT pulse.publish(ARRAY['open:a','open:b'], $1, to_json($2::int))`, [event, number])
        committed.add(number)
      } catch {
        unsure.add(number)   // the connection broke: it may have been committed
        await client?.end().catch(() => {})
        client = undefined
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    }
    await client?.end().catch(() => {})
  })
  const more = async count => { const sofar = committed.size; await until(() => committed.size > sofar + count, { what: 'publishing going on' }) }
  await more(50)
  await disturb(more)
  await more(50)
  stop = true
  await Promise.all(writers)
  const fences = sockets.map(socket => next(socket, `${event} fence`))
  await pulse.sql(`SELECT pulse.publish('open:a', $1, 'null')`, [`${event} fence`])
  await Promise.all(fences)   // behind it nothing comes that was published before, not even a second time
  for (const one of got) {
    const numbers = one.items.map(([number]) => number), seen = new Set(numbers)
    assert.deepEqual([...committed].filter(number => !seen.has(number)), [], 'nothing missing')
    assert.equal(new Set(numbers).size, numbers.length, 'nothing doubled')
    assert.ok(numbers.every(number => committed.has(number) || unsure.has(number)), 'nothing that was not published')
    assert.deepEqual(numbers, got[0].items.map(([number]) => number), 'one order for all')
  }
  for (const socket of sockets) assert.ok(socket.connected, 'the sockets stayed')
}

test('E2: the LISTEN connection is cut under load: nothing missing, nothing doubled', async () => {
  await underLoad('listen', async more => {
    for (let n = 0; n < 5; n++) {
      await until(async () => await pulse.cutListeners() > 0, { what: 'a listener to cut' })
      await more(20)
    }
  })
})

test('M10: every backend of the bridge is cut under load', async () => {
  await underLoad('all', async () => { assert.ok(await pulse.cutBridges() > 0) })
})

test('E2: the dispatcher is terminated under load: another goes on where it stopped', async () => {
  await underLoad('dispatcher', async () => {
    const pid = await pulse.value(`SELECT (pulse.status()->'dispatcher'->>'pid')::int`)
    await pulse.sql('SELECT pg_terminate_backend($1)', [pid])
    await until(async () => { const now = await pulse.value(`SELECT (pulse.status()->'dispatcher'->>'pid')::int`); return now && now !== pid })
  })
})

test('M10: kill -9 of the dispatcher restarts the cluster: a new epoch, positions go on, sockets get everything', async () => {
  const before = await pulse.value('SELECT pulse.position()')
  await underLoad('crash', async () => {
    const pid = await pulse.value(`SELECT (pulse.status()->'dispatcher'->>'pid')::int`)
    process.kill(pid, 'SIGKILL')
    await until(async () => (await pulse.value('SELECT pulse.position()')).split(':')[0] !== before.split(':')[0], { what: 'a new epoch' })
  })
  const after = await pulse.value('SELECT pulse.position()')
  assert.ok(BigInt(after.split(':')[1]) > BigInt(before.split(':')[1]))
})

test('M10: while PostgreSQL is away sockets stay, /ready says why, and joins are answered in the end', async () => {
  await pulse.cluster.stop('immediate')
  const response = await until(async () => { const r = await fetch(`${pulse.bridge.internalUrl}/ready`); return r.status === 503 && r })
  const body = await response.json()
  assert.equal(body.ready, false)
  assert.ok(body.reason)
  const answer = sockets[0].timeout(20_000).emitWithAck('room:join', { room: 'open:late' })
  await pulse.cluster.start()
  const ack = await answer
  assert.ok(ack.ok === true || ack.error?.code === 'unavailable', JSON.stringify(ack))
  await until(async () => (await fetch(`${pulse.bridge.internalUrl}/ready`)).status === 200)
  const got = gather(sockets[0], 'back')
  await pulse.sql(`SELECT pulse.publish('open:a', 'back', 'true')`)
  await got.atLeast(1)
  assert.ok(sockets.every(socket => socket.connected))
})
