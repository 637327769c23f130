// The stock Socket.IO server as the peer of the fan-out, memory and recovery measurements, with its best settings: WebSocket only,
// no compression, no HTTP request kept per connection; connection state recovery (in memory) only where it is measured. Everybody is in the
// room bench, and in those that it asks for; tokens are not looked at. Started by tests/bench/run:
// node socketio_server.mjs PORT CONTROL_PORT [recovery]; each line on the control connection is a room, a tab and a payload.
import { createServer } from 'node:http';
import { createServer as createControl } from 'node:net';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';

const [port, controlPort] = process.argv.slice(2, 4).map(Number);
const recovery = process.argv[4] === 'recovery' ? { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } } : {};
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  pingInterval: 300_000,
  pingTimeout: 20_000,
  ...recovery,
});

// Lets the request of each handshake be collected (the memory advice of Socket.IO's own documentation).
io.engine.on('connection', (raw) => { raw.request = null; });
io.on('connection', (socket) => {
  if (!socket.recovered) socket.join('bench');
  socket.on('room:join', ({ room }, answer) => { socket.join(room); answer({ ok: true }); });
});

createControl((connection) => {
  connection.setNoDelay(true);
  createInterface({ input: connection }).on('line', (line) => {
    if (line === 'gc') return globalThis.gc?.();
    const tab = line.indexOf('\t');
    io.to(line.slice(0, tab)).emit('bench', JSON.parse(line.slice(tab + 1)));
  });
  connection.on('error', () => {});
}).listen(controlPort, '127.0.0.1', () => {
  http.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'));
});
