// Takes sessions out of rooms, by pulse.evict in one transaction with the right that it takes away, and gives the right back after a while.
// Some of these transactions roll back, some publish into the room before and after.
import { setTimeout as sleep } from 'node:timers/promises'
import { Routine } from './routine.mjs'
import { noted, statement } from './transactions.mjs'
import { Writer } from './writers.mjs'

export class Warden extends Routine {
  constructor(stage, fleet, random) {
    super()
    Object.assign(this, { stage, fleet, random })
    this.writer = new Writer(stage, random, { stopped: () => this.stopped })
  }

  async work() {
    while (!this.stopped) {
      await sleep(this.random.integer(100, 500))
      const session = this.random.pick(this.fleet.sessions)
      const room = this.random.pick([...session.wanted])
      await this.#evict(session.userId, room)
      await sleep(this.random.integer(0, 300))
      await this.#allow(session.userId, room)
    }
    await this.writer.end()
  }

  async #evict(user, room) {
    const { writer, random } = this
    const transaction = writer.begin('evict')
    const event = () => statement(writer.event(transaction, { row: null, rooms: [room] }))
    await writer.attempt(transaction, async ({ commits }) => {
      await writer.query(`BEGIN; ${noted(transaction)}; DELETE FROM torture.rights WHERE user_id = '${user}' AND room = '${room}'`)
      if (random.chance(0.5)) await writer.query(event())
      await writer.query(`SELECT pulse.evict('${room}', '${user}', '${transaction.t}')`)
      if (random.chance(0.5)) await writer.query(event())
      if (random.chance(0.2)) {
        await writer.query('ROLLBACK')
        return 'aborted'
      }
      commits()
      await writer.query('COMMIT')
    })
  }

  // Until it is done, whatever the server does meanwhile.
  async #allow(user, room) {
    for (;;) {
      try {
        await this.stage.cluster.sql('INSERT INTO torture.rights VALUES ($1, $2) ON CONFLICT DO NOTHING', [user, room])
        return
      } catch {
        await sleep(50)
      }
    }
  }
}
