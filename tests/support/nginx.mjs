// Debian's nginx with the configuration of docs/how-to/nginx.conf, as it is there but for the addresses: of the bridges and its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './bridge.mjs'
import { root } from './cluster.mjs'
import { until } from './wait.mjs'

const replace = (text, what, by) => {
  if (!text.includes(what)) throw new Error(`docs/how-to/nginx.conf has no ${what}`)
  return text.replaceAll(what, by)
}

export class Nginx {
  #process
  #folder
  #output = ''

  static async start(bridges) {
    const nginx = new Nginx()
    nginx.port = await freePort()
    nginx.#folder = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'nginx-'))
    const [first, second] = bridges
    let site = readFileSync(join(root, 'docs', 'how-to', 'nginx.conf'), 'utf8')
    for (const [what, by] of [['listen 80;', `listen 127.0.0.1:${nginx.port};`], ['127.0.0.1:8080', `127.0.0.1:${first.port}`], ['127.0.0.1:8090', `127.0.0.1:${second.port}`]]) {
      site = replace(site, what, by)
    }
    writeFileSync(join(nginx.#folder, 'pulse.conf'), site)
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${name};`).join(' ')
    // One process, which needs no other user: it runs as whoever runs the test.
    writeFileSync(join(nginx.#folder, 'nginx.conf'), `daemon off; master_process off; pid nginx.pid; error_log stderr notice;
events { worker_connections 1024; }
http { access_log off; ${folders} include pulse.conf; }
`)
    nginx.#process = spawn('setpriv', ['--pdeathsig', 'KILL', '/usr/sbin/nginx', '-p', nginx.#folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
    nginx.#process.stderr.on('data', chunk => { nginx.#output += chunk })
    nginx.exited = once(nginx.#process, 'exit')
    await until(async () => {
      if (nginx.#process.exitCode !== null) return true
      return (await fetch(`${nginx.url}/ready`)).ok
    }, { what: 'nginx answering' }).catch(error => { throw new Error(`${error.message}\n${nginx.#output}`) })
    if (nginx.#process.exitCode !== null) throw new Error(`nginx ended:\n${nginx.#output}`)
    return nginx
  }

  get url() { return `http://127.0.0.1:${this.port}` }

  async stop() {
    this.#process.kill('SIGTERM')
    await this.exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
