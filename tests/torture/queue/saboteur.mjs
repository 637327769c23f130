// Faults to plant in the queue, by plain SQL behind its back: what the tables would look like if the engine lost a job, ran one twice, forgot a key. A fault is
// done again and again while a run goes on; one with `producers` is done by those who enqueue.
import { setTimeout as sleep } from 'node:timers/promises'
import { Routine } from '../routine.mjs'
import { numberOf } from './watch.mjs'

const every = 40   // ms

const columns = 'id, queue, kind, args, function, priority, run_at, attempt, max_attempts, unique_key, timeout, role, created_at, channel, partition_key, on_end, traceparent'
const look = 'RETURNING _pulse.tell_look()'   // and the foreman finds it

// Back to where it waited, as if it had never ended.
const again = state => `WITH found AS (SELECT * FROM _pulse.job_history WHERE state = '${state}' AND channel = 'sql' AND queue <> 'pulse:on_end' AND unique_key IS NULL ORDER BY random() LIMIT 2),
  gone AS (DELETE FROM _pulse.job_history h USING found f WHERE h.id = f.id)
  INSERT INTO _pulse.jobs (${columns}, state, errors) SELECT ${columns}, 'available', errors FROM found ON CONFLICT DO NOTHING ${look}`

// name → what is planted, the kind of finding that must be among those it leads to, of which queues there must be jobs enough for
// it to show, and how often it is done at least.
export const faults = {
  'a job is lost': { kind: 'lost', sql: `DELETE FROM _pulse.jobs WHERE id = (SELECT id FROM _pulse.jobs WHERE state <> 'executing' AND unique_key IS NULL LIMIT 1) RETURNING id` },
  'a rollback is not heeded': { kind: 'aborted', producers: { astray: true } },
  'a success is forgotten': { kind: 'twice', sql: again('completed') },
  'attempts are not counted': { kind: 'attempts', sql: `UPDATE _pulse.jobs SET attempt = attempt - 1 WHERE state = 'retryable' AND attempt > 0 RETURNING id` },
  'keys are forgotten': { kind: 'order', shares: { ordered: 100 }, sql: `UPDATE _pulse.jobs SET partition_key = NULL WHERE state <> 'executing' AND partition_key IS NOT NULL ${look}` },
  'unique keys are forgotten': { kind: 'unique', shares: { work: 100 }, times: 20, sql: `UPDATE _pulse.jobs SET unique_key = NULL WHERE state <> 'executing' AND unique_key IS NOT NULL RETURNING id` },
  'rates are twice what they should be': { kind: 'limit', shares: { work: 20, rated: 40, 'rated hooks': 40 }, sql: `UPDATE _pulse.queues SET rate = 20 WHERE rate = 10 RETURNING name` },
  'concurrency is one more than it should be': { kind: 'limit', shares: { few: 100 }, sql: `UPDATE _pulse.queues SET concurrency = 3 WHERE name = 'few' AND concurrency = 2 RETURNING name` },
  'a success is on record before the job ran': {
    kind: 'atomic', sql: `WITH gone AS (DELETE FROM _pulse.jobs WHERE id = (SELECT id FROM _pulse.jobs WHERE state IN ('available', 'scheduled') AND channel = 'sql' AND ${numberOf} IS NOT NULL LIMIT 1) RETURNING *)
      INSERT INTO _pulse.job_history (${columns}, slot, state, finished_at) SELECT ${columns}, 0, 'completed', now() FROM gone RETURNING id`
  },
  'a cancel is forgotten': { kind: 'cancelled', shares: { work: 100 }, operator: { weights: { cancel: 1 } }, times: 4, sql: again('cancelled') }
}

export class Saboteur extends Routine {
  done = 0   // rows that it has changed
  constructor(cluster, { sql }) { super(); Object.assign(this, { cluster, sql }) }

  async work() {
    while (!this.stopped && this.sql !== undefined) {
      // It locks rows in no order, beside the engine: of a deadlock somebody is the victim.
      this.done += await this.cluster.sql(this.sql).then(rows => rows.length, error => { if (error.code !== '40P01') throw error; return 0 })
      await sleep(every)
    }
  }
}
