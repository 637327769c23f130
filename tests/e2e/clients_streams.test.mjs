// SSE and long-poll with clients that know nothing of pulse: npm's eventsource and curl (E5, C3, F4).
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { EventSource } from 'eventsource'
import { Proxy } from '../support/proxy.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

const run = promisify(execFile)
const sources = new Set(), children = new Set()
let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2, environment: { PULSE_SSE_RETRY: '100ms', PULSE_PING_INTERVAL: '300ms' } })
  await pulse.load('rooms', 'clients')
})
after(async () => {
  for (const source of sources) source.close()
  for (const child of children) child.kill()
  await pulse?.stop()
})

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const publish = async (room, from, to) => { for (const number of range(from, to)) await pulse.sql(`SELECT pulse.publish($1, 'n', to_json($2::int))`, [room, number]) }
const authorization = text => (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${text}` } })

// An open stream that gathers the events `n`.
async function stream(path, { base = pulse.bridge.url, ...options } = {}) {
  const source = new EventSource(base + path, options)
  sources.add(source)
  source.numbers = []
  source.cursors = []
  source.addEventListener('n', ({ data, lastEventId }) => {
    source.numbers.push(JSON.parse(data))
    source.cursors.push(lastEventId)
  })
  source.unnamed = 0
  source.onmessage = () => { source.unnamed++ }
  await until(() => source.readyState === EventSource.OPEN, { what: 'the stream' })
  return source
}

test('E5 eventsource: token in the header, the query or a cookie; each event once, in order, its id a cursor', async () => {
  const text = token({ userId: 'sse' })
  const streams = await Promise.all([
    stream('/sse?room=open:es', { fetch: authorization(text) }),
    stream(`/sse?room=open:es&token=${text}`),
    stream('/sse?room=open:es', { fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, cookie: `theme=dark; pulse_token=${text}` } }) }),
    stream(`/sse?rooms=open:es,open:other&event=n&token=${text}`, { base: pulse.bridges[1].url })
  ])
  await publish('open:es', 1, 10)
  await pulse.sql(`SELECT pulse.publish(ARRAY['open:es', 'open:other'], 'n', '11')`)
  for (const source of streams) await until(() => source.numbers.length >= 11)
  const { cursors } = streams[0]
  for (const source of streams) {
    assert.deepEqual(source.numbers, range(1, 11))
    assert.deepEqual(source.cursors, cursors, 'the same on every bridge')
  }
  assert.equal(new Set(cursors).size, 11)
  // Heartbeats are comments: no listener hears of them.
  for (const source of streams) {
    assert.equal(source.unnamed, 0)
    source.close()
  }
})

test('E2 eventsource: cut off, it comes back by itself to another bridge, and is given what it missed', async () => {
  let target = pulse.bridges[0]
  const proxy = await Proxy.start(() => target ? [target.port] : [])
  const source = await stream(`/sse?room=open:cut&token=${token({ userId: 'cut' })}`, { base: proxy.url })
  await publish('open:cut', 1, 5)
  await until(() => source.numbers.length === 5)
  for (const [turn, bridge] of [pulse.bridges[1], pulse.bridges[0]].entries()) {
    target = undefined
    proxy.cut()
    await publish('open:cut', 6 + 10 * turn, 10 + 10 * turn)
    target = bridge
    await until(() => source.numbers.at(-1) === 10 + 10 * turn, { what: 'what it missed' })
    await publish('open:cut', 11 + 10 * turn, 15 + 10 * turn)
    await until(() => source.numbers.at(-1) === 15 + 10 * turn)
  }
  assert.deepEqual(source.numbers, range(1, 25))
  source.close()
  await proxy.stop()
})

test('E5 eventsource: refused, it is told the status and does not come back', async () => {
  const text = token({ userId: 'ann' })
  for (const [path, status] of [['/sse?room=open:x', 401], ['/sse?room=open:x&token=no.token.this', 401], [`/sse?room=named:bob&token=${text}`, 403], [`/sse?token=${text}`, 422]]) {
    const source = new EventSource(pulse.bridge.url + path)
    const [{ code }] = await once(source, 'error')
    assert.deepEqual([code, source.readyState], [status, EventSource.CLOSED], path)
  }
})

test('C3 eventsource: a cursor that is not good any more is said, and the stream goes on from now', async () => {
  const source = new EventSource(`${pulse.bridge.url}/sse?room=open:old&lastEventId=0123456789abcdef:1&token=${token({ userId: 'old' })}`)
  sources.add(source)
  const [{ data }] = await once(source, 'must-refetch')
  const { reason, position } = JSON.parse(data)
  assert.equal(reason, 'foreign_epoch')
  assert.match(position, /^[0-9a-f]{16}:\d+$/)
  const event = once(source, 'n')
  await publish('open:old', 1, 1)
  assert.equal((await event)[0].data, '1')
  source.close()
})

function curl(...args) {
  const child = spawn('curl', ['-sS', '-N', ...args])
  children.add(child)
  child.exited = once(child, 'exit')
  child.lines = gather(createInterface({ input: child.stdout }), 'line')
  child.text = () => child.lines.items.map(([line]) => line)
  return child
}

test('E5 curl: a stream by hand, and what was missed since an id', async () => {
  const bearer = ['-H', `Authorization: Bearer ${token({ userId: 'curl' })}`]
  const child = curl('-i', ...bearer, `${pulse.bridge.url}/sse?room=open:curl`)
  await until(() => child.text().some(line => line.startsWith('id: ')), { what: 'the first id' })
  const head = child.text().slice(0, child.text().indexOf('')).join('\n').toLowerCase()
  assert.match(head, /^http\/1\.1 200/)
  assert.match(head, /content-type: text\/event-stream/)
  assert.ok(child.text().includes('retry: 100'))
  await publish('open:curl', 1, 3)
  await until(() => child.text().filter(line => line === 'event: n').length === 3)
  const lines = child.text(), first = lines.indexOf('data: 1')
  assert.deepEqual([lines[first - 1], lines[first + 1]], ['event: n', ''])
  const id = lines[first - 2]
  assert.match(id, /^id: [0-9a-f]{16}:\d+$/)
  child.kill()
  await child.exited
  const again = curl(...bearer, '-H', `Last-Event-ID: ${id.slice(4)}`, `${pulse.bridges[1].url}/sse?room=open:curl`)
  await until(() => again.text().includes('data: 3'))
  assert.deepEqual(again.text().filter(line => line.startsWith('data: ')), ['data: 2', 'data: 3'])
  again.kill()
  await again.exited
})

test('F4 curl: long-poll from a cursor on, on any bridge', async () => {
  const poll = async (query, bridge = pulse.bridge) => {
    const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code}', '-H', `Authorization: Bearer ${token({ userId: 'curl' })}`, `${bridge.url}/poll?${query}`])
    const [body, status] = [stdout.slice(0, stdout.lastIndexOf('\n')), Number(stdout.slice(stdout.lastIndexOf('\n') + 1))]
    return { status, ...body && JSON.parse(body) }
  }
  const start = await poll('room=open:poll')
  assert.deepEqual([start.status, start.events], [200, []])
  const waiting = poll(`room=open:poll&cursor=${start.cursor}&timeout=30`, pulse.bridges[1])
  await publish('open:poll', 1, 1)
  const one = await waiting
  assert.deepEqual([one.status, one.events.map(({ event, args, room }) => [event, args, room])], [200, [['n', [1], 'open:poll']]])
  await publish('open:poll', 2, 40)
  const numbers = []
  for (let { cursor } = one; numbers.length < 39;) {
    const page = await poll(`room=open:poll&cursor=${cursor}`, pulse.bridges[numbers.length % 2])
    assert.equal(page.status, 200)
    numbers.push(...page.events.map(({ args: [number] }) => number))
    cursor = page.cursor
  }
  assert.deepEqual(numbers, range(2, 40))
  assert.equal((await poll(`room=open:poll&cursor=${await pulse.value('SELECT pulse.position()')}&timeout=0`)).status, 204)
  const old = await poll('room=open:poll&cursor=0123456789abcdef:1')
  assert.deepEqual([old.status, old.error.code], [410, 'must_refetch'])
  assert.equal((await poll(`room=open:poll&cursor=${old.cursor}&timeout=0`)).status, 204)
  for (const [query, status] of [['room=named:bob', 403], ['', 422]]) assert.equal((await poll(query)).status, status, query)
})
