// Hosts that hang share the HTTP worker with others, which do not wait for them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import { startChannels } from '../support/channels.mjs'
import { startStandIn } from '../support/provider_stand_in.mjs'
import { until } from '../support/wait.mjs'

const places = 128   // pulse.http_concurrency
let channels, cluster, provider, hung

before(async () => {
  channels = await startChannels()
  ;({ cluster, provider } = channels)
  assert.equal(await cluster.value(`SELECT current_setting('pulse.http_concurrency')::int`), places)
  hung = await startStandIn()
})
after(async () => {
  await hung?.stop()
  await channels?.stop()
})
afterEach(async () => {
  hung.clearFaults()
  await until(async () => {
    for (const queue of ['q', 'keyed']) await cluster.sql('SELECT pulse.purge_queue($1)', [queue])
    await cluster.sql(`SELECT pulse.cancel(id) FROM pulse.jobs WHERE state = 'executing' AND cancelled_at IS NULL LIMIT 50`)
    return cluster.value(`SELECT count(*) = 0 FROM pulse.jobs WHERE state IN ('available', 'retryable', 'scheduled', 'executing')`)
  }, { what: 'the end of what hangs' })
  hung.arrivals = []
  provider.arrivals = []
})

const many = (url, count, options = '') => cluster.sql(`SELECT pulse.enqueue_many('q', 'webhook', array_agg(json_build_object('url', $1::text || n)), timeout => '5 min' ${options})
  FROM generate_series(1, $2) n`, [url, count])
const foreman = () => cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse foreman'`)
const push = options => channels.enqueue('fcm', { token: 't' }, options)

test('E4: a thousand webhooks to a host that hangs, and no push and no other webhook of their queue waits for them', async () => {
  hung.fault('/', { hang: true }, 10_000)
  await many(`${hung.url}/hang/`, 1000)
  await until(() => hung.arrivals.length === places / 2, { what: 'its share' })
  assert.equal((await channels.ended(await push())).state, 'completed')
  await many(`${provider.url}/hook/`, 500)
  await until(() => provider.at('/hook/').length === 500, { what: 'five hundred others' })
  assert.equal((await channels.ended(await push(`priority => 1`))).state, 'completed')
  assert.equal(hung.arrivals.length, places / 2)
})

test('E4: several hosts that hang leave places for one that does not', async () => {
  hung.fault('/', { hang: true }, 10_000)
  const names = ['127.0.0.1', 'localhost', '127.1', '127.0.1'].map(name => hung.url.replace('127.0.0.1', name))
  await cluster.set('pulse.webhook_allow', '*, 127.0.0.1, ::1')
  for (const url of names) await many(`${url}/several/`, 200)
  await until(() => hung.at('/several/').length === places / 2 + places / 4 + places / 8 + places / 16, { what: 'the shares of all of them' })
  assert.equal((await channels.ended(await push())).state, 'completed')
  assert.equal(hung.at('/several/').length, places - places / 16)
})

test('E4: what waited for its host goes out when it answers, each once; also what has a key, and in other queues', async () => {
  provider.latency = 20
  try {
    await many(`${provider.url}/hook/`, 600)
    await cluster.sql(`SELECT pulse.enqueue('keyed', 'webhook', json_build_object('url', $1::text || n), partition_key => (n % 100)::text) FROM generate_series(601, 800) n`, [`${provider.url}/hook/`])
    await until(() => provider.at('/hook/').length >= 800 && cluster.value(`SELECT count(*) = 0 FROM pulse.jobs WHERE state IN ('available', 'executing', 'retryable')`), { what: 'all of them' })
  } finally {
    provider.latency = 0
  }
  const paths = provider.at('/hook/').map(({ path }) => Number(path.split('/').at(-1)))
  assert.deepEqual(paths.toSorted((a, b) => a - b), Array.from({ length: 800 }, (_, n) => n + 1))
  const keyed = paths.filter(n => n > 600)
  for (let key = 0; key < 100; key++) assert.deepEqual(keyed.filter(n => n % 100 === key), keyed.filter(n => n % 100 === key).toSorted((a, b) => a - b))
})

test('E4: shares are known again after the end of the foreman', async () => {
  hung.fault('/', { hang: true }, 10_000)
  await many(`${hung.url}/again/`, 300)
  await until(() => hung.at('/again/').length === places / 2, { what: 'its share' })
  const before = await foreman()
  await cluster.sql('SELECT pg_terminate_backend($1)', [before])
  await until(async () => ![before, undefined, null].includes(await foreman()), { what: 'another foreman' })
  assert.equal((await channels.ended(await push())).state, 'completed')
  assert.equal(hung.at('/again/').length, places / 2)
})

test('E4: webhooks with large bodies that wait for a host that hangs: the foreman\'s memory does not grow with them', async () => {
  hung.fault('/', { hang: true }, 10_000)
  const pid = await foreman()
  for (let n = 0; n < 10; n++) {
    await cluster.sql(`SELECT pulse.enqueue('q', 'webhook', json_build_object('url', $1::text || n, 'body', repeat('x', 2000000)), timeout => '5 min') FROM generate_series(1, 150) n`, [`${hung.url}/large/${n}/`])
  }
  assert.equal((await channels.ended(await push())).state, 'completed')
  await until(() => hung.at('/large/').length === places / 2, { what: 'its share' })
  assert.equal(await foreman(), pid)
  const [, peak] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+) kB$/m)
  assert.ok(peak < 200_000, `${peak} kB`)
})

test('E4: what ran when the server ended is not kept in memory all at once, however large', async () => {
  await cluster.sql(`CREATE FUNCTION large_end(args json) RETURNS json LANGUAGE sql RETURN NULL::json; SELECT pulse.pause_queue('q')`)
  for (let n = 0; n < 4; n++)
    await cluster.sql(`SELECT pulse.enqueue('q', 'webhook', json_build_object('url', $1::text, 'body', repeat('x', 2000000)), max_attempts => $2, on_end => 'large_end') FROM generate_series(1, 50)`, [`${hung.url}/crash`, 1 + n % 2])
  await cluster.sql(`UPDATE _pulse.jobs SET state = 'executing', attempt = 1, attempted_at = now() WHERE queue = 'q'`)   // as they are while they run
  const before = await foreman()
  await cluster.stop('immediate')
  await cluster.start()
  await until(() => cluster.value(`SELECT count(*) = 100 FROM _pulse.jobs WHERE queue = 'q' AND state = 'retryable' AND last_error LIKE '%worker ended%'`), { what: 'those with another attempt' })
  assert.equal(await cluster.value(`SELECT count(*)::int FROM _pulse.dead_letters WHERE queue = 'q' AND length(args ->> 'body') = 2000000`), 100)
  const pid = await foreman()
  await cluster.sql(`DELETE FROM _pulse.dead_letters; SELECT pulse.resume_queue('q')`)
  assert.notEqual(pid, before)
  const [, peak] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+) kB$/m)
  assert.ok(peak < 200_000, `${peak} kB`)
})

test('E4: of what waits in the worker for a place the most urgent is sent first', async () => {
  let answer
  hung.fault('/ordered/first', { until: new Promise(resolve => { answer = resolve }) })
  hung.fault('/', { hang: true }, 10_000)
  await many(`${hung.url}/ordered/first/`, 1)
  await until(() => hung.at('/ordered/').length === 1, { what: 'the one that will be answered' })
  await many(`${hung.url}/ordered/`, places / 2 - 1 + 20)
  const executing = () => cluster.value(`SELECT count(*)::int FROM pulse.jobs WHERE state = 'executing'`)
  await until(async () => hung.at('/ordered/').length === places / 2 && await executing() === places / 2 + 20, { what: 'its share, and twenty more' })
  await channels.enqueue('webhook', { url: `${hung.url}/ordered/urgent` }, `priority => -10, timeout => '5 min'`)
  await until(async () => await executing() === places / 2 + 21, { what: 'the urgent one' })
  answer()
  await until(() => hung.at('/ordered/').length > places / 2, { what: 'the next' })
  assert.equal(hung.at('/ordered/')[places / 2].path, '/ordered/urgent')
})

test('E4: what has one attempt is not claimed before it can be sent: a crash while its host hangs takes none that was not', async () => {
  hung.fault('/', { hang: true }, 10_000)
  await many(`${hung.url}/once/`, 300, ', max_attempts => 1')
  await until(() => hung.at('/once/').length === places / 2, { what: 'its share' })
  assert.equal((await channels.ended(await push(`max_attempts => 1`))).state, 'completed')
  const count = state => cluster.value(`SELECT count(*)::int FROM pulse.jobs WHERE state = $1`, [state])
  assert.equal(await count('executing'), places / 2)
  assert.equal(await count('available'), 300 - places / 2)
  await cluster.restart('immediate')
  await until(() => hung.at('/once/').length === places, { what: 'as many again' })
  assert.equal(await count('discarded'), places / 2)
  assert.equal(new Set(hung.at('/once/').map(({ path }) => path)).size, places, 'each once')
})
