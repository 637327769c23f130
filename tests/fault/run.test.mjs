// The promises of `make run`: what it writes, what it keeps, what it leaves behind, and how it answers kill -9 and taken ports.
// Runs tools/run itself, as the Makefile does after the build, with a PULSE_HOME and ports of its own.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { io } from 'socket.io-client'
import { freePort } from '../support/bridge.mjs'
import { packs, root } from '../support/cluster.mjs'
import { token } from '../support/token.mjs'
import { next, until } from '../support/wait.mjs'

const home = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'run-'))
let settings
const started = []

before(async () => {
  settings = { PULSE_HOME: home, PULSE_PORT: String(await freePairOfPorts()), PULSE_PG_PORT: String(await freePort()),
    http_proxy: 'http://127.0.0.1:9' }   // nothing that it asks itself may go there
})

after(async () => {
  for (const run of started) if (run.exitCode === null && run.signalCode === null) await end(run)
  execFileSync(join(root, 'tools/cluster'), ['drop', home])
  rmSync(home, { recursive: true, force: true })
})

// PULSE_PORT and the one after it.
async function freePairOfPorts() {
  for (;;) {
    const port = await freePort()
    const second = createServer()
    const free = await new Promise(resolve => second.once('error', () => resolve(false)).listen(port + 1, '127.0.0.1', () => resolve(true)))
    if (free) { second.close(); await once(second, 'close'); return port }
  }
}

function launch(changes = {}) {
  const run = spawn(join(root, 'tools/run'), { env: { ...process.env, ...settings, ...changes }, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(run)
  run.text = ''
  run.exited = once(run, 'close')   // with all that it has said
  for (const stream of [run.stdout, run.stderr]) stream.on('data', chunk => { run.text += chunk })
  return run
}

async function up(changes) {
  const run = launch(changes)
  // It says so before it writes the file, and what it says may be read here later.
  await until(() => existsSync(join(home, 'ready')) && /^ {2}logs {6}\S+$/m.test(run.text) || run.exitCode !== null, { what: 'ready', timeout: 120_000 })
  assert.equal(run.exitCode, null, run.text)
  run.environment = Object.fromEntries(readFileSync(join(home, 'env'), 'utf8').trim().split('\n').map(line => line.split(/=(.*)/s)))
  return run
}

async function end(run, signal = 'SIGTERM') {
  run.kill(signal)
  return (await run.exited)[0]
}

async function query(run, text) {
  const client = new pg.Client(run.environment.PULSE_DATABASE_URL)
  await client.connect()
  try { return (await client.query(text)).rows } finally { await client.end() }
}

// Processes that work for our home: by what they were started with.
function processes() {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).filter(pid => {
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0] === 'Z') return false
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`PULSE_LISTEN=127.0.0.1:${settings.PULSE_PORT}`)
    } catch { return false }
  })
}

const socketFolder = () => /PGHOST=(.*)/.exec(readFileSync(join(home, 'cluster.env'), 'utf8'))[1]

test('serves what it wrote into env, and leaves nothing behind at SIGTERM', async () => {
  const run = await up()
  assert.deepEqual(Object.keys(run.environment), ['PULSE_URL', 'PULSE_INTERNAL_URL', 'PULSE_DATABASE_URL', 'PULSE_JWT_SECRET', 'PULSE_INTERNAL_TOKEN'])
  assert.equal(statSync(join(home, 'env')).mode & 0o077, 0, 'only its owner may read the secrets')
  for (const url of [`${run.environment.PULSE_URL}/health`, `${run.environment.PULSE_INTERNAL_URL}/ready`]) assert.equal((await fetch(url)).status, 200)
  const socket = io(run.environment.PULSE_URL, { transports: ['websocket'], auth: { token: token({ userId: 'ann' }, { key: run.environment.PULSE_JWT_SECRET }) } })
  try {
    await next(socket, 'connect')
    const notice = next(socket, 'notice')
    await query(run, `SELECT pulse.publish('user:ann', 'notice', '{"n": 1}')`)
    assert.deepEqual((await notice)[0], { n: 1 })
  } finally { socket.disconnect() }
  assert.match(run.text, /psql 'postgresql:/)
  assert.match(run.text, /token {5}\S+\.\S+\.\S+/)
  assert.deepEqual((await query(run, `SELECT extname FROM pg_extension WHERE extname LIKE 'pulse%' ORDER BY 1`)).map(row => row.extname), ['pulse', ...packs.map(pack => `pulse_${pack}`)],
    'all packs in one database')
  await query(run, 'CREATE TABLE kept (n int)')
  const folder = socketFolder()
  assert.equal(await end(run), 0)
  assert.deepEqual(['env', 'ready'].map(name => existsSync(join(home, name))), [false, false])
  assert.deepEqual(processes(), [])
  assert.equal(existsSync(folder), false)
})

test('push and SMS go to a stand-in, which is said; a channel with secrets of its own is left alone', async () => {
  const run = await up()
  const url = /push, SMS (http\S+) +a stand-in/.exec(run.text)[1]
  const arrivals = async () => await (await fetch(`${url}/stand-in/arrivals`)).json()
  await query(run, `SELECT pulse.enqueue('q', 'fcm', '{"token": "t"}'), pulse.enqueue('q', 'sms', '{"to": "+919876543210", "body": "x"}')`)
  await until(async () => (await arrivals()).filter(({ path }) => /messages:send|Messages\.json/.test(path)).length === 2, { what: 'both arriving' })
  // S6: an SOS service on this machine needs its address only.
  await query(run, `SELECT pulse.configure('sos', 'service_url', '${url}'), sos.verify('sos-1')`)
  const asked = await until(async () => (await arrivals()).find(({ path }) => path === '/internal/sos/sos-1'), { what: 'the SOS service being asked' })
  assert.equal(asked.headers['x-internal-token'], run.environment.PULSE_INTERNAL_TOKEN)
  await query(run, `SELECT pulse.configure('sos', 'service_url', NULL)`)
  await query(run, `ALTER SYSTEM SET pulse.sms_auth_file = 'my_own'`)
  assert.equal(await end(run), 0)
  const second = await up()
  assert.deepEqual(await query(second, 'SHOW pulse.sms_auth_file'), [{ 'pulse.sms_auth_file': 'my_own' }])
  await query(second, 'ALTER SYSTEM RESET pulse.sms_auth_file')
  assert.equal(await end(second), 0)
  assert.deepEqual(processes(), [])
})

test('the second start takes seconds, keeps data and secrets, and survives kill -9', async () => {
  const begin = Date.now()
  const first = await up()
  assert.ok(Date.now() - begin < 60_000, `the second start took ${Date.now() - begin} ms`)
  assert.deepEqual(await query(first, 'SELECT count(*)::int AS n FROM kept'), [{ n: 0 }])
  first.kill('SIGKILL')
  await first.exited
  assert.ok(existsSync(join(home, 'ready')), 'killed, so it could not remove its files')
  await until(() => processes().length === 0, { what: 'the children ending with their parent' })
  rmSync(join(home, 'ready'))
  const second = await up()
  assert.deepEqual(second.environment, first.environment)
  assert.deepEqual(await query(second, 'SELECT count(*)::int AS n FROM kept'), [{ n: 0 }])
  assert.equal(await end(second, 'SIGINT'), 0)
  assert.deepEqual(processes(), [])
})

test('a taken port is named with the setting that changes it, and PULSE_HOME has one user', async () => {
  const run = await up()
  for (const [changes, message] of [
    [{}, /another `make run` \(pid \d+\) uses/],
    [{ PULSE_HOME: `${home}-other` }, /port \d+ \(the bridge\) is taken by pulse-bridge \(pid \d+\).*PULSE_PORT=/],
    [{ PULSE_HOME: `${home}-other`, PULSE_PORT: String(await freePairOfPorts()) }, /port \d+ \(PostgreSQL\) is taken by postgres \(pid \d+\).*PULSE_PG_PORT=/],
    [{ PULSE_HOME: `${home}-other`, PULSE_PORT: 'eighty' }, /PULSE_PORT must be a port/]
  ]) {
    const refused = launch(changes)
    assert.equal((await refused.exited)[0], 1, refused.text)
    assert.match(refused.text, message)
  }
  rmSync(`${home}-other`, { recursive: true, force: true })
  assert.equal((await fetch(`${run.environment.PULSE_URL}/ready`)).status, 200, 'the first is not disturbed')
  assert.ok(existsSync(join(home, 'ready')))
  assert.equal(await end(run), 0)
})

// The default 54320 is among the ports that Linux gives to outgoing connections.
test('a port that an outgoing connection has is named as such, and by whom', async () => {
  const server = createServer().listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  const port = await freePort()   // one that nobody was connected to a moment ago
  // Not by Node, which sets SO_REUSEADDR: such a port can be listened on beside the connection.
  const client = spawn('python3', ['-c', `import socket, sys
one = socket.create_connection(('127.0.0.1', ${server.address().port}), source_address=('127.0.0.1', ${port}))
print('connected', flush=True)
sys.stdin.read()`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const failed = once(client, 'exit').then(() => assert.fail('the outgoing connection was not made'))
  const [[peer]] = await Promise.race([Promise.all([once(server, 'connection'), once(client.stdout, 'data')]), failed])
  failed.catch(() => {})
  try {
    const refused = launch({ PULSE_PG_PORT: String(port) })
    assert.equal((await refused.exited)[0], 1, refused.text)
    assert.match(refused.text, new RegExp(`port ${port} \\(PostgreSQL\\) is the own end of a connection to somewhere else of \\S+ \\(pid ${client.pid}\\).*PULSE_PG_PORT=`))
  } finally {
    peer.resetAndDestroy()   // else the port would be kept for a minute
    client.kill()
    await once(client, 'exit')
    server.close()
  }
})

for (const [what, pid] of [
  ['the bridge', () => Number(readFileSync(join(home, 'bridge.pid'), 'utf8'))],
  ['PostgreSQL', () => Number(readFileSync(join(home, 'data/postmaster.pid'), 'utf8').split('\n')[0])]
]) {
  test(`a crash of ${what} ends it with a message and 1`, async () => {
    const run = await up()
    process.kill(pid(), 'SIGKILL')
    assert.equal((await run.exited)[0], 1)
    assert.match(run.text, new RegExp(`${what} ended by signal 9`))
    await until(() => processes().length === 0, { what: 'no process being left' })
    assert.equal(existsSync(join(home, 'ready')), false)
  })
}
