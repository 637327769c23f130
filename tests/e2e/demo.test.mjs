// `make demo` against a served pulse: it passes, any number of times, leaves nothing behind, and fails when something is missing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { secret } from '../support/token.mjs'

let pulse
const home = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'demo-'))

before(async () => {
  pulse = await startPulse({ extensions: ['pulse', 'pulse_donors'] })
  // what `make run` writes
  writeFileSync(join(home, 'env'), `PULSE_URL=${pulse.bridge.url}\nPULSE_DATABASE_URL=${pulse.cluster.url()}\nPULSE_JWT_SECRET=${secret}\n`)
  writeFileSync(join(home, 'ready'), '')
})
after(async () => {
  await pulse.stop()
  rmSync(home, { recursive: true, force: true })
})

async function demo(environment = {}, ...args) {
  const child = spawn(join(root, 'tools/demo'), args, { env: { ...process.env, PULSE_HOME: home, ...environment } })
  const result = { out: '', err: '' }
  child.stdout.on('data', data => { result.out += data })
  child.stderr.on('data', data => { result.err += data })
  const [code] = await once(child, 'close')
  return { code, ...result }
}
const rows = () => pulse.value(`SELECT (SELECT count(*) FROM donors.donors) + (SELECT count(*) FROM donors.presence) + (SELECT count(*) FROM donors.blood_requests)`)

test('D1 – D7: make demo plays the story with milliseconds, twice beside itself, and deletes its rows', async () => {
  for (const { code, out, err } of await Promise.all([demo(), demo()])) {
    assert.equal(code, 0, out + err)
    for (const step of [/^ +\d+\.\d ms {2}psql +INSERT INTO donors\.blood_requests/m, /ms {2}near +emergency:nearby, [\d.]+ km/, /ms {2}LISTEN +notification on emergency_created/,
      /ms {2}near +emergency:created/, /ms {2}unfit +emergency:created/, /ms {2}far +emergency:created/, /ms {2}requester +emergency:created/,
      /ms {2}requester +emergency:response from near: accepted/, /^ok: /m]) assert.match(out, step)
    assert.doesNotMatch(out, /(unfit|far) +emergency:nearby/)
  }
  assert.equal(await rows(), '0')
})

test('make demo fails and names what is missing', async () => {
  await pulse.sql('ALTER TABLE donors.blood_requests DISABLE TRIGGER blood_requests_insert_fan_out')
  const { code, err } = await demo({ DEMO_WITHIN: '1500' })
  await pulse.sql('ALTER TABLE donors.blood_requests ENABLE TRIGGER blood_requests_insert_fan_out')
  assert.equal(code, 1)
  assert.match(err, /^missing: near gets emergency:nearby/m)
  assert.equal(await rows(), '0')
})

test('make demo says so when nothing is served, and which packs it knows', async () => {
  const empty = join(home, 'empty')
  mkdirSync(empty)
  const nothing = await demo({ PULSE_HOME: empty })
  assert.equal(nothing.code, 1)
  assert.match(nothing.err, /pulse does not serve from .*make run/)
  const unknown = await demo({}, 'nonsense')
  assert.equal(unknown.code, 2)
  assert.match(unknown.err, /use PACK= one of: .*donors/)
})
