// HTTP as bytes, for what no client library would send: any text in any pieces, plain or TLS, and the answers that come back.
//   const line = await RawHttp.open(bridge.port);  line.send('GET / HTTP/1.1\r\n…');  (await line.answer()).status;  await line.closed
import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { until } from './wait.mjs'

export class RawHttp {
  #bytes = Buffer.alloc(0)
  ended = false

  // tls: options of node:tls; then it resolves when the handshake is over, and rejects when it fails.
  static async open(port, { tls, host = '127.0.0.1', localAddress } = {}) {
    const raw = new RawHttp()
    raw.socket = tls ? connectTls({ port, host, rejectUnauthorized: false, ...tls }) : connect({ port, host, localAddress })
    const opened = once(raw.socket, tls ? 'secureConnect' : 'connect')
    raw.closed = new Promise(resolve => raw.socket.once('close', () => { raw.ended = true; resolve() }))
    raw.socket.on('data', chunk => { raw.#bytes = Buffer.concat([raw.#bytes, chunk]) })
    await opened
    raw.socket.on('error', () => {})
    return raw
  }

  // One request and its answer; the connection is closed behind it.
  static async ask(port, text, options) {
    const raw = await RawHttp.open(port, options)
    raw.send(text)
    try {
      return await raw.answer()
    } finally {
      raw.destroy()
    }
  }

  send(bytes) { this.socket.write(bytes) }
  destroy() { this.socket.destroy() }
  get text() { return this.#bytes.toString('latin1') }

  // All whole answers so far: {status, headers, body, json}. One without a length ends with the connection.
  get answers() {
    const found = []
    let rest = this.#bytes
    for (;;) {
      const end = rest.indexOf('\r\n\r\n')
      if (end < 0) return found
      const [first, ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
      const headers = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
      const status = Number(first.split(' ')[1])
      const bodyless = status === 204 || status === 304 || status < 200
      const size = bodyless ? 0 : headers['content-length'] === undefined ? Infinity : Number(headers['content-length'])
      rest = rest.subarray(end + 4)
      if (rest.length < size && !(this.ended && size === Infinity)) return found
      const body = rest.subarray(0, Math.min(size, rest.length)).toString()
      found.push({ status, headers, body, get json() { return JSON.parse(body) } })
      rest = rest.subarray(body.length)
    }
  }

  answer(n = 0) {
    return until(() => {
      if (this.answers[n]) return this.answers[n]
      if (this.ended) throw new Error(`closed after ${JSON.stringify(this.text)}`)
    }, { what: `answer ${n}` })
  }
}

// A request as text. headers: {name: value}; Host is there unless given.
export function request(method, target, headers = {}, body = '') {
  const all = { Host: 'test', ...headers }
  return `${method} ${target} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}
