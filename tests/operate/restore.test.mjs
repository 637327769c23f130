// pg_dump and pg_restore into a new cluster: what was registered, configured and enqueued travels, and the packs' data; the log does not.
// The new cluster has an epoch of its own: a client that comes with a cursor of the old one is told to fetch anew, and events go on.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { bindir, Cluster } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { next, until } from '../support/wait.mjs'
import { Follower } from './follower.mjs'

let source, dumps, client
before(async () => {
  dumps = mkdtempSync(join(tmpdir(), 'dumps-'))
  source = await startPulse({ extensions: ['pulse', 'pulse_donors'] })
  await source.load('rooms')
  await source.sql(`SELECT pulse.policy('open:{id}', 'history', 'app.allow');
    SELECT pulse.define_setting('app', 'colour', 'red', 'a setting of the application'), pulse.configure('app', 'colour', 'green'), pulse.configure('donors', 'presence_ttl', '7 min');
    SELECT pulse.policy('region:{countryCode}', 'join', 'app.allow');
    CREATE TABLE app.orders (id int, status text); SELECT pulse.watch('app.orders', 'order', ARRAY['open:orders'], 'insert, update', payload => '{"order": "{id}"}');
    INSERT INTO app.orders VALUES (1, 'new');
    CREATE TABLE app.ran (n int); CREATE FUNCTION app.job(args json) RETURNS json LANGUAGE sql AS $$ INSERT INTO app.ran VALUES ((args->>'n')::int) RETURNING '{}'::json $$;
    CREATE FUNCTION app.fail(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'boom'; END $$;
    SELECT pulse.stream('/api/jobs/{id}', 'app.job', 'none');
    SELECT pulse.enqueue('q', 'sql', '{"function":"app.job","args":{"n":7}}', run_at => now() + interval '1 hour');
    SELECT pulse.configure_queue('q', concurrency => 3, rate => 1000, per => '1 min'), pulse.pause_queue('quiet', 'by hand'), pulse.job_kind('note', 'sql', 'app.job', max_attempts => 1);
    SELECT pulse.enqueue('quiet', 'note', '{"n":9}', unique_key => 'k', partition_key => 'p', on_end => 'app.job');
    SELECT pulse.enqueue('q', 'sql', '{"function":"app.fail"}', max_attempts => 1);
    INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN');
    SELECT pulse.publish('open:r', 'e', '0'::json, idempotency_key => 'k')`)
  client = new Follower(source, 'open:r', 'client')
  await client.connect()
  for (let n = 1; n <= 20; n++) await source.sql(`SELECT pulse.publish('open:r', 'e', to_json($1::int))`, [n])
  await client.has(20)
  await until(async () => await source.value('SELECT count(*)::int FROM pulse.dead_letters') === 1, { what: 'a dead letter' })
  dump('custom', '-Fc')
  dump('plain', '-Fp')
})
after(async () => {
  await source?.stop()
  rmSync(dumps, { recursive: true, force: true })
})

const program = (name, args, cluster) => execFileSync(join(bindir, name), args, { env: cluster.environment, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
const dump = (name, format) => program('pg_dump', [format, '-f', join(dumps, name), '-d', 'pulse'], source.cluster)

// What an operator or an application wrote, as text: the same on both sides.
const config = cluster => cluster.sql(`
  SELECT 'policy' AS what, to_jsonb(t) AS row FROM _pulse.policies t UNION ALL SELECT 'handler', to_jsonb(t) FROM _pulse.handlers t
  UNION ALL SELECT 'namespace', to_jsonb(t) FROM _pulse.namespaces t UNION ALL SELECT 'definition', to_jsonb(t) FROM _pulse.setting_definitions t
  UNION ALL SELECT 'stream', to_jsonb(t) FROM _pulse.streams t UNION ALL SELECT 'route', to_jsonb(t) FROM _pulse.routes t UNION ALL SELECT 'setting', to_jsonb(t) FROM _pulse.settings t UNION ALL SELECT 'job', to_jsonb(t) FROM _pulse.jobs t
  UNION ALL SELECT 'dead letter', to_jsonb(t) FROM _pulse.dead_letters t UNION ALL SELECT 'queue', to_jsonb(t) FROM _pulse.queues t UNION ALL SELECT 'queue state', to_jsonb(t) FROM _pulse.queue_states t
  UNION ALL SELECT 'kind', to_jsonb(t) FROM _pulse.job_kinds t UNION ALL SELECT 'origin', to_jsonb(t) FROM _pulse.queue_origin t
  UNION ALL SELECT 'donor', to_jsonb(t) FROM donors.donors t UNION ALL SELECT 'order', to_jsonb(t) FROM app.orders t
  UNION ALL SELECT 'trigger', to_jsonb(pg_get_triggerdef(t.oid)) FROM pg_trigger t WHERE NOT tgisinternal
  UNION ALL SELECT 'sequences', jsonb_build_array((SELECT last_value FROM _pulse.job_id_seq), (SELECT last_value FROM _pulse.event_id))
  ORDER BY 1, 2`)

for (const [name, restore] of [
  ['custom', (file, target) => program('pg_restore', ['--exit-on-error', '-d', 'pulse', file], target)],
  ['plain', (file, target) => program('psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'pulse', '-f', file], target)]
]) {
  test(`E2: a ${name} dump restored into a new cluster: configuration and jobs travel, the log does not, events go on in another epoch`, async () => {
    // As docs/how-to/operate.md says: the database is named in pulse.databases when everything is there.
    const target = await Cluster.create({ extensions: [], settings: { 'pulse.databases': '' } })
    let pulse
    try {
      restore(join(dumps, name), target)
      await target.sql('GRANT pulse_bridge TO bridge')
      assert.deepEqual(await config(target), await config(source.cluster))
      for (const table of ['pulse.events', 'pulse.deliveries', '_pulse.epochs', '_pulse.idempotency_keys', '_pulse.sessions', '_pulse.quarantine'])
        assert.equal(await target.value(`SELECT count(*)::int FROM ${table}`), 0, table)
      assert.deepEqual(await target.sql('SELECT last_position::int FROM pulse.ticks'), [{ last_position: 0 }])

      await target.set('pulse.databases', 'pulse')
      pulse = await startPulse({ cluster: target })
      const [oldEpoch] = client.cursor.split(':'), [newEpoch] = (await target.value('SELECT pulse.position()')).split(':')
      assert.notEqual(newEpoch, oldEpoch)
      const moved = new Follower(pulse, 'open:r', 'client')
      const answer = await moved.connect(client.cursor)
      assert.deepEqual([answer.ok, answer.recovered, answer.mustRefetch], [true, false, 'foreign_epoch'], JSON.stringify(answer))
      const socket = await pulse.io({ userId: 'io' })
      assert.deepEqual(await socket.emitWithAck('who'), { user: 'io', role: null, as: 'pulse_client' }, 'handlers are there')
      assert.equal((await socket.emitWithAck('room:join', { room: 'open:orders' })).ok, true)
      const order = next(socket, 'order')
      await target.sql(`INSERT INTO app.orders VALUES (2, 'new')`)
      assert.deepEqual((await order)[0], { order: 2 }, 'so is the watch')
      for (let n = 21; n <= 40; n++) await target.sql(`SELECT pulse.publish('open:r', 'e', to_json($1::int))`, [n])
      await moved.has(40)
      assert.deepEqual(moved.events, Array.from({ length: 20 }, (_, n) => 21 + n))
      const { max: newest } = (await source.sql('SELECT max(id)::int FROM pulse.events'))[0], { min: first } = (await target.sql('SELECT min(id)::int FROM pulse.events'))[0]
      assert.ok(first > newest, 'no id of an event comes again')
      // E7: nothing of the queue happens here before somebody says so.
      const problem = () => target.value(`SELECT count(*)::int FROM json_array_elements(pulse.status() -> 'problems') AS p WHERE p ->> 'hint' LIKE 'SELECT pulse.resume_queues()%'`)
      await target.sql(`SELECT pulse.retry(id) FROM pulse.jobs WHERE queue = 'q'; SELECT pulse.enqueue('new', 'sql', '{"function":"app.job","args":{"n":8}}')`)
      await until(async () => await problem() === 1, { what: 'the foreman having found another origin' })
      assert.deepEqual(await target.sql('SELECT name, paused, pause_reason, available::int FROM pulse.queues ORDER BY 1'), [
        { name: 'emergency-notifications', paused: true, pause_reason: 'restored', available: 0 },
        { name: 'new', paused: true, pause_reason: 'restored', available: 1 }, { name: 'q', paused: true, pause_reason: 'restored', available: 2 },
        { name: 'quiet', paused: true, pause_reason: 'by hand', available: 1 }])
      const ran = async () => (await target.value('SELECT array_agg(n ORDER BY n) FROM app.ran'))?.join()
      await target.sql(`SELECT pulse.resume_queue('new')`)
      await until(async () => await ran() === '8', { what: 'the job of the queue that was resumed' })
      assert.equal(await target.value('SELECT pulse.resume_queues()'), true)
      await until(async () => await ran() === '7,8', { what: 'the jobs' })
      await until(async () => await target.value('SELECT count(*)::int FROM pulse.dead_letters') === 1, { what: 'the dead letter that was redriven' })
      assert.deepEqual([await problem(), await target.value(`SELECT state FROM pulse.jobs WHERE queue = 'quiet'`)], [0, 'available'])
      await moved.leave()
      assert.equal((await moved.connect()).recovered, true, 'cursors of the new epoch are good')
    } finally {
      await (pulse?.stop() ?? target.drop())
    }
  })
}
