"""What one run stands on: the cluster with its databases, the bridge, and everything started, closed in reverse order."""

from harness.cluster import Cluster
from harness.programs import BENCH, BUILD, Alone, Bridge, LoadClient, Nchan, Peer, children, note, wait_until


class Stage:
    def __init__(self, quick):
        self.quick = quick
        self._open = []
        self._cluster = self._bridge = None
        BUILD.joinpath('logs').mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thing in reversed(self._open):
            thing.close()

    def keep(self, thing):
        self._open.append(thing)
        return thing

    def drop(self, thing):
        self._open.remove(thing)
        thing.close()

    @property
    def cluster(self):
        if not self._cluster:
            note('starting a PostgreSQL cluster of its own')
            self._cluster = self.keep(Cluster())
            for name in ('bench_plain', 'bench_notify', 'bench_pulse'):
                self._cluster.psql(f'CREATE DATABASE {name}', 'postgres')
                self._cluster.psql(self.sql('table'), name)
            self._cluster.psql(self.sql('notify'), 'bench_notify')
            self._cluster.psql(self.sql('pulse'), 'bench_pulse')
            self._cluster.psql(self.sql('watch'), 'bench_pulse')
        return self._cluster

    @property
    def bridge(self):
        """One bridge for the measurements that do not need a fresh one."""
        if not self._bridge:
            self._bridge = self.new_bridge()
        return self._bridge

    def new_bridge(self, *options):
        cluster = self.cluster
        return self.keep(Bridge(cluster, 'bench_pulse', BUILD / 'logs' / 'bridge.log', *options))

    def server(self, kind):
        """A fresh one of: pulse, alone, floor, socketio, nchan."""
        return self.new_bridge() if kind == 'pulse' else self.keep(Alone()) if kind == 'alone' else \
            self.keep(Nchan()) if kind == 'nchan' else self.peer(kind)

    def publishing(self, kind, server):
        """The load client's options for publishing to it, and for whose CPU counts."""
        if kind == 'pulse':
            how = ['pg:' + self.cluster.conninfo('bench_pulse'), '--behind-pid', *children(self.cluster.postmaster)]
        else:
            how = [{'alone': 'notify', 'nchan': 'post'}.get(kind, 'tcp') + f':{server.control}']
        return ['--server-pid', server.pid, '--publish', *how]

    def peer(self, kind, *options):
        return self.keep(Peer(kind, *options))

    def client(self, server, *arguments):
        base = ['--port', server.port]
        if server.secret:
            base += ['--secret', server.secret]
        return self.keep(LoadClient(*base, *arguments))

    def wait_for_dispatcher(self, seconds=120, database='bench_pulse'):
        """Until every committed event has its position: no variant may leave its work to the next one."""
        lag = "SELECT coalesce((pulse.status() -> 'dispatcher' ->> 'lagEvents')::bigint, 0)"
        wait_until('the dispatcher to catch up', lambda: self.cluster.psql(lag, database) == '0', seconds)

    @staticmethod
    def sql(name):
        return (BENCH / 'sql' / f'{name}.sql').read_text()
