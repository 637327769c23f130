"""(c) One event to many sockets: pulse-bridge (fed by SQL) and the bridge alone (fed with NOTIFY payloads) beside a plain send()
loop, a stock Socket.IO server and nchan, with the same load client, in turns. A message is done when every socket has it; the next
one starts then (1 in flight), or sixteen are always under way. What counts is the server process's CPU a delivery, and deliveries a
second; PostgreSQL's share is shown apart. The same for event streams, where Socket.IO has none."""

from statistics import median

from harness.programs import BenchError, note
from harness.report import Check

SERVERS = {'websocket': ('floor', 'alone', 'pulse', 'socketio', 'nchan'), 'sse': ('floor', 'alone', 'pulse', 'nchan')}
TITLES = {'floor': 'send() loop', 'alone': 'the bridge alone', 'pulse': 'pulse-bridge', 'socketio': 'Socket.IO', 'nchan': 'nchan'}
FLIGHTS = (1, 16)
SOCKETS = {'websocket': (1000, 5000, 10000), 'sse': (1000,)}


def protocol(wire, kind):
    """The load client's options."""
    if kind == 'nchan':
        return ['--protocol', wire, '--path', '/sub?id=bench']
    return ['--protocol', 'sse', '--path', '/sse?room=bench'] if wire == 'sse' else ['--claims', '"rooms":["bench"]']


def connect(stage, wire):
    clients, servers = {}, []
    for kind in SERVERS[wire]:
        servers.append(stage.server(kind))
        clients[kind] = stage.client(servers[-1], '--room', 'bench', *protocol(wire, kind), *stage.publishing(kind, servers[-1]))
    return clients, servers


def one_round(client, messages, flight):
    found = client.command(f'fanout {messages} {flight}')
    if found['undelivered'] or found['repeated'] or found['lost'] or found['deliveries'] != found['sockets'] * messages:
        raise BenchError(f'fan-out lost or repeated something: {found}')
    return found


def measure(stage):
    deliveries, repetitions = (64_000, 2) if stage.quick else (320_000, 5)
    runs = {}
    for wire, every_size in SOCKETS.items():
        clients, servers = connect(stage, wire)
        for sockets in every_size[:1] if stage.quick else every_size:
            measure_size(clients, wire, sockets, deliveries, repetitions, runs)
        for program in (*clients.values(), *servers):
            stage.drop(program)
    return {'repetitions': repetitions, 'runs': runs}


def measure_size(clients, wire, sockets, deliveries, repetitions, runs):
    for client in clients.values():
        client.connect(sockets)
    messages = max(16, deliveries // sockets // 16 * 16)
    note(f'fan-out to {sockets} sockets ({wire}): {repetitions} rounds of {messages} messages')
    for client in clients.values():                            # warm up: JIT, allocators, socket buffers
        one_round(client, max(16, messages // 4), 16)
        one_round(client, max(4, messages // 16), 1)
    for _ in range(repetitions):
        for flight in FLIGHTS:
            for kind, client in clients.items():
                runs.setdefault(f'{wire}/{sockets}/{flight}', {}).setdefault(kind, []).append(one_round(client, messages, flight))
    for flight in FLIGHTS:
        kinds = runs[f'{wire}/{sockets}/{flight}']
        note(f'{flight} in flight, CPU µs a delivery: ' + ', '.join(f'{TITLES[k]} {cost(found):.2f}' for k, found in kinds.items()) +
             '; deliveries/s: ' + ', '.join(f'{TITLES[k]} {rate(found) / 1000:.0f}k' for k, found in kinds.items()))


def cost(rounds, key='serverCpu'):
    return median(r[key] / r['deliveries'] * 1e6 for r in rounds)


def rate(rounds):
    return median(r['deliveries'] / r['seconds'] for r in rounds)


def summary(result):
    lines = [f'Fan-out of ~300-byte messages, medians of {result["repetitions"]} rounds, in turns; CPU µs a delivery of the server '
             'process = CPU seconds a million deliveries', '',
             '| sockets | in flight | server | CPU µs a delivery | ÷ send() loop | deliveries/s | ÷ send() loop | all received, ms | '
             'PostgreSQL, µs |', '|---|---|---|---|---|---|---|---|---|']
    for key, kinds in result['runs'].items():
        wire, sockets, flight = key.split('/')
        for kind, found in kinds.items():
            behind = f'{cost(found, "behindCpu"):.2f}' if kind == 'pulse' else ''
            lines.append(f'| {sockets} {wire} | {flight} | {TITLES[kind]} | {cost(found):.2f} | {cost(found) / cost(kinds["floor"]):.2f} | '
                         f'{rate(found):.0f} | {rate(found) / rate(kinds["floor"]):.2f} | '
                         f'{median(r["allReceivedMs"] for r in found):.1f} | {behind} |')
    return lines


def checks(result):
    found = []
    for key, kinds in result['runs'].items():
        wire, sockets, flight = key.split('/')
        where = f'{sockets} {wire}, {flight} in flight'
        if flight == '1':
            found.append(Check(f'the bridge alone, deliveries/s ÷ send() loop, {where}', rate(kinds['alone']) / rate(kinds['floor']),
                               at_least=0.9))
            found.append(Check(f'fan-out CPU ÷ send() loop, {where}', cost(kinds['pulse']) / cost(kinds['floor']), at_most=1.2))
        else:
            found.append(Check(f'the bridge alone, CPU s a million deliveries, {where}', cost(kinds['alone']), at_most=1.0))
        if wire == 'websocket' and flight == '16':
            found.append(Check(f'fan-out CPU of Socket.IO ÷ pulse, {where}', cost(kinds['socketio']) / cost(kinds['pulse']), at_least=8))
        if wire == 'websocket' and flight == '1':
            found.append(Check(f'Socket.IO CPU s a million, {where} (harness: about 13)', cost(kinds['socketio']), at_most=20, about='harness'))
    return found
