// All packs together in one database: created in any order they end in the same registrations and objects, each is dropped alone and comes
// back, and a dump of all restores. What each pack does is tested with it alone.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { bindir, Cluster, packs } from '../support/cluster.mjs'

const registries = ['policies', 'handlers', 'namespaces', 'streams', 'routes', 'limits', 'limit_events', 'queues', 'job_kinds', 'schedules', 'setting_definitions']
let cluster, folder
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'packs-'))
  cluster = await Cluster.create({ extensions: [], settings: { 'pulse.databases': '' } })
  program('psql', '-Xq', '-d', 'pulse', '-c', 'CREATE EXTENSION pulse', '-c', 'CREATE EXTENSION postgis')   // leaves no connection: others are copied from it
})
after(async () => {
  await cluster?.drop()
  rmSync(folder, { recursive: true, force: true })
})

const sql = (database, text, parameters = []) => cluster.sql(text, parameters, database)
const program = (name, ...args) => execFileSync(join(bindir, name), args, { env: cluster.environment, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })

async function database(name, order) {
  await sql('postgres', `CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE ${pg.escapeIdentifier(cluster.database)}`)
  for (const pack of order) await sql(name, `CREATE EXTENSION pulse_${pack}`)
  return name
}

// {extension: [what it registered, what belongs to it]}, and what belongs to nobody.
async function contents(name) {
  const known = (await sql(name, `SELECT relname FROM pg_class WHERE relnamespace = '_pulse'::regnamespace AND relkind = 'r' AND relname = ANY ($1)`, [registries])).map(row => row.relname)
  const rows = []
  for (const table of known) rows.push(...await sql(name, `SELECT extension, '${table}' AS what, to_jsonb(t)::text AS row FROM _pulse.${table} t`))
  rows.push(...await sql(name, `SELECT e.extname AS extension, i.type AS what, i.identity AS row FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid,
      LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND e.extname LIKE 'pulse%'`))
  rows.push(...await sql(name, `SELECT NULL AS extension, 'schema' AS what, n.nspname AS row FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp'`))
  const found = {}
  for (const { extension, what, row } of rows) (found[extension ?? 'nobody'] ??= []).push(`${what} ${row}`)
  for (const list of Object.values(found)) list.sort()
  return found
}

const rotated = (list, n) => [...list.slice(n), ...list.slice(0, n)]
const orders = packs.flatMap((_, n) => [rotated(packs, n), rotated([...packs].reverse(), n)])

test('every pack there is was found', () => assert.ok(packs.includes('donors'), packs.join()))

test('created in any order, all packs stand beside each other with the same objects and registrations', async () => {
  const wanted = await contents(await database('all', packs))
  for (const pack of packs) assert.ok(wanted[`pulse_${pack}`].some(line => line.startsWith('handlers ')), `${pack} registers handlers`)
  for (const [n, order] of orders.entries()) {
    assert.deepEqual(await contents(await database(`order ${n}`, order)), wanted, order.join(', '))
    await sql('postgres', `DROP DATABASE "order ${n}" WITH (FORCE)`)
  }
})

test('each pack is dropped alone, takes all of its own with it and nothing else, and comes back', async () => {
  const wanted = await contents('all')
  for (const pack of packs) {
    await sql('all', `DROP EXTENSION pulse_${pack}`)
    const { [`pulse_${pack}`]: gone, ...rest } = wanted
    const without = await contents('all')
    const own = line => new RegExp(`^schema _?${pack}$`).test(line)
    assert.ok(gone.length > 0)
    assert.deepEqual(without, { ...rest, nobody: rest.nobody.filter(line => !own(line)) }, `without ${pack}`)
    await sql('all', `CREATE EXTENSION pulse_${pack}`)
  }
  assert.deepEqual(await contents('all'), wanted)
})

test('each pack alone, without the others, is what it is beside them', async () => {
  const wanted = await contents('all')
  for (const pack of packs) {
    const alone = await contents(await database(`only ${pack}`, [pack]))
    assert.deepEqual(alone[`pulse_${pack}`], wanted[`pulse_${pack}`])
    await sql('postgres', `DROP DATABASE "only ${pack}" WITH (FORCE)`)
  }
})

// Rows of the packs that write more by themselves when one is inserted: a restore must not do that again.
const rows = `
  INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN');
  INSERT INTO donors.blood_requests (requester_id, blood_group, latitude, longitude, country_code) VALUES ('ann', 'O-', 19, 72, 'IN');
  INSERT INTO sos.cases (id, citizen_id) VALUES ('s1', 'ann'), ('s2', 'bob');
  UPDATE sos.cases SET status = 'closed', updated_by = 'rex', note = 'safe' WHERE id = 's2';
  INSERT INTO sos.messages (case_id, user_id, message) VALUES ('s1', 'ann', 'help');
  INSERT INTO sos.positions (case_id, user_id, latitude, longitude) VALUES ('s1', 'ann', 19, 72);
  INSERT INTO care.families (id, name) VALUES ('f1', 'Rao');
  INSERT INTO care.members (family_id, user_id) VALUES ('f1', 'ann'), ('f1', 'bob');
  INSERT INTO care.care_recipients (id, family_id, name) VALUES ('mom', 'f1', 'Mom');
  INSERT INTO care.medications (id, care_recipient_id, name) VALUES ('m1', 'mom', 'Aspirin');
  INSERT INTO care.medication_logs (medication_id, scheduled_for, logged_by) VALUES ('m1', '2026-01-05 08:00Z', 'ann');
  INSERT INTO care.shifts (family_id, caregiver_id, starts_at, ends_at, started_at) VALUES ('f1', 'ann', '2026-01-05', '2026-01-06', '2026-01-05');
  INSERT INTO care.alerts (care_recipient_id, type) VALUES ('mom', 'fall_detected');
  INSERT INTO care.messages (family_id, user_id, message) VALUES ('f1', 'ann', 'hello');
  SELECT pulse.configure('sos', 'state_ttl', '2 days'), pulse.configure('care', 'alert_escalate_after', '1 min')`

// Of every table that a pack has dumped, and of the jobs: its rows as text.
async function data(name) {
  const tables = (await sql(name, `SELECT c.oid::regclass::text AS name FROM pg_extension e, unnest(e.extconfig) AS c (oid)
      WHERE e.extname LIKE 'pulse\\_%' AND (SELECT relkind FROM pg_class WHERE pg_class.oid = c.oid) = 'r'`)).map(row => row.name)
  const found = {}
  for (const table of [...tables, '_pulse.jobs', '_pulse.settings'].sort())
    found[table] = (await sql(name, `SELECT to_jsonb(t)::text AS row FROM ${table} t ORDER BY 1`)).map(({ row }) => row)
  return found
}

test('E7: a dump of a database with all packs and their rows restores into an empty one, and tells nobody of them', async () => {
  for (const statement of rows.split(';')) await sql('all', statement)
  const wanted = { contents: await contents('all'), data: await data('all') }
  for (const table of ['sos.cases', 'sos.participants', 'care.channels', 'care.alerts', '_pulse.jobs']) assert.ok(wanted.data[table].length > 0, table)
  for (const [format, restore] of [['c', file => program('pg_restore', '--exit-on-error', '-d', 'restored c', file)],
    ['p', file => program('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'restored p', '-f', file)]]) {
    const file = join(folder, format)
    program('pg_dump', `-F${format}`, '-f', file, '-d', 'all')
    await sql('postgres', `CREATE DATABASE "restored ${format}"`)
    restore(file)
    assert.deepEqual({ contents: await contents(`restored ${format}`), data: await data(`restored ${format}`) }, wanted, format)
    assert.deepEqual(await sql(`restored ${format}`, 'SELECT name FROM pulse.events'), [])
  }
})
