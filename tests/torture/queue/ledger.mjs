// What was asked of the queue, known from outside: each job with the transaction that enqueued it, and what operators did to jobs. Times are
// of the oracle's clock (what surely happened before what) and of this machine's (at which moment, in ms; the server has the same clock).
export class Ledger {
  calls = []        // {n, t, queue, kind, sentAt, sentTime, undone, id, …}: what producers.mjs made up; id: the answer, when one came
  operations = []   // {what, id, t, sentTime, answer}: cancel, retry, redrive
  #callsOf = new Map()

  constructor(oracle) { this.oracle = oracle }

  // Call it when the statement is sent.
  call(transaction, job) {
    const call = { n: this.calls.length, t: transaction.t, sentAt: this.oracle.tick(), sentTime: Date.now(), undone: false, id: undefined, ...job }
    this.calls.push(call)
    this.of(transaction).push(call)
    return call
  }

  of({ t }) {
    if (!this.#callsOf.has(t)) this.#callsOf.set(t, [])
    return this.#callsOf.get(t)
  }

  // ROLLBACK TO SAVEPOINT, as Oracle.undo.
  undo(transaction, from) { for (const call of this.of(transaction).slice(from)) call.undone = true }

  operation(transaction, what, id) {
    const operation = { what, id, t: transaction.t, sentTime: Date.now(), answer: undefined }
    this.operations.push(operation)
    return operation
  }
}
