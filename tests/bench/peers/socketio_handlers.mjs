// Socket.IO with handlers that ask PostgreSQL by `pg`, as one would write them, with its best settings: WebSocket only, no compression, the
// native addon of `ws`, prepared statements. Started by tests/bench/run: node socketio_handlers.mjs PORT CONNECTIONS pool|pipeline; the
// database is named by libpq's environment variables. pool: each query takes a connection of a pg.Pool; pipeline: queries go to the
// connections in turn, many under way on each. Events: bench:echo and bench:post call the SQL functions of these names by one statement
// each; bench:post:statements does what bench.post does by statements of its own in a transaction.
import { createServer } from 'node:http';
import pg from 'pg';
import { Server } from 'socket.io';

const port = Number(process.argv[2]);
const size = Number(process.argv[3]);
const pipeline = process.argv[4] === 'pipeline';

const pool = new pg.Pool({ max: size, min: size, idleTimeoutMillis: 0 });
const clients = [];
for (let n = 0; n < size; n += 1) {
  const client = pipeline ? new pg.Client({ pipeline: true }) : await pool.connect();
  if (pipeline) await client.connect();
  clients.push(client);
}
if (!pipeline) for (const client of clients) client.release();
let turn = 0;
const query = pipeline ? (text) => clients[(turn = (turn + 1) % size)].query(text) : (text) => pool.query(text);

const call = (name) => {
  const text = `SELECT bench.${name}($1::json)`;
  return async (args, answer) => {
    const found = await query({ name, text, values: [JSON.stringify([args])], rowMode: 'array' });
    answer(found.rows[0][0]);
  };
};

const statements = async ({ person, n, body }, answer) => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const found = await client.query({ name: 'member', text: 'SELECT topic FROM bench.members WHERE person = $1', values: [person] });
    if (found.rows.length === 0) throw new Error('not a member');
    const { topic } = found.rows[0];
    await client.query({ name: 'insert', text: 'INSERT INTO bench.posts (topic, person, n, body) VALUES ($1, $2, $3, $4)', values: [topic, person, n, body] });
    await client.query('COMMIT');
    answer({ ok: true, n, topic });
  } catch (error) {
    await client.query('ROLLBACK');
    answer({ error: error.message });
  } finally {
    client.release();
  }
};

const failing = (handler) => (args, answer) => handler(args, answer).catch((error) => answer({ error: error.message }));
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'], perMessageDeflate: false, httpCompression: false, serveClient: false, pingInterval: 300_000, pingTimeout: 20_000,
});
io.engine.on('connection', (raw) => { raw.request = null; });
io.on('connection', (socket) => {
  socket.on('bench:echo', failing(call('echo')));
  socket.on('bench:post', failing(call('post')));
  socket.on('bench:post:statements', failing(statements));
});
http.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'));
