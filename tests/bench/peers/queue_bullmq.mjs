// BullMQ with its best settings: finished jobs are removed, many jobs at once, in one worker or several. Redis (port: the first argument)
// writes no disk. Started by tests/bench/run; see queue_peer.mjs.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { serve } from './queue_peer.mjs';

const connection = { host: '127.0.0.1', port: Number(process.argv[2]), maxRetriesPerRequest: null };
const options = { removeOnComplete: true, removeOnFail: true };
const WORKERS = Number(process.argv[3] ?? 1);
const CONCURRENCY = Number(process.argv[4] ?? 200);
const redis = new Redis(connection);
let queue;

await serve({
  async open() { queue = new Queue('bench', { connection }); },
  async close() { await queue.close(); await redis.quit(); },
  async clear() { await redis.flushdb(); },
  one: (n) => queue.add('noop', { n }, options),
  bulk: (from, count) => queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: 'noop', data: { n: from + i }, opts: options }))),
  async work({ best, concurrency }, onJob) {
    const workers = Array.from({ length: best ? WORKERS : 1 }, () =>
      new Worker('bench', async (job) => onJob(job.data.n), { connection, concurrency: best ? CONCURRENCY : concurrency }));
    await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    return () => Promise.all(workers.map((worker) => worker.close()));
  },
});
