// The writers: each with connections of its own, doing one random transaction after the other, also while everything around breaks.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../support/wait.mjs'
import { kinds } from './transactions.mjs'

const usual = { single: 40, several: 22, rollback: 8, savepoint: 8, conflict: 12, 'two-phase': 5 }

// Commits or rolls back a part of what stands prepared; returns how many it found.
export async function finishPrepared({ cluster, oracle }, random, part) {
  const found = await cluster.sql(`SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'torture:%' ORDER BY prepared`)
  for (const { gid } of found.filter(() => random.chance(part))) {
    const transaction = oracle.transactions[Number(gid.split(':')[1])]
    const commit = random.chance(0.8)
    await cluster.sql(`${commit ? 'COMMIT' : 'ROLLBACK'} PREPARED '${gid}'`)
    if (commit) oracle.committed(transaction)
    else oracle.aborted(transaction)
  }
  return found.length
}

export class Writers {
  #writers = []
  #stopped = false
  #finisher

  // stage: {cluster, oracle, zones, rows}: where to write and who is told. pause: longest pause between two transactions, in ms.
  constructor(stage, random, { count = 8, pause = 15 } = {}) {
    this.stage = stage
    for (let n = 0; n < count; n++) {
      const weights = n === 0 ? { long: 1 } : usual
      this.#writers.push(new Writer(stage, random(`writer ${n}`), { weights, pause, stopped: () => this.#stopped }))
    }
    this.random = random('prepared')
  }

  start() {
    this.running = this.#writers.map(writer => writer.run())
    this.#finisher = this.#finishOften()
  }

  // Returns when every transaction has ended, prepared ones too.
  async stop() {
    this.#stopped = true
    await Promise.all(this.running)
    await this.#finisher
    await until(async () => await finishPrepared(this.stage, this.random, 1) === 0, { what: 'no prepared transaction being left' })
  }

  async #finishOften() {
    while (!this.#stopped) {
      await sleep(100)
      await finishPrepared(this.stage, this.random, 0.3).catch(() => { /* the server is away: another time */ })
    }
  }
}

export class Writer {
  #clients = []
  #options

  // options: weights of `kinds` (of transactions.mjs when left out), pause, stopped().
  constructor(stage, random, options) {
    this.random = random
    this.oracle = stage.oracle
    this.stage = stage
    this.#options = options
  }

  get hotRows() { return this.stage.rows.slice(0, 8) }

  async run() {
    while (!this.#options.stopped()) {
      await (this.#options.kinds ?? kinds)[this.random.weighted(this.#options.weights)](this)
      await sleep(this.random.integer(0, this.#options.pause))
    }
    await this.end()
  }

  begin(kind) { return this.oracle.begin(kind) }

  // A random event of the transaction: into one or a few zones, or by a change of a row. row: exactly this one, or null for none;
  // cold: no row that many writers want. rooms: exactly these.
  event(transaction, { row, rooms: into, cold = false } = {}) {
    const { zones, rows } = this.stage
    if (row === undefined) row = this.random.chance(0.3) ? this.random.pick(cold ? rows.slice(8) : rows) : null
    if (row !== null) return this.oracle.event(transaction, [`zone:${row % zones.length}`, `row:${row}`], row)
    const count = this.random.weighted({ 1: 60, 2: 25, 3: 12, 6: 3 })
    const event = this.oracle.event(transaction, into ?? this.random.sample(zones, Number(count)))
    if (this.random.chance(0.02)) event.size = 9000     // goes by reference
    else if (this.random.chance(0.02)) event.binary = true
    return event
  }

  // Runs `work` and tells the oracle how the transaction ended. work calls commits() right before it sends what may commit, and
  // returns nothing for committed, or the status.
  async attempt(transaction, work) {
    let committing = false
    try {
      const status = await work({ commits: () => { committing = true } })
      this.oracle[status ?? 'committed'](transaction)
    } catch (error) {
      // A plain ERROR is an answer: it was rolled back. Anything else in a commit says nothing.
      const answered = error.severity === 'ERROR'
      if (!answered && error.severity === undefined && !(error instanceof Error && isConnectionError(error))) throw error
      if (committing && !answered) this.oracle.unknown(transaction)
      else this.oracle.aborted(transaction)
      await this.recover()
    }
  }

  query(text) { return this.#send(0, text) }
  second(text) { return this.#send(1, text) }

  // A pause inside of a transaction; short when the run is over.
  async pause(ms) {
    const end = Date.now() + ms
    while (Date.now() < end && !this.#options.stopped()) await sleep(20)
  }

  async #send(number, text) {
    const client = this.#clients[number] ??= await this.#connect()
    return client.query(text)
  }

  async #connect() {
    for (;;) {
      try {
        const client = await this.stage.cluster.connect()
        await client.query(`SET lock_timeout = '1s'; SET application_name = 'torture writer'`)
        return client
      } catch (error) {
        if (!isConnectionError(error) && error.severity === undefined) throw error
        await sleep(30)   // the server is away
      }
    }
  }

  // After an error: the transaction is over, and what is broken is connected anew by the next statement.
  async recover() {
    for (const [number, client] of this.#clients.entries()) {
      if (client === undefined) continue
      await client.query('ROLLBACK').catch(() => {
        this.#clients[number] = undefined
        client.end().catch(() => {})
      })
    }
  }

  async end() { await Promise.all(this.#clients.map(client => client?.end().catch(() => {}))) }
}

function isConnectionError(error) {
  return error.code?.startsWith?.('E') || /connection|terminated|not queryable/i.test(error.message)
}
