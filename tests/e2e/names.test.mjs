// Host names of the database: looked up anew at each try, and beside the loop, so that a slow name server stops nobody.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { freePort } from '../support/bridge.mjs'
import { Cluster, root } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'

const folder = mkdtempSync(join(tmpdir(), 'names-'))
const hold = join(folder, 'hold'), asked = join(folder, 'asked')
let pulse, address

before(async () => {
  execFileSync('cc', ['-shared', '-fPIC', '-o', join(folder, 'slow_names.so'), join(root, 'tests/support/slow_names.c'), '-ldl'])
  const port = await freePort()
  pulse = await startPulse({ cluster: await Cluster.create({ port }) })
  await pulse.load('rooms')
  await pulse.sql(`ALTER ROLE bridge PASSWORD 'bridge'`)
  address = hosts => ({
    PULSE_DATABASE_URL: `postgresql://bridge:bridge@${hosts.map(host => `${host}:${port}`).join(',')}/pulse?sslmode=disable`,
    LD_PRELOAD: join(folder, 'slow_names.so'), SLOW_NAMES: 'db.slow=127.0.0.1,gone.slow=', SLOW_NAMES_ASKED: asked, SLOW_NAMES_HOLD: hold,
    ASAN_OPTIONS: 'detect_leaks=1:exitcode=99:verify_asan_link_order=0'
  })
})
afterEach(() => rmSync(hold, { force: true }))
after(async () => {
  await pulse?.stop()
  rmSync(folder, { recursive: true })
})

const look_ups = name => existsSync(asked) ? readFileSync(asked, 'utf8').split('\n').filter(line => line === name).length : 0

test('M10: names lead to the database; one that has no address does not stand in the way of the others', async () => {
  const bridge = await pulse.addBridge(address(['gone.slow', 'db.slow']))
  const socket = await pulse.io({ userId: 'names' }, { bridge })
  assert.equal((await socket.emitWithAck('room:join', { room: 'open:names' })).ok, true)
  assert.ok(look_ups('db.slow') > 0 && look_ups('gone.slow') > 0)
  await bridge.stop()
})

test('M10: while the name server does not answer sockets are served; then the bridge is back, and nothing is missing', async () => {
  const bridge = await pulse.addBridge(address(['db.slow']))
  const socket = await pulse.io({ userId: 'slow' }, { bridge })
  await socket.emitWithAck('room:join', { room: 'open:slow' })
  const got = gather(socket, 'slow'), acks = []
  const before = look_ups('db.slow')
  writeFileSync(hold, '')
  await pulse.cutBridges()
  await until(() => look_ups('db.slow') > before, { what: 'the name being asked for again' })
  for (let n = 1; n <= 3; n++) {
    await pulse.sql(`SELECT pulse.publish('open:slow', 'slow', to_json($1::int))`, [n])
    acks.push(await socket.timeout(5000).emitWithAck('ping'))   // the bridge's own answer
  }
  assert.equal(acks.filter(({ timestamp }) => timestamp).length, 3)
  await until(async () => (await fetch(`${bridge.internalUrl}/ready`)).status === 503, { what: 'not ready' })
  assert.equal(got.items.length, 0)
  assert.equal(look_ups('db.slow'), before + 1, 'all connections wait for one look-up')
  rmSync(hold)
  await got.atLeast(3)
  assert.deepEqual(got.items.map(([n]) => n), [1, 2, 3])
  await bridge.stop()
})

test('M10: SIGTERM ends a bridge whose name server does not answer', async () => {
  const bridge = await pulse.addBridge(address(['db.slow']))
  const before = look_ups('db.slow')
  writeFileSync(hold, '')
  await pulse.cutBridges()
  await until(() => look_ups('db.slow') > before, { what: 'the name being asked for again' })
  await bridge.stop()
  assert.ok(existsSync(hold), 'while nothing was answered')
})
