"""(g) How fast clients get in: ten thousand connect, prove who they are, and join one room, which a policy allows; from the first
connect() to the last join's answer. The bridge alone (tokens verified, joins decided by a stub), the whole path with SQL, and beside
them the send() loop, stock Socket.IO and nchan, which look at no token. Each on a server just started; tokens are signed before."""

from statistics import median

from harness.programs import note
from harness.report import Check

ALONE = (('alone', 'native'), ('alone', 'socketio'))
KINDS = (*ALONE, ('pulse', 'native'), ('pulse', 'socketio'), ('floor', 'socketio'), ('socketio', 'socketio'), ('nchan', 'websocket'))
TITLES = {'alone': 'the bridge alone', 'pulse': 'pulse-bridge with SQL', 'floor': 'send() loop', 'socketio': 'stock Socket.IO', 'nchan': 'nchan'}
MUST = {'native': 15_000, 'socketio': 8_000}


def once(stage, kind, protocol, sockets):
    server = stage.server(kind)
    where = ['--path', '/sub?id=r{i/10}'] if kind == 'nchan' else ['--join', 'r:{i/10}']
    client = stage.client(server, '--protocol', protocol, '--claims', '"rooms":[]', *stage.publishing(kind, server), *where)
    found = client.connect_measured(sockets)
    stage.drop(client)
    stage.drop(server)
    return found


def measure(stage):
    sockets, repetitions = (10_000, 1) if stage.quick else (10_000, 5)
    note(f'connect rate: {repetitions} × {len(KINDS)} × {sockets} clients')
    runs = {kind: [] for kind in KINDS}
    for _ in range(repetitions):
        for (kind, protocol), found in runs.items():
            found.append(once(stage, kind, protocol, sockets))
    for (kind, protocol), found in runs.items():
        note(f'{TITLES[kind]}, {protocol}: {rate(found):.0f}/s')
    return {'sockets': sockets, 'repetitions': repetitions, 'runs': {'/'.join(kind): found for kind, found in runs.items()}}


def rate(found):
    return median(run['connected'] / run['seconds'] for run in found)


def each(found, key):
    return median(run[key] / run['connected'] * 1e6 for run in found)


def summary(result):
    lines = [f'Connect rate: {result["sockets"]} clients connect and join a room each, medians of {result["repetitions"]} fresh servers', '',
             '| server | protocol | clients/s | server CPU µs each | load client CPU µs each | PostgreSQL CPU µs each |', '|---|---|---|---|---|---|']
    for key, found in result['runs'].items():
        kind, protocol = key.split('/')
        lines.append(f'| {TITLES[kind]} | {protocol} | {rate(found):.0f} | {each(found, "serverCpu"):.0f} | {each(found, "clientCpu"):.0f} | '
                     f'{each(found, "behindCpu"):.0f} |')
    return lines


def checks(result):
    return [Check(f'the bridge alone, {protocol} clients/s', rate(result['runs'][f'{kind}/{protocol}']), at_least=MUST[protocol])
            for kind, protocol in ALONE]
