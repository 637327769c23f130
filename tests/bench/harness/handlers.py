"""(l) Round trips of handlers: a client emits an event with an ack, a handler runs SQL, the ack comes back. pulse-bridge, whose handlers
are SQL functions, beside Socket.IO in Node that calls the same functions by one prepared statement each through a pg.Pool (the bound);
by pg's pipelining, where a slow query holds up those behind it on its connection, as it holds up nobody in pulse or a pool; and beside
the handler one would write there, with statements of its own in a transaction. Each server has the number of connections that did best
before; the same clients ask all of them in turns, and every answer, and every row that was written, is checked. What the function alone
takes is measured too, by pgbench: no server reaches more, so the bound is asked only of a handler for which that is beyond it."""

from statistics import median

from harness.pgbench import pgbench
from harness.programs import BenchError, NodeHandlers, children, note
from harness.report import Check

DATABASE = 'bench_pulse'
# what is asked: the event with its arguments, the ack
HANDLERS = {
    'echo': ('["bench:echo",{"n":{n},"person":{i}}]', '[{"ok":true,"n":{n}}]', 'only answers'),
    'post': ('["bench:post",{"n":{n},"person":{i},"body":"ring the bell twice and wait at the gate"}]', None, 'reads a row, writes a row'),
}
POOLS = {'pulse': ('4', '8', '16', '32'), 'node': ('pool 4', 'pool 8', 'pool 16', 'pool 32'), 'pipelined': ('pipeline 2', 'pipeline 8'),
         'statements': ('pool 8', 'pool 16', 'pool 32')}
TITLES = {'pulse': 'pulse', 'node': 'Socket.IO + pg, the same function', 'pipelined': 'Socket.IO + pg, pipelined', 'statements': 'Socket.IO + pg, statements in a transaction'}
WINDOWS = ((1, 1), (8, 1), (64, 1), (64, 8))              # connections, events under way on each
RATES = (1000, 3000)
RATE_CONNECTIONS = 64
BOUND = 2


def kinds(handler):
    return ('pulse', 'node', 'pipelined', 'statements') if handler == 'post' else ('pulse', 'node', 'pipelined')


def start(stage, kind, pool):
    if kind == 'pulse':
        return stage.new_bridge('--pool-size', pool)
    how, connections = pool.split()
    return stage.keep(NodeHandlers(stage.cluster, DATABASE, connections, how))


def ask(stage, kind, handler, server, connections, command):
    """One run by a fresh client: what it measured, or an error when an answer is wrong or missing, or a row is."""
    event, answer, _ = HANDLERS[handler]
    if handler == 'post':
        stage.cluster.psql('TRUNCATE bench.posts; UPDATE bench.members SET topic = person', DATABASE)
        answer = '[{"ok":true,"n":{n},"topic":{i}}]'
    if kind == 'statements':
        event = event.replace('bench:post', 'bench:post:statements')
    client = stage.client(server, '--call', event, '--answer', answer, '--server-pid', server.pid, '--behind-pid', *children(stage.cluster.postmaster))
    client.connect(connections)
    found = client.command(command)
    stage.drop(client)
    if found['wrong'] or found['lost'] or not found['answered'] or found['answered'] != found['calls']:
        raise BenchError(f'{TITLES[kind]}, {handler}: {found["answered"]} of {found["calls"]} answered, {found["wrong"]} wrong '
                         f'({found["example"]}), {found["lost"]} connections lost {found["reasons"]}')
    if handler == 'post':
        rows = int(stage.cluster.psql('SELECT count(DISTINCT n) FROM bench.posts WHERE topic = person', DATABASE))
        if rows != found['calls']:
            raise BenchError(f'{TITLES[kind]}: {rows} rows of {found["calls"]} posts')
    return found


def rate(run):
    return run['answered'] / run['seconds']


def best_pool(stage, kind, handler, seconds):
    found = {}
    for pool in POOLS[kind][1:2] if stage.quick else POOLS[kind]:
        server = start(stage, kind, pool)
        ask(stage, kind, handler, server, 64, 'call 1 1')
        found[pool] = rate(ask(stage, kind, handler, server, 64, f'call 1 {seconds}'))
        stage.drop(server)
    best = max(found, key=found.get)
    note(f'{TITLES[kind]}, {handler}: ' + ', '.join(f'{pool} {value:.0f}/s' for pool, value in found.items()))
    return best


def measure(stage):
    seconds, repetitions = (2, 1) if stage.quick else (8, 3)
    stage.cluster.psql(stage.sql('handlers'), DATABASE)
    pools, closed, open_loop, alone = {}, {}, {}, {}
    for handler in HANDLERS:
        servers = {}
        for kind in kinds(handler):
            pools[f'{handler}/{kind}'] = best_pool(stage, kind, handler, 1 if stage.quick else 4)
        for kind in kinds(handler):
            servers[kind] = start(stage, kind, pools[f'{handler}/{kind}'])
            ask(stage, kind, handler, servers[kind], 64, 'call 1 2')            # warm: plans, compiled JavaScript
        for _ in range(repetitions):
            for connections, in_flight in WINDOWS:
                for kind, server in servers.items():
                    closed.setdefault(f'{handler}/{kind}/{connections} × {in_flight}', []).append(
                        ask(stage, kind, handler, server, connections, f'call {in_flight} {seconds}'))
            for a_second in RATES:
                for kind, server in servers.items():
                    open_loop.setdefault(f'{handler}/{kind}/{a_second}', []).append(
                        ask(stage, kind, handler, server, RATE_CONNECTIONS, f'callrate {a_second} {seconds}'))
            alone.setdefault(handler, []).append(pgbench(stage.cluster, DATABASE, f'call_{handler}', 8, '-T', seconds).tps)
        for server in servers.values():
            stage.drop(server)
        note(f'{handler}, 64 × 1: ' + ', '.join(f'{TITLES[kind]} {mid_rate(closed[f"{handler}/{kind}/64 × 1"]):.0f}/s' for kind in kinds(handler)))
    return {'seconds': seconds, 'repetitions': repetitions, 'pools': pools, 'closed': closed, 'open': open_loop, 'alone': alone}


def mid_rate(runs):
    return median(rate(run) for run in runs)


def mid(runs, key):
    return median(run[key] for run in runs)


def cpu(runs, *keys):
    """CPU seconds a million round trips, which are µs each."""
    return median(sum(run[key] for key in keys) / run['answered'] * 1e6 for run in runs)


def summary(result):
    lines = [f'Round trips of handlers, medians of {result["repetitions"]} × {result["seconds"]} s in turns; every ack and every row checked; pools that did best: '
             + ', '.join(f'{name} {pool}' for name, pool in result['pools'].items()), '',
             '| handler | connections × under way | server | round trips/s | p50, ms | p99, ms | CPU s a million: server | PostgreSQL | both |',
             '|---|---|---|---|---|---|---|---|---|']
    for key, runs in result['closed'].items():
        handler, kind, window = key.split('/')
        lines.append(f'| {handler}: {HANDLERS[handler][2]} | {window} | {TITLES[kind]} | {mid_rate(runs):.0f} | {mid(runs, "p50Ms"):.2f} | {mid(runs, "p99Ms"):.2f} | '
                     f'{cpu(runs, "serverCpu"):.0f} | {cpu(runs, "behindCpu"):.0f} | {cpu(runs, "serverCpu", "behindCpu"):.0f} |')
    lines += ['', 'The function alone, by pgbench with 8 connections: '
              + ', '.join(f'{handler} {median(rates):.0f}/s, {above(result, handler):.2f} × Socket.IO + pg' for handler, rates in result['alone'].items())
              + '; pulse ' + ', '.join(f'{handler} {ratio(result, handler):.2f} ×' for handler in HANDLERS)]
    lines += ['', f'At a rate that waits for nobody, {RATE_CONNECTIONS} connections', '',
              '| handler | events/s | server | p50, ms | p99, ms | max, ms | CPU s a million: server | PostgreSQL |', '|---|---|---|---|---|---|---|---|']
    for key, runs in result['open'].items():
        handler, kind, a_second = key.split('/')
        lines.append(f'| {handler} | {a_second} | {TITLES[kind]} | {mid(runs, "p50Ms"):.2f} | {mid(runs, "p99Ms"):.2f} | {mid(runs, "maxMs"):.1f} | '
                     f'{cpu(runs, "serverCpu"):.0f} | {cpu(runs, "behindCpu"):.0f} |')
    return lines


def ratio(result, handler):
    closed = result['closed']
    return mid_rate(closed[f'{handler}/pulse/64 × 1']) / mid_rate(closed[f'{handler}/node/64 × 1'])


def above(result, handler):
    return median(result['alone'][handler]) / mid_rate(result['closed'][f'{handler}/node/64 × 1'])


def checks(result):
    return [Check(f'round trips/s ÷ Socket.IO + pg, {handler}, 64 × 1', ratio(result, handler), at_least=BOUND)
            for handler in HANDLERS if above(result, handler) >= BOUND or handler == 'echo']
