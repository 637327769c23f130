// Where a run takes place: a cluster, bridges behind one proxy, a receiver of webhooks, the tables, the writers' oracle. Torn down by stop().
import { readFileSync } from 'node:fs'
import { Bridge } from '../support/bridge.mjs'
import { Cluster } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'
import { Oracle } from './oracle.mjs'
import { Proxy } from '../support/proxy.mjs'
import { Random } from '../support/random.mjs'
import { Sink } from './queue/sink.mjs'

const schema = ['schema.sql', 'queue/schema.sql'].map(file => readFileSync(new URL(file, import.meta.url), 'utf8')).join('')
// For the queue: several workers, and the receiver of webhooks is on this machine.
const forJobs = { 'pulse.job_workers': 3, 'pulse.webhook_allow': '127.0.0.1', max_worker_processes: 20 }

export class Stage {
  bridges = []
  zones = Array.from({ length: 10 }, (_, n) => `zone:${n}`)
  rows = Array.from({ length: 32 }, (_, n) => n)

  // settings: of PostgreSQL. environment: of the bridges.
  static async build({ seed, bridges = 3, settings = {}, environment = {} }) {
    const stage = new Stage()
    stage.random = stream => new Random(seed, stream)
    stage.cluster = await Cluster.create({ settings: { max_prepared_transactions: 100, ...forJobs, ...settings } })
    try {
      stage.sink = await Sink.start()
      await stage.cluster.sql(schema)
      await until(() => stage.cluster.value('SELECT pulse.position()'), { what: 'the first epoch' })
      for (let n = 0; n < bridges; n++)
        stage.bridges.push(await Bridge.start(stage.cluster.url({ user: 'bridge' }), { PULSE_PING_INTERVAL: '700ms', PULSE_PING_TIMEOUT: '700ms', PULSE_DRAIN_TIMEOUT: '1s', ...environment }))
      stage.proxy = await Proxy.start(() => stage.bridges.filter(bridge => bridge.running).map(bridge => bridge.port), stage.random('proxy'))
    } catch (error) {
      await stage.stop().catch(() => {})
      throw error
    }
    return stage
  }

  // Rooms that sessions go to: all zones, and the rows that change most.
  get rooms() { return [...this.zones, ...this.rows.slice(0, 8).map(row => `row:${row}`)] }

  get url() { return `http://127.0.0.1:${this.proxy.port}` }

  // Empty tables and a new oracle, for another run on the same stage.
  async clear() {
    this.oracle = new Oracle()
    await this.cluster.sql('TRUNCATE torture.transactions, torture.rights, torture.rows')
    await this.cluster.sql('INSERT INTO torture.rows (id, zone) SELECT id, id % $1 FROM unnest($2::int[]) AS id', [this.zones.length, this.rows])
  }

  async stop() {
    await this.proxy?.stop()
    await this.sink?.stop()
    const errors = []
    for (const bridge of this.bridges) await bridge.stop().catch(error => errors.push(error))
    await this.cluster.drop()
    if (errors.length > 0) throw errors[0]
  }
}
