// Vandals of WebSocket and of what is spoken on it: frames that are none, packets in the wrong order, and readers that do not read.
import { frame, noise, spoil, text, upgrade } from './raw.mjs'

const socketio = '/socket.io/?EIO=4&transport=websocket'

const frames = [
  () => frame(1, 'not masked', { mask: false }), () => frame(1, 'x', { rsv: 4 }), () => frame(3, 'x'), () => frame(11, 'x'), () => frame(9, 'x'.repeat(126)), () => frame(8, 'x', { fin: false }),
  () => frame(0, 'nothing to continue'), () => Buffer.concat([frame(1, 'a', { fin: false }), frame(1, 'b')]), () => frame(1, Buffer.from([0xc3, 0x28])), () => frame(1, Buffer.from([0xf0, 0x9f]), { fin: false }),
  () => frame(8, Buffer.from([0x03, 0xed])), () => frame(8, 'x'), () => frame(8, Buffer.from([3, 232, 0xff])), () => frame(2, '', { length: 2n ** 62n, wide: 8 }), () => frame(1, '', { length: 2 ** 31, wide: 8 }),
  () => frame(1, 'x', { length: 1, wide: 8 }), () => frame(1, 'half', { length: 1000 }), () => Buffer.concat(Array.from({ length: 300 }, () => frame(9, 'ping'))),
  () => Buffer.concat(Array.from({ length: 1000 }, () => frame(0, '', { fin: false }))), () => frame(1, 'x'.repeat(150_000)), () => frame(2, Buffer.alloc(120_000)), () => frame(10, 'unasked')]

async function badFrames({ open, random, token }) {
  const raw = open()
  raw.send(upgrade(random.pick([socketio, '/ws', `/ws?token=${token()}`]), random.chance(0.5) ? { 'Sec-WebSocket-Protocol': 'pulse.v1.json' } : {}))
  if (random.chance(0.7)) await raw.heard(/\r\n\r\n/)   // or right behind the request
  for (let n = random.integer(1, 4); n > 0; n--) await raw.drip(spoil(random.pick(frames)(), random), random)
  await raw.heard(/\x88/, 100)
  return raw
}

async function badHandshake({ open, random }) {
  const raw = open()
  raw.send(upgrade(random.pick([socketio, '/ws', '/nothing', `${socketio}&sid=nobody`, '/socket.io/?EIO=3&transport=websocket']), random.pick([{ 'Sec-WebSocket-Version': 8 }, { 'Sec-WebSocket-Key': 'short' },
    { 'Sec-WebSocket-Protocol': 'mqtt' }, { Upgrade: 'quic' }, { Connection: 'close' }, { 'Content-Length': 5 }, { Origin: 'http://evil.example' }])))
  await raw.heard(/\r\n\r\n/, 300)
  return raw
}

const packets = token => [
  '40', `40{"token":"${token()}"}`, '40{"token":7}', '40/desk,', '40/nowhere,{"token":"x"}', '40/', `40{"pid":"AAAA","offset":"x","token":"${token()}"}`, '41', '41/desk,', '42["echo",1]', '420["echo",1]',
  '42/desk,["echo"]', '42["room:join",{"room":"open:soak"}]', '421["room:join",{"room":"open:flood"}]', '42["room:join"]', '42["leave-me"]', '42["refuse"]', '42["nap",0.2]', '4211["crash"]', '430["x"]',
  '43999[]', '44{"message":"x"}', '451-["digest",{"_placeholder":true,"num":0}]', '451-["digest",{"_placeholder":true,"num":5}]', '4510-["x"]', '4599-["x"]', '461-0[{"_placeholder":true,"num":0}]', '42["connect"]',
  '42[]', '42{}', '42', '4', '', '2', '2probe', '3', '3probe', '5', '6', '1', '0', '9', 'bAAEC', 'b!!', '42["' + '\\u0000'.repeat(50) + '"]', '42' + '['.repeat(3000), '42["x"]\x1e42["y"]', '42["echo","' + 'é'.repeat(20_000) + '"]']

async function badPackets({ open, random, token }) {
  const raw = open()
  raw.send(upgrade(socketio + random.pick(['', '&b64=1', '&EIO=3'])))
  if (random.chance(0.9)) await raw.heard(/0\{"sid"/)
  if (random.chance(0.6)) raw.send(text(`40{"token":"${token()}"}`))
  if (random.chance(0.5)) await raw.heard(/40\{"sid"/)
  for (let n = random.integer(1, 30); n > 0; n--) {
    if (random.chance(0.15)) raw.send(frame(2, noise(random, 300)))
    else raw.send(text(random.pick(packets(token))))
    if (random.chance(0.2)) await raw.heard(/never/, 5)
  }
  await raw.heard(/\x88/, 100)
  return raw
}

const messages = token => [
  { type: 'connect', token: token() }, { type: 'connect' }, { type: 'connect', token: token(), recovery: 'x', since: 'y' }, { type: 'join', room: 'open:soak', id: 1 }, { type: 'join', room: 7, id: {} }, { type: 'join', room: 'open:flood' },
  { type: 'leave', room: 'open:soak' }, { type: 'emit', event: 'echo', args: [1], id: 'x' }, { type: 'emit', event: 'echo', args: 'no list' }, { type: 'emit' }, { type: 'ack', id: 1, args: [] }, { type: 'ping' }, { type: 'event' }, { type: null },
  [], 7, 'x', null, { type: 'emit', event: 'nap', args: [0.1], id: 2 }, { type: 'emit', event: 'leave-me' }, { type: 'x'.repeat(1000) }]

async function badMessages({ open, random, token }) {
  const raw = open()
  raw.send(upgrade(random.chance(0.6) ? `/ws?token=${token()}` : '/ws', { 'Sec-WebSocket-Protocol': 'pulse.v1.json' }))
  await raw.heard(/\r\n\r\n/)
  for (let n = random.integer(1, 30); n > 0; n--) raw.send(text(random.chance(0.1) ? spoil('{"type":"ping"}', random) : JSON.stringify(random.pick(messages(token)))))
  await raw.heard(/\x88/, 100)
  return raw
}

// In a room of large events, without reading one, or reading a little now and then.
async function slowReader({ open, random, token }) {
  const raw = open()
  raw.send(upgrade(`/ws?token=${token()}`, { 'Sec-WebSocket-Protocol': 'pulse.v1.json' }))
  await raw.heard(/connected/)
  raw.send(text('{"type":"join","room":"open:flood","id":1}'))
  await raw.heard(/"ack"/)
  raw.socket.pause()
  for (let n = random.integer(1, 15); n > 0 && !raw.closed; n--) {
    await raw.heard(/never/, 200)
    if (random.chance(0.2)) { raw.socket.resume(); await raw.heard(/never/, 5); raw.socket.pause() }
  }
  raw.socket.resume()
  return raw
}

export default { badFrames, badHandshake, badPackets, badMessages, slowReader }
export { packets }
