// Debian's Chromium, driven by playwright-core, and a web server for the page of tests/support/browser: its origin is never the bridge's.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { root } from './cluster.mjs'

const files = {
  '/': ['text/html; charset=utf-8', 'tests/support/browser/page.html'],
  '/page.mjs': ['text/javascript; charset=utf-8', 'tests/support/browser/page.mjs'],
  '/socket.io.js': ['text/javascript; charset=utf-8', 'tests/node_modules/socket.io-client/dist/socket.io.min.js']
}

export class PageServer {
  #server

  static async start() {
    const pages = new PageServer()
    pages.#server = createServer((request, response) => {
      const [type, path] = files[new URL(request.url, 'http://x').pathname] ?? []
      if (!path) return response.writeHead(404).end()
      response.writeHead(200, { 'content-type': type }).end(readFileSync(join(root, path)))
    }).listen(0, '127.0.0.1')
    await once(pages.#server, 'listening')
    pages.origin = `http://127.0.0.1:${pages.#server.address().port}`
    return pages
  }

  stop() {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

export class Browser {
  #browser
  // What pages complained about that nobody caught.
  errors = []

  static async start() {
    const browser = new Browser()
    browser.#browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    return browser
  }

  async open(url) {
    const page = await this.#browser.newPage({ viewport: { width: 1100, height: 620 } })
    page.on('pageerror', error => this.errors.push(error))
    await page.goto(url)
    await page.waitForFunction('window.pulse')
    return page
  }

  async stop() { await this.#browser.close() }
}
