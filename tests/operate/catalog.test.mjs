// An update ends in the very catalog that a fresh install makes: every released version of every extension is installed, updated
// and compared with a new one, object by object. What is compared is pg_dump's binary-upgrade form, which spells out the members of
// extensions: columns with number, type, default, storage and compression, also dropped ones; indexes, constraints, triggers,
// functions with their bodies, grants, comments; and beside it the rows that an extension registers, and what of it is dumped.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { bindir, Cluster, packs, root } from '../support/cluster.mjs'

// [extension, its folder] of those that have been released; the versions are those of their released install scripts.
const extensions = [['pulse', 'sql/core'], ...packs.map(pack => [`pulse_${pack}`, `sql/packs/${pack}`])]
  .filter(([, folder]) => existsSync(join(root, folder, 'released')))
const ours = new RegExp(`pulse|${packs.join('|')}`)
const released = folder => readdirSync(join(root, folder, 'released')).flatMap(name => /^\w+?--([\d.]+)\.sql$/.exec(name)?.[1] ?? [])

let cluster
before(async () => { cluster = await Cluster.create({ settings: { 'pulse.databases': '' } }) })
after(() => cluster?.drop())

async function database(name, ...statements) {
  await cluster.sql(`CREATE DATABASE ${pg.escapeIdentifier(name)}`, [], 'postgres')
  for (const statement of statements) await cluster.sql(statement, [], name)
  return name
}

// What may differ between two databases with the same objects: object and transaction identifiers. The rest are comments.
const transient = /^(SELECT pg_catalog\.binary_upgrade_set_next_.*|SELECT pg_catalog\.binary_upgrade_create_empty_extension.*|SET relfrozenxid = .*|WHERE oid = '\d+';|\\(un)?restrict .*|--.*)$/

// Objects of a database: {"TABLE pulse.events": the lines of its definition, …}
async function catalog(name) {
  const { stdout } = await promisify(execFile)(join(bindir, 'pg_dump'), ['--schema-only', '--binary-upgrade', '-d', name], { env: cluster.environment, maxBuffer: 64e6 })
  const objects = {}
  for (const section of stdout.split(/^--\n(?=-- (?:Name|Data for Name): )/m).slice(1)) {
    const [, object, type, schema] = /^-- (?:Data for )?Name: (.*); Type: (.*); Schema: (.*); Owner: /.exec(section)
    // Of other extensions (postgis, plpgsql) nothing is compared.
    if (!ours.test(schema) && !ours.test(object)) continue
    const key = `${type} ${schema}.${object}`
    objects[key] = (objects[key] ?? []).concat(section.split('\n').filter(line => line !== '' && !transient.test(line)))
  }
  const rows = async (key, text) => { objects[key] = (await cluster.sql(text, [], name)).map(row => JSON.stringify(row)) }
  for (const table of ['policies', 'handlers', 'namespaces', 'streams', 'routes', 'setting_definitions'])
    await rows(`rows of _pulse.${table}`, `SELECT * FROM _pulse.${table} AS t ORDER BY t::text`)
  await rows('extensions', `SELECT e.extname, e.extversion, e.extowner::regrole, array_agg(c.t::regclass::text || ' ' || c.w ORDER BY c.t::regclass::text) AS dumped
      FROM pg_extension e LEFT JOIN LATERAL unnest(e.extconfig, e.extcondition) AS c (t, w) ON true
      WHERE e.extname LIKE 'pulse%' GROUP BY 1, 2, 3 ORDER BY 1`)
  await rows('members', `SELECT e.extname, i.type, i.identity FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid,
      LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
      WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND e.extname LIKE 'pulse%' ORDER BY 1, 2, 3`)
  return objects
}

// Of each object that differs, the lines that only one of the two has; of lines in another order, all.
function difference(wanted, found) {
  const differing = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort()
    .filter(key => JSON.stringify(wanted[key]) !== JSON.stringify(found[key]))
  const only = (these, those) => { const lines = these.filter(line => !those.includes(line)); return lines.length > 0 ? lines : these }
  return Object.fromEntries(differing.map(key => [key, {
    fresh: wanted[key] ? only(wanted[key], found[key] ?? []) : 'is not there',
    updated: found[key] ? only(found[key], wanted[key] ?? []) : 'is not there'
  }]))
}

for (const [extension, folder] of extensions) {
  test(`${extension}: the catalog after an update from each released version is that of a fresh install`, async t => {
    const wanted = await catalog(await database(`${extension} fresh`, `CREATE EXTENSION ${extension} CASCADE`))
    assert.ok(Object.keys(wanted).some(key => key.startsWith('TABLE ')) && Object.keys(wanted).some(key => key.startsWith('FUNCTION ')))
    const current = await cluster.value('SELECT default_version FROM pg_available_extensions WHERE name = $1', [extension])
    const versions = released(folder)
    assert.ok(versions.length > 0)
    for (const version of versions) {
      await t.test(`from ${version} to ${current}`, async () => {
        const name = await database(`${extension} ${version}`, `CREATE EXTENSION ${extension} VERSION '${version}' CASCADE`, `ALTER EXTENSION ${extension} UPDATE`)
        assert.deepEqual(difference(wanted, await catalog(name)), {})
      })
    }
  })
}

test('the comparison notices a column, a default, a comment, a grant, a body, an index, a registration, a dump rule', async () => {
  let last = await catalog('pulse fresh')
  const spoilt = await database('spoilt', 'CREATE EXTENSION pulse')
  const plant = async (statement, key) => {
    await cluster.sql(statement, [], spoilt)
    const found = await catalog(spoilt)
    const names = Object.keys(difference(last, found))
    assert.ok(names.some(name => name.includes(key)), `${statement}: ${names}`)
    last = found   // the next one must show by itself
  }
  assert.deepEqual(difference(last, await catalog(spoilt)), {})
  await plant('ALTER TABLE _pulse.jobs ADD COLUMN more text', 'TABLE _pulse.jobs')
  await plant('ALTER TABLE _pulse.jobs DROP COLUMN more', 'TABLE _pulse.jobs')
  await plant('ALTER TABLE _pulse.jobs ALTER COLUMN priority SET DEFAULT 1', 'TABLE _pulse.jobs')
  await plant(`COMMENT ON COLUMN _pulse.jobs.role IS 'another'`, 'jobs')
  await plant('GRANT SELECT ON _pulse.jobs TO pulse_admin', 'jobs')
  await plant('ALTER FUNCTION pulse.position() VOLATILE', 'pulse.position')
  await plant('CREATE INDEX more ON _pulse.jobs (role)', 'INDEX _pulse.more')
  await plant(`UPDATE _pulse.setting_definitions SET default_value = '1' WHERE name = 'idempotency_keep'`, 'setting_definitions')
  await plant(`UPDATE pg_extension SET extcondition[1] = '' WHERE extname = 'pulse'`, 'extensions')
  await plant('ALTER EXTENSION pulse DROP FUNCTION pulse.position()', 'members')
})
