// The checker on made-up runs: a sound one has no finding, and each kind of fault has its own. A run is a few events in two rooms and one
// session; every test spoils a copy of it in one place.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, kindsOfFindings } from './checker.mjs'

// Four committed transactions, one aborted. n is the place in `events`; positions are 101 … 106.
function sound() {
  const transaction = (t, status, committedAt = Infinity) => ({ t, kind: 'single', status, committedAt, events: [] })
  const event = (n, t, k, rooms, sentAt, more = {}) => ({ n, t, k, rooms, row: null, sentAt, undone: false, ...more })
  const events = [
    event(0, 0, 0, ['a'], 1), event(1, 0, 1, ['a', 'b'], 2),   // transaction 0 is committed at 3
    event(2, 1, 0, ['b'], 4, { row: 7 }),                      // at 6
    event(3, 2, 0, ['a'], 5, { row: 7 }),                      // at 7: began before 1 had ended
    event(4, 3, 0, ['a'], 8),                                  // rolled back
    event(5, 4, 0, ['a', 'b'], 9)                              // the fence
  ]
  const transactions = [transaction(0, 'committed', 3), transaction(1, 'committed', 6), transaction(2, 'committed', 7), transaction(3, 'aborted'), transaction(4, 'committed', 10)]
  const entry = (position, n, more = {}) => ({ position, n, t: events[n].t, k: events[n].k, name: 'said', rooms: events[n].rooms, at: position * 1000, payload: {}, ...more })
  const entries = [entry(101, 0), entry(102, 1), entry(103, 2, { row: 7, version: 1 }), entry(104, 3, { row: 7, version: 2 }), entry(105, 5)]
  const came = (n, position) => ({ what: 'event', at: position * 1000 + 1, n, cursor: `e:${position}` })
  const log = [
    { what: 'connected', at: 100_000, recovered: false },
    { what: 'join', room: 'a' }, { what: 'joined', room: 'a', since: 'e:100' },
    { what: 'join', room: 'b' }, { what: 'joined', room: 'b', since: 'e:100' },
    came(0, 101), came(1, 102), came(2, 103), came(3, 104), came(5, 105)
  ]
  const run = {
    events, transactions, fence: 5, recovers: true, rows: [{ id: 7, version: 2 }],
    log: { entries, ticks: [{ first: 101, last: 102 }, { first: 103, last: 105 }], deliveries: new Map(entries.map(({ position, rooms }) => [position, [...rooms]])), floors: [], start: 100 },
    sessions: [{ name: 'session', userId: 'u', protocol: 'native', forbidden: 'c', log }]
  }
  return { run, log, entries, came, events, transactions }
}

const at = (log, n) => log.findIndex(entry => entry.n === n)

// Puts an eviction of u from a at position 106, in front of a later event 6 for a at 107; the fence is 7, at 108 and for b.
function withEviction(parts) {
  const { run, log, entries, came, events, transactions } = parts
  const add = (n, position, rooms) => {
    transactions.push({ t: transactions.length, kind: 'single', status: 'committed', committedAt: 20 + n, events: [] })
    events.push({ n, t: transactions.length - 1, k: 0, rooms, row: null, sentAt: 19 + n, undone: false })
    entries.push({ position, n, t: events[n].t, k: 0, name: 'said', rooms, at: position * 1000, payload: {} })
  }
  entries.push({ position: 106, name: 'pulse:evict', rooms: ['pulse:system'], at: 106_000, payload: { room: 'a', userId: 'u', reason: '0' } })
  add(6, 107, ['a'])
  add(7, 108, ['b'])
  run.log.ticks.push({ first: 106, last: 108 })
  for (const { position, rooms } of entries.slice(-3)) run.log.deliveries.set(position, rooms)
  run.fence = 7
  log.push({ what: 'evicted', room: 'a' }, came(7, 108))
}

const spoiled = (kind, name, spoil, words) => test(`finds ${kind}: ${name}`, () => {
  const parts = sound()
  spoil(parts)
  const { findings } = check(parts.run)
  assert.ok(findings.length > 0, 'nothing was found')
  assert.deepEqual([...new Set(findings.map(finding => finding.kind))], [kind], JSON.stringify(findings))
  if (words) assert.ok(findings.some(({ what }) => words.test(what)), JSON.stringify(findings))
})

const fine = (name, change) => test(`finds nothing: ${name}`, () => {
  const parts = sound()
  change(parts)
  assert.deepEqual(check(parts.run).findings, [])
})

fine('a sound run', () => {})
fine('an eviction that took effect', withEviction)
fine('a cut and a recovery', ({ log }) => { log.splice(at(log, 2), 0, { what: 'cut' }, { what: 'connected', at: 103_500, recovered: true }) })
const refused = ({ log }) => { log.splice(at(log, 5), 0, { what: 'cut' }, { what: 'connected', at: 104_500, recovered: false, reason: 'expired' }, { what: 'join', room: 'a' }, { what: 'joined', room: 'a', since: 'e:104' }) }
fine('a refusal, since events are no longer kept', parts => { refused(parts); parts.run.log.floors.push({ at: 104_400, floor: 106 }) })
spoiled('recovery', 'a refusal before the floor was there', parts => { refused(parts); parts.run.log.floors.push({ at: 104_600, floor: 106 }) })
fine('nothing is required of a room between leave and answer', ({ log }) => { log.splice(at(log, 3), 1, { what: 'leave', room: 'a' }); log.push({ what: 'left', room: 'a' }) })
fine('an event of a room whose join was not answered yet', ({ log }) => { log.splice(2, 1) })
fine('what came between a decision and its answer, behind later events of another room', ({ log, came }) => {
  log.splice(log.findIndex(({ what }) => what === 'joined'), 1)   // a is joined late
  log.splice(at(log, 0), 1)
  log.splice(at(log, 3) + 1, 0, { what: 'joined', room: 'a', since: 'e:100' }, { ...came(0, 101), cursor: 'e:104' })
})
fine('what a joined room had published, with the cursor that the session has reached', ({ log }) => {
  const [answer] = log.splice(2, 1)
  log[at(log, 0)].cursor = 'e:102'
  log.splice(at(log, 0) + 1, 0, answer)
})
fine('an event of before a second join of a room whose leaving was never answered', ({ log }) => {
  log.splice(at(log, 0), 0, { what: 'leave', room: 'a' }, { what: 'cut' }, { what: 'connected', at: 100_500, recovered: true }, { what: 'join', room: 'a' }, { what: 'joined', room: 'a', since: 'e:102' })
})

spoiled('lost', 'a committed event without a position', ({ run, entries, log }) => { entries.splice(0, 1); run.log.start = 101; run.log.ticks[0].first = 102; log.splice(at(log, 0), 1) })
spoiled('lost', 'an event that a session in its room did not get', ({ log }) => { log.splice(at(log, 3), 1) })
spoiled('lost', 'the last event', ({ log }) => { log.splice(at(log, 5), 1) }, /never got the last/)
spoiled('lost', 'an event before a gap', ({ run, log }) => {
  run.recovers = false
  log.splice(at(log, 1), 1)
  log.splice(at(log, 3), 0, { what: 'cut' }, { what: 'connected', at: 103_500, recovered: false }, { what: 'join', room: 'a' }, { what: 'joined', room: 'a', since: 'e:103' })
})
spoiled('lost', 'a change of a row', ({ run }) => { run.rows[0].version = 3 })
spoiled('aborted', 'an event that was rolled back', ({ log, came }) => { log.splice(at(log, 5), 0, came(4, 104)) })
spoiled('aborted', 'an event of a savepoint that was rolled back', ({ events }) => { events[0].undone = true })
spoiled('aborted', 'an event nobody published', ({ log, came }) => { log.splice(at(log, 5), 0, came(99, 104)) })
spoiled('aborted', 'a position of nothing', ({ entries, run }) => { Object.assign(entries[0], { n: undefined, name: null, rooms: [] }); run.log.deliveries.set(101, []); run.events[0].undone = true; run.sessions = [] })
spoiled('duplicate', 'an event twice in a session', ({ log, came }) => { log.splice(at(log, 2), 0, came(1, 102)) })
spoiled('duplicate', 'an event again after a recovery', ({ log, came }) => { log.splice(at(log, 2), 0, { what: 'cut' }, { what: 'connected', at: 103_500, recovered: true }, came(1, 102)) })
spoiled('duplicate', 'an event with two positions', ({ run, entries }) => {
  entries.push({ ...entries[4], position: 106 })
  run.log.ticks.push({ first: 106, last: 106 })
  run.log.deliveries.set(106, ['a', 'b'])
})
spoiled('order', 'two positions swapped', ({ log }) => { const [one] = log.splice(at(log, 2), 1); log.splice(at(log, 3) + 1, 0, one) })
const swapEntries = (entries, one, other) => {
  const { position, at: time } = entries[one]
  Object.assign(entries[one], { position: entries[other].position, at: entries[other].at })
  Object.assign(entries[other], { position, at: time })
  ;[entries[one], entries[other]] = [entries[other], entries[one]]
}
const follow = ({ run, log, entries, came }) => {
  run.log.deliveries = new Map(entries.map(({ position, rooms }) => [position, rooms]))
  log.splice(5, 5, ...entries.map(({ n, position }) => came(n, position)))
}
spoiled('order', 'the events of a transaction', parts => { swapEntries(parts.entries, 0, 1); follow(parts) }, /event 0 of transaction 0 came after its event 1/)
spoiled('order', 'cause after effect', parts => { swapEntries(parts.entries, 1, 2); follow(parts) }, /was committed before event/)
spoiled('order', 'the changes of a row', parts => { swapEntries(parts.entries, 2, 3); follow(parts) }, /version 1 of row 7 came after version 2/)
spoiled('hole', 'a position between two ticks', ({ run, entries, log }) => {
  for (const entry of entries.slice(2)) entry.position += 1
  run.log.ticks[1] = { first: 104, last: 106 }
  run.log.deliveries = new Map(entries.map(({ position, rooms }) => [position, rooms]))
  for (const entry of log) if (entry.n >= 2) entry.cursor = `e:${Number(entry.cursor.slice(2)) + 1}`
}, /begins at position 104/)
spoiled('hole', 'a delivery missing', ({ run }) => { run.log.deliveries.set(102, ['a']) })
spoiled('hole', 'a cursor that is not the position', ({ log }) => { log[at(log, 2)].cursor = 'e:200' })
spoiled('leak', 'an event of a room it was not in', ({ log }) => { log.splice(3, 2) })
spoiled('leak', 'an event of a room it had left', ({ log }) => { log.splice(at(log, 2), 0, { what: 'leave', room: 'b' }, { what: 'left', room: 'b' }) })
spoiled('leak', 'an event from before the join', ({ log }) => { log[2].since = 'e:101' })
spoiled('leak', 'the name of a room it is not in', ({ log }) => { log[at(log, 0)].room = 'b' })
spoiled('leak', 'a forbidden room', ({ run }) => { run.sessions[0].forbidden = 'b' })
spoiled('leak', 'an event stored for other rooms', ({ run, entries }) => { entries[4].rooms = ['a']; run.log.deliveries.set(105, ['a']) })
spoiled('recovery', 'one that left out an event', ({ log }) => { log.splice(at(log, 2), 1, { what: 'cut' }, { what: 'connected', at: 103_500, recovered: true }) })
spoiled('recovery', 'a refusal without a reason', ({ log }) => {
  log.splice(at(log, 3), 0, { what: 'cut' }, { what: 'connected', at: 103_500, recovered: false }, { what: 'join', room: 'a' }, { what: 'joined', room: 'a', since: 'e:103' })
})
spoiled('eviction', 'no notice, and it stayed in', parts => { withEviction(parts); parts.log.splice(-2, 1, parts.came(6, 107)) })
spoiled('eviction', 'no notice, and nothing came', parts => { withEviction(parts); parts.log.splice(-2, 1) })
spoiled('eviction', 'an event after it', parts => { withEviction(parts); parts.log.splice(-1, 0, parts.came(6, 107)) })
spoiled('eviction', 'one without a position', ({ transactions }) => { transactions.push({ t: 5, kind: 'evict', status: 'committed', committedAt: 11, events: [] }) })
spoiled('aborted', 'an eviction that was rolled back', parts => { withEviction(parts); parts.entries[5].payload.reason = '3' })
spoiled('eviction', 'one that nobody made', ({ log }) => { log.splice(at(log, 5), 0, { what: 'evicted', room: 'a' }) })

test('every kind of finding has a test here', async t => {
  const { readFileSync } = await import('node:fs')
  const text = readFileSync(new URL(import.meta.url), 'utf8')
  for (const kind of kindsOfFindings) assert.ok(text.includes(`\nspoiled('${kind}'`), kind)
})
