"""Processes of the bench: starting and stopping them by pid, free ports, what /proc says, and the load client's line
protocol. Nothing here outlives the run: close() is called in reverse order of starting, on errors too."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / 'tests' / 'bench'
BUILD = Path(os.environ.get('PULSE_BENCH_BUILD', ROOT / 'build' / 'bench'))


SECRET = 'bench-secret-of-at-least-32-bytes!'


class BenchError(Exception):
    """Something that the reader must put right; printed as one sentence."""


def note(text):
    print(f'  {text}', file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def build():
    """Compiles the bench's own programs and the bridge alone, and installs the peers' packages; seconds when nothing changed."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for command in (['cmake', '-S', str(BENCH), '-B', str(BUILD)], ['cmake', '--build', str(BUILD), '-j2'],
                    [str(ROOT / 'tools' / 'cmake'), 'plain', 'bridge_alone']):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f'{" ".join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
    peers = BENCH / 'peers'
    stamp = peers / 'node_modules' / '.package-lock.json'
    if not stamp.exists() or stamp.stat().st_mtime < (peers / 'package-lock.json').stat().st_mtime:
        done = subprocess.run(['npm', 'ci', '--no-audit', '--no-fund'], cwd=peers, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f'npm ci in tests/bench/peers failed:\n{done.stderr[-2000:]}')
        stamp.touch()


def rss_kb(pid):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1])
    return 0


def children(pid):
    found = []
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / 'stat').read_text().rsplit(')', 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def cpu_seconds(pids):
    """User and system time; of processes that are gone nothing."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks / os.sysconf('SC_CLK_TCK')


def wait_until(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise BenchError(f'waited {seconds} s for {what}')


class Program:
    """One process that prints `ready` when it is, and ends on SIGTERM."""

    def __init__(self, command, ready='ready', env=None, log=None):
        self.name = Path(command[0]).name
        self.log = open(log, 'w') if log else None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log or subprocess.PIPE,
                                        stderr=self.log, text=True, env=env)
        if ready and self.process.stdout.readline().strip() != ready:
            raise BenchError(f'{self.name} did not start')

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class LoadClient(Program):
    """tests/bench/load_client; command() sends one line and returns the answer's object."""

    def __init__(self, *arguments):
        super().__init__([str(BUILD / 'load_client'), *map(str, arguments)], ready=None)

    def command(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise BenchError(f'the load client ended at `{line}`')
        answer = json.loads(answer)
        if answer.get('error'):
            raise BenchError(f'load client, `{line}`: {answer["error"]}')
        return answer

    def connect(self, sockets):
        return self.connect_measured(sockets)['seconds']

    def connect_measured(self, sockets):
        answer = self.command(f'connect {sockets}')
        if answer['connected'] != sockets:
            raise BenchError(f'{answer["connected"]} of {sockets} sockets connected: {answer["reasons"]}')
        return answer


class Bridge(Program):
    """pulse-bridge on free ports. Nothing is tuned but the ping interval, which the peers share, and what a part says."""

    def __init__(self, cluster, database, log, *options):
        path = Path(os.environ.get('PULSE_BRIDGE', ROOT / 'build' / 'plain' / 'bin' / 'pulse-bridge'))
        if not path.exists():
            raise BenchError(f'{path} is missing: run `make build` first')
        self.port, self.internal = free_port(), free_port()
        self.secret = SECRET
        env = {k: v for k, v in os.environ.items() if not k.startswith('PULSE_')}
        env |= {'PULSE_DATABASE_URL': cluster.conninfo(database, 'bench_bridge'), 'PULSE_JWT_SECRET': self.secret}
        super().__init__([str(path), 'serve', '--listen', f'127.0.0.1:{self.port}', '--internal-listen',
                          f'127.0.0.1:{self.internal}', '--ping-interval', '300s', '--log-level', 'warn', *options],
                         ready=None, env=env, log=log)
        wait_until(f'the bridge to be ready (its log: {log})', self._is_ready)

    def metric(self, name):
        """The sum of a metric over its labels."""
        with urllib.request.urlopen(f'http://127.0.0.1:{self.internal}/metrics', timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(' ', 1)[1]) for line in lines if line.split('{')[0].split(' ')[0] == name)

    def _is_ready(self):
        if self.process.poll() is not None:
            raise BenchError('the bridge ended while starting, see its log')
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/ready', timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


class Alone(Program):
    """The bridge's libraries without PostgreSQL (tests/bench/alone): fed with NOTIFY payloads, every join is allowed."""

    def __init__(self):
        path = ROOT / 'build' / 'plain' / 'bin' / 'bridge_alone'
        self.port, self.control, self.secret = free_port(), free_port(), SECRET
        super().__init__([str(path), str(self.port), str(self.control), self.secret])


class Nchan(Program):
    """nginx with nchan, one worker, messages in memory and no longer than they are needed, no log."""

    CONF = """
daemon off; pid {home}/pid; error_log {home}/error.log warn; user root; worker_processes 1; worker_rlimit_nofile 65536;
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
events {{ worker_connections 30000; multi_accept on; use epoll; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 100000000; keepalive_timeout 600s; client_header_timeout 600s;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi; client_body_buffer_size 16k; nchan_shared_memory_size 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /pub {{ nchan_publisher; nchan_channel_id $arg_id; nchan_message_buffer_length 1000; nchan_message_timeout 10s; }}
    location = /sub {{ nchan_subscriber websocket eventsource longpoll; nchan_channel_id $arg_id; nchan_subscriber_first_message newest;
                       nchan_subscriber_timeout 0; }}
  }}
}}
"""

    def __init__(self):
        self.port, self.secret = free_port(), ''
        self.control = self.port
        self.home = Path(tempfile.mkdtemp(prefix='pulse-nchan-'))
        (self.home / 'conf').write_text(self.CONF.format(home=self.home, port=self.port))
        nginx = shutil.which('nginx') or '/usr/sbin/nginx'
        if not Path(nginx).exists() or not Path('/usr/lib/nginx/modules/ngx_nchan_module.so').exists():
            raise BenchError('nginx with nchan is missing: run `make setup`')
        super().__init__([nginx, '-p', str(self.home), '-c', str(self.home / 'conf')], ready=None)
        wait_until('nchan to listen', self._listens)

    @property
    def pid(self):
        return children(self.process.pid)[0]                   # its only worker

    def _listens(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return bool(children(self.process.pid))
        except OSError:
            return False

    def close(self):
        super().close()
        shutil.rmtree(self.home, ignore_errors=True)


class Redis(Program):
    """Debian's redis-server as it comes, on a port of its own, without the snapshots that would fall into a run."""

    def __init__(self):
        if not shutil.which('redis-server'):
            raise BenchError('redis-server is missing: run `make setup`')
        self.port = free_port()
        super().__init__(['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--daemonize', 'no'], ready=None,
                         log=os.devnull)
        wait_until('Redis to listen', self._listens)

    def _listens(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        except OSError:
            return False


class NodeHandlers(Program):
    """Socket.IO in Node whose handlers ask PostgreSQL by pg, with so many connections."""

    def __init__(self, cluster, database, connections, how):
        self.port, self.secret = free_port(), ''
        env = {**os.environ, 'PGHOST': str(cluster.home), 'PGPORT': str(cluster.port), 'PGDATABASE': database, 'PGUSER': 'postgres',
               'NODE_ENV': 'production'}
        super().__init__(['node', str(BENCH / 'peers' / 'socketio_handlers.mjs'), str(self.port), str(connections), how], env=env)


class QueuePeer(Program):
    """A peer's queue in Node, tests/bench/peers/queue_*.mjs; command() sends one line and returns the answer's object."""

    MOST_SECONDS = 600

    def __init__(self, name, cluster, database, *arguments):
        env = {**os.environ, 'PGHOST': str(cluster.home), 'PGPORT': str(cluster.port), 'PGDATABASE': database, 'PGUSER': 'postgres',
               'NODE_ENV': 'production'}
        super().__init__(['node', str(BENCH / 'peers' / f'queue_{name}.mjs'), *map(str, arguments)], env=env)

    def command(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        timer = threading.Timer(self.MOST_SECONDS, self.process.kill)
        timer.start()
        answer = self.process.stdout.readline()
        timer.cancel()
        if not answer:
            raise BenchError(f'{self.name} ended at `{line}`, or had no answer in {self.MOST_SECONDS} s')
        answer = json.loads(answer)
        if answer.get('error'):
            raise BenchError(f'{self.name}, `{line}`: {answer["error"]}')
        return answer


class Peer(Program):
    """The floor server or the Socket.IO server: a public port and a control port."""

    def __init__(self, kind, *options):
        self.port, self.control, self.secret = free_port(), free_port(), ''
        ports = [str(self.port), str(self.control)]
        if kind == 'floor':
            super().__init__([str(BUILD / 'floor_server'), *ports])
        else:
            super().__init__(['node', '--expose-gc', str(BENCH / 'peers' / 'socketio_server.mjs'), *ports, *options])

    def collect_garbage(self):
        with socket.create_connection(('127.0.0.1', self.control)) as control:
            control.sendall(b'gc\n')
