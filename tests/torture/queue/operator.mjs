// Who does things to jobs while they wait and run: cancels, retries, redrives, pauses queues. Some of it is rolled back.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/wait.mjs'
import { Routine } from '../routine.mjs'
import { noted } from '../transactions.mjs'
import { Writer } from '../writers.mjs'
import { queues } from './queues.mjs'

const recent = 200   // of so many jobs that were enqueued last one is picked

export class Operator extends Routine {
  constructor(stage, ledger, random, { weights = { cancel: 40, retry: 20, redrive: 30, pause: 6 } } = {}) {
    super()
    Object.assign(this, { stage, ledger, random, weights })
    this.writer = new Writer(stage, random, { stopped: () => this.stopped })
  }

  async work() {
    while (!this.stopped) {
      await sleep(this.random.integer(5, 60))
      await this[this.random.weighted(this.weights)]()
    }
    await this.writer.end()
  }

  cancel() { return this.#operate('cancel', this.#some(this.random.chance(0.7))) }
  retry() { return this.#operate('retry', this.#some(this.random.chance(0.7))) }

  async redrive() {
    const dead = await this.stage.cluster.value('SELECT d.id FROM pulse.dead_letters d ORDER BY d.finished_at DESC OFFSET $1 LIMIT 1', [this.random.integer(0, 5)]).catch(() => undefined)
    if (dead !== undefined) await this.#operate('redrive', dead)
  }

  async pause() {
    const queue = this.random.pick(Object.keys(queues))
    await this.stage.cluster.sql('SELECT pulse.pause_queue($1)', [queue]).catch(() => { /* perhaps it was done all the same */ })
    await this.writer.pause(this.random.integer(20, 300))
    await until(async () => { await this.stage.cluster.sql('SELECT pulse.resume_queue($1)', [queue]); return true }, { what: `queue ${queue} going on` })
  }

  // A job that somebody knows the id of, lately enqueued; one that surely waits, when there is one.
  #some(waits) {
    const known = this.ledger.calls.slice(-recent).filter(({ id }) => id !== undefined)
    const waiting = waits ? known.filter(({ runAt }) => runAt > Date.now()) : []
    return waiting.length + known.length > 0 ? this.random.pick(waiting.length > 0 ? waiting : known).id : undefined
  }

  async #operate(what, id) {
    if (id === undefined) return
    const { writer, random } = this
    const transaction = writer.begin(`job ${what}`)
    const operation = this.ledger.operation(transaction, what, id)
    const say = `SELECT pulse.${what}(${id}::bigint) AS answer`
    await writer.attempt(transaction, async ({ commits }) => {
      if (random.chance(0.7)) {
        commits()
        operation.answer = (await writer.query(`WITH noted AS (${noted(transaction)}) ${say}`)).rows[0].answer
        return undefined
      }
      await writer.query(`BEGIN; ${noted(transaction)}`)
      operation.answer = (await writer.query(say)).rows[0].answer
      await writer.pause(random.integer(0, 150))
      if (random.chance(0.3)) {
        await writer.query('ROLLBACK')
        return 'aborted'
      }
      commits()
      await writer.query('COMMIT')
      return undefined
    })
  }
}
