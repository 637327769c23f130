// Vandals of plain HTTP: requests that are none, requests that never end, and more of them than anybody asked for.
import { noise, request, spoil } from './raw.mjs'

const paths = ['/', '/health', '/ready', '/metrics', '/internal/x', '/socket.io/', '/socket.io/?EIO=4&transport=polling', '/engine.io/', '/ws', '/sse', '/sse?room=open:soak',
  '/poll', '/poll?room=open:soak', '/nothing', '/%00', '/%', '/..//../etc/passwd', `/${'a'.repeat(3000)}`, '/sse?room=%ff%fe&event=%00', '/poll?cursor=&cursor=x&timeout=-1', '*', 'http://x/health']
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'CONNECT', 'PATCH', 'PRI', 'get', 'G\0T']

const oddHeaders = random => random.pick([
  {}, { 'Content-Length': -1 }, { 'Content-Length': '4, 5' }, { 'Content-Length': '99999999999999999999' }, { 'Content-Length': 4, 'Transfer-Encoding': 'chunked' },
  { 'Transfer-Encoding': 'gzip, chunked' }, { 'Transfer-Encoding': 'identity' }, { Expect: '100-continue', 'Content-Length': 10 }, { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' },
  { Long: 'x'.repeat(random.pick([8000, 16_000, 40_000])) }, { Authorization: `Bearer ${'a'.repeat(5000)}.b.c` }, { Origin: 'null\x01' }, { 'Last-Event-ID': 'x'.repeat(2000) }, { ' folded': 'x\r\n y' },
  { Range: 'bytes=0-1,2-3,-1' }, { Connection: 'close, keep-alive, Upgrade' }, Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`X-${n}`, n]))])

async function garbage({ open, random }) {
  const raw = open()
  await raw.drip(random.pick([noise(random, 3000), Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\r\n'.repeat(2000), Buffer.alloc(500)]), random)
  await raw.heard(/\r\n\r\n/, 100)
  return raw
}

async function oddRequest({ open, random }) {
  const raw = open()
  await raw.drip(spoil(request(random.pick(methods), random.pick(paths), oddHeaders(random), random.pick(['', 'abcd', '0\r\n\r\n', 'ffffffffffffffffff\r\n', '4\r\nabcd\r\nzz\r\n'])), random), random)
  await raw.heard(/\r\n\r\n/, 300)
  return raw
}

// A head, or a body, of which the rest does not come: the bridge's deadlines end it, if the vandal does not before.
async function unfinished({ open, random }) {
  const raw = open()
  const whole = request('POST', '/socket.io/?EIO=4&transport=polling&sid=x', { 'Content-Length': 100 }, 'half of the bod')
  await raw.drip(whole.slice(0, random.integer(1, whole.length)), random)
  await raw.heard(/\r\n\r\n/, random.pick([10, 300, 4000]))
  return raw
}

async function pipelined({ open, random }) {
  const raw = open()
  if (random.chance(0.5)) raw.socket.pause()
  const requests = Array.from({ length: random.integer(2, 200) }, () => request(random.pick(['GET', 'GET', 'HEAD', 'OPTIONS', 'POST']), random.pick(paths), { 'Content-Length': 0 }))
  await raw.drip(requests.join(''), random)
  raw.socket.resume()
  await raw.heard(/\r\n\r\n/, 300)
  return raw
}

// An answer that waits, and nobody who waits for it.
async function parked({ open, random, token, cursor }) {
  const raw = open()
  const query = new URLSearchParams({ room: random.pick(['open:soak', 'open:flood', 'open:quiet', 'named:nobody']), token: random.chance(0.8) ? token() : 'x.y.z' })
  if (random.chance(0.5)) query.set('cursor', random.pick([cursor(), '0123456789abcdef:1', 'x']))
  if (random.chance(0.3)) query.append('event', 'n')
  raw.send(request('GET', `/${random.pick(['sse', 'poll'])}?${query}`, random.chance(0.2) ? { 'Last-Event-ID': cursor() } : {}))
  if (random.chance(0.3)) raw.send(noise(random, 200))   // out of turn
  if (random.chance(0.4)) raw.socket.pause()
  await raw.heard(/\r\n\r\n/, random.pick([10, 500, 2000]))
  return raw
}

export default { garbage, oddRequest, unfinished, pipelined, parked }
