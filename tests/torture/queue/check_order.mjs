// Jobs of one key: never two at once, and in the order in which they were enqueued. "Before" is what surely was before: its commit was answered when the
// other was sent, or it stood in front of it in one transaction.
export function checkOrder(index, runs, report) {
  for (const all of Object.values(runs)) {
    checkAlone(all, ({ queue, key }) => key && `${queue} ${key}`, (run, other) => report('order', `jobs ${other.n} and ${run.n} ran side by side with the key ${run.key} of queue ${run.queue}`))
    checkAlone(all, ({ job }) => job, run => report('twice', `job ${run.n} ran twice at once`))
  }
  const groups = new Map()
  for (const call of index.run.calls) {
    if (call.key === undefined || !index.isCommitted(call)) continue
    const [id] = (index.rowsOfCall.get(call.n) ?? []).map(row => row.id)
    const own = index.runsOf.get(id) ?? []
    if (own.length === 0) continue
    const name = `${call.queue} ${call.key}`
    if (!groups.has(name)) groups.set(name, [])
    // What operators set going again stands where it stands.
    const fixed = index.operations(id, 'retry', 'redrive').length === 0
    groups.get(name).push({ call, first: own[0].begin, last: fixed ? own.at(-1).begin : -1, committedAt: index.run.transactions[call.t].committedAt })
  }
  for (const [name, jobs] of groups) checkKey(name, jobs, report)
}

// Nothing of the same name begins between a run's begin and its end.
function checkAlone(runs, nameOf, report) {
  const open = new Map()   // name → the run that ends last of those that have begun
  for (const run of runs) {
    const name = nameOf(run)
    if (name === undefined) continue
    const other = open.get(name)
    if (other !== undefined && other.end > run.begin) report(run, other)
    if (run.end !== undefined && !(other?.end > run.end)) open.set(name, run)
  }
}

function checkKey(name, jobs, report) {
  const commits = [...jobs].sort((a, b) => a.committedAt - b.committedAt)
  const latestOf = new Map()   // of a transaction
  let next = 0, latest
  for (const job of [...jobs].sort((a, b) => a.call.sentAt - b.call.sentAt)) {
    while (next < commits.length && commits[next].committedAt < job.call.sentAt) {
      if (latest === undefined || commits[next].last > latest.last) latest = commits[next]
      next += 1
    }
    const mate = latestOf.get(job.call.t)
    const before = [latest, mate].find(other => other !== undefined && other.last > job.first)
    if (before !== undefined) report('order', `job ${job.call.n} of key ${name} began before job ${before.call.n}, which was first, had ended`)
    if (mate === undefined || job.last > mate.last) latestOf.set(job.call.t, job)
  }
}
