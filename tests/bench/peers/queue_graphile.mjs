// graphile-worker with its best settings: a local queue that fetches jobs by hundreds, and finished jobs told in batches, where
// throughput is measured; without them where latency is. The database is named by libpq's environment variables. Started by
// tests/bench/run; see queue_peer.mjs.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { serve } from './queue_peer.mjs';

const CONCURRENCY = Number(process.argv[2] ?? 24);
const LOCAL = Number(process.argv[3] ?? 500);
const logger = new Logger(() => () => {});
const pool = new pg.Pool({ max: 34, idleTimeoutMillis: 0 });
pool.on('error', () => {});
pool.on('connect', (client) => client.on('error', () => {}));
let utils;

await serve({
  async open() {
    utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
  },
  async close() { await utils.release(); await pool.end(); },
  async clear() { await pool.query('TRUNCATE graphile_worker._private_jobs'); },
  one: (n) => utils.addJob('noop', { n }),
  bulk: (from, count) => utils.addJobs(Array.from({ length: count }, (_, i) => ({ identifier: 'noop', payload: { n: from + i } }))),
  async hold() {
    const client = await pool.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT 1');
    return async () => { await client.query('COMMIT'); client.release(); };
  },
  async work({ best, concurrency }, onJob) {
    const runner = await run({
      pgPool: pool,
      logger,
      noHandleSignals: true,
      taskList: { noop: (payload) => onJob(payload.n) },
      preset: { worker: best
        ? { concurrentJobs: CONCURRENCY, localQueue: { size: LOCAL }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
        : { concurrentJobs: concurrency } },
    });
    return () => runner.stop();
  },
});
