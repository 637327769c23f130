// One client's log against the positions. The walk keeps, for each room, whether the session is surely in it, and from which position:
//
//    out ──join sent──► maybe ──answered──► in(since) ──leave sent──► maybe ──answered──► out
//
// In `maybe` an event of the room may come; in `in` every one after `since` must. A cut does not change that when the session was
// recovered. When it was not, the client is out of every room; up to the last event it saw nothing may be missing, beyond that it reads
// its state anew.
import { isCommitted } from './check_log.mjs'
import { Order } from './order.mjs'

export function checkSession(run, index, session, report) {
  return new Walk(run, index, session, report).all()
}

class Walk {
  // room → {state: 'in' | 'maybe', since: what must come begins there, from: what may come does, fresh: it was out before this join,
  // seen: the last position when the join was answered, behind: up to where its events of before that have come}
  rooms = new Map()
  intervals = []           // {room, since, until}: every event in it must have come
  got = new Map()          // n → position
  evictedFrom = new Set()  // rooms that an eviction took it out of
  recoveries = []          // {after, at}
  last = 0                 // the highest position it saw
  fenced = false
  counts = { deliveries: 0, recoveries: 0, refetches: 0, evictions: 0, required: 0 }

  constructor(run, index, session, report) {
    Object.assign(this, { run, index, session, report })
    this.order = new Order(run.transactions)
    this.evictions = index.evictions.filter(({ userId }) => userId === undefined || userId === null || userId === session.userId)
  }

  all() {
    for (const entry of this.session.log) this[entry.what]?.(entry)
    if (!this.fenced) this.report('lost', `it never got the last event, ${this.run.fence}`)
    for (const room of [...this.rooms.keys()]) this.close(room, this.last)
    this.checkIntervals()
    return this.counts
  }

  // --- what can be in a log ---

  connected({ recovered, reason, at }) {
    if (recovered) {
      this.counts.recoveries += 1
      this.recoveries.push({ after: this.last, at })
      for (const membership of this.rooms.values()) membership.fresh = false   // what was not answered may have happened all the same
      return
    }
    if (this.seenBefore) {
      this.counts.refetches += 1
      if (this.run.recovers && !this.mayRefuse(at))
        this.report('recovery', `it was told to fetch anew after position ${this.last} (${reason ?? 'no reason'}), for no reason that there was`)
    }
    this.seenBefore = true
    this.joinedOnce = false
    for (const room of [...this.rooms.keys()]) this.close(room, this.last)
    this.rooms.clear()
    this.evictedFrom.clear()
  }

  join({ room }) { this.rooms.set(room, { ...(this.rooms.get(room) ?? { state: 'maybe', fresh: true }), seen: Infinity, behind: 0 }) }

  refused({ room }) { if (this.rooms.get(room)?.fresh) this.rooms.delete(room) }

  joined({ room, since }) {
    if (room === this.session.forbidden) this.report('leak', `it was let into ${room}`)
    this.joinedOnce = true
    this.evictedFrom.delete(room)
    const { fresh = true, behind = 0 } = this.rooms.get(room) ?? {}
    // It may have been in before, from an earlier position: then that one goes on.
    this.rooms.set(room, { state: 'in', since: position(since), from: fresh ? position(since) : 0, seen: this.last, behind })
  }

  leave({ room }) {
    this.close(room, this.last)
    this.rooms.set(room, { state: 'maybe', fresh: false })
  }

  left({ room }) { this.rooms.delete(room) }

  evicted({ room }) {
    this.counts.evictions += 1
    const membership = this.rooms.get(room)
    const after = position => this.evictions.find(one => one.room === room && one.position > position)
    const eviction = after(membership?.since ?? this.last) ?? after(membership?.from ?? this.last)
    if (eviction === undefined) this.report('eviction', `it was told of an eviction from ${room} that nobody made`)
    else this.close(room, eviction.position)
    this.rooms.delete(room)
    this.evictedFrom.add(room)
  }

  event({ n, cursor, room: named }) {
    this.counts.deliveries += 1
    const event = this.run.events[n]
    if (event === undefined || !isCommitted(this.run, event)) return this.report('aborted', `event ${n} came and was never committed`)
    if (this.got.has(n)) return this.report('duplicate', `event ${n} came twice`)
    const at = this.index.positionOf.get(n)
    if (at === undefined) return this.report('hole', `event ${n} came and has no position`)
    this.got.set(n, at)
    if (n === this.run.fence) this.fenced = true
    const through = event.rooms.filter(room => this.rooms.has(room) && !(at <= this.rooms.get(room).from))
    this.checkRight(event, at, through, named)
    this.checkOrder(event, at, through, cursor)
    this.last = Math.max(this.last, at)
  }

  // --- what follows from it ---

  // Reasons not to recover: an eviction since; events that are no longer kept; a session that was so new that a crash of the server could
  // forget it.
  mayRefuse(at) {
    return this.evictions.some(({ position }) => position > this.last) ||
      this.run.log.floors.some(({ floor, at: when }) => floor > this.last + 1 && when < at) || !this.joinedOnce
  }

  // What a room that is being joined had published since the decision comes with the answer, though later events may have come through
  // other rooms before: in order by itself, and never with a cursor that would bring those again.
  checkOrder(event, at, through, cursor) {
    const joined = through.map(room => this.rooms.get(room)).find(({ seen, behind }) => at <= seen && at > behind)
    const early = joined !== undefined && cursor !== undefined && position(cursor) > at   // the session has seen that position already
    if (joined !== undefined && (early || at <= this.last)) joined.behind = at
    if (at <= this.last && joined !== undefined) {
      if (cursor !== undefined && position(cursor) < this.last) this.report('hole', `event ${event.n} came as ${cursor}, behind position ${this.last}`)
      return
    }
    if (cursor !== undefined && position(cursor) !== at && !early) this.report('hole', `event ${event.n} came as ${cursor}, and its position is ${at}`)
    if (at <= this.last) this.report('order', `position ${at} (event ${event.n}) came after position ${this.last}`)
    for (const wrong of this.order.next(event, this.index.entryAt.get(at).version)) this.report('order', `position ${at}: ${wrong}`)
  }

  checkRight(event, at, through, named) {
    if (through.length === 0) {
      const evicted = event.rooms.filter(room => this.evictedFrom.has(room))
      if (evicted.length > 0) this.report('eviction', `event ${event.n} at position ${at} came through ${evicted}, after the eviction`)
      else this.report('leak', `event ${event.n} at position ${at} is for ${event.rooms}, and it was in none of them`)
    } else if (named !== undefined && !through.includes(named)) {
      this.report('leak', `event ${event.n} at position ${at} came as one of ${named}`)
    }
  }

  close(room, until) {
    const membership = this.rooms.get(room)
    if (membership?.state === 'in') this.intervals.push({ room, since: membership.since, until })
  }

  checkIntervals() {
    const missing = new Map(), required = new Set()
    for (const { room, since, until } of this.intervals) {
      const eviction = this.evictions.find(one => one.room === room && one.position > since && one.position < until)
      if (eviction) this.report('eviction', `it was evicted from ${room} at position ${eviction.position}, and stayed in`)
      for (const entry of between(this.index.byRoom.get(room) ?? [], since, eviction?.position ?? until)) {
        required.add(entry.n)
        if (!this.got.has(entry.n)) missing.set(entry.position, { entry, room })
      }
    }
    this.counts.required = required.size
    for (const { entry, room } of missing.values()) {
      const recovery = this.recoveries.find(({ after, at }) => entry.position > after && entry.at < at)
      const text = `event ${entry.n} of ${room} at position ${entry.position} never came`
      if (recovery) this.report('recovery', `${text}, though the recovery after position ${recovery.after} said that nothing was missed`)
      else this.report('lost', text)
    }
  }
}

const position = cursor => Number(String(cursor).split(':').at(-1))

// Entries are in order of positions: those with since < position ≤ until.
function between(entries, since, until) {
  const index = value => {
    let low = 0, high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (entries[middle].position <= value) low = middle + 1
      else high = middle
    }
    return low
  }
  return entries.slice(index(since), index(until))
}
