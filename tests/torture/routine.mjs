// What goes on beside the rest of a run until it is stopped. Whoever extends it works in rounds, in work(), while it is not `stopped`.
export class Routine {
  stopped = false

  start() { this.running = this.work() }

  // Resolves when what it was at has ended.
  async stop() {
    this.stopped = true
    await this.running
  }
}
