// The campus pack with stock clients over two bridges: C1 – C5, with exact names and shapes.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { EventSource } from 'eventsource'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse, one, two
const sources = []
const people = { ann: { userId: 'ann', organizationId: 'org1', role: 'staff' }, vic: { userId: 'vic', organizationId: 'org1', role: 'viewer' }, eve: { userId: 'eve', organizationId: 'org2', role: 'admin' } }
const kinds = ['issue:created', 'issue:updated', 'issue:assigned', 'issue:resolved', 'issue:deleted']

before(async () => {
  pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_campus'] })
  ;[one, two] = pulse.bridges
  await pulse.sql(`
    INSERT INTO campus.organizations (id, name) VALUES ('org1', 'One'), ('org2', 'Two');
    INSERT INTO campus.campuses (id, organization_id, name) VALUES ('north', 'org1', 'North'), ('south', 'org1', 'South'), ('other', 'org2', 'Other');
    INSERT INTO campus.buildings (id, campus_id, name, latitude, longitude) VALUES ('library', 'north', 'Library', 19.07, 72.87), ('gym', 'north', 'Gym', 19.08, 72.88), ('lab', 'south', 'Lab', 19.2, 72.9);
    INSERT INTO campus.members (user_id, organization_id, role) VALUES ('mia', 'org1', 'member');`)
})
after(async () => {
  for (const source of sources) source.close()
  await pulse?.stop()
})

// A socket with the issues that it hears of: .heard [[event, payload], …].
async function listening(who, rooms, bridge = one) {
  const socket = await pulse.io(who, { bridge })
  socket.heard = []
  for (const kind of [...kinds, 'maintenance:alert']) socket.on(kind, payload => socket.heard.push([kind, payload]))
  if (rooms) {
    const ack = await socket.emitWithAck('subscribe', rooms)
    assert.equal(ack.ok, true, JSON.stringify(ack))
    socket.rooms = ack.rooms
  }
  return socket
}

// What was published before has arrived everywhere: this comes after it, in a room that each of them is in.
async function fence(...sockets) {
  for (const socket of sockets) {
    const arrived = next(socket, 'fence')
    await pulse.sql(`SELECT pulse.publish($1, 'fence', '1')`, [`user:${socket.who}`])
    await arrived
  }
}

// An EventSource as browsers have it: .got [[event, data, id], …].
function stream(who, path, bridge = one, headers = {}) {
  const fetchWith = (url, options) => fetch(url, { ...options, headers: { ...options.headers, authorization: `Bearer ${token(who)}`, ...headers } })
  const source = new EventSource(bridge.url + path, { fetch: fetchWith })
  sources.push(source)
  source.got = []
  for (const kind of [...kinds, 'heatmap:updated', 'stats:updated']) source.addEventListener(kind, ({ data, lastEventId }) => source.got.push([kind, JSON.parse(data), lastEventId]))
  source.wait = check => until(() => source.got.find(([kind, data, id]) => check(kind, data, id)), { what: `an event of ${path}: ${JSON.stringify(source.got)}` })
  return source
}

test('C1: issues in plain SQL; each change is one event with its payload', async () => {
  const socket = await listening(people.vic, { organizationId: 'org1' }, two)
  const id = await pulse.value(`INSERT INTO campus.issues (building_id, title, severity, reported_by) VALUES ('library', $1, 'high', 'ann') RETURNING id::text`, ['No "light" 💡'])
  for (const change of [`title = 'Dark'`, `assigned_to = 'sam', status = 'assigned'`, `status = 'in_progress', title = 'Very dark'`, `status = 'resolved', assigned_to = 'tim'`]) {
    await pulse.sql(`UPDATE campus.issues SET ${change} WHERE id = $1`, [id])
  }
  await pulse.sql('DELETE FROM campus.issues WHERE id = $1', [id])
  await until(() => socket.heard.length >= 6, { what: 'six events' })
  assert.deepEqual(socket.heard.map(([kind]) => kind), ['issue:created', 'issue:updated', 'issue:assigned', 'issue:updated', 'issue:resolved', 'issue:deleted'])
  const [, { updatedAt, ...created }] = socket.heard[0]
  assert.deepEqual(created, { issueId: id, organizationId: 'org1', campusId: 'north', buildingId: 'library', title: 'No "light" 💡', status: 'open', severity: 'high' })
  const resolved = socket.heard[4][1]
  assert.deepEqual([resolved.status, resolved.assignedTo, resolved.title], ['resolved', 'tim', 'Very dark'])
  for (const time of [updatedAt, resolved.resolvedAt]) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(socket.heard[5][1], { issueId: id, organizationId: 'org1', campusId: 'north', buildingId: 'library' })
})

test('C2: an organization hears everything, a campus its own and its buildings\', a building its own; who is in several hears each once', async () => {
  const rooms = { all: { organizationId: 'org1' }, north: { campusId: 'north' }, library: { buildingId: 'library' }, several: { organizationId: 'org1', campusId: 'north', buildingId: 'library' } }
  const sockets = {}
  for (const [n, name] of Object.keys(rooms).entries()) sockets[name] = Object.assign(await listening(people.ann, rooms[name], n % 2 ? one : two), { who: 'ann' })
  sockets.member = Object.assign(await listening({ userId: 'mia' }), { who: 'mia' })
  assert.deepEqual(sockets.several.rooms, ['org:org1', 'campus:north', 'building:library'])
  assert.equal((await sockets.member.emitWithAck('room:join', { room: 'campus:south' })).ok, true)
  const insert = (campus, building, title) => pulse.sql(`INSERT INTO campus.issues (campus_id, building_id, title, reported_by) VALUES ($1, $2, $3, 'x')`, [campus, building, title])
  for (const [campus, building, title] of [['north', 'library', 'a'], ['north', 'gym', 'b'], ['north', null, 'c'], ['south', 'lab', 'd'], ['other', null, 'e']]) await insert(campus, building, title)
  await pulse.sql(`INSERT INTO campus.maintenance_alerts (building_id, title, message) VALUES ('library', 'f', 'Water is off')`)
  await fence(...Object.values(sockets))
  const titles = Object.fromEntries(Object.entries(sockets).map(([name, { heard }]) => [name, heard.map(([, { title }]) => title).join('')]))
  assert.deepEqual(titles, { all: 'abcdf', north: 'abcf', library: 'af', several: 'abcdf', member: 'd' })
  assert.deepEqual(Object.keys(sockets.library.heard[1][1]), ['alertId', 'buildingId', 'title', 'message', 'startsAt'])
})

test('C2: a wrong organization is forbidden, by subscribe and by room:join; membership that ends is over at once', async () => {
  const eve = await listening(people.eve)
  for (const wrong of [{ organizationId: 'org1' }, { campusId: 'north' }, { buildingId: 'library' }, { heatmap: 'org1' }]) assert.equal((await eve.emitWithAck('subscribe', wrong)).error.code, 'forbidden')
  for (const room of ['org:org1', 'campus:north', 'building:library', 'heatmap:org1']) assert.equal((await eve.emitWithAck('room:join', { room })).error.code, 'forbidden')
  assert.deepEqual(await eve.emitWithAck('subscribe', {}), { ok: true, rooms: ['org:org2'] })
  const mia = Object.assign(await listening({ userId: 'mia' }, { organizationId: 'org1' }, two), { who: 'mia' })
  const evicted = next(mia, 'room:evicted')
  await pulse.sql(`DELETE FROM campus.members WHERE user_id = 'mia'`)
  assert.equal((await evicted)[0].room, 'org:org1')
  await pulse.sql(`INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('north', 'not for mia', 'x')`)
  await fence(mia)
  assert.deepEqual(mia.heard, [])
  assert.equal((await mia.emitWithAck('subscribe', { organizationId: 'org1' })).error.code, 'forbidden')
})

test('C3: heatmap and statistics: at once, and again when issues change, to streams and to sockets', async () => {
  const heatmap = stream(people.ann, '/api/realtime/heatmap/stream?organizationId=org1'), stats = stream(people.vic, '/api/realtime/stats/stream?organizationId=org1', two)
  const [, first] = await heatmap.wait(kind => kind === 'heatmap:updated')
  const [, before] = await stats.wait(kind => kind === 'stats:updated')
  const socket = await listening(people.ann, { heatmap: 'org1', campusId: 'south' }, two), organization = await listening(people.vic, { organizationId: 'org1' })
  const cells = gather(socket, 'heatmap:updated'), numbers = gather(organization, 'stats:updated')
  await pulse.sql(`INSERT INTO campus.issues (building_id, title, reported_by, severity) SELECT 'lab', 'many ' || n, 'x', 'critical' FROM generate_series(1, 20) n`)
  const [, after] = await stats.wait((kind, { total }) => total === before.total + 20)
  assert.equal(after.open, before.open + 20)
  assert.equal(after.byBuilding.lab, (before.byBuilding.lab ?? 0) + 20)
  const count = ({ cells: all }) => all.reduce((sum, cell) => sum + cell.count, 0)
  const [, map] = await heatmap.wait((kind, data) => count(data) === count(first) + 20)
  const cell = map.cells.find(({ latitude }) => Math.abs(latitude - 19.2) < 0.001)
  assert.deepEqual(Object.keys(cell), ['cell', 'latitude', 'longitude', 'count', 'weight'])
  assert.ok(cell.count >= 20 && cell.weight >= 160)
  await until(() => cells.items.some(([data]) => data.campusId === 'south') && cells.items.some(([data]) => data.campusId === undefined && count(data) === count(map)), { what: 'both heatmaps' })
  await until(() => numbers.items.some(([{ total }]) => total === after.total), { what: 'the statistics' })
})

test('C3: a heatmap that is looked at comes again every heatmap_period, also when nothing changes', async () => {
  await pulse.sql(`SELECT pulse.configure('campus', 'heatmap_period', '100 ms')`)
  try {
    const source = stream(people.ann, '/api/realtime/heatmap/stream?organizationId=org1', two)
    await until(() => source.got.length >= 5, { what: 'the first one and four more' })
    assert.equal(new Set(source.got.map(([kind, { cells }]) => kind + JSON.stringify(cells))).size, 1, 'always the same one')
    assert.equal(new Set(source.got.map(([, { generatedAt }]) => generatedAt)).size, source.got.length)
  } finally {
    await pulse.sql(`SELECT pulse.configure('campus', 'heatmap_period', '0')`)
    await until(async () => await pulse.value('SELECT count(*)::int FROM _campus.repeats') === 0, { what: 'its end' })
    await pulse.sql(`SELECT pulse.configure('campus', 'heatmap_period', NULL)`)
  }
})

test('C3: many changes at once give few heatmaps, and the last one has them all', async () => {
  await pulse.sql(`SELECT pulse.configure('campus', 'heatmap_min_interval', '500 ms')`)
  const source = stream(people.ann, '/api/realtime/stats/stream')
  const [, { total }] = await source.wait(() => true)
  const began = Date.now()
  for (let n = 0; n < 60; n++) await pulse.sql(`INSERT INTO campus.issues (building_id, title, reported_by) VALUES ('gym', 'burst', 'x')`)
  await source.wait((kind, data) => data.total === total + 60)
  const most = Math.ceil((Date.now() - began) / 500) + 2
  assert.ok(source.got.length <= most, `${source.got.length} in ${Date.now() - began} ms, at most ${most}`)
})

test('C3: the stream of issues goes on by Last-Event-ID, on any bridge', async () => {
  const insert = title => pulse.sql(`INSERT INTO campus.issues (building_id, title, reported_by) VALUES ('gym', $1, 'x')`, [title])
  const source = stream(people.vic, '/api/realtime/issues/stream?buildingId=gym'), titles = from => from.got.map(([, { title }]) => title)
  await until(() => source.readyState === EventSource.OPEN)
  await insert('first')
  const [, , id] = await source.wait((kind, { title }) => title === 'first')
  source.close()
  await insert('second')
  const back = stream(people.vic, '/api/realtime/issues/stream?buildingId=gym', two, { 'last-event-id': id })
  await until(() => back.readyState === EventSource.OPEN)
  await insert('third')
  await back.wait((kind, { title }) => title === 'third')
  assert.deepEqual(titles(back), ['second', 'third'])
  const raw = await fetch(`${one.url}/api/realtime/issues/stream?campusId=north`, { headers: { authorization: `Bearer ${token(people.vic)}` } })
  const reader = raw.body.getReader()
  assert.match(new TextDecoder().decode((await reader.read()).value), /^retry: 3000\nid: /)
  await reader.cancel()
})

test('C5: with the realtime side broken an issue lives; when it works again, events come', async () => {
  const socket = await listening(people.ann, { organizationId: 'org1' }, two)
  // No event gets an id any more. Once more when a job takes one in between.
  await until(() => pulse.sql(`DO $$BEGIN EXECUTE format('ALTER SEQUENCE _pulse.event_id MAXVALUE %s', (SELECT last_value FROM _pulse.event_id)); END$$`), { what: 'a broken sequence' })
  try {
    await assert.rejects(pulse.sql(`SELECT pulse.publish('org:org1', 'x', '1')`))
    await pulse.sql(`INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('north', 'silent', 'x')`)
    assert.equal(await pulse.value(`SELECT count(*)::int FROM campus.issues WHERE title = 'silent'`), 1)
  } finally {
    await pulse.sql('ALTER SEQUENCE _pulse.event_id NO MAXVALUE')
  }
  await pulse.sql(`INSERT INTO campus.issues (campus_id, title, reported_by) VALUES ('north', 'loud', 'x')`)
  await until(() => socket.heard.length > 0, { what: 'the event after it' })
  assert.deepEqual(socket.heard.map(([, { title }]) => title), ['loud'])
})
