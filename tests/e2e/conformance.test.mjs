// make conformance: the endpoint that the published Engine.IO and Socket.IO suites test answers as they expect (E5).
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/bridge.mjs'
import { lines } from '../support/lines.mjs'
import { Polling } from '../support/polling.mjs'
import { until } from '../support/wait.mjs'

let endpoint, said = '', bridge
before(async () => {
  const port = await freePort()
  endpoint = spawn('node', [fileURLToPath(new URL('../conformance/serve.mjs', import.meta.url))], { env: { ...process.env, PORT: port }, stdio: ['ignore', 'pipe', 'inherit'] })
  endpoint.stdout.on('data', chunk => { said += chunk })
  await until(() => said === `ready ${port}\n`, { what: 'ready', timeout: 60_000 })
  bridge = { port, url: `http://127.0.0.1:${port}` }
})
after(async () => {
  endpoint?.kill('SIGTERM')
  if (endpoint?.exitCode === null) await new Promise(resolve => endpoint.once('exit', resolve))
})

// Runs body(line) on a session whose pings are answered: as the suites want it, within 200 ms. When this machine stood still for longer, once more.
const steady = (Line, body) => until(async () => {
  const line = await Line.open(bridge)
  const timer = setInterval(() => line.send('3').catch(() => {}), 50)
  try {
    return await Promise.race([body(line).then(() => true), line.closed.then(() => false)])
  } finally {
    clearInterval(timer)
    line.cut()
  }
}, { what: 'a session that lasted' })

test('E5: its settings', async () => {
  for (const path of ['/engine.io/', '/socket.io/']) {
    const { hello, opened } = await Polling.open(bridge.url, { path, headers: { origin: 'https://anybody.example' } })
    assert.deepEqual({ ...hello, sid: '' }, { sid: '', upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 })
    assert.equal(opened.headers['access-control-allow-origin'], '*')
  }
})

for (const Line of lines) {
  test(`E5 ${Line.transport}: anybody connects to / and /custom, and reads what it said`, () => steady(Line, async line => {
    await line.send('40', '40/custom,{"token":"abc","b":1,"a":2}')
    assert.deepEqual(Object.keys(JSON.parse((await line.wait('40{')).slice(2))), ['sid'])
    assert.equal(await line.wait('42["auth"'), '42["auth",{}]')
    assert.equal(await line.wait('42/custom,'), '42/custom,["auth",{"token":"abc","b":1,"a":2}]')
    await line.send('40/random')
    assert.equal(await line.wait('44'), '44/random,{"message":"Invalid namespace"}')
  }))

  test(`E5 ${Line.transport}: message comes back, message-with-ack is answered, with the same arguments and attachments`, () => steady(Line, async line => {
    await line.send('40')
    await line.wait('42["auth"')
    await line.send('42["message",1,"2",{"3":[true]}]', '42456["message-with-ack",1,"2",{"3":[false]}]')
    assert.equal(await line.wait('42["message-back"'), '42["message-back",1,"2",{"3":[true]}]')
    assert.equal(await line.wait('43'), '43456[1,"2",{"3":[false]}]')
    const placeholders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}', bytes = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])]
    await line.send(`452-["message",${placeholders}]`, ...bytes, `452-789["message-with-ack",${placeholders}]`, ...bytes)
    await line.wait('462')
    await until(() => line.packets.filter(packet => packet.startsWith('b')).length === 4)
    assert.deepEqual(line.packets.slice(-6), [`452-["message-back",${placeholders}]`, 'bAQID', 'bBAUG', `462-789[${placeholders}]`, 'bAQID', 'bBAUG'])
  }))
}
