// What listeners get from the dispatcher: lines and by-reference events for bridges, legacy channels, wake-ups while the NOTIFY queue
// fills up or a backlog is worked on; and that under 64 writers no client ever touches the lock behind NOTIFY.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

const bindir = execFileSync(process.env.PG_CONFIG ?? '/usr/lib/postgresql/15/bin/pg_config', ['--bindir'], { encoding: 'utf8' }).trim()

let cluster
before(async () => {
  cluster = await Cluster.create()
  await until(() => cluster.value('SELECT epoch FROM _pulse.epochs'), { what: 'the first epoch' })
})
after(() => cluster?.drop())

const set = async (name, value) => {
  await cluster.sql(`ALTER SYSTEM SET ${name} = '${value}'`)
  await cluster.sql('SELECT pg_reload_conf()')
}
const head = async () => Number(await cluster.value('SELECT max(last_position) FROM pulse.ticks'))
const drained = () => until(async () => await cluster.value(`SELECT pulse.status() -> 'dispatcher' ->> 'lagEvents'`) === '0', { what: 'an empty backlog' })

// A bridge's ear: notifications taken apart, and whether they cover the positions without a hole.
async function bridge() {
  const client = await cluster.connect()
  const [{ epoch, channel }] = await cluster.sql('SELECT epoch, channel FROM _pulse.epochs ORDER BY number DESC LIMIT 1')
  const ear = { client, notifications: [], lines: [], next: (await head()) + 1, pids: new Set() }
  client.on('notification', ({ payload, processId }) => {
    assert.ok(Buffer.byteLength(payload) <= 7999, 'it fits')
    ear.pids.add(processId)
    const [header, ...lines] = payload.split('\n')
    const [ofEpoch, first, last, sequence] = header.split(' ')
    assert.equal(ofEpoch, epoch)
    const notification = { first: Number(first), last: Number(last), sequence: Number(sequence), lines: lines.length, at: Date.now() }
    if (notification.last < ear.next) return   // of before we listened
    assert.equal(notification.first, ear.next, 'no hole')
    ear.next = notification.last + 1
    ear.notifications.push(notification)
    for (const line of lines) {
      const [position, id, rooms, name, headers, text, ...rest] = line.split('\t')
      assert.deepEqual(rest, [])
      ear.lines.push({ position: Number(position), id, rooms, name, headers, payload: text })
    }
  })
  await client.query(`LISTEN ${channel}`)
  ear.covers = position => until(() => ear.next > position, { what: `position ${position}` })
  return ear
}

test('notify.md: one line an event, its six fields as published; what is too large comes by reference', async () => {
  const ear = await bridge()
  const start = await head()
  const big = JSON.stringify('x'.repeat(7980))
  const name = 'a "name"\twith \\ and 🩸'
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload, headers, attachments) VALUES
    ($1, ARRAY['r1', $1, E'line\nbreak'], E'{ "b" : 1.50,\n\t"a" : "x y\\\\n" }', '{}', NULL),
    ('big', '{r}', $2, '{"traceparent": "00-1"}', NULL),
    ('binary', '{r}', '{"_placeholder":true,"num":0}', '{}', ARRAY['\\x00ff'::bytea]),
    ('wide', (SELECT array_agg('room-' || n) FROM generate_series(1, 1000) AS n), '1', '{}', NULL),
    ('huge', '{r}', to_json(repeat('y', 200000)), '{}', NULL)`, [name, big])
  await ear.covers(start + 5)
  const [first, bigLine, binary, wide, huge] = ear.lines
  assert.deepEqual(JSON.parse(first.rooms), ['r1', name, 'line\nbreak'])
  assert.equal(JSON.parse(first.name), name)
  assert.equal(first.payload, '{"b":1.50,"a":"x y\\n"}')
  assert.equal(first.headers, '{}')
  assert.deepEqual([bigLine.name, bigLine.rooms, bigLine.headers, bigLine.payload], ['"big"', '["r"]', '{"traceparent":"00-1"}', ''])
  assert.deepEqual([binary.name, binary.payload], ['"binary"', ''])
  assert.deepEqual([wide.rooms, wide.name, wide.headers, wide.payload], ['', '', '', ''])
  assert.deepEqual([huge.name, huge.payload], ['"huge"', ''])
  assert.deepEqual(ear.lines.map(line => line.position), [1, 2, 3, 4, 5].map(n => start + n))
  const { pid } = (await cluster.value('SELECT pulse.status()')).dispatcher
  assert.deepEqual([...ear.pids], [pid])
  await ear.client.end()
})

test('equal events of one transaction all arrive, packed into few notifications', async () => {
  const ear = await bridge()
  const start = await head()
  await cluster.sql(`SELECT pulse.publish('same', 'same', '{"same":true}'::json) FROM generate_series(1, 1000)`)
  await ear.covers(start + 1000)
  assert.equal(ear.lines.length, 1000)
  assert.ok(ear.notifications.length < 20, `${ear.notifications.length} notifications`)
  await ear.client.end()
})

test('legacy channels: payload with eventId, wrapped or truncated, in order, each once', async () => {
  const client = await cluster.connect()
  const heard = []
  client.on('notification', ({ channel, payload }) => heard.push([channel, payload]))
  await client.query('LISTEN one; LISTEN "Two with \'quotes\'"')
  const payloads = ['{"a":1,"b":{"eventId":"inner"}}', '{}', '{"eventId":"mine","x":[1,2]}', '[1,2]', '"text"', 'null', JSON.stringify({ long: 'x'.repeat(7900) }), '{"a":1,"b":{"eventId":"inner"}}']
  const ids = []
  for (const payload of payloads)
    ids.push((await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload, channel) VALUES ('e', '{r}', $1, 'one') RETURNING id`, [payload]))[0].id)
  const [{ id: other }] = await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload, channel) VALUES ('e', '{r}', '1', 'Two with ''quotes''') RETURNING id`)
  await until(() => heard.length >= payloads.length + 1, { what: 'the notifications' })
  assert.deepEqual(heard, [
    ['one', `{"a":1,"b":{"eventId":"inner"},"eventId":"${ids[0]}"}`],
    ['one', `{"eventId":"${ids[1]}"}`],
    ['one', `{"x":[1,2],"eventId":"${ids[2]}"}`],
    ['one', `{"payload":[1,2],"eventId":"${ids[3]}"}`],
    ['one', `{"payload":"text","eventId":"${ids[4]}"}`],
    ['one', `{"payload":null,"eventId":"${ids[5]}"}`],
    ['one', `{"eventId":"${ids[6]}","truncated":true}`],
    ['one', `{"a":1,"b":{"eventId":"inner"},"eventId":"${ids[7]}"}`],
    [`Two with 'quotes'`, `{"payload":1,"eventId":"${other}"}`]
  ])
  await client.end()
})

test('a backlog is announced by wake-ups, at most ten a second, and events that follow it by lines again', async () => {
  await set('pulse.dispatch_chunk', 500)
  const ear = await bridge()
  const start = await head()
  const began = Date.now()
  await cluster.sql(`INSERT INTO pulse.events (name, rooms, payload) SELECT 'backlog', ARRAY['a', 'b'], to_json(n) FROM generate_series(1, 30000) AS n`)
  await ear.covers(start + 30000)
  assert.equal(ear.lines.length, 0)
  const { notifications } = ear
  const seconds = (Date.now() - began) / 1000   // not between the first and the last, which may have come here together
  assert.ok(notifications.length <= 10 * seconds + 2, `${notifications.length} wake-ups in ${seconds} s`)
  assert.ok(await cluster.value(`SELECT count(*) >= 120 FROM pulse.ticks WHERE first_position > $1`, [start]), 'in chunks of 500 deliveries')
  await sleep(150)   // an interval between wake-ups passes: the next event needs none
  await cluster.sql(`SELECT pulse.publish('after', 'after', '1'::json)`)
  await ear.covers(start + 30001)
  assert.equal(ear.lines.at(-1)?.name, '"after"')
  await ear.client.end()
  await set('pulse.dispatch_chunk', 20000)
})

test('a listener that stays in a transaction fills the NOTIFY queue: above the threshold bridges get wake-ups, and lines again below it', async () => {
  const stuck = await cluster.connect()
  await stuck.query('LISTEN anything')
  await stuck.query('BEGIN')
  const usage = () => cluster.value('SELECT pg_notification_queue_usage()')
  const ear = await bridge()
  // one page in use is more than nothing
  for (let i = 0; i < 3; ++i) await cluster.sql(`SELECT pulse.publish('fill', 'fill', to_json(repeat(md5(n::text), 150))) FROM generate_series(1, 20) AS n`)
  await until(async () => await usage() > 0, { what: 'a queue in use' })
  await drained()
  const { wakeUps } = (await cluster.value('SELECT pulse.status()')).counters
  const seen = ear.lines.length
  const inUse = await usage()
  await set('pulse.notify_queue_threshold', 0)
  // the queue is looked at every 50 ms
  await until(async () => {
    await cluster.sql(`SELECT pulse.publish('probe', 'probe', '1'::json)`)
    return (await cluster.value('SELECT pulse.status()')).counters.wakeUps > wakeUps
  }, { what: 'a wake-up', every: 60 })
  const probes = ear.lines.length
  const start = await head()
  for (let i = 0; i < 50; ++i) await cluster.sql(`SELECT pulse.publish('crowd', 'crowd', to_json(repeat('x', 5000)))`)
  await ear.covers(start + 50)
  assert.equal(ear.lines.length, probes, 'no line above the threshold')
  assert.ok(await usage() - inUse < 1e-5, 'the queue hardly grows')
  assert.match(JSON.stringify((await cluster.value('SELECT pulse.status()')).problems), /% of the NOTIFY queue is in use/)
  assert.ok(seen <= probes)
  await stuck.query('ROLLBACK')
  await stuck.end()
  await until(async () => {
    await cluster.sql(`SELECT pulse.publish('probe', 'probe', '1'::json)`)
    return ear.lines.length > probes
  }, { what: 'a line', every: 60 })
  await ear.client.end()
  await set('pulse.notify_queue_threshold', 0.5)
})

test('a tick from SQL beside the dispatcher: bridges hear of its positions from the dispatcher', async () => {
  const ear = await bridge()
  for (let i = 0; i < 20; ++i) {
    await cluster.sql(`SELECT pulse.publish('sql-tick', 'e', '1'::json)`)
    await cluster.sql('SELECT _pulse.tick()')
  }
  await ear.covers(await head())
  assert.equal(ear.pids.size, 1)
  assert.deepEqual([...ear.pids], [(await cluster.value('SELECT pulse.status()')).dispatcher.pid])
  await ear.client.end()
})

test('E1: 1 to 128 publishing clients neither hold nor wait for the lock behind NOTIFY, and wait for no shared row', async () => {
  await cluster.sql(`CREATE TABLE written (id int GENERATED ALWAYS AS IDENTITY, body text);
    SELECT pulse.watch('written', 'written', '{writers}', channel => 'written')`)
  const folder = mkdtempSync(join(tmpdir(), 'pulse-load-'))
  try {
    const script = join(folder, 'publish.sql')
    writeFileSync(script, `INSERT INTO written (body) VALUES ('x');\nSELECT pulse.publish('writers', 'published', '1'::json);\n`)
    const observer = await cluster.connect()
    const holders = new Map(), waits = new Map()
    for (const clients of [1, 8, 32, 64, 128]) {
      const ear = await bridge()
      const start = await head()
      let running = true
      let samples = 0
      const pgbench = () => promisify(execFile)(join(bindir, 'pgbench'), ['-n', '-f', script, '-c', `${clients}`, '-j', '2', '-T', '2'], { env: cluster.environment })
      const load = (async () => {
        let done = 0
        do done += Number(/transactions actually processed: (\d+)/.exec((await pgbench()).stdout)[1]); while (samples <= 20)   // at least, however slow this machine is
        return done
      })().finally(() => { running = false })
      while (running) {
        // Object 0 of pg_database is what PreCommit_Notify locks: an object of database 0, as all shared objects are. (A backend that
        // starts takes such locks too.)
        const { rows } = await observer.query(`SELECT a.backend_type AS who, count(*)::int AS n FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE l.database = 0 AND (l.locktype <> 'relation' OR l.mode <> 'AccessShareLock') AND (a.backend_type = 'pulse dispatcher' OR a.state = 'active')
          GROUP BY 1`)
        samples += 1
        for (const { who, n } of rows) holders.set(who, (holders.get(who) ?? 0) + n)
        const { rows: waiting } = await observer.query(`SELECT wait_event, count(*)::int AS n FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND wait_event_type = 'Lock' GROUP BY 1`)
        for (const { wait_event: event, n } of waiting) waits.set(event, (waits.get(event) ?? 0) + n)
      }
      const done = await load
      assert.ok(done >= clients, `${done} transactions`)
      assert.deepEqual([...holders.keys()].filter(who => who !== 'pulse dispatcher'), [], `${clients} clients`)
      // A table that grows is extended by one at a time, whoever inserts into it; a row or a transaction nobody waits for.
      assert.deepEqual([...waits.keys()].filter(event => event !== 'extend'), [], `${clients} clients`)
      await drained()
      await ear.covers(start + 2 * done)
      await ear.client.end()
    }
    assert.ok(holders.get('pulse dispatcher') > 0, 'the samples do find who takes it')
    await observer.end()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
