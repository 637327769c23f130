// ALTER EXTENSION … UPDATE on a system in use. One library serves every SQL version: after the restart that loaded it, and before the
// update, the SQL of 1.0 calls it. Then users go on, nothing is dispatched, it is said why; after the update everything is delivered.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, until } from '../support/wait.mjs'
import { Follower } from './follower.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 0, extensions: ['pulse 1.0', 'pulse_donors 1.0'] })
  await pulse.load('rooms')
  await pulse.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow')`)
})
after(() => pulse?.stop())

const version = () => pulse.value(`SELECT extversion FROM pg_extension WHERE extname = 'pulse'`)
const problems = async () => (await pulse.value('SELECT pulse.status()')).problems.map(({ problem }) => problem)
const positions = async () => (await pulse.sql('SELECT id FROM pulse.bridge_read(0, 1000000, 1000000)')).map(({ id }) => Number(id))

test('the SQL of 1.0 calls this library: no C function of it crashes, whatever it is given', async () => {
  assert.equal(await version(), '1.0')
  const functions = await pulse.sql(`SELECT p.oid::regprocedure::text AS signature, p.proname AS name, n.nspname AS schema,
      ARRAY(SELECT t::regtype::text FROM unnest(p.proargtypes) t) AS types
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE l.lanname = 'c' AND n.nspname IN ('pulse', '_pulse') AND p.prorettype <> 'trigger'::regtype ORDER BY 1`)
  assert.ok(functions.length > 25, `${functions.length} functions`)
  const samples = {
    text: `'app'`, json: `'{}'`, jsonb: `'{}'`, 'text[]': `'{a}'`, 'bytea[]': `'{}'`, integer: '1', bigint: '1', regclass: `'pg_class'`,
    interval: `'1 s'`, 'timestamp with time zone': 'now()', boolean: 'true', name: `'app'`
  }
  const started = await pulse.value('SELECT pg_postmaster_start_time()::text')
  const client = await pulse.cluster.connect()
  const context = `'{"claims":{"userId":"u"},"userId":"u","sessionId":"s","socketId":"x","namespace":"/"}'`
  for (const { signature, schema, name, types } of functions) {
    for (const values of [types.map(type => samples[type] ?? assert.fail(`${signature}: no sample of ${type}`)), types.map(() => 'NULL')]) {
      const args = values.map((value, n) => `${value}::${types[n]}`).join(', ')
      // Some raise, as they should; none may leave the session broken or come to an internal error.
      const error = await client.query(`BEGIN; SELECT "${schema}"."${name}"(${args})`).then(() => undefined, error => error)
      await client.query('ROLLBACK')
      if (error) assert.doesNotMatch(error.code, /^(XX|57P|08)/, `${signature} (${args}): ${error.message}`)
    }
  }
  // The bridge's own calls, as a bridge of 1.0 makes them.
  const { rows: [{ hello }] } = await client.query(`SELECT pulse.bridge_hello('old') AS hello`)
  assert.deepEqual([hello.version, hello.dispatcherPid], ['1.0', null])
  // New clients are refused, since the tables of their sessions are not there yet; who is connected can go on.
  await assert.rejects(client.query(`SELECT pulse.handle_connect('/', ${context})`), { code: '42P01' })
  const { rows: [handled] } = await client.query(`SELECT * FROM pulse.handle('/', 'echo', '[1]', ${context})`)
  assert.deepEqual(handled.ack, [1])
  const { rows: [decided] } = await client.query(`SELECT n, allowed FROM pulse.decide('[{"operation":"join","room":"open:1","context":{"claims":{"userId":"u"},"userId":"u"}}]')`)
  assert.deepEqual(decided, { n: 0, allowed: true })
  await client.end()
  assert.equal(await pulse.value('SELECT pg_postmaster_start_time()::text'), started)
  assert.doesNotMatch(pulse.cluster.log, /terminated by signal|PANIC/)
})

test('what is bound to a function of 1.0 that 1.1 has not stops the update with its name; the documented way leads through', async () => {
  const dba = await pulse.cluster.connect()
  const one = async text => Object.values((await dba.query(text)).rows[0])[0]
  const objects = {
    'function app.told()': {
      make: `CREATE FUNCTION app.told() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT pulse.publish('open:bound', 'told', '1'::json); END`, drop: 'DROP FUNCTION app.told()'
    },
    'function app.refuse()': {
      make: `CREATE FUNCTION app.refuse() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT pulse.fail('forbidden', 'no'); END`, drop: 'DROP FUNCTION app.refuse()'
    },
    'view app.telling': {
      make: `CREATE VIEW app.telling AS SELECT pulse.publish(ARRAY['open:bound'], 'viewed', '2'::jsonb) AS id`, drop: 'DROP VIEW app.telling'
    },
    'default value for column event_id of table app.notes': {
      make: `ALTER TABLE app.notes ALTER event_id SET DEFAULT pulse.publish('open:bound', 'noted', '3'::text)`, drop: 'ALTER TABLE app.notes ALTER event_id DROP DEFAULT'
    }
  }
  const unbound = `CREATE FUNCTION app.unbound() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN pulse.publish('open:bound', 'unbound', '4'::json); END $$`
  await dba.query(`CREATE TABLE app.notes (event_id bigint); ${unbound}`)
  for (const [name, { make, drop }] of Object.entries(objects)) {
    await dba.query(make)
    await assert.rejects(dba.query('ALTER EXTENSION pulse UPDATE'), error => {
      assert.equal(error.code, '2BP01')
      assert.match(error.message, name === 'function app.refuse()' ? /^cannot drop function pulse\.fail\(text,text,text\) because/ : /^cannot drop function pulse\.publish\(text(\[\])?,text,/)
      assert.ok(error.detail.includes(`${name} depends on function pulse.`), error.detail)
      return true
    })
    assert.equal(await version(), '1.0')
    await dba.query(drop)
  }
  for (const { make } of Object.values(objects)) await dba.query(make)
  // docs/how-to/operate.md: in one transaction, so that nobody misses them meanwhile
  await dba.query('BEGIN')
  for (const { drop } of Object.values(objects)) await dba.query(drop)
  await dba.query('ALTER EXTENSION pulse UPDATE')
  for (const { make } of Object.values(objects)) await dba.query(make)
  await dba.query('INSERT INTO app.notes DEFAULT VALUES')
  const ids = [await one('SELECT event_id FROM app.notes'), await one('SELECT app.told()'), await one('SELECT id FROM app.telling'), await one('SELECT app.unbound()')]
  assert.deepEqual((await dba.query('SELECT name FROM pulse.events WHERE id = ANY ($1) ORDER BY id', [ids])).rows.map(({ name }) => name), ['noted', 'told', 'viewed', 'unbound'])
  await dba.query('SAVEPOINT refused')
  await assert.rejects(dba.query('SELECT app.refuse()'), { code: 'PL403' })
  await dba.query('ROLLBACK')
  await dba.end()
  await pulse.sql(`${Object.values(objects).map(({ drop }) => drop).join('; ')}; DROP TABLE app.notes; DROP FUNCTION app.unbound()`)
  assert.equal(await version(), '1.0')
})

// The first events were dispatched by 1.0: these are its rows.
const dispatchedBy10 = async () => {
  await pulse.sql(`INSERT INTO _pulse.epochs (epoch, channel, after_position) VALUES ('00000000000000aa', 'pulse_' || repeat('a', 32), 0)`)
  await pulse.sql(`INSERT INTO pulse.deliveries (room, position, xid, event_id, slot)
    SELECT room, row_number() OVER (ORDER BY id), xid, id, slot FROM pulse.events, unnest(rooms) AS room`)
  await pulse.sql(`INSERT INTO pulse.ticks (first_position, last_position, slot, at, before, upto, xids, ids)
    SELECT 1, count(*), 0, now(), (SELECT upto FROM pulse.ticks), pg_current_snapshot(), array_agg(xid ORDER BY id), array_agg(id ORDER BY id) FROM pulse.events`)
}

test('before the update users go on and it is said what is missing; after it everything is dispatched once, in order', async () => {
  await until(() => /has version 1\.0 of the extension pulse, the library is of version [\d.]+: nothing is dispatched[^]*Run ALTER EXTENSION pulse UPDATE/.test(pulse.cluster.log),
    { what: 'the reason in the log' })
  assert.ok((await problems()).includes('the dispatcher is not running'))
  assert.equal(await pulse.value('SELECT epoch FROM _pulse.epochs'), undefined)
  const bridge = await pulse.addBridge({}, { ready: false })
  const ready = await until(async () => {
    const answer = await fetch(`${bridge.internalUrl}/ready`), body = await answer.json()
    return (body.detail || body.problems) && { status: answer.status, ...body }
  }, { what: '/ready telling why' })
  assert.deepEqual([ready.status, ready.ready], [503, false])
  assert.match(JSON.stringify(ready), /function pulse\.\w+\(.*\) does not exist|the dispatcher is not running/)
  await assert.rejects(pulse.sql('SELECT _pulse.tick()'), error => /Run ALTER EXTENSION pulse UPDATE/.test(error.hint))

  // What an application did under 1.0.
  await pulse.sql(`CREATE TABLE app.orders (id int, status text); SELECT pulse.watch('app.orders', 'order:changed', ARRAY['open:orders'], 'insert, update');
    SELECT pulse.configure('pulse', 'idempotency_keep', '3 hours'), pulse.configure('donors', 'presence_ttl', '7 min');
    CREATE TABLE app.ran (n int); CREATE FUNCTION app.job(args json) RETURNS json LANGUAGE sql AS $$ INSERT INTO app.ran VALUES ((args->>'n')::int) RETURNING '{}'::json $$;
    SELECT pulse.enqueue('q', 'sql', '{"function":"app.job","args":{"n":1}}', unique_key => 'one');
    SELECT pulse.enqueue('q', 'sql', format('{"function":"app.job","args":{"n":%s}}', n)::json, run_at => now() + interval '1 hour') FROM generate_series(2, 5) n;
    UPDATE _pulse.jobs SET state = 'executing', attempt = 1, attempted_at = now(), run_at = now() WHERE args::text LIKE '%2}}';
    UPDATE _pulse.jobs SET state = 'discarded', attempt = 3, attempted_at = now() - interval '1 day', last_error = 'PX001: boom' WHERE args::text LIKE '%3}}';
    UPDATE _pulse.jobs SET state = 'discarded', attempt = 2, last_error = 'superseded by a newer job with the same unique_key; its own error: x' WHERE args::text LIKE '%4}}';
    INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN')`)
  const expected = []
  const publish = async (client, n) => Number((await client.query(`SELECT pulse.publish('open:a', 'e', $1::json) AS id`, [JSON.stringify(n)])).rows[0].id)
  const session = await pulse.cluster.connect(), prepared = await pulse.cluster.connect(), key = `'open:a', 'once', '1'::json, idempotency_key => 'k'`
  for (let n = 0; n < 20; n++) {
    expected.push(await publish(session, n))
    if (n === 2) await dispatchedBy10()
  }
  const once = Number(await pulse.value(`SELECT pulse.publish(${key})`))
  expected.push(once)
  await session.query('BEGIN')
  await publish(session, -1)
  await session.query('ROLLBACK')
  await prepared.query('BEGIN')
  const late = await publish(prepared, 100)
  await prepared.query(`PREPARE TRANSACTION 'over the update'`)
  await session.query(`INSERT INTO app.orders VALUES (1, 'new')`)
  expected.push(Number(await pulse.value('SELECT max(id) FROM pulse.events')))

  // The update, with writers at work who neither fail nor stop.
  let stop = false
  const during = []
  const writers = Array.from({ length: 4 }, async () => {
    const client = await pulse.cluster.connect()
    for (let n = 1000; !stop; n++) during.push(await publish(client, n))
    await client.end()
  })
  await until(() => during.length > 50)
  await pulse.sql('ALTER EXTENSION pulse UPDATE')
  const sofar = during.length
  await until(() => during.length > sofar + 50)
  stop = true
  await Promise.all(writers)
  const current = await pulse.value(`SELECT default_version FROM pg_available_extensions WHERE name = 'pulse'`)
  assert.equal(await version(), current)

  expected.push(await publish(session, 101))   // a session that has published before the update
  await session.query(`UPDATE app.orders SET status = 'paid'`)
  expected.push(Number(await pulse.value('SELECT max(id) FROM pulse.events')))
  assert.equal(Number(await pulse.value(`SELECT pulse.publish(${key})`)), once)
  await prepared.query(`COMMIT PREPARED 'over the update'`)
  const all = [...expected, ...during, late]
  await until(async () => (await positions()).length >= all.length, { what: 'all of them being dispatched' })
  const dispatched = await positions()
  assert.equal(new Set(dispatched).size, dispatched.length)
  assert.deepEqual([...dispatched].sort((a, b) => a - b), [...all].sort((a, b) => a - b))
  assert.deepEqual(dispatched.filter(id => expected.includes(id)), expected)
  // A cursor that 1.0 gave is good: everything after it, in pages.
  assert.equal(await pulse.value('SELECT count(*)::int FROM _pulse.epochs'), 2)
  const after = []
  for (let cursor = '00000000000000aa:1', page; page?.length !== 0; cursor = page.at(-1)?.position) {
    page = await pulse.sql(`SELECT position, id::int FROM pulse.history('open:a', $1, 50)`, [cursor])
    after.push(...page.map(({ id }) => id))
  }
  const inRoom = new Map((await pulse.sql(`SELECT id::int, payload FROM pulse.events WHERE 'open:a' = ANY (rooms)`)).map(({ id, payload }) => [id, payload]))
  assert.deepEqual(after, dispatched.slice(1).filter(id => inRoom.has(id)))

  // E4: its jobs: one that waited runs, one that ran has failed that attempt and is tried again, dead ones are dead letters, a later one waits.
  const ran = () => pulse.value(`SELECT coalesce(string_agg(n::text, ',' ORDER BY n), '') FROM app.ran`)
  await until(async () => await ran() === '1,2', { what: 'the jobs' })
  const jobs = () => pulse.sql(`SELECT (args -> 'args' ->> 'n')::int AS n, state, attempt, last_error FROM pulse.jobs WHERE queue = 'q' ORDER BY 1`)
  assert.deepEqual(await jobs(), [
    { n: 1, state: 'completed', attempt: 1, last_error: null }, { n: 2, state: 'completed', attempt: 2, last_error: 'the worker ended during this attempt' },
    { n: 3, state: 'discarded', attempt: 3, last_error: 'PX001: boom' },
    { n: 4, state: 'discarded', attempt: 2, last_error: 'superseded by a newer job with the same unique_key; its own error: x' }, { n: 5, state: 'scheduled', attempt: 0, last_error: null }])
  assert.deepEqual(await pulse.sql('SELECT reason, count(*)::int FROM pulse.dead_letters GROUP BY 1 ORDER BY 1'), [{ reason: 'attempts', count: 1 }, { reason: 'superseded', count: 1 }])
  assert.equal(await pulse.value(`SELECT pulse.redrive(id) FROM pulse.dead_letters WHERE reason = 'attempts'`), true)
  await until(async () => await ran() === '1,2,3', { what: 'the redriven job' })
  await until(async () => (await problems()).length === 0, { what: 'no problem any more' })
  await bridge.ready()   // it found the new functions by itself
  // So does a client that was away over the update: what it missed before, during and after, then live.
  const client = new Follower(pulse, 'open:a', 'u'), answer = await client.connect('00000000000000aa:1')
  assert.deepEqual([answer.ok, answer.recovered], [true, true], JSON.stringify(answer))
  await publish(session, 'live')
  await client.has('live')
  assert.deepEqual(client.events, [...after.map(id => inRoom.get(id)), 'live'])

  // What was configured and registered is still so, each once.
  assert.deepEqual(await pulse.sql(`SELECT pulse.setting('pulse', 'idempotency_keep') AS a, pulse.setting('donors', 'presence_ttl') AS b`), [{ a: '3 hours', b: '7 min' }])
  assert.deepEqual(await pulse.sql('SELECT pattern, operation, function, extension, count(*) FROM _pulse.policies GROUP BY 1, 2, 3, 4 HAVING count(*) > 1'), [])
  assert.equal(await pulse.value(`SELECT allowed FROM pulse.decide('[{"operation":"join","room":"open:1","context":{"claims":{"userId":"u"},"userId":"u"}}]')`), true)
  assert.equal(await pulse.value('SELECT count(*)::int FROM donors.donors'), 1)
  await session.end()
  await prepared.end()
})

test('D7: a pack of 1.0 works on the updated engine, and is updated by itself', async () => {
  const socket = await pulse.io({ userId: 'u', countryCode: 'IN' })
  assert.equal(await pulse.value(`SELECT extversion FROM pg_extension WHERE extname = 'pulse_donors'`), '1.0')
  const request = `INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code) VALUES ('r', 'O-', 'critical', 19, 72, 'IN') RETURNING id::text`
  const created = gather(socket, 'emergency:created'), ids = [await pulse.value(request)]
  await created.atLeast(1)
  await pulse.sql(`SELECT pulse.configure('donors', 'search_radius_km', 'far')`)
  await pulse.sql('ALTER EXTENSION pulse_donors UPDATE')
  assert.equal(await pulse.value(`SELECT pulse.setting('donors', 'search_radius_km')`), '25', 'what is no value of a setting is replaced by its default')
  ids.push(await pulse.value(request))
  await created.atLeast(2)
  assert.deepEqual(created.items.map(([{ emergencyId }]) => emergencyId), ids)
})

test('an update that is rolled back, or that somebody else tries, leaves the workers as they were', async () => {
  const pids = () => pulse.value(`SELECT json_build_array(s->'dispatcher'->'pid', s->'worker'->'pid') FROM (SELECT pulse.status()) AS x (s)`)
  const running = () => until(async () => { const found = await pids(); return found.every(pid => pid !== null) && found }, { what: 'both workers' })
  const earlier = await running(), epoch = await pulse.value('SELECT pulse.position()')
  await pulse.sql('CREATE ROLE somebody LOGIN')
  const somebody = await pulse.cluster.connect({ user: 'somebody' })
  await assert.rejects(somebody.query('ALTER EXTENSION pulse UPDATE'), /must be owner/)
  await somebody.end()
  assert.deepEqual(await pids(), earlier)
  const dba = await pulse.cluster.connect()
  await dba.query('BEGIN; ALTER EXTENSION pulse UPDATE')
  assert.deepEqual(await pids(), [null, null], 'they left, so that neither waits for the other')
  await dba.query('ROLLBACK')
  await dba.end()
  await running()
  assert.equal(await pulse.value('SELECT pulse.position()'), epoch, 'the epoch goes on')
})
