// Workers outside: pulse.fetch_jobs, and what becomes of each job by its plan. They keep what they were given and what they answered, in order.
import { setTimeout as sleep } from 'node:timers/promises'
import { Routine } from '../routine.mjs'
import { Writer } from '../writers.mjs'

const lease = 1   // s

export class Fetchers extends Routine {
  log = []   // {what: 'begin', n, job, attempt, by, time} and {what: 'end', job, attempt, said: 'ack' | 'nack' | …, answer}: undefined when none came

  constructor(stage, ledger, random, { count = 3 } = {}) {
    super()
    this.ledger = ledger
    this.fetchers = Array.from({ length: count }, (_, n) =>
      ({ by: `fetcher ${n}`, random: random(`fetcher ${n}`), writer: new Writer(stage, random(`fetcher ${n}`), { stopped: () => this.stopped }) }))
  }

  work() { return Promise.all(this.fetchers.map(fetcher => this.#work(fetcher))) }

  async #work(fetcher) {
    const { writer, random, by } = fetcher
    while (!this.stopped) {
      const rows = await this.#ask(writer, `SELECT id, args ->> 'n' AS n, attempt FROM pulse.fetch_jobs('errands', '${by}', ${random.integer(1, 4)}, lease => '${lease} s', wait => '300 ms')`)
      for (const { id, n, attempt } of rows ?? []) this.log.push({ what: 'begin', n: Number(n), job: id, attempt, by, time: Date.now() })
      for (const { id, n, attempt } of rows ?? []) await this.#do(fetcher, id, attempt, this.ledger.calls[n])
    }
    await writer.end()
  }

  async #do({ writer, random }, id, attempt, { plan, fails }) {
    const ack = () => this.#say(writer, id, attempt, 'ack', `SELECT pulse.ack(${id}, ${attempt}, '{}') AS answer`)
    const nack = more => this.#say(writer, id, attempt, 'nack', `SELECT pulse.nack(${id}, ${attempt}, 'as it was told'${more}) AS answer`)
    await sleep(random.integer(0, 15))
    if (attempt <= fails) return nack('')
    switch (attempt === 1 || plan === 'permanent' ? plan : 'ack') {
      case 'nack': return nack(`, retry_after => '100 ms'`)
      case 'permanent': return nack(', permanent => true')
      case 'abandon': return undefined
      case 'beat':
        await this.#ask(writer, `SELECT pulse.heartbeat(${id}, ${attempt}, '${lease} s')`)
        await sleep(random.integer(0, 60))
        return ack()
      case 'late':   // some of them after the end of the lease
        await sleep(random.integer(lease * 800, lease * 1300))
        return ack()
      case 'undone':   // says so in a transaction that rolls back: as if nothing had been said
        await this.#ask(writer, `BEGIN; SELECT pulse.ack(${id}, ${attempt}); ROLLBACK`)
        return undefined
      default: return ack()
    }
  }

  async #say(writer, job, attempt, said, statement) {
    const end = { what: 'end', job, attempt, said, answer: undefined }
    this.log.push(end)
    end.answer = (await this.#ask(writer, statement))?.[0].answer
  }

  // The rows, or nothing when no answer came.
  async #ask(writer, statement) {
    try {
      return (await writer.query(statement)).rows
    } catch {
      await writer.recover()
      return undefined
    }
  }
}
