// The self-test: faults are planted, one kind at a time, in builds made for it (faults/), and each must be found in three runs of three. A
// torture that finds nothing is worth as much as this. Runs are short and mostly calm.
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../support/cluster.mjs'
import { run } from './run.mjs'

process.env.BRIDGE = 'build/plain/bin/pulse-bridge-faults'
const { Stage } = await import('./stage.mjs')

// Who has the fault, what must be found, and the kills it needs to show.
const faults = {
  drop: { where: 'bridge', kind: 'lost' },
  swap: { where: 'bridge', kind: 'order' },
  repeat: { where: 'bridge', kind: 'duplicate' },
  leak: { where: 'bridge', kind: 'leak' },
  evict: { where: 'bridge', kind: 'eviction' },
  partial: { where: 'bridge', kind: 'recovery', kills: ['cut', 'cut', 'cut', 'cut'] },
  abort: { where: 'dispatcher', kind: 'aborted' },
  reorder: { where: 'dispatcher', kind: 'order' },
  skip: { where: 'dispatcher', kind: 'hole' }
}
const seed = process.env.SEED || String(Math.floor(Math.random() * 1e9))

let folder, stage
before(async () => {
  folder = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'faults-'))
  copyFileSync(join(root, 'build/faults/pulse.so'), join(folder, 'pulse.so'))
  chmodSync(folder, 0o755)   // the server runs as another user
  stage = await Stage.build({ seed, bridges: 2, settings: { dynamic_library_path: `${folder}:$libdir` } })
})
after(async () => {
  await stage?.stop()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

async function plant(name) {
  const { where } = faults[name] ?? {}
  await stage.cluster.sql(`ALTER SYSTEM SET pulse.fault = '${where === 'dispatcher' ? name : ''}'`)
  await stage.cluster.sql('SELECT pg_reload_conf()')
  for (const bridge of stage.bridges) await bridge.restart({ PULSE_FAULT: where === 'bridge' ? name : '' })
}

const short = kills => run(stage, { seconds: 1.5, kills: kills ?? [], each: 3, writers: { pause: 6 }, jobs: false })

test('without a fault nothing is found', async () => {
  await plant('none')
  const { findings, counts } = await short(['cut'])
  assert.deepEqual(findings, [])
  assert.ok(counts.deliveries > 0, `${counts.deliveries} deliveries`)
})

for (const [name, { kind, kills }] of Object.entries(faults)) {
  test(`${name}: found in three runs of three`, async () => {
    await plant(name)
    for (let n = 1; n <= 3; n++) {
      const { findings } = await short(kills)
      const found = [...new Set(findings.map(finding => finding.kind))]
      assert.ok(found.includes(kind), `run ${n} with seed ${seed} found ${found.join(', ') || 'nothing'}`)
    }
  })
}
