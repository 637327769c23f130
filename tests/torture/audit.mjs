// Reads what the dispatcher wrote: which event stands at which position, by pulse.ticks and, beside it, by pulse.deliveries. It reads all the
// time, since retention takes away what is old: it makes that happen, by a step of rotation every moment, and knows afterwards which
// positions could be read when.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../support/wait.mjs'

const readEvery = 300, rotateEvery = 1700   // ms; what is written stays for two rotations at least

export class Audit {
  entries = []              // {position, n, t, k, row, version, name, rooms, at, payload}, in order
  ticks = []                // {first, last}
  deliveries = new Map()    // position → rooms, sorted
  floors = []               // {at, floor}: from then on only positions from floor on could be read
  #head
  #stopped = false

  constructor(cluster) { this.cluster = cluster }

  // From the position that is the last one now.
  static async begin(cluster) {
    const audit = new Audit(cluster)
    audit.start = audit.#head = Number(await cluster.value('SELECT coalesce(max(last_position), 0) FROM pulse.ticks'))
    audit.running = Promise.all([audit.#often(readEvery, () => audit.#read()), audit.#often(rotateEvery, () => audit.#rotate())])
    return audit
  }

  // Call it when nothing is published any more.
  async end() {
    this.#stopped = true
    await this.running
    await until(async () => { await this.#read(); return true }, { what: 'reading the rest of the log' })
    const floors = await this.cluster.sql('SELECT extract(epoch FROM at) * 1000 AS at, floor FROM _pulse.rotations ORDER BY number')
    this.floors = floors.map(({ at, floor }) => ({ at: Number(at), floor: Number(floor) }))
  }

  // An exception: the server is away, another time.
  async #often(ms, work) {
    while (!this.#stopped) {
      await sleep(ms)
      await work().catch(() => {})
    }
  }

  async #rotate() { await this.cluster.sql('SELECT _pulse.rotate()') }

  async #read() {
    const ticks = await this.cluster.sql(`SELECT first_position AS first, last_position AS last FROM pulse.ticks
      WHERE last_position > $1 AND cardinality(ids) > 0 ORDER BY last_position`, [this.#head])
    if (ticks.length === 0) return
    const range = [this.#head, ticks.at(-1).last]
    const rows = await this.cluster.sql(`SELECT t.first_position + u.ordinality - 1 AS position, e.name, e.rooms, left(e.payload::text, 500) AS payload,
        extract(epoch FROM t.at) * 1000 AS at
      FROM pulse.ticks t CROSS JOIN LATERAL unnest(t.xids, t.ids) WITH ORDINALITY AS u (xid, id)
      LEFT JOIN pulse.events e ON e.xid = u.xid AND e.id = u.id
      WHERE t.last_position > $1 AND t.last_position <= $2 ORDER BY t.last_position, u.ordinality`, range)
    const deliveries = await this.cluster.sql(`SELECT position, array_agg(room ORDER BY room COLLATE "C") AS rooms FROM pulse.deliveries
      WHERE position > $1 AND position <= $2 GROUP BY position`, range)
    for (const { first, last } of ticks) this.ticks.push({ first: Number(first), last: Number(last) })
    for (const { position, name, rooms, payload, at } of rows) {
      const numbers = payload === null ? {} : parse(payload)
      this.entries.push({ position: Number(position), name, rooms: rooms ?? [], at: Number(at), payload: numbers, ...pick(numbers) })
    }
    for (const { position, rooms } of deliveries) this.deliveries.set(Number(position), rooms)
    this.#head = this.ticks.at(-1).last
  }
}

const pick = ({ n, t, k, row, version }) => ({ n, t, k, row, version })

// The numbers stand in front; what follows in a long payload is only fill.
function parse(text) {
  try { return JSON.parse(text) } catch { return JSON.parse(`${text.slice(0, text.indexOf(',"fill"'))}}`) }
}
