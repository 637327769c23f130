// The pack pulse_care with stock clients over two bridges: F1 – F5, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sse } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse, here, there, mother, nurse, stranger, channel
before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_care'] })
  ;[here, there] = pulse.bridges
  await pulse.sql(`INSERT INTO care.families (id, name) VALUES ('f1', 'Rao'), ('f2', 'Iyer')`)
  await pulse.sql(`INSERT INTO care.members (family_id, user_id) VALUES ('f1', 'mother'), ('f1', 'nurse'), ('f2', 'stranger'), ('f2', 'nurse')`)
  await pulse.sql(`INSERT INTO care.care_recipients (id, family_id, name) VALUES ('grandma', 'f1', 'Grandma')`)
  await pulse.sql(`INSERT INTO care.medications (id, care_recipient_id, name) VALUES ('aspirin', 'grandma', 'Aspirin')`)
  channel = await pulse.value(`SELECT id FROM care.channels WHERE family_id = 'f1'`)
  mother = await pulse.io({ userId: 'mother' }, { bridge: here })
  nurse = await pulse.io({ userId: 'nurse' }, { bridge: there })
  stranger = await pulse.io({ userId: 'stranger' }, { bridge: there })
})
after(() => pulse?.stop())

async function call(bridge, userId, method, path, body) {
  const answer = await fetch(`${bridge.url}/api/v1/care${path}`, { method, headers: { authorization: `Bearer ${token({ userId })}`, ...body && { 'content-type': 'application/json' } },
    ...body && { body: JSON.stringify(body) } })
  return { status: answer.status, body: await answer.json() }
}
// Everything published before has arrived at both.
async function fence(...sockets) {
  const marks = sockets.map(socket => next(socket, 'fence'))
  await pulse.sql(`SELECT pulse.publish(ARRAY['family:f1', 'family:f2'], 'fence', '1')`)
  await Promise.all(marks)
}

test('F1: rows written in SQL reach the family on both bridges, joined by itself at connect, and nobody else', async () => {
  const events = ['medication:logged', 'emergency:alert', 'shift:started', 'shift:ended', 'message', 'emergency:alert:acknowledged']
  const [ours, theirs] = [[mother, nurse], [stranger]].map(sockets => sockets.map(socket => events.map(event => gather(socket, event))))
  await pulse.sql(`INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('aspirin', '2026-01-04 08:00Z', 'nurse')`)
  await pulse.sql(`INSERT INTO care.alerts (id, care_recipient_id, type, severity) VALUES ('a1', 'grandma', 'fall_detected', 'high')`)
  await pulse.sql(`INSERT INTO care.shifts (id, family_id, caregiver_id, starts_at, ends_at) VALUES ('night', 'f1', 'nurse', now(), now() + interval '8 h')`)
  await pulse.sql(`UPDATE care.shifts SET started_at = '2026-01-05 22:00Z' WHERE id = 'night'`)
  await pulse.sql(`UPDATE care.shifts SET ended_at = '2026-01-06 06:00Z' WHERE id = 'night'`)
  await pulse.sql(`INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'mother', 'good night')`)
  await pulse.sql(`UPDATE care.alerts SET acknowledged_by = 'mother' WHERE id = 'a1'`)
  await fence(mother, nurse, stranger)
  for (const gathered of ours) {
    const [[logged], [alert], [started], [ended], [message], [acknowledged]] = gathered.map(({ items }) => (assert.equal(items.length, 1), items[0]))
    assert.deepEqual([logged.medicationId, logged.careRecipientId, logged.loggedBy, logged.scheduledFor], ['aspirin', 'grandma', 'nurse', '2026-01-04T08:00:00.000Z'])
    assert.ok(logged.logId && logged.timestamp)
    assert.deepEqual({ ...alert, createdAt: 0 }, { alertId: 'a1', careRecipientId: 'grandma', type: 'fall_detected', severity: 'high', createdAt: 0 })
    assert.deepEqual(started, { shiftId: 'night', caregiverId: 'nurse', startTime: '2026-01-05T22:00:00.000Z' })
    assert.deepEqual(ended, { shiftId: 'night', caregiverId: 'nurse', endTime: '2026-01-06T06:00:00.000Z' })
    assert.deepEqual([message.from, message.message, message.familyId, message.channelId], ['mother', 'good night', 'f1', channel])
    assert.deepEqual([acknowledged.alertId, acknowledged.acknowledgedBy], ['a1', 'mother'])
  }
  assert.ok(theirs.flat().every(({ items }) => items.length === 0))
})

test('F1: an alert that nobody acknowledges is escalated by the worker of the database', async () => {
  await pulse.sql(`SELECT pulse.configure('care', 'alert_escalate_after', '1 ms')`)
  const escalated = next(mother, 'emergency:alert:escalated', { matches: ({ alertId }) => alertId === 'a2' })
  await pulse.sql(`INSERT INTO care.alerts (id, care_recipient_id, type) VALUES ('a2', 'grandma', 'wandering')`)
  assert.ok((await escalated)[0].at)
  await pulse.sql(`SELECT pulse.configure('care', 'alert_escalate_after', NULL)`)
})

test('F2: membership is asked in the table on every event, in the words of the original', async () => {
  assert.deepEqual(await mother.emitWithAck('join:family', { familyId: 'f1' }), { ok: true, familyId: 'f1' })
  for (const [event, argument] of [['join:family', { familyId: 'f1' }], ['family:send-message', { familyId: 'f1', message: 'x' }], ['typing:start', { channelId: channel }],
    ['message:read', { channelId: channel, messageId: 'x' }], ['alert:acknowledge', { alertId: 'a1' }]]) {
    const { error } = await stranger.emitWithAck(event, argument)
    assert.deepEqual([error?.code, error?.message], ['forbidden', 'Not a family member'], event)
  }
  assert.equal((await stranger.emitWithAck('room:join', { room: 'family:f1' })).error.code, 'forbidden')
  const told = next(stranger, 'error', { matches: ({ event }) => event === 'join:family' })
  stranger.emit('join:family', { familyId: 'f1' })
  assert.equal((await told)[0].message, 'Not a family member', 'also without an ack')
})

test('F2: messages come to everybody, the sender too; typing to the others, never stored; presence to all families of the user', async () => {
  const heard = [mother, nurse].map(socket => next(socket, 'message'))
  const ack = await nurse.emitWithAck('family:send-message', { familyId: 'f1', message: 'hello', clientMessageId: 'k1' })
  assert.deepEqual(await nurse.emitWithAck('family:send-message', { familyId: 'f1', message: 'hello', clientMessageId: 'k1' }), ack)
  for (const [message] of await Promise.all(heard))
    assert.deepEqual({ ...message, createdAt: 0 }, { from: 'nurse', message: 'hello', familyId: 'f1', channelId: channel, messageId: ack.messageId, createdAt: 0 })
  const typing = next(mother, 'typing:start'), own = gather(nurse, 'typing:start')
  assert.deepEqual(await nurse.emitWithAck('typing:start', { channelId: channel }), { ok: true })
  assert.deepEqual((await typing)[0], { channelId: channel, familyId: 'f1', userId: 'nurse' })
  const away = [mother, stranger].map(socket => next(socket, 'presence:update'))
  await nurse.emitWithAck('presence:update', { status: 'away' })
  for (const [{ userId, status, lastSeen }] of await Promise.all(away)) assert.deepEqual([userId, status, typeof lastSeen], ['nurse', 'away', 'string'])
  await fence(nurse)
  assert.equal(own.items.length, 0)
  assert.equal(await pulse.value(`SELECT count(*)::int FROM pulse.events WHERE name = 'typing:start'`), 0)
})

test('F2: who is taken out of the family is out of its room at once, on whatever bridge', async () => {
  await pulse.sql(`INSERT INTO care.members (family_id, user_id) VALUES ('f1', 'helper')`)
  const helper = await pulse.io({ userId: 'helper' }, { bridge: there })
  const evicted = next(helper, 'room:evicted'), heard = gather(helper, 'message')
  await pulse.sql(`UPDATE care.members SET left_at = now() WHERE user_id = 'helper'`)
  await pulse.sql(`INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'mother', 'a secret')`)
  assert.equal((await evicted)[0].room, 'family:f1')
  await fence(nurse)
  const mark = next(helper, 'fence')
  await pulse.sql(`SELECT pulse.publish('user:helper', 'fence', '1')`)
  await mark
  assert.equal(heard.items.length, 0)
})

test('F3: the connection is cut; by the plan of the document the client comes back, in its rooms, and has what it missed once and in order', async () => {
  const client = pulse.socket({ userId: 'mother' }, { bridge: here, reconnection: true, reconnectionDelay: 1000, reconnectionDelayMax: 30000, randomizationFactor: 0, reconnectionAttempts: 10 })
  const connected = next(client, 'connect')
  client.connect()
  await connected
  const heard = gather(client, 'message')
  await pulse.sql(`INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'nurse', 'before')`)
  await heard.atLeast(1)
  const back = next(client, 'connect')
  client.io.engine.close()
  for (const n of [1, 2, 3]) await pulse.sql(`INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'nurse', $1)`, [`missed ${n}`])
  await back
  assert.equal(client.recovered, true)
  await pulse.sql(`INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'nurse', 'after')`)
  await until(() => heard.items.some(([{ message }]) => message === 'after'), { what: 'the message after' })
  assert.deepEqual(heard.items.map(([{ message }]) => message), ['before', 'missed 1', 'missed 2', 'missed 3', 'after'])
})

test('F4: long-polling where WebSocket is blocked: joined at connect, acks, events', async () => {
  const poller = await pulse.io({ userId: 'mother' }, { bridge: there, transports: ['polling'] })
  const heard = next(poller, 'message', { matches: ({ message }) => message === 'by polling' })
  assert.equal((await poller.emitWithAck('family:send-message', { familyId: 'f1', message: 'by polling' })).ok, true)
  assert.equal((await heard)[0].from, 'mother')
  assert.equal(poller.io.engine.transport.name, 'polling')
})

test('F4: the badge counts what is unread, on all devices; the feed by SSE and by polls; stats', async () => {
  const before = (await call(here, 'nurse', 'GET', '/me/badge')).body.unread
  const phone = await pulse.io({ userId: 'nurse' }, { bridge: here })
  const badges = [nurse, phone].map(socket => next(socket, 'notification:badge', { matches: ({ unread }) => unread === before + 1 }))
  const feed = await sse(there, { userId: 'nurse' }, {}, { path: '/api/v1/care/families/f1/activity/stream' })
  const { messageId } = await mother.emitWithAck('family:send-message', { familyId: 'f1', message: 'one more' })
  await Promise.all(badges)
  const { data } = await feed.wait(({ name, data }) => name === 'message' && data.message === 'one more')
  assert.equal(data.messageId, messageId)
  await feed.close()
  const read = [nurse, phone].map(socket => next(socket, 'notification:badge', { matches: ({ unread }) => unread === 0 }))
  assert.deepEqual(await nurse.emitWithAck('message:read', { channelId: channel, messageId }), { ok: true, unread: 0 })
  await Promise.all(read)
  assert.deepEqual((await call(there, 'nurse', 'GET', '/me/badge')).body, { unread: 0 })
  const { body: activity } = await call(here, 'nurse', 'GET', '/families/f1/activity')
  assert.equal(activity.items.at(-1).data.messageId, messageId)
  assert.deepEqual((await call(here, 'nurse', 'GET', `/families/f1/activity?since=${activity.next}`)).body.items, [])
  const { body: stats } = await call(there, 'mother', 'GET', '/families/f1/stats')
  assert.deepEqual([stats.members, stats.careRecipients], [2, 1])
  assert.equal((await call(there, 'stranger', 'GET', '/families/f1/stats')).status, 403)
  const refused = await sse(there, { userId: 'stranger' }, {}, { path: '/api/v1/care/families/f1/activity/stream' })
  assert.deepEqual([refused.status, refused.body.error.message], [403, 'Not a family member'])
})

test('F5: two caregivers log the same dose at once over two bridges: one wins, the other is told who, both see it', async () => {
  for (const day of [10, 11, 12, 13, 14]) {
    const scheduledFor = `2026-01-${day}T08:00:00.000Z`
    const seen = [mother, nurse].map(socket => next(socket, 'medication:logged', { matches: log => log.scheduledFor === scheduledFor }))
    const answers = await Promise.all([[here, 'mother'], [there, 'nurse']].map(([bridge, userId]) =>
      call(bridge, userId, 'POST', '/medication-logs', { medicationId: 'aspirin', scheduledFor })))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409])
    const won = answers.find(({ status }) => status === 201).body, lost = answers.find(({ status }) => status === 409).body
    assert.deepEqual([lost.error.code, lost.error.message, lost.error.loggedBy, lost.error.loggedAt], ['conflict', 'dose already logged', won.loggedBy, won.loggedAt])
    for (const [{ logId, loggedBy }] of await Promise.all(seen)) assert.deepEqual([logId, loggedBy], [won.logId, won.loggedBy])
  }
  assert.equal(await pulse.value(`SELECT count(*)::int FROM care.medication_logs WHERE scheduled_for >= '2026-01-10'`), 5)
})
