// Every way in which a client can come back and be told that it cannot have what it missed, over each protocol: an ordinary new session
// and the reason, never an error and never a part (E2, E7).
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { protocols } from '../support/returning.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse
before(async () => {
  pulse = await startPulse({ environment: { PULSE_RECOVERY_MAX_EVENTS: '50' } })
  await pulse.load('rooms')
  await pulse.sql(`CREATE TABLE app.doors (name text PRIMARY KEY, open boolean)`)
  await pulse.sql(`CREATE FUNCTION app.door(claims json, room text, params json) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = app, pg_temp RETURN coalesce((SELECT d.open FROM app.doors d WHERE d.name = params->>'name'), false)`)
  await pulse.sql(`SELECT pulse.policy('door:{name}', 'join', 'app.door')`)
})
after(() => pulse?.stop())

const publish = (room, number) => dispatched(`SELECT pulse.publish($1, 'n', to_json($2::int))`, [room, number])
// Returns when the event that this statement publishes has its position.
const dispatched = (statement, parameters) => pulse.dispatched(statement, parameters)
const position = () => pulse.value('SELECT pulse.position()')
let users = 0

for (const Client of protocols) {
  // A client that was in a room, has seen event 1, and is away while 2 is published.
  async function away({ room = `open:${Client.protocol}`, who = { userId: `m${++users}` } } = {}) {
    const client = await Client.open(pulse, who)
    assert.equal((await client.join(room)).ok, true)
    await publish(room, 1)
    await until(() => client.numbers.includes(1), { what: 'event 1' })
    await client.cut()
    await publish(room, 2)
    return { client, who, room, ticket: client.ticket }
  }

  // It comes back, is not recovered for this reason, gets nothing of before, and is a working session.
  async function refused(who, ticket, reason, id) {
    const before = await pulse.bridge.metric('pulse_recoveries_total', { outcome: reason }) ?? 0
    const back = await Client.open(pulse, who, { ticket })
    assert.equal(back.recovered, false)
    if (back.hello) assert.equal(back.hello.mustRefetch, reason)
    assert.equal(await pulse.bridge.metric('pulse_recoveries_total', { outcome: reason }), before + 1, `counted as ${reason}`)
    assert.notEqual(back.id, id, 'another session')
    assert.notEqual(back.ticket.pid, ticket.pid, 'with another secret')
    await back.fence()
    assert.deepEqual(back.numbers, [], 'nothing of before, not even a part')
    await back.cut()
    return back
  }

  test(`E2 ${Client.protocol}: an unknown session, and words that are no cursor or no secret: unknown`, async () => {
    const { client, who, ticket } = await away()
    await refused(who, { ...ticket, pid: 'AAAAAAAAAAAAAAAAAAAA' }, 'unknown', client.id)
    await refused(who, { ...ticket, pid: 'not a secret' }, 'unknown', client.id)
    await refused(who, { ...ticket, pid: 7 }, 'unknown', client.id)
    await refused(who, { ...ticket, offset: 'the last argument of an event of somebody' }, 'unknown', client.id)
    await refused(who, { ...ticket, offset: { n: 1 } }, 'unknown', client.id)
    const back = await Client.open(pulse, who, { ticket })
    assert.equal(back.recovered, true, 'and none of this harmed the session')
    await back.cut()
  })

  test(`E2 ${Client.protocol}: a cursor beyond what there is: future`, async () => {
    const { client, who, ticket } = await away()
    const [epoch, at] = (await position()).split(':')
    await refused(who, { ...ticket, offset: `${epoch}:${BigInt(at) + 1000n}` }, 'future', client.id)
  })

  test(`E2 ${Client.protocol}: a cursor of another log: foreign_epoch`, async () => {
    const { client, who, ticket } = await away()
    await refused(who, { ...ticket, offset: `0123456789abcdef:${ticket.offset.split(':')[1]}` }, 'foreign_epoch', client.id)
  })

  test(`E2 ${Client.protocol}: longer away than the recovery window: expired`, async () => {
    const { client, who, ticket } = await away()
    await until(() => pulse.value(`SELECT ended_at IS NOT NULL FROM _pulse.sessions WHERE user_id = $1`, [who.userId]), { what: 'the end being stored' })
    await pulse.sql(`SELECT pulse.configure('pulse', 'recovery_window', '1 millisecond')`)
    try {
      await refused(who, ticket, 'expired', client.id)
    } finally {
      await pulse.sql(`SELECT pulse.configure('pulse', 'recovery_window', '2 minutes')`)
    }
  })

  test(`E7 ${Client.protocol}: more missed than the cap: too_much, and one less is given whole`, async () => {
    const { client, who, room, ticket } = await away()
    for (let number = 3; number <= 51; number++) await publish(room, number)
    const back = await Client.open(pulse, who, { ticket })
    assert.equal(back.recovered, true)
    await until(() => back.numbers.length === 50)
    assert.deepEqual(back.numbers, Array.from({ length: 50 }, (_, n) => n + 2))
    await back.cut()
    for (let number = 52; number <= 102; number++) await publish(room, number)
    await refused(who, back.ticket, 'too_much', client.id)
  })

  test(`E2 ${Client.protocol}: a right to one of the rooms is gone: forbidden`, async () => {
    const name = `${Client.protocol}1`
    await pulse.sql(`INSERT INTO app.doors VALUES ($1, true)`, [name])
    const { client, who, ticket } = await away({ room: `door:${name}` })
    await pulse.sql(`UPDATE app.doors SET open = false WHERE name = $1`, [name])
    await refused(who, ticket, 'forbidden', client.id)
  })

  test(`E7 ${Client.protocol}: another user's secret opens nothing: forbidden`, async () => {
    const { client, who, ticket } = await away()
    await refused({ userId: 'thief' }, ticket, 'forbidden', client.id)
    const back = await Client.open(pulse, who, { ticket })
    assert.equal(back.recovered, true)
    await until(() => back.numbers.length > 0)
    assert.deepEqual(back.numbers, [2])
  })

  test(`E2 ${Client.protocol}: an eviction while it was away: evicted`, async () => {
    const { client, who, room, ticket } = await away()
    await dispatched(`SELECT pulse.evict($1, $2)`, [room, who.userId])
    await publish(room, 3)
    await refused(who, ticket, 'evicted', client.id)
  })

  test(`E2 ${Client.protocol}: an expired token is refused, and a new one brings the session back`, async () => {
    const { client, who, ticket } = await away()
    const error = await Client.open(pulse, { ...who, token: token(who, { expires: -10 }) }, { ticket }).catch(error => error)
    assert.equal(Client.refusal(error), 'unauthenticated')
    const back = await Client.open(pulse, who, { ticket })
    assert.equal(back.recovered, true)
    assert.equal(back.id, client.id)
    await until(() => back.numbers.length > 0)
    assert.deepEqual(back.numbers, [2])
  })

  test(`E2 ${Client.protocol}: a revoked token is refused, a newer one begins anew: evicted`, async () => {
    const now = Math.floor(Date.now() / 1000)
    const { client, who, ticket } = await away({ who: { userId: `r${++users}`, iat: now - 10 } })
    await dispatched(`SELECT pulse.revoke($1)`, [who.userId])
    const error = await Client.open(pulse, who, { ticket }).catch(error => error)
    assert.equal(Client.refusal(error), 'unauthenticated')
    await refused({ userId: who.userId, iat: now + 30 }, ticket, 'evicted', client.id)
  })

  test(`E2 ${Client.protocol}: a session that a handler disconnected is over: unknown`, async () => {
    await pulse.sql(`CREATE OR REPLACE FUNCTION app.leave_me(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.disconnect('enough'); RETURN 'true'; END $$`)
    await pulse.sql(`SELECT pulse.on('leave-me', 'app.leave_me')`)
    const who = { userId: `k${++users}` }
    const client = await Client.open(pulse, who)
    await client.join('open:kick')
    await publish('open:kick', 1)
    await until(() => client.numbers.length === 1)
    await client.ask('leave-me')
    await client.ended
    await refused(who, client.ticket, 'unknown', client.id)
  })
}

test('E2 Socket.IO: a client that left by itself begins anew', async () => {
  const [Client] = protocols
  const who = { userId: 'leaver' }
  const client = await Client.open(pulse, who)
  await client.join('open:left')
  await publish('open:left', 1)
  await until(() => client.numbers.length === 1)
  const { ticket } = client
  client.socket.disconnect()
  const back = await Client.open(pulse, who, { ticket })
  assert.equal(back.recovered, false)
  assert.notEqual(back.id, client.id)
})
