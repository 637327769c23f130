// D7, D8, D10 from an INSERT to the providers: push and SMS of an emergency through the stand-in, fallback chains, what is reported, and
// what is stopped. In the fault suite since providers fail here.
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { startChannels } from '../support/channels.mjs'
import { until } from '../support/wait.mjs'

let channels, cluster, provider
const fcmPath = '/v1/projects/stand-in/messages:send', smsPath = '/2010-04-01/'
before(async () => {
  channels = await startChannels({ extensions: ['pulse', 'pulse_donors'] })
  ;({ cluster, provider } = channels)
  await cluster.sql(`SELECT pulse.configure_queue('emergency-notifications', backoff => '10 ms', backoff_max => '10 ms')`)
})
after(() => channels?.stop())
afterEach(async () => {
  provider.clearFaults()
  provider.arrivals = []
  await cluster.sql('DELETE FROM donors.donors; DELETE FROM donors.blood_requests; TRUNCATE donors.device_tokens')
})

// A donor with devices; the nth is the nth nearest.
const donor = async (id, n, { phone = null, tokens = [] } = {}) => {
  await cluster.sql(`INSERT INTO donors.donors (user_id, blood_group, country_code, phone) VALUES ($1, 'O-', 'IN', $2)`, [id, phone])
  await cluster.sql('INSERT INTO donors.presence (user_id, latitude, longitude) VALUES ($1, $2, 72.8777)', [id, 19.076 + n / 1000])
  await cluster.sql(`INSERT INTO donors.device_tokens (token, user_id, device_type) SELECT token, $1, 'android' FROM unnest($2::text[]) AS token`, [id, tokens])
}
const ask = (urgency = 'normal') => cluster.value(`INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code, hospital_name)
  VALUES ('rohan', 'B-', $1, 19.076, 72.8777, 'IN', 'Lilavati') RETURNING id::text`, [urgency])
const report = async id => (await cluster.sql(`SELECT user_id, channel, state, attempts, error FROM donors.notification_report($1) WHERE channel <> 'socket' ORDER BY user_id, channel, job_id`, [id]))
const settled = (id, count) => until(async () => { const rows = await report(id); return rows.length === count && rows.every(row => row.state !== 'queued') && rows }, { what: `${count} notifications ended` })
const messages = () => provider.at(fcmPath).map(({ body }) => JSON.parse(body).message)
const texts = () => provider.at(smsPath).map(({ body }) => Object.fromEntries(new URLSearchParams(body)))

test('D7, D8: an insert is pushed to every device nearby; FCM gets exactly the data of the job, all strings', async () => {
  await donor('ann', 1, { tokens: ['ann-1', 'ann-2'] })
  await donor('ben', 2, { tokens: ['ben-1'], phone: '+919800000002' })
  const id = await ask('high')
  const rows = await settled(id, 3)
  assert.deepEqual(rows.map(({ user_id: user, channel, state, attempts }) => [user, channel, state, attempts]), [['ann', 'push', 'sent', 1], ['ann', 'push', 'sent', 1], ['ben', 'push', 'sent', 1]])
  assert.deepEqual(new Set(messages().map(message => message.token)), new Set(['ann-1', 'ann-2', 'ben-1']))
  assert.deepEqual(messages()[0].data, { emergencyId: id, bloodGroup: 'B-', urgency: 'high', hospitalName: 'Lilavati', title: 'B- blood needed', body: '1 unit of B- needed at Lilavati' })
  assert.equal(messages()[0].android.priority, 'HIGH')
  assert.deepEqual(texts(), [], 'no SMS while a push went out')
  assert.equal(await cluster.value(`SELECT count(*)::int FROM donors.device_tokens WHERE last_used_at IS NOT NULL`), 3)
})

test('D7: a critical request is sent by SMS at once, beside the push', async () => {
  await donor('ann', 1, { tokens: ['ann-1'], phone: '+919800000001' })
  await donor('ben', 2, { phone: '+919800000002' })
  const rows = await settled(await ask('critical'), 3)
  assert.deepEqual(rows.map(row => [row.user_id, row.channel, row.state]), [['ann', 'push', 'sent'], ['ann', 'sms', 'sent'], ['ben', 'sms', 'sent']])
  assert.deepEqual(texts().map(text => text.To).sort(), ['+919800000001', '+919800000002'])
  assert.equal(texts()[0].Body, 'Critical: B- blood needed. 1 unit of B- needed at Lilavati. Open the app to answer.')
})

test('D7, D8: a dead token is removed and an SMS goes out; while another device was reached none does', async () => {
  await donor('ann', 1, { tokens: ['unregistered-ann'], phone: '+919800000001' })
  await donor('ben', 2, { tokens: ['unregistered-ben', 'ben-2'], phone: '+919800000002' })
  const rows = await settled(await ask(), 4)
  assert.deepEqual(rows.map(row => [row.user_id, row.channel, row.state]).sort(), [['ann', 'push', 'failed'], ['ann', 'sms', 'sent'], ['ben', 'push', 'failed'], ['ben', 'push', 'sent']])
  assert.match(rows.find(row => row.state === 'failed').error, /UNREGISTERED/)
  assert.deepEqual(await cluster.sql('SELECT token FROM donors.device_tokens'), [{ token: 'ben-2' }])
  assert.deepEqual(texts().map(text => text.To), ['+919800000001'])
})

test('D8: three attempts with backoff, then the dead letters, then an SMS; the token stays', async () => {
  await donor('ann', 1, { tokens: ['ann-1'], phone: '+919800000001' })
  provider.fault(fcmPath, { status: 500, body: { error: { status: 'INTERNAL', message: 'no' } } }, 3)
  const rows = await settled(await ask(), 2)
  assert.deepEqual(rows.map(row => [row.channel, row.state, row.attempts]), [['push', 'failed', 3], ['sms', 'sent', 1]])
  assert.equal(provider.at(fcmPath).length, 3)
  assert.equal(await cluster.value(`SELECT count(*)::int FROM pulse.dead_letters WHERE kind = 'emergency_push' AND attempt = 3`), 1)
  assert.equal(await cluster.value('SELECT count(*)::int FROM donors.device_tokens'), 1)
})

test('D7: who does not answer a high request gets an SMS after sms_after; who has answered does not', async () => {
  await cluster.sql(`SELECT pulse.configure('donors', 'sms_after', '2 s')`)
  await donor('ann', 1, { tokens: ['ann-1'], phone: '+919800000001' })
  await donor('ben', 2, { tokens: ['ben-1'], phone: '+919800000002' })
  const id = await ask('high')
  await cluster.sql(`INSERT INTO donors.blood_request_responses (request_id, donor_id) VALUES ($1, 'ann')`, [id])
  const rows = await settled(id, 3)
  assert.deepEqual(rows.map(row => [row.user_id, row.channel]), [['ann', 'push'], ['ben', 'push'], ['ben', 'sms']])
})

test('D7: what still waits when a request is fulfilled is not sent', async () => {
  await cluster.sql(`SELECT pulse.pause_queue('emergency-notifications')`)
  await donor('ann', 1, { tokens: ['ann-1'], phone: '+919800000001' })
  const id = await ask('critical')
  await until(async () => (await report(id)).length === 2, { what: 'both queued' })
  await cluster.sql(`UPDATE donors.blood_requests SET status = 'fulfilled' WHERE id = $1`, [id])
  const rows = await settled(id, 2)
  await cluster.sql(`SELECT pulse.resume_queue('emergency-notifications')`)
  assert.deepEqual(rows.map(row => row.state), ['cancelled', 'cancelled'])
  await donor('last', 3, { tokens: ['last-1'] })
  await settled(await ask(), 2)
  assert.deepEqual(new Set(messages().map(message => message.data.urgency)), new Set(['normal']), 'nothing of the fulfilled one was sent')
})

test('D8: no window of the providers\' own log has more requests than the rate, whatever fails and although the foreman ends meanwhile', async () => {
  const rate = 15, per = 1000
  await cluster.sql(`SELECT pulse.configure_queue('emergency-notifications', rate => $1, per => make_interval(secs => $2))`, [rate, per / 1000])
  for (let n = 1; n <= 20; n++) await donor(`d${n}`, n, { tokens: [`d${n}`], phone: `+9198000001${10 + n}` })
  provider.fault(fcmPath, { status: 500 }, 5)
  provider.fault(smsPath, { status: 503 }, 5)
  const id = await ask('critical')
  await until(() => provider.arrivals.length > rate, { what: 'a second window' })
  await cluster.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pulse foreman'`)
  assert.deepEqual(new Set((await settled(id, 40)).map(row => row.state)), new Set(['sent']))
  const times = [...provider.at(fcmPath), ...provider.at(smsPath)].map(({ at }) => at).sort((a, b) => a - b)
  assert.equal(times.length, 50, 'retries count')
  for (let n = rate; n < times.length; n++) assert.ok(times[n] - times[n - rate] >= per - 1, `${rate + 1} requests within ${times[n] - times[n - rate]} ms`)   // whole milliseconds
})
