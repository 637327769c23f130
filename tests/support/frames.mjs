// A WebSocket by hand, for what no client library would send: frames as bytes, whatever is in them, in whatever pieces.
//   const socket = await RawSocket.open(port, '/ws');  socket.send(frame(0x81, 'hello'));  await socket.message();  await socket.closed
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from './wait.mjs'

// One frame: first is FIN, RSV and opcode; masked: false leaves the mask out; size: what the header claims, in `sizeBytes` (0, 2 or 8).
export function frame(first, payload = '', { masked = true, mask = Buffer.from('mask'), size, sizeBytes } = {}) {
  const bytes = Buffer.from(payload)
  const claimed = size ?? bytes.length
  const wide = sizeBytes ?? (claimed < 126 ? 0 : claimed < 65536 ? 2 : 8)
  const header = Buffer.alloc(2 + wide)
  header[0] = first
  header[1] = (masked ? 0x80 : 0) | (wide === 0 ? claimed : wide === 2 ? 126 : 127)
  if (wide === 2) header.writeUInt16BE(claimed, 2)
  if (wide === 8) header.writeBigUInt64BE(BigInt(claimed), 2)
  if (!masked) return Buffer.concat([header, bytes])
  return Buffer.concat([header, mask, bytes.map((byte, at) => byte ^ mask[at % 4])])
}

export const closeFrame = (code, reason = '') => frame(0x88, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]))

export class RawSocket {
  #socket
  #bytes = Buffer.alloc(0)
  status = 0
  headers = {}
  frames = []   // {opcode, payload}, all but what is half received

  // headers: changes to those of a good handshake; undefined leaves one out. Resolves when the answer's head is there.
  static async open(port, path, { headers = {}, method = 'GET', behind = Buffer.alloc(0) } = {}) {
    const raw = new RawSocket()
    raw.#socket = connect(port, '127.0.0.1')
    raw.#socket.on('error', () => {})
    raw.#socket.setNoDelay(true)
    raw.ended = once(raw.#socket, 'close')
    await once(raw.#socket, 'connect')
    const all = {
      Host: `127.0.0.1:${port}`, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers
    }
    const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`)
    const answered = new Promise(resolve => { raw.answered = resolve })
    raw.#socket.on('data', chunk => raw.#received(chunk))
    raw.#socket.write(Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), behind]))
    await Promise.race([answered, raw.ended])
    return raw
  }

  send(bytes) { this.#socket.write(bytes) }
  end() { this.#socket.end() }
  destroy() { this.#socket.destroy() }
  pause() { this.#socket.pause() }
  resume() { this.#socket.resume() }

  // Each piece in a packet of its own, as far as that can be brought about.
  async sendSlowly(pieces) {
    for (const piece of pieces) {
      this.#socket.write(piece)
      await sleep(1)
    }
  }

  // The n-th text or binary message, as a string 't…' or 'b…'.
  message(n = 0) {
    return until(() => this.messages[n], { what: `message ${n}` })
  }
  get messages() {
    return this.frames.filter(({ opcode }) => opcode < 8).map(({ opcode, payload }) => (opcode === 1 ? 't' : 'b') + payload.toString())
  }
  get pongs() { return this.frames.filter(({ opcode }) => opcode === 10).map(({ payload }) => payload.toString()) }

  // The server's close frame, once the connection has ended: {code, reason}; code 1006 when there was none.
  get closed() {
    return this.ended.then(() => {
      const close = this.frames.find(({ opcode }) => opcode === 8)
      if (!close) return { code: 1006, reason: '' }
      if (close.payload.length < 2) return { code: 1005, reason: '' }
      return { code: close.payload.readUInt16BE(0), reason: close.payload.subarray(2).toString() }
    })
  }

  #received(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.status === 0) {
      const end = this.#bytes.indexOf('\r\n\r\n')
      if (end < 0) return
      const [first, ...lines] = this.#bytes.subarray(0, end).toString('latin1').split('\r\n')
      this.status = Number(first.split(' ')[1])
      for (const line of lines) {
        const colon = line.indexOf(':')
        this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
      }
      this.#bytes = this.#bytes.subarray(end + 4)
      this.answered()
    }
    if (this.status !== 101) return
    for (;;) {
      if (this.#bytes.length < 2) return
      let size = this.#bytes[1], header = 2
      if (size === 126) [size, header] = [this.#bytes.length < 4 ? Infinity : this.#bytes.readUInt16BE(2), 4]
      else if (size === 127) [size, header] = [this.#bytes.length < 10 ? Infinity : Number(this.#bytes.readBigUInt64BE(2)), 10]
      if (this.#bytes.length < header + size) return
      this.frames.push({ opcode: this.#bytes[0] & 15, final: this.#bytes[0] >= 128, payload: this.#bytes.subarray(header, header + size) })
      this.#bytes = this.#bytes.subarray(header + size)
    }
  }

  // What came of an answer's body, when it is no WebSocket.
  get body() { return this.#bytes.toString() }
}
