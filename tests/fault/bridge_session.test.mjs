// What a handler leaves in the bridge's session must not meet the bridge's own statements, which run with the bridge's rights.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster, root } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

let cluster
before(async () => { cluster = await Cluster.create() })
after(() => cluster?.drop())

// The statements of bridge/src/db/queries.hpp by name: adjacent literals are one text.
const queries = Object.fromEntries([...readFileSync(join(root, 'bridge/src/db/queries.hpp'), 'utf8')
  .matchAll(/constexpr Query \w+\{\s*"(\w+)",((?:\s*"[^"]*")+),\s*\d+\}/g)]
  .map(([, name, literals]) => [name, [...literals.matchAll(/"([^"]*)"/g)].map(([, text]) => text).join('')]))

test('types that a handler made in pg_temp are not those of the bridge\'s statements', async () => {
  assert.deepEqual(Object.keys(queries).sort(), ['bridge_hello', 'bridge_history', 'bridge_read', 'bridge_revocations', 'bridge_sessions', 'decide',
    'handle', 'handle_answer', 'handle_connect', 'handle_refresh', 'handle_request', 'queues', 'status'])
  await cluster.sql(`
    CREATE TABLE caught (by_role text);
    GRANT INSERT ON caught TO PUBLIC;
    CREATE FUNCTION trap(args json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
      name text;
    BEGIN
      FOREACH name IN ARRAY ARRAY['json', 'bytea', 'int8', 'int4', 'text'] LOOP
        EXECUTE format('CREATE FUNCTION pg_temp.seen_%1$s(value pg_catalog.%1$s) RETURNS boolean LANGUAGE plpgsql AS '
                       '''BEGIN INSERT INTO public.caught VALUES (current_user); RETURN true; END''', name);
        EXECUTE format('CREATE DOMAIN pg_temp.%1$s AS pg_catalog.%1$s CHECK (pg_temp.seen_%1$s(VALUE))', name);
      END LOOP;
      RETURN NULL;
    END $$;
    CREATE FUNCTION calm(args json) RETURNS json LANGUAGE sql RETURN '1'::json;
    SELECT pulse."on"('trap', 'trap'), pulse."on"('calm', 'calm')`)
  await cluster.sql(`CREATE FUNCTION open_stream(request json) RETURNS json LANGUAGE sql RETURN '{"rooms":[]}'::json; SELECT pulse.stream('/calm', 'open_stream', 'none')`)
  const bridge = await cluster.connect({ user: 'bridge' })
  try {
    const call = event => bridge.query({ name: 'handle', text: queries.handle, values: ['/', event, '[]', '{}', ['\\x00']] })
    await call('calm')
    await call('trap')
    await call('calm')   // the prepared statement is analysed again, in a path that begins with pg_temp
    await bridge.query(queries.handle_connect, ['/', '{}'])
    await bridge.query(queries.handle_refresh, ['/', '{}']).catch(error => assert.equal(error.code, 'PL400'))   // no session: what counts is what ran before
    await bridge.query(queries.handle_answer, ['public.calm', '[]', '{}', ['\\x00']])
    await bridge.query(queries.handle_request, ['GET', '/calm', '{}', '{}'])
    await bridge.query(queries.decide, ['[]'])
    await bridge.query(queries.bridge_read, [0, 10, 10])
    await bridge.query(queries.bridge_history, [['room'], 0, 10, 10])
    await bridge.query(queries.bridge_sessions, ['bridge', '[]'])
    await bridge.query(queries.bridge_revocations)
    assert.deepEqual(await cluster.sql('SELECT DISTINCT by_role FROM caught'), [])
  } finally {
    await bridge.end()
  }
})

test('what a handler leaves in the session ends with it: temporary tables, advisory locks, also when it fails', async () => {
  await cluster.sql(`
    CREATE FUNCTION litter(args json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      CREATE TEMPORARY TABLE litter (n int);
      INSERT INTO litter VALUES (1);
      PERFORM pg_advisory_lock(7), pg_advisory_xact_lock(8);
      IF args ->> 0 = 'fail' THEN PERFORM 1 / 0; END IF;
      RETURN (SELECT json_agg(n) FROM litter);
    END $$;
    CREATE FUNCTION lock_policy(claims json, room text, params json) RETURNS boolean LANGUAGE sql AS $$ SELECT pg_advisory_lock(9) IS NOT NULL $$;
    SELECT pulse."on"('litter', 'litter'), pulse.policy('locked:{x}', 'join', 'lock_policy')`)
  const bridge = await cluster.connect({ user: 'bridge' })
  try {
    const call = (...args) => bridge.query({ name: 'handle', text: queries.handle, values: ['/', 'litter', JSON.stringify(args), '{}', null] })
    // A client may hear of an error before the transaction is over.
    const nothing_left = () => until(async () => (await left()).length === 0, { what: 'nothing being left' })
    const left = () => cluster.sql(`SELECT 'lock' AS kind, objid::text AS name FROM pg_locks WHERE locktype = 'advisory'
      UNION ALL SELECT 'table', relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() OR relname = 'litter'`)
    for (let n = 0; n < 3; n++) {
      assert.deepEqual((await call()).rows[0].handle_event, [1])
      await nothing_left()
      await assert.rejects(call('fail'), { code: '22012' })
      await nothing_left()
    }
    const requests = JSON.stringify([{ operation: 'join', room: 'locked:1', context: { claims: {} } }])
    assert.equal((await bridge.query(queries.decide, [requests])).rows[0].allowed, true)
    await nothing_left()
  } finally {
    await bridge.end()
  }
})

test('a session with temporary tables of its own keeps them when it calls a handler', async () => {
  await cluster.sql(`CREATE FUNCTION quiet(args json) RETURNS json LANGUAGE sql RETURN '1'::json; SELECT pulse."on"('quiet', 'quiet')`)
  const owner = await cluster.connect()
  try {
    await owner.query('CREATE TEMPORARY TABLE mine (n int)')
    await owner.query(`SELECT pulse.handle('/', 'quiet', '[]', '{}', NULL)`)
    assert.equal((await owner.query('SELECT count(*)::int AS n FROM mine')).rows[0].n, 0)
  } finally {
    await owner.end()
  }
})

test('refusals are for clients: they do not fill the server\'s log, failures of handlers are in it', async () => {
  await cluster.sql(`
    CREATE FUNCTION refuse(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.fail('forbidden', 'refused on purpose'); END $$;
    CREATE FUNCTION crash(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / 0; END $$;
    SELECT pulse."on"('refuse', 'refuse'), pulse."on"('crash', 'crash')`)
  const bridge = await cluster.connect({ user: 'bridge' })
  try {
    const before = cluster.log.length
    const call = event => bridge.query(queries.handle, ['/', event, '[]', '{}', null])
    await assert.rejects(bridge.query(queries.handle_connect, ['/nowhere', '{}']), { code: 'PL404', message: 'Invalid namespace' })
    await assert.rejects(call('nothing-of-the-kind'), { code: 'PL404' })
    await assert.rejects(call('refuse'), { code: 'PL403', message: 'refused on purpose' })
    await assert.rejects(call('crash'), { code: '22012' })
    const said = cluster.log.slice(before).split('\n').filter(line => / (ERROR|STATEMENT): /.test(line))
    assert.deepEqual(said.map(line => / (ERROR|STATEMENT): +(.*)/.exec(line)[2].slice(0, 16)), ['division by zero', 'SELECT pulse.han'])
    await cluster.sql(`ALTER ROLE bridge SET log_min_messages = debug1`)
    const curious = await cluster.connect({ user: 'bridge' })
    await assert.rejects(curious.query(queries.handle_connect, ['/nowhere', '{}']), { code: 'PL404' })
    await curious.end()
    assert.match(cluster.log.slice(before), /ERROR: {2}Invalid namespace/)
  } finally {
    await bridge.end()
  }
})
