// What `make run` leaves to whoever uses it: a file of secrets that somebody has changed, and a setting that names another file.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster, root } from '../support/cluster.mjs'

let cluster
before(async () => { cluster = await Cluster.create({ extensions: [], settings: { 'pulse.databases': '' } }) })
after(() => cluster?.drop())

const data = () => dirname(cluster.logPath)
const file = () => readFileSync(join(data(), 'pulse_webhook_secrets'), 'utf8')
const named = () => cluster.value(`SELECT setting FROM pg_file_settings WHERE name = 'pulse.webhook_secret_file'`)
const give = token => execFileSync('python3', ['-B', '-c', `
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1] + "/tools/lib")
from database import Database
Database(Path(sys.argv[1]), Path(sys.argv[2]), 0, print).give_webhook_secrets(sys.argv[3])`, root, dirname(data()), token])
const tokens = () => Object.entries(JSON.parse(file()).hosts).map(([host, { headers }]) => [host, headers['X-Internal-Token']])

test('S6: services on this machine are met with the internal token, and with the new one when it changes', async () => {
  give('aa11')
  assert.equal(await named(), 'pulse_webhook_secrets')
  assert.deepEqual(tokens(), [['127.0.0.1', 'aa11'], ['[::1]', 'aa11'], ['localhost', 'aa11']])
  give('bb22')
  assert.deepEqual(tokens(), [['127.0.0.1', 'bb22'], ['[::1]', 'bb22'], ['localhost', 'bb22']])
})

test('S6: a file to which somebody has added hosts, or which is no JSON any more, stays as it is', async () => {
  const more = JSON.stringify({ hosts: { ...JSON.parse(file()).hosts, 'sos.internal': { headers: { 'X-Internal-Token': 'mine' } } } })
  for (const text of [more, 'a secret a line, as receivers know it']) {
    await cluster.write('pulse_webhook_secrets', text)
    give('bb22')
    give('cc33')
    assert.equal(file().trimEnd(), text)
  }
})

test('S6: a setting that names another file goes on naming it', async () => {
  await cluster.set('pulse.webhook_secret_file', 'of_my_own')
  while (await cluster.value('SHOW pulse.webhook_secret_file') !== 'of_my_own') await cluster.sql('SELECT pg_reload_conf()')
  give('dd44')
  assert.equal(await named(), 'of_my_own')
})
