// What goes on beside the rest of a run until it is stopped. Whoever extends it works in rounds, in work(), while it is not `stopped`.
export class Routine {
  stopped = false

  start() {
    this.running = this.work()
    this.running.catch(() => { /* stop() says it, to whoever runs this */ })
  }

  // Resolves when what it was at has ended; rejects with what made it end before.
  async stop() {
    this.stopped = true
    await this.running
  }
}
