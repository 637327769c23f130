// Receives the webhooks of a torture, and keeps what it saw in the order in which it saw it: a request whose answer was lost too. What it answers is
// the job's plan.
import { once } from 'node:events'
import http from 'node:http'

export class Sink {
  // {what: 'begin', request, queue, n, job, attempt, at, time}, and {what: 'end', request, status} of what was answered; at: of a steady clock
  log = []
  jobOf   // n → the job as the ledger has it; set for each run
  #server
  #requests = 0
  #seen = new Map()   // n → requests

  static async start() {
    const sink = new Sink()
    sink.#server = http.createServer((request, response) => sink.#request(request, response))
    await once(sink.#server.listen(0, '127.0.0.1'), 'listening')
    sink.url = `http://127.0.0.1:${sink.#server.address().port}`
    return sink
  }

  clear(jobOf) {
    this.log = []
    this.#seen.clear()
    this.jobOf = jobOf
  }

  async stop() {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #request(request, response) {
    let text = ''
    const begin = { what: 'begin', request: ++this.#requests, queue: decodeURIComponent(request.url.slice(1)), at: performance.now(), time: Date.now() }
    this.log.push(begin)
    request.on('error', () => {})
    try {
      for await (const chunk of request) text += chunk
      const { n, attempt } = JSON.parse(text)
      Object.assign(begin, { n, attempt, job: request.headers['webhook-id'].slice('job_'.length) })
    } catch {
      return response.destroy()   // who sent it was killed in the middle
    }
    this.#answer(begin, this.jobOf(begin.n) ?? {}, response)
  }

  // An end is noted before the answer goes out: whatever the answer sets off comes after it.
  #end(begin, status, work) {
    this.log.push({ what: 'end', request: begin.request, status })
    work()
  }

  #answer(begin, { plan = 'ok', fails = 0, sleep = 0 }, response) {
    const { n, attempt } = begin
    const seen = (this.#seen.get(n) ?? 0) + 1
    this.#seen.set(n, seen)
    const end = (status, headers = {}) => this.#end(begin, status, () => response.writeHead(status, headers).end('{}'))
    const later = ms => setTimeout(() => { if (!response.destroyed) end(200) }, ms)
    if ((attempt ?? seen) <= fails) return end(503)
    switch (seen === 1 || plan === 'gone' ? plan : 'ok') {
      case 'error': return end(500)
      case 'later': return end(429, { 'Retry-After': '0' })
      case 'gone': return end(410)
      case 'reset': return this.#end(begin, null, () => response.socket.resetAndDestroy())
      case 'hang': return undefined   // until the job's timeout
      case 'slow': return later(50 + sleep)
      default: return sleep > 0 ? later(sleep) : end(200)
    }
  }
}
