// Clusters for tests of the queue: a schema app whose function app.note(args) does what its arguments say, and what tests ask of jobs.
import { Cluster } from './cluster.mjs'
import { until } from './wait.mjs'

// app.note: sleeps args.sleep seconds; waits until gate(args.gate) is open; writes into app.done; fails when args.fail is there.
export async function createQueue(settings = {}) {
  const cluster = await Cluster.create({ settings: { 'pulse.dispatch_safety_interval': '1h', max_worker_processes: 20, ...settings } })
  await cluster.sql(`
    CREATE SCHEMA app;
    CREATE TABLE app.done (job bigint, n int, key text, at bigint GENERATED ALWAYS AS IDENTITY);
    CREATE TABLE app.gate (name text PRIMARY KEY);
    CREATE FUNCTION app.note(args json) RETURNS json LANGUAGE plpgsql AS $$
      BEGIN
        IF args ->> 'sleep' IS NOT NULL THEN PERFORM pg_sleep((args ->> 'sleep')::float); END IF;
        WHILE args ->> 'gate' IS NOT NULL AND NOT EXISTS (SELECT FROM app.gate WHERE name = args ->> 'gate') LOOP PERFORM pg_sleep(0.005); END LOOP;
        INSERT INTO app.done VALUES (pulse.job_id(), (args ->> 'n')::int, args ->> 'key');
        IF args ->> 'fail' IS NOT NULL THEN RAISE EXCEPTION 'told to fail'; END IF;
        RETURN args;
      END $$`)
  const { sql, value } = { sql: cluster.sql.bind(cluster), value: cluster.value.bind(cluster) }
  const job = async id => (await sql('SELECT * FROM _pulse.jobs WHERE id = $1', [id]))[0]
  const done = async () => (await sql('SELECT job, n, key FROM app.done ORDER BY at'))
  return {
    cluster, sql, value, job, done,
    enqueue: (args = {}, options = '', queue = 'q') =>
      value(`SELECT pulse.enqueue('${queue}', 'sql', $1::json ${options})`, [JSON.stringify({ function: 'app.note', args })]),
    many: (count, args = '{}', options = '', queue = 'q') => sql(`SELECT pulse.enqueue('${queue}', 'sql', json_build_object('function', 'app.note', 'args',
      ('${args}'::jsonb || jsonb_build_object('n', n))::json) ${options}) FROM generate_series(1, ${count}) AS n`),
    open: name => sql('INSERT INTO app.gate VALUES ($1)', [name]),
    isDone: id => until(async () => (await done()).some(row => row.job === id), { what: `job ${id}` }),
    areDone: count => until(() => value('SELECT count(*) = $1 FROM app.done', [count]), { what: `${count} jobs` }),
    inState: (id, state) => until(async () => { const row = await job(id); return row?.state === state && row }, { what: `job ${id} ${state}` }),
    inHistory: (id, state) => until(() => value('SELECT state = $2 FROM _pulse.job_history WHERE id = $1', [id, state]), { what: `job ${id} ${state}` }),
    pids: type => sql('SELECT pid FROM pg_stat_activity WHERE backend_type = $1', [`pulse ${type}`]).then(rows => rows.map(row => row.pid)),
    workerOf: id => until(() => value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse worker' AND state = 'active' AND query LIKE $1`, [`pulse: job ${id}:%`]), { what: `the worker of job ${id}` }),
    waitsForLock: type => until(() => value(`SELECT pid FROM pg_stat_activity WHERE backend_type = $1 AND wait_event_type = 'Lock'`, [`pulse ${type}`]), { what: `a ${type} that waits for a lock` }),
    clean: () => sql(`TRUNCATE app.done, app.gate; DELETE FROM _pulse.jobs; DELETE FROM _pulse.dead_letters; DELETE FROM _pulse.queues; DELETE FROM _pulse.queue_states`),
  }
}
