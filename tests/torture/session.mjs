// One client as an application would write it: it wants to be in some rooms, joins them again whenever it has become a new session, and
// changes its mind now and then. What it sent and saw goes into `log`, in order; nothing else is known to the checker.
//   {what: 'connected', recovered, reason?}     every time; recovered false on a first connection and after a must-refetch
//   {what: 'cut'}                               the connection ended
//   {what: 'join' | 'leave', room}              sent
//   {what: 'joined', room, since} {what: 'left', room} {what: 'refused', room, code}       answered
//   {what: 'event', n, cursor?, room?}          came; cursor and room where the protocol tells them
//   {what: 'evicted', room}                     came
// The wire is the subclass's: SocketIoSession, NativeSession.
import { setTimeout as sleep } from 'node:timers/promises'

export class Session {
  log = []
  connected = false
  deliveries = 0
  #rooms = new Map()      // room → 'in', 'asking', 'unsure': an answer was lost. Not in the map: out
  #notBefore = new Map()  // room → when a refused join is tried again
  #connection = 0
  #stopped = false

  // wanted: rooms to be in. rooms: all it may join. forbidden: a room that it may not, and asks for all the same. steady: stays where it is.
  constructor({ name, userId, url, wanted, rooms, forbidden, steady, random }) {
    Object.assign(this, { name, userId, url, rooms, forbidden, steady, random })
    this.wanted = new Set(wanted)
  }

  start() {
    this.open()
    this.running = this.#live()
  }

  async stop() {
    this.#stopped = true
    await this.running
    this.close()
  }

  // It is where it wants to be.
  get settled() { return this.connected && this.#rooms.size === this.wanted.size && [...this.wanted].every(room => this.#rooms.get(room) === 'in') }

  note(what, more = {}) { this.log.push({ what, at: Date.now(), ...more }) }

  // --- for subclasses: open(), close(), ask('join' | 'leave', room, answered). answered is called with {ok, position?, error?}, or with
  // nothing when the answer was lost; at once when it comes, for what follows it in the stream must follow it in the log. ---

  opened({ recovered, reason }) {
    this.note('connected', { recovered, reason })
    this.connected = true
    this.#connection += 1
    if (recovered) {
      for (const [room, state] of this.#rooms) if (state === 'asking') this.#rooms.set(room, 'unsure')
    } else {
      this.#rooms.clear()
    }
  }

  closed() {
    if (this.connected) this.note('cut')
    this.connected = false
  }

  received(payload, more) {
    this.deliveries += 1
    this.note('event', { n: payload?.n, ...more })
  }

  evicted(room) {
    this.note('evicted', { room })
    this.#rooms.delete(room)
    this.#notBefore.set(room, Date.now() + 300)
  }

  async #live() {
    let change = Date.now() + this.random.integer(300, 2000)
    while (!this.#stopped) {
      await sleep(30)
      if (Date.now() > change && !this.steady) {
        this.#changeMind()
        if (this.connected && this.random.chance(0.2)) this.#ask('join', this.forbidden)
        change = Date.now() + this.random.integer(300, 2000)
      }
      if (this.connected) this.#reconcile()
    }
  }

  // Leaves one room for another.
  #changeMind() {
    const left = this.random.pick([...this.wanted])
    const chosen = this.random.pick(this.rooms.filter(room => !this.wanted.has(room)))
    if (chosen === undefined) return
    this.wanted.delete(left)
    this.wanted.add(chosen)
  }

  #reconcile() {
    const now = Date.now()
    for (const room of this.wanted) {
      const state = this.#rooms.get(room)
      if (state !== 'in' && state !== 'asking' && (this.#notBefore.get(room) ?? 0) < now) this.#ask('join', room)
    }
    for (const [room, state] of this.#rooms) if (!this.wanted.has(room) && state !== 'asking') this.#ask('leave', room)
  }

  #ask(verb, room) {
    const connection = this.#connection
    const before = this.#rooms.get(room)
    this.note(verb, { room })
    this.#rooms.set(room, 'asking')
    this.ask(verb, room, answer => {
      // When it is another connection by now, opened() has dealt with it.
      if (connection === this.#connection) this.#answered(verb, room, before, answer)
    })
  }

  #answered(verb, room, before, answer) {
    if (answer === undefined) {
      this.#rooms.set(room, 'unsure')
    } else if (!answer.ok) {
      this.note('refused', { room, code: answer.error?.code ?? answer.code })
      if (before === undefined) this.#rooms.delete(room)
      else this.#rooms.set(room, 'unsure')
      this.#notBefore.set(room, Date.now() + 300)
    } else if (verb === 'join') {
      this.note('joined', { room, since: answer.position })
      this.#rooms.set(room, 'in')
    } else {
      this.note('left', { room })
      this.#rooms.delete(room)
    }
  }
}
