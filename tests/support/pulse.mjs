// The whole of pulse for one test file: a cluster and bridges, with the stock clients to talk to them. Stop it in after().
//   const pulse = await startPulse({ bridges: 2, extensions: ['pulse', 'pulse_donors'] })   or { cluster }: one that there is
//   const socket = await pulse.io({ userId: 'u1' });  await pulse.sql('SELECT …');  await pulse.stop()
import { once } from 'node:events'
import { io } from 'socket.io-client'
import WebSocket from 'ws'
import { Bridge } from './bridge.mjs'
import { Cluster } from './cluster.mjs'
import { token } from './token.mjs'
import { connecting, gather } from './wait.mjs'

export async function startPulse({ bridges = 1, extensions = ['pulse'], settings = {}, environment = {}, cluster } = {}) {
  const pulse = new Pulse()
  pulse.cluster = cluster ?? await Cluster.create({ extensions, settings })
  pulse.environment = environment
  try {
    for (let n = 0; n < bridges; n++) await pulse.addBridge()
  } catch (error) {
    await pulse.cluster.drop()
    throw error
  }
  return pulse
}

class Pulse {
  bridges = []
  #clients = new Set()

  get bridge() { return this.bridges[0] }

  async addBridge(environment = {}, options) {
    const bridge = await Bridge.start(this.cluster.url({ user: 'bridge' }), { ...this.environment, ...environment }, options)
    this.bridges.push(bridge)
    return bridge
  }

  sql(text, parameters) { return this.cluster.sql(text, parameters) }
  value(text, parameters) { return this.cluster.value(text, parameters) }
  load(...scripts) { return this.cluster.load(...scripts) }
  dispatched(statement, parameters) { return this.cluster.dispatched(statement, parameters) }

  // A socket.io-client, not yet connected: give it listeners, then socket.connect(). who: claims, or a token's text.
  socket(who, { bridge = this.bridge, namespace = '/', transports = ['websocket'], ...options } = {}) {
    const auth = { token: typeof who === 'string' ? who : token(who) }
    const socket = io(bridge.url + namespace, { transports, auth, forceNew: true, autoConnect: false, reconnection: false, ...options })
    this.#clients.add(socket)
    return socket
  }

  // A connected socket.io-client; rejects with connect_error's Error.
  async io(who, options) {
    const socket = this.socket(who, options)
    await connecting(socket)
    return socket
  }

  // A raw WebSocket, open, with .frames (gathered from the start) and .closed: the native protocol by default, any path and
  // subprotocol by options.
  async ws(who, { bridge = this.bridge, path = '/ws', protocol = 'pulse.v1.json', headers = {} } = {}) {
    const text = who === undefined ? undefined : typeof who === 'string' ? who : token(who)
    const authorization = text === undefined ? {} : { authorization: `Bearer ${text}` }
    const socket = new WebSocket(bridge.url.replace('http', 'ws') + path, protocol, { headers: { ...authorization, ...headers } })
    this.#clients.add(socket)
    // From the start: the server's first message may come with the answer to the upgrade.
    socket.frames = gather(socket, 'message')
    socket.closed = once(socket, 'close')
    socket.closed.catch(() => {})
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
      socket.once('unexpected-response', (request, response) => reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode })))
    })
    return socket
  }

  // Ends the backends that bridges use for LISTEN, as a network fault would. Returns how many.
  async cutListeners() {
    return await this.value(`SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
                             WHERE usename = 'bridge' AND application_name LIKE '%listen%'`)
  }

  // Every backend of the bridges.
  async cutBridges() {
    return await this.value(`SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE usename = 'bridge'`)
  }


  async stop() {
    for (const client of this.#clients) {
      if (client instanceof WebSocket) client.terminate()
      else client.disconnect()
    }
    const errors = []
    for (const bridge of this.bridges) await bridge.stop().catch(error => errors.push(error))
    await this.cluster.drop()
    if (errors.length > 0) throw errors[0]
  }
}
