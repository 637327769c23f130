// The donors pack's story: an INSERT in psql alerts a donor's phone, the donor answers, the requester hears it.
// Plays against the running `make run` with stock clients, on donors and a request of its own that it deletes at the end; any number
// of times, also beside another demo. Exits 1 and names what is missing when anything is.
import { ask, connect, listen, Missing, Psql, running, Timeline } from './lib/demo.mjs'

const mumbai = { latitude: 19.0760, longitude: 72.8777 }
const run = `demo-${process.pid}-${Date.now().toString(36)}`
const people = {
  near: { group: 'O-', at: { latitude: 19.0896, longitude: 72.8656 }, what: 'O-, in Mumbai: can give' },
  unfit: { group: 'AB+', at: { latitude: 19.0896, longitude: 72.8656 }, what: 'AB+, in Mumbai: cannot give' },
  far: { group: 'O-', at: { latitude: 18.5204, longitude: 73.8567 }, what: 'O-, in Pune: too far' },
}
const userId = name => `${run}-${name}`
const quote = value => `'${String(value).replaceAll("'", "''")}'`

const timeline = new Timeline()
const clients = []
let psql

async function story() {
  const env = running()
  console.log(`pulse demo: donors, at ${env.PULSE_URL}\n`)
  psql = new Psql(env)
  await psql.run(`INSERT INTO donors.donors (user_id, name, blood_group, country_code) VALUES ${
    Object.entries(people).map(([name, { group }]) => `(${quote(userId(name))}, ${quote(name)}, ${quote(group)}, 'IN')`).join(', ')}`)

  // Everybody connects; donors say where they are.
  const sockets = { requester: await connect(env, { userId: userId('requester'), countryCode: 'IN' }) }
  clients.push(sockets.requester)
  for (const [name, { at, what }] of Object.entries(people)) {
    sockets[name] = await connect(env, { userId: userId(name) })
    clients.push(sockets[name])
    const { expiresAt } = await ask(sockets[name], 'donor:update-presence', { isAvailable: true, ...at })
    timeline.note(`${name.padEnd(10)} connected (${what}), available until ${expiresAt}`)
  }
  const listener = await listen(env, 'emergency_created')
  timeline.note('LISTEN     emergency_created, a plain PostgreSQL session\n')

  // What has to happen, watched from before it can.
  const id = await psql.run('SELECT gen_random_uuid()').then(([line]) => line)
  const mine = payload => payload.emergencyId === id
  const created = Object.fromEntries(Object.entries(sockets).map(([name, socket]) =>
    [name, timeline.watch(socket, 'emergency:created', name, { matches: mine, describe: p => `emergency:created ${p.bloodGroup} ${p.urgency}, in region:IN` })]))
  const nearby = Object.fromEntries(Object.keys(people).map(name =>
    [name, timeline.watch(sockets[name], 'emergency:nearby', name, { matches: mine, describe: p => `emergency:nearby, ${p.distanceKm} km away` })]))
  const legacy = timeline.watch(listener, 'notification', 'LISTEN', {
    payload: message => JSON.parse(message.payload), matches: mine, describe: p => `notification on emergency_created, event ${p.eventId}` })
  const fences = Object.keys(people).map(name => new Promise(resolve => sockets[name].on(`demo:${run}`, resolve)))

  // The INSERT.
  timeline.mark()
  timeline.say('psql', `INSERT INTO donors.blood_requests … 'B-', 'critical' …`)
  const inserted = await psql.run(`INSERT INTO donors.blood_requests (id, requester_id, blood_group, urgency, units, latitude, longitude, country_code)
    VALUES (${quote(id)}, ${quote(userId('requester'))}, 'B-', 'critical', 2, ${mumbai.latitude}, ${mumbai.longitude}, 'IN')`)
  timeline.say('psql', inserted.join(' '))
  const [alerted] = await Promise.all([nearby.near.first(), legacy.first(), ...Object.values(created).map(watch => watch.first())])

  // The answer.
  await ask(sockets.requester, 'emergency:join', id)
  timeline.say('requester', `emergency:join, now in emergency:{id} and emergency:{id}:requester`)
  const refused = await sockets.near.emitWithAck('room:join', { room: `emergency:${id}:requester` })
  if (refused?.error?.code !== 'forbidden') throw new Missing(`only the requester may join :requester, but the donor got ${JSON.stringify(refused)}`)
  const answered = timeline.watch(sockets.requester, 'emergency:response', 'requester', {
    matches: mine, describe: p => `emergency:response from ${p.donorId.slice(run.length + 1)}: ${p.status}, in ${p.etaMinutes} min, ${p.distanceKm} km away` })
  const sent = timeline.say('near', 'emergency:respond accepted, etaMinutes 15')
  const { responseId } = await ask(sockets.near, 'emergency:respond', { emergencyId: id, status: 'accepted', etaMinutes: 15 })
  timeline.say('near', 'acked')
  const { value: response, at: heard } = await answered.first()
  if (response.responseId !== responseId) throw new Missing(`the requester heard response ${response.responseId}, the donor's is ${responseId}`)

  // Who must not have been called: an event published after all of that is the last thing each of them sees.
  await psql.run(`SELECT pulse.publish('region:IN', ${quote(`demo:${run}`)}, '{}'::json)`)
  for (const fence of fences) await fence
  for (const name of ['unfit', 'far']) if (nearby[name].count > 0) throw new Missing(`${name} must not get emergency:nearby, but did`)
  for (const [name, watch] of Object.entries({ ...created, 'the near donor': nearby.near }))
    if (watch.count !== 1) throw new Missing(`${name} must get each event once, but got ${watch.count}`)
  timeline.say('unfit, far', 'no emergency:nearby, as it must be')
  console.log(`\nok: INSERT to the donor's socket ${alerted.at.toFixed(1)} ms, answer to the requester's ${(heard - sent).toFixed(1)} ms`)
  await listener.end()
}

async function cleanUp() {
  for (const client of clients) client.disconnect()
  if (!psql) return
  await psql.run(`DELETE FROM donors.blood_requests WHERE requester_id = ${quote(userId('requester'))}`)
  await psql.run(`DELETE FROM donors.donors WHERE user_id LIKE ${quote(`${run}-%`)}`)
  await psql.end()
}

let failure = null
try {
  await story()
} catch (error) {
  failure = error
}
try {
  await cleanUp()
} catch (error) {
  failure ??= error
}
if (failure) console.error(`\nmissing: ${failure instanceof Missing ? failure.message : failure.stack}`)
process.exit(failure ? 1 : 0)
