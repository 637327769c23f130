// Tokens as docs/reference/tokens.md tells it: where keys come from, minting, refreshing, expiry, reconnecting, revoking (M8, S2, C4, F3).
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root } from '../support/cluster.mjs'
import { poll, sse, startPoll } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { secret, token } from '../support/token.mjs'
import { gather, next, until } from '../support/wait.mjs'

// Somebody who publishes keys over HTTP: keys can be exchanged, requests are counted, an answer can be held back.
class Issuer {
  keys = []
  asked = 0
  status = 200
  held = undefined
  #server = createServer(async (request, response) => {
    this.asked++
    await this.held
    response.writeHead(this.status, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: this.keys }))
  })

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }
  get url() { return `http://127.0.0.1:${this.#server.address().port}/keys` }
  async close() {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

let pulse, folder, issuer
const program = join(root, process.env.BRIDGE ?? 'build/plain/bin/pulse-bridge')
const bridges = () => [pulse.bridges[0], pulse.bridges[1]]

before(async () => {
  folder = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'tokens-'))
  issuer = new Issuer()
  await issuer.listen()
  pulse = await startPulse({ bridges: 2 })
  await pulse.load('rooms')
  await pulse.sql(`
    CREATE FUNCTION app.has_role(claims json, room text, params json) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN claims->>'role' = params->>'role';
    SELECT pulse.policy('role:{role}', 'join', 'app.has_role');
    CREATE FUNCTION app.connect(claims json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
      IF claims->>'role' = 'banned' THEN PERFORM pulse.fail('forbidden', 'not with this role'); END IF;
      RETURN json_build_object('rooms', CASE WHEN claims->>'region' IS NOT NULL THEN json_build_array('region:' || (claims->>'region')) ELSE '[]' END, 'data', json_build_object('use', pulse.claim('use')));
    END $$;`)
  await pulse.sql(`SELECT pulse.namespace('/', 'app.connect')`)
  await pulse.sql(`CREATE FUNCTION app.track(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pulse.track(args->>0); RETURN NULL; END $$`)
  await pulse.sql(`SELECT pulse.on('track', 'app.track')`)
  await pulse.sql(`CREATE FUNCTION app.data(args json) RETURNS json LANGUAGE sql STABLE RETURN pulse.session_data()`)
  await pulse.sql(`SELECT pulse.on('data', 'app.data')`)
})
after(async () => {
  await pulse?.stop()
  await issuer?.close()
  rmSync(folder, { recursive: true, force: true })
})

// A key pair with a name, and tokens by it.
function keyed(kid, type = 'ed25519', options = {}) {
  const { publicKey, privateKey } = generateKeyPairSync(type, options)
  const alg = { ed25519: 'EdDSA', rsa: 'RS256', ec: 'ES256' }[type]
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }, token: claims => token(claims, { alg, key: privateKey, header: { kid } }) }
}

const who = async socket => (await socket.emitWithAck('who')).user
const refused = async promise => await promise.then(() => assert.fail('it was let in'), error => error.data)

test('M8: minted in SQL, by the command line and by the tests: every bridge takes it', async () => {
  const minted = await pulse.value(`SELECT pulse.mint_token('{"userId":"ann","role":"chief"}', '15 minutes')`)
  const printed = execFileSync(program, ['token', 'mint', '--user', 'ann', '--claim', 'role=chief', '--expires', '15m'], { env: { PULSE_JWT_SECRET: secret }, encoding: 'utf8' }).trim()
  for (const text of [minted, printed]) {
    const claims = JSON.parse(Buffer.from(text.split('.')[1], 'base64url'))
    assert.equal(claims.exp - claims.iat, 900)
    assert.match(claims.jti, /^[\w-]{16,}$/)
    for (const bridge of bridges()) {
      const socket = await pulse.io(text, { bridge })
      assert.deepEqual(await socket.emitWithAck('who'), { user: 'ann', role: 'chief', as: 'pulse_client' })
      socket.disconnect()
    }
  }
})

test('M8: a secret for HS512, another claim for the user, and a secret exchanged by SIGHUP', async () => {
  const file = join(folder, 'secret'), [first, second] = ['1', '2'].map(digit => digit.repeat(64))
  writeFileSync(file, `${first}\n`)
  const bridge = await pulse.addBridge({ PULSE_JWT_SECRET: '', PULSE_JWT_SECRET_FILE: file, PULSE_JWT_ALGORITHM: 'HS512', PULSE_JWT_USER_CLAIM: 'uid' })
  const by = (key, alg = 'HS512') => token({ uid: 'eve', userId: 'root' }, { alg, key })
  const socket = await pulse.io(by(first), { bridge })
  assert.equal(await who(socket), 'eve')
  assert.equal((await refused(pulse.io(by(first, 'HS256'), { bridge }))).reason, 'signature')
  writeFileSync(file, 'too short')
  process.kill(bridge.pid, 'SIGHUP')
  await until(() => bridge.log.some(({ message }) => message === 'keys not reloaded'), { what: 'the refusal in the log' })
  assert.equal(await who(await pulse.io(by(first), { bridge })), 'eve')
  writeFileSync(file, second)
  process.kill(bridge.pid, 'SIGHUP')
  await until(() => bridge.log.some(({ message }) => message === 'keys reloaded'), { what: 'the new secret' })
  assert.equal(await who(await pulse.io(by(second), { bridge })), 'eve')
  assert.equal((await refused(pulse.io(by(first), { bridge }))).reason, 'signature')
  assert.equal(await who(socket), 'eve', 'who is here stays')
})

test('M8: keys of a JWKS by URL: a new one is fetched when a token names it, on every protocol, and unknown ones cost no more than one fetch', async () => {
  const [old, fresh, last] = [keyed('a', 'rsa', { modulusLength: 2048 }), keyed('b', 'ec', { namedCurve: 'P-256' }), keyed('c')]
  issuer.keys = [old.jwk, { kty: 'oct', kid: 'public', alg: 'HS256', k: Buffer.from(secret).toString('base64url') }]
  const bridge = await pulse.addBridge({ PULSE_JWT_SECRET: '', PULSE_JWT_JWKS: issuer.url, PULSE_JWT_JWKS_MIN_INTERVAL: '100ms' })
  assert.equal(await who(await pulse.io(old.token({ userId: 'ann' }), { bridge })), 'ann')
  assert.equal((await refused(pulse.io(token({ userId: 'ann' }, { header: { kid: 'public' } }), { bridge }))).reason, 'signature', 'a secret that is published is none')

  // rotation: everybody who comes with the new key waits for one fetch
  await pulse.sql(`CREATE FUNCTION app.caller(request json) RETURNS json LANGUAGE sql STABLE RETURN to_json(pulse.user_id())`)
  await pulse.sql(`SELECT pulse.route('GET', '/caller', 'app.caller', 'jwt')`)
  issuer.keys = [fresh.jwk]
  await until(async () => {
    const text = fresh.token({ userId: 'bob' })
    const [socket, stream, cursor, route] = await Promise.all([pulse.io(text, { bridge }), sse(bridge, text, { room: 'open:a' }), poll(bridge, text, { room: 'open:a' }),
      fetch(`${bridge.url}/caller`, { headers: { authorization: `Bearer ${text}` } })])
    assert.equal(await who(socket), 'bob')
    assert.deepEqual([stream.status, cursor.status, await route.json()], [200, 200, 'bob'])
    await stream.close()
    return true
  }, { what: 'the new key' })
  assert.equal((await refused(pulse.io(old.token({ userId: 'ann' }), { bridge }))).reason, 'signature', 'the old key is gone')

  // the issuer is away: what was read last counts on
  issuer.status = 500
  await until(async () => (await refused(pulse.io(last.token({ userId: 'ann' }), { bridge }))).reason === 'signature' &&
    bridge.log.some(({ message }) => /JWKS could not be read/.test(message)), { what: 'the failure in the log' })
  assert.equal(await who(await pulse.io(fresh.token({ userId: 'bob' }), { bridge })), 'bob')
  issuer.status = 200

  // it answers slowly: the loop serves on, and who waits is answered when it does
  issuer.keys = [last.jwk]
  let go
  issuer.held = new Promise(resolve => { go = resolve })
  const asked = issuer.asked
  const waiting = until(() => pulse.io(last.token({ userId: 'cat' }), { bridge }), { what: 'the newest key' })   // at once after a fetch it is refused
  await until(() => issuer.asked > asked, { what: 'the fetch' })
  assert.equal(await who(await pulse.io(fresh.token({ userId: 'bob' }), { bridge })), 'bob')
  issuer.held = undefined
  go()
  assert.equal(await who(await waiting), 'cat')
})

test('M8: tokens that name keys nobody has make one fetch in --jwt-jwks-min-interval, and are refused', async () => {
  issuer.keys = [keyed('only').jwk]
  const bridge = await pulse.addBridge({ PULSE_JWT_SECRET: '', PULSE_JWT_JWKS: issuer.url, PULSE_JWT_JWKS_MIN_INTERVAL: '1h' })
  await until(() => issuer.asked > 0, { what: 'the first fetch' })
  const asked = issuer.asked
  for (const kid of ['x', '../../etc/passwd', `' OR '1'='1`, 'k'.repeat(3000)]) {
    const { code, reason } = await refused(pulse.io(keyed(kid).token({ userId: 'ann' }), { bridge }))
    assert.deepEqual([code, reason], ['unauthenticated', 'signature'])
  }
  assert.ok(issuer.asked <= asked + 1, `${issuer.asked - asked} fetches`)
})

test('M8: a JWKS in a file is read at start and by SIGHUP', async () => {
  const file = join(folder, 'jwks.json'), [one, two] = [keyed('1'), keyed('2')]
  writeFileSync(file, JSON.stringify({ keys: [one.jwk] }))
  const bridge = await pulse.addBridge({ PULSE_JWT_SECRET: '', PULSE_JWT_JWKS: file, PULSE_JWT_JWKS_MIN_INTERVAL: '1h' })
  assert.equal(await who(await pulse.io(one.token({ userId: 'ann' }), { bridge })), 'ann')
  writeFileSync(file, JSON.stringify({ keys: [two.jwk] }))
  process.kill(bridge.pid, 'SIGHUP')
  await until(async () => await pulse.io(two.token({ userId: 'bob' }), { bridge }).then(who) === 'bob', { what: 'the new file' })
  assert.equal((await refused(pulse.io(one.token({ userId: 'ann' }), { bridge }))).reason, 'signature')
})

test('S2, M8: auth:refresh keeps the connection, gives the new claims, and leaves the rooms that they do not allow', async () => {
  const socket = await pulse.io(token({ userId: 'ann', role: 'chief', region: 'IN', jti: 'r1' }, { expires: 6 }))
  for (const room of ['role:chief', 'open:stays', 'named:ann']) assert.equal((await socket.emitWithAck('room:join', { room })).ok, true)
  for (const room of ['role:chief', 'open:stays']) await socket.emitWithAck('track', room)
  const present = () => pulse.value(`SELECT string_agg(room, ',' ORDER BY room) FROM unnest(ARRAY['role:chief', 'open:stays']) room WHERE pulse.presence_count(room) > 0`)
  assert.equal(await present(), 'open:stays,role:chief')
  const evicted = gather(socket, 'room:evicted'), events = gather(socket, 'n')
  const { ok, expiresAt } = await socket.emitWithAck('auth:refresh', { token: token({ userId: 'ann', role: 'clerk', region: 'US', jti: 'r2', exp: 4000000000 }) })
  assert.deepEqual([ok, expiresAt], [true, '2096-10-02T07:06:40.000Z'])
  assert.deepEqual(evicted.items.map(([{ room }]) => room).sort(), ['region:IN', 'role:chief'])
  assert.equal((await socket.emitWithAck('who')).role, 'clerk')
  await until(async () => await present() === 'open:stays', { what: 'the presence in the lost room ending' })
  const [session] = await pulse.sql(`SELECT rooms FROM pulse.sessions('ann') WHERE socket_id = $1`, [socket.id])
  assert.deepEqual(session.rooms.sort(), ['named:ann', 'open:stays', 'region:US', 'user:ann'])
  for (const room of ['role:chief', 'region:IN', 'region:US', 'open:stays']) await pulse.sql(`SELECT pulse.publish('${room}', 'n', to_json('${room}'::text))`)
  await events.atLeast(2)
  assert.deepEqual(events.items.map(([room]) => room), ['region:US', 'open:stays'])

  // past the end of the first token
  await until(() => Date.now() > JSON.parse(Buffer.from(socket.auth.token.split('.')[1], 'base64url')).exp * 1000 + 500, { what: 'the end of the first token' })
  assert.equal((await socket.emitWithAck('who')).user, 'ann')
  await pulse.sql(`SELECT pulse.revoke(jti => 'r1')`)
  await pulse.dispatched(`SELECT pulse.publish('open:stays', 'n', '"after"')`)
  await until(() => events.items.some(([text]) => text === 'after'), { what: 'an event after the first token was revoked' })
  const ended = next(socket, 'disconnect')
  await pulse.sql(`SELECT pulse.revoke(jti => 'r2')`)
  assert.equal((await ended)[0], 'io server disconnect')
})

test('S2: a refresh that is refused changes nothing: another user, a bad token, a connect function that says no', async () => {
  const socket = await pulse.io({ userId: 'ann', role: 'chief' })
  await socket.emitWithAck('room:join', { room: 'role:chief' })
  const attempt = async claims => (await socket.emitWithAck('auth:refresh', { token: typeof claims === 'string' ? claims : token(claims) })).error
  assert.equal((await attempt({ userId: 'bob' })).code, 'forbidden')
  assert.deepEqual(Object.fromEntries(Object.entries(await attempt({ userId: 'ann', exp: 1 })).filter(([key]) => key !== 'message')), { code: 'unauthenticated', reason: 'expired' })
  assert.equal((await attempt('nonsense')).reason, 'malformed')
  const { code, message } = await attempt({ userId: 'ann', role: 'banned' })
  assert.deepEqual([code, message], ['forbidden', 'not with this role'])
  assert.equal((await socket.emitWithAck('auth:refresh', 'text')).error.code, 'bad_request')
  assert.equal((await socket.emitWithAck('who')).role, 'chief')
  const event = next(socket, 'n')
  await pulse.sql(`SELECT pulse.publish('role:chief', 'n', '1')`)
  await event
})

test('S2: on the native protocol too; an expired session ends with a code of its own, and goes on with a newer token', async () => {
  const socket = await pulse.ws(token({ userId: 'ann', role: 'chief' }, { expires: 60 }))
  await socket.frames.atLeast(1)
  const ask = (message, id) => socket.send(JSON.stringify({ ...message, id }))
  const ack = id => until(() => socket.frames.items.map(([text]) => JSON.parse(text)).find(frame => frame.type === 'ack' && frame.id === id), { what: `ack ${id}` })
  ask({ type: 'emit', event: 'auth:refresh', args: [{ token: token({ userId: 'ann', role: 'clerk' }, { expires: 4 }) }] }, 1)
  const [{ ok, expiresAt }] = (await ack(1)).args
  assert.equal(ok, true)
  ask({ type: 'emit', event: 'who', args: [] }, 2)
  assert.equal((await ack(2)).args[0].role, 'clerk')
  const [code, reason] = await socket.closed
  assert.deepEqual([code, String(reason)], [4419, 'token_expired'])
  assert.ok(Date.now() >= Date.parse(expiresAt), 'not before its time')
  const { recovery, position } = JSON.parse(socket.frames.items[0][0])
  const again = await pulse.ws(token({ userId: 'ann' }), { path: `/ws?recovery=${recovery}&since=${position}`, bridge: pulse.bridges[1] })
  await again.frames.atLeast(1)
  assert.equal(JSON.parse(again.frames.items[0][0]).recovered, true)
})

test('S2: a Socket.IO session that expires hears why and is disconnected; --jwt-leeway gives it so much longer', async () => {
  const socket = await pulse.io(token({ userId: 'ann' }, { expires: 2 }))
  const error = next(socket, 'error'), ended = next(socket, 'disconnect')
  const [{ code, reason }] = await error
  assert.deepEqual([code, reason], ['unauthenticated', 'expired'])
  assert.equal((await ended)[0], 'io server disconnect')
  const lenient = await pulse.addBridge({ PULSE_JWT_LEEWAY: '1h' })
  assert.equal(await who(await pulse.io(token({ userId: 'ann' }, { expires: -60 }), { bridge: lenient })), 'ann')
  assert.equal((await refused(pulse.io(token({ userId: 'ann' }, { expires: -3601 }), { bridge: lenient }))).reason, 'expired')
})

test('M8: a reconnect token comes back and does nothing else; no other token comes back', async () => {
  const reconnectToken = await pulse.value(`SELECT pulse.mint_token('{"userId":"ann","use":"reconnect"}', '30 days')`)
  for (const bridge of bridges()) {
    const socket = pulse.socket('', { bridge })
    socket.auth = { reconnectToken, device: 'an old phone' }
    const connected = next(socket, 'connect')
    socket.connect()
    await connected
    assert.equal(await who(socket), 'ann')
    assert.deepEqual(await socket.emitWithAck('data'), { use: 'reconnect' }, 'the connect function knew')
    assert.equal((await socket.emitWithAck('auth:refresh', { token: reconnectToken })).error.reason, 'audience')
    socket.disconnect()
    assert.equal((await refused(pulse.io(reconnectToken, { bridge }))).reason, 'audience')
    for (const way of [sse, poll]) assert.equal((await way(bridge, reconnectToken, { room: 'open:a' })).status, 401)
  }
  const native = await pulse.ws()
  native.send(JSON.stringify({ type: 'connect', reconnectToken }))
  await native.frames.atLeast(1)
  assert.equal(JSON.parse(native.frames.items[0][0]).type, 'connected')
  const socket = pulse.socket('')
  socket.auth = { reconnectToken: token({ userId: 'ann' }) }
  const [error] = await Promise.all([next(socket, 'connect_error'), socket.connect()])
  assert.equal(error[0].data.reason, 'audience')
})

test('M8: a revocation by user or by token ends sessions on all bridges and protocols, and lets nobody in again', async () => {
  for (const [what, revoke, jti] of [['user', `SELECT pulse.revoke('mallory')`, undefined], ['token', `SELECT pulse.revoke(jti => 'stolen')`, 'stolen']]) {
    const text = token({ userId: what === 'user' ? 'mallory' : 'victim', jti, iat: Math.floor(Date.now() / 1000) - 5 })
    const other = await pulse.io(what === 'user' ? { userId: 'ann' } : token({ userId: 'victim', jti: 'good' }))
    const all = await Promise.all(bridges().map(async bridge => {
      const [socket, native, stream, { body: { cursor } }] = await Promise.all([pulse.io(text, { bridge }), pulse.ws(text, { bridge }), sse(bridge, text, { room: 'open:r' }),
        poll(bridge, text, { room: 'open:r' })])
      const parked = startPoll(bridge, text, { room: 'open:r', cursor })
      await until(async () => await bridge.metric('pulse_bridge_polls_waiting') === 1, { what: 'a waiting poll' })
      return { bridge, socket, native, stream, parked, error: next(socket, 'error'), ended: next(socket, 'disconnect') }
    }))
    await pulse.sql(revoke)
    for (const { bridge, native, stream, parked, error, ended } of all) {
      const [{ code, reason }] = await error
      assert.deepEqual([code, reason], ['unauthenticated', 'revoked'])
      assert.equal((await ended)[0], 'io server disconnect')
      const [close, why] = await native.closed
      assert.deepEqual([close, String(why)], [4401, 'revoked'])
      await stream.ended
      assert.equal(stream.named('error')[0].reason, 'revoked')
      const answer = await parked.answered
      assert.deepEqual([answer.status, answer.body.error.reason], [401, 'revoked'])
      assert.equal((await refused(pulse.io(text, { bridge }))).reason, 'revoked')
      for (const way of [sse, poll]) {
        const { status, body } = await way(bridge, text, { room: 'open:r' })
        assert.deepEqual([status, body.error.reason], [401, 'revoked'])
      }
    }
    assert.equal((await other.emitWithAck('who')).as, 'pulse_client', 'nobody else is touched')
  }
  const late = await pulse.addBridge()   // one that was not there
  assert.equal((await refused(pulse.io(token({ userId: 'x', jti: 'stolen' }), { bridge: late }))).code, 'unauthenticated')   // by SQL, until it has read the list
})
