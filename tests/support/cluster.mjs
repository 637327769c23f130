// A throw-away PostgreSQL cluster with pulse in it, made by tools/cluster. It listens on a socket in a private folder only, so
// ports never collide. Made by startPulse(); a test that needs no bridge may use it alone. Removes everything at stop().
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { secret } from './token.mjs'
import { until } from './wait.mjs'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
// Every pack there is, as tools/ and the Makefile find them: a folder of sql/packs with a Makefile is the extension pulse_<folder>.
export const packs = readdirSync(join(root, 'sql/packs')).filter(name => existsSync(join(root, 'sql/packs', name, 'Makefile'))).sort()

const tool = join(root, 'tools', 'cluster')
const run = promisify(execFile)

// Where the programs of PostgreSQL are.
export const bindir = execFileSync(process.env.PG_CONFIG ?? '/usr/lib/postgresql/15/bin/pg_config', ['--bindir'], { encoding: 'utf8' }).trim()

// Interrupted tests leave nothing running: process.exit calls the hooks that drop clusters.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

// Extensions by the name a test gives, 'pulse' or 'pulse 1.0'; postgis comes with the pack that requires it.
async function createExtensions(cluster, database, extensions) {
  for (const [name, version] of extensions.map(extension => extension.split(' '))) {
    const which = version ? `VERSION ${pg.escapeLiteral(version)}` : ''
    await cluster.sql(`CREATE EXTENSION IF NOT EXISTS ${pg.escapeIdentifier(name)} ${which} CASCADE`, [], database)
  }
}

export class Cluster {
  #dir
  #pools = new Map()
  #onExit = () => { try { execFileSync(tool, ['drop', this.#dir], { stdio: 'ignore' }) } catch { /* tools/test sweeps again */ } }

  // database: gets the extensions and a dispatcher. settings: lines of postgresql.conf. port: listen on 127.0.0.1 too, with passwords.
  static async create({ database = 'pulse', extensions = ['pulse'], settings = {}, port } = {}) {
    const cluster = new Cluster()
    cluster.database = database
    cluster.#dir = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'cluster-'))
    process.once('exit', cluster.#onExit)
    const all = { fsync: 'off', full_page_writes: 'off', max_prepared_transactions: 20, 'pulse.databases': database, 'pulse.jwt_secret_file': 'jwt_secret', ...settings }
    await run(tool, ['create', cluster.#dir, ...(port === undefined ? [] : ['--port', port]), ...Object.entries(all).map(([name, value]) => `${name}=${value}`)])
    await cluster.start()
    await cluster.write('jwt_secret', secret)
    await cluster.sql(`CREATE DATABASE ${pg.escapeIdentifier(database)}`, [], 'postgres')
    await createExtensions(cluster, database, extensions)
    await cluster.sql(`CREATE ROLE bridge LOGIN ${extensions.length > 0 ? 'IN ROLE pulse_bridge' : ''}`)   // the role comes with the extension
    return cluster
  }

  // A running copy of it that follows it by streaming replication, until promote().
  static async standbyOf(primary, settings = {}) {
    const cluster = new Cluster()
    cluster.database = primary.database
    cluster.#dir = mkdtempSync(join(process.env.PULSE_TEST_DIR ?? tmpdir(), 'standby-'))
    process.once('exit', cluster.#onExit)
    await run(tool, ['standby', cluster.#dir, primary.#dir, ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)])
    await cluster.start()
    return cluster
  }

  async promote() { await this.sql('SELECT pg_promote(true, 60)', [], 'postgres') }

  // Whatever was committed on `primary` so far can be read here.
  async follows(primary) {
    const [{ lsn }] = await primary.sql('SELECT pg_current_wal_lsn() AS lsn', [], 'postgres')
    await until(() => this.value('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn', [lsn], 'postgres'), { what: 'the standby having replayed all' })
  }

  // A setting, effective at once where a reload is enough.
  async set(name, value) {
    await this.sql(`ALTER SYSTEM SET ${name} = ${pg.escapeLiteral(String(value))}`, [], 'postgres')
    await this.sql('SELECT pg_reload_conf()', [], 'postgres')
  }

  // A file with this one line in the data directory, as the server's user.
  async write(name, line) {
    await this.sql(`DO $do$ BEGIN EXECUTE format('COPY (SELECT %L) TO %L', ${pg.escapeLiteral(line)}, current_setting('data_directory') || ${pg.escapeLiteral(`/${name}`)}); END $do$`, [], 'postgres')
  }

  async start() {
    await run(tool, ['start', this.#dir])
    const env = Object.fromEntries(readFileSync(join(this.#dir, 'cluster.env'), 'utf8').trim().split('\n').map(line => line.split('=')))
    this.host = env.PGHOST
    this.port = Number(env.PGPORT)
  }

  // mode: smart, fast, immediate (no checkpoint: crash recovery at the next start).
  async stop(mode = 'fast') {
    await this.#closePools()
    await run(tool, ['stop', this.#dir, mode])
  }

  // The address stays the same.
  async restart(mode = 'fast') {
    await this.stop(mode)
    await this.start()
  }

  async drop() {
    await this.#closePools()
    process.off('exit', this.#onExit)
    await run(tool, ['drop', this.#dir])
    rmSync(this.#dir, { recursive: true, force: true })
  }

  // libpq's and pg's connection string.
  url({ user = 'postgres', database = this.database } = {}) {
    return `postgresql://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?host=${this.host}&port=${this.port}`
  }

  // The same for whichever of these clusters is the primary.
  static urlOfPrimary(clusters, { user = 'postgres' } = {}) {
    const hosts = clusters.map(({ host }) => host).join(','), ports = clusters.map(({ port }) => port).join(',')
    return `postgresql://${user}@/${clusters[0].database}?host=${encodeURIComponent(hosts)}&port=${ports}&target_session_attrs=read-write`
  }

  // Rows of one statement, as superuser, from a pool.
  async sql(text, parameters = [], database = this.database) {
    return (await this.#pool(database).query(text, parameters)).rows
  }

  // The first column of the first row.
  async value(text, parameters = [], database = this.database) {
    const [row] = await this.sql(text, parameters, database)
    return row && Object.values(row)[0]
  }

  // Runs scripts of this folder, by their names without `.sql`.
  async load(...scripts) {
    for (const script of scripts) await this.sql(readFileSync(new URL(`${script}.sql`, import.meta.url), 'utf8'))
  }

  // Runs a statement that gives the id of an event, and waits until the event has its position.
  async dispatched(statement, parameters) {
    const id = await this.value(statement, parameters)
    await until(() => this.value('SELECT EXISTS (SELECT FROM pulse.deliveries WHERE event_id = $1)', [id]), { what: 'the dispatch' })
  }

  // A connection of one's own: for LISTEN, transactions, SET ROLE. The caller ends it.
  async connect({ user = 'postgres', database = this.database } = {}) {
    const client = new pg.Client({ host: this.host, port: this.port, user, database })
    client.on('error', () => {})   // a test that stops the server expects its connections to break
    await client.connect()
    return client
  }

  // Environment of psql, pgbench and other libpq programs.
  get environment() {
    return { ...process.env, PGHOST: this.host, PGPORT: String(this.port), PGUSER: 'postgres', PGDATABASE: this.database }
  }

  get logPath() { return join(this.#dir, 'data', 'server.log') }

  get log() { return readFileSync(this.logPath, 'utf8') }

  get postmasterPid() { return Number(readFileSync(join(this.#dir, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]) }

  #pool(database) {
    let pool = this.#pools.get(database)
    if (!pool) {
      pool = new pg.Pool({ host: this.host, port: this.port, user: 'postgres', database, max: 4, idleTimeoutMillis: 1000 })
      pool.on('error', () => {})
      this.#pools.set(database, pool)
    }
    return pool
  }

  async #closePools() {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map(pool => pool.end()))
  }
}
