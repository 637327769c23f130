// Compares what became of the jobs (tables, logs of those who worked) with what was asked (the ledger). Pure: a run is plain data, so its tests make
// up runs with each fault. The extension's counters and indexes are never asked. Finds
//   lost        a committed job that is nowhere, has not ended, or ended for no reason
//   aborted     a job whose transaction or savepoint was rolled back, and that exists or ran
//   twice       a run after the success was on record, one attempt run twice, a job in two places
//   attempts    more attempts than allowed, numbers that go back, a record of attempts that is not what happened
//   order       jobs of one key out of order or side by side, a job before its time
//   unique      two waiting jobs of one key, or arguments that had been replaced
//   limit       more at once, or more in a time, than a queue allows
//   atomic      a success on record without its effects, or the other way round
//   cancelled   a job cancelled by nobody, or one that goes on after it was cancelled
import { checkLimits } from './check_limits.mjs'
import { checkOrder } from './check_order.mjs'
import { runsOf } from './runs.mjs'

export const kindsOfFindings = ['lost', 'aborted', 'twice', 'attempts', 'order', 'unique', 'limit', 'atomic', 'cancelled']

const redriven = 3   // attempts that a redrive adds

// run: {transactions, calls, operations, logs: {sql, http, external}, effects, ends, rows, doubles, queues}. Returns {findings, counts}.
export function checkQueue(run) {
  const findings = []
  const runs = runsOf(run)
  const index = new Index(run, runs)
  const report = where => (kind, what) => findings.push({ kind, where, what })
  for (const call of run.calls) checkCall(index, call, report(`job ${call.n} of queue ${call.queue}`))
  for (const id of index.ids) checkJob(index, id, report(`job id ${id}`))
  for (const all of Object.values(runs)) for (const one of all) checkRun(index, one, report(`job id ${one.job}`))
  checkOrder(index, runs, report('order of keys'))
  const fullest = checkLimits(run.queues, runs, report('limits'))
  for (const { queue, key, ids } of run.doubles) report(`queue ${queue}`)('unique', `jobs ${ids.join(' and ')} waited together with the key ${key}`)
  return { findings, counts: count(run, index, runs, fullest) }
}

class Index {
  rowsOf = new Map()
  rowsOfCall = new Map()
  runsOf = new Map()
  effectsOf = new Map()
  endsOf = new Map()
  operationsOf = new Map()
  callsOf = new Map()

  constructor(run, runs) {
    this.run = run
    const add = (map, name, value) => { if (map.has(name)) map.get(name).push(value); else map.set(name, [value]) }
    for (const row of run.rows) {
      add(this.rowsOf, row.id, row)
      if (row.n !== null) add(this.rowsOfCall, row.n, row)
    }
    for (const one of Object.values(runs).flat()) add(this.runsOf, one.job, one)
    for (const effect of run.effects) add(this.effectsOf, effect.job, effect)
    for (const end of run.ends) add(this.endsOf, end.job, end)
    for (const operation of run.operations) if (this.isDone(operation) && operation.answer !== false) add(this.operationsOf, operation.id, operation)
    for (const call of run.calls) if (call.id !== undefined && this.isCommitted(call)) add(this.callsOf, call.id, call)
    this.ids = new Set([...this.rowsOf.keys(), ...this.runsOf.keys(), ...this.effectsOf.keys()])
  }

  isDone({ t }) { return this.run.transactions[t].status === 'committed' }
  isCommitted(call) { return call !== undefined && !call.undone && this.isDone(call) }
  call(n) { return this.run.calls[n] }
  // What was done to it, whether or not the answer is known.
  operations(id, ...whats) { return (this.operationsOf.get(id) ?? []).filter(({ what }) => whats.includes(what)) }
}

// What was enqueued must have ended somewhere.
function checkCall(index, call, report) {
  if (!index.isCommitted(call)) return
  const rows = index.rowsOfCall.get(call.n) ?? []
  if (call.uniqueKey === undefined) {
    if (rows.length === 0) report('lost', 'was committed and is nowhere')
    return
  }
  if (call.id === undefined) return   // the answer was lost; perhaps another job stood for it
  const [row] = index.rowsOf.get(call.id) ?? []
  if (row === undefined) return report('lost', `was to be done by job id ${call.id}, which is nowhere`)
  const last = index.runsOf.get(call.id)?.at(-1)
  if (row.state === 'completed' && last !== undefined && last.time < call.sentTime) report('lost', `was to be done by job id ${call.id}, which had run before`)
}

function checkRun(index, run, report) {
  const call = index.call(run.n)
  if (!index.isCommitted(call)) return report('aborted', `job ${run.n} ran, and was never committed`)
  if (call.runAt !== undefined && call.uniqueKey === undefined && index.operations(run.job, 'retry', 'redrive').length === 0 && run.time < call.runAt - 1)
    report('order', `job ${run.n} began ${Math.round(call.runAt - run.time)} ms before its time`)
}

function checkJob(index, id, report) {
  const rows = index.rowsOf.get(id) ?? [], runs = index.runsOf.get(id) ?? []
  const [row] = rows
  if (row === undefined) {
    if (runs.some(({ n }) => index.isCommitted(index.call(n)))) report('lost', 'ran and is nowhere')
    return
  }
  if (row.n === null) return   // what on_end set off: see checkEnds
  if (rows.length > 1) report('twice', `is ${rows.map(({ place, state }) => `${state} in ${place}`).join(' and ')}`)
  const call = index.call(row.n)
  if (!index.isCommitted(call)) return report('aborted', `exists (${row.state}) for job ${row.n}, which was never committed`)
  if (row.place === 'jobs') return report('lost', `has not ended: ${row.state}, attempt ${row.attempt} of ${row.maxAttempts}`)
  checkAttempts(index, row, call, runs, report)
  checkEffects(index, row, call, runs, report)
  checkCancels(index, row, call, runs, report)
  checkPayloads(index, id, runs, report)
  if (call?.onEnd) checkEnds(index, row, report)
}

function checkAttempts(index, row, call, runs, report) {
  const wrong = what => report('attempts', what)
  if (row.attempt > row.maxAttempts) wrong(`${row.attempt} attempts of ${row.maxAttempts}`)
  const more = index.operations(row.id, 'retry', 'redrive').length * redriven
  if (call?.uniqueKey === undefined && row.maxAttempts > call?.maxAttempts + more) wrong(`was allowed ${row.maxAttempts} attempts in place of ${call.maxAttempts}`)
  let before = 0
  for (const { attempt, channel } of runs) {
    if (attempt === undefined) continue
    if (attempt < before) wrong(`attempt ${attempt} began after attempt ${before}`)
    // A worker that ends in good order gives a call of SQL back un-counted; what left the house counts.
    if (attempt === before && channel !== 'sql') report('twice', `attempt ${attempt} was begun twice`)
    before = attempt
  }
  // Given back un-counted, and cancelled while it waited again, is as if it had not begun.
  const givenBack = row.state === 'cancelled' && runs.at(-1)?.channel === 'sql' && before === row.attempt + 1
  if (before > row.attempt && !givenBack) wrong(`attempt ${before} ran, ${row.attempt} are on record`)
  if (runs[0]?.channel === 'http' && runs.length > row.attempt) report('twice', `${runs.length} requests in ${row.attempt} attempts`)
  const failed = { completed: row.attempt - 1, discarded: row.attempt }[row.state]
  if (failed !== undefined && row.errors !== failed) wrong(`${row.state} after ${row.attempt} attempts, and ${row.errors} failures are on record`)
  if (row.state !== 'discarded') return
  if (row.reason === 'attempts' && row.attempt < row.maxAttempts) wrong(`died after ${row.attempt} of ${row.maxAttempts} attempts`)
  if (row.reason === 'permanent' && !['gone', 'permanent'].includes(call?.plan)) report('lost', `died for good, and nobody said so: ${row.error}`)
  if (row.reason === 'superseded' && call?.uniqueKey === undefined) report('lost', 'was superseded, and has no key')
  if (row.reason === 'expired') report('lost', 'expired')
}

function checkEffects(index, row, call, runs, report) {
  const done = row.state === 'completed', last = runs.at(-1)
  const channel = index.run.queues[row.queue]?.channel
  if (channel === 'sql') {
    const effects = index.effectsOf.get(row.id) ?? []
    if (!done && effects.length > 0) report('atomic', `is ${row.state}, and what it did is there`)
    if (done && effects.length === 0) report('atomic', 'is completed, and what it did is not there')
    if (effects.length > 1) report('twice', `did its work ${effects.length} times`)
    if (done && effects.length === 1 && last.run !== effects[0].run) report('twice', 'ran again after its success was on record')
  } else if (channel === 'http') {
    if (done && !(last?.status >= 200 && last.status < 300)) report('atomic', `is completed, and its receiver said ${last?.status ?? 'nothing'} last`)
  } else {
    const acked = runs.filter(({ said, answer }) => said === 'ack' && answer === true)
    if (acked.length > 0 && !done) report('atomic', `is ${row.state}, and its ack was taken`)
    if (acked.length > 0 && last !== acked[0]) report('twice', 'was fetched again after its ack was taken')
    if (done && !(last?.said === 'ack' && last.answer !== false && last.attempt === row.attempt)) report('atomic', `is completed, and nobody had acked attempt ${row.attempt}`)
  }
}

function checkCancels(index, row, call, runs, report) {
  const cancels = index.operations(row.id, 'cancel')
  if (row.state === 'cancelled' && cancels.length === 0) report('cancelled', 'was cancelled by nobody')
  if (index.operations(row.id, 'retry', 'redrive').length > 0) return
  // One that is about to begin may begin, and is told then. No other attempt begins.
  for (const { t, answer } of cancels) {
    if (answer !== true) continue
    const { committedTime } = index.run.transactions[t]
    const after = runs.filter(({ time }) => time > committedTime)
    // Before its time nobody can have claimed it.
    if (call?.uniqueKey === undefined && call?.runAt > committedTime && row.state !== 'cancelled') report('cancelled', `was cancelled before its time, and is ${row.state}`)
    if (new Set(after.map(({ attempt }, n) => attempt ?? n)).size > 1) report('cancelled', `was cancelled, and ${after.length} runs came after that`)
  }
}

// Whose arguments a job with a unique key was run with.
function checkPayloads(index, id, runs, report) {
  const calls = (index.callsOf.get(id) ?? []).filter(({ uniqueKey }) => uniqueKey !== undefined)
  const kept = new Set(runs.map(({ n }) => n).filter(n => !['replace', 'keep_run_at'].includes(index.call(n)?.uniqueMode)))
  if (kept.size > 1) report('unique', `ran for the jobs ${[...kept].join(' and ')}`)
  for (const call of calls.filter(({ uniqueMode }) => uniqueMode !== 'keep')) {
    const { committedTime } = index.run.transactions[call.t]
    for (const { n, time } of runs) {
      const older = index.call(n)
      if (n !== call.n && time > committedTime && index.run.transactions[older?.t]?.committedAt < call.sentAt)
        report('unique', `ran for job ${n}, which had been replaced by job ${call.n}`)
    }
  }
}

// on_end is called once for each end, in the transaction of the end.
function checkEnds(index, row, report) {
  const states = (index.endsOf.get(row.id) ?? []).map(({ state }) => state)
  const times = state => states.filter(one => one === state).length
  const lost = index.run.lostEnds.filter(id => id === row.id).length   // their jobs died: a worker was killed at each attempt
  const last = times(row.state)
  if (last + lost === 0) report('lost', `is ${row.state}, and on_end was not called`)
  const most = row.state === 'discarded' ? 1 + index.operations(row.id, 'retry', 'redrive').length : 1
  if (last > most) report('twice', `on_end was called ${last} times for ${row.state}`)
  if (row.state !== 'discarded' && times('discarded') > index.operations(row.id, 'retry', 'redrive').length) report('atomic', 'on_end heard of a death that never was')
}

function count({ calls, rows, operations }, index, runs, fullest) {
  const by = (list, name) => list.reduce((counts, item) => ({ ...counts, [item[name]]: (counts[item[name]] ?? 0) + 1 }), {})
  const committed = calls.filter(call => index.isCommitted(call))
  return {
    enqueued: calls.length, committed: committed.length, ended: by(rows.filter(({ n }) => n !== null), 'state'),
    merged: committed.filter(({ n, id }) => id !== undefined && !index.rowsOfCall.has(n)).length,
    runs: Object.fromEntries(Object.entries(runs).map(([channel, all]) => [channel, all.length])),
    operations: by(operations.filter(operation => index.isDone(operation) && operation.answer === true), 'what'), fullest
  }
}
