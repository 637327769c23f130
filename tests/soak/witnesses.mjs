// Well-behaved clients, one of each protocol, in the midst of vandals: each must get every event once and in order, and be left alone.
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

const kinds = {
  'Socket.IO, WebSocket': socketio(['websocket']), 'Socket.IO, polling': socketio(['polling']), 'Socket.IO, upgrade': socketio(['polling', 'websocket']), native
}

export async function witnesses(pulse) {
  return await Promise.all(Object.entries(kinds).map(async ([name, open]) => {
    const witness = new Witness(name)
    await open(witness, pulse)
    return witness
  }))
}
