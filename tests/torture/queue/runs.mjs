// The three logs as runs: {n, job, attempt, queue, channel, begin, end, time, at, …}. begin and end are places in the channel's log; no end: nobody saw it, so
// it counts for nothing that needs to know how long it was. Of HTTP a request is a run, of outside workers what they fetched.
export function runsOf({ logs, calls }) {
  const result = { sql: sql(logs.sql), http: http(logs.http), external: external(logs.external) }
  for (const [channel, runs] of Object.entries(result))
    for (const run of runs) Object.assign(run, { channel, queue: calls[run.n]?.queue ?? run.queue, key: calls[run.n]?.key })
  return result
}

function paired(log, name, more) {
  const runs = [], byName = new Map()
  for (const [place, entry] of log.entries()) {
    if (entry.what === 'begin') {
      const run = { ...entry, begin: place }
      runs.push(run)
      byName.set(name(entry), run)
    } else {
      more(byName.get(name(entry)), entry, place)
    }
  }
  return runs
}

const sql = log => paired(log, ({ run }) => run, (run, _, place) => { if (run) run.end = place }).map(run => ({ ...run, time: run.at }))

const http = log => paired(log, ({ request }) => request, (run, { status }, place) => { Object.assign(run, { status, end: place }) })
  .filter(({ n }) => n !== undefined)

// Until it was answered, when the answer was taken: else the lease may have been over before.
const external = log => paired(log, ({ job, attempt }) => `${job} ${attempt}`, (run, { said, answer }, place) => {
  if (run === undefined) return
  Object.assign(run, { said, answer })
  if (answer === true) run.end = place
})
