// The queue's checker on made-up runs: a sound one has no finding, and each kind of fault has its own. Every test spoils a copy of it in one place.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkQueue, kindsOfFindings } from './check_queue.mjs'

// Job n has the id 100 + n; times are in ms, and the oracle's clock is the same number.
function sound() {
  const queues = {
    work: { channel: 'sql' }, ordered: { channel: 'sql' }, few: { channel: 'sql', concurrency: 1 }, rated: { channel: 'sql', rate: 2, per: 100 },
    hooks: { channel: 'http' }, errands: { channel: 'external' }
  }
  const run = { queues, transactions: [], calls: [], operations: [], logs: { sql: [], http: [], external: [] }, effects: [], ends: [], rows: [], doubles: [], lostEnds: [] }
  const idOf = n => String(100 + n)
  const transaction = (at, status = 'committed') => {
    run.transactions.push({ t: run.transactions.length, status, committedAt: status === 'committed' ? at : Infinity, committedTime: at })
    return run.transactions.length - 1
  }
  const call = (queue, at, more = {}) => {
    const n = run.calls.length
    run.calls.push({ n, t: transaction(at + 1), queue, sentAt: at, sentTime: at, undone: false, id: idOf(n), maxAttempts: 2, ...more })
    return n
  }
  const row = (n, state, more = {}) => run.rows.push({
    place: state === 'discarded' ? 'dead letters' : 'history', id: idOf(n), n, queue: run.calls[n].queue, state, reason: null, attempt: 1, maxAttempts: 2, errors: 0, error: null, ...more
  })
  const works = (n, at, { attempt = 1, ends = true, done = true, job = idOf(n) } = {}) => {
    run.logs.sql.push({ what: 'begin', n, job, attempt, run: `r${at}`, at })
    if (ends) run.logs.sql.push({ what: 'end', run: `r${at}` })
    if (done) run.effects.push({ n, job, run: `r${at}` })
  }
  const requests = (n, at, attempt, status) => run.logs.http.push(
    { what: 'begin', request: at, queue: 'hooks', n, job: idOf(n), attempt, at, time: at }, { what: 'end', request: at, status })
  const fetched = (n, at, attempt, said, answer = true) => run.logs.external.push(
    { what: 'begin', n, job: idOf(n), attempt, by: 'f', time: at, at }, { what: 'end', job: idOf(n), attempt, said, answer })

  call('work', 10); works(0, 20); row(0, 'completed')
  call('ordered', 30, { key: 'a' }); call('ordered', 40, { key: 'a' })
  works(1, 50); row(1, 'completed'); works(2, 60); row(2, 'completed')
  call('work', 70); run.transactions[3].status = 'aborted'
  call('hooks', 80); requests(4, 90, 1, 503); requests(4, 100, 2, 200); row(4, 'completed', { attempt: 2, errors: 1 })
  call('errands', 110); fetched(5, 120, 1, 'nack'); fetched(5, 130, 2, 'ack'); row(5, 'completed', { attempt: 2, errors: 1 })
  call('work', 140, { uniqueKey: 'k', uniqueMode: 'keep' })
  call('work', 150, { uniqueKey: 'k', uniqueMode: 'replace', id: idOf(6) }); works(7, 160, { job: idOf(6) }); row(7, 'completed', { id: idOf(6) })
  call('work', 170, { onEnd: true }); works(8, 180, { done: false }); works(8, 190, { attempt: 2, done: false })
  row(8, 'discarded', { reason: 'attempts', attempt: 2, errors: 2 }); run.ends.push({ job: idOf(8), state: 'discarded' })
  call('work', 200, { runAt: 400 }); run.operations.push({ what: 'cancel', id: idOf(9), t: transaction(210), sentTime: 209, answer: true }); row(9, 'cancelled', { attempt: 0 })
  call('few', 220); call('few', 221); works(10, 230); row(10, 'completed'); works(11, 240); row(11, 'completed')
  for (const at of [300, 301, 302]) call('rated', at)
  for (const [n, at] of [[12, 310], [13, 350], [14, 410]]) { works(n, at); row(n, 'completed') }
  run.rows.push({ place: 'history', id: '200', n: null, queue: 'pulse:on_end', state: 'completed', reason: null, attempt: 1, maxAttempts: 3, errors: 0, error: null })
  return { run, works, requests, fetched, call, row, transaction, idOf, rowOf: n => run.rows.find(one => one.n === n), beginOf: n => run.logs.sql.find(one => one.n === n) }
}

const fine = (name, change) => test(`finds nothing: ${name}`, () => {
  const parts = sound()
  change(parts)
  assert.deepEqual(checkQueue(parts.run).findings, [])
})
const spoiled = (kind, name, spoil, words) => test(`finds ${kind}: ${name}`, () => {
  const parts = sound()
  spoil(parts)
  const { findings } = checkQueue(parts.run)
  assert.deepEqual([...new Set(findings.map(finding => finding.kind))], [kind], JSON.stringify(findings))
  if (words) assert.ok(findings.some(({ what }) => words.test(what)), JSON.stringify(findings))
})
const without = (run, n) => { run.rows = run.rows.filter(row => row.n !== n) }

fine('a sound run', () => {})
fine('an attempt that was given back, and began again elsewhere', ({ run }) => {
  run.logs.sql.splice(0, 0, { what: 'begin', n: 0, job: '100', attempt: 1, run: 'killed', at: 15 })
})
fine('one that was given back, and cancelled before it began again', ({ run, works }) => {
  run.calls[9].runAt = undefined
  works(9, 205, { ends: false, done: false })
})
fine('two that ran side by side, where nobody saw the end of the first', ({ run, works }) => {
  run.logs.sql = run.logs.sql.filter(({ run: name, what }) => !(what === 'end' && name === 'r230'))
})
fine('a dead letter that was redriven, and whose on_end was called twice', ({ run, works, rowOf, transaction, idOf }) => {
  run.operations.push({ what: 'redrive', id: idOf(8), t: transaction(500), sentTime: 499, answer: true })
  works(8, 510, { attempt: 3 })
  Object.assign(rowOf(8), { state: 'completed', place: 'history', reason: null, attempt: 3, maxAttempts: 5 })
  run.ends.push({ job: idOf(8), state: 'completed' })
})

spoiled('lost', 'a job that is nowhere', ({ run }) => { without(run, 9) })
spoiled('lost', 'a job that never ended', ({ rowOf }) => { Object.assign(rowOf(9), { place: 'jobs', state: 'scheduled' }) }, /has not ended/)
spoiled('lost', 'one that stood for another and ran before it', ({ run, works }) => {
  Object.assign(run.calls[7], { sentTime: 165, uniqueMode: 'keep' })
  run.calls[6].uniqueMode = 'replace'
}, /had run before/)
spoiled('lost', 'a death that nobody decided', ({ rowOf }) => { Object.assign(rowOf(8), { reason: 'permanent' }) })
spoiled('lost', 'an end that on_end did not hear of', ({ run }) => { run.ends = [] })
spoiled('aborted', 'a job of a transaction that was rolled back', ({ row }) => row(3, 'cancelled'), /exists/)
spoiled('aborted', 'one that ran', ({ works, row, run }) => { works(3, 75); row(3, 'completed') }, /ran/)
spoiled('aborted', 'one of a savepoint', ({ run }) => { run.calls[0].undone = true })
spoiled('twice', 'an effect twice', ({ works }) => works(0, 25), /2 times/)
spoiled('twice', 'a run after the success, that left nothing', ({ works }) => works(0, 25, { done: false }), /after its success/)
spoiled('twice', 'a request more than attempts', ({ requests, run }) => { requests(4, 105, undefined, 200) }, /3 requests/)
spoiled('twice', 'one attempt sent twice', ({ run }) => { run.logs.http[2].attempt = 1 }, /begun twice/)
spoiled('twice', 'a job in two places', ({ run, rowOf }) => { run.rows.push({ ...rowOf(0), place: 'dead letters' }) })
spoiled('twice', 'one job at once in two workers', ({ run }) => {
  run.logs.sql.splice(1, 0, { what: 'begin', n: 0, job: '100', attempt: 1, run: 'other', at: 21 })
  run.effects[0].run = 'other'
}, /at once/)
spoiled('attempts', 'more than were allowed', ({ rowOf }) => { Object.assign(rowOf(8), { attempt: 3, errors: 3 }) }, /3 attempts of 2/)
spoiled('attempts', 'more than were asked for', ({ rowOf }) => { rowOf(0).maxAttempts = 9 }, /in place of/)
spoiled('attempts', 'numbers that go back', ({ run }) => { run.logs.sql.find(({ run: name }) => name === 'r180').attempt = 3; run.rows.find(({ n }) => n === 8).attempt = 3; run.rows.find(({ n }) => n === 8).maxAttempts = 3; run.rows.find(({ n }) => n === 8).errors = 3; run.calls[8].maxAttempts = 3 }, /began after/)
spoiled('attempts', 'a failure that is not on record', ({ rowOf }) => { rowOf(4).errors = 0 })
spoiled('attempts', 'a death with attempts left', ({ rowOf, run }) => { rowOf(8).maxAttempts = 3; run.calls[8].maxAttempts = 3 }, /died after/)
spoiled('order', 'the second of a key first', ({ run }) => {
  const all = run.logs.sql, of = n => all.findIndex(one => one.n === n)
  all.splice(of(1), 4, ...all.slice(of(2), of(2) + 2), ...all.slice(of(1), of(1) + 2))
}, /which was first/)
spoiled('order', 'two of a key side by side', ({ run }) => {
  const at = run.logs.sql.findIndex(one => one.n === 1)
  run.logs.sql.splice(at + 1, 2, run.logs.sql[at + 2], run.logs.sql[at + 1])
}, /side by side/)
spoiled('order', 'one before its time', ({ run, works, rowOf }) => {
  run.operations = []
  works(9, 390)
  Object.assign(rowOf(9), { state: 'completed', attempt: 1 })
}, /before its time/)
spoiled('unique', 'two that wait', ({ run }) => run.doubles.push({ queue: 'work', key: 'k', ids: ['1', '2'] }))
spoiled('unique', 'arguments that had been replaced', ({ run, beginOf }) => { beginOf(7).n = 6 }, /had been replaced/)
spoiled('unique', 'two whose jobs were kept', ({ run, works, rowOf }) => {
  run.calls[7].uniqueMode = 'keep'
  run.logs.sql.splice(run.logs.sql.findIndex(({ n }) => n === 7), 0, { what: 'begin', n: 6, job: '106', attempt: 1, run: 'x', at: 155 })
}, /ran for the jobs/)
spoiled('limit', 'two at once where one may', ({ run }) => {
  const at = run.logs.sql.findIndex(one => one.n === 10)
  run.logs.sql.splice(at + 1, 2, run.logs.sql[at + 2], run.logs.sql[at + 1])
}, /at once/)
spoiled('limit', 'three in a time for two', ({ beginOf }) => { beginOf(14).at = 409 }, /within 100 ms/)
spoiled('atomic', 'a success without its effects', ({ run }) => { run.effects = run.effects.filter(({ n }) => n !== 0) })
spoiled('atomic', 'effects without a success', ({ run }) => { run.effects.push({ n: 8, job: '108', run: 'r190' }) })
spoiled('atomic', 'a success that the receiver did not see', ({ run }) => { run.logs.http[3].status = 500 })
spoiled('atomic', 'a success that nobody acked', ({ run }) => { run.logs.external[3].answer = false })
spoiled('atomic', 'an ack that was taken and forgotten', ({ rowOf }) => { Object.assign(rowOf(5), { state: 'discarded', place: 'dead letters', reason: 'attempts', errors: 2 }) })
spoiled('cancelled', 'one that nobody cancelled', ({ run }) => { run.operations[0].answer = false })
spoiled('cancelled', 'one that waited, and ran all the same', ({ rowOf, works }) => {
  works(9, 500)
  Object.assign(rowOf(9), { state: 'completed', attempt: 1 })
}, /before its time/)
spoiled('cancelled', 'one that went on', ({ run, works }) => {
  works(9, 500, { done: false })
  works(9, 510, { attempt: 2, done: false })
  Object.assign(run.rows.find(({ n }) => n === 9), { attempt: 2, errors: 1 })
})

test('every kind of finding has a test here', () => {
  const text = readFileSync(new URL(import.meta.url), 'utf8')
  for (const kind of kindsOfFindings) assert.ok(text.includes(`\nspoiled('${kind}'`), kind)
})
