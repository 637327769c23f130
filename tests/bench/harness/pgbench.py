"""PostgreSQL's own load generator: one script of tests/bench/sql, prepared, by so many clients."""

import re
import subprocess
from dataclasses import dataclass

from harness.programs import BENCH, BenchError


@dataclass
class Found:
    tps: float              # without the time of connecting
    transactions: int
    said: str               # warnings


def pgbench(cluster, database, script, clients, *options):
    """Options say how long: '-T', seconds or '-t', transactions of each client."""
    done = subprocess.run([str(cluster.bin / 'pgbench'), '-n', '-M', 'prepared', '-f', str(BENCH / 'sql' / f'{script}.sql'), '-c', str(clients), '-j', str(min(clients, 2)),
                           *map(str, options), cluster.conninfo(database)], capture_output=True, text=True)
    tps = re.search(r'tps = ([\d.]+)', done.stdout)
    transactions = re.search(r'transactions actually processed: (\d+)', done.stdout)
    if done.returncode or not tps or not transactions:
        raise BenchError(f'pgbench: {done.stderr[-500:]}')
    return Found(float(tps[1]), int(transactions[1]), done.stderr)
