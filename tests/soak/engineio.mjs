// Vandals of Engine.IO's polling and of its upgrade: two polls at once, polls cut off, posts of anything, probes that never end.
import { frame, noise, request, spoil, text, upgrade } from './raw.mjs'
import { packets } from './websocket.mjs'

const path = (sid, transport = 'polling') => `/socket.io/?EIO=4&transport=${transport}${sid ? `&sid=${sid}` : ''}`
const post = (sid, body, headers = {}) => request('POST', path(sid), { 'Content-Type': 'text/plain;charset=UTF-8', 'Content-Length': Buffer.byteLength(body), ...headers }, body)

// A polling session's sid, if it comes to one.
async function begin({ open, random }) {
  const raw = open()
  raw.send(request('GET', path()))
  await raw.heard(/"sid":"[^"]+"/)
  const sid = /"sid":"([^"]+)"/.exec(raw.answer)?.[1] ?? 'nobody'
  if (random.chance(0.7)) raw.socket.destroy()
  return sid
}

async function badPosts(world) {
  const { open, random, token } = world
  const sid = await begin(world)
  let last
  for (let n = random.integer(1, 8); n > 0; n--) {
    const raw = last = open()
    const some = Array.from({ length: random.integer(1, 40) }, () => random.chance(0.2) ? `b${noise(random, 60).toString('base64')}` : random.pick(packets(token)))
    const body = random.chance(0.3) ? `40{"token":"${token()}"}` : random.chance(0.1) ? 'x'.repeat(150_000) : some.join('\x1e')
    raw.send(random.chance(0.2) ? spoil(post(sid, body), random) : post(sid, body, random.chance(0.1) ? { 'Content-Type': 'application/octet-stream' } : {}))
    if (random.chance(0.6)) await raw.heard(/\r\n\r\n/, 300)
    else if (random.chance(0.5)) await raw.leave(random)
  }
  return last
}

// Polls beside each other, polls given up, and then perhaps none at all any more.
async function badPolls(world) {
  const { open, random, token } = world
  const sid = await begin(world)
  if (random.chance(0.7)) {
    const raw = open()
    raw.send(post(sid, `40{"token":"${token()}"}\x1e42["room:join",{"room":"${random.pick(['open:soak', 'open:flood'])}"}]`))
    await raw.heard(/\r\n\r\nok/, 500)
  }
  let last
  for (let n = random.integer(1, 6); n > 0; n--) {
    const raw = last = open()
    raw.send(random.chance(0.1) ? request('DELETE', path(sid)) : request('GET', path(sid)))
    if (random.chance(0.3)) raw.socket.pause()
    if (random.chance(0.6)) await raw.heard(/\r\n\r\n/, 400)
    else if (random.chance(0.5)) await raw.leave(random)
  }
  return last
}

async function badUpgrades(world) {
  const { open, random, token } = world
  const sid = await begin(world)
  if (random.chance(0.6)) {
    const raw = open()
    raw.send(post(sid, `40{"token":"${token()}"}`))
    await raw.heard(/\r\n\r\nok/, 500)
  }
  let poll
  if (random.chance(0.6)) {
    poll = open()
    poll.send(request('GET', path(sid)))
  }
  const probes = Array.from({ length: random.integer(1, 3) }, () => open())
  for (const probe of probes) {
    probe.send(upgrade(path(sid, 'websocket')))
    await probe.heard(/\r\n\r\n/, 500)
    if (random.chance(0.8)) probe.send(text('2probe'))
    if (random.chance(0.7)) await probe.heard(/3probe/, 500)
    for (const packet of random.sample(['5', '5', '2probe', '42["echo",1]', '3', '6', '1', ''], random.integer(0, 3))) probe.send(text(packet))
    if (random.chance(0.2)) probe.send(spoil(frame(2, noise(random, 50)), random))
    if (random.chance(0.4)) await probe.leave(random)
  }
  if (poll && random.chance(0.5)) await poll.leave(random)
  if (random.chance(0.4)) {
    const raw = open()
    raw.send(random.chance(0.5) ? post(sid, '42["echo",1]') : request('GET', path(sid)))
    await raw.heard(/\r\n\r\n/, 300)
  }
  return probes.at(-1)
}

export default { badPosts, badPolls, badUpgrades }
