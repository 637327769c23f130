// What an application's page does with pulse, once for each kind of client a browser has. Each gathers the events `n` of one room in a
// card: numbers, in order, and how often it was connected. Driven by tests/e2e/browser.test.mjs through window.pulse.
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

class Card {
  numbers = []
  connects = 0

  constructor(name) {
    this.element = document.createElement('section')
    this.element.innerHTML = '<h2></h2><output></output><output></output>'
    ;[this.title, this.status, this.list] = this.element.children
    this.title.textContent = name
    document.querySelector('main').append(this.element)
    this.lost('not connected')
  }

  live(how = 'connected') {
    this.connects++
    this.#show('live', `${how} (${this.connects})`)
  }
  lost(why) { this.#show('broken', why) }
  got(number) {
    this.numbers.push(number)
    this.list.textContent = this.numbers.join(' ')
  }
  #show(state, text) {
    this.state = state
    this.element.className = state
    this.status.textContent = text
  }
}

// The stock client does everything by itself: it comes back, and pulse gives it its rooms and what it missed.
function socketio(transports) {
  return (card, { url, token, room }) => {
    const socket = io(url, { transports, auth: { token }, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 })
    socket.on('connect', async () => {
      if (socket.recovered) return card.live('recovered')
      const { ok } = await socket.emitWithAck('room:join', { room })
      if (ok) card.live()
    })
    socket.on('disconnect', reason => card.lost(reason))
    socket.on('n', number => card.got(number))
    card.socket = socket
  }
}

// The browser's WebSocket with the native protocol: coming back is the page's.
function native(card, { url, token, room }) {
  let recovery, since
  const connect = () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'pulse.v1.json')
    const say = message => socket.send(JSON.stringify(message))
    socket.onopen = () => say({ type: 'connect', token, recovery, since })
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      if (message.type === 'connected') {
        recovery = message.recovery
        if (message.recovered) card.live('recovered')
        else say({ type: 'join', room, id: 1 })
      } else if (message.type === 'ack') card.live()
      else if (message.type === 'event') {
        since = message.position
        if (message.event === 'n') card.got(message.args[0])
      }
    }
    socket.onclose = async ({ code }) => {
      card.lost(`close code ${code}`)
      await pause(100)
      connect()
    }
  }
  connect()
}

// EventSource comes back by itself and says where it was.
function events(card, { url, token, room }) {
  const source = card.source = new EventSource(`${url}/sse?${new URLSearchParams({ room, token })}`)
  source.onopen = () => card.live()
  source.onerror = () => card.lost(`ready state ${source.readyState}`)
  source.addEventListener('n', ({ data }) => card.got(JSON.parse(data)))
}

async function poll(card, { url, token, room }) {
  let cursor
  for (;;) {
    try {
      const query = new URLSearchParams({ room, timeout: 20, ...cursor && { cursor } })
      const answer = await fetch(`${url}/poll?${query}`, { headers: { authorization: `Bearer ${token}` } })
      if (card.state !== 'live') card.live()
      if (answer.status === 200) {
        const page = await answer.json()
        for (const { event, args } of page.events) if (event === 'n') card.got(args[0])
        cursor = page.cursor
      } else if (answer.status === 204) cursor = answer.headers.get('pulse-cursor')
      else throw new Error(`HTTP ${answer.status}`)
    } catch (error) {
      card.lost(error.message)
      await pause(100)
    }
  }
}

const kinds = {
  'Socket.IO, WebSocket': socketio(['websocket']),
  'Socket.IO, polling': socketio(['polling']),
  'Socket.IO, upgrade': socketio(['polling', 'websocket']),
  WebSocket: native,
  EventSource: events,
  'fetch, long-poll': poll
}
const cards = new Map()

document.querySelector('#here').textContent = location.origin
window.pulse = {
  open(kind, options) {
    document.querySelector('#there').textContent = options.url
    cards.set(kind, new Card(kind))
    kinds[kind](cards.get(kind), options)
  },
  socket: kind => cards.get(kind).socket,
  report: () => Object.fromEntries([...cards].map(([kind, { state, connects, numbers, status }]) => [kind, { state, connects, numbers, status: status.textContent }]))
}
