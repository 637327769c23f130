// A bridge with short deadlines and small queues, witnesses and vandals on it, a publisher, and what the bridge holds: descriptors, sockets, memory.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'
import engineio from './engineio.mjs'
import http from './http.mjs'
import { Raw } from './raw.mjs'
import websocket from './websocket.mjs'
import { witnesses } from './witnesses.mjs'

const vandals = { ...http, ...engineio, ...websocket }
const environment = {
  PULSE_PING_INTERVAL: '2s', PULSE_PING_TIMEOUT: '6s', PULSE_CONNECT_TIMEOUT: '3s', PULSE_HEADER_TIMEOUT: '3s', PULSE_BODY_TIMEOUT: '3s',
  PULSE_MAX_PAYLOAD: '100000', PULSE_MAX_QUEUE_BYTES: '300000', PULSE_REPLAY_BUFFER_BYTES: '4000000', PULSE_LOG_LEVEL: 'error',
  // What is freed is given back soon, so that what is kept can be told from it.
  ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=1:thread_local_quarantine_size_kb=64'
}

export class Stage {
  visits = {}
  #sockets = new Set()
  #published = 0

  static async build() {
    const stage = new Stage()
    stage.pulse = await startPulse({ environment })
    try {
      await stage.pulse.load('rooms', 'clients')
      stage.pid = stage.pulse.bridge.pid
      stage.witnesses = await witnesses(stage.pulse)
      stage.cursor = await stage.pulse.value('SELECT pulse.position()')
      stage.#publish()
      await until(() => stage.#published > 10)
      stage.atFirst = await stage.#held()
    } catch (error) {
      await stage.pulse.stop()
      throw error
    }
    return stage
  }

  get published() { return this.#published }

  // Numbers for the witnesses, and large events for those who do not read them.
  #publish() {
    const large = JSON.stringify('x'.repeat(60_000))
    let ended = false
    const done = (async () => {
      while (!ended) {
        await this.pulse.sql(`SELECT pulse.publish('open:soak', 'n', to_json($1::int))`, [this.#published + 1])
        this.#published++
        if (this.#published % 5 === 0) await this.pulse.sql(`SELECT pulse.publish('open:flood', 'large', $1::json)`, [large])
        await sleep(10)
      }
    })()
    this.endPublishing = async () => { ended = true; await done }
  }

  // So many vandals at once for so long; afterwards the bridge has got rid of them all.
  async riot(random, { seconds, crowd = 40 }) {
    const end = Date.now() + seconds * 1000
    const world = { random, open: () => new Raw(this.pulse.bridge.port, this.#sockets), token: () => token({ userId: `vandal ${random.integer(1, 30)}` }), cursor: () => this.cursor }
    await Promise.all(Array.from({ length: crowd }, async () => {
      while (Date.now() < end && this.pulse.bridge.running) {
        const name = random.pick(Object.keys(vandals))
        const raw = await vandals[name](world)
        const seen = this.visits[name] ??= {}
        seen[raw.status] = (seen[raw.status] ?? 0) + 1
        if (random.chance(0.9)) await raw.leave(random)   // or it is forgotten, and goes with the others at the end
      }
    }))
    for (const socket of this.#sockets) socket.destroy()
  }

  // What the bridge holds once nobody but the witnesses is there: their polls come and go, hence the few more.
  async settled() {
    let held
    await until(async () => {
      held = await this.#held()
      return held.descriptors <= this.atFirst.descriptors + 4 && held.sessions <= this.atFirst.sessions && held.sockets <= this.atFirst.sockets + 4
    }, { what: 'the bridge having let go of the vandals', timeout: 60_000, every: 250 }).catch(error => { throw new Error(`${error.message} ${JSON.stringify(held)}, at first ${JSON.stringify(this.atFirst)}`) })
    return held
  }

  async #held() {
    const { bridge } = this.pulse
    const [sockets, sessions] = await Promise.all(['pulse_bridge_sockets', 'pulse_bridge_sessions'].map(name => bridge.metric(name)))
    const megabytes = Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]) / 1024)
    return { descriptors: readdirSync(`/proc/${bridge.pid}/fd`).length, sockets, sessions, megabytes }
  }
}
