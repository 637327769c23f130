// pg-boss with its best settings: where throughput is measured its fetch and complete are called in a loop, many jobs at a time, since its
// workers sleep at least half a second after each fetch; where latency is, its worker runs with that least pause. The database is named by
// libpq's environment variables. Started by tests/bench/run; see queue_peer.mjs.
import pg from 'pg';
import PgBoss from 'pg-boss';
import { serve } from './queue_peer.mjs';

const LOOPS = Number(process.argv[2] ?? 2);
const BATCH = Number(process.argv[3] ?? 500);
const pool = new pg.Pool({ max: 2, idleTimeoutMillis: 0 });
const boss = new PgBoss({ host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE, user: process.env.PGUSER, max: 34, supervise: false, schedule: false });
boss.on('error', () => {});

await serve({
  async open() { await boss.start(); await boss.createQueue('bench'); },
  async close() { await boss.stop({ graceful: false }); await pool.end(); },
  async clear() { await pool.query('TRUNCATE pgboss.job'); },
  one: (n) => boss.send('bench', { n }),
  bulk: (from, count) => boss.insert(Array.from({ length: count }, (_, i) => ({ name: 'bench', data: { n: from + i } }))),
  async hold() {
    const client = await pool.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT 1');
    return async () => { await client.query('COMMIT'); client.release(); };
  },
  async work({ best, concurrency }, onJob) {
    if (!best && concurrency > 1) {
      const id = await boss.work('bench', { batchSize: 1, pollingIntervalSeconds: 0.5 }, async (jobs) => { for (const job of jobs) onJob(job.data.n); });
      return () => boss.offWork({ id });
    }
    let stopping = false;
    const loop = async () => {
      while (!stopping) {
        const jobs = await boss.fetch('bench', { batchSize: best ? BATCH : 1 });
        if (jobs.length === 0) continue;
        for (const job of jobs) onJob(job.data.n);
        await boss.complete('bench', jobs.map((job) => job.id));
      }
    };
    const loops = Array.from({ length: best ? LOOPS : 1 }, loop);
    return async () => { stopping = true; await Promise.all(loops); };
  },
});
