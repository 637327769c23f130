// Well-behaved clients, one of each protocol, in the midst of vandals: each must get every event once and in order, and be left alone.
import { EventSource } from 'eventsource'
import { token } from '../support/token.mjs'
import { connecting, until } from '../support/wait.mjs'

const room = 'open:soak'

class Witness {
  numbers = []
  troubles = []

  constructor(name) { this.name = name }
}

const socketio = transports => async (witness, pulse) => {
  const socket = witness.socket = pulse.socket({ userId: witness.name }, { transports, reconnection: true, reconnectionDelay: 50 })
  socket.on('n', number => witness.numbers.push(number))
  socket.on('disconnect', reason => witness.troubles.push(reason))
  await connecting(socket)
  await until(() => socket.io.engine.transport.name === transports.at(-1), { what: 'the last transport' })
  const answer = await socket.emitWithAck('room:join', { room })
  if (!answer.ok) throw new Error(JSON.stringify(answer))
  witness.asks = async () => await socket.timeout(20_000).emitWithAck('echo', 'x') === 'x'
  witness.end = () => { socket.off('disconnect'); socket.disconnect() }
}

async function native(witness, pulse) {
  const socket = await pulse.ws({ userId: witness.name })
  const answers = new Set()
  socket.on('message', data => {
    const message = JSON.parse(data)
    if (message.event === 'n') witness.numbers.push(message.args[0])
    if (message.type === 'ack') answers.add(message.id)
  })
  const ended = (code) => witness.troubles.push(`close code ${code}`)
  socket.on('close', ended)
  let id = 0
  const ask = async message => {
    socket.send(JSON.stringify({ ...message, id: ++id }))
    return await until(() => answers.has(id), { what: 'an ack' })
  }
  await ask({ type: 'join', room })
  witness.asks = () => ask({ type: 'emit', event: 'echo', args: [] })
  witness.end = () => { socket.off('close', ended); socket.close() }
}

async function events(witness, pulse) {
  const source = new EventSource(`${pulse.bridge.url}/sse?${new URLSearchParams({ room, token: token({ userId: witness.name }) })}`)
  source.addEventListener('n', ({ data }) => witness.numbers.push(JSON.parse(data)))
  source.onerror = ({ message }) => witness.troubles.push(message ?? 'the stream ended')
  await until(() => source.readyState === EventSource.OPEN, { what: 'the stream' })
  witness.end = () => source.close()
}

async function poll(witness, pulse) {
  const headers = { authorization: `Bearer ${token({ userId: witness.name })}` }
  const ask = async (cursor, timeout) => await fetch(`${pulse.bridge.url}/poll?${new URLSearchParams({ room, timeout, ...cursor && { cursor } })}`, { headers })
  let { cursor } = await (await ask(undefined, 0)).json(), ended = false
  const polling = (async () => {
    while (!ended) {
      const answer = await ask(cursor, 5)
      if (answer.status === 200) {
        const page = await answer.json()
        for (const { event, args } of page.events) if (event === 'n') witness.numbers.push(args[0])
        cursor = page.cursor
      } else if (answer.status === 204) cursor = answer.headers.get('pulse-cursor')
      else throw new Error(`HTTP ${answer.status} ${await answer.text()}`)
    }
  })().catch(error => { if (!ended) witness.troubles.push(`${error.message}: ${error.cause?.message ?? ''}`) })
  witness.end = async () => { ended = true; await polling }
}

const kinds = {
  'Socket.IO, WebSocket': socketio(['websocket']), 'Socket.IO, polling': socketio(['polling']), 'Socket.IO, upgrade': socketio(['polling', 'websocket']), native, SSE: events, 'long-poll': poll
}

export async function witnesses(pulse) {
  return await Promise.all(Object.entries(kinds).map(async ([name, open]) => {
    const witness = new Witness(name)
    await open(witness, pulse)
    return witness
  }))
}
