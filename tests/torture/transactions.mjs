// The kinds of transactions a writer does: each is a function of the writer and ends its transactions at the oracle, whatever happens.
// A kind never decides what became of a transaction whose answer was lost: Writer.attempt() does.
import { setTimeout as sleep } from 'node:timers/promises'

const begin = 'BEGIN'
export const noted = ({ t }) => `INSERT INTO torture.transactions VALUES (${t})`

// Every event is one statement, which sends the event's numbers through pulse.
export function statement(event) {
  const { n, t, k, rooms, row, size = 0, binary = false } = event
  if (row !== null) return `UPDATE torture.rows SET version = version + 1, n = ${n}, t = ${t}, k = ${k} WHERE id = ${row}`
  const payload = { n, t, k, ...(size > 0 ? { fill: 'x'.repeat(size) } : {}), ...(binary ? { part: { _placeholder: true, num: 0 } } : {}) }
  const list = rooms.map(room => `'${room}'`).join(', ')
  return `SELECT pulse.publish(ARRAY[${list}], 'said', '${JSON.stringify(payload)}'::json${binary ? `, attachments => ARRAY['\\x00ff'::bytea]` : ''})`
}

// One event, one statement, no BEGIN: the commonest publish there is.
async function single(writer) {
  const transaction = writer.begin('single')
  await writer.attempt(transaction, async ({ commits }) => {
    const event = writer.event(transaction)
    commits()
    await writer.query(`WITH noted AS (${noted(transaction)}) ${statement(event)}`)
  })
}

// Several events, statement by statement or all in one message.
async function several(writer) {
  const transaction = writer.begin('several')
  const count = writer.random.integer(2, 6)
  await writer.attempt(transaction, async ({ commits }) => {
    if (writer.random.chance(0.5)) {
      const events = Array.from({ length: count }, () => writer.event(transaction))
      commits()
      await writer.query([begin, noted(transaction), ...events.map(statement), 'COMMIT'].join(';'))
    } else {
      await writer.query(begin)
      await writer.query(noted(transaction))
      for (let i = 0; i < count; i++) await writer.query(statement(writer.event(transaction)))
      commits()
      await writer.query('COMMIT')
    }
  })
}

async function rollback(writer) {
  const transaction = writer.begin('rollback')
  await writer.attempt(transaction, async () => {
    await writer.query(begin)
    await writer.query(noted(transaction))
    for (let i = writer.random.integer(1, 4); i > 0; i--) await writer.query(statement(writer.event(transaction)))
    await writer.query('ROLLBACK')
    return 'aborted'
  })
}

// Savepoints two deep, some rolled back to, some released: only what stands at the end counts.
async function savepoint(writer) {
  const transaction = writer.begin('savepoint')
  const level = async depth => {
    for (let i = writer.random.integer(1, 2); i > 0; i--) await writer.query(statement(writer.event(transaction)))
    for (let i = 0; depth < 2 && i < 2; i++) {
      const before = transaction.events.length
      await writer.query(`SAVEPOINT s${depth}`)
      await level(depth + 1)
      if (writer.random.chance(0.5)) {
        await writer.query(`ROLLBACK TO SAVEPOINT s${depth}`)
        writer.oracle.undo(transaction, before)
      } else if (writer.random.chance(0.5)) {
        await writer.query(`RELEASE SAVEPOINT s${depth}`)
      }
    }
  }
  await writer.attempt(transaction, async ({ commits }) => {
    await writer.query(begin)
    await writer.query(noted(transaction))
    await level(0)
    commits()
    await writer.query('COMMIT')
  })
}

// Two transactions change one row; the one with the older xid waits for the younger and commits after it.
async function conflict(writer) {
  const older = writer.begin('conflict, older xid')
  const row = writer.random.pick(writer.hotRows)
  let late
  await writer.attempt(older, async ({ commits }) => {
    await writer.second(`${begin}; SELECT pg_current_xact_id(); ${noted(older)}`)
    const younger = writer.begin('conflict, younger xid')
    await writer.attempt(younger, async ({ commits }) => {
      await writer.query(`${begin}; SELECT pg_current_xact_id(); ${noted(younger)}`)
      await writer.query(statement(writer.event(younger, { row })))
      const events = [writer.event(older, { row })]
      for (let i = writer.random.integer(0, 2); i > 0; i--) events.push(writer.event(older, { row: null }))
      late = writer.second([...events.map(statement), 'COMMIT'].join(';'))
      late.catch(() => {})
      await sleep(writer.random.integer(0, 3))   // it waits for the row now, or will in a moment: both happen
      commits()
      await writer.query('COMMIT')
    })
    commits()
    if (late === undefined) {
      await writer.second('ROLLBACK')
      return 'aborted'
    }
    await late
  })
}

// Prepared here, ended later by Writers.finishPrepared(), from another connection and perhaps in another life of the server.
async function twoPhase(writer) {
  const transaction = writer.begin('two-phase')
  await writer.attempt(transaction, async ({ commits }) => {
    await writer.query(begin)
    await writer.query(noted(transaction))
    for (let i = writer.random.integer(1, 3); i > 0; i--) await writer.query(statement(writer.event(transaction, { cold: true })))
    commits()
    await writer.query(`PREPARE TRANSACTION 'torture:${transaction.t}'`)
    return 'unknown'
  })
}

// Open for seconds while thousands of others commit.
async function long(writer) {
  const transaction = writer.begin('long')
  await writer.attempt(transaction, async ({ commits }) => {
    await writer.query(begin)
    await writer.query(noted(transaction))
    for (let i = writer.random.integer(2, 6); i > 0; i--) {
      await writer.query(statement(writer.event(transaction, { cold: true })))
      await writer.pause(writer.random.integer(100, 1000))
    }
    commits()
    await writer.query('COMMIT')
  })
}

export const kinds = { single, several, rollback, savepoint, conflict, 'two-phase': twoPhase, long }
