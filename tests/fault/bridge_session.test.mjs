// What a handler leaves in the bridge's session must not meet the bridge's own statements, which run with the bridge's rights.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster, root } from '../support/cluster.mjs'

let cluster
before(async () => { cluster = await Cluster.create() })
after(() => cluster?.drop())

// The statements of bridge/src/db/queries.hpp by name: adjacent literals are one text.
const queries = Object.fromEntries([...readFileSync(join(root, 'bridge/src/db/queries.hpp'), 'utf8')
  .matchAll(/constexpr Query \w+\{\s*"(\w+)",((?:\s*"[^"]*")+),\s*\d+\}/g)]
  .map(([, name, literals]) => [name, [...literals.matchAll(/"([^"]*)"/g)].map(([, text]) => text).join('')]))

test('types that a handler made in pg_temp are not those of the bridge\'s statements', async () => {
  assert.deepEqual(Object.keys(queries).sort(), ['bridge_hello', 'bridge_read', 'decide', 'handle', 'handle_connect', 'status'])
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
  const bridge = await cluster.connect({ user: 'bridge' })
  try {
    const call = event => bridge.query({ name: 'handle', text: queries.handle, values: ['/', event, '[]', '{}', ['\\x00']] })
    await call('calm')
    await call('trap')
    await call('calm')   // the prepared statement is analysed again, in a path that begins with pg_temp
    await bridge.query(queries.handle_connect, ['/', '{}'])
    await bridge.query(queries.decide, ['[]'])
    await bridge.query(queries.bridge_read, [0, 10, 10])
    assert.deepEqual(await cluster.sql('SELECT DISTINCT by_role FROM caught'), [])
  } finally {
    await bridge.end()
  }
})
