// make torture: SECONDS of writers, sessions and kills, then the check. SEED repeats a run's plan; KILLS="cut,bridge" has only these kinds of kills. Exit code 1 when it finds something.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../support/cluster.mjs'
import { kindsOfKills } from './killer.mjs'
import { report } from './report.mjs'
import { run } from './run.mjs'
import { Stage } from './stage.mjs'

const seconds = Number(process.env.SECONDS || 60)
const kills = process.env.KILLS?.split(',').filter(Boolean) ?? kindsOfKills
const seed = process.env.SEED || String(Math.floor(Math.random() * 1e9))
if (!(seconds >= 1)) throw new Error(`SECONDS=${process.env.SECONDS} is no number of seconds`)

console.log(`torture for ${seconds} s; again with SEED=${seed}`)
const stage = await Stage.build({ seed })
let result
try {
  result = await run(stage, { seconds, kills, enough: Math.round(seconds * 50_000 / 60), tell: process.env.VERBOSE ? console.log : undefined })
} finally {
  await stage.stop()
}
if (result.findings.length > 0) {
  const path = join(root, 'build', 'logs', 'torture.json')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify(result.run, (name, value) => value instanceof Map ? [...value] : value))
  console.log(`all logs of it: ${path}`)
}
console.log(report(result, { seed, seconds }))
process.exit(result.findings.length === 0 ? 0 : 1)
