// A TCP connection without any client's manners: bytes as they are, in any pieces, and any way to go.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export class Raw {
  // Its beginning, as latin1: enough to read a head, a sid and a few frames.
  answer = ''
  closed = false

  constructor(port, sockets) {
    const socket = this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    sockets.add(socket)
    socket.on('data', bytes => { if (this.answer.length < 20_000) this.answer += bytes.toString('latin1') })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      sockets.delete(socket)
    })
  }

  send(bytes) { if (!this.closed) this.socket.write(bytes) }

  // In pieces, with or without time between them.
  async drip(bytes, random) {
    const all = Buffer.from(bytes), pieces = random.integer(1, random.pick([1, 3, 40]))
    for (let n = 0; n < pieces && !this.closed; n++) {
      this.send(all.subarray(Math.floor(n * all.length / pieces), Math.floor((n + 1) * all.length / pieces)))
      if (random.chance(0.3)) await sleep(random.integer(0, 5))
    }
  }

  // Whether the answer matches within so many milliseconds; if not, the vandal goes on without.
  async heard(pattern, milliseconds = 1000) {
    for (const end = Date.now() + milliseconds; Date.now() < end && !this.closed;) {
      if (pattern.test(this.answer)) return true
      await sleep(2)
    }
    return pattern.test(this.answer)
  }

  get status() { return /^HTTP\/1\.1 (\d+)/.exec(this.answer)?.[1] ?? (this.closed ? 'hung up' : 'nothing') }

  // how: the polite end, a reset, or a while of nothing before it.
  async leave(random) {
    if (random.chance(0.3)) await sleep(random.integer(0, 400))
    if (this.closed) return
    if (random.chance(0.4)) this.socket.end()
    else if (random.chance(0.6)) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }
}

// A WebSocket frame of a client, with every liberty: mask, fin, rsv, and a length that is not the payload's.
export function frame(opcode, payload = '', { mask = true, fin = true, rsv = 0, length, wide } = {}) {
  const bytes = Buffer.from(payload)
  const announced = length ?? bytes.length
  const size = wide ?? (announced < 126 ? 0 : announced < 65536 ? 2 : 8)
  const head = Buffer.alloc(2 + size + (mask ? 4 : 0))
  head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode
  head[1] = (mask ? 0x80 : 0) | (size === 0 ? Number(announced) : size === 2 ? 126 : 127)
  if (size === 2) head.writeUInt16BE(Number(announced) & 0xffff, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(announced), 2)
  if (!mask) return Buffer.concat([head, bytes])
  const key = [0x12, 0x9a, 0xfe, 0x31]
  head.set(key, 2 + size)
  return Buffer.concat([head, bytes.map((byte, n) => byte ^ key[n % 4])])
}

export const text = payload => frame(1, payload)

export const request = (method, path, headers = {}, body = '') =>
  `${method} ${path} HTTP/1.1\r\n${Object.entries({ Host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`

export const upgrade = (path, headers = {}) => request('GET', path, {
  Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers })

// What came of something valid: cut, doubled, with bits turned, with something in the middle.
export function spoil(bytes, random) {
  const all = Buffer.from(bytes)
  const at = random.integer(0, Math.max(0, all.length - 1))
  switch (random.integer(0, 4)) {
    case 0: return all.subarray(0, at)
    case 1: return Buffer.concat([all, all])
    case 2: if (all.length > 0) all[at] ^= 1 << random.integer(0, 7); return all
    case 3: return Buffer.concat([all.subarray(0, at), noise(random, 20), all.subarray(at)])
    default: return all
  }
}

export const noise = (random, most) => Buffer.from(Array.from({ length: random.integer(1, most) }, () => random.integer(0, 255)))
