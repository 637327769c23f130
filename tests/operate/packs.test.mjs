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

const registries = ['policies', 'handlers', 'namespaces', 'streams', 'routes', 'limits', 'limit_events', 'setting_definitions']
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

// A row in every table that can be filled without knowing the pack would prove little; the packs' own rows are in restore.test.mjs.
test('E7: a dump of a database with all packs restores into an empty one', async () => {
  await sql('all', `INSERT INTO donors.donors (user_id, blood_group, country_code) VALUES ('d1', 'O-', 'IN')`)
  for (const [format, restore] of [['c', file => program('pg_restore', '--exit-on-error', '-d', 'restored c', file)],
    ['p', file => program('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'restored p', '-f', file)]]) {
    const file = join(folder, format)
    program('pg_dump', `-F${format}`, '-f', file, '-d', 'all')
    await sql('postgres', `CREATE DATABASE "restored ${format}"`)
    restore(file)
    assert.deepEqual(await contents(`restored ${format}`), await contents('all'), format)
    assert.deepEqual(await sql(`restored ${format}`, 'SELECT user_id FROM donors.donors'), [{ user_id: 'd1' }])
  }
})
