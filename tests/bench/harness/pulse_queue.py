"""pulse's own queue behind the commands of tests/bench/peers/queue_peer.mjs: the same jobs, asked by psql and pgbench."""

import time

from harness.latency import percentile
from harness.pgbench import pgbench
from harness.programs import BenchError

AT_A_TIME = 32
BULK = 1000
TENTHS = 10
WARM = 5                                  # jobs of a new session, whose caches are empty; peers' sessions stay


class PulseQueue:
    def __init__(self, cluster, database):
        self.cluster, self.database, self.pid = cluster, database, cluster.postmaster
        self.session = cluster.session(database)

    def close(self):
        self.session.close()

    def command(self, line):
        name, *numbers = line.split(' ')
        held = numbers[-1] == 'held'
        self.clear()
        return getattr(self, '_' + name)(*(int(n) for n in numbers[:len(numbers) - held]), **({'held': True} if held else {}))

    def clear(self):
        """Nothing waits, and nothing starts until the queue is resumed."""
        self.session.query("SELECT pulse.pause_queue('bench'), pulse.configure_queue('bench', concurrency => 0)")
        self._until('what ran has ended', "SELECT NOT EXISTS (SELECT FROM _pulse.jobs WHERE state = 'executing')")
        self.session.query('TRUNCATE _pulse.jobs, _pulse.job_history')

    def fill(self, count, a_call=BULK):
        for first in range(0, count, a_call):
            self.session.query(f"""SELECT pulse.enqueue_many('bench', 'sql', array_agg(json_build_object('function', 'bench.noop', 'args', json_build_object('n', n))))
                                     FROM generate_series({first}, {min(count, first + a_call) - 1}) AS n""")

    def _until(self, what, sql, seconds=120):
        deadline = time.monotonic() + seconds
        while self.session.query(sql) != 't':
            if time.monotonic() > deadline:
                raise BenchError(f'pulse: waited {seconds} s until {what}')
            time.sleep(0.01)

    def _ended(self):
        return int(self.session.query("SELECT _pulse.memory_status() -> 'counters' ->> 'jobsDone'"))

    def work(self, count, seconds=300):
        """Works off so many: when which number of them had committed their end."""
        before, began = self._ended(), time.monotonic()
        self.session.query("SELECT pulse.resume_queue('bench')")
        seen = [(0.0, 0)]
        while seen[-1][1] < count:
            time.sleep(0.01)
            seen.append((time.monotonic() - began, self._ended() - before))
            if seen[-1][0] > seconds:
                raise BenchError(f'pulse: {seen[-1][1]} of {count} jobs in {seconds} s')
        return seen

    def _check(self, count):
        """Each job ended once, and well."""
        rows, ids = map(int, self.session.query("SELECT count(*), count(DISTINCT id) FROM _pulse.job_history WHERE state = 'completed'").split('|'))
        if rows < count or rows != ids:
            raise BenchError(f'pulse: {rows} completed, {ids} different ones, of {count} jobs')

    def _hold(self):
        session = self.cluster.session(self.database)
        session.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1')
        return session

    def _drain(self, count, waiting=0, held=False):
        holder = self._hold() if held else None
        self.fill(count + waiting, 10_000)
        seen = self.work(count)
        if waiting:
            self.session.query("SELECT pulse.pause_queue('bench')")
        self._check(count)
        if holder:
            holder.close()
        return {'jobs': count, 'seconds': seen[-1][0], 'tenths': [reached(seen, count * n / TENTHS) for n in range(TENTHS + 1)]}

    def _single(self, count):
        found = pgbench(self.cluster, self.database, 'enqueue', AT_A_TIME, '-t', count // AT_A_TIME)
        return {'jobs': found.transactions, 'seconds': found.transactions / found.tps}

    def _bulk(self, count, a_call=BULK):
        began = time.monotonic()
        self.fill(count, a_call)
        return {'jobs': count, 'seconds': time.monotonic() - began}

    def _pickup(self, count):
        self.session.query("TRUNCATE bench.pickups; SELECT pulse.resume_queue('bench')")
        pgbench(self.cluster, self.database, 'pickup', 1, '-t', count + WARM)
        self._until('every job had started', f'SELECT count(*) = {count + WARM} FROM bench.pickups')
        took = sorted(map(float, self.session.query(f'SELECT ms FROM bench.pickups ORDER BY ctid OFFSET {WARM}').split()))
        return {'jobs': count, 'p50': percentile(took, .5), 'p99': percentile(took, .99)}

    def _turns(self, count, waiting=0, held=False):
        """One at a time: from claim to claim, which are the times of the attempts."""
        self.session.query("SELECT pulse.configure_queue('bench', concurrency => 1)")
        self.fill(waiting + 4 * count, 10_000)
        found = {'waiting': waiting, **self._turn_times(count)}
        if held:
            holder = self._hold()
            self._turn_times(count)
            found['held'] = self._turn_times(count)
            holder.close()
        return found

    def _turn_times(self, count):
        self.session.query('TRUNCATE _pulse.job_history')
        self.work(count)
        self.session.query("SELECT pulse.pause_queue('bench')")
        took = sorted(map(float, self.session.query(f"""
            SELECT extract(epoch FROM h.attempted_at - lag(h.attempted_at) OVER (ORDER BY h.attempted_at)) * 1000
              FROM _pulse.job_history h ORDER BY h.attempted_at OFFSET 1 LIMIT {count - 1}""").split()))
        return {'jobs': len(took), 'p50': percentile(took, .5), 'p99': percentile(took, .99)}


def reached(seen, count):
    """When so many were there, between two looks."""
    for (before, few), (after, many) in zip(seen, seen[1:]):
        if many >= count:
            return before + (after - before) * (count - few) / (many - few) if many > few else before
    return seen[-1][0]
