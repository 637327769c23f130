// The queue's part of a run: begin() sets everybody to work, end() returns the run as check_queue.mjs takes it.
import { until } from '../../support/wait.mjs'
import { Fetchers } from './fetchers.mjs'
import { Ledger } from './ledger.mjs'
import { Operator } from './operator.mjs'
import { Producers } from './producers.mjs'
import { configure, queues } from './queues.mjs'
import { endOf, readRuns } from './server_log.mjs'
import { numberOf, Watch } from './watch.mjs'

const settleWithin = 30_000   // ms, for what waits when nobody enqueues any more

export class QueueRun {
  // Everything before is forgotten. producers, operator: options of theirs.
  static async begin(stage, { producers, operator } = {}) {
    const run = new QueueRun()
    const { cluster, oracle, random, sink } = stage
    await cluster.sql('DELETE FROM _pulse.jobs; DELETE FROM _pulse.dead_letters; TRUNCATE _pulse.job_history, torture.effects, torture.ends')
    await configure(cluster)
    await cluster.sql('SELECT pulse.resume_queue(q) FROM unnest($1::text[]) AS q', [Object.keys(queues)])
    const ledger = new Ledger(oracle)
    sink.clear(n => ledger.calls[n])
    Object.assign(run, {
      stage, ledger, from: endOf(cluster.logPath), producers: new Producers(stage, ledger, sink, random, producers),
      operator: new Operator(stage, ledger, random('operator'), operator), fetchers: new Fetchers(stage, ledger, random), watch: new Watch(cluster, ledger)
    })
    for (const part of run.#parts) part.start()
    return run
  }

  get #parts() { return [this.producers, this.operator, this.fetchers, this.watch] }

  // Call it when nothing is killed any more. Waits until no job is left, or for as long as that can take.
  async end() {
    const { cluster } = this.stage
    await Promise.all([this.producers.stop(), this.operator.stop()])
    await until(async () => await cluster.value('SELECT count(*)::int FROM _pulse.jobs') === 0, { timeout: settleWithin, every: 50 }).catch(() => { /* the check says which */ })
    await Promise.all([this.fetchers.stop(), this.watch.stop()])
  }

  // transactions: when their ends are known.
  async data(transactions) {
    const { cluster, sink } = this.stage
    const columns = `id, ${numberOf} AS n, queue, attempt, max_attempts AS "maxAttempts", coalesce(json_array_length(errors), 0) AS errors, last_error AS error`
    return {
      transactions, calls: this.ledger.calls, operations: this.ledger.operations, queues, doubles: this.watch.doubles,
      logs: { sql: await readRuns(cluster.logPath, this.from), http: sink.log, external: this.fetchers.log },
      effects: await cluster.sql('SELECT n, job, run FROM torture.effects'),
      ends: await cluster.sql('SELECT job, state FROM torture.ends'),
      rows: await cluster.sql(`SELECT 'jobs' AS place, state, NULL AS reason, ${columns} FROM _pulse.jobs
        UNION ALL SELECT 'dead letters', 'discarded', reason, ${columns} FROM _pulse.dead_letters
        UNION ALL SELECT 'history', state, NULL, ${columns} FROM _pulse.job_history`),
      lostEnds: (await cluster.sql(`SELECT args -> 'args' ->> 'id' AS id FROM _pulse.dead_letters WHERE queue = 'pulse:on_end'`)).map(({ id }) => id)
    }
  }
}
