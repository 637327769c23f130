// A page in Chromium, from another origin than the bridge: every client that a browser has, cut off and coming back (E5, F3, C3).
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Browser, PageServer } from '../support/browser.mjs'
import { root } from '../support/cluster.mjs'
import { Proxy } from '../support/proxy.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

const kinds = ['Socket.IO, WebSocket', 'Socket.IO, polling', 'Socket.IO, upgrade', 'WebSocket', 'EventSource', 'fetch, long-poll']
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

let pages, strangers, browser, pulse, proxy, page, reachable = true
before(async () => {
  [pages, strangers, browser] = await Promise.all([PageServer.start(), PageServer.start(), Browser.start()])
  pulse = await startPulse({ environment: { PULSE_CORS_ORIGIN: pages.origin, PULSE_SSE_RETRY: '200ms' } })
  await pulse.load('rooms', 'clients')
  proxy = await Proxy.start(() => reachable ? [pulse.bridge.port] : [])
  page = await browser.open(pages.origin)
})
after(async () => {
  await browser?.stop()
  pages?.stop()
  strangers?.stop()
  await proxy?.stop()
  await pulse?.stop()
})

const publish = number => pulse.sql(`SELECT pulse.publish('open:page', 'n', to_json($1::int))`, [number])
const all = (check, what) => until(async () => {
  const report = await page.evaluate(() => window.pulse.report())
  if (Object.values(report).every(check)) return report
  throw new Error(JSON.stringify(report))
}, { what })

test('E5 browser: every client connects across origins and gets each event once, in order', async () => {
  for (const kind of kinds) {
    await page.evaluate(([name, options]) => window.pulse.open(name, options), [kind, { url: proxy.url, token: token({ userId: kind }), room: 'open:page' }])
  }
  await all(({ state }) => state === 'live', 'all clients being connected')
  for (const number of range(1, 20)) await publish(number)
  const report = await all(({ numbers }) => numbers.length >= 20, 'the events')
  for (const kind of kinds) assert.deepEqual(report[kind].numbers, range(1, 20), kind)
})

test('F3 browser: the network goes and comes back: so does every client, by itself, with what it missed', async () => {
  reachable = false
  proxy.cut()
  await all(({ state }) => state === 'broken', 'all clients noticing')
  for (const number of range(21, 30)) await publish(number)
  reachable = true
  await all(({ state, connects }) => state === 'live' && connects === 2, 'all clients being back')
  for (const number of range(31, 35)) await publish(number)
  const report = await all(({ numbers }) => numbers.includes(35), 'the events')
  for (const kind of kinds) assert.deepEqual(report[kind].numbers, range(1, 35), kind)
  mkdirSync(join(root, 'build', 'logs'), { recursive: true })
  await page.screenshot({ path: join(root, 'build', 'logs', 'browser.png') })
})

for (const kind of kinds.filter(name => name.startsWith('Socket.IO'))) {
  test(`F4 browser, ${kind}: acks, and bytes both ways`, async () => {
    const answer = await page.evaluate(async name => {
      const bytes = Uint8Array.from({ length: 1000 }, (_, n) => n % 256)
      return await window.pulse.socket(name).emitWithAck('digest', 'a', bytes, new Blob([bytes]))
    }, kind)
    assert.equal(answer.args[0], 'a')
    assert.equal(answer.md5.length, 2)
    assert.equal(answer.md5[0], answer.md5[1])
    await page.evaluate(name => { window.file = new Promise(resolve => window.pulse.socket(name).once('file', file => resolve([...new Uint8Array(file)]))) }, kind)
    await pulse.sql(`SELECT pulse.publish('open:page', 'file', '{"_placeholder":true,"num":0}', attachments => ARRAY['\\x00ff80'::bytea])`)
    assert.deepEqual(await page.evaluate(() => window.file), [0, 255, 128])
  })
}

test('E5 browser: a page of an origin that is not let in gets nothing', async () => {
  const stranger = await browser.open(strangers.origin)
  const outcome = await stranger.evaluate(async ([url, text]) => ({
    fetch: await fetch(`${url}/poll?room=open:page`, { headers: { authorization: `Bearer ${text}` } }).then(({ status }) => status, error => error.name),
    polling: await new Promise(resolve => {
      const socket = io(url, { transports: ['polling'], auth: { token: text }, reconnection: false })
      socket.on('connect', () => resolve('connected'))
      socket.on('connect_error', error => resolve(error.message))
    }),
    webSocket: await new Promise(resolve => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?token=${text}`, 'pulse.v1.json')
      socket.onopen = () => resolve('open')
      socket.onerror = () => resolve('error')
    }),
    eventSource: await new Promise(resolve => {
      const source = new EventSource(`${url}/sse?room=open:page&token=${text}`)
      source.onopen = () => resolve('open')
      source.onerror = () => { resolve('error'); source.close() }
    })
  }), [pulse.bridge.url, token({ userId: 'stranger' })])
  await stranger.close()
  assert.deepEqual(outcome, { fetch: 'TypeError', polling: 'xhr poll error', webSocket: 'error', eventSource: 'error' })
})

test('E5 browser: nothing on the page failed unnoticed', () => assert.deepEqual(browser.errors, []))
