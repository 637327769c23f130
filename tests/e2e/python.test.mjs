// Debian's python3-socketio as a client, by polling, by WebSocket and with the upgrade (E5, F4). It speaks Socket.IO without recovery,
// and gives up on an answer to a poll with more than 16 packets.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { root } from '../support/cluster.mjs'
import { Proxy } from '../support/proxy.mjs'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

let pulse
const running = new Set()
before(async () => {
  pulse = await startPulse({ environment: { PULSE_PING_INTERVAL: '300ms' } })
  await pulse.load('rooms', 'clients')
})
after(async () => {
  for (const child of running) child.kill()
  await pulse?.stop()
})

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n)
const base64 = bytes => ({ base64: bytes.toString('base64') })
const md5 = bytes => createHash('md5').update(bytes).digest('hex')

function python(script, ...args) {
  const child = spawn('/usr/bin/python3', [join(root, 'tests/support', script), ...args], { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

class PythonClient {
  lines = []
  #asked = 0

  static async start(claims, { transports, namespaces = ['/'], url = pulse.bridge.url }) {
    const client = new PythonClient()
    const text = typeof claims === 'string' ? claims : token(claims)
    client.process = python('python_client.py', url, transports.join(','), text, ...namespaces)
    client.exited = once(client.process, 'close')
    client.errors = ''
    client.process.stderr.on('data', chunk => { client.errors += chunk })
    createInterface({ input: client.process.stdout }).on('line', line => client.lines.push(JSON.parse(line)))
    await client.got(([what, , event]) => what === 'connected' || event === 'connect_error', 'an answer to CONNECT')
    return client
  }

  // The first line for which matches() holds.
  got(matches, what = 'a line') {
    return until(() => this.lines.find(matches), { what }).catch(error => { throw new Error(`${error.message}\n${JSON.stringify(this.lines.slice(-5))}\n${this.errors}`) })
  }
  events(name, namespace = '/') { return this.lines.filter(([what, where, event]) => what === 'event' && where === namespace && event === name).map(([, , , args]) => args) }
  say(...words) { this.process.stdin.write(`${JSON.stringify(words)}\n`) }

  async ask(event, args, namespace = '/') {
    const wanted = ++this.#asked
    this.say('emit', namespace, event, args, wanted)
    return (await this.got(([what, id]) => what === 'ack' && id === wanted, `the ack of ${event}`))[2]
  }

  async transport() {
    this.lines = this.lines.filter(([what]) => what !== 'transport')
    this.say('transport')
    return (await this.got(([what]) => what === 'transport'))[1]
  }

  async end() {
    this.say('end')
    await this.got(([what]) => what === 'ended')
    const [code] = await this.exited
    assert.equal(code, 0)
    assert.equal(this.errors.replace(/Unclosed client session\nclient_session: .*\n/, ''), '', 'the library complained of nothing but its own leftovers')
  }
}

const ways = { polling: ['polling'], WebSocket: ['websocket'], upgrade: ['polling', 'websocket'] }

for (const [way, transports] of Object.entries(ways)) {
  test(`E5 python ${way}: acks, events in order also when many come at once, bytes both ways, heartbeats`, async () => {
    const client = await PythonClient.start({ userId: `py ${way}` }, { transports })
    assert.deepEqual(await client.ask('echo', ['a', { b: [1, null] }]), ['a', { b: [1, null] }])
    assert.deepEqual(await client.ask('room:join', [{ room: 'open:py' }]).then(([{ ok }]) => ok), true)
    await until(async () => await client.transport() === transports.at(-1), { what: 'the last transport' })
    await pulse.sql(`SELECT pulse.publish('open:py', 'n', to_json(g)) FROM generate_series(1, 200) g`)
    for (const number of range(201, 220)) await pulse.sql(`SELECT pulse.publish('open:py', 'n', to_json($1::int))`, [number])
    await until(() => client.events('n').length >= 220, { what: 'the events' })
    assert.deepEqual(client.events('n').map(([number]) => number), range(1, 220))
    const blobs = [randomBytes(3000), Buffer.alloc(0)]
    const [answer] = await client.ask('digest', [{ one: base64(blobs[0]) }, base64(blobs[1])])
    assert.deepEqual(answer.md5, blobs.map(md5))
    await pulse.sql(`SELECT pulse.publish('open:py', 'file', '{"_placeholder":true,"num":0}', attachments => ARRAY[$1::bytea])`, [blobs[0]])
    await until(() => client.events('file').length === 1, { what: 'the file' })
    assert.deepEqual(client.events('file')[0][0], base64(blobs[0]))
    await client.end()
    await until(() => pulse.value('SELECT count(*) = 0 FROM _pulse.sessions WHERE user_id = $1 AND ended_at IS NULL', [`py ${way}`]), { what: 'the session being over' })
  })

  test(`M1 python ${way}: namespaces, and refusals`, async () => {
    const clerk = await PythonClient.start({ userId: `clerk ${way}`, role: 'clerk' }, { transports, namespaces: ['/', '/desk'] })
    assert.deepEqual(await clerk.ask('echo', ['x'], '/desk'), ['x'])
    await pulse.sql(`SELECT pulse.publish('desk:all', 'all', '1')`)
    await until(() => clerk.events('all', '/desk').length === 1)
    assert.deepEqual(clerk.events('all'), [])
    await clerk.end()
    const refused = await PythonClient.start('no.token.this', { transports })
    assert.equal(refused.events('connect_error')[0][0].data.code, 'unauthenticated')
    refused.process.kill()
  })

  test(`E5 python ${way}: cut off, it connects again and goes on`, async () => {
    const proxy = await Proxy.start(() => [pulse.bridge.port])
    const client = await PythonClient.start({ userId: `cut ${way}` }, { transports, url: proxy.url })
    await until(async () => await client.transport() === transports.at(-1))
    proxy.cut()
    await until(() => client.events('connect').length === 2, { what: 'connecting again' })
    assert.deepEqual(await client.ask('echo', ['again']), ['again'])
    await client.end()
    await proxy.stop()
  })

  test(`E5 python ${way}, with threads: the client most people start with`, async () => {
    const child = python('python_threads.py', pulse.bridge.url, transports.join(','), token({ userId: `threads ${way}` }), 'open:threads', 100)
    const [exited, out] = [once(child, 'close'), gather(createInterface({ input: child.stdout }), 'line')]
    let errors = ''
    child.stderr.on('data', chunk => { errors += chunk })
    await out.atLeast(1).catch(error => { throw new Error(`${error.message}\n${errors}`) })
    assert.equal(JSON.parse(out.items[0][0]).ok, true)
    await pulse.sql(`SELECT pulse.publish('open:threads', 'n', to_json(g)) FROM generate_series(1, 100) g`)
    await out.atLeast(2).catch(error => { throw new Error(`${error.message}\n${errors}`) })
    assert.deepEqual(JSON.parse(out.items[1][0]), { echo: 'x', transport: transports.at(-1), numbers: range(1, 100) })
    assert.deepEqual([(await exited)[0], errors], [0, ''])
  })
}
