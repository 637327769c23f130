// Publishing where things are not as they should be: without preload, on a standby, in another encoding, while the extension is dropped and
// made again, with two sessions on one key, with a table that another session changes, after a dump and a restore.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
const pgConfig = process.env.PG_CONFIG ?? '/usr/lib/postgresql/15/bin/pg_config'
const bindir = execFileSync(pgConfig, ['--bindir'], { encoding: 'utf8' }).trim()

before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.databases': '' } })   // no dispatcher: events stay as they were stored
})
after(() => cluster?.drop())

// Runs body with connections that are closed whatever happens.
async function withClients(n, body, database) {
  const clients = []
  try {
    for (let i = 0; i < n; ++i) clients.push(await cluster.connect({ database }))
    return await body(...clients)
  } finally {
    await Promise.all(clients.map(client => client.end().catch(() => {})))
  }
}

const publish = async (client, options = '') => (await client.query(`SELECT pulse.publish('r', 'e', '1'${options}) AS id`)).rows[0].id
const value = async (client, text, parameters) => Object.values((await client.query(text, parameters)).rows[0])[0]
const code = promise => promise.then(() => assert.fail('it did not fail'), error => error.code)

async function database(name, options = '') {
  await cluster.sql(`CREATE DATABASE ${name} ${options}`, [], 'postgres')
  return name
}

test('C5: a session says at once that events are lost, and of many only now and then; each is counted', async () => {
  await withClients(2, async (client, another) => {
    const said = []
    for (const one of [client, another]) one.on('notice', notice => said.push(`${notice.code} ${notice.message}`))
    await client.query(`CREATE TABLE lossy (id int, a int); CREATE TABLE also (a int);
      SELECT pulse.watch('lossy', 'e', '{r}', payload => '{"a":"{a}"}', on_error => 'warn'), pulse.watch('also', 'e', '{r}', payload => '{"a":"{a}"}', on_error => 'warn');
      ALTER TABLE lossy RENAME a TO b; ALTER TABLE also RENAME a TO b`)
    const before = await value(client, `SELECT (pulse.status() -> 'counters' ->> 'warnedEvents')::int`)
    for (let n = 0; n < 5; ++n) await client.query('INSERT INTO lossy SELECT generate_series(1, 100)')
    assert.equal(said.length, 1)
    assert.match(said[0], /^42703 trigger "lossy_insert_e" on table "lossy": .*; the event is lost$/)
    await client.query('INSERT INTO also SELECT generate_series(1, 100)')
    assert.equal(said.length, 2, 'another trigger is another reason')
    await another.query('INSERT INTO lossy VALUES (1)')
    assert.equal(said.length, 3, 'and another session says it, too')
    assert.equal(await value(client, `SELECT (pulse.status() -> 'counters' ->> 'warnedEvents')::int`), before + 601)
    assert.equal(await value(client, 'SELECT count(*) FROM lossy'), '501')
  })
})

test('the extension is dropped and made again in one session', async () => {
  await withClients(1, async client => {
    await client.query('CREATE EXTENSION pulse; CREATE TABLE t (id int)')
    for (let round = 0; round < 3; ++round) {
      await client.query(`SELECT pulse.watch('t', 'e', '{r}')`)
      assert.equal(await publish(client, `, idempotency_key => 'k'`), '1')
      await client.query('INSERT INTO t VALUES (1)')
      assert.equal(await value(client, 'SELECT count(*) FROM pulse.events'), '2')
      await client.query('DROP EXTENSION pulse CASCADE')
      assert.equal(await code(publish(client)), '3F000')
      await client.query('INSERT INTO t VALUES (2)')   // CASCADE took the trigger along
      await client.query('CREATE EXTENSION pulse')
    }
  }, await database('again'))
})

test('a CREATE EXTENSION that is rolled back leaves nothing in the session', async () => {
  await withClients(1, async client => {
    for (const end of ['ROLLBACK', 'ROLLBACK', 'COMMIT']) {
      await client.query('BEGIN; CREATE EXTENSION pulse')
      assert.equal(await publish(client), '1')
      await client.query(end)
    }
    assert.equal(await publish(client), '2')
  }, await database('undone'))
})

test('another session drops and makes the extension', async () => {
  await withClients(2, async (one, other) => {
    await other.query('CREATE EXTENSION pulse')
    await publish(one)
    await other.query('DROP EXTENSION pulse; CREATE EXTENSION pulse')
    assert.equal(await publish(one), '1')
    assert.equal(await value(other, 'SELECT count(*) FROM pulse.events'), '1')
  }, await database('elsewhere'))
})

test('two sessions with one idempotency key take turns', async () => {
  for (const [end, level, expected] of [['COMMIT', 'READ COMMITTED', 'first'], ['ROLLBACK', 'READ COMMITTED', 'own'], ['COMMIT', 'REPEATABLE READ', '40001']]) {
    await withClients(2, async (one, other) => {
      const key = `${end} ${level}`
      await one.query('BEGIN')
      const first = await publish(one, `, idempotency_key => '${key}'`)
      await other.query(`BEGIN ISOLATION LEVEL ${level}; SELECT 1`)
      const second = publish(other, `, idempotency_key => '${key}'`).catch(error => error.code)
      await until(() => cluster.value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`), { what: 'the second waiting' })
      await publish(one)                                          // nobody else waits
      assert.ok(Number(await withClients(1, client => publish(client, `, idempotency_key => 'another ${key}'`))) > 0)
      await one.query(end)
      const outcome = await second
      assert.equal(outcome === first ? 'first' : outcome === '40001' ? outcome : 'own', expected)
      await other.query('ROLLBACK')
    })
  }
})

test('a prepared transaction publishes when it commits', async () => {
  await withClients(1, async client => {
    await client.query('BEGIN')
    const id = await publish(client, `, idempotency_key => 'prepared'`)
    await client.query(`PREPARE TRANSACTION 'p'`)
    assert.equal(await value(client, 'SELECT count(*) FROM pulse.events WHERE id = $1', [id]), '0')
    await client.query(`COMMIT PREPARED 'p'`)
    assert.equal(await value(client, 'SELECT count(*) FROM pulse.events WHERE id = $1', [id]), '1')
  })
})

test('rows of a subtransaction carry the xid of the whole transaction', async () => {
  await withClients(1, async client => {
    await client.query('BEGIN; SAVEPOINT s')
    const id = await publish(client)
    await client.query('RELEASE s')
    assert.equal(await value(client, 'SELECT xid = pg_current_xact_id() FROM pulse.events WHERE id = $1', [id]), true)
    await client.query('COMMIT')
  })
})

test('a session follows what another one does to a watched table', async () => {
  await withClients(2, async (writer, dba) => {
    const rooms = async () => {
      await writer.query(`INSERT INTO w (id) VALUES (7)`)
      return value(writer, 'SELECT rooms FROM pulse.events ORDER BY id DESC LIMIT 1')
    }
    await dba.query(`CREATE TABLE w (gone text, id int); SELECT pulse.watch('w', 'e', ARRAY['a:{id}'], name => 'n')`)
    assert.deepEqual(await rooms(), ['a:7'])
    await dba.query(`ALTER TABLE w DROP COLUMN gone`)
    assert.deepEqual(await rooms(), ['a:7'])
    await dba.query(`SELECT pulse.unwatch('w'); SELECT pulse.watch('w', 'e', ARRAY['b:{id}'], name => 'n')`)
    assert.deepEqual(await rooms(), ['b:7'])
    await dba.query(`ALTER TABLE w ALTER COLUMN id TYPE text USING 'x'`)
    assert.deepEqual(await rooms(), ['b:7'])
    await dba.query(`DROP TABLE w; CREATE TABLE w (id numeric); SELECT pulse.watch('w', 'e', ARRAY['c:{id}'], name => 'n')`)
    assert.deepEqual(await rooms(), ['c:7'])
  })
})

test('compiled watches do not pile up, and rows leave no memory behind', async () => {
  await withClients(1, async client => {
    await client.query(`CREATE TABLE m (id int, a text, j jsonb, t timestamptz[] DEFAULT '{now}'); SELECT pulse.watch('m', 'e', ARRAY['{id}'])`)
    for (let i = 0; i < 200; ++i) await client.query(`ALTER TABLE m ALTER COLUMN a TYPE ${i % 2 ? 'text' : 'varchar'}; INSERT INTO m VALUES (1)`)
    await client.query('INSERT INTO m VALUES (1)')
    assert.equal(await value(client, `SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pulse watch'`), '1')
    const insert = `INSERT INTO m SELECT i, repeat('x', 100), '{"a":[1,2,3]}' FROM generate_series(1, 20000) i`
    const total = () => value(client, 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts')
    await client.query(insert)
    const earlier = Number(await total())
    for (let i = 0; i < 4; ++i) await client.query(insert)
    assert.ok(Number(await total()) - earlier < 1_000_000)
  })
})

test('pg_dump carries a watch, and it works where it is restored', async () => {
  await withClients(1, async client => {
    await client.query(`CREATE EXTENSION pulse; CREATE SCHEMA "My App"; CREATE TABLE "My App"."Order's" (id int, "Who?" text)`)
    await client.query(`SELECT pulse.watch('"My App"."Order''s"', 'it''s "new"', ARRAY['r:{Who?}'], 'insert, update', '{"Who?"}', 'NEW.id > 0', '{"back\\\\slash":"{id} \\"{Who?}\\" \\u00e9"}', 'legacy', '{id}', 'warn')`)
  }, await database('dumped'))
  const script = execFileSync(join(bindir, 'pg_dump'), ['-d', 'dumped'], { env: cluster.environment, encoding: 'utf8' })
  await database('restored')
  execFileSync(join(bindir, 'psql'), ['-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'restored'], { env: cluster.environment, input: script, stdio: ['pipe', 'ignore', 'inherit'] })
  await withClients(1, async client => {
    await client.query(`INSERT INTO "My App"."Order's" VALUES (1, 'a"b')`)
    const { rows } = await client.query('SELECT name, rooms, payload::text, channel, partition_key FROM pulse.events')
    assert.deepEqual(rows, [{ name: `it's "new"`, rooms: ['r:a"b'], payload: '{"back\\\\slash":"1 \\"a\\"b\\" \\u00e9"}', channel: 'legacy', partition_key: '1' }])
  }, 'restored')
})

test('types of an extension are what their cast to json says', async () => {
  await withClients(1, async client => {
    await client.query('CREATE EXTENSION pulse; CREATE EXTENSION postgis; CREATE TABLE places (id int, at geometry(Point), many geometry[])')
    await client.query(`SELECT pulse.watch('places', 'e', '{r}', 'insert'), pulse.watch('places', 'moved', '{r}', 'update', '{at}')`)
    await client.query(`INSERT INTO places VALUES (1, 'POINT(1 2)', ARRAY['POINT(3 4)'::geometry])`)
    await client.query('SET search_path = pg_catalog; UPDATE public.places SET id = 2; UPDATE public.places SET at = public.st_point(5, 6)')
    const { rows } = await client.query('SELECT name, payload FROM pulse.events ORDER BY id')
    const point = (x, y) => ({ type: 'Point', coordinates: [x, y] })
    assert.deepEqual(rows, [{ name: 'e', payload: { id: 1, at: point(1, 2), many: [point(3, 4)] } }, { name: 'moved', payload: { id: 2, at: point(5, 6), many: [point(3, 4)] } }])
  }, await database('extended'))
})

test('another encoding than UTF8 is refused', async () => {
  await withClients(1, async client => {
    await client.query('CREATE EXTENSION pulse')
    const error = await publish(client).catch(error => error)
    assert.equal(error.code, '0A000')
    assert.match(error.message, /encoding is LATIN1, pulse needs UTF8/)
    assert.match(error.hint, /ENCODING 'UTF8'/)
  }, await database('latin', `ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`))
})

test('a standby refuses, clearly', async () => {
  const data = await cluster.value('SHOW data_directory')
  await cluster.sql(`COPY (SELECT) TO '${join(data, 'standby.signal')}'`)
  await cluster.restart()
  await withClients(1, async client => {
    assert.equal(await value(client, 'SELECT pg_is_in_recovery()'), true)
    const error = await publish(client).catch(error => error)
    assert.deepEqual([error.code, error.message, error.hint], ['25006', 'cannot publish on a standby', 'Publish on the primary server.'])
    await client.query('SELECT pg_promote()')
    await until(() => publish(client), { what: 'publishing after promotion' })
  })
})

test('without preload an event is stored, and a session is told once', async () => {
  const data = await cluster.value('SHOW data_directory')
  await cluster.sql(`COPY (SELECT 'shared_preload_libraries = ''auto_explain''') TO '${join(data, 'postgresql.auto.conf')}'`)
  await cluster.restart()
  await cluster.sql(`CREATE TABLE unloaded (id int); SELECT pulse.watch('unloaded', 'e', '{r}')`)
  await withClients(1, async client => {
    const notices = []
    client.on('notice', notice => notices.push(notice))
    const id = await publish(client)
    await client.query('INSERT INTO unloaded VALUES (1)')
    await publish(client)
    assert.equal(await value(client, 'SELECT count(*) FROM pulse.events WHERE id >= $1', [id]), '3')
    assert.deepEqual(notices.map(({ severity, message, hint }) => ({ severity, message, hint })), [{
      severity: 'WARNING',
      message: 'pulse is not preloaded: events are stored and not delivered',
      hint: `Set shared_preload_libraries = 'auto_explain,pulse' and pulse.databases = 'pulse' in postgresql.conf and restart the server.`
    }])
  })
  await withClients(1, async client => {
    let told = 0
    client.on('notice', () => ++told)
    await client.query(`LOAD 'pulse'; SET pulse.warn_not_preloaded = off`)
    await publish(client)
    assert.equal(told, 0)
  })
})
