// One run: writers, warden, sessions and killer on a stage, then the check. Used by main.mjs and by the self-test.
import { until } from '../support/wait.mjs'
import { Audit } from './audit.mjs'
import { check } from './checker.mjs'
import { Fleet } from './fleet.mjs'
import { Killer, kindsOfKills } from './killer.mjs'
import { checkQueue } from './queue/check_queue.mjs'
import { QueueRun } from './queue/run.mjs'
import { Warden } from './warden.mjs'
import { Writers } from './writers.mjs'

// kills: of which kinds. enough: deliveries that there must be. each: sessions a protocol. jobs: whether the queue works beside the events. Returns
// {findings, counts}: what the checkers say, and how much there was to say it about, and the run itself as they got it.
export async function run(stage, { seconds, kills = kindsOfKills, each = 6, enough = 0, writers = {}, jobs = true, tell }) {
  await stage.clear()
  const { cluster, oracle, rooms, random } = stage
  const audit = await Audit.begin(cluster)
  const fleet = new Fleet({ url: stage.url, rooms, random, each })
  await fleet.grant(cluster)
  fleet.start()
  await fleet.settle()
  const work = new Writers(stage, random, writers)
  const killer = new Killer(stage, random('killer'), kills)
  const warden = new Warden(stage, fleet, random('warden'))
  const queue = jobs ? await QueueRun.begin(stage) : undefined
  work.start()
  warden.start()
  await killer.run(seconds, tell)
  // A slow machine goes on, quietly, until enough was delivered to speak of.
  await until(() => fleet.deliveries >= enough, { what: `${enough} deliveries`, timeout: seconds * 3000, every: 100 })
  await warden.stop()
  await work.stop()
  await queue?.end()
  const unsettled = await fleet.settle()

  const fence = await publishFence(stage)
  await until(() => fleet.sessions.every(session => session.log.some(({ n }) => n === fence)), { what: 'the last event', timeout: 15_000 }).catch(() => {})
  await fleet.stop()

  const stored = await cluster.sql('SELECT t FROM torture.transactions')
  const { resolved } = oracle.resolve(new Set(stored.map(({ t }) => t)))
  await audit.end()
  const data = {
    events: oracle.events, transactions: oracle.transactions, fence, recovers: true,
    log: { entries: audit.entries, ticks: audit.ticks, deliveries: audit.deliveries, floors: audit.floors, start: audit.start },
    rows: await cluster.sql('SELECT id, version FROM torture.rows'),
    sessions: fleet.sessions.map(({ name, userId, protocol, forbidden, log }) => ({ name, userId, protocol, forbidden, log }))
  }
  const { findings, counts } = check(data)
  if (jobs) {
    data.jobs = await queue.data(oracle.transactions)
    const checked = checkQueue(data.jobs)
    findings.push(...checked.findings)
    counts.jobs = checked.counts
  }
  Object.assign(counts, { unsettled: unsettled.map(({ name }) => name), resolved, kills: killer.counts, ...count(oracle, fleet, audit) })
  return { findings, counts, run: data }
}

// The last event of all, for everybody: behind it nothing may come.
async function publishFence({ cluster, oracle, rooms }) {
  const transaction = oracle.begin('fence')
  const { n, t, k } = oracle.event(transaction, rooms)
  await cluster.sql(`WITH noted AS (INSERT INTO torture.transactions VALUES (${t}))
    SELECT pulse.publish($1::text[], 'fence', json_build_object('n', $2::int, 't', $3::int, 'k', $4::int))`, [rooms, n, t, k])
  oracle.committed(transaction)
  return n
}

function count(oracle, fleet, audit) {
  const by = (list, name) => list.reduce((counts, item) => ({ ...counts, [item[name]]: (counts[item[name]] ?? 0) + 1 }), {})
  return {
    transactions: by(oracle.transactions, 'kind'), ends: by(oracle.transactions, 'status'),
    events: oracle.events.length, committed: oracle.events.filter(event => oracle.isCommitted(event)).length,
    positions: audit.entries.length, rotations: audit.floors.length, sessions: by(fleet.sessions, 'protocol'),
    cuts: fleet.sessions.reduce((sum, { log }) => sum + log.filter(({ what }) => what === 'cut').length, 0)
  }
}
