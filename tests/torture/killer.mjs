// What breaks, and when: a plan made from the seed beforehand, every kind as often as the others, in random order over the whole run.
// Each kind repairs what it broke, and the next one waits for that where both need the same thing.
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../support/wait.mjs'

// Of the queue's processes: killed, or told to end.
const ofJobs = ['foreman', 'job worker', 'http worker', 'end of workers', 'restart']
export const kindsOfKills = ['backend', 'dispatcher', 'postmaster', 'bridge', 'all bridges', 'stopped bridge', 'cut', 'half-open', ...ofJobs]

// A kind comes once in so many seconds, so at least three times in a minute, and those of jobs twice: most of them restart the server.
const eachSeconds = kind => ofJobs.includes(kind) ? 28 : 18

export class Killer {
  counts = Object.fromEntries(kindsOfKills.map(kind => [kind, 0]))
  #under = []   // repairs that go on beside the next kills

  constructor(stage, random, kinds = kindsOfKills) {
    Object.assign(this, { stage, random, kinds })
  }

  // [{at, kind}]: at in ms after the start.
  plan(seconds) {
    const times = kind => Math.max(1, Math.floor(seconds / eachSeconds(kind)))
    const rounds = Math.max(0, ...this.kinds.map(times))
    const kinds = Array.from({ length: rounds }, (_, round) => this.random.shuffle(this.kinds.filter(kind => times(kind) > round))).flat()
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

  async dispatcher() { await this.#killOfServer(await this.#pidOf('dispatcher')) }
  async foreman() { await this.#killOfServer(await this.#pidOf('foreman')) }
  async 'job worker'() { await this.#killOfServer(await this.#pidOf('worker')) }
  async 'http worker'() { await this.#killOfServer(await this.#pidOf('http worker')) }

  // SIGTERM, which they answer in good order. The server goes on.
  async 'end of workers'() {
    await this.stage.cluster.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = ANY ($1)`,
      [this.random.sample(['pulse foreman', 'pulse worker', 'pulse http worker'], this.random.integer(1, 3))]).catch(() => { /* the server is away already */ })
  }

  async restart() {
    const { cluster } = this.stage
    await cluster.stop('fast')
    await this.#startAgain()
  }

  // Killed, or told to stop at once.
  async postmaster() {
    const { cluster } = this.stage
    if (this.random.chance(0.5)) process.kill(cluster.postmasterPid, 'SIGKILL')
    else await cluster.stop('immediate')
    await this.#startAgain()
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

  // Asked for again until it answers: who is killed may still seem to run when it is started the first time.
  async #startAgain() {
    const { cluster } = this.stage
    try {
      await until(async () => { await cluster.start(); return await cluster.value('SELECT true') }, { what: 'the server starting again', every: 50 })
    } catch (error) {
      throw new Error(`${error.message}\nthe end of its log:\n${cluster.log.slice(-3000)}`)
    }
    await this.#epoch()
  }

  async #pidOf(type) {
    const pids = await until(async () => {
      const found = await this.stage.cluster.sql('SELECT pid FROM pg_stat_activity WHERE backend_type = $1 ORDER BY pid', [`pulse ${type}`])
      return found.length > 0 && found
    }, { what: `a ${type}` })
    return this.random.pick(pids).pid
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
