// A client of the native protocol as an application would write it: it keeps the cursor of the last event, comes back with it, and
// fetches anew when it is told to. It remembers everything it was given.
import { until } from '../support/wait.mjs'

export class Follower {
  events = []       // payloads, in the order of arrival
  cursor            // of the last event, or of the join
  refetches = []    // reasons, each time it was told to fetch anew

  constructor(pulse, room, userId, options = {}) { Object.assign(this, { pulse, room, userId, options }) }

  // Connects and joins, from its cursor when it has one. Returns the join's answer.
  async connect(cursor = this.cursor) {
    const socket = await this.pulse.ws({ userId: this.userId }, this.options)
    this.socket = socket
    let answer
    const seen = data => {
      const message = JSON.parse(data)
      if (message.type === 'event' && message.room === this.room) {
        this.events.push(message.args[0])
        this.cursor = message.position
      } else if (message.type === 'ack' && message.id === 'join') {
        answer = message.args[0]
      }
    }
    for (const [data] of socket.frames.items) seen(data)
    socket.on('message', seen)
    await socket.frames.atLeast(1)
    const join = () => socket.send(JSON.stringify({ type: 'join', room: this.room, id: 'join', ...(cursor && { since: cursor }) }))
    join()
    await until(() => {
      if (answer?.code === 'unavailable') { answer = undefined; join() }   // the bridge is about to find its database again
      return answer
    }, { what: `an answer to the join of ${this.userId}`, every: 50 })
    if (answer.mustRefetch) this.refetches.push(answer.mustRefetch)
    if (answer.ok && (answer.mustRefetch || this.cursor === undefined)) this.cursor = answer.position
    return answer
  }

  async leave() {
    this.socket.terminate()
    await this.socket.closed.catch(() => {})
  }

  has(...wanted) { return until(() => wanted.every(one => this.events.includes(one)), { what: `${this.userId} having ${wanted.at(-1)} (has ${this.events.at(-1)})` }) }
}
