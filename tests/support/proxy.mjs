// A TCP proxy between the clients and bridges: every new connection goes to one of its targets, at random. It can cut connections,
// and it can stall them: then no byte and no end of the connection passes in either direction, as when a cable is pulled. A stalled
// connection whose client has meanwhile given up stays open on the bridge's side until it is resumed.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export class Proxy {
  #server
  #pairs = new Set()
  #random

  // targets(): the ports to choose from, asked for every connection.
  // random: who chooses (random.mjs); may be left out where there is one target and nothing is done in part.
  static async start(targets, random = { pick: ([first]) => first }) {
    const proxy = new Proxy()
    proxy.#random = random
    proxy.#server = createServer({ allowHalfOpen: false }, client => proxy.#accept(client, targets()))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    proxy.port = proxy.#server.address().port
    return proxy
  }

  get url() { return `http://127.0.0.1:${this.port}` }
  get connections() { return this.#pairs.size }

  #accept(client, ports) {
    if (ports.length === 0) return client.destroy()
    const bridge = connect(this.#random.pick(ports), '127.0.0.1')
    const pair = { client, bridge, stalled: false }
    this.#pairs.add(pair)
    for (const [from, to] of [[client, bridge], [bridge, client]]) {
      from.setNoDelay(true)
      from.on('data', bytes => { if (!to.write(bytes)) from.pause() })
      to.on('drain', () => { if (!pair.stalled) from.resume() })
      from.on('error', () => {})
      from.on('close', () => {
        if (pair.stalled) return   // nobody behind the broken cable hears of it
        to.destroy()
        this.#pairs.delete(pair)
      })
    }
  }

  // A part (0 … 1) of the connections ends at once, on both sides. Returns how many.
  cut(part = 1) {
    const chosen = this.#choose(part)
    for (const pair of chosen) this.#destroy(pair)
    return chosen.length
  }

  // A part of the connections stands still until the returned function is called; returns {count, resume}.
  stall(part = 1) {
    const chosen = this.#choose(part)
    for (const pair of chosen) {
      pair.stalled = true
      pair.client.pause()
      pair.bridge.pause()
    }
    const resume = () => {
      for (const pair of chosen) {
        pair.stalled = false
        if (pair.client.destroyed || pair.bridge.destroyed) { this.#destroy(pair); continue }
        pair.client.resume()
        pair.bridge.resume()
      }
    }
    return { count: chosen.length, resume }
  }

  async stop() {
    for (const pair of this.#pairs) this.#destroy(pair)
    this.#server.close()
    await once(this.#server, 'close')
  }

  #choose(part) { return [...this.#pairs].filter(pair => !pair.stalled && (part >= 1 || this.#random.chance(part))) }

  #destroy(pair) {
    pair.stalled = false
    pair.client.destroy()
    pair.bridge.destroy()
    this.#pairs.delete(pair)
  }
}
