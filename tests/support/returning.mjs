// Clients that come back, one class a protocol with one face, so that each test of recovery runs over both. A client gathers the events
// named `n`: .numbers (their payloads, in order) and .cursors. What it needs to come back is in .ticket.
import { connecting, next, until } from './wait.mjs'
import { token } from './token.mjs'

const text = who => typeof who === 'string' ? who : token(who)

class Returning {
  numbers = []
  cursors = []
  evictions = []

  take(number, cursor) {
    this.numbers.push(number)
    this.cursors.push(cursor)
    this.last = cursor
  }

  // Everything that was published before, to a room it is in, has arrived: a mark in its own room comes after it.
  async fence() {
    const mark = `fence ${Math.random()}`
    await this.pulse.sql(`SELECT pulse.publish('user:' || $1, 'n', to_json($2::text))`, [this.userId, mark])
    await until(() => this.numbers.includes(mark), { what: 'the fence' })
    const at = this.numbers.indexOf(mark)
    this.numbers.splice(at, 1)
    this.cursors.splice(at, 1)
  }
}

// The stock socket.io-client.
export class SocketIoClient extends Returning {
  static protocol = 'Socket.IO'

  // ticket: {pid, offset} of the one before. Rejects with connect_error.
  static async open(pulse, who, { bridge = pulse.bridge, ticket = {} } = {}) {
    const client = new SocketIoClient()
    client.pulse = pulse
    client.userId = who.userId
    const socket = client.socket = pulse.socket(text(who.token ?? who), { bridge })
    socket.on('n', (...args) => client.take(args[0], args[1]))
    socket.on('room:evicted', ({ room, reason }) => client.evictions.push({ room, reason, after: client.numbers.at(-1) }))
    client.ended = next(socket, 'disconnect', { timeout: 60_000 }).then(([reason]) => reason)
    client.ended.catch(() => {})
    if (ticket.pid !== undefined) socket._pid = ticket.pid
    if (ticket.offset !== undefined) socket._lastOffset = ticket.offset
    await connecting(socket)
    client.id = socket.id
    return client
  }

  static refusal = error => error.data?.code

  get recovered() { return this.socket.recovered }
  get ticket() { return { pid: this.socket._pid, offset: this.socket._lastOffset } }

  join(room, since) { return this.socket.emitWithAck('room:join', since === undefined ? { room } : { room, since }) }
  leave(room) { return this.socket.emitWithAck('room:leave', { room }) }
  ask(event, ...args) { return this.socket.emitWithAck(event, ...args) }
  // As when the network fails: no goodbye.
  async cut() {
    this.socket.io.engine.transport.ws.terminate()
    await this.ended
  }
  static takenOver = 'io server disconnect'
}

// The native protocol over `ws`.
export class NativeClient extends Returning {
  static protocol = 'native'
  #messages = []
  #asked = 0

  static async open(pulse, who, { bridge = pulse.bridge, ticket = {} } = {}) {
    const client = new NativeClient()
    client.pulse = pulse
    client.userId = who.userId
    const socket = client.socket = await pulse.ws(undefined, { bridge })
    client.ended = socket.closed.then(([code]) => code)
    socket.on('message', data => client.#receive(JSON.parse(data)))
    const hello = { type: 'connect', token: text(who.token ?? who), recovery: ticket.pid, since: ticket.offset }
    socket.send(JSON.stringify(hello))
    const answer = await until(() => client.#messages.find(({ type }) => type === 'connected' || type === 'error'), { what: 'the answer to connect' })
    if (answer.type === 'error') throw Object.assign(new Error(answer.message), { data: answer })
    client.hello = answer
    return client
  }

  #receive(message) {
    if (message.type !== 'event') this.#messages.push(message)
    else if (message.event === 'n') this.take(message.args[0], message.position)
    else if (message.event === 'room:evicted') this.evictions.push({ ...message.args[0], after: this.numbers.at(-1) })
  }

  static refusal = error => error.data?.code

  get recovered() { return this.hello.recovered }
  get ticket() { return { pid: this.hello.recovery, offset: this.last } }
  get id() { return this.hello.session }

  async #request(message) {
    const id = ++this.#asked
    this.socket.send(JSON.stringify({ ...message, id }))
    const answer = await until(() => this.#messages.find(one => one.id === id), { what: `an answer to ${message.type}` })
    return answer.type === 'ack' ? answer.args[0] : { error: answer }
  }
  join(room, since) { return this.#request({ type: 'join', room, since }) }
  leave(room) { return this.#request({ type: 'leave', room }) }
  ask(event, ...args) { return this.#request({ type: 'emit', event, args }) }
  async cut() {
    this.socket.terminate()
    await this.ended
  }
  static takenOver = 4409
}

export const protocols = [SocketIoClient, NativeClient]
