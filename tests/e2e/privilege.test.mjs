// Row 8 of identity: what clients, handlers and a bridge's login try and must not get. tests/pgtap/core/privilege*.sql try each statement;
// here the same over a live bridge, whose sessions serve one client after another.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPulse } from '../support/pulse.mjs'
import { gather, next, until } from '../support/wait.mjs'

let pulse
before(async () => {
  // One connection for handlers: what one leaves there, the next one would meet.
  pulse = await startPulse({ environment: { PULSE_POOL_SIZE: '1' } })
  await pulse.load('rooms')
  await pulse.sql(`CREATE SCHEMA vault; CREATE TABLE vault.secrets (value text)`)
  await pulse.sql(`INSERT INTO vault.secrets VALUES ('the plan')`)
  // The worst handler there can be: it runs what the client says, as pulse_client.
  await pulse.sql(`CREATE FUNCTION app.run(args json) RETURNS json LANGUAGE plpgsql AS $$
    DECLARE v_result text;
    BEGIN
      IF args ->> 0 ~ '^(SELECT|SHOW) ' THEN
        EXECUTE args ->> 0 INTO v_result;
      ELSE
        EXECUTE args ->> 0;
      END IF;
      RETURN json_build_array('done', v_result);
    EXCEPTION WHEN OTHERS THEN
      RETURN json_build_array(SQLSTATE, SQLERRM);
    END $$`)
  await pulse.sql(`SELECT pulse.on('run', 'app.run')`)
})
after(() => pulse?.stop())

// [SQLSTATE or 'done', text]
const attack = (socket, statement) => new Promise(resolve => socket.emit('run', statement, (...answer) => resolve(answer)))

test('S2: a handler that runs what clients say gets no other role, table, file or command', async () => {
  const mallory = await pulse.io({ userId: 'mallory' }), ann = await pulse.io({ userId: 'ann' })
  const before = await ann.emitWithAck('who')
  for (const [statement, refused] of Object.entries({
    'RESET ROLE': '42501', 'SET ROLE NONE': '42501', 'SET ROLE postgres': '42501', 'SET SESSION AUTHORIZATION DEFAULT': '42501',
    'DROP OWNED BY CURRENT_USER': '0A000', 'ALTER ROLE CURRENT_USER SET role = postgres': '0A000',
    'LISTEN x': '0A000', 'PREPARE p AS SELECT 1': '0A000', 'DEALLOCATE ALL': '0A000', 'DISCARD ALL': '0A000', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1': '0A000',
    'SELECT value FROM vault.secrets': '42501', 'SELECT payload FROM pulse.events': '42501', 'SELECT channel FROM _pulse.epochs': '42501', 'SELECT rolpassword FROM pg_authid': '42501',
    "SELECT pulse.handle('/', 'who', '[]', '{\"userId\":\"root\"}')": '42501',
    "SELECT pulse.handle_event('/', 'who', '[]', '{\"userId\":\"root\"}')": '42501', "SELECT pulse.bridge_hello('x')": '42501', "SELECT pulse.publish('user:ann', 'x', '1'::json)": '42501',
    "COPY (SELECT 1) TO PROGRAM 'true'": '42501', "SELECT pg_read_file('PG_VERSION')": '42501', "SELECT lo_import('/etc/hostname')": '42501',
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $$bridge$$': '42501', 'CREATE TABLE public.t ()': '42501', 'COMMIT': '0A000'
  })) assert.equal((await attack(mallory, statement))[0], refused, statement)
  assert.deepEqual(await attack(mallory, 'SELECT current_user'), ['done', 'pulse_client'])
  assert.deepEqual(await ann.emitWithAck('who'), before, 'the next one in that session meets nothing of it')
})

test('S2: nothing stays in the session for the next client: temporary objects, settings, locks, prepared statements, channels', async () => {
  const mallory = await pulse.io({ userId: 'mallory' }), ann = await pulse.io({ userId: 'ann' })
  const backend = async socket => (await attack(socket, 'SELECT pg_backend_pid()'))[1]
  assert.equal(await backend(mallory), await backend(ann), 'both are served by one session')
  const path = await attack(ann, 'SHOW search_path')
  for (const statement of ['CREATE TEMPORARY TABLE orders (a int)', 'CREATE FUNCTION pg_temp.now() RETURNS int LANGUAGE sql RETURN 1', 'CREATE TYPE pg_temp.trap AS (a int)',
    "SELECT set_config('search_path', 'evil', false)", "SELECT set_config('request.jwt.claims', '{\"userId\":\"root\"}', false)", 'SET statement_timeout = 1', 'SELECT pg_advisory_lock(4711)',
    'SET TRANSACTION READ ONLY']) {
    const [outcome] = await attack(mallory, statement)
    assert.ok(outcome === 'done' || outcome === '25001', `${statement}: ${outcome}`)
  }
  assert.deepEqual(await attack(ann, "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"), ['done', '0'])
  assert.deepEqual(await attack(ann, "SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()"), ['done', '0'])
  assert.deepEqual(await attack(ann, 'SHOW search_path'), path)
  assert.deepEqual(await attack(ann, "SELECT current_setting('request.jwt.claims')::json ->> 'userId'"), ['done', 'ann'])
  assert.deepEqual(await attack(ann, 'SHOW statement_timeout'), ['done', '0'])
  assert.deepEqual(await attack(ann, 'SHOW transaction_read_only'), ['done', 'off'])
  assert.deepEqual(await attack(ann, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ['done', '0'])
  assert.deepEqual(await attack(ann, 'SELECT count(*) FROM pg_listening_channels()'), ['done', '0'])
})

test('S2: what is deferred runs as pulse_client, not as whoever commits', async () => {
  await pulse.sql(`CREATE TABLE app.ledger (n int, by text DEFAULT 'nobody')`)
  await pulse.sql(`CREATE FUNCTION app.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.ledger VALUES (NEW.n + 100, current_user); RETURN NULL; END $$`)
  await pulse.sql(`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.n < 100) EXECUTE FUNCTION app.late()`)
  await pulse.sql(`GRANT SELECT, INSERT ON app.ledger TO pulse_client`)
  const mallory = await pulse.io({ userId: 'mallory' })
  for (const [n, before] of [[1, ''], [2, 'SET CONSTRAINTS ALL DEFERRED;']]) {
    await attack(mallory, `DO $$ BEGIN ${before} INSERT INTO app.ledger (n) VALUES (${n}); END $$`)
  }
  assert.deepEqual(await pulse.sql(`SELECT n, by FROM app.ledger WHERE n > 100 ORDER BY n`), [{ n: 101, by: 'pulse_client' }, { n: 102, by: 'pulse_client' }])
})

test('S2: claims come from the token alone: not from auth, arguments, settings, or an event\'s name', async () => {
  const mallory = await pulse.io({ userId: 'mallory', role: 'guest' },
    { query: { userId: 'root', claims: '{"userId":"root"}' }, extraHeaders: { 'X-User-Id': 'root' } })
  const forged = { userId: 'root', role: 'admin', claims: { userId: 'root' }, context: { userId: 'root' } }
  for (const args of [[], [forged], [JSON.stringify(forged)], [forged, forged]]) {
    const { user, role } = await mallory.emitWithAck('who', ...args)
    assert.deepEqual({ user, role }, { user: 'mallory', role: 'guest' })
  }
  const [, user] = await attack(mallory, `SELECT concat(set_config('request.jwt.claims', '{"userId":"root"}', false), pulse.user_id())`)
  assert.equal(user, '{"userId":"root"}mallory')
  const native = await pulse.ws({ userId: 'mallory' })
  native.send(JSON.stringify({ type: 'emit', event: 'who', args: [], id: 'x1', context: { userId: 'root' }, claims: { userId: 'root' }, userId: 'root' }))
  const answer = await until(() => native.frames.items.map(([data]) => JSON.parse(data)).find(({ id }) => id === 'x1'))
  assert.ok(answer.type !== 'ack' || answer.args[0].user === 'mallory', JSON.stringify(answer))
  const other = await pulse.socket({ userId: 'mallory' })
  other.auth = { ...other.auth, userId: 'root', claims: { userId: 'root' }, sessionId: 's' }
  other.connect()
  await next(other, 'connect')
  assert.equal((await other.emitWithAck('who')).user, 'mallory')
})

test('S2: no name of a room opens another one', async () => {
  const ann = await pulse.io({ userId: 'ann' })
  assert.equal((await ann.emitWithAck('room:join', { room: 'named:ann' })).ok, true)
  const got = gather(ann, 'secret')
  const names = ['named:bob', 'named:ann:bob', 'named:bob:ann', 'named::ann', 'named:', 'named', ':ann', 'named:ann ', ' named:ann', 'NAMED:ann', 'named:Ann', 'named:ann\n', 'named:ann\u0000', 'named:%',
    'named:%61nn%', 'named:%zz', 'named:ann%00', 'named:*', 'named:{name}', '{a}:{b}', '%', '*', '', '\u0000', 'user:bob', 'user:ann:x', 'pulse:evictions', 'pulse:', 'named\uff1aann', 'named:\u0430nn',
    'x'.repeat(256), 'named:' + 'ann'.repeat(10_000), "named:ann' OR '1'='1", 'named:ann"},{"room":"named:bob', 'broken:1', 'locked:1']
  for (const room of names) {
    const answer = await ann.emitWithAck('room:join', { room })
    assert.ok(answer.error && ['forbidden', 'invalid', 'bad_request'].includes(answer.error.code), `${JSON.stringify(room.slice(0, 40))}: ${JSON.stringify(answer)}`)
    assert.doesNotMatch(JSON.stringify(answer), /secret plan|app\.|SQL|pulse_client/, 'and the answer says nothing')
  }
  for (const room of [null, 7, true, ['named:ann'], { name: 'named:ann' }, [['named:bob']]]) {
    assert.equal((await ann.emitWithAck('room:join', { room })).error.code, 'bad_request', JSON.stringify(room))
  }
  for (const room of ['named:bob', 'user:bob', 'named:ann:bob']) await pulse.sql(`SELECT pulse.publish($1, 'secret', '{"of":"others"}'::json)`, [room])
  await pulse.sql(`SELECT pulse.publish('named:ann', 'secret', '{"of":"ann"}'::json)`)
  const [[event]] = await got.atLeast(1)
  assert.deepEqual(event, { of: 'ann' }, 'the first that arrives is her own: those before it, of other rooms, did not')
})

test('E6: NOTIFY from a handler on the very channel of the bridges is dropped; who guesses channels hears nothing', async () => {
  const ann = await pulse.io({ userId: 'ann' }), mallory = await pulse.io({ userId: 'mallory' })
  assert.equal((await ann.emitWithAck('room:join', { room: 'open:notify' })).ok, true)
  const got = gather(ann, 'notified')
  const stranger = await pulse.cluster.connect({ user: (await pulse.sql(`CREATE ROLE eavesdropper LOGIN`), 'eavesdropper') })
  const heard = gather(stranger, 'notification')
  for (const channel of ['pulse', 'pulse_', 'pulse_events', '*', '%', 'pulse_0000000000000000']) await stranger.query(`LISTEN "${channel}"`)
  const hello = JSON.parse(await pulse.value(`SELECT pulse.bridge_hello('forger')::text`))
  const foreign = await pulse.bridge.metric('pulse_bridge_foreign_notifications_total')
  const position = hello.position + 1
  const forged = `${hello.epoch} ${position} ${position} 1\n${position}\t1\t["open:notify"]\t"notified"\t{}\t{"n":"forged"}`
  assert.equal((await attack(mallory, `SELECT pg_notify('${hello.channel}', '${forged.replaceAll("'", "''")}')`))[0], 'done', 'PostgreSQL lets anybody NOTIFY')
  await until(async () => await pulse.bridge.metric('pulse_bridge_foreign_notifications_total') === foreign + 1, { what: 'the forged one counted' })
  await pulse.sql(`SELECT pulse.publish('open:notify', 'notified', '{"n":"true"}'::json)`)
  await got.atLeast(1)
  assert.deepEqual(got.items.map(([event]) => event.n), ['true'])
  for (const look of [rows => attack(mallory, rows), async rows => ['done', Object.values((await stranger.query(rows)).rows[0])[0]]]) {
    const [, seen] = await look(`SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity`)
    assert.ok(!seen.includes(hello.channel), 'the channel is seen in no other session')
  }
  assert.equal(heard.items.length, 0)
  await stranger.end()
})

test('the login of a bridge reads no table, takes no role, and runs no code of its own as another', async () => {
  const bridge = await pulse.cluster.connect({ user: 'bridge' })
  for (const [statement, code] of Object.entries({
    'SELECT * FROM vault.secrets': '42501', 'SELECT * FROM pulse.events': '42501', 'SELECT * FROM _pulse.sessions': '42501', 'SELECT * FROM _pulse.jobs': '42501', 'SELECT app.who(NULL)': '42501',
    'SET ROLE pulse_client': '42501', 'SET ROLE pulse_admin': '42501', 'SET SESSION AUTHORIZATION postgres': '42501', "SELECT pulse.publish('a', 'b', '1'::json)": '42501',
    "SELECT pulse.on('x', 'app.who')": '42501', "SELECT pulse.mint_token('{}')": '42501', "SELECT pulse.sessions('ann')": '42501', "SELECT * FROM pulse.history('open:1')": '42501',
    "COPY (SELECT 1) TO PROGRAM 'true'": '42501', 'CREATE TABLE public.t ()': '42501', 'SET pulse.handler_timeout = 0': '42501', 'SET session_replication_role = replica': '42501'
  })) await assert.rejects(bridge.query(statement), { code }, statement)
  await bridge.query(`CREATE FUNCTION pg_temp.evil(args json) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$`)
  await assert.rejects(bridge.query(`SELECT pulse.handle_answer('pg_temp.evil', NULL, '{}')`), { code: '42501', message: /a temporary function is never called/ })
  const { rows: [{ schema }] } = await bridge.query(`SELECT pg_my_temp_schema()::regnamespace::text AS schema`)
  await assert.rejects(bridge.query(`SELECT pulse.handle_answer('${schema}.evil', NULL, '{}')`), { code: '42501' })
  await bridge.query(`BEGIN`)
  const { rows: [{ ack }] } = await bridge.query(`SELECT ack FROM pulse.handle('/', 'who', '[]', '{"userId":"ann"}')`)
  assert.equal(ack[0].as, 'pulse_client')
  assert.equal((await bridge.query('SELECT current_user')).rows[0].current_user, 'bridge', 'in the middle of its transaction it is itself again')
  await bridge.query(`ROLLBACK`)
  await bridge.end()
})
