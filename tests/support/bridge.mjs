// One pulse-bridge process on free ports: start, stop, kill, restart, its log as JSON, its health and metrics. Made by startPulse().
// BRIDGE names the program (a path from the repository's root); `make asan e2e` runs the same tests with the sanitizer build.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { root } from './cluster.mjs'
import { secret } from './token.mjs'
import { deadline, until } from './wait.mjs'

const program = join(root, process.env.BRIDGE ?? 'build/plain/bin/pulse-bridge')

// A port that nobody listens on, and that no other test is given. Below those that Linux gives to outgoing connections, so that it stays free
// while a bridge is away; and taken down in the folder of the run, since two bridges that were given one port would share it.
export async function freePort() {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (!reserve(port)) continue
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}

const given = new Set()
function reserve(port) {
  if (given.has(port)) return false
  given.add(port)
  try {
    if (process.env.PULSE_TEST_DIR) writeFileSync(join(process.env.PULSE_TEST_DIR, `port-${port}`), '', { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

export class Bridge {
  #process
  #environment
  #text = ''
  #onExit = () => this.#process?.kill('SIGKILL')

  // environment: PULSE_* settings over the defaults of tests. ready: false does not wait until it is.
  static async start(databaseUrl, environment = {}, { ready = true } = {}) {
    const bridge = new Bridge()
    bridge.port = await freePort()
    bridge.internalPort = await freePort()
    bridge.#environment = {
      PATH: process.env.PATH,
      ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
      PULSE_LISTEN: `127.0.0.1:${bridge.port}`,
      PULSE_INTERNAL_LISTEN: `127.0.0.1:${bridge.internalPort}`,
      PULSE_DATABASE_URL: databaseUrl,
      PULSE_JWT_SECRET: secret,
      PULSE_INTERNAL_TOKEN: 'internal-token-of-tests',
      ...environment
    }
    process.on('exit', bridge.#onExit)
    await bridge.restart({}, { ready })
    return bridge
  }

  get url() { return `${this.#environment.PULSE_TLS_CERT_FILE ? 'https' : 'http'}://127.0.0.1:${this.port}` }
  get internalUrl() { return `http://127.0.0.1:${this.internalPort}` }
  get pid() { return this.#process?.pid }

  // Everything written to stdout and stderr so far; log: the JSON lines of it that are there to their ends.
  get text() { return this.#text }
  get log() { return this.#text.split('\n').slice(0, -1).filter(line => line.startsWith('{')).map(line => JSON.parse(line)) }

  // Starts it (again), on the same ports and with changes to its environment.
  async restart(changes = {}, { ready = true } = {}) {
    if (this.running) await this.stop()
    Object.assign(this.#environment, changes)
    // It ends with this process, whatever ends that.
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', program, 'serve'], { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    const failed = once(this.#process, 'error').then(([error]) => { throw error })
    failed.catch(() => {})
    this.exited = once(this.#process, 'close')   // which is when its last words have been read
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.setEncoding('utf8').on('data', chunk => { this.#text += chunk })
    await Promise.race([failed, ready ? this.ready() : once(this.#process, 'spawn')])
  }

  get running() { return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null }

  async ready() {
    await until(async () => {
      if (!this.running) return true
      return (await fetch(`${this.internalUrl}/ready`)).status === 200
    }, { what: 'the bridge being ready' }).catch(error => { throw new Error(`${error.message}\n${this.#text.slice(-4000)}`) })
    if (!this.running) throw new Error(`the bridge ended:\n${this.#text.slice(-4000)}`)
  }

  // SIGTERM and the drain; fails when it does not end with 0, which is what a sanitizer's report or a crash looks like.
  async stop() {
    if (!this.running) return
    this.#process.kill('SIGTERM')
    const [code, signal] = await this.exited
    if (code !== 0) throw new Error(`the bridge ended with ${signal ?? code}:\n${this.#text.slice(-8000)}`)
  }

  async kill(signal = 'SIGKILL') {
    this.#process.kill(signal)
    await this.exited
  }

  // The value of a metric, or undefined: metric('pulse_bridge_connections', {protocol: 'native'}).
  async metric(name, labels = {}) {
    const text = await (await fetch(`${this.internalUrl}/metrics`, { signal: AbortSignal.timeout(deadline) })).text()
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    for (const line of text.split('\n')) {
      const [, found, inBraces = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
      if (found === name && wanted.every(label => inBraces.includes(label))) return Number(value)
    }
  }
}
