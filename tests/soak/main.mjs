// make soak: SECONDS (20) of random clients that break every rule of every protocol, against the sanitizer bridge. SEED repeats a run's plan. At the end the bridge
// must be alive, hold what it held before, have nothing to report, and the well-behaved clients in between must have got every event once and in order.
import { Random } from '../support/random.mjs'
import { until } from '../support/wait.mjs'
import { Stage } from './stage.mjs'

const seconds = Number(process.env.SECONDS || 20)
const seed = process.env.SEED || String(Math.floor(Math.random() * 1e9))
if (!(seconds >= 1)) throw new Error(`SECONDS=${process.env.SECONDS} is no number of seconds`)
// What allocators keep of a crowd as large as the one before.
const mayGrowBy = 16

console.log(`soak for ${seconds} s; again with SEED=${seed}`)
const stage = await Stage.build()
const findings = []
let before, after
try {
  // Twice: what the first crowd has left the bridge with (pools, caches), the second must not add to.
  const random = new Random(seed, 'soak')
  await stage.riot(random, { seconds: seconds / 2 })
  before = await stage.settled()
  await stage.riot(random, { seconds: seconds / 2 })
  after = await stage.settled()
  if (after.megabytes > before.megabytes + mayGrowBy) findings.push(`memory grew from ${before.megabytes} to ${after.megabytes} MB`)
} catch (error) {
  findings.push(error.message)
}

await stage.endPublishing()
const { bridge } = stage.pulse
if (!bridge.running || bridge.pid !== stage.pid) findings.push('the bridge ended')
else {
  for (const witness of stage.witnesses) {
    const { name, numbers, troubles } = witness
    await until(() => numbers.at(-1) === stage.published).catch(() => findings.push(`${name}: the last event did not come`))
    const first = numbers.findIndex((number, n) => number !== numbers[0] + n)
    if (first >= 0) findings.push(`${name}: after ${numbers[first - 1]} came ${numbers[first]}`)
    if (numbers[0] > 1) findings.push(`${name}: the first event was ${numbers[0]}`)
    if (troubles.length > 0) findings.push(`${name}: ${troubles.join(', ')}`)
    if (witness.asks && !await witness.asks().catch(() => false)) findings.push(`${name}: no answer`)
  }
}
// A sanitizer's report, leaks too, is in how it ends.
await Promise.all(stage.witnesses.map(witness => witness.end()))
await stage.pulse.stop().catch(error => findings.push(error.message))

for (const [name, seen] of Object.entries(stage.visits)) {
  console.log(`  ${name.padEnd(13)}${Object.entries(seen).sort(([, a], [, b]) => b - a).map(([status, count]) => `${status} ${count}×`).join(', ')}`)
}
const visits = Object.values(stage.visits).flatMap(Object.values).reduce((sum, count) => sum + count, 0)
console.log(`${visits} visits; ${stage.published} events to ${stage.witnesses.length} witnesses; held at first ${JSON.stringify(stage.atFirst)}, after half ${JSON.stringify(before)}, at the end ${JSON.stringify(after)}`)
for (const finding of findings) console.log(`FOUND: ${finding}`)
console.log(findings.length === 0 ? 'nothing found' : `${findings.length} found; again with SEED=${seed}`)
process.exit(findings.length === 0 ? 0 : 1)
