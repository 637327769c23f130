// The native protocol by the plain `ws` client, with a reconnection as its documentation tells it: the secret of the session and the
// last position seen go with the connect message.
import WebSocket from 'ws'
import { token } from '../support/token.mjs'
import { Session } from './session.mjs'

const answerTimeout = 4000
const silence = 2500   // longer than the bridge's pings are apart: then the connection is dead

export class NativeSession extends Session {
  protocol = 'native'
  #socket
  #closing = false
  #asked = new Map()   // id → what is called with the answer
  #nextId = 1
  #recovery            // the secret, once there is one
  #cursor

  open() {
    const socket = this.#socket = new WebSocket(`${this.url.replace('http', 'ws')}/ws`, 'pulse.v1.json', { handshakeTimeout: 1500 })
    let watch
    const alive = () => {
      clearTimeout(watch)
      watch = setTimeout(() => socket.terminate(), silence)
    }
    alive()
    socket.on('open', () => {
      alive()
      const state = this.#recovery ? { recovery: this.#recovery, since: this.#cursor } : {}
      socket.send(JSON.stringify({ type: 'connect', token: token({ userId: this.userId }), ...state }))
    })
    socket.on('ping', alive)
    socket.on('message', data => {
      alive()
      if (socket === this.#socket) this.#message(JSON.parse(data))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(watch)
      this.closed()
      for (const id of this.#asked.keys()) this.#answer(id)
      if (!this.#closing) setTimeout(() => this.open(), this.random.integer(20, 300))
    })
  }

  close() {
    this.#closing = true
    this.#socket.terminate()
  }

  ask(verb, room, answered) {
    const id = this.#nextId++
    const timer = setTimeout(() => this.#answer(id), answerTimeout)
    this.#asked.set(id, answer => { clearTimeout(timer); answered(answer) })
    this.#socket.send(JSON.stringify({ type: verb, room, id }))
  }

  #answer(id, answer) {
    const answered = this.#asked.get(id)
    this.#asked.delete(id)
    answered?.(answer)
  }

  #message(message) {
    switch (message.type) {
      case 'connected':
        this.#recovery = message.recovery
        if (!message.recovered) this.#cursor = message.position
        return this.opened({ recovered: message.recovered === true, reason: message.mustRefetch })
      case 'event':
        this.#cursor = message.position ?? this.#cursor
        if (message.event === 'room:evicted') return this.evicted(message.args[0].room)
        return this.received(message.args[0], { cursor: message.position, room: message.room })
      case 'ack': return this.#answer(message.id, message.args[0])
      case 'error': return this.#answer(message.id, { ok: false, code: message.code })
    }
  }
}
