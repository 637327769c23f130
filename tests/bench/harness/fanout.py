"""(c) One event to many sockets: pulse-bridge beside a plain send() loop and a stock Socket.IO server, with the same load
client, in turns. A message is done when every socket has it; the next one starts then (1 in flight), or sixteen are always
under way. What counts is the server process's CPU a delivery; PostgreSQL's share is shown apart."""

from statistics import median

from harness.programs import BenchError, children, note
from harness.report import Check

SERVERS = ('floor', 'pulse', 'socketio')
TITLES = {'floor': 'send() loop', 'pulse': 'pulse-bridge', 'socketio': 'Socket.IO'}
FLIGHTS = (1, 16)
SOCKETS = (1000, 5000, 10000)


def connect(stage):
    clients = {}
    for kind in SERVERS:
        server = stage.bridge if kind == 'pulse' else stage.peer(kind)
        arguments = ['--server-pid', server.pid, '--room', 'bench', '--claims', '"rooms":["bench"]', '--publish']
        if kind == 'pulse':
            arguments += ['pg:' + stage.cluster.conninfo('bench_pulse'), '--behind-pid', *children(stage.cluster.postmaster)]
        else:
            arguments += [f'tcp:{server.control}']
        clients[kind] = stage.client(server, *arguments)
    return clients


def one_round(client, messages, flight):
    found = client.command(f'fanout {messages} {flight}')
    if found['undelivered'] or found['repeated'] or found['lost'] or found['deliveries'] != found['sockets'] * messages:
        raise BenchError(f'fan-out lost or repeated something: {found}')
    return found


def measure(stage):
    sizes = SOCKETS[:1] if stage.quick else SOCKETS
    deliveries, repetitions = (64_000, 2) if stage.quick else (320_000, 5)
    clients = connect(stage)
    runs = {}
    for sockets in sizes:
        for client in clients.values():
            client.connect(sockets)
        messages = max(16, deliveries // sockets // 16 * 16)
        note(f'fan-out to {sockets} sockets: {repetitions} rounds of {messages} messages')
        for client in clients.values():                        # warm up: JIT, allocators, socket buffers
            one_round(client, max(16, messages // 4), 16)
            one_round(client, max(4, messages // 16), 1)
        for _ in range(repetitions):
            for flight in FLIGHTS:
                for kind, client in clients.items():
                    runs.setdefault(f'{sockets}/{flight}', {}).setdefault(kind, []).append(one_round(client, messages, flight))
        for flight in FLIGHTS:
            note(f'{flight} in flight, CPU µs a delivery: ' + ', '.join(
                f'{TITLES[k]} {cost(runs[f"{sockets}/{flight}"][k]):.2f}' for k in SERVERS))
    for client in clients.values():
        stage.drop(client)
    return {'repetitions': repetitions, 'runs': runs}


def cost(rounds, key='serverCpu'):
    return median(r[key] / r['deliveries'] * 1e6 for r in rounds)


def rate(rounds):
    return median(r['deliveries'] / r['seconds'] for r in rounds)


def summary(result):
    lines = [f'Fan-out of ~300-byte messages, medians of {result["repetitions"]} rounds, in turns; CPU µs a delivery of the server '
             'process = CPU seconds a million deliveries', '',
             '| sockets | in flight | send() loop | pulse-bridge | Socket.IO | pulse ÷ loop | Socket.IO ÷ pulse | + PostgreSQL |'
             ' all received, ms: loop · pulse · Socket.IO | deliveries/s: loop · pulse · Socket.IO |',
             '|---|---|---|---|---|---|---|---|---|---|']
    for key, kinds in result['runs'].items():
        sockets, flight = key.split('/')
        floor, pulse, peer = (cost(kinds[k]) for k in SERVERS)
        all_ms = ' · '.join(f'{median(r["allReceivedMs"] for r in kinds[k]):.0f}' for k in SERVERS)
        rates = ' · '.join(f'{rate(kinds[k]) / 1000:.0f}k' for k in SERVERS)
        lines.append(f'| {sockets} | {flight} | {floor:.2f} | {pulse:.2f} | {peer:.2f} | {pulse / floor:.2f} | {peer / pulse:.1f} | '
                     f'{cost(kinds["pulse"], "behindCpu"):.2f} | {all_ms} | {rates} |')
    return lines


def checks(result):
    found = []
    for key, kinds in result['runs'].items():
        sockets, flight = key.split('/')
        floor, pulse, peer = (cost(kinds[k]) for k in SERVERS)
        if flight == '1':
            found.append(Check(f'fan-out CPU ÷ send() loop, {sockets} sockets, 1 in flight', pulse / floor, at_most=1.2))
            found.append(Check(f'Socket.IO CPU s a million, {sockets} sockets, 1 in flight (harness: about 13)', peer, at_most=20,
                               about='harness'))
        else:
            found.append(Check(f'fan-out CPU of Socket.IO ÷ pulse, {sockets} sockets, 16 in flight', peer / pulse, at_least=8))
    return found
