"""(a) What a published INSERT costs the writer: pgbench against the same table without a trigger, with a plpgsql trigger and
pg_notify and one listener, and with pulse.watch, dispatcher, bridge and one connected socket that receives every event.

The variants live in three databases of one cluster, because pg_notify wakes every listening backend of its database. They take
turns (A B C A B C …); a turn ends when its receiver has everything, so that no work is left to the next."""

import re
import subprocess
import time
from statistics import median

from harness.programs import BENCH, BUILD, BenchError, Program, note
from harness.report import Check

CLIENTS = (1, 8, 32)
VARIANTS = ('plain', 'notify', 'pulse')
TITLES = {'plain': 'no trigger', 'notify': 'plpgsql + pg_notify', 'pulse': 'pulse.watch'}


class Receiver:
    """The socket that receives every event of the watch variant."""

    def __init__(self, stage):
        rooms = ','.join(f'"orders:r{region}"' for region in range(4))
        self.client = stage.client(stage.bridge, '--claims', f'"rooms":[{rooms}]')
        self.client.connect(1)

    def wait_for(self, events):
        counts = self.client.command(f'wait {events} 120')
        if counts['deliveries'] != events:
            raise BenchError(f'the socket received {counts["deliveries"]} of {events} events')
        self.client.command('reset')


def pgbench(stage, variant, clients, seconds):
    cluster = stage.cluster
    done = subprocess.run([str(cluster.bin / 'pgbench'), '-n', '-M', 'prepared', '-f', str(BENCH / 'sql' / 'insert.sql'),
                           '-c', str(clients), '-j', str(min(clients, 2)), '-T', str(seconds),
                           cluster.conninfo(f'bench_{variant}')], capture_output=True, text=True)
    tps = re.search(r'tps = ([\d.]+)', done.stdout)
    rows = re.search(r'transactions actually processed: (\d+)', done.stdout)
    if done.returncode or not tps or not rows:
        raise BenchError(f'pgbench: {done.stderr[-500:]}')
    return float(tps[1]), int(rows[1])


def measure(stage):
    seconds, repetitions = (3, 1) if stage.quick else (10, 5)
    listener = stage.keep(Program([str(BUILD / 'listener'), stage.cluster.conninfo('bench_notify'), 'bench']))
    receiver = Receiver(stage)
    note(f'INSERT TPS: {len(CLIENTS)} × {len(VARIANTS)} × {repetitions} runs of {seconds} s')
    for variant in VARIANTS:                                   # warm up: catalogs, WAL files, plans
        _, rows = pgbench(stage, variant, 8, 1)
        if variant == 'pulse':
            receiver.wait_for(rows)
    runs, drains = {}, []
    for clients in CLIENTS:
        for _ in range(repetitions):
            for variant in VARIANTS:
                stage.cluster.psql('CHECKPOINT', 'postgres')
                tps, rows = pgbench(stage, variant, clients, seconds)
                if variant == 'pulse':
                    began = time.monotonic()
                    receiver.wait_for(rows)
                    drains.append(time.monotonic() - began)
                runs.setdefault((clients, variant), []).append(tps)
        note(f'{clients} clients: ' + ', '.join(f'{TITLES[v]} {median(runs[clients, v]):.0f}' for v in VARIANTS))
    stage.drop(listener)
    stage.drop(receiver.client)
    return {'seconds': seconds, 'repetitions': repetitions, 'drain_seconds_max': max(drains),
            'tps': {str(c): {v: runs[c, v] for v in VARIANTS} for c in CLIENTS}}


def summary(result):
    lines = [f'INSERT TPS, medians of {result["repetitions"]} × {result["seconds"]} s, in turns', '',
             '| clients | no trigger | plpgsql + pg_notify | pulse.watch | pulse ÷ pg_notify | pulse ÷ no trigger |',
             '|---|---|---|---|---|---|']
    for clients, variants in result['tps'].items():
        plain, notify, pulse = (median(variants[v]) for v in VARIANTS)
        lines.append(f'| {clients} | {plain:.0f} | {notify:.0f} | {pulse:.0f} | {pulse / notify:.2f} | {pulse / plain:.2f} |')
    lines += ['', f'After its last commit the socket had everything within {result["drain_seconds_max"]:.2f} s.']
    return lines


def checks(result):
    ratio = {}
    for clients, variants in result['tps'].items():
        plain, notify, pulse = (median(variants[v]) for v in VARIANTS)
        ratio[clients] = (pulse / notify, pulse / plain)
    found = [Check('INSERT TPS ÷ pg_notify, 8 clients', ratio['8'][0], at_least=2),
             Check('INSERT TPS ÷ pg_notify, 32 clients', ratio['32'][0], at_least=3)]
    found += [Check(f'INSERT TPS ÷ no trigger, {c} client{"s" if c != "1" else ""}', ratio[c][1], at_least=0.55, goal=0.8)
              for c in ratio]
    return found
