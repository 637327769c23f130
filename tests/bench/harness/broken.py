"""(n) What a broken realtime side costs the application: INSERT TPS into a table that is watched with on_error => 'warn', healthy and with
publishing broken (no event gets an id any more), in turns. The statement must live, and nearly as fast: each row fails in a subtransaction,
and what is said about that must not cost more than the event did."""

from statistics import median

from harness.pgbench import pgbench
from harness.programs import BENCH, BenchError, note
from harness.report import Check

CLIENTS = (1, 8)
STATES = {'healthy': 'bench.mend', 'broken': 'bench.break_off'}


def insert(stage, clients, seconds):
    found = pgbench(stage.cluster, 'bench_pulse', 'insert_issue', clients, '-T', seconds)
    return found.tps, found.said.count('the event is lost')


def state(stage, name):
    stage.wait_for_dispatcher()                              # it leaves no work to the next one
    stage.cluster.psql(f'CALL {STATES[name]}(); CHECKPOINT', 'bench_pulse')


def lost(stage):
    return int(stage.cluster.psql("SELECT pulse.status() -> 'counters' ->> 'warnedEvents'", 'bench_pulse'))


def check(name, clients, seconds, tps, gone, said):
    """Healthy loses nothing and says nothing; broken loses every row's event, and says so now and then."""
    expected = name == 'healthy' and gone == said == 0 or \
        name == 'broken' and gone >= 0.95 * tps * seconds and 1 <= said <= clients * (seconds // 10 + 2)
    if not expected:
        raise BenchError(f'{name}, {clients} clients: {gone} events lost and {said} warnings of {tps * seconds:.0f} rows')


def measure(stage):
    seconds, repetitions = (3, 1) if stage.quick else (5, 5)
    stage.cluster.psql((BENCH / 'sql' / 'broken.sql').read_text(), 'bench_pulse')
    note(f'a broken realtime side: {len(CLIENTS)} × {len(STATES)} × {repetitions} runs of {seconds} s')
    runs, warnings, before = {}, 0, lost(stage)
    try:
        for clients in CLIENTS:
            insert(stage, clients, 1)
            for n in range(repetitions):
                for name in sorted(STATES, reverse=n % 2 == 0):  # each goes first as often
                    state(stage, name)
                    had = lost(stage)
                    tps, said = insert(stage, clients, seconds)
                    check(name, clients, seconds, tps, lost(stage) - had, said)
                    runs.setdefault(str(clients), {}).setdefault(name, []).append(tps)
                    warnings += said
    finally:
        stage.cluster.psql('CALL bench.mend()', 'bench_pulse')
    return {'seconds': seconds, 'repetitions': repetitions, 'runs': runs, 'warnings': warnings, 'lost': lost(stage) - before}


def ratio(by_state):
    """Of each pair, for a machine is not as fast at all times; the median of them."""
    return median(broken / healthy for healthy, broken in zip(by_state['healthy'], by_state['broken']))


def summary(result):
    lines = [f'A broken realtime side: INSERT TPS with on_error => \'warn\', medians of {result["repetitions"]} pairs of {result["seconds"]} s',
             '', '| clients | healthy | broken | broken ÷ healthy |', '|---|---|---|---|']
    for clients, by_state in result['runs'].items():
        lines.append(f'| {clients} | {median(by_state["healthy"]):.0f} | {median(by_state["broken"]):.0f} | {ratio(by_state):.2f} |')
    return lines + ['', f'{result["lost"]} events were lost, and {result["warnings"]} warnings said so.']


def checks(result):
    return [Check(f'TPS with a broken realtime side ÷ healthy, {clients} client{"s" if clients != "1" else ""}', ratio(by_state), at_least=0.9)
            for clients, by_state in result['runs'].items()]
