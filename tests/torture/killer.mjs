// What breaks, and when: a plan made from the seed beforehand, every kind as often as the others, in random order over the whole run.
// Each kind repairs what it broke, and the next one waits for that where both need the same thing.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../support/wait.mjs'

export const kindsOfKills = ['backend', 'dispatcher', 'postmaster', 'bridge', 'all bridges', 'stopped bridge', 'cut', 'half-open']

const eachSeconds = 18   // a kind comes once in so many seconds, so at least three times in a minute

export class Killer {
  counts = Object.fromEntries(kindsOfKills.map(kind => [kind, 0]))
  #under = []   // repairs that go on beside the next kills

  constructor(stage, random, kinds = kindsOfKills) {
    Object.assign(this, { stage, random, kinds })
  }

  // [{at, kind}]: at in ms after the start.
  plan(seconds) {
    const rounds = Math.max(1, Math.floor(seconds / eachSeconds))
    const kinds = Array.from({ length: rounds }, () => this.random.shuffle(this.kinds)).flat()
    const apart = seconds * 1000 * 0.92 / kinds.length
    return kinds.map((kind, n) => ({ kind, at: Math.round((n + 0.3 + this.random.next() * 0.5) * apart) }))
  }

  // Until the plan is done and everything is whole again.
  async run(seconds, tell = () => {}) {
    const started = Date.now()
    for (const { at, kind } of this.plan(seconds)) {
      await sleep(Math.max(0, started + at - Date.now()))
      tell(`${((Date.now() - started) / 1000).toFixed(1)} s: ${kind}`)
      await this[kind]()
      this.counts[kind] += 1
    }
    await sleep(Math.max(0, started + seconds * 1000 - Date.now()))
    await Promise.all(this.#under)
  }

  // kill -9 of a backend restarts the server: of a writer's, or of a bridge's.
  async backend() {
    const pids = await until(async () => {
      const found = await this.stage.cluster.sql(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND (usename = 'bridge' OR application_name = 'torture writer') ORDER BY pid`)
      return found.length > 0 && found
    }, { what: 'a backend' })
    await this.#killOfServer(this.random.pick(pids).pid)
  }

  async dispatcher() {
    await this.#killOfServer(await until(() => this.stage.cluster.value(`SELECT pid FROM pg_stat_activity WHERE backend_type = 'pulse dispatcher'`), { what: 'a dispatcher' }))
  }

  async postmaster() {
    const { cluster } = this.stage
    process.kill(cluster.postmasterPid, 'SIGKILL')
    await until(async () => { await cluster.start(); return true }, { what: 'the server starting again', every: 50 })
    await this.#epoch()
  }

  async bridge() { await this.#again([this.random.pick(await this.#running())]) }

  async 'all bridges'() { await this.#again(await this.#running()) }

  async 'stopped bridge'() {
    const bridge = this.random.pick(await this.#running())
    process.kill(bridge.pid, 'SIGSTOP')
    this.#aside(async () => {
      await sleep(this.random.integer(500, 2500))
      process.kill(bridge.pid, 'SIGCONT')
    }, bridge)
  }

  async cut() { this.stage.proxy.cut(this.random.pick([0.3, 0.6, 1])) }

  async 'half-open'() {
    const { resume } = this.stage.proxy.stall(this.random.pick([0.3, 0.6, 1]))
    this.#aside(async () => {
      await sleep(this.random.integer(300, 4000))
      resume()
    })
  }

  // A kill that the server recovers from by itself.
  async #killOfServer(pid) {
    const before = await this.#epoch()
    process.kill(pid, 'SIGKILL')
    await until(async () => await this.#epoch() !== before, { what: 'a new epoch' })
  }

  // Once the server answers.
  #epoch() { return until(async () => (await this.stage.cluster.value('SELECT pulse.position()')).split(':')[0], { what: 'the server answering' }) }

  async #again(bridges) {
    await Promise.all(bridges.map(bridge => bridge.kill()))
    await Promise.all(bridges.map(bridge => bridge.restart()))
  }

  // Bridges that are neither away nor stopped.
  async #running() {
    await Promise.all(this.#under.filter(({ bridge }) => bridge !== undefined))
    return this.stage.bridges.filter(bridge => bridge.running)
  }

  #aside(work, bridge) {
    const running = work().finally(() => { this.#under.splice(this.#under.indexOf(running), 1) })
    running.bridge = bridge
    this.#under.push(running)
  }
}
