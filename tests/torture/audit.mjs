// Reads what the dispatcher wrote: which event stands at which position, by pulse.ticks and, beside it, by pulse.deliveries.
export class Audit {
  entries = []              // {position, n, t, k, row, version, name, rooms, at, payload}, in order
  ticks = []                // {first, last}
  deliveries = new Map()    // position → rooms, sorted
  #head

  constructor(cluster) { this.cluster = cluster }

  // Everything after the head it was constructed with, once: call it when nothing is published any more.
  static async begin(cluster) {
    const audit = new Audit(cluster)
    audit.#head = await audit.#last()
    return audit
  }

  async #last() { return Number(await this.cluster.value('SELECT coalesce(max(last_position), 0) FROM pulse.ticks')) }

  get start() { return this.#head }

  async read() {
    const ticks = await this.cluster.sql(`SELECT first_position AS first, last_position AS last FROM pulse.ticks
      WHERE last_position > $1 AND cardinality(ids) > 0 ORDER BY last_position`, [this.#head])
    this.ticks = ticks.map(({ first, last }) => ({ first: Number(first), last: Number(last) }))
    const rows = await this.cluster.sql(`SELECT t.first_position + u.ordinality - 1 AS position, e.name, e.rooms, left(e.payload::text, 500) AS payload,
        extract(epoch FROM t.at) * 1000 AS at
      FROM pulse.ticks t CROSS JOIN LATERAL unnest(t.xids, t.ids) WITH ORDINALITY AS u (xid, id)
      LEFT JOIN pulse.events e ON e.xid = u.xid AND e.id = u.id
      WHERE t.last_position > $1 ORDER BY t.last_position, u.ordinality`, [this.#head])
    this.entries = rows.map(({ position, name, rooms, payload, at }) => {
      const numbers = payload === null ? {} : parse(payload)
      return { position: Number(position), name, rooms: rooms ?? [], at: Number(at), payload: numbers, ...pick(numbers) }
    })
    const deliveries = await this.cluster.sql(`SELECT position, array_agg(room ORDER BY room COLLATE "C") AS rooms FROM pulse.deliveries
      WHERE position > $1 GROUP BY position`, [this.#head])
    for (const { position, rooms } of deliveries) this.deliveries.set(Number(position), rooms)
  }
}

const pick = ({ n, t, k, row, version }) => ({ n, t, k, row, version })

// The numbers stand in front; what follows in a long payload is only fill.
function parse(text) {
  try { return JSON.parse(text) } catch { return JSON.parse(`${text.slice(0, text.indexOf(',"fill"'))}}`) }
}
