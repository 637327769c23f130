// HTTP routes of the application's own, on two bridges: pulse.route, pulse.http_response, who may, errors, CORS, correlation, fairness.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { token } from '../support/token.mjs'
import { gather, until } from '../support/wait.mjs'

const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const bearer = { authorization: `Bearer ${token({ userId: 'ann' })}` }
let pulse, folder
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokens-'))
  pulse = await startPulse({ bridges: 2, environment: { PULSE_CORS_ORIGIN: 'https://app.example', PULSE_INTERNAL_TOKEN: 'first-token, second-token' } })
  await pulse.load('rooms')
  await pulse.sql(`
    GRANT pulse_publisher TO pulse_client;
    CREATE TABLE app.items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE);
    GRANT INSERT, SELECT ON app.items TO pulse_client;
    CREATE FUNCTION app.create_item(request json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE
        v_item app.items;
    BEGIN
        IF EXISTS (SELECT FROM app.items i WHERE i.name = request -> 'body' ->> 'name') THEN
            PERFORM pulse.fail('conflict', 'there already', 'Take another name.', json_build_object('name', request -> 'body' ->> 'name'));
        END IF;
        INSERT INTO app.items (name) VALUES (request -> 'body' ->> 'name') RETURNING * INTO v_item;
        PERFORM pulse.publish('open:items', 'item:created', row_to_json(v_item));
        RETURN pulse.http_response(201, row_to_json(v_item), json_build_object('Location', '/api/items/' || v_item.id));
    END $$;
    CREATE FUNCTION app.mirror(request json) RETURNS json LANGUAGE plpgsql AS $$
    BEGIN
        RETURN CASE request -> 'params' ->> 'what' WHEN 'none' THEN NULL WHEN 'csv' THEN pulse.http_response(200, to_json(E'a;b\\nü'::text), '{"Content-Type":"text/csv; charset=utf-8"}')
            WHEN 'cookies' THEN pulse.http_response(200, '1', '{"Set-Cookie":["a=1","b=2"]}') WHEN 'crash' THEN to_json(1 / (length(request -> 'params' ->> 'what') - 5)) WHEN 'slow' THEN to_json(pg_sleep(60)::text) ELSE request END;
    END $$;
    CREATE FUNCTION app.locked(request json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN '"unlocked"'; END $$;
    CREATE FUNCTION app.locked_event(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN '"unlocked"'; END $$;
    SELECT pulse.route('POST', '/api/items', 'app.create_item'), pulse.route('GET', '/api/echo/{what}', 'app.mirror'), pulse.route('POST', '/api/echo/{what}', 'app.mirror', 'none'),
           pulse.route('DELETE', '/api/echo/{what}', 'app.mirror', 'none'), pulse.route('GET', '/internal/echo/{what}', 'app.mirror', 'internal'), pulse.route('GET', '/api/locked', 'app.locked'),
           pulse.on('locked', 'app.locked_event');`)
})
after(async () => {
  await pulse?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const ask = (path, { bridge = pulse.bridges[0], base = bridge.url, headers = {}, ...rest } = {}) => fetch(base + path, { headers: { ...bearer, ...headers }, ...rest })
const send = (path, body, { method = 'POST', type = 'application/json', headers = {}, ...rest } = {}) => ask(path, { method, body, headers: { 'content-type': type, ...headers }, ...rest })

test('D9: a POST writes a row, says 201 with a body and a header, and its event reaches a socket of the other bridge', async () => {
  const socket = await pulse.io({ userId: 'bob' }, { bridge: pulse.bridges[1] })
  const created = gather(socket, 'item:created')
  await socket.emitWithAck('room:join', { room: 'open:items' })
  const answer = await send('/api/items', '{"name":"lamp"}', { headers: { traceparent: trace } })
  assert.deepEqual([answer.status, answer.headers.get('location'), answer.headers.get('content-type'), await answer.json()], [201, '/api/items/1', 'application/json', { id: 1, name: 'lamp' }])
  await created.atLeast(1)
  assert.deepEqual(created.items[0][0], { id: 1, name: 'lamp' })
  assert.equal(answer.headers.get('x-correlation-id'), '4bf92f3577b34da6a3ce929d0e0e4736', 'M9: the trace names the request')
  assert.equal(await pulse.value(`SELECT headers ->> 'traceparent' FROM pulse.events WHERE name = 'item:created'`), trace, 'M9: and its event')
  const again = await send('/api/items', '{"name":"lamp"}', { bridge: pulse.bridges[1], headers: { 'x-correlation-id': 'mine-7' } })
  assert.deepEqual([again.status, await again.json()],
    [409, { error: { code: 'conflict', message: 'there already', hint: 'Take another name.', name: 'lamp', correlationId: 'mine-7' } }])
})

test('D9: bodies, methods and paths', async () => {
  const body = async (...args) => (await (await send('/api/echo/x', ...args)).json()).body
  assert.deepEqual(await body('{"n":1.50,"b":[]}'), { n: 1.5, b: [] })
  assert.equal(await body('a=1', { type: 'application/x-www-form-urlencoded' }), 'a=1')
  assert.equal(await body(undefined), null)
  const answers = [[send('/api/echo/x', '{'), 400], [send('/api/echo/x', Buffer.from([0xff])), 400], [ask('/api/echo/none'), 204], [ask('/api/echo/none', { method: 'HEAD' }), 204],
    [ask('/api/echo/x', { method: 'HEAD' }), 200], [ask('/api/nothing'), 404], [ask('/api/echo'), 404], [send('/api/echo/x', '{}', { method: 'PATCH' }), 405]]
  for (const [answer, status] of answers) assert.equal((await answer).status, status)
  const refused = await send('/api/echo/x', '{}', { method: 'PATCH' })
  assert.equal(refused.headers.get('allow'), 'GET, HEAD, POST, DELETE, OPTIONS')
  assert.equal((await refused.json()).error.code, 'bad_request')
  const csv = await ask('/api/echo/csv')
  assert.deepEqual([csv.headers.get('content-type'), await csv.text()], ['text/csv; charset=utf-8', 'a;b\nü'])
  assert.deepEqual((await ask('/api/echo/cookies')).headers.getSetCookie(), ['a=1', 'b=2'])
  const request = await (await ask('/api/echo/ä%20b?q=1', { headers: { 'x-own': 'yes' } })).json()
  assert.deepEqual([request.method, request.path, request.params, request.query, request.headers['x-own'], request.headers.authorization, request.claims.userId],
    ['GET', '/api/echo/ä b', { what: 'ä b' }, { q: '1' }, 'yes', undefined, 'ann'])
})

test('D9: who may; S4: internal routes with any of several tokens', async () => {
  for (const authorization of ['', 'Bearer a.b.c']) {
    const answer = await ask('/api/echo/x', { headers: { authorization } })
    assert.deepEqual([answer.status, (await answer.json()).error.code, answer.headers.get('www-authenticate')], [401, 'unauthenticated', 'Bearer'])
  }
  assert.equal((await (await send('/api/echo/x', '{}', { headers: { authorization: '' } })).json()).claims, null)
  assert.equal((await ask('/internal/echo/x', { headers: { 'x-internal-token': 'first-token' } })).status, 404, 'nothing is there for the public')
  const internal = async tokenValue => (await ask('/internal/echo/x', { base: pulse.bridges[0].internalUrl, headers: tokenValue ? { 'x-internal-token': tokenValue } : {} })).status
  for (const [value, status] of [[undefined, 401], ['third-token', 401], ['first-token, second-token', 401], ['first-token', 200], ['second-token', 200]]) assert.equal(await internal(value), status, value)
})

test('C4: a bridge without a key signs nobody in, whatever token is shown: not in routes, streams and sockets', async () => {
  const bridge = await pulse.addBridge({ PULSE_JWT_SECRET: '', PULSE_ALLOW_ANONYMOUS: 'true' })
  await pulse.sql(`
    CREATE FUNCTION app.news(request json) RETURNS json LANGUAGE sql RETURN '{"rooms":["open:items"]}'::json;
    SELECT pulse.stream('/api/news', 'app.news')`)
  for (const shown of ['x', token({ userId: 'ann' })]) {
    for (const path of ['/api/echo/x', '/api/news']) {
      const answer = await fetch(`${bridge.url}${path}?token=${shown}`)
      assert.equal(answer.status, 401, path)
      assert.equal((await answer.json()).error.reason, 'missing')
    }
    assert.equal((await (await fetch(`${bridge.url}/api/echo/x?token=${shown}`, { method: 'POST' })).json()).claims, null)
    const socket = await pulse.io(shown, { bridge })
    assert.equal((await socket.emitWithAck('who')).user, null)
    assert.equal((await socket.emitWithAck('room:join', { room: 'user:ann' })).error.code, 'forbidden')
  }
})

test('S4: tokens from a file are read again on SIGHUP; a file that cannot be read changes nothing', async () => {
  const file = join(folder, 'internal-tokens')
  writeFileSync(file, 'old-token\n')
  const [, bridge] = pulse.bridges
  await bridge.restart({ PULSE_INTERNAL_TOKEN: '', PULSE_INTERNAL_TOKEN_FILE: file })
  const status = async value => (await ask('/internal/echo/x', { base: bridge.internalUrl, headers: { 'x-internal-token': value } })).status
  assert.deepEqual([await status('old-token'), await status('new-token')], [200, 401])
  writeFileSync(file, 'old-token\n\nnew-token\n')
  process.kill(bridge.pid, 'SIGHUP')
  await until(async () => await status('new-token') === 200, { what: 'the new token' })
  assert.equal(await status('old-token'), 200)
  writeFileSync(file, '\n')
  process.kill(bridge.pid, 'SIGHUP')
  await until(() => bridge.log.some(({ message }) => message === 'the internal tokens stay as they were'), { what: 'the log line' })
  assert.equal(await status('new-token'), 200)
})

test('D9: errors: details stay in the log, where the correlation id finds them; a function that runs too long is 503', async () => {
  const crash = await ask('/api/echo/crash', { headers: { 'x-request-id': 'find-me' } })
  const { error } = await crash.json()
  assert.deepEqual([crash.status, error], [500, { code: 'internal', message: 'internal error', correlationId: 'find-me' }])
  const [bridge] = pulse.bridges
  await until(() => bridge.log.find(({ correlationId, message }) => correlationId === 'find-me' && message === 'division by zero'), { what: 'the log line' })
  await pulse.sql(`ALTER SYSTEM SET pulse.handler_timeout = '1s'`)
  await pulse.sql('SELECT pg_reload_conf()')
  const slow = await until(async () => { const answer = await ask('/api/echo/slow'); return answer.status === 503 && answer }, { what: '503' })
  assert.ok(Number(slow.headers.get('retry-after')) >= 1)
  await pulse.sql('ALTER SYSTEM RESET pulse.handler_timeout')
  await pulse.sql('SELECT pg_reload_conf()')
  await pulse.sql(`CREATE FUNCTION app.gone(request json) RETURNS json LANGUAGE sql RETURN '1'::json; SELECT pulse.route('GET', '/api/gone', 'app.gone'); DROP FUNCTION app.gone(json)`)
  assert.equal((await ask('/api/gone', { headers: { 'x-request-id': 'gone-1' } })).status, 500)
  await until(() => bridge.log.find(({ correlationId, sqlstate }) => correlationId === 'gone-1' && sqlstate === '42883'), { what: 'the log names the missing function' })
})

test('D9: answers can be read by pages of listed origins, refusals too', async () => {
  const origin = 'https://app.example'
  for (const path of ['/api/echo/x', '/api/nothing']) {
    const answer = await ask(path, { headers: { origin } })
    assert.deepEqual([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')], [origin, 'Origin'])
  }
  assert.match((await send('/api/items', '{"name":"cors"}', { headers: { origin } })).headers.get('access-control-expose-headers'), /Location/)
  const preflight = await ask('/api/items', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x-own' } })
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-headers')], [204, 'x-own'])
  assert.match(preflight.headers.get('access-control-allow-methods'), /PATCH/)
  assert.equal((await ask('/api/echo/x', { headers: { origin: 'https://other.example' } })).headers.get('access-control-allow-origin'), null)
})

test('M9: requests are measured by route, method and status', async () => {
  const [bridge] = pulse.bridges
  const count = labels => bridge.metric('realtime_http_request_duration_seconds_count', labels)
  const before = await count({ route: '/api/echo/{what}', method: 'GET', status: '200' })
  await ask('/api/echo/x')
  assert.equal(await count({ route: '/api/echo/{what}', method: 'GET', status: '200' }), before + 1)
  assert.ok(await count({ route: '/api/echo/{what}', method: 'GET', status: '401' }) >= 2, 'refusals count for their route')
  assert.ok(await count({ route: 'other', method: 'other', status: '404' }) >= 1)
})

test('S1: slow handlers and routes delay neither deliveries nor joins, nor others but by the size of their pools', async () => {
  const keeper = await pulse.cluster.connect()
  await keeper.query('SELECT pg_advisory_lock(4711)')
  const listener = await pulse.io({ userId: 'listener' })
  const heard = gather(listener, 'item:created')
  await listener.emitWithAck('room:join', { room: 'open:items' })
  const slow = await Promise.all([1, 2, 3].map(n => pulse.io({ userId: `slow${n}` })))   // of four connections
  const acks = slow.map(socket => socket.emitWithAck('locked'))
  const routes = [ask('/api/locked')]                                                    // of two
  await until(async () => await pulse.value(`SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'bridge'`) == 4, { what: 'four that wait' })
  const quick = await pulse.io({ userId: 'quick' })
  for (let n = 0; n < 20; n++) assert.equal(await quick.emitWithAck('echo', n), n)
  assert.equal((await quick.emitWithAck('room:join', { room: 'open:items' })).ok, true)
  assert.equal((await send('/api/items', '{"name":"meanwhile"}')).status, 201)
  await heard.atLeast(1)
  assert.equal(heard.items.at(-1)[0].name, 'meanwhile')
  await keeper.end()
  assert.deepEqual(await Promise.all(acks), ['unlocked', 'unlocked', 'unlocked'])
  assert.equal((await routes[0]).status, 200)
})

test('M10: while PostgreSQL is away a route answers 503 with Retry-After within a second, and afterwards goes on', async () => {
  await pulse.cluster.stop()
  await until(async () => {
    const began = performance.now()
    const answer = await ask('/api/echo/x')
    const took = performance.now() - began
    assert.deepEqual([answer.status, (await answer.json()).error.code], [503, 'unavailable'])
    assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    return took < 1000
  }, { what: 'refused within a second' })
  await pulse.cluster.start()
  await until(async () => (await ask('/api/echo/x')).status === 200, { what: 'an answer' })
})
