// What the measurements of the peers' queues share: the commands of tests/bench/run, each answered by one line of JSON.
//   drain N [W] [held]  N jobs that do nothing are enqueued in bulk (not counted), then worked off: seconds until the last one has run,
//                       and until each tenth; W more wait behind; held: while a transaction elsewhere keeps a snapshot
//   single N            enqueue N jobs one after the other, some at a time
//   bulk N              enqueue N jobs by the peer's bulk call
//   pickup N            enqueue → start of N jobs, one after the other, into an idle queue
//   turns N W [held]    N jobs, or as many as fit into a time, by one worker that takes one at a time, with W waiting behind: ms from start
//                       to start; held: once more then, with a snapshot held since as many jobs before
// A peer gives: open(), close(), one(n), bulk(from, count), work(options, onJob) → stop(), hold() → release(), and clear().
import { once } from 'node:events';

const BULK = 1000;
const AT_A_TIME = 32;
const TENTHS = 10;
const MOST_MS = 20_000;

export const percentile = (values, q) => {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.min(ordered.length - 1, Math.floor(q * ordered.length))];
};

const fill = async (peer, count) => {
  for (let from = 0; from < count; from += BULK) await peer.bulk(from, Math.min(BULK, count - from));
};

// Seconds from the first call until each tenth of the jobs has run, each job counted once.
const worked = async (peer, count, options) => {
  const seen = new Set();
  const tenths = [0];
  let resolve;
  const done = new Promise((found) => { resolve = found; });
  const began = performance.now();
  const stop = await peer.work(options, (n) => {
    seen.add(n);
    if (seen.size * TENTHS < tenths.length * count) return;
    tenths.push((performance.now() - began) / 1000);
    if (seen.size === count) resolve();
  });
  await done;
  await stop();
  return tenths.slice(0, TENTHS + 1);
};

// Milliseconds from start to start of so many jobs, one at a time, or of those that a worker could do in MOST_MS.
const turns = async (peer, count) => {
  const took = [];
  let last;
  let resolve;
  const done = new Promise((found) => { resolve = found; });
  const began = performance.now();
  const stop = await peer.work({ best: false, concurrency: 1 }, () => {
    const now = performance.now();
    if (last !== undefined && took.length < count) took.push(now - last);
    last = now;
    if (took.length === count || now - began > MOST_MS) resolve();
  });
  await done;
  await stop();
  return { jobs: took.length, p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
};

const commands = {
  async drain(peer, count, waiting = 0, how = '') {
    const release = how === 'held' ? await peer.hold() : null;
    await fill(peer, count + waiting);
    const tenths = await worked(peer, count, { best: true });
    await release?.();
    return { jobs: count, seconds: tenths.at(-1), tenths };
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
    await fill(peer, waiting + 4 * count);
    const found = { waiting, ...await turns(peer, count) };
    if (how !== 'held') return found;
    const release = await peer.hold();
    await turns(peer, count);
    found.held = await turns(peer, count);
    await release();
    return found;
  },
};

export async function serve(peer) {
  await peer.open();
  console.log('ready');
  let rest = '';
  process.stdin.setEncoding('utf8');
  const answer = async (line) => {
    const [command, ...more] = line.split(' ');
    await peer.clear();
    return commands[command](peer, ...more.map((word) => (/^\d+$/.test(word) ? Number(word) : word)));
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
