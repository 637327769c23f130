// What the measurements of the peers' queues share: the commands of tests/bench/run, each answered by one line of JSON.
//   drain N        N jobs that do nothing are enqueued in bulk (not counted), then worked off: seconds until the last one
//   single N       enqueue N jobs one after the other, some at a time
//   bulk N         enqueue N jobs by the peer's bulk call
//   pickup N       enqueue → start of N jobs, one after the other, into an idle queue
//   turns N W [held]   N jobs by one worker that takes one at a time, with W waiting behind: ms from start to start; held: while a
//                  transaction elsewhere keeps its snapshot, after as many jobs again were worked off behind it
// A peer gives: open(), close(), one(n), bulk(from, count), work(options, onJob) → stop(), and clear().
import { once } from 'node:events';

const BULK = 1000;
const AT_A_TIME = 32;

export const percentile = (values, q) => {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.min(ordered.length - 1, Math.floor(q * ordered.length))];
};

const fill = async (peer, count) => {
  for (let from = 0; from < count; from += BULK) await peer.bulk(from, Math.min(BULK, count - from));
};

// Resolves with the milliseconds from the first call to the last job, each job counted once.
const worked = async (peer, count, options) => {
  const seen = new Set();
  let resolve;
  const done = new Promise((found) => { resolve = found; });
  const began = performance.now();
  const stop = await peer.work(options, (n) => {
    seen.add(n);
    if (seen.size === count) resolve(performance.now() - began);
  });
  const ms = await done;
  await stop();
  return ms;
};

const commands = {
  async drain(peer, count) {
    await fill(peer, count);
    const ms = await worked(peer, count, { best: true });
    return { jobs: count, seconds: ms / 1000 };
  },

  async single(peer, count) {
    let next = 0;
    const began = performance.now();
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      while (next < count) await peer.one(next++);
    }));
    return { jobs: count, seconds: (performance.now() - began) / 1000 };
  },

  async bulk(peer, count) {
    const began = performance.now();
    await fill(peer, count);
    return { jobs: count, seconds: (performance.now() - began) / 1000 };
  },

  async pickup(peer, count) {
    const took = [];
    let started;
    const stop = await peer.work({ best: false, concurrency: 8 }, (n) => started?.(n));
    for (let n = 0; n < count; n += 1) {
      await new Promise((resolve) => { setTimeout(resolve, 10 + Math.random() * 20); });
      const began = performance.now();
      await new Promise((resolve) => {
        started = () => { took.push(performance.now() - began); resolve(); };
        peer.one(n);
      });
    }
    await stop();
    return { jobs: count, p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
  },

  async turns(peer, count, waiting, how) {
    const wanted = how === 'held' ? 2 * count : count;
    await fill(peer, waiting + wanted + 1);
    const release = how === 'held' ? await peer.hold() : null;
    const took = [];
    let last;
    let resolve;
    const done = new Promise((found) => { resolve = found; });
    const stop = await peer.work({ best: false, concurrency: 1 }, () => {
      const now = performance.now();
      if (last !== undefined && took.length < wanted) took.push(now - last);
      last = now;
      if (took.length === wanted) resolve();
    });
    await done;
    await stop();
    await release?.();
    const counted = took.slice(-count);
    return { waiting, jobs: count, p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
  },
};

export async function serve(peer) {
  await peer.open();
  console.log('ready');
  let rest = '';
  process.stdin.setEncoding('utf8');
  const answer = async (line) => {
    const [command, count, ...more] = line.split(' ');
    await peer.clear();
    return commands[command](peer, Number(count), ...(more.length > 0 ? [Number(more[0]), ...more.slice(1)] : []));
  };
  process.stdin.on('data', async (chunk) => {
    rest += chunk;
    for (let end; (end = rest.indexOf('\n')) >= 0;) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      const result = await answer(line).catch((error) => ({ error: String(error.stack ?? error) }));
      console.log(JSON.stringify(result));
    }
  });
  await once(process, 'SIGTERM');
  await peer.close();
  process.exit(0);
}
