// What the writers did, known from outside: each event, the transaction it was published in, and what became of that.
// The oracle's clock counts sends and answers. It says what surely happened before what: a transaction whose commit was answered at
// 7 was committed before an event that was sent at 9. It never asks pulse; what it cannot know (a connection that broke during the
// commit) it reads at the end from torture.transactions, an ordinary table into which every transaction writes one row.
export class Oracle {
  #clock = 0
  transactions = []
  events = []

  begin(kind) {
    const transaction = { t: this.transactions.length, kind, status: 'open', committedAt: Infinity, events: [] }
    this.transactions.push(transaction)
    return transaction
  }

  tick() { return ++this.#clock }

  // Call it when the statement is sent. rooms: whom it is for. row: of a watched table's row, or null.
  event(transaction, rooms, row = null) {
    const event = { n: this.events.length, t: transaction.t, k: transaction.events.length, rooms, row, sentAt: this.tick(), undone: false }
    this.events.push(event)
    transaction.events.push(event)
    return event
  }

  // ROLLBACK TO SAVEPOINT: the events from index `from` on never happened.
  undo(transaction, from) { for (const event of transaction.events.slice(from)) event.undone = true }

  committed(transaction) {
    transaction.status = 'committed'
    transaction.committedAt = this.tick()
    transaction.committedTime = Date.now()
  }

  aborted(transaction) { transaction.status = 'aborted' }

  // The commit was sent and never answered, or PREPARE TRANSACTION was.
  unknown(transaction) { transaction.status = 'unknown' }

  // stored: the numbers in torture.transactions, read when nothing is running any more. An answer that the table contradicts would make
  // everything else worthless.
  resolve(stored) {
    const counts = { resolved: 0 }
    for (const transaction of this.transactions) {
      if (transaction.status === 'open') throw new Error(`transaction ${transaction.t} (${transaction.kind}) was never ended`)
      if (transaction.status === 'unknown') {
        counts.resolved += 1
        transaction.status = stored.has(transaction.t) ? 'committed' : 'aborted'
      } else if ((transaction.status === 'committed') !== stored.has(transaction.t)) {
        throw new Error(`transaction ${transaction.t} (${transaction.kind}) is ${transaction.status}, but PostgreSQL says otherwise`)
      }
    }
    return counts
  }

  isCommitted(event) { return !event.undone && this.transactions[event.t].status === 'committed' }
}
