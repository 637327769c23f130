"""(g) Does a long transaction delay others? Commit to socket at 1,000 events a second, as in (b), while another session holds a
transaction open that has published 300,000 events and not committed them: for ten minutes (--quick: for the run only). Beside it
the same before the transaction began and after it was rolled back."""

import subprocess
import time
from statistics import median

from harness.latency import SOCKETS, run_once
from harness.programs import BenchError, note
from harness.report import Check

EVENTS, RATE, MINUTES = 300_000, 1000, 10
STATES = ('without', 'open')


class OpenTransaction:
    def __init__(self, stage):
        self.session = subprocess.Popen([stage.cluster.bin / 'psql', stage.cluster.conninfo('bench_pulse'), '-X', '-q', '-A', '-t',
                                         '-v', 'ON_ERROR_STOP=1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.session.stdin.write("BEGIN;\nSELECT count(pulse.publish('latency:' || n % 10, 'bench', json_build_object('held', n))) "
                                 f"FROM generate_series(1, {EVENTS}) AS n;\n")
        self.session.stdin.flush()
        if self.session.stdout.readline().strip() != str(EVENTS):
            raise BenchError('the long transaction could not publish')
        self.since = time.monotonic()

    def close(self):
        self.session.stdin.write('ROLLBACK;\n')
        self.session.stdin.close()
        self.session.wait(30)


def measure(stage):
    seconds, repetitions, minutes = (4, 1, 0) if stage.quick else (15, 5, MINUTES)
    client = stage.client(stage.bridge, '--claims', '"rooms":["latency:{i}"]')
    client.connect(SOCKETS)
    note(f'open transaction: 3 × {repetitions} runs of {seconds} s' + (f', {minutes} minutes open' if minutes else ''))
    first, runs = 1, {state: [] for state in STATES}

    def run(state):
        nonlocal first
        runs[state].append(run_once(stage, client, RATE, seconds, first))
        first += RATE * seconds

    run('without')                                             # warm up
    runs['without'].clear()
    for _ in range(repetitions):
        run('without')
    transaction = stage.keep(OpenTransaction(stage))
    stage.cluster.psql('CHECKPOINT', 'postgres')               # what it wrote is not what is measured
    for n in range(repetitions):                               # spread over all its minutes: the last run ends with them
        due = transaction.since + minutes * 60 * (n + 1) / repetitions - seconds
        time.sleep(max(0, due - time.monotonic()))
        run('open')
    held = time.monotonic() - transaction.since
    stage.drop(transaction)
    stage.wait_for_dispatcher()
    for _ in range(repetitions):
        run('without')
    for state, found in runs.items():
        note(f'{state}: p50 {middle(found, "p50"):.2f} ms, p99 {middle(found, "p99"):.2f} ms, max {middle(found, "max"):.1f} ms')
    stage.drop(client)
    return {'seconds': seconds, 'repetitions': repetitions, 'events': EVENTS, 'heldSeconds': held, 'runs': runs}


def middle(runs, key):
    return median(run[key] for run in runs)


def summary(result):
    lines = [f'Latency in ms at {RATE} events/s, without and with a transaction of {result["events"]} uncommitted events that is open for '
             f'{result["heldSeconds"]:.0f} s, medians over runs of {result["seconds"]} s', '',
             '| long transaction | commit → socket p50 | p99 | max |', '|---|---|---|---|']
    for state in STATES:
        lines.append(f'| {state} | ' + ' | '.join(f'{middle(result["runs"][state], key):.2f}' for key in ('p50', 'p99', 'max')) + ' |')
    return lines


def checks(result):
    runs = result['runs']
    return [Check(f'commit → socket {key} with a long transaction ÷ without', middle(runs['open'], key) / middle(runs['without'], key),
                  at_most=bound) for key, bound in (('p50', 1.2), ('p99', 1.5))]
