// What the demos share: the addresses and secrets of the running `make run`, stock clients, a psql session, and a timeline that
// knows what has to happen. Nothing here knows a pack; tools/demo.<pack>.mjs does.
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const require = createRequire(new URL('../../tests/package.json', import.meta.url))
const { io } = require('socket.io-client')
const pg = require('pg')

// Milliseconds for any one thing to happen. The demo's own test, which takes something away, does not wait as long.
export const within = Number(process.env.DEMO_WITHIN || 10_000)

export class Missing extends Error {}

// PULSE_URL and the other lines of $PULSE_HOME/env, which exists while `make run` serves.
export function running() {
  const home = resolve(process.env.PULSE_HOME || fileURLToPath(new URL('../../.pulse', import.meta.url)))
  let text
  try {
    readFileSync(`${home}/ready`)
    text = readFileSync(`${home}/env`, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new Missing(`pulse does not serve from ${home}. Start it with \`make run\` in another terminal, then try again` +
      (process.env.PULSE_HOME ? '.' : ', or say PULSE_HOME=… when it runs elsewhere.'))
  }
  return Object.fromEntries(text.split('\n').filter(line => line.includes('=')).map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

export function token(secret, claims) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

// One line an event, with the milliseconds since mark(). Every listener's first sighting is kept, so waiting is never too late.
export class Timeline {
  #zero = performance.now()
  mark() { this.#zero = performance.now() }
  now() { return performance.now() - this.#zero }
  say(who, what, at = this.now()) {
    console.log(`${at.toFixed(1).padStart(9)} ms  ${who.padEnd(10)} ${what}`)
    return at
  }
  note(text) { console.log(`${''.padStart(12)}  ${text}`) }

  // Watches `event` of an emitter from now on. .first(): its payload and time, or Missing; .count: how many matched.
  watch(emitter, event, who, { matches = () => true, describe = () => event, payload = data => data } = {}) {
    const seen = { count: 0, first: null }
    let arrive
    const arrived = new Promise(resolve => { arrive = resolve })
    emitter.on(event, data => {
      const value = payload(data)
      if (!matches(value)) return
      seen.count++
      if (seen.count > 1) return
      const at = this.say(who, describe(value))
      arrive({ value, at })
    })
    return { get count() { return seen.count }, first: () => deadline(arrived, `${who} gets ${event}`) }
  }
}

export function deadline(promise, what) {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Missing(`${what}: not within ${within / 1000} s`)), within) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// A connected stock socket.io-client.
export async function connect(env, claims) {
  const socket = io(env.PULSE_URL, { auth: { token: token(env.PULSE_JWT_SECRET, claims) }, transports: ['websocket'], forceNew: true, reconnection: false })
  await deadline(new Promise((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('connect_error', error => reject(new Missing(`${claims.userId} cannot connect to ${env.PULSE_URL}: ${error.message}`)))
  }), `${claims.userId} connects`)
  return socket
}

// emitWithAck that insists on {ok:true}.
export async function ask(socket, event, argument) {
  const ack = await deadline(socket.emitWithAck(event, argument), `the ack of ${event}`)
  if (!ack?.ok) throw new Missing(`${event} was refused: ${JSON.stringify(ack)}`)
  return ack
}

export async function listen(env, channel) {
  const client = new pg.Client({ connectionString: env.PULSE_DATABASE_URL })
  await deadline(client.connect(), 'a connection to PostgreSQL')
  await client.query(`LISTEN ${channel}`)
  return client
}

// One psql process that takes statements, as somebody would type them. run() gives what psql printed for one statement.
export class Psql {
  #process
  #waiting = []
  #lines = []
  #errors = ''
  constructor(env) {
    // the password goes by the environment: ps shows arguments
    const [, before, password, after] = /^(\w+:\/\/[^:@/]*)(?::([^@/]*))?(@.*)$/.exec(env.PULSE_DATABASE_URL)
    const environment = password === undefined ? process.env : { ...process.env, PGPASSWORD: decodeURIComponent(password) }
    this.#process = spawn('psql', ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', before + after], { env: environment })
    this.#process.on('error', error => { this.#errors += error.message; this.#fail() })
    this.#process.on('close', () => this.#fail())
    this.#process.stderr.on('data', data => { this.#errors += data })
    this.#process.stdin.on('error', () => {})
    createInterface({ input: this.#process.stdout }).on('line', line => {
      if (line !== '\x04done') return this.#lines.push(line)
      const lines = this.#lines
      this.#lines = []
      this.#waiting.shift()?.resolve(lines)
    })
  }
  #fail() {
    for (const { reject } of this.#waiting.splice(0)) reject(new Missing(`psql: ${this.#errors.trim() || 'ended'}`))
  }
  run(statement) {
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#process.stdin.write(`${statement};\n\\echo '\x04done'\n`)
    return deadline(answer, `psql runs ${statement.slice(0, 40)}…`)
  }
  async end() {
    if (this.#process.exitCode !== null) return
    const closed = new Promise(resolve => this.#process.on('close', resolve))
    this.#process.stdin.end()
    await closed
  }
}
