// Whether events come in an order that can have been: inside a transaction as published; a transaction whose commit was answered before
// another event was sent comes before that event; the changes of a row as they happened. Fed event by event; pure.
export class Order {
  #lastOf = new Map()        // transaction → k
  #versionOf = new Map()     // row → version
  #latest = { sentAt: -1 }   // the event sent last among those that came

  constructor(transactions) { this.transactions = transactions }

  // event: the oracle's; version: of its row, as it came. Returns what is wrong, in words; mostly nothing.
  next(event, version) {
    const wrong = []
    const before = this.#lastOf.get(event.t) ?? -1
    if (event.k < before) wrong.push(`event ${event.k} of transaction ${event.t} came after its event ${before}`)
    this.#lastOf.set(event.t, Math.max(before, event.k))

    if (this.transactions[event.t].committedAt < this.#latest.sentAt)
      wrong.push(`transaction ${event.t} was committed before event ${this.#latest.n} was published, and came after it`)
    if (event.sentAt > this.#latest.sentAt) this.#latest = event

    if (event.row !== null && version !== undefined) {
      const known = this.#versionOf.get(event.row) ?? -1
      if (version <= known) wrong.push(`version ${version} of row ${event.row} came after version ${known}`)
      this.#versionOf.set(event.row, Math.max(version, known))
    }
    return wrong
  }
}
