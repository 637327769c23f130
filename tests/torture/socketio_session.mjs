// The stock socket.io-client with its own reconnection and connection state recovery; nothing is done by hand that the client does.
import { io } from 'socket.io-client'
import { token } from '../support/token.mjs'
import { Session } from './session.mjs'

const answerTimeout = 4000

export class SocketIoSession extends Session {
  protocol = 'socketio'
  #socket

  open() {
    const socket = this.#socket = io(this.url, {
      transports: ['websocket'], forceNew: true, timeout: 1500,
      reconnectionDelay: 30, reconnectionDelayMax: 400,
      auth: answer => answer({ token: token({ userId: this.userId }) })
    })
    socket.on('connect', () => this.opened({ recovered: socket.recovered === true }))
    socket.on('disconnect', reason => {
      this.closed()
      if (reason === 'io server disconnect') socket.connect()   // such an end is for the application to decide
    })
    // A refusal too: the client does not come back from it by itself.
    socket.on('connect_error', () => { if (!socket.active) setTimeout(() => socket.connect(), 200) })
    socket.onAny((event, payload, ...rest) => {
      if (event === 'room:evicted') return this.evicted(payload.room)
      if (!['said', 'changed', 'fence'].includes(event)) return
      const cursor = rest.at(-1)
      this.received(payload, typeof cursor === 'string' ? { cursor } : {})
    })
  }

  close() { this.#socket.disconnect() }

  // Only called while connected: else the client would keep it and send it in another session's life.
  ask(verb, room, answered) {
    this.#socket.timeout(answerTimeout).emit(`room:${verb}`, { room }, (error, answer) => answered(error ? undefined : answer))
  }
}
