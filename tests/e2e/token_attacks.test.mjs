// Tokens that must not work, on every way in: 401 or connect_error, with a word for the kind of fault and nothing else (S2, C4, M2, M8, M9).
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { poll, sse } from '../support/listen.mjs'
import { startPulse } from '../support/pulse.mjs'
import { part, secret, signature, token } from '../support/token.mjs'
import { until } from '../support/wait.mjs'

let pulse, folder
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }), ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }), foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed = generateKeyPairSync('ed25519')
const pem = ({ publicKey }) => publicKey.export({ type: 'spki', format: 'pem' })

before(async () => {
  folder = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'keys-'))
  const files = [rsa, ec, ed].map((pair, n) => {
    writeFileSync(join(folder, `${n}.pem`), pem(pair))
    return join(folder, `${n}.pem`)
  })
  pulse = await startPulse({ environment: { PULSE_JWT_PUBLIC_KEY_FILE: files.join(','), PULSE_JWT_AUDIENCE: 'pulse', PULSE_JWT_ISSUER: 'us' } })
  await pulse.load('rooms')
  await pulse.sql(`CREATE FUNCTION app.feed(request json) RETURNS json LANGUAGE sql IMMUTABLE RETURN '{"rooms":["open:feed"]}'::json`)
  await pulse.sql(`SELECT pulse.stream('/feed', 'app.feed', 'jwt')`)
  await pulse.sql(`CREATE FUNCTION app.caller(request json) RETURNS json LANGUAGE sql STABLE RETURN to_json(pulse.user_id())`)
  await pulse.sql(`SELECT pulse.route('GET', '/who', 'app.caller', 'jwt')`)
})
after(async () => {
  await pulse?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const now = () => Math.floor(Date.now() / 1000)
const ours = { aud: 'pulse', iss: 'us', userId: 'ann' }
const good = (claims = {}, options) => token({ ...ours, ...claims }, options)
// Signed with the right secret, whatever the parts are.
const signed = (header, payload, alg = 'HS256', key = secret) => {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${signature(text, alg, key)}`
}
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const head = { alg: 'HS256', typ: 'JWT' }, body = () => ({ ...ours, exp: now() + 60 })
const text = () => `{"aud":"pulse","iss":"us","userId":"ann","exp":${now() + 60}}`
const [h, p, s] = good().split('.')

const attacks = {
  signature: {
    'alg:none': good({}, { alg: 'none' }),
    'alg:None': `${part({ alg: 'None' })}.${p}.`,
    'alg:none with a signature': `${part({ alg: 'none' })}.${p}.${s}`,
    'HS256 signed with the RSA public key': good({}, { key: pem(rsa) }),
    'HS256 signed with the RSA public key in DER': good({}, { key: rsa.publicKey.export({ type: 'spki', format: 'der' }) }),
    'HS512 where the secret is for HS256': good({}, { alg: 'HS512' }),
    'RS256 of somebody else': good({}, { alg: 'RS256', key: foreign.privateKey }),
    'ES256 that says RS256': good({}, { alg: 'ES256', key: ec.privateKey, header: { alg: 'RS256' } }),
    'RS256 that says ES256': good({}, { alg: 'RS256', key: rsa.privateKey, header: { alg: 'ES256' } }),
    'ES256 on another curve': good({}, { alg: 'ES256', key: p384.privateKey }),
    'EdDSA that says HS256': good({}, { alg: 'EdDSA', key: ed.privateKey, header: { alg: 'HS256' } }),
    'EdDSA of somebody else': good({}, { alg: 'EdDSA', key: generateKeyPairSync('ed25519').privateKey }),
    'no signature': `${h}.${p}.`,
    'another payload under the signature': `${h}.${part({ ...body(), userId: 'root' })}.${s}`,
    'an empty secret': good({}, { key: '' }),
    'a key of its own in the header': good({}, { alg: 'RS256', key: foreign.privateKey, header: { jwk: foreign.publicKey.export({ format: 'jwk' }), jku: 'http://127.0.0.1:1/keys' } }),
    'kid with a path, signed with nothing': good({}, { key: '', header: { kid: '../../../../dev/null' } }),
    'kid with SQL, signed with what it would select': good({}, { key: 'x'.repeat(32), header: { kid: `' UNION SELECT '${'x'.repeat(32)}' --` } }),
    'kid of 5 kB, signed with nothing': good({}, { key: '', header: { kid: 'k'.repeat(5000) } })
  },
  malformed: {
    'no dots': 'nonsense',
    'two parts': `${h}.${p}`,
    'four parts': `${good()}.${s}`,
    'five parts (JWE)': `${h}.${p}.${s}.${p}.${s}`,
    'data behind it': `${good()}AAAA=`,
    'a newline behind it, encoded': `${good()}%0A`,
    'padding': `${h}=.${p}.${s}`,
    'the standard alphabet': `${h}.${p}.${s.slice(0, -4)}++//`,
    'stray bits in the last character': `${h}.${p}.${s.slice(0, -1)}${alphabet[alphabet.indexOf(s.at(-1)) + 1]}`,
    'a claim twice': signed(head, text().replace('{', '{"userId":"root",')),
    'a claim twice, once escaped': signed(head, text().replace('{', '{"user\\u0049d":"root",')),
    'a header twice': signed('{"alg":"HS256","alg":"none"}', body()),
    'a huge claim': good({ x: 'x'.repeat(9000) }),
    'deep claims': signed(head, text().replace('{', `{"x":${'['.repeat(60)}${']'.repeat(60)},`)),
    'crit': signed({ ...head, crit: ['exp'] }, body()),
    'crit that is empty': signed({ ...head, crit: [] }, body()),
    'a header without alg': signed({ typ: 'JWT' }, body()),
    'alg that is no text': signed({ alg: ['HS256'] }, body()),
    'kid that is no text': signed({ ...head, kid: { a: 1 } }, body()),
    'a header that is no object': signed('[]', body()),
    'a payload that is no object': signed(head, '"ann"'),
    'no UTF-8': signed(head, Buffer.from('{"userId":"\xff"}', 'latin1')),
    'no exp': good({}, { expires: null }),
    'exp that is text': good({ exp: '4000000000' }),
    'a user that is an object': good({ userId: { toString: 'ann' } }),
    'a user with NUL': good({ userId: 'ann\0' })
  },
  expired: {
    'expired by one second': good({ exp: now() - 1 }),
    'expired long ago': good({ exp: 1 }),
    'exp that is negative': good({ exp: -1 })
  },
  not_yet_valid: {
    'nbf in the future': good({ nbf: now() + 600 }),
    'iat far in the future': good({ iat: now() + 600 })
  },
  audience: {
    'another audience': good({ aud: 'others' }),
    'no audience': good({ aud: undefined }),
    'an audience inside another': good({ aud: ['pulse-admin'] }),
    'a reconnect token where a token is wanted': good({ use: 'reconnect' })
  },
  issuer: { 'another issuer': good({ iss: 'them' }), 'no issuer': good({ iss: undefined }) }
}

// What a client may read, by the kind of fault: whatever lies behind it, the answer is the same.
const messages = {
  missing: ['a token is required'], malformed: ['the token is malformed'], signature: ['the token\'s signature is not valid'], expired: ['the token has expired'],
  not_yet_valid: ['the token is not valid yet'], audience: ['the token is for another audience', 'the token is for another use'], issuer: ['the token is from another issuer']
}
const ways = {
  'Socket.IO': async bad => {
    const error = await pulse.io(bad).then(() => assert.fail('connected'), error => error)
    assert.equal(error.data?.retryable, false)
    return { code: error.data.code, reason: error.data.reason, message: error.message, more: Object.keys(error.data).length - 3 }
  },
  native: async bad => {
    const socket = await pulse.ws()
    socket.send(JSON.stringify({ type: 'connect', token: bad }))
    const [code] = await socket.closed
    const { type, code: name, message, reason, ...more } = JSON.parse(socket.frames.items.at(-1)[0])
    assert.equal(type, 'error')
    assert.equal(code, reason === 'expired' ? 4419 : 4401)
    return { code: name, reason, message, more: Object.keys(more).length }
  },
  '/sse': async bad => http(await sse(pulse.bridge, undefined, { room: 'open:a', token: bad })),
  '/poll': async bad => http(await poll(pulse.bridge, undefined, { room: 'open:a', token: bad }))
}
function http({ status, headers, body: { error: { code, reason, message, ...more } } }) {
  assert.equal(status, 401)
  assert.equal(headers['www-authenticate'], 'Bearer')
  return { code, reason, message, more: Object.keys(more).length }
}

for (const [reason, tokens] of Object.entries(attacks)) {
  test(`S2, C4: ${reason}: ${Object.keys(tokens).join(' · ')}`, async () => {
    const before = await pulse.bridge.metric('realtime_authentication_errors_total', { reason }) ?? 0
    let tried = 0
    for (const [what, bad] of Object.entries(tokens)) {
      for (const [way, attempt] of Object.entries(ways)) {
        const answer = await attempt(bad)
        assert.deepEqual({ code: answer.code, reason: answer.reason, more: answer.more }, { code: 'unauthenticated', reason, more: 0 }, `${way}: ${what}`)
        assert.ok(messages[reason].includes(answer.message), `${way}: ${what}: ${answer.message}`)
        tried++
      }
    }
    assert.equal(await pulse.bridge.metric('realtime_authentication_errors_total', { reason }), before + tried, 'M9: each is counted, once')
  })
}

test('S2: no token at all is missing, on every way', async () => {
  for (const [way, attempt] of Object.entries(ways).filter(([way]) => way !== 'native')) {
    const { code, reason } = await attempt('')
    assert.deepEqual([way, code, reason], [way, 'unauthenticated', 'missing'])
  }
})

test('C4: a stream and a route of SQL refuse a bad token with 401 and its reason, and nothing of the fault', async () => {
  const route = async bad => {
    const answer = await fetch(`${pulse.bridge.url}/who`, { headers: bad ? { authorization: `Bearer ${bad}` } : {} })
    return { status: answer.status, body: await answer.json() }
  }
  const bad = { expired: good({ exp: now() - 1 }), signature: good({}, { alg: 'none' }), malformed: 'nonsense', audience: good({ use: 'reconnect' }) }
  for (const [reason, text] of Object.entries(bad)) {
    for (const attempt of [() => sse(pulse.bridge, undefined, { token: text }, { path: '/feed' }), () => route(text)]) {
      const { status, body: { error } } = await attempt()
      assert.deepEqual([status, error.code, error.reason], [401, 'unauthenticated', reason])
      assert.ok(messages[reason].includes(error.message), error.message)
    }
  }
  assert.deepEqual([(await route()).status, (await route()).body.error.reason], [401, 'missing'])
  assert.deepEqual(await route(good()), { status: 200, body: 'ann' })
  await pulse.sql(`SELECT pulse.revoke(jti => 'stolen')`)
  await until(async () => (await route(good({ jti: 'stolen' }))).body.error?.reason === 'revoked', { what: 'the revoked token being refused' })
})

test('M8: what is right still works: all four kinds of keys, an array of audiences, headers that mean nothing to us', async () => {
  const tokens = [good(), good({}, { alg: 'RS256', key: rsa.privateKey }), good({}, { alg: 'ES256', key: ec.privateKey }), good({}, { alg: 'EdDSA', key: ed.privateKey }),
    good({ aud: ['others', 'pulse'] }), good({}, { header: { kid: '../../etc/passwd', x5u: 'http://127.0.0.1:1/', jku: 'http://127.0.0.1:1/' } })]
  for (const one of tokens) {
    const socket = await pulse.io(one)
    assert.equal((await socket.emitWithAck('who')).user, 'ann')
    socket.disconnect()
  }
})

test('M9: no attack has reached the log as text', () => {
  for (const secretish of [s, 'nonsense', '/etc/passwd', 'UNION SELECT']) assert.ok(!pulse.bridge.text.includes(secretish), secretish)
})
