"""A throw-away PostgreSQL cluster for the bench: durable settings (fsync and synchronous_commit on), one postgresql.conf for
every variant, reachable by a socket in its own folder only. Removed at the end."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.programs import BenchError, free_port

SETTINGS = {
    'listen_addresses': "''",
    'max_connections': 200,
    'shared_buffers': "'512MB'",
    'wal_buffers': "'16MB'",
    'max_wal_size': "'8GB'",
    'checkpoint_timeout': "'30min'",
    'fsync': 'on',
    'synchronous_commit': 'on',
    'full_page_writes': 'on',
    'max_worker_processes': 16,
    'shared_preload_libraries': "'pulse'",
    'pulse.databases': "'bench_pulse'",
    'logging_collector': 'off',
    'log_min_messages': 'warning',
}


class Cluster:
    def __init__(self):
        config = os.environ.get('PG_CONFIG', '/usr/lib/postgresql/15/bin/pg_config')
        self.bin = Path(self._output([config, '--bindir']))
        share = Path(self._output([config, '--sharedir']))
        if not (share / 'extension' / 'pulse.control').exists():
            raise BenchError(f'extension pulse is not installed for {config}: run `make install` first')
        self.as_owner = ['runuser', '-u', 'postgres', '--'] if os.geteuid() == 0 else []
        self.home = Path(tempfile.mkdtemp(prefix='pulse-bench-'))
        if self.as_owner:
            shutil.chown(self.home, 'postgres', 'postgres')
        self.data, self.port, self.running = self.home / 'data', free_port(), False
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        self._owner([self.bin / 'initdb', '-D', self.data, '-U', 'postgres', '-A', 'trust', '--encoding=UTF8',
                     '--locale=C.UTF-8'])
        with open(self.data / 'postgresql.conf', 'a') as conf:
            for name, value in {**SETTINGS, 'port': self.port, 'unix_socket_directories': f"'{self.home}'"}.items():
                conf.write(f'{name} = {value}\n')
        self.running = True
        self._owner([self.bin / 'pg_ctl', '-D', self.data, '-l', self.home / 'log', '-w', '-t', '60', 'start'])
        self.psql('CREATE ROLE bench_bridge LOGIN', 'postgres')

    @property
    def postmaster(self):
        return int((self.data / 'postmaster.pid').read_text().split()[0])

    def conninfo(self, database, user='postgres'):
        return f'host={self.home} port={self.port} dbname={database} user={user}'

    def psql(self, sql, database):
        done = subprocess.run([self.bin / 'psql', self.conninfo(database), '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1',
                               '-f', '-'], input=sql, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f'psql in {database}: {done.stderr.strip()}')
        return done.stdout.strip()

    def session(self, database):
        return Session(self.bin / 'psql', self.conninfo(database))

    def configure(self, **settings):
        """Settings that a reload can change, by names with __ for the dot; None takes one back."""
        self.psql('\n'.join(f'ALTER SYSTEM RESET {name.replace("__", ".")};' if value is None else f"ALTER SYSTEM SET {name.replace('__', '.')} = '{value}';"
                            for name, value in settings.items()) + '\nSELECT pg_reload_conf()', 'postgres')

    def write(self, name, text):
        """A file that only the server's owner reads: its path."""
        path = self.home / name
        path.touch(0o600)
        path.write_text(text)
        if self.as_owner:
            shutil.chown(path, 'postgres', 'postgres')
        return path

    def log_tail(self):
        try:
            return (self.home / 'log').read_text()[-2000:]
        except OSError:
            return ''

    def close(self):
        if self.running:
            subprocess.run([*self.as_owner, self.bin / 'pg_ctl', '-D', self.data, '-m', 'fast', '-w', '-t', '60', 'stop'],
                           capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _owner(self, command):
        # pg_ctl's server inherits its descriptors: pipes would never end.
        done = subprocess.run([*self.as_owner, *map(str, command)], cwd='/', stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode:
            raise BenchError(f'{Path(command[0]).name} failed: {self.log_tail()}')

    @staticmethod
    def _output(command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Session:
    """A connection that stays: psql, one statement or several a call."""

    def __init__(self, psql, conninfo):
        self.said = tempfile.TemporaryFile('w+')               # no pipe: nobody reads it before the end, and a full one would stop psql
        self.process = subprocess.Popen([psql, conninfo, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.said, text=True)

    def query(self, sql):
        """What the statements print."""
        self.process.stdin.write(f'{sql};\n\\echo (done)\n')
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == '(done)\n':
                return '\n'.join(lines)
            lines.append(line.rstrip('\n'))
        self.said.seek(0)
        raise BenchError(f'psql: {self.said.read().strip()[-2000:]}')

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:                                # an error has ended it
            pass
        self.process.wait(60)
        self.said.close()
