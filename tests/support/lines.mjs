// Socket.IO packet by packet over either transport: send() text or bytes, wait() for a packet that fits, .packets so far without pings.
import { setTimeout as sleep } from 'node:timers/promises'
import { frame, RawSocket } from './frames.mjs'
import { Polling } from './polling.mjs'
import { until } from './wait.mjs'

class Line {
  async wait(fits, what = String(fits)) {
    const matches = typeof fits === 'function' ? fits : packet => fits instanceof RegExp ? fits.test(packet) : packet.startsWith(fits)
    return until(() => this.packets.find(matches), { what })
  }
}

export class SocketLine extends Line {
  static transport = 'websocket'
  static async open(bridge) {
    const line = new SocketLine()
    line.socket = await RawSocket.open(bridge.port, '/socket.io/?EIO=4&transport=websocket')
    line.closed = line.socket.closed
    await line.socket.message()
    return line
  }
  // Binary as 'b' and its bytes in base64, as polling says it.
  get packets() {
    return this.socket.frames.filter(({ opcode }) => opcode < 8)
      .map(({ opcode, payload }) => opcode === 1 ? payload.toString() : 'b' + payload.toString('base64'))
      .filter(packet => packet !== '2' && !packet.startsWith('0'))
  }
  async send(...packets) {
    this.socket.send(Buffer.concat(packets.map(packet => typeof packet === 'string' ? frame(0x81, packet) : frame(0x82, packet))))
  }
  cut() { this.socket.destroy() }
}

export class PollingLine extends Line {
  static transport = 'polling'
  packets = []
  static async open(bridge) {
    const line = new PollingLine()
    line.session = await Polling.open(bridge.url)
    line.closed = line.#poll()
    return line
  }
  async #poll() {
    for (;;) {
      this.get = this.session.get()
      const answer = await this.get.catch(() => ({ status: 0 }))
      if (answer.status !== 200) return { status: answer.status }
      for (const packet of answer.packets) {
        if (packet === '2') await this.session.post('3')
        else if (packet !== '6') this.packets.push(packet)
      }
      if (this.packets.at(-1) === '1') return { status: 200 }
      await sleep(0)
    }
  }
  async send(...packets) {
    const answer = await this.session.post(packets.map(packet => typeof packet === 'string' ? packet : 'b' + packet.toString('base64')))
    return answer.status
  }
  cut() { this.get.abort() }
}

export const lines = [SocketLine, PollingLine]
