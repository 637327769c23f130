// Engine.IO over HTTP by hand: one session, each request as it is said.
//   const session = await Polling.open(bridge.url);  await session.post('40{"token":"…"}');  await session.get()   // {status, packets, …}
import { request } from 'node:http'
import WebSocket from 'ws'
import { gather, until } from './wait.mjs'

const separator = '\x1e'

// One HTTP request on a connection of its own, as the stock client does in Node; .abort() breaks it off, .sent tells when it is under way.
export function http(url, { method = 'GET', headers = {}, body, agent = false } = {}) {
  const outgoing = request(url, { method, headers, agent })
  const sent = new Promise(resolve => outgoing.once('finish', resolve))
  const answer = new Promise((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', async response => {
      const chunks = []
      try {
        for await (const chunk of response) chunks.push(chunk)
      } catch (error) {
        return reject(error)
      }
      const text = Buffer.concat(chunks).toString()
      resolve({ status: response.statusCode, headers: response.headers, body: text, packets: text.split(separator) })
    })
  })
  answer.catch(() => {})
  outgoing.end(body)
  return Object.assign(answer, { sent, abort: () => outgoing.destroy() })
}

export class Polling {
  // query: more of it, '&b64=1'. path: '/engine.io/' for the echo.
  static async open(url, { query = '', path = '/socket.io/', headers = {} } = {}) {
    const session = new Polling()
    session.base = `${url}${path}?EIO=4`
    const answer = await http(`${session.base}&transport=polling${query}`, { headers })
    if (answer.status !== 200) throw Object.assign(new Error(answer.body), answer)
    session.opened = answer
    session.hello = JSON.parse(answer.packets[0].slice(1))
    session.sid = session.hello.sid
    return session
  }

  get url() { return `${this.base}&transport=polling&sid=${this.sid}` }
  get(options) { return http(this.url, options) }
  post(packets, options) { return http(this.url, { method: 'POST', headers: { 'content-type': 'text/plain;charset=UTF-8' }, body: [packets].flat().join(separator), ...options }) }

  // Polls until check(packets so far) holds, answering pings; all packets but pings.
  async until(check) {
    const packets = []
    while (!check(packets)) {
      const answer = await this.get()
      if (answer.status !== 200) throw Object.assign(new Error(answer.body), answer)
      for (const packet of answer.packets) {
        if (packet === '2') await this.post('3')
        else packets.push(packet)
      }
    }
    return packets
  }

  // A WebSocket with this sid, open, with .frames and .closed. Nothing is said on it yet.
  async socket(query = '') {
    const socket = new WebSocket(`${this.base.replace('http', 'ws')}&transport=websocket&sid=${this.sid}${query}`)
    socket.frames = gather(socket, 'message')
    socket.closed = new Promise(resolve => socket.once('close', (code, reason) => resolve({ code, reason: String(reason) })))
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
      socket.once('unexpected-response', (_, response) => reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode })))
    })
    return socket
  }

  // The whole upgrade, as the stock client does it. Gives the socket, and what its GET brought meanwhile.
  async upgrade(query) {
    const socket = await this.socket(query)
    socket.send('2probe')
    await until(() => texts(socket).includes('3probe'), { what: '3probe' })
    const { packets } = await this.get()
    socket.send('5')
    return { socket, packets }
  }
}

// What came on a ws: text as it is, binary as 'b' and base64.
export const texts = socket => socket.frames.items.map(([data, binary]) => binary ? 'b' + data.toString('base64') : data.toString())
