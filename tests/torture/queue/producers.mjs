// Who enqueues: writers of their own, each doing one random transaction after the other. The kinds of transactions are the same as those of
// events, and one for many jobs at once.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/wait.mjs'
import { Routine } from '../routine.mjs'
import { noted } from '../transactions.mjs'
import { Writer, finishPrepared } from '../writers.mjs'
import { queues } from './queues.mjs'

const usualShares = Object.fromEntries(Object.entries(queues).map(([name, { share }]) => [name, share]))
const usual = { single: 40, several: 20, rollback: 12, savepoint: 10, bulk: 8, 'two-phase': 4 }
const letters = 'abcdef'

export class Producers extends Routine {
  // sink: where webhooks go. pause: longest between two transactions, in ms. calm: no job takes long. shares: of each queue. astray: the fault
  // that jobs of transactions that roll back are enqueued in others, which commit.
  constructor(stage, ledger, sink, random, { count = 4, pause = 40, calm = false, shares = usualShares, astray = false } = {}) {
    super()
    Object.assign(this, { stage, ledger, sink, calm, shares, astray, random: random('jobs prepared'), began: Date.now(), asked: {} })
    this.writers = Array.from({ length: count }, (_, n) =>
      Object.assign(new Writer(stage, random(`producer ${n}`), { kinds, weights: usual, pause, stopped: () => this.stopped }), { producers: this }))
  }

  work() { return Promise.all([...this.writers.map(writer => writer.run()), this.#finishOften()]) }

  // Returns when every transaction has ended, prepared ones too.
  async stop() {
    await super.stop()
    await until(async () => await finishPrepared(this.stage, this.random, 1) === 0, { what: 'no prepared transaction being left' })
  }

  async #finishOften() {
    while (!this.stopped) {
      await sleep(150)
      await finishPrepared(this.stage, this.random, 0.3).catch(() => { /* the server is away, or another was faster */ })
    }
  }

  // What a queue with a rate can take in the end, and a burst more than it can at once.
  #fits(queue) {
    const { rate, per } = queues[queue]
    if (rate === undefined) return true
    const most = 2 * rate + 0.5 * rate * (Date.now() - this.began) / per
    if ((this.asked[queue] ?? 0) >= most) return false
    this.asked[queue] = (this.asked[queue] ?? 0) + 1
    return true
  }

  // A random job, as the ledger keeps it. plain: nothing that makes it another's, for what is enqueued in bulk.
  job(random, { plain = false, queue = random.weighted(this.shares) } = {}) {
    if (!this.#fits(queue)) queue = 'work'
    const { channel, keys, unique, sleep } = queues[queue]
    const longest = this.calm ? 40 : 250
    const job = {
      queue, kind: channel === 'sql' ? 'work' : channel === 'external' ? 'errand' : random.pick(['hook', 'hook', 'webhook']),
      maxAttempts: random.pick([1, 2, 3, 3, 4, 5]), priority: random.integer(-1, 2),
      fails: Number(random.weighted({ 0: 84, 1: 8, 2: 4, 99: 4 })),
      sleep: sleep ? random.integer(...sleep) : Number(random.weighted({ 0: 75, [random.integer(1, 15)]: 20, [random.integer(20, longest)]: 5 }))
    }
    if (channel === 'http') job.plan = random.weighted({ ok: 70, slow: 10, error: 8, reset: 4, later: 3, gone: 3, ...(this.calm ? {} : { hang: 2 }) })
    if (channel === 'external') job.plan = random.weighted({ ack: 68, beat: 10, nack: 12, permanent: 4, ...(this.calm ? {} : { abandon: 2, late: 2, undone: 2 }) })
    if (channel === 'sql' && random.chance(0.02)) Object.assign(job, { timeout: 80, sleep: 200 })   // and fails each time
    if (plain) return job
    if (random.chance(keys)) job.key = random.pick(letters)
    else if (random.chance(unique)) Object.assign(job, { uniqueKey: random.pick('xyz'), uniqueMode: random.pick(['keep', 'keep', 'replace', 'keep_run_at']) })
    if (random.chance(job.uniqueKey ? 0.7 : 0.15)) job.runAt = Date.now() + random.integer(0, this.calm ? 500 : 1200)
    if (job.key || job.uniqueKey) return job
    if (random.chance(0.15)) job.onEnd = true
    return job
  }

  args({ n, queue, kind, sleep, fails }) {
    const url = `${this.sink.url}/${encodeURIComponent(queue)}`
    switch (kind) {
      case 'webhook': return { url, body: { n } }
      case 'hook': return { n, url }
      case 'work': return { n, sleep, fails }
      default: return { n }
    }
  }

  // The statement that enqueues it.
  statement(call) {
    const options = [
      ['priority', call.priority], ['max_attempts', call.maxAttempts], ['run_at', call.runAt && `to_timestamp(${call.runAt / 1000})`],
      ['timeout', `'${call.timeout ?? (queues[call.queue].channel === 'http' ? 1500 : 30_000)} ms'`], ['partition_key', call.key && `'${call.key}'`],
      ['unique_key', call.uniqueKey && `'${call.uniqueKey}'`], ['unique_mode', call.uniqueMode && `'${call.uniqueMode}'`],
      ['on_end', call.onEnd && `'torture.job_ended'`]
    ].filter(([, value]) => value !== undefined).map(([name, value]) => `${name} => ${value}`)
    return `SELECT pulse.enqueue('${call.queue}', '${call.kind}', '${JSON.stringify(this.args(call))}'::json, ${options.join(', ')}) AS id`
  }
}

const begin = 'BEGIN'

// A job of the transaction is about to be enqueued.
const call = (writer, transaction, options) => writer.producers.ledger.call(transaction, writer.producers.job(writer.random, options))

async function enqueue(writer, transaction) {
  const made = call(writer, transaction)
  const { rows } = await writer.query(writer.producers.statement(made))
  made.id = rows[0].id
}

async function single(writer) {
  const transaction = writer.begin('job single')
  await writer.attempt(transaction, async ({ commits }) => {
    const made = call(writer, transaction)
    commits()
    const { rows } = await writer.query(`WITH noted AS (${noted(transaction)}) ${writer.producers.statement(made)}`)
    made.id = rows[0].id
  })
}

async function several(writer) {
  const transaction = writer.begin('job several')
  const count = writer.random.integer(2, 6)
  await writer.attempt(transaction, async ({ commits }) => {
    if (writer.random.chance(0.5)) {
      const made = Array.from({ length: count }, () => call(writer, transaction))
      commits()
      const results = await writer.query([begin, noted(transaction), ...made.map(one => writer.producers.statement(one)), 'COMMIT'].join(';'))
      for (const [n, one] of made.entries()) one.id = results[n + 2].rows[0].id
    } else {
      await writer.query(`${begin}; ${noted(transaction)}`)
      for (let i = 0; i < count; i++) await enqueue(writer, transaction)
      commits()
      await writer.query('COMMIT')
    }
  })
}

async function rollback(writer) {
  const transaction = writer.begin('job rollback')
  const { producers } = writer
  await writer.attempt(transaction, async () => {
    await writer.query(`${begin}; ${noted(transaction)}`)
    for (let i = writer.random.integer(1, 4); i > 0; i--) {
      if (producers.astray) await writer.stage.cluster.sql(producers.statement(call(writer, transaction)))
      else await enqueue(writer, transaction)
    }
    await writer.pause(writer.random.integer(0, 60))
    await writer.query('ROLLBACK')
    return 'aborted'
  })
}

// Savepoints, some rolled back to, some released; a while passes before the commit, so that others overtake.
async function savepoint(writer) {
  const transaction = writer.begin('job savepoint')
  const { ledger } = writer.producers
  await writer.attempt(transaction, async ({ commits }) => {
    await writer.query(`${begin}; ${noted(transaction)}`)
    await enqueue(writer, transaction)
    for (let i = 0; i < 3; i++) {
      const before = ledger.of(transaction).length
      await writer.query('SAVEPOINT s')
      await enqueue(writer, transaction)
      if (writer.random.chance(0.5)) {
        await writer.query('ROLLBACK TO SAVEPOINT s')
        ledger.undo(transaction, before)
      } else if (writer.random.chance(0.5)) {
        await writer.query('RELEASE SAVEPOINT s')
      }
      await writer.pause(writer.random.integer(0, 60))
    }
    commits()
    await writer.query('COMMIT')
  })
}

// Many of one queue, from a query.
async function bulk(writer) {
  const transaction = writer.begin('job bulk')
  const { producers, random } = writer
  await writer.attempt(transaction, async ({ commits }) => {
    const queue = random.pick(['work', 'work', 'ordered', 'few', 'hooks', 'few hooks', 'errands'])
    const shape = { ...producers.job(random, { plain: true, queue }), timeout: undefined }
    if (!queues[queue].sleep) shape.sleep = 0
    const calls = Array.from({ length: random.integer(2, 25) }, () =>
      producers.ledger.call(transaction, { ...shape, key: queue === 'ordered' ? random.pick(letters) : undefined, fails: random.chance(0.1) ? 1 : 0 }))
    const list = calls.map(one => `'${JSON.stringify(producers.args(one))}'`).join(', '), keys = calls.map(({ key }) => key ? `'${key}'` : 'NULL').join(', ')
    commits()
    await writer.query(`WITH noted AS (${noted(transaction)}) SELECT pulse.enqueue_many('${queue}', '${shape.kind}', array_agg(a ORDER BY nr), max_attempts => ${shape.maxAttempts},
      partition_keys => array_agg(k ORDER BY nr), timeout => '${queues[queue].channel === 'http' ? 1500 : 30_000} ms')
      FROM unnest(ARRAY[${list}]::json[], ARRAY[${keys}]::text[]) WITH ORDINALITY AS u (a, k, nr)`)
  })
}

// Prepared here, ended later by finishPrepared(), from another connection and perhaps in another life of the server.
async function twoPhase(writer) {
  const transaction = writer.begin('job two-phase')
  await writer.attempt(transaction, async ({ commits }) => {
    await writer.query(`${begin}; ${noted(transaction)}`)
    for (let i = writer.random.integer(1, 3); i > 0; i--) await enqueue(writer, transaction)
    commits()
    await writer.query(`PREPARE TRANSACTION 'torture:${transaction.t}'`)
    return 'unknown'
  })
}

const kinds = { single, several, rollback, savepoint, bulk, 'two-phase': twoPhase }
