"""(f) How fast the dispatcher works off a backlog: half a million events that one transaction publishes at once, in one room
each and in three. The clock runs from that commit until the last of them has its position and all deliveries are committed; no
bridge listens. Beside it, on the same machine in the same run, PostgreSQL's plain INSERT … SELECT of the same delivery rows into
a table with the same indexes: what the rows cost without any thinking."""

from statistics import median

from harness.programs import note
from harness.report import Check

ROOMS = {1: "ARRAY['drain:' || n % 1000]", 3: "ARRAY['drain:' || n % 1000, 'drain:x' || n % 100, 'drain:all']"}
BOUNDS = {1: (120_000, 200_000), 3: (60_000, 100_000)}

# In one session: a statement of a DO block sees what was committed before it.
DRAIN = """
SELECT split_part(pulse.position(), ':', 2) AS before \\gset
SELECT count(pulse.publish({rooms}, 'bench', json_build_object('seq', n, 'note', 'ring the bell twice and wait at the gate')))
  FROM generate_series(1, {events}) AS n \\g /dev/null
SELECT clock_timestamp() AS began, :before + {events} AS target \\gset
SELECT set_config('bench.target', :'target', false) \\g /dev/null
DO $$ BEGIN
    WHILE split_part(pulse.position(), ':', 2)::bigint < current_setting('bench.target')::bigint LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT extract(epoch FROM clock_timestamp() - :'began'::timestamptz);
CREATE TABLE bench.drained (LIKE pulse.deliveries INCLUDING INDEXES);
CHECKPOINT;
SELECT clock_timestamp() AS began \\gset
INSERT INTO bench.drained SELECT * FROM pulse.deliveries d WHERE d.position > :before;
SELECT extract(epoch FROM clock_timestamp() - :'began'::timestamptz);
SELECT count(*) FROM bench.drained;
DROP TABLE bench.drained;
"""


def run_once(stage, rooms, events):
    stage.cluster.psql('CHECKPOINT', 'postgres')
    drained, inserted, rows = map(float, stage.cluster.psql(DRAIN.format(rooms=ROOMS[rooms], events=events), 'bench_pulse').split())
    return {'events': events, 'seconds': drained, 'rows': int(rows), 'insertSeconds': inserted}


def measure(stage):
    events, repetitions = (100_000, 1) if stage.quick else (500_000, 3)
    note(f'drain: {len(ROOMS)} × {repetitions} backlogs of {events} events')
    runs = {rooms: [] for rooms in ROOMS}
    run_once(stage, 1, 20_000)                                 # warm up
    for _ in range(repetitions):
        for rooms, found in runs.items():
            found.append(run_once(stage, rooms, events))
    for rooms, found in runs.items():
        note(f'{rooms} room{"s" if rooms > 1 else ""}: {rate(found) / 1000:.0f}k events/s, {ratio(found):.2f} of INSERT … SELECT')
    return {'events': events, 'repetitions': repetitions, 'runs': {str(rooms): found for rooms, found in runs.items()}}


def rate(runs):
    return median(run['events'] / run['seconds'] for run in runs)


def ratio(runs):
    return median(run['insertSeconds'] / run['seconds'] for run in runs)


def summary(result):
    lines = [f'Drain of a backlog of {result["events"]} events, medians of {result["repetitions"]}, no bridge', '',
             '| rooms an event | events/s | deliveries/s | INSERT … SELECT of these deliveries, rows/s | pulse ÷ INSERT … SELECT |',
             '|---|---|---|---|---|']
    for rooms, found in result['runs'].items():
        deliveries = median(run['rows'] / run['seconds'] for run in found)
        plain = median(run['rows'] / run['insertSeconds'] for run in found)
        lines.append(f'| {rooms} | {rate(found):.0f} | {deliveries:.0f} | {plain:.0f} | {ratio(found):.2f} |')
    return lines


def checks(result):
    found = []
    for rooms, runs in result['runs'].items():
        must, goal = BOUNDS[int(rooms)]
        found.append(Check(f'drain, events/s, {rooms} room{"s" if rooms != "1" else ""} an event', rate(runs), at_least=must, goal=goal))
    return found
