// E2, E7: what of sessions and evictions must outlive a crash of the server does, and what a copy of the database knows of them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster, bindir } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => {
  // The WAL writer sleeps: what did not wait for the disk itself is lost in a crash.
  cluster = await Cluster.create({ settings: { fsync: 'on', wal_writer_delay: '10s' } })
  await cluster.sql(`CREATE FUNCTION yes(claims json, room text, params json) RETURNS boolean LANGUAGE sql RETURN true`)
  await cluster.sql(`SELECT pulse.policy('order:{id}', 'join', 'yes')`)
  await until(() => cluster.value('SELECT pulse.position()'), { what: 'the first epoch' })
})
after(() => cluster?.drop())

const dispatched = () => until(async () => (await cluster.value('SELECT pulse.status()')).dispatcher.lagEvents === 0, { what: 'an empty backlog' })

async function crash() {
  const epochs = await cluster.value('SELECT count(*) FROM _pulse.epochs')
  await cluster.restart('immediate')
  await until(async () => await cluster.value('SELECT count(*) FROM _pulse.epochs') > epochs, { what: 'the next epoch' })
}

const connect = (key, recover, userId = key) => cluster.value('SELECT pulse.handle_connect($1, $2)', ['/', {
  userId, sessionId: key, socketId: `socket of ${key}`, bridge: 'b1', pid: `pid of ${key}`, claims: {}, ...recover && { recover }
}])
const comeBack = (key, cursor = null) => connect(`${key} again`, { pid: `pid of ${key}`, cursor }, key)
const joinRoom = (key, room, generation = 1) =>
  cluster.value('SELECT allowed FROM pulse.decide($1)', [JSON.stringify([{ operation: 'join', room, session: key, generation, context: { userId: key } }])])
const roomsOf = answer => answer.rooms.map(({ room }) => room)

test('E2: a join that was answered, and a takeover, are there after a crash', async () => {
  const { position } = await connect('ann')
  assert.equal(await joinRoom('ann', 'order:1'), true)
  await crash()
  const first = await comeBack('ann', position)
  assert.equal(first.recovered, true, JSON.stringify(first))
  assert.deepEqual(roomsOf(first), ['user:ann', 'order:1'])
  await crash()
  const second = await comeBack('ann', position)
  assert.equal(second.session?.generation, 3, JSON.stringify(second))
  assert.equal(second.session.cursor, position, 'the cursor of an epoch before is good up to its end')
})

test('E2: a leave that was reported is not forgotten by a crash', async () => {
  await connect('bob')
  await joinRoom('bob', 'order:1')
  await cluster.sql('SELECT pulse.bridge_sessions($1, $2)', ['b1', JSON.stringify([{ key: 'bob', generation: 1, leave: 'order:1' }])])
  await crash()
  assert.deepEqual(roomsOf(await comeBack('bob')), ['user:bob'])
})

test('E7: an eviction and a revocation that committed just before a crash count after it', async () => {
  for (const key of ['cat', 'dan']) {
    await connect(key)
    await joinRoom(key, 'order:1')
  }
  await cluster.sql(`SELECT pulse.evict('order:1', 'cat'), pulse.revoke(jti => 'stolen')`)
  await crash()
  await dispatched()
  assert.equal((await comeBack('cat')).mustRefetch, 'evicted')
  assert.equal((await comeBack('dan')).recovered, true)
  await assert.rejects(cluster.sql('SELECT pulse.handle_connect($1, $2)', ['/', { userId: 'eve', claims: { jti: 'stolen' } }]), { code: 'PL401' })
})

test('E2: while the server was down nobody could report: no session ends for that, also before the dispatcher is there', async () => {
  for (const key of ['fay', 'gus']) await connect(key)
  await cluster.sql('SELECT pulse.bridge_sessions($1, $2)', ['b1', JSON.stringify([{ key: 'gus', generation: 1, ended: true }])])
  await cluster.sql(`UPDATE _pulse.sessions SET ended_at = ended_at - interval '1 hour' WHERE key = 'gus'`)
  await cluster.sql(`UPDATE _pulse.bridges SET seen_at = seen_at - interval '1 hour'`)   // as after an hour without the server
  await cluster.sql(`UPDATE _pulse.epochs SET opened_at = opened_at - interval '1 day'`)
  await cluster.set('pulse.databases', 'another')
  await cluster.restart('fast')
  await cluster.sql('SELECT pulse.bridge_sessions($1, $2)', ['b2', '[]'])
  assert.equal((await comeBack('fay')).recovered, true)
  assert.equal((await comeBack('gus')).mustRefetch, 'expired', 'one that a bridge has ended did end')
  await cluster.set('pulse.databases', cluster.database)
  await until(() => cluster.value(`SELECT max(opened_at) > now() - interval '1 hour' FROM _pulse.epochs`), { what: 'the next epoch' })
  assert.equal((await comeBack('fay')).recovered, true)
  await cluster.sql(`UPDATE _pulse.epochs SET opened_at = opened_at - interval '1 day'`)
  assert.equal((await comeBack('fay')).mustRefetch, 'expired', 'from then on who is silent is gone')
})

test('E7: a restored copy refuses revoked tokens and knows no sessions', async () => {
  await connect('eve')
  await cluster.sql(`SELECT pulse.revoke('eve', reason => 'left')`)
  await cluster.sql('CREATE DATABASE copy', [], 'postgres')
  const dump = execFileSync(join(bindir, 'pg_dump'), ['-Fc'], { env: cluster.environment, maxBuffer: 1 << 28 })
  execFileSync(join(bindir, 'pg_restore'), ['--exit-on-error', '-d', 'copy'], { env: cluster.environment, input: dump, stdio: ['pipe', 'pipe', 'inherit'] })
  const context = { userId: 'eve', sessionId: 'eve 2', bridge: 'b1', claims: {}, recover: { pid: 'pid of eve' } }
  await assert.rejects(cluster.sql('SELECT pulse.handle_connect($1, $2)', ['/', context], 'copy'), { code: 'PL401', message: 'the token is revoked' })
  const later = { ...context, claims: { iat: Math.floor(Date.now() / 1000) + 10 } }
  assert.equal((await cluster.value('SELECT pulse.handle_connect($1, $2)', ['/', later], 'copy')).mustRefetch, 'unknown')
})
