// What an operator sees and does: probes, metrics, logs, settings, the drain, keys, several bridges, a client that does not read.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/cluster.mjs'
import { heldHandler, hold, underWay } from '../support/held.mjs'
import { startPulse } from '../support/pulse.mjs'
import { secret, token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

const program = join(root, process.env.BRIDGE ?? 'build/plain/bin/pulse-bridge')
const run = (args, env = {}) => promisify(execFile)(program, args, { env: { PATH: process.env.PATH, ...env } })

let pulse, keys
before(async () => {
  keys = mkdtempSync(join(tmpdir(), 'keys-'))
  pulse = await startPulse({ settings: { 'pulse.handler_timeout': '20s' } })
  await pulse.load('rooms')
  await pulse.sql(heldHandler)
})
after(async () => {
  await pulse.stop()
  rmSync(keys, { recursive: true })
})

test('E6: /health and /ready answer with what is known, on both listeners, for GET and HEAD', async () => {
  for (const url of [pulse.bridge.url, pulse.bridge.internalUrl]) {
    // A bridge that has just started asks the database for its status first.
    const health = await until(async () => { const answer = await fetch(`${url}/health`); return (await answer.clone().json()).checks.queue?.available !== undefined && answer })
    assert.equal(health.status, 200)
    const body = await health.json()
    assert.equal(body.status, 'ok')
    for (const check of ['postgres', 'dispatcher', 'presence', 'queue', 'connections']) assert.ok(body.checks[check], check)
    assert.equal(typeof body.checks.dispatcher.lagEvents, 'number')
    for (const state of ['available', 'executing', 'retryable', 'dead']) assert.equal(typeof body.checks.queue[state], 'number', state)
    for (const kind of ['websocket', 'polling', 'sse', 'poll']) assert.equal(typeof body.checks.connections[kind], 'number', kind)
    const ready = await fetch(`${url}/ready`)
    assert.equal(ready.status, 200)
    assert.deepEqual((await ready.json()).ready, true)
    const head = await fetch(`${url}/health`, { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  }
})

test('E6: /metrics has the jobs of each queue, and for how long the first has waited', async () => {
  const jobs = (state, queue = 'metered') => pulse.bridge.metric('pulse_queue_jobs', { queue, state })
  await pulse.sql(`SELECT pulse.job_kind('metered', 'external'), pulse.enqueue('metered', 'metered', '{}'), pulse.enqueue('metered', 'metered', '{}'), pulse.enqueue('metered', 'metered', '{}', run_at => now() + interval '1 h')`)
  await until(async () => await jobs('available') === 2 && await jobs('scheduled') === 1 && await pulse.bridge.metric('pulse_queue_oldest_seconds', { queue: 'metered' }) > 0)
  const [{ id }] = await pulse.sql(`SELECT id FROM pulse.fetch_jobs('metered', 'w', 1)`)
  await pulse.sql(`SELECT pulse.nack($1, 1, 'no', permanent => true)`, [id])
  await until(async () => await jobs('dead') === 1)
  await pulse.sql(`SELECT pulse.purge_queue('metered'), pulse.purge('metered')`)
  await until(async () => await jobs('dead') === 0 && await jobs('available') === 0 && await jobs('executing') === 0)
})

test('E6: /metrics counts connections, messages in and out', async () => {
  const opened = await pulse.bridge.metric('realtime_connections_opened_total', { namespace: '/', transport: 'websocket' }) ?? 0
  const socket = await pulse.io({ userId: 'm' })
  await socket.emitWithAck('room:join', { room: 'open:m' })
  await socket.emitWithAck('echo', 1)
  const event = next(socket, 'measured')
  await pulse.sql(`SELECT pulse.publish('open:m', 'measured', '1')`)
  await event
  await until(async () => await pulse.bridge.metric('realtime_connections_opened_total', { namespace: '/', transport: 'websocket' }) === opened + 1)
  assert.ok(await pulse.bridge.metric('realtime_active_connections', { namespace: '/' }) >= 1)
  assert.ok(await pulse.bridge.metric('realtime_messages_received_total', { namespace: '/', event: 'echo' }) >= 1)
  await until(async () => await pulse.bridge.metric('realtime_messages_sent_total', { namespace: '/' }) >= 1)
})

test('E6: the log is one JSON object a line and carries no token, user or payload', async () => {
  const socket = await pulse.io({ userId: 'very-private-person' })
  await socket.emitWithAck('echo', { note: 'very-private-note' })
  await socket.emitWithAck('crash', { note: 'very-private-note' })
  socket.disconnect()
  for (const line of pulse.bridge.text.trim().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line)
  assert.ok(!pulse.bridge.text.includes('very-private'))
  assert.ok(!pulse.bridge.text.includes(secret))
})

test('E6: settings by flag, environment and file; --print-config hides secrets; an unknown key is named', async () => {
  const file = join(keys, 'bridge.toml')
  writeFileSync(file, 'ping-interval = "7s"\nlog-level = "warn"\n')
  const { stdout } = await run(['serve', '--config', file, '--ping-timeout', '3s', '--print-config'],
    { PULSE_MAX_PAYLOAD: '5000', PULSE_JWT_SECRET: secret, PULSE_DATABASE_URL: 'postgresql:///none' })
  assert.match(stdout, /ping-interval\s*=\s*"?7s/)
  assert.match(stdout, /ping-timeout\s*=\s*"?3s/)
  assert.match(stdout, /max-payload\s*=\s*"?5000/)
  assert.ok(!stdout.includes(secret))
  writeFileSync(file, 'ping-intervall = "7s"\n')
  await assert.rejects(run(['serve', '--config', file, '--print-config']), error => error.code !== 0 && (error.stderr + error.stdout).includes('ping-intervall'))
  await assert.rejects(run(['serve', '--ping-interval', 'soon']), error => (error.stderr + error.stdout).includes('ping-interval'))
})

test('E6: the command mints tokens that the bridge takes', async () => {
  const { stdout } = await run(['token', 'mint', '--user', 'minted', '--claim', 'role=nurse', '--expires', '1h'], { PULSE_JWT_SECRET: secret })
  const socket = await pulse.io(stdout.trim())
  assert.deepEqual(await socket.emitWithAck('who'), { user: 'minted', role: 'nurse', as: 'pulse_client' })
})

test('E5: RS256 and ES256 keys verify tokens; a key is good for its own algorithm only', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }), ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const files = [rsa, ec].map(({ publicKey }, n) => {
    const file = join(keys, `${n}.pem`)
    writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }))
    return file
  })
  const configFile = join(keys, 'keys.toml')
  writeFileSync(configFile, `jwt-public-key-file = [${files.map(file => JSON.stringify(file)).join(', ')}]\n`)
  const bridge = await pulse.addBridge({ PULSE_CONFIG: configFile })
  for (const good of [token({ userId: 'r' }, { alg: 'RS256', key: rsa.privateKey }), token({ sub: 'e' }, { alg: 'ES256', key: ec.privateKey })]) {
    assert.equal((await pulse.io(good, { bridge })).connected, true)
  }
  const publicText = rsa.publicKey.export({ type: 'spki', format: 'pem' })
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  for (const bad of [token({ userId: 'x' }, { alg: 'HS256', key: publicText }), token({ userId: 'x' }, { alg: 'RS256', key: other.privateKey }), token({ userId: 'x' }, { alg: 'none' })]) {
    const error = await pulse.io(bad, { bridge }).catch(error => error)
    assert.equal(error.data?.code, 'unauthenticated')
  }
})

test('E5: a session ends when its token does, by 41, so that the client does not hammer', async () => {
  const socket = await pulse.io(token({ userId: 'short' }, { expires: 4 }))
  const [reason] = await next(socket, 'disconnect')
  assert.equal(reason, 'io server disconnect')
})

test('M10: a client that does not read is dropped; others go on', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '200000' })
  const slow = await pulse.ws({ userId: 'slow' }, { bridge }), fine = await pulse.io({ userId: 'fine' }, { bridge })
  const { frames, closed } = slow
  await frames.atLeast(1)
  slow.send(JSON.stringify({ type: 'join', room: 'open:flood', id: 1 }))
  await frames.atLeast(2)
  await fine.emitWithAck('room:join', { room: 'open:flood' })
  const got = gather(fine, 'flood')
  slow.pause()
  const text = 'x'.repeat(50_000)
  for (let n = 0; n < 200; n++) {
    await pulse.sql(`SELECT pulse.publish('open:flood', 'flood', $1::json)`, [JSON.stringify({ n, text })])
    if (n % 3 === 2) await got.atLeast(n + 1)  // on a busy machine the one that reads could fall as far behind
  }
  await got.atLeast(200)
  assert.deepEqual(got.items.map(([{ n }]) => n), Array.from({ length: 200 }, (_, n) => n))
  await until(async () => await bridge.metric('realtime_delivery_failures_total', {}) >= 1, { what: 'the slow client being dropped' })
  slow.resume()
  await closed
})

test('M10: SIGTERM drains: clients are told to come back, the process ends with 0', async () => {
  const bridge = await pulse.addBridge()
  const stock = pulse.socket({ userId: 'd' }, { bridge, reconnection: true })
  stock.connect()
  await next(stock, 'connect')
  const native = await pulse.ws({ userId: 'd' }, { bridge })
  const dropped = next(stock, 'disconnect')
  await bridge.stop()
  assert.equal((await dropped)[0], 'transport close')
  assert.ok(stock.active, 'the client will reconnect')
  assert.ok([1001, 1012].includes((await native.closed)[0]))
})

test('M10: SIGTERM lets a handler under way finish: its ack arrives before the socket is closed; idle clients go at once', async () => {
  const bridge = await pulse.addBridge({ PULSE_DRAIN_TIMEOUT: '10m' })   // it ends with the last handler
  const busy = await pulse.io({ userId: 'busy' }, { bridge }), idle = await pulse.io({ userId: 'idle' }, { bridge })
  const native = await pulse.ws({ userId: 'busy' }, { bridge })
  const order = []
  busy.on('disconnect', () => order.push('busy gone'))
  idle.on('disconnect', () => order.push('idle gone'))
  const letGo = await hold(pulse)
  const ack = busy.emitWithAck('held', 1).then(answer => { order.push('ack'); return answer })
  await native.frames.atLeast(1)
  native.send(JSON.stringify({ type: 'emit', event: 'held', args: [1], id: 7 }))
  await underWay(pulse, 2)
  const stopped = bridge.stop()
  await until(() => order.length === 1)
  await letGo()
  assert.equal(await ack, 1)
  await stopped
  await until(() => order.length === 3)
  assert.deepEqual(order, ['idle gone', 'ack', 'busy gone'])
  const [code] = await native.closed
  assert.equal(code, 1001)
  assert.ok(native.frames.items.map(([data]) => JSON.parse(data)).some(({ type, id }) => type === 'ack' && id === 7))
})

test('M10: a drain does not wait longer than --drain-timeout', async () => {
  const bridge = await pulse.addBridge({ PULSE_DRAIN_TIMEOUT: '300ms' })
  const native = await pulse.ws({ userId: 'busy' }, { bridge })
  await native.frames.atLeast(1)
  const letGo = await hold(pulse)
  native.send(JSON.stringify({ type: 'emit', event: 'held', args: [3], id: 7 }))
  await underWay(pulse, 1)
  await bridge.stop()
  await letGo()
  assert.equal((await native.closed)[0], 1001)
})

test('M10: what waits for a client when its connection is ended still arrives, before the close', async () => {
  const bridge = await pulse.addBridge({ PULSE_MAX_QUEUE_BYTES: '50000000' })
  const reader = await pulse.ws({ userId: 'reader' }, { bridge })
  const { frames, closed } = reader
  await frames.atLeast(1)
  reader.send(JSON.stringify({ type: 'join', room: 'open:late', id: 1 }))
  await frames.atLeast(2)
  reader.pause()
  await pulse.sql(`SELECT pulse.publish('open:late', 'late', json_build_object('n', n, 'text', repeat('x', 50000))) FROM generate_series(1, 100) AS n`)
  await until(async () => await bridge.metric('pulse_bridge_send_queue_bytes') > 500_000, { what: 'bytes that wait for the socket' })
  await until(async () => await bridge.metric('realtime_messages_sent_total', { event: 'late' }) === 100, { what: 'all of them being sent' })
  const stopped = bridge.stop()
  await until(() => bridge.text.includes('draining'))
  reader.resume()
  assert.equal((await closed)[0], 1001)
  assert.deepEqual(frames.items.map(([data]) => JSON.parse(data)).filter(({ event }) => event === 'late').map(({ args }) => args[0].n), Array.from({ length: 100 }, (_, n) => n + 1))
  await stopped
})

test('E6: pulse-bridge check and version say what is there', async () => {
  assert.match((await run(['version'])).stdout, /\d+\.\d+/)
  const env = { PULSE_DATABASE_URL: pulse.cluster.url({ user: 'bridge' }), PULSE_JWT_SECRET: secret }
  await run(['check'], env)
  const file = join(keys, 'bad.pem')
  writeFileSync(file, '-----BEGIN PUBLIC KEY-----\nbm9uZQ==\n-----END PUBLIC KEY-----\n')
  await assert.rejects(run(['check'], { ...env, PULSE_JWT_PUBLIC_KEY_FILE: file }), error => error.code === 2 && error.stderr.includes(`${file}: not a PEM public key`))
  await assert.rejects(run(['check'], { ...env, PULSE_JWT_SECRET: 'x'.repeat(31) }), error => error.code === 2 && error.stderr.includes('jwt-secret: the JWT secret is shorter than 32 bytes'))
})

test('E6: pulse-bridge check gives PostgreSQL\'s reason at its first failure, and a hint', async () => {
  await pulse.sql('CREATE ROLE stranger LOGIN')
  const { port, host } = pulse.cluster
  for (const [url, reason, hint] of [
    ['postgresql://nobody@127.0.0.1:1/none', 'Connection refused', 'does PostgreSQL run there'],
    [`postgresql://nobody@/pulse?host=${host}&port=${port}`, 'FATAL: *role "nobody" does not exist', 'CREATE ROLE'],
    [`postgresql://bridge@/none?host=${host}&port=${port}`, 'FATAL: *database "none" does not exist', 'PULSE_DATABASE_URL'],
    [`postgresql://bridge@/postgres?host=${host}&port=${port}`, 'schema "pulse" does not exist', 'CREATE EXTENSION pulse'],
    [`postgresql://stranger@/pulse?host=${host}&port=${port}`, 'permission denied', 'GRANT pulse_bridge'],
    ['postgresql://bridge@no-such-host.invalid/pulse', 'could not look up host "no-such-host.invalid"', 'host name']
  ]) {
    await assert.rejects(run(['check'], { PULSE_DATABASE_URL: url, PULSE_JWT_SECRET: secret }), error => {
      const said = error.stderr.split('\n').filter(line => !line.startsWith('{')).join('\n')
      assert.match(said, new RegExp(`^pulse-bridge: .*${reason}.*\nhint: .*${hint}`))
      return error.code === 1
    })
  }
})
