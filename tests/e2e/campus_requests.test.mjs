// The routes of the campus pack over two bridges: C1, C3, C4, C5, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, one, two
const people = { ann: { userId: 'ann', organizationId: 'org1', role: 'staff' }, vic: { userId: 'vic', organizationId: 'org1', role: 'viewer' }, eve: { userId: 'eve', organizationId: 'org2', role: 'admin' } }

before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_campus'] })
  ;[one, two] = pulse.bridges
  await pulse.sql(`
    INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
    INSERT INTO campus.campuses (id, organization_id, name) VALUES ('north', 'org1', 'North'), ('south', 'org1', 'South'), ('other', 'org2', 'Other');
    INSERT INTO campus.buildings (id, campus_id, name, latitude, longitude) VALUES ('library', 'north', 'Library', 19.07, 72.87), ('gym', 'north', 'Gym', 19.08, 72.88), ('lab', 'south', 'Lab', 19.2, 72.9);
    INSERT INTO campus.members (user_id, organization_id, role) VALUES ('mia', 'org1', 'member');`)
})
after(() => pulse?.stop())

async function api(who, method, path, body, bridge = one, more = {}) {
  const authorization = who === undefined ? {} : { authorization: `Bearer ${typeof who === 'string' ? who : token(who)}` }
  const answer = await fetch(bridge.url + path, { method, body: body && JSON.stringify(body), headers: { ...more, ...authorization, ...body && { 'content-type': 'application/json' } } })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

test('C1: issues by the API; each change is one event', async () => {
  const socket = await pulse.io(people.vic, { bridge: two }), heard = []
  socket.onAny((kind, { title, status }) => heard.push([kind, title, status]))
  assert.equal((await socket.emitWithAck('subscribe', { campusId: 'north' })).ok, true)
  const { status, body: issue } = await api(people.ann, 'POST', '/api/issues', { campusId: 'north', buildingId: 'library', title: 'No "light" 💡', severity: 'high' })
  assert.equal(status, 201)
  assert.deepEqual([issue.organizationId, issue.campusId, issue.buildingId, issue.title, issue.status, issue.severity, issue.reportedBy], ['org1', 'north', 'library', 'No "light" 💡', 'open', 'high', 'ann'])
  const path = `/api/issues/${issue.id}`
  assert.deepEqual((await api(people.vic, 'GET', path, undefined, two)).body, issue)
  assert.equal((await api(people.ann, 'PATCH', path, { title: 'Dark' })).body.title, 'Dark')
  assert.equal((await api(people.ann, 'POST', `${path}/assign`, { assignedTo: 'sam' })).body.status, 'assigned')
  await pulse.sql(`UPDATE campus.issues SET status = 'in_progress', title = 'Very dark' WHERE id = $1`, [issue.id])
  assert.ok((await api(people.ann, 'POST', `${path}/resolve`)).body.resolvedAt)
  assert.equal((await api(people.ann, 'DELETE', path)).status, 204)
  const events = () => heard.filter(([kind]) => kind.startsWith('issue:'))
  await until(() => events().length >= 6, { what: 'six events' })
  assert.deepEqual(events().map(([kind]) => kind), ['issue:created', 'issue:updated', 'issue:assigned', 'issue:updated', 'issue:resolved', 'issue:deleted'])
})

test('C1: an issue that is sent several times at once is kept once', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => api(people.ann, 'POST', '/api/issues', { campusId: 'north', title: 'again' }, pulse.bridges[n % 2], { 'Idempotency-Key': 'k-1' })))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 201])
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1)
  assert.equal(await pulse.value(`SELECT count(*)::int FROM campus.issues WHERE title = 'again'`), 1)
  await pulse.sql(`DELETE FROM campus.issues WHERE title = 'again'`)
})

test('C3: heatmap and statistics once, for who polls', async () => {
  await pulse.sql(`INSERT INTO campus.issues (building_id, title, reported_by, severity) SELECT 'lab', 'many', 'x', 'critical' FROM generate_series(1, 20)`)
  const { status, body: { generatedAt, ...stats } } = await api(people.vic, 'GET', '/api/realtime/stats?organizationId=org1', undefined, two)
  assert.deepEqual([status, stats], [200, { organizationId: 'org1', open: 20, assigned: 0, inProgress: 0, resolved: 0, total: 20, byBuilding: { lab: 20 } }])
  assert.match(generatedAt, /Z$/)
  const { body } = await api(people.ann, 'GET', '/api/realtime/heatmap')
  assert.deepEqual(body.cells.map(({ count, weight }) => [count, weight]), [[20, 160]])
  assert.ok(Math.abs(body.cells[0].latitude - 19.2) < 0.001)
})

test('C4: 401 without a good token, 403 for what is not allowed, 404 for what is not there, 422 for what is wrong', async () => {
  const { body: { id } } = await api(people.ann, 'POST', '/api/issues', { campusId: 'north', title: 'mine' })
  const nothing = '/api/issues/00000000-0000-4000-8000-0000000000ff', fine = { campusId: 'north', title: 'x' }
  const cases = [[undefined, 'POST', '/api/issues', 401, fine], ['a.b.c', 'POST', '/api/issues', 401, fine], [token(people.ann, { expires: -3600 }), 'GET', `/api/issues/${id}`, 401],
    [people.vic, 'POST', '/api/issues', 403, fine], [people.eve, 'POST', '/api/issues', 403, fine], [people.eve, 'GET', `/api/issues/${id}`, 403], [people.vic, 'PATCH', `/api/issues/${id}`, 403, { title: 'x' }],
    [people.vic, 'DELETE', `/api/issues/${id}`, 403], [people.vic, 'POST', `/api/issues/${id}/resolve`, 403], [people.eve, 'POST', `/api/issues/${id}/assign`, 403, { assignedTo: 'x' }],
    [people.ann, 'GET', nothing, 404], [people.ann, 'PATCH', nothing, 404, { title: 'x' }], [people.ann, 'DELETE', nothing, 404], [people.ann, 'GET', '/api/issues/x', 404],
    [people.ann, 'POST', '/api/issues', 422, { campusId: 'north' }], [people.ann, 'POST', '/api/issues', 422, { ...fine, severity: 'worst' }], [people.ann, 'PATCH', `/api/issues/${id}`, 422, { status: 'gone' }]]
  for (const path of ['/api/realtime/heatmap/stream', '/api/realtime/issues/stream', '/api/realtime/stats/stream', '/api/realtime/heatmap', '/api/realtime/stats']) {
    cases.push([undefined, 'GET', `${path}?organizationId=org1`, 401], ['x', 'GET', `${path}?organizationId=org1`, 401], [people.eve, 'GET', `${path}?organizationId=org1`, 403])
  }
  for (const [who, method, path, status, body] of cases) {
    const answer = await api(who, method, path, body, two)
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    assert.ok(answer.body.error.code && answer.body.error.message, path)
  }
  assert.equal((await api(people.vic, 'GET', `/api/issues/${id}`)).body.title, 'mine')
})

test('C5: with the realtime side broken an issue is created and changed by the API', async () => {
  await until(() => pulse.sql(`DO $$BEGIN EXECUTE format('ALTER SEQUENCE _pulse.event_id MAXVALUE %s', (SELECT last_value FROM _pulse.event_id)); END$$`), { what: 'a broken sequence' })
  try {
    const { status, body } = await api(people.ann, 'POST', '/api/issues', { campusId: 'north', title: 'silent' })
    assert.equal(status, 201)
    assert.equal((await api(people.ann, 'POST', `/api/issues/${body.id}/resolve`, undefined, two)).body.status, 'resolved')
  } finally {
    await pulse.sql('ALTER SEQUENCE _pulse.event_id NO MAXVALUE')
  }
})
