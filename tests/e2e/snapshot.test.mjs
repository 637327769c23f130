// E2, E7: rows and a cursor read in one statement, and the events after that cursor, are the table: under constant writes, from any
// moment on. What is run here is what docs/how-to/snapshot.md says, taken from the page.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../support/cluster.mjs'
import { startPulse } from '../support/pulse.mjs'
import { until } from '../support/wait.mjs'

const page = readFileSync(join(root, 'docs/how-to/snapshot.md'), 'utf8')
const blocks = language => [...page.matchAll(new RegExp('```' + language + '\\n(.*?)```', 'gs'))].map(match => match[1])
const customers = ['ann', 'bob']

let pulse
before(async () => {
  pulse = await startPulse({ bridges: 2 })
  await pulse.sql('CREATE SCHEMA shop')
  for (const sql of blocks('sql')) await pulse.sql(sql)
})
after(() => pulse?.stop())

const table = async customer => Object.fromEntries((await pulse.sql(
  'SELECT id::text AS id, status FROM shop.orders WHERE customer = $1 ORDER BY id', [customer])).map(row => [row.id, row.status]))
const drained = () => until(async () => (await pulse.value('SELECT pulse.status()')).dispatcher.lagEvents === 0, { what: 'an empty backlog' })

// Changes orders in transactions of several statements, some rolled back, some kept open for a while. Each change of a row raises its
// status by one, so a reader sees when one is missing.
function writer(seed) {
  let stopping = false
  let changes = 0
  let state = seed
  const random = n => { state = (state * 1103515245 + 12345) % 2147483648; return Math.floor(state / 65536) % n }
  const done = (async () => {
    const client = await pulse.cluster.connect()
    while (!stopping) {
      await client.query('BEGIN')
      const customer = customers[random(customers.length)]
      for (let n = random(4); n >= 0; n--) {
        const pick = `(SELECT id FROM shop.orders WHERE customer = $1 ORDER BY id % ${1 + random(7)}, id LIMIT 1 FOR UPDATE SKIP LOCKED)`
        const statement = [
          `INSERT INTO shop.orders (customer, status) VALUES ($1, '1')`,
          `UPDATE shop.orders SET status = (status::int + 1)::text WHERE id = ${pick}`,
          `UPDATE shop.orders SET status = (status::int + 1)::text WHERE id = ${pick}`,
          `DELETE FROM shop.orders WHERE id = ${pick}`
        ][random(10) < 9 ? random(3) : 3]
        await client.query(statement, [customer])
        if (random(20) === 0) await new Promise(resolve => setTimeout(resolve, 30))
      }
      await client.query(random(5) === 0 ? 'ROLLBACK' : 'COMMIT')
      changes += 1
    }
    await client.end()
  })()
  done.catch(() => {})
  return { changes: () => changes, stop: async () => { stopping = true; await done } }
}

// Of each row the next status told is one more than the last. Before the first one told it is one more than the one in the rows, or
// less; a row that is not among the rows may have been there until shortly before.
function checkOrder(told, rows, { orderId, status }) {
  const n = Number(status)
  const last = told.get(orderId)
  if (last !== undefined) assert.equal(n, last + 1, `order ${orderId}: ${n} after ${last}`)
  else if (rows.has(orderId)) assert.ok(n <= Number(rows.get(orderId)) + 1, `order ${orderId} begins at ${n}, the rows have ${rows.get(orderId)}`)
  told.set(orderId, n)
}

// A service: the rows with the position in one statement, then pulse.history.
class Service {
  constructor(customer) { this.customer = customer; this.orders = new Map(); this.told = new Map() }

  async load() {
    const [{ since, rows }] = await pulse.sql(
      `SELECT pulse.position() AS since, (SELECT coalesce(json_object_agg(id, status), '{}') FROM shop.orders WHERE customer = $1) AS rows`, [this.customer])
    this.cursor = since
    for (const [id, status] of Object.entries(rows)) this.orders.set(id, status)
    this.rows = new Map(this.orders)
    return this
  }

  async follow() {
    for (;;) {
      const events = await pulse.sql('SELECT position, event, payload FROM pulse.history($1, $2, 20)', [`orders:${this.customer}`, this.cursor])
      for (const { position, event, payload } of events) {
        if (event === 'order:changed') {
          checkOrder(this.told, this.rows, payload)
          this.orders.set(payload.orderId, payload.status)
        } else {
          this.orders.delete(payload.orderId)
        }
        this.cursor = position
      }
      if (events.length < 20) return
    }
  }
}

test('E2: rows and their cursor, then pulse.history: the table, whenever one begins', async () => {
  const services = []
  for (let round = 0; round < 3; round++) {
    const writers = [1, 2, 3].map(n => writer(round * 10 + n))
    for (let n = 0; n < 6; n++) {
      const seen = writers.reduce((sum, one) => sum + one.changes(), 0)
      await until(() => writers.reduce((sum, one) => sum + one.changes(), 0) > seen + 20, { what: 'more changes' })
      services.push(await new Service(customers[n % 2]).load())
      for (const service of services) if ((services.indexOf(service) + n) % 3 === 0) await service.follow()
    }
    for (const one of writers) await one.stop()
    await drained()
    for (const service of services) {
      await service.follow()
      assert.deepEqual(Object.fromEntries([...service.orders].sort((a, b) => a[0] - b[0])), await table(service.customer))
    }
  }
  assert.ok(services.some(service => service.told.size > 10), 'events were told')
})

// A screen: the page's client, on a stock Socket.IO client. Beside it stands who looks for a change that is missing or comes twice.
class Screen {
  errors = []
  loads = 0

  constructor(customer, bridge) {
    this.customer = customer
    this.socket = pulse.socket({ userId: customer }, { bridge, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 })
    const told = new Map()
    this.socket.on('connect', () => {
      if (this.socket.recovered) return
      this.loads += 1
      told.clear()
    })
    this.socket.on('order:changed', ({ orderId, status }) => {
      const last = told.get(orderId)
      if (last !== undefined && Number(status) !== last + 1) this.errors.push(`order ${orderId}: ${status} after ${last}`)
      told.set(orderId, Number(status))
    })
    const client = new Function('socket', 'user', `${blocks('js')[0]}; return { orders }`)
    this.orders = client(this.socket, customer).orders
    this.socket.connect()
  }

  cut() { this.socket.io.engine?.close() }         // comes back with what it missed
  anew() { this.socket.disconnect().connect() }    // comes back as a new session

  async shows(rows) {
    const text = rows => JSON.stringify(rows.sort((a, b) => a[0] - b[0]))
    const wanted = text(Object.entries(rows))
    await until(() => text([...this.orders].map(([id, { status }]) => [id, status])) === wanted, { what: `the rows of ${this.customer} on a screen` })
  }
}

test('E2: the page\'s client shows the table, whenever it comes and however often it is cut', async t => {
  const screens = []
  for (let round = 0; round < 2; round++) {
    const writers = [1, 2, 3].map(n => writer(100 + round * 10 + n))
    const changes = () => writers.reduce((sum, one) => sum + one.changes(), 0)
    for (let n = 0; n < 6; n++) {
      const seen = changes()
      await until(() => changes() > seen + 20, { what: 'more changes' })
      screens.push(new Screen(customers[n % 2], pulse.bridges[(n >> 1) % 2]))
      screens[(n * 5 + round) % screens.length].cut()
      screens[(n * 3 + round) % screens.length].anew()
    }
    for (const one of writers) await one.stop()
    await drained()
    for (const screen of screens) {
      await screen.shows(await table(screen.customer))
      assert.deepEqual(screen.errors, [])
    }
  }
  t.diagnostic(`${screens.length} screens loaded ${screens.reduce((sum, screen) => sum + screen.loads, 0)} times`)
})
