// E2, E7: random joins, leaves, evictions, grants and recoveries of stored sessions beside a plain model of what must come out.
// No dispatcher runs: positions are given by hand, so that each step is certain. SEED=n repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Cluster } from '../support/cluster.mjs'
import { Random } from '../support/random.mjs'

const users = ['ann', 'bob', 'cat'], rooms = ['order:1', 'order:2', 'order:3', 'order:4']
const steps = Number(process.env.STEPS ?? 1500)
const seed = Number(process.env.SEED ?? Date.now() % 1e9)
const random = new Random(seed)
const any = list => random.pick(list)

let cluster, epoch
before(async () => {
  cluster = await Cluster.create({ settings: { 'pulse.databases': '' } })
  await cluster.sql(`SELECT pulse.publish('elsewhere', 'x', '1'::json)`)
  await cluster.sql('SELECT _pulse.tick()')   // opens the epoch
  epoch = await cluster.value('SELECT epoch FROM _pulse.epochs')
  await cluster.sql('CREATE TABLE members (room text, user_id text); GRANT SELECT ON members TO pulse_client')
  await cluster.sql(`CREATE FUNCTION is_member(claims json, room text, params json) RETURNS boolean LANGUAGE sql
    BEGIN ATOMIC SELECT EXISTS (SELECT FROM members m WHERE m.room = is_member.room AND m.user_id = pulse.user_id()); END`)
  await cluster.sql(`SELECT pulse.policy('order:{id}', 'join', 'is_member')`)
})
after(() => cluster?.drop())

// What there must be.
let head = 1, pending = []
const evictions = []                 // {position, room, user}; user null: everybody
const granted = new Set()            // 'user room'
const sessions = []                  // {key, pid, user, rooms: Map(room → joined), cursor, generation}
const concerns = (eviction, session, room) => eviction.room === room && (eviction.user === null || eviction.user === session.user)

function expected(session, cursor) {
  const missed = evictions.some(e => e.position > cursor && (e.user === session.user || e.user === null && session.rooms.has(e.room)))
  if (missed) return { mustRefetch: 'evicted' }
  const kept = [...session.rooms].filter(([room, joined]) => !evictions.some(e => concerns(e, session, room) && e.position > joined))
  if (kept.some(([room]) => room.startsWith('order:') && !granted.has(`${session.user} ${room}`))) return { mustRefetch: 'forbidden' }
  return { rooms: kept }
}

let keys = 0
async function connect(user, recover) {
  const key = `k${++keys}`
  const answer = await cluster.value('SELECT pulse.handle_connect($1, $2)', ['/', { userId: user, sessionId: key, socketId: key, bridge: 'b1', pid: `pid of ${key}`, recover }])
  assert.equal(answer.position, `${epoch}:${head}`)
  if (!answer.recovered) sessions.push({ key, pid: `pid of ${key}`, user, rooms: new Map([[`user:${user}`, head]]), cursor: head, generation: 1 })
  return answer
}

const does = {
  async dispatch() {
    await cluster.sql(`SELECT pulse.publish('elsewhere', 'x', '1'::json)`)
    await cluster.sql('SELECT _pulse.tick()')
    for (const eviction of pending) evictions.push({ ...eviction, position: ++head })
    pending = []
    head += 1
    assert.equal(await cluster.value('SELECT pulse.position()'), `${epoch}:${head}`)
  },
  async evict() {
    const room = any(rooms), user = random.chance(1 / 4) ? null : any(users)
    await cluster.sql('SELECT pulse.evict($1, $2)', [room, user])
    pending.push({ room, user })
  },
  async grant() {
    const user = any(users), room = any(rooms)
    await cluster.sql('DELETE FROM members WHERE room = $1 AND user_id = $2', [room, user])
    if (granted.delete(`${user} ${room}`) && random.chance(1 / 3)) return
    await cluster.sql('INSERT INTO members VALUES ($1, $2)', [room, user])
    granted.add(`${user} ${room}`)
  },
  async connect() { await connect(any(users)) },
  async join() {
    const session = any(sessions), room = any(rooms), stale = random.chance(1 / 10)
    const request = { operation: 'join', room, session: session.key, generation: session.generation - (stale ? 1 : 0), context: { userId: session.user } }
    const allowed = await cluster.value('SELECT allowed FROM pulse.decide($1)', [JSON.stringify([request])])
    const right = granted.has(`${session.user} ${room}`)
    assert.equal(allowed, right && !stale)
    if (!allowed) return
    const joined = session.rooms.get(room)
    if (joined === undefined || evictions.some(e => concerns(e, session, room) && e.position > joined)) session.rooms.set(room, head)
  },
  async leave() {
    const session = any(sessions), room = any(rooms), stale = random.chance(1 / 10)
    await cluster.sql('SELECT pulse.bridge_sessions($1, $2)', ['b1', JSON.stringify([{ key: session.key, leave: room, generation: session.generation - (stale ? 1 : 0) }])])
    if (!stale) session.rooms.delete(room)
  },
  async recover() {
    const session = any(sessions), given = random.chance(1 / 4) ? null : Math.max(0, head - random.integer(0, 11))
    const cursor = given ?? session.cursor
    const answer = await connect(session.user, { pid: session.pid, cursor: given === null ? null : `${epoch}:${given}` })
    const right = expected(session, cursor)
    assert.equal(answer.mustRefetch, right.mustRefetch)
    if (!right.rooms) return
    assert.equal(answer.recovered, true)
    const since = Object.fromEntries(answer.rooms.map(({ room, since }) => [room, since]))
    assert.deepEqual(since, Object.fromEntries(right.rooms.map(([room, joined]) => [room, Math.max(joined, cursor)])))
    assert.deepEqual(answer.session, { key: session.key, socketId: session.key, generation: ++session.generation, cursor: `${epoch}:${cursor}` })
    session.rooms = new Map(right.rooms)
    session.cursor = cursor
  }
}
const weights = { dispatch: 4, evict: 3, grant: 3, connect: 1, join: 8, leave: 1, recover: 6 }

test(`E2, E7: ${steps} random steps of stored sessions come out as the model says, seed ${seed}`, async () => {
  await connect('ann')
  for (let step = 0; step < steps; ++step) {
    const name = random.weighted(weights)
    try {
      await does[name]()
    } catch (error) {
      error.message = `seed ${seed}, step ${step}, ${name}: ${error.message}`
      throw error
    }
    if (sessions.length > 40) sessions.splice(0, 20)
  }
  assert.ok(evictions.length > 70, 'more evictions than are looked through one by one')
  assert.ok(sessions.some(session => session.generation > 1), 'some were recovered')
})
