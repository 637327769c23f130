// The SOS service, played by the stand-in: it is asked about each case and told what happens there, once and in order, also after it was away;
// and its token is nowhere to be seen.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { startChannels } from '../support/channels.mjs'
import { bindir } from '../support/cluster.mjs'
import { startStandIn } from '../support/provider_stand_in.mjs'
import { startPulse } from '../support/pulse.mjs'
import { next, until } from '../support/wait.mjs'

let channels, cluster, service, pulse
const secret = 'stand-in-internal-token'

before(async () => {
  channels = await startChannels({ extensions: ['pulse', 'pulse_sos'], settings: { 'pulse.webhook_allow': '*' } })
  cluster = channels.cluster
  pulse = await startPulse({ cluster })
  service = await startStandIn()
  await channels.writeFile('webhook_secrets', JSON.stringify({ hosts: { [service.url]: { kinds: ['sos_verify', 'sos_tell'], headers: { 'X-Internal-Token': secret } } } }))
  await channels.reload()
  await cluster.sql(`SELECT pulse.configure('sos', 'service_url', $1)`, [service.url])
  await cluster.sql(`SELECT pulse.configure_queue('sos-service', max_attempts => 1000, backoff => '10 ms', backoff_max => '10 ms')`)
  await until(async () => {
    await channels.ended(await cluster.value(`SELECT sos.verify('probe')`))
    return service.at('/internal/sos/probe').length > 0
  }, { what: 'the worker having read the file of secrets' })
})
after(async () => {
  await pulse?.stop()
  await service?.stop()
  await channels?.stop()
})
afterEach(() => {
  service.clearFaults()
  service.arrivals = []
  service.sos.events = []
})

const told = sosId => service.sos.events.filter(event => event.sosId === sosId)
const caseOf = id => cluster.value(`SELECT to_json(c) FROM sos.cases c WHERE c.id = $1`, [id])
const left = async id => await cluster.value(`SELECT count(*)::int FROM _pulse.jobs WHERE queue IN ('sos-service', 'pulse:on_end') AND coalesce(partition_key, args #>> '{args,args,sosId}') = $1`, [id])
const open = async (id, citizen = 'ann') => await pulse.io({ userId: citizen, sosId: id, role: 'citizen' })
const emit = (socket, event, argument) => socket.timeout(10_000).emitWithAck(event, argument)

test('S6: a case that is opened is verified, and its details are kept', async () => {
  const ann = await open('sos-1')
  const verified = next(ann, 'sos:verified')
  const { state } = await emit(ann, 'sos:init', { sosId: 'sos-1', details: { floor: 3 } })
  assert.deepEqual(state.details, { floor: 3 }, 'the client does not wait for the service')
  const [event] = await verified
  assert.deepEqual([event.sosId, event.verified, event.details], ['sos-1', true, { sosId: 'sos-1', address: 'at sos-1', severity: 'high' }])
  const { details, verified: known } = await caseOf('sos-1')
  assert.deepEqual([known, details.address], [true, 'at sos-1'])
  const [{ method, headers }] = service.at('/internal/sos/sos-1')
  assert.deepEqual([method, headers['x-internal-token']], ['GET', secret])
})

test('S6: the service is told of each event once, in order, as the room hears it', async () => {
  const ann = await open('sos-2')
  const heard = []
  for (const name of ['sos:status:broadcast', 'message:broadcast']) ann.on(name, data => heard.push({ event: name, data }))
  await emit(ann, 'sos:init', { sosId: 'sos-2' })
  await emit(ann, 'location:update', { latitude: 19.076, longitude: 72.8777 })
  await emit(ann, 'message:send', { sosId: 'sos-2', message: 'third floor' })
  await emit(ann, 'sos:status:update', { sosId: 'sos-2', status: 'on_scene', note: 'unit 7' })
  await emit(ann, 'sos:close', { sosId: 'sos-2' })
  await until(() => told('sos-2').length === 5, { what: 'five events' })
  assert.deepEqual(told('sos-2').map(({ event, data }) => [event, data.status]), [['sos:status:broadcast', 'open'], ['location:broadcast', undefined], ['message:broadcast', undefined], ['sos:status:broadcast', 'on_scene'], ['sos:status:broadcast', 'closed']])
  await until(() => heard.length === 4)
  assert.deepEqual(told('sos-2').filter(({ event }) => event !== 'location:broadcast').map(({ event, data }) => ({ event, data })), heard)
  const [{ data: { userId, role, latitude } }] = told('sos-2').filter(({ event }) => event === 'location:broadcast')
  assert.deepEqual([userId, role, latitude], ['ann', 'citizen', 19.076])
  await until(async () => await left('sos-2') === 0)
  assert.equal(service.at('/internal/realtime/event').length, 5, 'and of nothing else')
  assert.equal(new Set(told('sos-2').map(({ eventId }) => eventId)).size, 5)
  for (const { headers } of service.arrivals) assert.equal(headers['x-internal-token'], secret)
})

test('S6: a case that the service does not know stays open, is marked, and is told of no more', async () => {
  await cluster.sql(`INSERT INTO sos.cases (id, citizen_id) VALUES ('unknown-1', 'ann')`)
  await until(async () => (await caseOf('unknown-1')).verified === false)
  await until(async () => await left('unknown-1') === 0)
  const [{ reason, attempt }] = await cluster.sql(`SELECT reason, attempt FROM pulse.dead_letters WHERE kind = 'sos_verify' AND args ->> 'sosId' = 'unknown-1'`)
  assert.deepEqual([reason, attempt], ['permanent', 1])
  service.arrivals = []
  await cluster.sql(`UPDATE sos.cases SET status = 'assigned' WHERE id = 'unknown-1'`)
  await until(async () => await left('unknown-1') === 0)
  assert.equal(service.arrivals.length, 0)
  assert.equal((await caseOf('unknown-1')).status, 'assigned')
})

test('S6: a service that is away holds nobody up, and is told everything once when it is back', async () => {
  const { port } = service
  await service.stop()
  const ann = await open('sos-3')
  await emit(ann, 'sos:init', { sosId: 'sos-3' })
  for (let n = 0; n < 20; n++) await emit(ann, 'message:send', { sosId: 'sos-3', message: `m${n}` })
  await until(() => cluster.value(`SELECT j.attempt > 1 AND j.last_error ~ 'cannot be connected to' FROM pulse.jobs j WHERE j.kind = 'sos_verify' AND j.state = 'retryable'`), { what: 'attempts that failed' })
  assert.equal((await caseOf('sos-3')).verified, null, 'no answer says nothing')
  service = await startStandIn({ port })
  await until(() => told('sos-3').length === 21, { what: 'all events' })
  assert.deepEqual(told('sos-3').slice(1).map(({ data }) => data.message), Array.from({ length: 20 }, (_, n) => `m${n}`))
  await until(async () => (await caseOf('sos-3')).verified === true)
  await until(async () => await left('sos-3') === 0)
  assert.equal(service.at('/internal/realtime/event').length, 21)
})

test('S6: an event whose answer is lost, late or 5xx is told again with the same eventId', async () => {
  service.fault('/internal/realtime/event', { status: 503, headers: { 'retry-after': '0' } })
  service.fault('/internal/realtime/event', { status: 500, body: { youSent: secret } })
  await cluster.sql(`INSERT INTO sos.cases (id, citizen_id) VALUES ('sos-4', 'ann')`)
  await until(() => told('sos-4').length === 1)
  await until(async () => await left('sos-4') === 0)
  const ids = service.at('/internal/realtime/event').map(({ body }) => JSON.parse(body).eventId)
  assert.deepEqual([ids.length, new Set(ids).size, told('sos-4').length], [3, 1, 1])
})

test('S6: what cannot be told is a dead letter, and can be redriven', async () => {
  await cluster.sql(`INSERT INTO sos.cases (id, citizen_id) VALUES ('sos-5', 'ann')`)
  await until(async () => await left('sos-5') === 0)
  service.fault('/internal/realtime/event', { status: 422, body: { error: 'what is this' } })
  await cluster.sql(`UPDATE sos.cases SET status = 'assigned' WHERE id = 'sos-5'`)
  const dead = await until(() => cluster.value(`SELECT to_json(d) FROM pulse.dead_letters d WHERE d.kind = 'sos_tell' AND d.args ->> 'sosId' = 'sos-5'`))
  assert.deepEqual([dead.reason, dead.attempt], ['permanent', 1])
  await cluster.sql(`SELECT pulse.redrive($1::bigint)`, [dead.id])
  await until(() => told('sos-5').length === 2)
  assert.equal(told('sos-5')[1].eventId, dead.args.eventId)
})

test('S6: an address that is none fails jobs, and no transaction', async () => {
  await cluster.sql(`SELECT pulse.configure('sos', 'service_url', 'sos.internal')`)
  try {
    await cluster.sql(`INSERT INTO sos.cases (id, citizen_id) VALUES ('sos-6', 'ann')`)
    const dead = await until(() => cluster.value(`SELECT to_json(d) FROM pulse.dead_letters d WHERE d.kind = 'sos_verify' AND d.args ->> 'sosId' = 'sos-6'`))
    assert.match(dead.last_error, /url is no address/)
  } finally {
    await cluster.sql(`SELECT pulse.configure('sos', 'service_url', $1)`, [service.url])
  }
})

test('S6: the token goes with jobs of the pack only, and is nowhere to be seen', async () => {
  const job = await channels.ended(await channels.enqueue('webhook', { url: `${service.url}/internal/sos/sos-1`, method: 'GET' }))
  assert.deepEqual([job.state, service.at('/internal/sos/sos-1').length], ['discarded', 0], 'anybody else\'s webhook does not come that far')
  await cluster.sql(`CREATE ROLE anybody LOGIN; GRANT pulse_publisher TO anybody`)
  const anybody = await cluster.connect({ user: 'anybody' })
  await assert.rejects(anybody.query(`SELECT pulse.enqueue('q', 'sos_verify', '{"sosId":"sos-1"}')`), /permission denied/)
  await anybody.end()

  const rows = await cluster.sql(`SELECT to_json(j)::text AS text FROM pulse.jobs j UNION ALL SELECT to_json(d)::text FROM pulse.dead_letters d
    UNION ALL SELECT to_json(a)::text FROM pg_stat_activity a UNION ALL SELECT to_json(s)::text FROM pg_settings s UNION ALL SELECT to_json(e)::text FROM pulse.events e`)
  assert.ok(rows.length > 30)
  const dump = execFileSync(join(bindir, 'pg_dump'), [cluster.url()], { encoding: 'utf8', env: cluster.environment, maxBuffer: 1 << 28 })
  assert.ok(dump.includes('sos_tell'))
  for (const [where, text] of [['tables and views', rows.map(row => row.text).join('\n')], ['the dump', dump], ['the log', cluster.log]]) assert.equal(text.includes(secret), false, where)
})
