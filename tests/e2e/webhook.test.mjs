// Webhooks: what the receiver gets and can verify, and every address that they must not reach.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, afterEach, before, test } from 'node:test'
import { startChannels, webhookSecret } from '../support/channels.mjs'
import { until } from '../support/wait.mjs'

let channels, cluster, provider

before(async () => {
  channels = await startChannels()
  ;({ cluster, provider } = channels)
  await cluster.sql(`SELECT pulse.configure_queue('q', backoff => '10 ms', backoff_max => '10 ms')`)
})
after(() => channels?.stop())
afterEach(() => {
  provider.clearFaults()
  provider.arrivals = []
})

const hook = (path, more = {}, options) => channels.enqueue('webhook', { url: provider.url + path, ...more }, options)

test('E4: a webhook carries what the job says, and a signature that the receiver can verify', async () => {
  const job = await channels.ended(await hook('/hook/a?b=1', { headers: { 'X-Shop': 'seven' }, body: { order: 7, name: 'é' } }))
  assert.equal(job.state, 'completed')
  assert.deepEqual(job.result, { status: 200, body: { received: 1 } })
  const [{ method, path, query, headers, body }] = provider.arrivals
  assert.deepEqual([method, path, query.b, headers['x-shop'], headers['content-type']], ['POST', '/hook/a', '1', 'seven', 'application/json'])
  assert.deepEqual(JSON.parse(body), { order: 7, name: 'é' })
  assert.equal(headers['webhook-id'], `job_${job.id}`)
  const signed = createHmac('sha256', Buffer.from(webhookSecret.slice('whsec_'.length), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64')
  assert.equal(headers['webhook-signature'], `v1,${signed}`)
  assert.ok(Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp'])) < 60)
})

test('E4: a repetition has the same id', async () => {
  provider.fault('/hook/twice', { status: 500 })
  const job = await channels.ended(await hook('/hook/twice', { method: 'PUT', text: 'x' }))
  assert.equal(job.attempt, 2)
  const [first, second] = provider.at('/hook/twice')
  assert.equal(first.headers['webhook-id'], second.headers['webhook-id'])
  assert.deepEqual([second.method, second.body, second.headers['content-type']], ['PUT', 'x', 'text/plain; charset=utf-8'])
})

test('S6: a host\'s own headers come from the file and are nowhere to be seen', async () => {
  const { port } = new URL(provider.url)
  await channels.writeFile('webhook_secrets', JSON.stringify({ hosts: { [`127.0.0.1:${port}`]: { headers: { 'X-Internal-Token': 'top-secret-token' } } } }))
  await channels.reload()
  await until(async () => {
    await channels.ended(await hook('/hook/settings', { method: 'GET' }))
    return provider.arrivals.at(-1).headers['x-internal-token'] === 'top-secret-token'
  }, { what: 'the worker having read the file again' })
  provider.fault('/hook/echo', { status: 200, body: { youSent: 'top-secret-token' } })
  const job = await channels.ended(await hook('/hook/echo', { method: 'GET' }))
  assert.deepEqual(job.result, { status: 200, body: { youSent: '[secret]' } })
  assert.equal(await cluster.value(`SELECT bool_or(to_json(j)::text LIKE '%top-secret%') FROM pulse.jobs j`), false)
  await channels.writeSecrets()
})

test('E4: redirects are not followed', async () => {
  provider.fault('/hook/moved', { status: 302, headers: { location: `${provider.url}/hook/elsewhere` } }, 10)
  const job = await channels.ended(await hook('/hook/moved', {}, 'max_attempts => 1'))
  assert.match(job.last_error, /answered 302, and redirects are not followed/)
  assert.equal(provider.at('/hook/elsewhere').length, 0)
})

test('E4: 410 ends it', async () => {
  provider.fault('/hook/gone', { status: 410 })
  const job = await channels.ended(await hook('/hook/gone'))
  assert.deepEqual([job.state, job.attempt], ['discarded', 1])
})

test('E4: an answer is read up to a bound, and one that ends early is a success when its head said so', async () => {
  provider.fault('/hook/huge', { huge: 3_000_000 })
  const huge = await channels.ended(await hook('/hook/huge'))
  assert.equal(huge.state, 'completed')
  assert.equal(huge.result.cut, true)
  assert.ok(huge.result.body.length <= 4096)
  provider.fault('/hook/cut', { truncate: true, status: 200 })
  assert.deepEqual((await channels.ended(await hook('/hook/cut'))).result, { status: 200, body: '{"name": "cut he', cut: true })
  provider.fault('/hook/cut', { truncate: true, status: 500 })
  const failed = await channels.ended(await hook('/hook/cut'))
  assert.equal(failed.attempt, 2)
  assert.match(failed.errors[0].error, /answered 500/)
})

test('E4: no address of ours is reached unless it is named, whatever name or form leads to it', async () => {
  const { port } = new URL(provider.url)
  await cluster.set('pulse.webhook_allow', '*')
  const isRefused = async url => {
    const job = await channels.ended(await channels.enqueue('webhook', { url }, 'max_attempts => 1'))
    return job.state === 'discarded' && /webhook_allow/.test(job.last_error) && job.reason !== 'attempts'
  }
  await until(() => isRefused(`http://127.0.0.1:${port}/hook/ssrf`), { what: 'the new setting' })
  provider.arrivals = []
  for (const host of ['localhost', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0.0.0.0', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '169.254.169.254', '[fe80::1]', '10.0.0.1', '[64:ff9b::7f00:1]'])
    assert.ok(await isRefused(`http://${host}:${port}/hook/ssrf`), host)
  assert.equal(provider.arrivals.length, 0)
  await cluster.set('pulse.webhook_allow', `localhost:${port}`)
  await until(async () => (await channels.ended(await channels.enqueue('webhook', { url: `http://localhost:${port}/hook/named` }, 'max_attempts => 1'))).state === 'completed', { what: 'a named host' })
  assert.ok(await isRefused(`http://127.0.0.1:${port}/hook/ssrf`), 'the name is allowed, not the address')
  assert.ok(await isRefused('http://8.8.8.8/'), 'and no other host')
})

test('E4: a connection that somebody else opened is not a way around', async () => {
  // The SMS provider is at that very address, and its connection stays open.
  await cluster.set('pulse.webhook_allow', '*')
  await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }))
  await until(async () => {
    const job = await channels.ended(await hook('/hook/reuse', {}, 'max_attempts => 1'))
    return job.state === 'discarded' && /webhook_allow/.test(job.last_error)
  })
  assert.equal(provider.at('/hook/reuse').length, 0)
})
