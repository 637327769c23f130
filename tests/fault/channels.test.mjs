// Providers that hang, break off or speak TLS slowly, and a worker that is killed: who waits, who does not, and what is sent again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { after, afterEach, before, test } from 'node:test'
import { Certificates } from '../support/certificates.mjs'
import { startChannels } from '../support/channels.mjs'
import { startStandIn } from '../support/provider_stand_in.mjs'
import { until } from '../support/wait.mjs'

let channels, cluster, provider

before(async () => {
  channels = await startChannels({ settings: { 'pulse.http_concurrency': 64 } })
  ;({ cluster, provider } = channels)
  await cluster.sql(`SELECT pulse.configure_queue('q', backoff => '10 ms', backoff_max => '10 ms');
    CREATE FUNCTION done(args json) RETURNS json LANGUAGE sql AS $$ SELECT args $$`)
})
after(() => channels?.stop())
afterEach(() => {
  provider.clearFaults()
  provider.arrivals = []
})

const hook = (path, options) => channels.enqueue('webhook', { url: provider.url + path }, options)
const workerPid = () => cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse http worker'`)

test('E4: a receiver that never answers holds its own deliveries only, until their time is over', async () => {
  provider.fault('/hook/hang', { hang: true }, 1000)
  const ids = []
  for (let n = 0; n < 10; n++) ids.push(await hook('/hook/hang', `timeout => '5 min', max_attempts => 1`))
  await until(() => provider.at('/hook/hang').length === 10)
  // SQL jobs, dispatch and other deliveries go on meanwhile; none of them waits for the ten.
  const sql = await channels.enqueue('sql', { function: 'public.done', args: { a: 1 } })
  assert.equal((await channels.ended(sql)).state, 'completed')
  await cluster.dispatched(`SELECT pulse.publish('room', 'event', '{}')`)
  assert.equal((await channels.ended(await hook('/hook/other'))).state, 'completed')
  assert.equal(await cluster.value(`SELECT count(*)::int FROM pulse.jobs WHERE id = ANY ($1) AND state = 'executing'`, [ids]), 10, 'they still wait')
  await until(() => cluster.value(`SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pulse http worker' AND xact_start IS NOT NULL`), { what: 'no open transaction meanwhile' })
  const impatient = await channels.ended(await hook('/hook/hang', `timeout => '1 s', max_attempts => 1`))
  assert.match(impatient.last_error, /^the receiver: no answer in time, which was \d+ ms/)
  await cluster.sql('SELECT pulse.cancel(id) FROM unnest($1::bigint[]) AS id', [ids])
  for (const id of ids) assert.equal((await channels.ended(id)).state, 'cancelled')
})

test('E4: connections that are reset or refused, and names that lead nowhere, are failures with words', async () => {
  assert.equal((await channels.ended(await hook('/hook/kept'))).state, 'completed')
  provider.fault('/hook/reset', { reset: true }, 2)   // the first one meets the connection that was kept: libcurl would send that once more by itself
  const reset = await channels.ended(await hook('/hook/reset'))
  assert.deepEqual([reset.state, reset.attempt], ['completed', 3])
  assert.equal(provider.at('/hook/reset').length, 3, 'one attempt is one request')
  assert.match(reset.errors[0].error, /^the receiver: no answer/)
  const gone = await startStandIn()
  await gone.stop()
  const refused = await channels.ended(await channels.enqueue('webhook', { url: gone.url }, 'max_attempts => 1'))
  assert.match(refused.last_error, /^the receiver: it cannot be connected to/)
  const nowhere = await channels.ended(await channels.enqueue('webhook', { url: 'http://no-such-name.invalid/' }, 'max_attempts => 1'))
  assert.match(nowhere.last_error, /^the receiver: its name cannot be resolved/)
})

test('D7: a provider that breaks off after 200 has the message: it is not sent twice', async () => {
  provider.fault('/v1/', { truncate: true, status: 200 })
  const push = await channels.ended(await channels.enqueue('fcm', { token: 't' }))
  assert.deepEqual([push.state, push.attempt], ['completed', 1])
  provider.fault('/2010', { truncate: true, status: 201 })
  const sms = await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }))
  assert.deepEqual([sms.state, sms.attempt], ['completed', 1])
})

test('E4: an answer that is cut or reset in its middle counts by its status: 2xx is a success, 5xx is tried again', async () => {
  for (const how of ['truncate', 'tear']) {
    provider.fault(`/hook/${how}/good`, { [how]: true, status: 200 })
    const good = await channels.ended(await hook(`/hook/${how}/good`))
    assert.deepEqual([good.state, good.attempt, good.result.cut], ['completed', 1, true])
    provider.fault(`/hook/${how}/bad`, { [how]: true, status: 503 })
    const bad = await channels.ended(await hook(`/hook/${how}/bad`))
    assert.deepEqual([bad.state, bad.attempt, provider.at(`/hook/${how}/bad`).length], ['completed', 2, 2])
    assert.match(bad.errors[0].error, /answered 503/)
  }
})

test('E4: a server that accepts and never reads costs its own job\'s time, however much there is to send', async () => {
  const sockets = []
  const deaf = net.createServer({ pauseOnConnect: true }, socket => sockets.push(socket.on('error', () => {})))
  await new Promise(resolve => deaf.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${deaf.address().port}/`
    const jobs = [await channels.enqueue('webhook', { url }, `timeout => '1 s', max_attempts => 1`),
      await channels.enqueue('webhook', { url, text: 'x'.repeat(8_000_000) }, `timeout => '1 s', max_attempts => 1`)]
    assert.equal((await channels.ended(await hook('/hook/meanwhile'))).state, 'completed')
    for (const id of jobs) assert.match((await channels.ended(id)).last_error, /^the receiver: no answer in time, which was \d+ ms/)
    await until(() => sockets.length === 2, { what: 'both connections' })
  } finally {
    for (const socket of sockets) socket.destroy()
    deaf.close()
  }
})

test('E4: what was under way when pulse.http_ca_file changed hands the old file on to nobody', async () => {
  const certificates = new Certificates()
  certificates.write(1)
  const certificate = readFileSync(certificates.certificate, 'utf8')
  const tls = await startStandIn({ tls: { key: readFileSync(certificates.key), cert: certificate } })
  try {
    await channels.writeFile('ca.pem', certificate)
    await cluster.set('pulse.http_ca_file', 'ca.pem')
    const send = path => channels.enqueue('webhook', { url: tls.url + path }, 'max_attempts => 1')
    const state = async path => (await channels.ended(await send(path))).state
    await until(async () => await state('/hook/first') === 'completed')   // once the worker has read the setting
    let answer
    tls.fault('/hook/late', { until: new Promise(resolve => { answer = resolve }) })
    const late = await send('/hook/late')
    await until(() => tls.at('/hook/late').length === 1)
    await cluster.set('pulse.http_ca_file', '')
    await until(async () => await state('/hook/second') === 'discarded')
    answer()
    assert.equal((await channels.ended(late)).state, 'completed')
    assert.equal(await state('/hook/third'), 'discarded')
    assert.equal(tls.at('/hook/third').length, 0)
  } finally {
    await cluster.set('pulse.http_ca_file', '')
    await tls.stop()
    certificates.remove()
  }
})

test('E4: over HTTP/2, a slow handshake only takes its time; connections that go away lose no message and repeat none within an attempt', async () => {
  const certificates = new Certificates()
  certificates.write(1)
  const certificate = readFileSync(certificates.certificate, 'utf8')
  const tls = await startStandIn({ tls: { key: readFileSync(certificates.key), cert: certificate }, tlsDelay: 300 })
  try {
    await channels.writeFile('ca.pem', certificate)
    await cluster.set('pulse.http_ca_file', 'ca.pem')
    const send = path => channels.enqueue('webhook', { url: tls.url + path }, 'max_attempts => 5')
    await until(async () => (await channels.ended(await send('/hook/slow'))).state === 'completed')   // once the worker has read the setting
    assert.equal(tls.arrivals[0].httpVersion, '2.0')
    tls.latency = 50
    tls.fault('/hook/away', { goaway: true }, 2)
    const ids = []
    for (let n = 0; n < 20; n++) ids.push(await send(`/hook/away/${n}/`))
    let again = 0
    for (const [n, id] of ids.entries()) {
      const { state, attempt } = await channels.ended(id)
      assert.equal(state, 'completed')
      assert.ok(tls.at(`/hook/away/${n}/`).length <= attempt, `${tls.at(`/hook/away/${n}/`).length} requests in ${attempt} attempts`)
      again += attempt - 1
    }
    assert.ok(again > 0)
  } finally {
    await cluster.set('pulse.http_ca_file', '')
    await tls.stop()
    certificates.remove()
  }
})

test('E4: TLS that never gets going costs its own job\'s time', async () => {
  const certificates = new Certificates()
  certificates.write(1)
  const slow = await startStandIn({ tls: { key: readFileSync(certificates.key), cert: readFileSync(certificates.certificate) }, tlsDelay: 60_000 })
  try {
    const id = await channels.enqueue('webhook', { url: slow.url }, `timeout => '1 s', max_attempts => 1`)
    assert.equal((await channels.ended(await hook('/hook/meanwhile'))).state, 'completed')
    assert.match((await channels.ended(id)).last_error, /^the receiver: no answer in time/)
  } finally {
    await slow.stop()
    certificates.remove()
  }
})

test('E4: a certificate that nobody vouches for is not trusted', async () => {
  const certificates = new Certificates()
  certificates.write(1)
  const impostor = await startStandIn({ tls: { key: readFileSync(certificates.key), cert: readFileSync(certificates.certificate) } })
  try {
    const job = await channels.ended(await channels.enqueue('webhook', { url: impostor.url }, 'max_attempts => 1'))
    assert.match(job.last_error, /^the receiver: no TLS with it/)
    assert.equal(impostor.arrivals.length, 0)
  } finally {
    await impostor.stop()
    certificates.remove()
  }
})

test('E4: a job that is cancelled while it waits for an answer is cancelled', async () => {
  provider.fault('/hook/hang', { hang: true })
  const id = await hook('/hook/hang', `timeout => '60 s'`)
  await until(() => provider.at('/hook/hang').length === 1)
  await cluster.sql('SELECT pulse.cancel($1)', [id])
  assert.equal((await channels.ended(id)).state, 'cancelled')
})

test('E4: an ended worker is replaced; what it had sent has failed that attempt and runs again', async () => {
  provider.fault('/hook/hang', { hang: true })
  const id = await hook('/hook/hang', `timeout => '60 s'`)
  await until(() => provider.at('/hook/hang').length === 1)
  const pid = await workerPid()
  await cluster.sql('SELECT pg_terminate_backend($1)', [pid])
  const job = await channels.ended(id)
  assert.deepEqual([job.state, job.attempt], ['completed', 2])
  assert.match(job.errors[0].error, /the worker ended/)
  assert.notEqual(await workerPid(), pid)
})

test('E4: kill -9 of the worker: every delivery runs again, each attempt recorded', async () => {
  provider.fault('/hook/hang', { hang: true }, 5)
  const ids = []
  for (let n = 0; n < 5; n++) ids.push(await hook('/hook/hang', `timeout => '60 s'`))
  await until(() => provider.at('/hook/hang').length === 5)
  process.kill(await workerPid(), 'SIGKILL')
  for (const id of ids) {
    const job = await until(() => channels.ended(id), { what: 'the second attempt' })
    assert.deepEqual([job.state, job.attempt, job.errors.length], ['completed', 2, 1])
    assert.match(job.errors[0].error, /the worker ended during this attempt/)
  }
})

test('E4: a fast shutdown does not wait for answers', async () => {
  provider.fault('/hook/hang', { hang: true })
  const id = await hook('/hook/hang', `timeout => '1 hour'`)
  await until(() => provider.at('/hook/hang').length === 1)
  await cluster.restart('fast')   // fails when the server is still up after pg_ctl's minute
  const job = await channels.ended(id)
  assert.equal(job.state, 'completed')
})
