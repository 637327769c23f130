"""(a) What a published INSERT costs the writer: pgbench against the same table without a trigger, with a plpgsql trigger and
pg_notify and one listener, and with pulse.watch, dispatcher, bridge and one connected socket that receives every event. Once
with the smallest row there is, which the bars are for, and once with an ordinary one (an order of nine columns and a key).

The variants live in three databases of one cluster, because pg_notify wakes every listening backend of its database. They take
turns (A B C A B C …); a turn ends when its receiver has everything, so that no work is left to the next."""

import re
import subprocess
import time
from statistics import median

from harness.pgbench import pgbench
from harness.programs import BUILD, BenchError, Program, note
from harness.report import Check

CLIENTS = (1, 8, 32)
ROWS = {'message': 'two columns, no key', 'order': 'nine columns and a key'}
VARIANTS = ('plain', 'notify', 'pulse')
TITLES = {'plain': 'no trigger', 'notify': 'plpgsql + pg_notify', 'pulse': 'pulse.watch'}


class Receiver:
    """The socket that receives every event of the watch variant."""

    def __init__(self, stage):
        rooms = ','.join(f'"bench:r{region}"' for region in range(4))
        self.client = stage.client(stage.bridge, '--claims', f'"rooms":[{rooms}]')
        self.client.connect(1)

    def wait_for(self, events):
        counts = self.client.command(f'wait {events} 120')
        if counts['deliveries'] != events:
            raise BenchError(f'the socket received {counts["deliveries"]} of {events} events')
        self.client.command('reset')


def insert(stage, row, variant, clients, seconds):
    return pgbench(stage.cluster, f'bench_{variant}', f'insert_{row}', clients, '-T', seconds)


def flush_microseconds(stage):
    """What one flush costs on this disk, by PostgreSQL's own pg_test_fsync: it decides how soon pg_notify's lock is the limit."""
    done = subprocess.run([str(stage.cluster.bin / 'pg_test_fsync'), '-s', '1', '-f', str(stage.cluster.home / 'flush')],
                          capture_output=True, text=True)
    found = re.search(r'fdatasync\s+[\d.]+ ops/sec\s+(\d+) usecs/op', done.stdout)
    if not found:
        raise BenchError(f'pg_test_fsync: {done.stdout[-300:]}{done.stderr[-300:]}')
    return float(found[1])


def measure(stage):
    seconds, repetitions = (3, 1) if stage.quick else (5, 3)
    listener = stage.keep(Program([str(BUILD / 'listener'), stage.cluster.conninfo('bench_notify'), 'bench']))
    receiver = Receiver(stage)
    note(f'INSERT TPS: {len(ROWS)} × {len(CLIENTS)} × {len(VARIANTS)} × {repetitions} runs of {seconds} s')
    flush = flush_microseconds(stage)
    runs, drains = {}, []
    for row in ROWS:
        for variant in VARIANTS:                               # warm up: catalogs, WAL files, plans
            rows = insert(stage, row, variant, 8, 1).transactions
            if variant == 'pulse':
                receiver.wait_for(rows)
        for clients in CLIENTS:
            for _ in range(repetitions):
                for variant in VARIANTS:
                    stage.cluster.psql('CHECKPOINT', 'postgres')
                    found = insert(stage, row, variant, clients, seconds)
                    if variant == 'pulse':
                        began = time.monotonic()
                        receiver.wait_for(found.transactions)
                        drains.append(time.monotonic() - began)
                    runs.setdefault((row, clients, variant), []).append(found.tps)
            note(f'{row}, {clients} clients: ' + ', '.join(f'{TITLES[v]} {median(runs[row, clients, v]):.0f}' for v in VARIANTS))
    stage.drop(listener)
    stage.drop(receiver.client)
    return {'seconds': seconds, 'repetitions': repetitions, 'drain_seconds_max': max(drains), 'flush_us': flush,
            'tps': {row: {str(c): {v: runs[row, c, v] for v in VARIANTS} for c in CLIENTS} for row in ROWS}}


def medians(variants):
    return [median(variants[v]) for v in VARIANTS]


def summary(result):
    lines = [f'INSERT TPS, medians of {result["repetitions"]} × {result["seconds"]} s, in turns; a flush of the WAL takes '
             f'{result["flush_us"]:.0f} µs on this disk']
    for row, by_clients in result['tps'].items():
        lines += ['', f'| {row} ({ROWS[row]}), clients | no trigger | plpgsql + pg_notify | pulse.watch | pulse ÷ pg_notify '
                  '| pulse ÷ no trigger |', '|---|---|---|---|---|---|']
        for clients, variants in by_clients.items():
            plain, notify, pulse = medians(variants)
            lines.append(f'| {clients} | {plain:.0f} | {notify:.0f} | {pulse:.0f} | {pulse / notify:.2f} | {pulse / plain:.2f} |')
    lines += ['', f'After its last commit the socket had everything within {result["drain_seconds_max"]:.2f} s.']
    return lines


def checks(result):
    found = []
    for clients, variants in result['tps']['message'].items():
        plain, notify, pulse = medians(variants)
        bar = {'8': 2, '32': 3}.get(clients)
        if bar:
            found.append(Check(f'INSERT TPS ÷ pg_notify, {clients} clients', pulse / notify, at_least=bar))
    for row, by_clients in result['tps'].items():
        for clients, variants in by_clients.items():
            plain, _, pulse = medians(variants)
            found.append(Check(f'INSERT TPS ÷ no trigger, {row}, {clients} client{"s" if clients != "1" else ""}', pulse / plain,
                               at_least=0.55, goal=0.8))
    return found
