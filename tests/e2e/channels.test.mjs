// Push and SMS through the stand-in: what arrives there, what its answers do to jobs and tokens, and where secrets do not go.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Certificates } from '../support/certificates.mjs'
import { startChannels } from '../support/channels.mjs'
import { bindir, root } from '../support/cluster.mjs'
import { startStandIn } from '../support/provider_stand_in.mjs'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

let channels, cluster, provider
const fcmPath = '/v1/projects/stand-in/messages:send', smsPath = '/2010-04-01/'

before(async () => {
  channels = await startChannels()
  ;({ cluster, provider } = channels)
  await cluster.sql(`SELECT pulse.configure_queue('q', backoff => '10 ms', backoff_max => '10 ms')`)
})
after(() => channels?.stop())
afterEach(async () => {
  provider.clearFaults()
  provider.arrivals = []
})

const push = (token, more = {}, options) => channels.enqueue('fcm', { token, notification: { title: 't' }, ...more }, options)
const messages = () => provider.at(fcmPath).map(({ body }) => JSON.parse(body).message)

test('D7: a push message reaches FCM with an access token that a hundred messages share', async () => {
  await cluster.sql(`SELECT pulse.enqueue_many('q', 'fcm', array_agg(json_build_object('token', 't' || n, 'data', json_build_object('n', n), 'urgent', true))) FROM generate_series(1, 100) n`)
  await until(() => cluster.value(`SELECT count(*) = 100 FROM pulse.jobs WHERE state = 'completed' AND kind = 'fcm'`), { what: 'a hundred delivered messages' })
  assert.deepEqual(new Set(messages().map(message => message.token)), new Set(Array.from({ length: 100 }, (_, n) => `t${n + 1}`)))
  assert.equal(messages().length, 100, 'each once')
  assert.equal(provider.at('/token').length, 1, 'one grant for all of them')
  assert.equal(messages().find(message => message.token === 't7').data.n, '7')
  assert.equal(messages()[0].android.priority, 'HIGH')
  const [{ result }] = await cluster.sql(`SELECT result FROM pulse.jobs WHERE args ->> 'token' = 't7'`)
  assert.match(result.name, /^projects\/stand-in\/messages\/\d+$/)
})

test('D7: an unregistered token is dead and leaves the devices; a refused one stays', async () => {
  await cluster.sql(`SELECT pulse.register_device('ann', 'unregistered-1', 'android'), pulse.register_device('ann', 'invalid-1', 'ios')`)
  await cluster.sql(`SELECT pulse.push('ann', '{"notification": {"title": "t"}}', queue => 'q')`)
  const dead = await until(async () => {
    const rows = await cluster.sql(`SELECT args ->> 'token' AS token, state, attempt, last_error FROM pulse.jobs WHERE args ->> 'token' IN ('unregistered-1', 'invalid-1') AND state = 'discarded' ORDER BY 1`)
    return rows.length === 2 && rows
  })
  assert.deepEqual(dead.map(({ token, attempt }) => [token, attempt]), [['invalid-1', 1], ['unregistered-1', 1]])
  assert.match(dead[1].last_error, /^FCM answered 404 UNREGISTERED/)
  assert.deepEqual(await cluster.sql(`SELECT token FROM pulse.devices('ann')`), [{ token: 'invalid-1' }])
})

test('D7: on_end hears that a token is dead', async () => {
  await cluster.sql(`CREATE TABLE ends (job json);
    CREATE FUNCTION on_end(job json) RETURNS json LANGUAGE sql AS $$ INSERT INTO public.ends VALUES (job) RETURNING NULL::json $$`)
  const id = await push('unregistered-2', {}, `on_end => 'public.on_end'`)
  const job = await until(() => cluster.value(`SELECT job FROM ends WHERE job ->> 'id' = $1`, [String(id)]))
  assert.equal(job.state, 'discarded')
  assert.deepEqual(job.result, { tokenDead: true, errorCode: 'UNREGISTERED' })
  assert.equal(job.args.token, 'unregistered-2')
})

test('E4: an access token that FCM takes no longer is replaced, and the message sent again in the same attempt', async () => {
  await channels.ended(await push('before'))
  provider.arrivals = []
  provider.accessTokens.clear()
  const job = await channels.ended(await push('after'))
  assert.equal(job.state, 'completed')
  assert.equal(job.attempt, 1)
  assert.deepEqual(provider.arrivals.map(({ path }) => path), [fcmPath, '/token', fcmPath])
})

test('E4: what fails for a while is tried again, not before Retry-After', async () => {
  provider.fault(fcmPath, { status: 503, headers: { 'retry-after': '1' }, body: { error: { status: 'UNAVAILABLE', message: 'later' } } })
  const job = await channels.ended(await push('busy'))
  assert.equal(job.state, 'completed')
  assert.equal(job.attempt, 2)
  assert.equal(job.errors[0].error, 'FCM answered 503 UNAVAILABLE: later')
  const [first, second] = provider.at(fcmPath)
  assert.ok(second.at - first.at >= 1000, `${second.at - first.at} ms`)
})

test('E4: while there is no access token messages fail with the OAuth server\'s words, and go out when there is', async () => {
  provider.accessTokens.clear()
  provider.fault('/token', { status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } })
  const job = await channels.ended(await push('waits', {}, 'max_attempts => 5'))
  assert.equal(job.state, 'completed')
  assert.equal(job.errors[0].error, 'no access token from the OAuth server: answered 400: invalid_grant: Invalid JWT Signature.')
})

test('E4: a dry run delivers nothing', async () => {
  const job = await channels.ended(await push('dry', { dryRun: true }))
  assert.equal(job.result.name, 'projects/stand-in/messages/fake_message_id')
  assert.equal(JSON.parse(provider.at(fcmPath)[0].body).validate_only, true)
})

test('D8: a kind of the application\'s makes the arguments by its builder, as the job\'s role', async () => {
  await cluster.sql(`CREATE ROLE shop IN ROLE pulse_publisher; GRANT CREATE ON SCHEMA public TO shop;
    CREATE FUNCTION push_args(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
      IF args ->> 'order' = 'none' THEN RETURN NULL; ELSIF args ->> 'order' = 'bad' THEN RAISE 'no such order'; END IF;
      RETURN json_build_object('topic', 'order-' || (args ->> 'order'), 'data', json_build_object('role', current_user, 'job', pulse.job_id()));
    END $$;
    SELECT pulse.job_kind('order_push', 'fcm', 'public.push_args')`)
  const client = await cluster.connect()
  await client.query('SET ROLE shop')
  const enqueue = async order => (await client.query(`SELECT pulse.enqueue('q', 'order_push', json_build_object('order', $1::text), max_attempts => 1) AS id`, [order])).rows[0].id
  const [good, none, bad] = [await enqueue('7'), await enqueue('none'), await enqueue('bad')]
  await client.end()
  assert.equal((await channels.ended(good)).state, 'completed')
  assert.deepEqual(messages()[0].data, { role: 'shop', job: String(good) })
  assert.equal(messages()[0].topic, 'order-7')
  const nothing = await channels.ended(none)
  assert.equal(nothing.state, 'cancelled')
  assert.match(nothing.last_error, /nothing to send/)
  const failed = await channels.ended(bad)
  assert.equal(failed.state, 'discarded')
  assert.match(failed.last_error, /no such order/)
  assert.equal(messages().length, 1)
})

test('E4: over TLS messages share HTTP/2 connections', async () => {
  const certificates = new Certificates()
  certificates.write(1)
  const certificate = readFileSync(certificates.certificate, 'utf8')
  const tls = await startStandIn({ project: 'tls', tls: { key: readFileSync(certificates.key), cert: certificate } })
  try {
    await channels.writeFile('ca.pem', certificate)
    await channels.writeFile('service_account.json', JSON.stringify(tls.serviceAccount))
    await cluster.set('pulse.http_ca_file', 'ca.pem')
    await cluster.set('pulse.fcm_url', tls.url)
    const first = await until(async () => {
      const job = await channels.ended(await push('over TLS'))
      return tls.at('/v1/').length > 0 && job   // the worker has read the new settings
    })
    assert.equal(first.state, 'completed')
    tls.arrivals = []
    tls.latency = 50
    await cluster.sql(`SELECT pulse.enqueue_many('q', 'fcm', array_agg(json_build_object('token', 'h2-' || n))) FROM generate_series(1, 50) n`)
    await until(() => tls.at('/v1/').length >= 50, { what: 'fifty messages' })
    assert.deepEqual(new Set(tls.arrivals.map(({ httpVersion }) => httpVersion)), new Set(['2.0']))
    assert.equal(new Set(tls.arrivals.map(({ connection }) => connection)).size, 1, 'one connection')
  } finally {
    await cluster.set('pulse.fcm_url', provider.url)
    await cluster.set('pulse.http_ca_file', '')
    await channels.writeSecrets()
    await tls.stop()
    certificates.remove()
  }
})

test('D7: an SMS is one form at the provider; its result tells sid and segments', async () => {
  const job = await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'Blood needed: O− at Apollo' }))
  assert.equal(job.state, 'completed')
  const [{ body, headers }] = provider.at(smsPath)
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), { To: '+919876543210', From: '+15005550006', Body: 'Blood needed: O− at Apollo' })
  assert.match(headers.authorization, /^Basic /)
  assert.match(job.result.sid, /^SM[0-9a-f]{32}$/)
  assert.deepEqual([job.result.segments, job.result.encoding, job.result.status], [1, 'UCS-2', 'queued'])
})

test('D7: a number that is none is not sent; one that the provider refuses is dead', async () => {
  assert.match((await channels.ended(await channels.enqueue('sms', { to: '12345', body: 'x' }))).last_error, /E\.164/)
  assert.equal(provider.at(smsPath).length, 0)
  const job = await channels.ended(await channels.enqueue('sms', { to: '+15005550001', body: 'x' }))
  assert.equal(job.state, 'discarded')
  assert.equal(job.attempt, 1)
  assert.match(job.last_error, /code 21211/)
})

test('D7: when the first provider fails, the second one sends, in the same attempt', async () => {
  const second = await startStandIn({ project: 'second' })
  second.sms = { accountSid: 'AC2', authToken: 'second', from: '+15005550007' }
  try {
    await channels.writeFile('sms_fallback.json', JSON.stringify(second.sms))
    await cluster.set('pulse.sms_fallback_auth_file', 'sms_fallback.json')
    await cluster.set('pulse.sms_fallback_url', second.url)
    await until(async () => {
      provider.clearFaults()
      provider.fault(smsPath, { status: 500 }, 1)
      const job = await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }))
      return second.arrivals.length > 0 && job.attempt === 1 && job.state === 'completed'   // once the worker has read the settings
    })
    assert.equal(new URLSearchParams(second.arrivals[0].body).get('From'), '+15005550007')
  } finally {
    await cluster.set('pulse.sms_fallback_url', '')
    await second.stop()
  }
})

test('D7: the provider\'s reports are taken by a route when they are rightly signed', async () => {
  const pulse = await startPulse({ cluster })
  try {
    await cluster.sql(`SELECT pulse.route('POST', '/api/sms/status', 'pulse.sms_status', 'none')`)
    const url = `${pulse.bridge.url}/api/sms/status`
    await cluster.set('pulse.sms_status_url', url)
    const { id, result } = await until(async () => {
      provider.arrivals = []
      const job = await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }))
      return provider.at(smsPath)[0].body.includes('StatusCallback') && job
    })
    const report = await until(() => cluster.value(`SELECT to_json(r) FROM pulse.sms_reports r WHERE job_id = $1 AND status = 'delivered'`, [id]))
    assert.equal(report.sid, result.sid)
    const target = `${url}?job=${id}`, parameters = { MessageSid: result.sid, MessageStatus: 'sent' }
    assert.equal((await provider.report(target, parameters)).status, 204)
    assert.equal((await provider.report(target, { ...parameters, MessageStatus: 'failed' }, 'not the token')).status, 403)
    assert.equal((await provider.report(`${url}?job=${id + 1}`, parameters)).status, 204)
    assert.equal((await fetch(target, { method: 'POST', body: new URLSearchParams(parameters) })).status, 403, 'unsigned')
    assert.equal(await cluster.value('SELECT status FROM pulse.sms_reports WHERE job_id = $1', [id]), 'delivered', 'an earlier state does not come back')
  } finally {
    await cluster.set('pulse.sms_status_url', '')
    for (const bridge of pulse.bridges) await bridge.stop()
  }
})

test('D7: push, then an SMS, as docs/how-to/deliver.md says: at once when critical, when no push comes through, and when nobody answers in time', async () => {
  const page = readFileSync(join(root, 'docs/how-to/deliver.md'), 'utf8')
  const [, sql] = /^## Push first.*?^```sql\n(.*?)^```/ms.exec(page)
  await cluster.sql('CREATE SCHEMA app')
  await cluster.sql(sql)
  await cluster.sql(`INSERT INTO app.users SELECT 'u' || n, '+91987654000' || n FROM generate_series(1, 5) n`)
  await cluster.sql(`SELECT pulse.register_device(u, t, 'android') FROM (VALUES ('u1', 'one'), ('u2', 'unregistered-a'), ('u2', 'unregistered-b'), ('u3', 'three'), ('u3', 'unregistered-c'), ('u5', 'five')) AS d (u, t)`)
  const tell = (user, critical = false) => cluster.value(`SELECT app.tell($1, 'come', $2)`, [user, critical])
  const sms = async message => (await cluster.sql('SELECT j.* FROM app.messages m, pulse.job(m.sms_job) j WHERE m.id = $1', [message]))[0]
  const sent = message => until(async () => (await sms(message)).state === 'completed', { what: `the SMS of message ${message}` })

  await sent(await tell('u1', true))
  await sent(await tell('u2'))   // both tokens are dead
  await sent(await tell('u4'))   // no device
  const waits = await tell('u3')   // one of two came through
  await until(() => cluster.value(`SELECT pushes = 1 FROM app.messages WHERE id = $1`, [waits]))
  assert.equal((await sms(waits)).state, 'scheduled')
  assert.equal(await cluster.value(`SELECT app.seen($1, 'u1')`, [waits]), false, 'somebody else\'s')
  assert.equal(await cluster.value(`SELECT app.seen($1, 'u3')`, [waits]), true)
  assert.equal(await cluster.value(`SELECT app.seen($1, 'u3')`, [waits]), false)
  assert.equal((await sms(waits)).state, 'cancelled')
  await cluster.sql(/^CREATE FUNCTION app\.tell.*?^END \$\$;/ms.exec(sql)[0].replace('CREATE', 'CREATE OR REPLACE').replace("'30 s'", "'300 ms'"))
  const unanswered = await tell('u5')
  await sent(unanswered)
  assert.equal(await cluster.value(`SELECT app.seen($1, 'u5')`, [unanswered]), false, 'too late')
  const numbers = provider.at(smsPath).map(({ body }) => new URLSearchParams(body).get('To'))
  assert.deepEqual(numbers.toSorted(), ['+919876540001', '+919876540002', '+919876540004', '+919876540005'])
})

test('S: secrets are in no log, error, view, activity or dump', async () => {
  provider.fault('/token', { status: 400, body: 'echo' })
  await push('leak')
  const { private_key: key } = provider.serviceAccount
  const secrets = [key.split('\n')[3], provider.sms.authToken, 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', ...provider.accessTokens, Buffer.from(`${provider.sms.accountSid}:${provider.sms.authToken}`).toString('base64')]
  const dump = execFileSync(join(bindir, 'pg_dump'), ['--no-owner', cluster.database], { env: cluster.environment, encoding: 'utf8', maxBuffer: 1 << 28 })
  const places = { dump, log: cluster.log, jobs: JSON.stringify(await cluster.sql('SELECT * FROM pulse.jobs')), activity: JSON.stringify(await cluster.sql('SELECT * FROM pg_stat_activity')), settings: JSON.stringify(await cluster.sql(`SELECT * FROM pg_settings WHERE name LIKE 'pulse.%'`)) }
  for (const [place, text] of Object.entries(places)) for (const secret of secrets) assert.ok(!text.includes(secret), `${place} has ${secret.slice(0, 6)}…`)
})

test('E4: an address or a list of hosts that cannot be one is complained about at the reload, and is what deliveries fail with', async () => {
  const wrong = { 'pulse.fcm_url': 'ftp://x', 'pulse.sms_url': 'https://ann:secret-word@provider.example', 'pulse.webhook_allow': 'no host!' }
  for (const [setting, value] of Object.entries(wrong)) await cluster.set(setting, value)
  const error = async (kind, args) => (await channels.ended(await channels.enqueue(kind, args, 'max_attempts => 1'))).last_error
  await until(async () => await error('fcm', { token: 't' }) === 'pulse.fcm_url is no address of http or https, without user and password', { what: 'the reload' })
  assert.equal(await error('sms', { to: '+919876543210', body: 'x' }), 'pulse.sms_url is no address of http or https, without user and password')
  assert.equal(await error('webhook', { url: 'https://example.org/' }), 'pulse.webhook_allow: "nohost!" is neither a host, nor a network, nor *')
  for (const setting of Object.keys(wrong)) assert.match(cluster.log, new RegExp(`WARNING:  ${setting}`))
  assert.ok(!cluster.log.replaceAll(/(STATEMENT|LOG):  .*/g, '').includes('secret-word'))
  await cluster.set('pulse.fcm_url', provider.url)
  await cluster.set('pulse.sms_url', provider.url)
  await cluster.set('pulse.webhook_allow', '*')
  await until(async () => await error('sms', { to: '+919876543210', body: 'x' }) === null, { what: 'the next reload' })
})

test('S: a file that cannot be used is complained about without being quoted, and read again at a reload', async () => {
  await channels.writeFile('sms_account.json', '{"accountSid":"AC1","sometoken":"hush-hush"}')
  await channels.reload()
  const failed = await until(async () => {
    const job = await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }, 'max_attempts => 1'))
    return job.state === 'discarded' && job
  })
  assert.equal(failed.last_error, 'the file of pulse.sms_auth_file cannot be used: it has no authToken')
  assert.ok(!cluster.log.includes('hush-hush'))
  await channels.writeSecrets()
  await until(async () => (await channels.ended(await channels.enqueue('sms', { to: '+919876543210', body: 'x' }, 'max_attempts => 1'))).state === 'completed')
})
