// What the dispatcher wrote against what was published. Returns what the sessions are compared with: positions, and events by room.
import { Order } from './order.mjs'

export function checkLog(run, report) {
  const { events, transactions, log } = run
  checkDense(log, report)
  const order = new Order(transactions)
  const positionOf = new Map(), entryAt = new Map(), byRoom = new Map(), evictions = []
  for (const entry of log.entries) {
    checkDeliveries(log, entry, report)
    if (entry.name === 'pulse:evict') evictions.push(checkEviction(run, entry, report))
    if (entry.name === null) {
      report('aborted', `position ${entry.position} is of an event that does not exist`)
      continue
    }
    if (entry.n === undefined) continue   // not of the writers: the engine's own
    const event = events[entry.n]
    if (event === undefined || !isCommitted(run, event)) {
      report('aborted', `event ${entry.n} at position ${entry.position} was never committed`)
      continue
    }
    if (positionOf.has(event.n)) {
      report('duplicate', `event ${event.n} has the positions ${positionOf.get(event.n)} and ${entry.position}`)
      continue
    }
    positionOf.set(event.n, entry.position)
    entryAt.set(entry.position, entry)
    if (!same(entry.rooms, event.rooms)) report('leak', `event ${event.n} is for ${event.rooms}, and was stored for ${entry.rooms}`)
    for (const wrong of order.next(event, entry.version)) report('order', `position ${entry.position}: ${wrong}`)
    for (const room of event.rooms) {
      if (!byRoom.has(room)) byRoom.set(room, [])
      byRoom.get(room).push(entry)
    }
  }
  for (const event of events)
    if (isCommitted(run, event) && !positionOf.has(event.n)) report('lost', `event ${event.n} of transaction ${event.t} was committed and has no position`)
  const told = new Set(evictions.map(({ reason }) => Number(reason)))
  for (const { t, kind, status } of transactions)
    if (kind === 'evict' && status === 'committed' && !told.has(t)) report('eviction', `transaction ${t} evicted somebody, and it has no position`)
  checkRows(run, report)
  return { positionOf, entryAt, byRoom, evictions }
}

// The warden's transaction is the reason.
function checkEviction({ transactions }, { position, payload }, report) {
  if (transactions[payload.reason]?.status !== 'committed') report('aborted', `the eviction at position ${position} was never committed`)
  return { position, ...payload }
}

export const isCommitted = ({ transactions }, event) => !event.undone && transactions[event.t].status === 'committed'

const same = (a, b) => a.length === b.length && [...a].sort().every((room, n) => room === [...b].sort()[n])

function checkDense({ ticks, entries, start }, report) {
  let next = start + 1
  for (const { first, last } of ticks) {
    if (first !== next) report('hole', `a tick begins at position ${first}, not at ${next}`)
    next = last + 1
  }
  next = start + 1
  for (const { position } of entries) {
    if (position !== next) report('hole', `position ${position} follows ${next - 1}`)
    next = position + 1
  }
}

function checkDeliveries({ deliveries }, { position, rooms }, report) {
  const stored = deliveries.get(position)
  if (stored === undefined || !same(stored, rooms)) report('hole', `position ${position} is delivered to ${stored ?? 'nobody'}, not to ${rooms}`)
}

// Each change of a row is one event, so the version that the table has at the end is the number of its events.
function checkRows({ log, rows }, report) {
  const count = new Map()
  for (const { row } of log.entries) if (row !== undefined) count.set(row, (count.get(row) ?? 0) + 1)
  for (const { id, version } of rows)
    if ((count.get(id) ?? 0) !== version) report('lost', `row ${id} was changed ${version} times, and ${count.get(id) ?? 0} events tell of it`)
}
