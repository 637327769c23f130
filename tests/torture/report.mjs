// What a run prints: the counts, each finding, and how many findings as the last line.
const most = 40   // findings printed; of a broken build there may be thousands

export function report({ findings, counts }, { seed, seconds }) {
  const list = object => Object.entries(object).map(([name, count]) => `${name} ${count}`).join(', ')
  const lines = [
    `seed ${seed}, ${seconds} s`,
    `transactions: ${list(counts.transactions)}`,
    `ended: ${list(counts.ends)}; ${counts.resolved} of them found out afterwards`,
    `events: ${counts.events} published, ${counts.committed} committed, ${counts.positions} positions, ${counts.rotations} rotations`,
    `kills: ${list(counts.kills)}`,
    `sessions: ${list(counts.sessions)}; cut ${counts.cuts} times, ${counts.recoveries} recoveries, ${counts.refetches} refetches, ${counts.evictions} evictions`,
    `deliveries: ${counts.deliveries} checked, ${counts.required} required`
  ]
  if (counts.jobs) {
    const { enqueued, committed, merged, ended, runs, operations, fullest } = counts.jobs
    lines.push(`jobs: ${enqueued} enqueued, ${committed} committed, ${merged} taken for one that waited; ended: ${list(ended)}; by operators: ${list(operations)}`)
    lines.push(`runs: ${list(runs)}; fullest: ${list(fullest)}`)
  }
  if (counts.unsettled.length > 0) lines.push(`never settled: ${counts.unsettled.join(', ')}`)
  for (const { kind, where, what } of findings.slice(0, most)) lines.push(`not ok ${kind} (${where}): ${what}`)
  if (findings.length > most) lines.push(`… and ${findings.length - most} more`)
  lines.push(`${findings.length} findings`)
  return lines.join('\n')
}
