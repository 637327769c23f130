// The workers come and go with their database: CREATE and DROP EXTENSION under load, DROP DATABASE, RENAME, SET TABLESPACE, CREATE …
// TEMPLATE, pulse.databases, a missing worker slot, a synchronous standby that does not answer.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

// Long enough that nothing here can be the safety tick's doing; and no transaction is autovacuum's.
const settings = { 'pulse.databases': 'pulse, app, moved, "Copy of app"', 'pulse.dispatch_safety_interval': '1h', max_worker_processes: 20, autovacuum: 'off' }

let cluster
before(async () => { cluster = await Cluster.create({ settings }) })
after(() => cluster?.drop())
beforeEach(async () => {
  for (const name of ['app', 'moved', 'Copy of app']) await admin(`DROP DATABASE IF EXISTS "${name}"`)
})

const admin = text => cluster.sql(text, [], 'postgres')
const workers = async database => (await cluster.sql(
  `SELECT backend_type, pid FROM pg_stat_activity WHERE datname = $1 AND backend_type LIKE 'pulse %' ORDER BY 1`, [database], 'postgres'))
const allWork = database => until(async () => {
  const running = await workers(database)
  return running.map(row => row.backend_type).join() === 'pulse dispatcher,pulse foreman,pulse worker,pulse worker' && running.map(row => row.pid)
}, { what: `workers in ${database}` })
const noneWorks = database => until(async () => (await workers(database)).length === 0, { what: `no worker in ${database}` })
const dispatches = async database => {
  const id = await cluster.value(`SELECT pulse.publish('room', 'event', '1'::json)`, [], database)
  await until(() => cluster.value('SELECT true FROM pulse.deliveries WHERE event_id = $1', [id], database), { what: `a delivery in ${database}` })
}
// Our pools must not be the sessions that a command complains about.
async function connectionOf(body, database = 'postgres') {
  const client = await cluster.connect({ database })
  try { return await body(client) } finally { await client.end() }
}
async function app() {
  await admin('CREATE DATABASE app')
  await connectionOf(client => client.query('CREATE EXTENSION pulse'), 'app')
  return allWork('app')
}
const publishes = database => connectionOf(client => client.query(`SELECT pulse.publish('room', 'event', '1'::json)`), database)

test('a named database gets its workers at CREATE EXTENSION, and loses them quietly at DROP EXTENSION', async () => {
  await app()
  await connectionOf(async client => {
    for (let round = 0; round < 3; ++round) {
      const seen = cluster.log.length
      await client.query('DROP EXTENSION pulse')
      await noneWorks('app')
      assert.doesNotMatch(cluster.log.slice(seen), /pulse (dispatcher|worker).*(ERROR|FATAL)|exited with exit code [1-9]/)
      await client.query('CREATE EXTENSION pulse')
      await allWork('app')
      await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`)
      await until(async () => (await client.query('SELECT last_position FROM pulse.ticks ORDER BY 1 DESC LIMIT 1')).rows[0].last_position === '1', { what: 'position 1' })
      assert.equal((await client.query('SELECT count(*) FROM _pulse.epochs')).rows[0].count, '1')
    }
    await client.query('BEGIN; DROP EXTENSION pulse; ROLLBACK')
    await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`)
    await allWork('app')
  }, 'app')
})

test('DROP EXTENSION and CREATE EXTENSION under load: no deadlock, no server restart', async () => {
  await app()
  const started = cluster.postmasterPid
  let stopping = false
  const writer = async () => connectionOf(async client => {
    while (!stopping) await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`).catch(error => {
      // until it is created again; what a DROP meets halfway says so too
      assert.match(error.code, /^(3F000|42704|42883|42P01|XX000|40P01)$/, error.message)
    })
  }, 'app')
  const writers = Promise.all([writer(), writer(), writer(), writer()])
  const seen = cluster.log.length
  try {
    await connectionOf(async client => {
      for (let round = 0; round < 10; ++round) {
        await allWork('app')
        // A publisher and DROP EXTENSION may meet in different order: PostgreSQL then ends one of them. Never a worker.
        await until(() => client.query('DROP EXTENSION pulse').then(() => true), { what: 'DROP EXTENSION' })
        await client.query('CREATE EXTENSION pulse')
      }
    }, 'app')
  } finally {
    stopping = true
    await writers
  }
  await allWork('app')
  await connectionOf(client => client.query(`SELECT pulse.publish('room', 'event', '1'::json)`), 'app')
  assert.doesNotMatch(cluster.log.slice(seen), /background worker "pulse (dispatcher|worker)[^"]*" \(PID \d+\) (was terminated|exited with exit code [1-9])/)
  assert.equal(cluster.postmasterPid, started)
})

test('DROP DATABASE finds no worker in its way', async () => {
  await app()
  await admin('DROP DATABASE app')
  await app()   // and a new one of that name starts from the beginning
  await connectionOf(client => client.query(`SELECT pulse.publish('room', 'event', '1'::json)`), 'app')
})

test('a DROP DATABASE that fails brings the workers back', async () => {
  await app()
  await connectionOf(async client => {
    await assert.rejects(admin('DROP DATABASE app'), { code: '55006' })   // this session is in it
    await allWork('app')
    await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`)
  }, 'app')
})

test('ALTER DATABASE RENAME: also in a transaction block, and rolled back', async () => {
  const pids = await app()
  await connectionOf(async client => {
    await client.query('BEGIN; ALTER DATABASE app RENAME TO moved')
    await noneWorks('app')
    await client.query('ROLLBACK')
    const again = await allWork('app')
    assert.equal(again.some(pid => pids.includes(pid)), false)
    await client.query('ALTER DATABASE app RENAME TO moved')
  })
  await allWork('moved')
  await publishes('moved')
  await assert.rejects(admin('ALTER DATABASE moved RENAME TO postgres'), { code: '42P04' })
  await allWork('moved')
})

test('ALTER DATABASE SET TABLESPACE', async () => {
  await app()
  const folder = mkdtempSync(join(tmpdir(), 'pulse-tablespace-'))
  try {
    if (process.getuid() === 0) execFileSync('chown', ['postgres', folder])
    await admin(`CREATE TABLESPACE elsewhere LOCATION '${folder}'`)
    await admin('ALTER DATABASE app SET TABLESPACE elsewhere')
    await allWork('app')
    await publishes('app')
    await admin('ALTER DATABASE app SET TABLESPACE pg_default')
    await allWork('app')
    await admin('DROP TABLESPACE elsewhere')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('CREATE DATABASE … TEMPLATE: both the original and the copy work, each with its own epoch', async () => {
  await app()
  await connectionOf(client => client.query(`SELECT pulse.publish('room', 'event', to_json(n)) FROM generate_series(1, 5) AS n`), 'app')
  await admin('CREATE DATABASE "Copy of app" TEMPLATE app')
  await allWork('app')
  await allWork('Copy of app')
  await dispatches('Copy of app')
  assert.equal(await cluster.value('SELECT max(last_position) FROM pulse.ticks', [], 'Copy of app'), '6')
  assert.equal(await cluster.value('SELECT count(*) FROM _pulse.epochs', [], 'Copy of app'), '2')
})

test('somebody without the right to drop or copy a database does not stop its workers by trying', async () => {
  const pids = await app()
  await admin('CREATE ROLE nobody LOGIN; CREATE ROLE maker LOGIN CREATEDB')
  for (const [user, statement] of [['nobody', 'DROP DATABASE app'], ['nobody', 'ALTER DATABASE app RENAME TO moved'],
    ['nobody', 'ALTER DATABASE app SET TABLESPACE pg_default'], ['nobody', 'CREATE DATABASE moved TEMPLATE app'], ['maker', 'CREATE DATABASE moved TEMPLATE app']]) {
    const client = await cluster.connect({ user, database: 'postgres' })
    await assert.rejects(client.query(statement), { code: '42501' }, statement)
    await client.end()
  }
  assert.deepEqual((await workers('app')).map(row => row.pid), pids)
})

test('pulse.databases: a reload starts and ends workers; a worker slot that is missing is told', async () => {
  await admin('CREATE DATABASE app')
  await connectionOf(client => client.query('CREATE EXTENSION pulse'), 'app')
  await allWork('app')
  await admin(`ALTER SYSTEM SET pulse.databases = 'pulse'`)
  await admin('SELECT pg_reload_conf()')
  await noneWorks('app')
  await connectionOf(async client => {
    const problems = (await client.query('SELECT pulse.status() -> $1 AS problems', ['problems'])).rows[0].problems
    assert.deepEqual(problems, [{ problem: 'database app is not in pulse.databases: it has no dispatcher',
      hint: `ALTER SYSTEM SET pulse.databases = 'pulse, app'; SELECT pg_reload_conf();` }])
    // the hint is right as it stands
    for (const statement of problems[0].hint.split(/(?<=;) /)) await client.query(statement)
  }, 'app')
  await allWork('app')
  await admin('ALTER SYSTEM RESET pulse.databases')
  await admin('SELECT pg_reload_conf()')
})

test('COMMIT PREPARED wakes the dispatcher and the job worker', async () => {
  await cluster.sql('CREATE FUNCTION public.touched(args json) RETURNS json LANGUAGE sql RETURN args')
  await connectionOf(async client => {
    await client.query('BEGIN')
    await client.query(`SELECT pulse.publish('prepared', 'event', '1'::json), pulse.enqueue('q', 'sql', '{"function":"public.touched"}')`)
    await client.query(`PREPARE TRANSACTION 'two_phase'`)
    await client.query(`COMMIT PREPARED 'two_phase'`)
  }, 'pulse')
  await until(() => cluster.value(`SELECT true FROM pulse.deliveries WHERE room = 'prepared'`), { what: 'the delivery' })
  await until(async () => await cluster.value('SELECT count(*) FROM _pulse.jobs') === '0', { what: 'the job' })
})

test('an idle dispatcher uses no transaction id, whatever its safety interval', async () => {
  await admin('ALTER SYSTEM SET pulse.dispatch_safety_interval = 10')
  await admin('SELECT pg_reload_conf()')
  const lastTick = () => cluster.value(`SELECT pulse.status() -> 'dispatcher' ->> 'lastTickAt'`)
  const ids = () => cluster.value('SELECT pg_snapshot_xmax(pg_current_snapshot())')
  await dispatches('pulse')
  const [xmax, ticks, at] = [await ids(), await cluster.value('SELECT count(*) FROM pulse.ticks'), await lastTick()]
  let seen = at
  for (let changes = 0; changes < 10; ++changes) seen = await until(async () => { const now = await lastTick(); return now !== seen && now }, { what: 'a safety tick' })
  assert.equal(await ids(), xmax)
  assert.equal(await cluster.value('SELECT count(*) FROM pulse.ticks'), ticks)
  await admin('ALTER SYSTEM RESET pulse.dispatch_safety_interval')
  await admin('SELECT pg_reload_conf()')
})

test('a synchronous standby that does not answer: nothing is announced, and nothing else is held up', async () => {
  await app()
  const listener = await cluster.connect({ database: 'app' })
  const heard = []
  listener.on('notification', message => heard.push(message.payload))
  await listener.query('LISTEN legacy')
  await admin(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
  await admin('SELECT pg_reload_conf()')
  try {
    await until(async () => (await admin('SHOW synchronous_standby_names'))[0].synchronous_standby_names === 'nobody')
    const local = await cluster.connect({ database: 'app' })
    await local.query('SET synchronous_commit = local')
    await local.query(`INSERT INTO pulse.events (name, rooms, payload, channel) VALUES ('e', '{r}', '1', 'legacy')`)
    // it has its position, and the dispatcher waits
    await until(async () => (await local.query('SELECT FROM pulse.deliveries')).rowCount > 0, { what: 'the tick' })
    // ProcSignalBarrier: creating and dropping a database waits for every process of the server
    await local.query('CREATE DATABASE other')
    await local.query('DROP DATABASE other')
    await listener.query('SELECT 1')
    assert.deepEqual(heard, [])
    await admin('ALTER SYSTEM RESET synchronous_standby_names')
    await admin('SELECT pg_reload_conf()')
    await until(() => heard.length === 1, { what: 'the notification' })
    await local.end()
  } finally {
    await listener.end()
    await admin('ALTER SYSTEM RESET synchronous_standby_names')
  }
  // a fast shutdown does not wait for it either
  await admin(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
  await admin('SELECT pg_reload_conf()')
  await connectionOf(async client => {
    await client.query('SET synchronous_commit = local')
    await client.query(`SELECT pulse.publish('room', 'event', '1'::json)`)
    await until(async () => (await client.query('SELECT count(*) FROM pulse.deliveries')).rows[0].count === '2', { what: 'the tick' })
    await client.query('ALTER SYSTEM RESET synchronous_standby_names')
  }, 'app')
  await cluster.restart('fast')
  await allWork('app')
})

test('without a free worker slot the launcher says so, and so does pulse.status()', async () => {
  await admin('ALTER SYSTEM SET max_worker_processes = 2')   // logical replication's launcher and ours
  await cluster.restart()
  await until(async () => {
    const problems = await cluster.value(`SELECT pulse.status() -> 'problems'`)
    return problems[0]?.problem === 'PostgreSQL has no background worker left for pulse' &&
      /^Raise max_worker_processes \(now 2\) and restart PostgreSQL/.test(problems[0].hint)
  }, { what: 'the problem' })
  await until(() => /WARNING: {2}pulse: no background worker is free/.test(cluster.log), { what: 'the warning' })
})
