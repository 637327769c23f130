// The self-test of the queue's check: faults are planted, one at a time, and each must be found in three runs of three. Runs are short and calm.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/wait.mjs'
import { Stage } from '../stage.mjs'
import { checkQueue, kindsOfFindings } from './check_queue.mjs'
import { QueueRun } from './run.mjs'
import { faults, Saboteur } from './saboteur.mjs'

const seed = process.env.SEED || String(Math.floor(Math.random() * 1e9))
const seconds = 1, enough = 200   // s, jobs

// Two beside each other: they mostly wait.
const stages = []
before(async () => { stages.push(...await Promise.all([1, 2].map(() => Stage.build({ seed, bridges: 0 })))) })
after(() => Promise.all(stages.map(stage => stage.stop())))

async function short(fault = {}) {
  const stage = stages.pop()
  try {
    return await runOn(stage, fault)
  } finally {
    stages.push(stage)
  }
}

async function runOn(stage, fault) {
  await stage.clear()
  const run = await QueueRun.begin(stage, { producers: { pause: 8, calm: true, shares: fault.shares, ...fault.producers }, operator: fault.operator })
  const saboteur = new Saboteur(stage.cluster, fault)
  saboteur.start()
  await sleep(seconds * 1000)
  await until(() => run.ledger.calls.length >= enough && (fault.sql === undefined || saboteur.done >= (fault.times ?? 1)), { what: 'jobs and faults enough' })
  await saboteur.stop()
  await run.end()
  const stored = await stage.cluster.sql('SELECT t FROM torture.transactions')
  stage.oracle.resolve(new Set(stored.map(({ t }) => t)))
  return checkQueue(await run.data(stage.oracle.transactions))
}

test('without a fault nothing is found', async () => {
  const { findings, counts } = await short()
  assert.deepEqual(findings, [])
  assert.ok(counts.ended.completed > 100, JSON.stringify(counts))
})

describe('planted faults', { concurrency: 2 }, () => {
  for (const [name, fault] of Object.entries(faults)) {
    test(`${name}: found in three runs of three`, async () => {
      for (let n = 1; n <= 3; n++) {
        const found = [...new Set((await short(fault)).findings.map(({ kind }) => kind))]
        assert.ok(found.includes(fault.kind), `run ${n} with seed ${seed} found ${found.join(', ') || 'nothing'}`)
      }
    })
  }
})

test('every kind of finding has a fault', () => {
  assert.deepEqual([...new Set(Object.values(faults).map(({ kind }) => kind))].sort(), [...kindsOfFindings].sort())
})
