"""Tables and verdicts. A check has a bound that must hold and perhaps a goal; the bench prints them and never fails a build."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import date


@dataclass
class Check:
    title: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    goal: float | None = None        # on the same side as the bound
    about: str = 'pulse'             # or `harness`: says whether the numbers can be trusted

    def bound(self):
        for sign, bound in (('≥', self.at_least), ('≤', self.at_most), ('<', self.below)):
            if bound is not None:
                return sign, bound
        raise ValueError(self.title)

    def holds(self, bound):
        return self.value >= bound if self.at_least is not None else \
            self.value <= bound if self.at_most is not None else self.value < bound

    def row(self):
        sign, bound = self.bound()
        verdict = 'pass' if self.holds(bound) else 'FAIL'
        reached = '' if self.goal is None else 'reached' if self.holds(self.goal) else 'not reached'
        goal = '' if self.goal is None else f'{sign} {self.goal:g}'
        return [self.title, f'{self.value:.2f}', f'{sign} {bound:g}', verdict, goal, reached]


def verdict_table(checks):
    rows = [['measured', 'value', 'must', '', 'goal', '']] + [check.row() for check in checks]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def machine(pg_version):
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '?')
    memory = next(int(line.split()[1]) for line in open('/proc/meminfo') if line.startswith('MemTotal')) / 1024 / 1024
    node = subprocess.run(['node', '--version'], capture_output=True, text=True).stdout.strip()
    return [f'{date.today().isoformat()} · {os.cpu_count()} virtual cores ({model}), {memory:.0f} GB · Linux {platform.release()} · '
            f'{pg_version} · Node {node} · load before: {os.getloadavg()[0]:.1f}']
