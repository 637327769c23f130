// The queues of a torture: who works on their jobs, and what limits them. `share`: of all jobs. `keys`: share of their jobs with one of a
// few partition keys; `unique`: with one of a few unique keys. `sleep`: how long each of its jobs takes at least and at most, in ms.
export const queues = {
  work: { channel: 'sql', share: 36, keys: 0, unique: 0.25 },
  ordered: { channel: 'sql', share: 15, keys: 1, unique: 0 },
  few: { channel: 'sql', share: 10, keys: 0, unique: 0, concurrency: 2, sleep: [5, 30] },
  rated: { channel: 'sql', share: 9, keys: 0, unique: 0, rate: 10, per: 1000, sleep: [0, 90] },
  hooks: { channel: 'http', share: 10, keys: 0.3, unique: 0.1 },
  'few hooks': { channel: 'http', share: 7, keys: 0, unique: 0, concurrency: 3, sleep: [5, 30] },
  'rated hooks': { channel: 'http', share: 9, keys: 0, unique: 0, rate: 10, per: 1500 },
  errands: { channel: 'external', share: 8, keys: 0.3, unique: 0.1, concurrency: 6 }
}

export async function configure(cluster) {
  for (const [name, { concurrency = 0, rate = 0, per = 1000 }] of Object.entries(queues))
    await cluster.sql(`SELECT pulse.configure_queue($1, concurrency => $2, rate => $3, per => make_interval(secs => $4), backoff => '50 ms', backoff_max => '400 ms')`,
      [name, concurrency, rate, per / 1000])
}
