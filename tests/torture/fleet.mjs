// All sessions of a run, over every protocol, in overlapping rooms.
import { until } from '../support/wait.mjs'
import { NativeSession } from './native_session.mjs'
import { SocketIoSession } from './socketio_session.mjs'

const protocols = [SocketIoSession, NativeSession]

export class Fleet {
  sessions = []

  // each: sessions a protocol. A third of them stays in its rooms, the others move about. Every user has a room it may never join, and
  // asks for it now and then.
  constructor({ url, rooms, random, each }) {
    for (let n = 0; n < each * protocols.length; n++) {
      const own = random(`session ${n}`)
      const allowed = own.shuffle(rooms)
      const forbidden = allowed.pop()
      const Protocol = protocols[n % protocols.length]
      this.sessions.push(new Protocol({
        name: `${n} ${Protocol.name}`, userId: `user-${n}`, url, random: own,
        rooms: allowed, wanted: allowed.slice(0, own.integer(3, 6)), forbidden, steady: n % 3 === 0
      }))
    }
  }

  async grant(cluster) {
    for (const { userId, rooms } of this.sessions)
      await cluster.sql('INSERT INTO torture.rights SELECT $1, unnest($2::text[])', [userId, rooms])
  }

  start() { for (const session of this.sessions) session.start() }

  // Events that came to anybody so far.
  get deliveries() { return this.sessions.reduce((sum, session) => sum + session.deliveries, 0) }

  // Waits until everybody is connected and in the rooms wanted; returns who is not.
  async settle(timeout = 30_000) {
    const lost = () => this.sessions.filter(session => !session.settled)
    await until(() => lost().length === 0, { timeout, what: 'sessions being where they want to be' }).catch(() => {})
    return lost()
  }

  async stop() { await Promise.all(this.sessions.map(session => session.stop())) }
}
