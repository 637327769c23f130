// Looks at what waits, again and again, and knows from the ledger which jobs have the same unique key: the table's own column and index are not asked.
import { setTimeout as sleep } from 'node:timers/promises'
import { Routine } from '../routine.mjs'

const every = 60   // ms

// The number that the job was made up with, wherever its kind keeps it; null for what on_end set off.
export const numberOf = `CASE WHEN queue = 'pulse:on_end' THEN NULL ELSE coalesce(args ->> 'n', args -> 'body' ->> 'n')::int END`

export class Watch extends Routine {
  doubles = []   // {queue, key, ids}
  #known = new Set()

  constructor(cluster, ledger) { super(); Object.assign(this, { cluster, ledger }) }

  async work() {
    while (!this.stopped) {
      await sleep(every)
      await this.#look().catch(() => { /* the server is away */ })
    }
  }

  async #look() {
    const rows = await this.cluster.sql(`SELECT id, ${numberOf} AS n FROM _pulse.jobs WHERE state <> 'executing'`)
    const waiting = new Map()
    for (const { id, n } of rows) {
      const { queue, uniqueKey: key } = this.ledger.calls[n] ?? {}
      if (key === undefined) continue
      const name = `${queue} ${key}`, other = waiting.get(name)
      if (other !== undefined && !this.#known.has(`${other} ${id}`)) {
        this.#known.add(`${other} ${id}`)
        this.doubles.push({ queue, key, ids: [other, id] })
      }
      waiting.set(name, id)
    }
  }
}
