// The boundary between C++ and PostgreSQL, under everything that can go wrong at it: C++ throws and PostgreSQL raises through frames
// with live objects, in functions, a trigger, a commit callback and a background worker. The module under boundary/ is compiled with
// the guards of pulse.so. Destructors run, errors keep their fields, memory does not grow, the server never restarts.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Cluster, root } from '../support/cluster.mjs'
import { until } from '../support/wait.mjs'

const out = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'boundary-'))
const library = join(out, 'boundary.so')
const iterations = 100_000    // of the kinds of C++ and of PostgreSQL; the others are variations of these
const often = kind => ['bad_alloc', 'runtime_error', 'int', 'ereport'].includes(kind) ? iterations : iterations / 5
let cluster, client, started

before(async () => {
  execFileSync('make', ['-s', '-C', join(root, 'tests/fault/boundary'), `OUT=${out}`], { stdio: 'inherit' })
  chmodSync(out, 0o755)
  cluster = await Cluster.create()
  client = await cluster.connect()
  const declare = (name, parameters, returns) =>
    client.query(`CREATE FUNCTION boundary.${name}(${parameters}) RETURNS ${returns} LANGUAGE c VOLATILE STRICT AS '${library}', 'boundary_${name}'`)
  await client.query('CREATE SCHEMA boundary')
  await client.query('CREATE TABLE boundary.lives (kind text, pid int)')
  await declare('fail', 'kind text, depth int DEFAULT 5', 'text')
  await declare('run', 'sql text', 'text')
  await declare('attempt', 'sql text', 'text')
  await declare('attempt_cpp', 'kind text', 'text')
  await declare('fail_at_commit', 'kind text', 'text')
  await declare('trigger', '', 'trigger')
  await declare('leak', '', 'text')
  await declare('alive', '', 'bigint')
  await declare('destroyed', '', 'bigint')
  await declare('heap', '', 'bigint')
  await declare('start_worker', 'library text, kind text', 'boolean')
  // SQLSTATE of a failing statement, caught in PL/pgSQL: the way user code meets our errors.
  await client.query(`CREATE FUNCTION boundary.code_of(sql text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN EXECUTE sql; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$`)
  // The same n times; returns how much both kinds of memory grew after a tenth of them.
  await client.query(`CREATE FUNCTION boundary.growth(statement text, n int, OUT heap bigint, OUT contexts bigint) LANGUAGE plpgsql AS $$
    DECLARE v_heap bigint; v_contexts bigint;
    BEGIN
      FOR i IN 1 .. n LOOP
        IF i = n / 10 THEN
          SELECT boundary.heap(), sum(total_bytes) INTO v_heap, v_contexts FROM pg_backend_memory_contexts;
        END IF;
        PERFORM boundary.code_of(statement);
      END LOOP;
      SELECT boundary.heap() - v_heap, sum(total_bytes) - v_contexts INTO heap, contexts FROM pg_backend_memory_contexts;
    END $$`)
  started = await identity()
})

after(async () => {
  await client?.end()
  await cluster?.drop()
  rmSync(out, { recursive: true, force: true })
})

const value = async (text, parameters) => Object.values((await client.query(text, parameters)).rows[0])[0]

// What a crash of any process would change.
async function identity() {
  const rows = await cluster.sql('SELECT pg_postmaster_start_time() AS start, (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS reset')
  return JSON.stringify([rows[0], cluster.postmasterPid])
}

async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return error
  }
  assert.fail('it did not fail')
}

// How a kind of failure looks from outside.
const outcomes = {
  bad_alloc: { code: '53200', message: 'out of memory' },
  real_bad_alloc: { code: '53200', message: 'out of memory' },
  runtime_error: { code: 'XX000', message: 'a runtime_error of C++' },
  int: { code: 'XX000', message: 'unknown C++ exception' },
  fail: { code: '23514', message: 'raised from C++', detail: 'its detail', hint: 'Its hint.' },
  ereport: { code: '22012', message: 'raised by PostgreSQL', detail: 'its detail', hint: 'Its hint.' },
  rethrown: { code: '22012', message: 'raised by PostgreSQL', detail: 'its detail', hint: 'Its hint.' },
  palloc: { code: 'XX000', message: /^invalid memory alloc request size \d+$/ },
}

function matches(error, expected) {
  for (const [field, wanted] of Object.entries(expected))
    if (wanted instanceof RegExp) assert.match(error[field], wanted)
    else assert.equal(error[field], wanted, field)
}

for (const [kind, expected] of Object.entries(outcomes)) {
  test(`${kind} in a function: fields survive, destructors run, the session goes on`, async () => {
    const before = Number(await value('SELECT boundary.destroyed()'))
    matches(await failure(client.query('SELECT boundary.fail($1)', [kind])), expected)
    assert.equal(await value('SELECT boundary.alive()'), '0')
    assert.equal(Number(await value('SELECT boundary.destroyed()')) - before, 1 + 6 * 3 + (kind === 'rethrown' ? 2 : 0))
  })

  test(`${kind} in a trigger: the statement fails and leaves nothing`, async () => {
    await client.query('CREATE TABLE boundary.rows (n int)')
    await client.query(`CREATE TRIGGER fails AFTER INSERT ON boundary.rows FOR EACH ROW EXECUTE FUNCTION boundary.trigger('${kind}')`)
    matches(await failure(client.query('INSERT INTO boundary.rows VALUES (1)')), expected)
    assert.equal(await value('SELECT count(*) FROM boundary.rows'), '0')
    assert.equal(await value('SELECT boundary.alive()'), '0')
    await client.query('DROP TABLE boundary.rows')
  })

  test(`${kind} in a subtransaction of C++: the transaction goes on and commits`, async () => {
    await client.query('CREATE TABLE boundary.kept (n int)')
    await client.query('BEGIN')
    await client.query('INSERT INTO boundary.kept VALUES (1)')
    const message = await value('SELECT boundary.attempt_cpp($1)', [kind])
    matches({ message }, { message: expected.message })
    await client.query('INSERT INTO boundary.kept VALUES (2)')
    await client.query('COMMIT')
    assert.equal(await value('SELECT count(*) FROM boundary.kept'), '2')
    assert.equal(await value('SELECT boundary.alive()'), '0')
    await client.query('DROP TABLE boundary.kept')
  })

  test(`${kind} in a callback at commit: the transaction is committed, the log tells`, async () => {
    await client.query(`CREATE TABLE boundary.committed AS SELECT boundary.fail_at_commit('${kind}') IS NULL AS yes`)
    assert.equal(await value('SELECT count(*) FROM boundary.committed'), '1')
    assert.equal(await value('SELECT boundary.alive()'), '0')
    await client.query('DROP TABLE boundary.committed')
    const wanted = expected.message instanceof RegExp ? 'invalid memory alloc request size' : expected.message
    await until(() => cluster.log.includes(`pulse: boundary test: ${wanted}`), { what: 'a line in the log' })
  })

  test(`${kind} ${often(kind)} times: no memory grows`, async () => {
    const { heap, contexts } = (await client.query('SELECT * FROM boundary.growth($1, $2)', [`SELECT boundary.fail('${kind}')`, often(kind)])).rows[0]
    assert.ok(Number(heap) < 1_000_000, `the C++ heap grew by ${heap} bytes`)
    assert.ok(Number(contexts) < 1_000_000, `memory contexts grew by ${contexts} bytes`)
    assert.equal(await value('SELECT boundary.alive()'), '0')
  })

  test(`${kind} in a worker: it ends, is started again, and does its work`, async () => {
    assert.equal(await value('SELECT boundary.start_worker($1, $2)', [library, kind]), true)
    await until(async () => await value('SELECT count(*) FROM boundary.lives WHERE kind = $1', [kind]) === '3', { what: 'the third life of the worker' })
    assert.equal(await value('SELECT count(DISTINCT pid) FROM boundary.lives WHERE kind = $1', [kind]), '3')
  })
}

test('the control: raising out of a handler does leak, and these measurements see it', async () => {
  const { heap } = (await client.query('SELECT * FROM boundary.growth($1, $2)', ['SELECT boundary.leak()', iterations / 10])).rows[0]
  assert.ok(Number(heap) > 1_000_000, `the C++ heap grew by ${heap} bytes only`)
  assert.equal(await value('SELECT boundary.alive()'), String(iterations / 10))
  await client.end()
  client = await cluster.connect()   // a new process: the counters start again
})

test('an error of SQL below C++ keeps SQLSTATE, detail and hint', async () => {
  const raise = `DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'PL409', DETAIL = 'the detail', HINT = 'The hint.'; END $$`
  matches(await failure(client.query('SELECT boundary.run($1)', [raise])), { code: 'PL409', message: 'no', detail: 'the detail', hint: 'The hint.' })
  assert.equal(await value('SELECT boundary.alive()'), '0')
  assert.equal(await value('SELECT boundary.attempt($1)', ['SELECT 1 / 0']), '22012')
  assert.equal(await value('SELECT boundary.attempt($1)', ['SELECT 1']), null)
  assert.equal(await value('SELECT boundary.attempt($1)', [`SELECT boundary.run('SELECT boundary.attempt(''SELECT boundary.fail(''''int'''')'')')`]), null)
})

test('a very long error is cut, between characters, and arrives', async () => {
  const error = await failure(client.query(`SELECT boundary.fail('long')`))
  assert.equal(error.code, 'P0001')
  assert.ok(error.message.length >= 1000 && /^x+$/.test(error.message))
  const umlauts = await failure(client.query('SELECT boundary.run($1)', [`DO $$ BEGIN RAISE EXCEPTION '%', repeat('ä', 3000); END $$`]))
  assert.ok(umlauts.message.length >= 500 && /^ä+$/.test(umlauts.message))
})

test('a cancelled query is no error of a subtransaction: it travels on', async () => {
  matches(await failure(client.query(`SELECT boundary.attempt('SELECT boundary.fail(''cancel'')')`)), { code: '57014' })
  await client.query(`SET statement_timeout = '100ms'`)
  matches(await failure(client.query(`SELECT boundary.attempt('SELECT pg_sleep(60)')`)), { code: '57014' })
  await client.query('RESET statement_timeout')
  assert.equal(await value('SELECT boundary.alive()'), '0')
})

test('a terminated session inside a C++ frame ends alone', async () => {
  const other = await cluster.connect()
  const pid = (await other.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
  const running = failure(other.query(`SELECT boundary.attempt('SELECT pg_sleep(60)')`))
  await until(() => value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, [pid]), { what: 'the sleep' })
  await client.query('SELECT pg_terminate_backend($1)', [pid])
  assert.equal((await running).code, '57P01')
  await other.end().catch(() => {})
})

test('through all of it the server has not restarted, and no process crashed', async () => {
  assert.equal(await identity(), started)
  assert.doesNotMatch(cluster.log, /terminated by signal|terminating any other active server processes|all server processes terminated/)
})
