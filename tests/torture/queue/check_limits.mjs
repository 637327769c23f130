// Limits of queues as the receiver sees them: where runs begin, and where they end when that is known. Returns the fullest there was of each.
export function checkLimits(queues, runs, report) {
  const fullest = {}
  for (const [name, { channel, concurrency, rate, per }] of Object.entries(queues)) {
    const own = runs[channel].filter(({ queue }) => queue === name)
    if (concurrency !== undefined) {
      const most = mostAtOnce(own)
      fullest[name] = `${most} of ${concurrency} at once`
      if (most > concurrency) report('limit', `${most} jobs of queue ${name} ran at once; ${concurrency} may`)
    }
    if (rate !== undefined) {
      const times = lastOfAttempts(own).map(({ at }) => at).sort((a, b) => a - b)
      const most = mostWithin(times, per)
      fullest[name] = `${most} of ${rate} in ${per} ms`
      if (most > rate) report('limit', `${most} jobs of queue ${name} began within ${per} ms; ${rate} may`)
    }
  }
  return fullest
}

// An attempt of SQL that was given back left nothing behind, and is the same one when it begins again. What was sent is sent.
function lastOfAttempts(runs) {
  if (runs[0]?.channel !== 'sql') return runs
  return [...new Map(runs.map(run => [`${run.job} ${run.attempt}`, run])).values()]
}

function mostAtOnce(runs) {
  const steps = runs.filter(({ end }) => end !== undefined).flatMap(({ begin, end }) => [[begin, 1], [end, -1]]).sort((a, b) => a[0] - b[0])
  let now = 0, most = 0
  for (const [, step] of steps) most = Math.max(most, now += step)
  return most
}

function mostWithin(times, per) {
  let most = 0, from = 0
  for (const [n, time] of times.entries()) {
    while (time - times[from] >= per) from += 1
    most = Math.max(most, n - from + 1)
  }
  return most
}
