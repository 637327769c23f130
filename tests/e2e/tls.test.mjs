// TLS: versions, ALPN, every protocol over it, and certificates that are exchanged while clients are connected.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import WebSocket from 'ws'
import { Certificates } from '../support/certificates.mjs'
import { root } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { RawHttp, request } from '../support/raw_http.mjs'
import { secret, token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

const program = join(root, process.env.BRIDGE ?? 'build/plain/bin/pulse-bridge')
let pulse, bridge, certificates
before(async () => {
  certificates = new Certificates()
  certificates.write(1)
  pulse = await startPulse({ bridges: 0 })
  await pulse.load('rooms')
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)  // polls read it
  bridge = await pulse.addBridge(certificates.settings)
})
after(async () => {
  await pulse.stop()
  certificates.remove()
})

const open = (tls, port = bridge.port) => RawHttp.open(port, { tls })
const serial = line => Number(`0x${line.socket.getPeerCertificate().serialNumber}`)
const logged = (message, n = 1) => until(() => { const found = bridge.log.filter(entry => entry.message === message); return found.length >= n && found.at(-1) }, { what: message })
const reload = () => process.kill(bridge.pid, 'SIGHUP')

test('E5: TLS 1.3 with ALPN http/1.1; the internal listener stays plain', async () => {
  const line = await open({ ALPNProtocols: ['h2', 'http/1.1'] })
  assert.equal(line.socket.getProtocol(), 'TLSv1.3')
  assert.equal(line.socket.alpnProtocol, 'http/1.1')
  line.send(request('GET', '/health'))
  assert.equal((await line.answer()).status, 200)
  line.destroy()
  assert.equal((await fetch(`${bridge.internalUrl}/health`)).status, 200)
})

test('M10: TLS 1.2 is refused by default and let in by --tls-min 1.2; 1.1 never', async () => {
  await assert.rejects(open({ maxVersion: 'TLSv1.2' }), error => /alert protocol version|unsupported protocol/i.test(error.message))
  const older = await pulse.addBridge({ ...certificates.settings, PULSE_TLS_MIN: '1.2' })
  const line = await open({ maxVersion: 'TLSv1.2' }, older.port)
  assert.equal(line.socket.getProtocol(), 'TLSv1.2')
  assert.match(line.socket.getCipher().name, /^ECDHE-.*(GCM|CHACHA20)/)
  line.destroy()
  const newer = await open({}, older.port)
  assert.equal(newer.socket.getProtocol(), 'TLSv1.3')
  newer.destroy()
  await assert.rejects(open({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }, older.port))
})

test('M10: a client that speaks only h2, plain HTTP and garbage end without harm; a handshake that never comes ends by its deadline', async () => {
  await assert.rejects(open({ ALPNProtocols: ['h2'] }))
  for (const text of [request('GET', '/health'), '\x16\x03\x01\xff\xffgarbage', '\x80\x00\x00']) {
    const line = await RawHttp.open(bridge.port)
    line.send(text)
    line.socket.end()
    await line.closed
    assert.ok(!line.text.includes('HTTP/1.1 200'))
  }
  const impatient = await pulse.addBridge({ ...certificates.settings, PULSE_HEADER_TIMEOUT: '1500ms' })
  const silent = await RawHttp.open(impatient.port)
  await silent.closed
  assert.equal((await RawHttp.ask(impatient.port, request('GET', '/health'), { tls: {} })).status, 200)
})

test('E5: every protocol over TLS', async t => {
  const who = { userId: 'tls' }, text = token(who), tls = { rejectUnauthorized: false }
  const sockets = [], got = []
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const socket = await pulse.io(who, { bridge, transports, ...tls })
    assert.equal((await socket.emitWithAck('room:join', { room: 'open:tls' })).ok, true)
    got.push(gather(socket, 'news'))
    sockets.push(socket)
  }
  const native = new WebSocket(`wss://127.0.0.1:${bridge.port}/ws?token=${text}`, 'pulse.v1.json', tls)
  t.after(() => native.terminate())
  const frames = gather(native, 'message')
  await once(native, 'open')
  await frames.atLeast(1)
  native.send(JSON.stringify({ type: 'join', room: 'open:tls', id: 1 }))
  await frames.atLeast(2)
  const stream = await open({})
  t.after(() => stream.destroy())
  stream.send(request('GET', '/sse?room=open:tls', { Authorization: `Bearer ${text}` }))
  await until(() => stream.text.includes('id: '))
  const poll = async cursor => (await RawHttp.ask(bridge.port, request('GET', `/poll?room=open:tls&cursor=${cursor}`, { Authorization: `Bearer ${text}` }), { tls: {} })).json
  const { cursor } = await poll('')
  const polled = poll(cursor)

  const big = 'y'.repeat(100_000)  // many TLS records
  await pulse.sql(`SELECT pulse.publish('open:tls', 'news', $1::json)`, [JSON.stringify(big)])
  for (const one of got) assert.equal((await one.atLeast(1))[0][0], big)
  await frames.atLeast(3)
  assert.equal(JSON.parse(frames.items[2][0]).args[0], big)
  await until(() => stream.text.includes(big))
  assert.equal((await polled).events[0].args[0], big)
  for (const socket of sockets) {
    assert.equal(await socket.emitWithAck('echo', big), big)
    socket.disconnect()
  }
})

test('M10: a new certificate is taken by SIGHUP while clients send; nobody is cut off', async () => {
  const socket = await pulse.io({ userId: 'stays' }, { bridge, rejectUnauthorized: false })
  const disconnects = gather(socket, 'disconnect')
  const idle = await open({})
  assert.equal(serial(idle), 1)
  idle.send(request('GET', '/health'))
  assert.equal((await idle.answer()).status, 200)
  let sending = true, answered = 0
  const load = (async () => { while (sending) { assert.equal(await socket.emitWithAck('echo', answered), answered); answered++ } })()
  const visits = (async () => {
    while (sending) assert.equal((await RawHttp.ask(bridge.port, request('GET', '/health'), { tls: {} })).status, 200)
  })()
  for (const number of [2, 3, 4]) {
    certificates.write(number)
    reload()
    await logged('certificate reloaded', number - 1)
    const line = await open({})
    assert.equal(serial(line), number)
    line.destroy()
  }
  sending = false
  await Promise.all([load, visits])
  assert.ok(answered > 0)
  assert.equal(disconnects.items.length, 0)
  idle.send(request('GET', '/health'))
  assert.equal((await idle.answer(1)).status, 200)
  idle.destroy()
  socket.disconnect()
})

test('M10: a bad new certificate is refused with its reason, and the old one stays', async () => {
  const old = serial(await open({}))
  const [cert, key] = [certificates.certificate, certificates.key]
  copyFileSync(cert, `${cert}.good`)
  copyFileSync(key, `${key}.good`)
  const refused = bridge.log.filter(({ message }) => message === 'certificate not reloaded').length
  const cases = [
    [() => writeFileSync(cert, 'nonsense'), /cannot read a certificate/],
    [() => { certificates.write(66); copyFileSync(`${key}.good`, key) }, /does not belong/],
    [() => certificates.write(67, { days: -1 }), /expired/]
  ]
  for (const [n, [spoil, reason]] of cases.entries()) {
    spoil()
    reload()
    const { reason: said, level } = await logged('certificate not reloaded', refused + n + 1)
    assert.match(said, reason)
    assert.equal(level, 'error')
    const line = await open({})
    assert.equal(serial(line), old)
    line.destroy()
  }
  copyFileSync(`${cert}.good`, cert)
  copyFileSync(`${key}.good`, key)
})

test('M10: `check` looks at the certificate, and a bridge with a bad one does not start', async () => {
  const run = (args, env) => promisify(execFile)(program, args, { env: { PATH: process.env.PATH, PULSE_DATABASE_URL: pulse.cluster.url({ user: 'bridge' }), PULSE_JWT_SECRET: secret, ...env } })
  await run(['check'], certificates.settings)
  const bad = new Certificates()
  try {
    bad.write(1, { days: -1 })
    await assert.rejects(run(['check'], bad.settings), error => error.code === 1 && /expired/.test(error.stderr) && /^hint: /m.test(error.stderr))
    writeFileSync(bad.key, 'nonsense')
    for (const command of ['check', 'serve']) {
      await assert.rejects(run([command], bad.settings), error => error.code === 2 && error.stderr.includes(bad.key))
    }
  } finally {
    bad.remove()
  }
})

test('M10: an idle TLS connection keeps no record buffers', async () => {
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]) * 1024
  const lines = []
  const openSome = async n => { for (let i = 0; i < n; i++) lines.push(await open({})) }
  await openSome(100)  // what is allocated once
  const before = memory()
  await openSome(400)
  const each = (memory() - before) / 400
  for (const line of lines) line.destroy()
  // 16 KB to read and 16 KB to write would be more than 32 KB; a session's state alone is a few.
  assert.ok(each < 30_000 || process.env.BRIDGE?.includes('asan'), `${Math.round(each)} bytes a connection`)
})
