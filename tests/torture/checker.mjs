// Compares what clients saw (sessions' logs) and what the dispatcher wrote (the audit) with what was published (the oracle). Pure: a run
// is plain data, so its tests make up runs with each fault. Finds
//   lost        a committed event that has no position, or that a session in one of its rooms never got
//   aborted     an event whose transaction or savepoint was rolled back, or that nobody published
//   duplicate   an event twice at positions, or twice in a session
//   order       against the order of positions, of a transaction, of causes, of a row's changes
//   hole        positions that are not dense, or that ticks, deliveries and cursors do not agree about
//   leak        an event through a room that the session was not in, or a room it had no right to
//   recovery    a recovery that said "recovered" and left out an event, or that was refused for no reason
//   eviction    an eviction that did not take effect at its position
import { checkLog } from './check_log.mjs'
import { checkSession } from './check_session.mjs'

export const kindsOfFindings = ['lost', 'aborted', 'duplicate', 'order', 'hole', 'leak', 'recovery', 'eviction']

// run: {events, transactions, log: {entries, ticks, deliveries, start}, rows, sessions: [{name, userId, protocol, forbidden, log}], fence,
// recovers}. Returns {findings: [{kind, where, what}], counts}.
export function check(run) {
  const findings = []
  const report = where => (kind, what) => findings.push({ kind, where, what })
  const index = checkLog(run, report('log'))
  const counts = { deliveries: 0, recoveries: 0, refetches: 0, evictions: 0, required: 0 }
  for (const session of run.sessions) {
    const own = checkSession(run, index, session, report(session.name))
    for (const name of Object.keys(counts)) counts[name] += own[name]
  }
  return { findings, counts }
}
