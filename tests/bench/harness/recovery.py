"""(e) A recovery storm: ten thousand sessions are cut at once, miss a hundred events, and come back within five seconds with the pid
and the offset that they had. Measured is when the last of them has everything, what it costs the server, and how many questions
pulse asks its log: to the bridge that they came from, and to another one that has just started and has nothing in memory. Beside
it the stock Socket.IO server with connectionStateRecovery in its own memory; it has no other server to come back to."""

from statistics import median

from harness.programs import BenchError, children, cpu_seconds, note, wait_until
from harness.report import Check

KINDS = ('same', 'other', 'socketio')
TITLES = {'same': 'pulse, the same bridge', 'other': 'pulse, a bridge just started', 'socketio': 'Socket.IO, in memory'}
MISSED, WITHIN = 100, 5


def once(stage, kind, sockets):
    server = stage.peer('socketio', 'recovery') if kind == 'socketio' else stage.new_bridge()
    publish = f'tcp:{server.control}' if kind == 'socketio' else 'pg:' + stage.cluster.conninfo('bench_pulse')
    client = stage.client(server, '--room', 'bench', '--claims', '"rooms":["bench"]', '--recover', '--publish', publish)
    client.connect(sockets)
    client.command('publish 1')                                # so that everybody has an offset
    if client.command(f'wait {sockets} 60')['deliveries'] != sockets:
        raise BenchError('not everybody received the event before the cut')
    client.command('cut')
    last = client.command(f'publish {MISSED}')['last']
    to, behind = server, 0
    if kind != 'socketio':
        wait_until('the bridge to notice the cut', lambda: server.metric('realtime_active_connections') == 0, 60)
        stage.wait_for_dispatcher()
        if kind == 'other':
            to = stage.new_bridge()
        postmaster = stage.cluster.postmaster
        behind, queries = cpu_seconds(children(postmaster)), to.metric('pulse_history_queries_total')
    found = client.command(f'return {WITHIN} {last} {to.port} {to.pid}')
    if kind != 'socketio':
        found['behindCpu'] = cpu_seconds(children(postmaster)) - behind
        found['queries'] = to.metric('pulse_history_queries_total') - queries
    if kind != 'socketio' and (found['recovered'] != sockets or found['caughtUp'] != sockets or found['repeated'] or found['skipped']):
        raise BenchError(f'{TITLES[kind]}: {found}')
    stage.drop(client)
    if to is not server:
        stage.drop(to)
    stage.drop(server)
    return found


def measure(stage):
    sockets, repetitions = (1_000, 1) if stage.quick else (10_000, 3)
    note(f'recovery storm: {repetitions} × {len(KINDS)} × {sockets} sessions')
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for kind, found in runs.items():
            found.append(once(stage, kind, sockets))
    for kind, found in runs.items():
        note(f'{TITLES[kind]}: all caught up {middle(found, "afterLastSeconds") * 1000:.0f} ms after the last came back, '
             f'server CPU {middle(found, "serverCpu"):.2f} s, history queries {middle(found, "queries"):.0f}')
    return {'sockets': sockets, 'missed': MISSED, 'within': WITHIN, 'repetitions': repetitions, 'runs': runs}


def middle(runs, key):
    return median(run.get(key, 0) for run in runs)


def summary(result):
    lines = [f'Recovery storm: {result["sockets"]} sessions cut at once come back within {result["within"]} s and get {result["missed"]} '
             f'missed events each, medians of {result["repetitions"]}', '',
             '| server | recovered | all caught up, s after the first · after the last came back | a session, ms: p50 · p99 · max | server CPU s | '
             'PostgreSQL CPU s | history queries | RSS MB: before · most |', '|---|---|---|---|---|---|---|---|']
    for kind, found in result['runs'].items():
        apart = ('–', '–') if kind == 'socketio' else (f'{middle(found, "behindCpu"):.2f}', f'{middle(found, "queries"):.0f}')
        lines.append(f'| {TITLES[kind]} | {middle(found, "recovered"):.0f} | {middle(found, "seconds"):.2f} · {middle(found, "afterLastSeconds"):.2f} | '
                     f'{middle(found, "p50Ms"):.0f} · {middle(found, "p99Ms"):.0f} · {middle(found, "maxMs"):.0f} | '
                     f'{middle(found, "serverCpu"):.2f} | {apart[0]} | {apart[1]} | '
                     f'{middle(found, "rssBeforeKb") / 1024:.0f} · {middle(found, "rssMostKb") / 1024:.0f} |')
    return lines


def checks(result):
    runs = result['runs']
    queries = max(middle(runs[kind], 'queries') for kind in ('same', 'other'))
    return [Check('history queries a session in a recovery storm', queries / result['sockets'], at_most=0.1)]
