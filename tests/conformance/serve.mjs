// make conformance PORT=3000: the bridge on a cluster of its own, as the published protocol suites of Engine.IO and Socket.IO want their
// server: short heartbeats, everybody may connect, no recovery, an Engine.IO echo at /engine.io/. Serves until it is stopped.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Bridge } from '../support/bridge.mjs'
import { Cluster } from '../support/cluster.mjs'

const port = Number(process.env.PORT || 3000)
if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`PORT=${process.env.PORT} is no port`)

const cluster = await Cluster.create()
await cluster.sql(readFileSync(new URL('./application.sql', import.meta.url), 'utf8'))
const bridge = await Bridge.start(cluster.url({ user: 'bridge' }), {
  PULSE_LISTEN: `127.0.0.1:${port}`,
  PULSE_PING_INTERVAL: '300ms',
  PULSE_PING_TIMEOUT: '200ms',
  PULSE_MAX_PAYLOAD: '1000000',
  PULSE_CONNECT_TIMEOUT: '1s',
  PULSE_CORS_ORIGIN: '*',
  PULSE_ALLOW_ANONYMOUS: 'true',
  PULSE_JWT_SECRET: '',   // the suites' tokens are none
  PULSE_RECOVERY: 'false',
  PULSE_ENGINEIO_ECHO: 'true'
})
const application = await cluster.connect()
application.on('notification', async ({ payload }) => {
  const [room, auth] = JSON.parse(payload)
  await sleep(20)
  await cluster.sql(`SELECT pulse.publish($1, 'auth', $2::text::json)`, [room, auth])
})
await application.query('LISTEN conformance')
console.log(`ready ${port}`)
const [code, signal] = await bridge.exited
console.error(bridge.text)
console.error(`the bridge ended with ${signal ?? code}`)
process.exit(1)
