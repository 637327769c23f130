"""(o) HTTP jobs: webhooks by pulse's one HTTP worker beside a bare libcurl multi loop that sends the same request to the same receiver, so
many at a time as the worker may to one host (half of pulse.http_concurrency, as it comes). A job is a row that is claimed, sent, judged and ended, each with
its commit; the loop keeps nothing. In turns."""

import json
import subprocess
import urllib.request
from statistics import median

from harness.programs import BUILD, BenchError, Program, children, cpu_seconds, free_port, note
from harness.pulse_queue import PulseQueue
from harness.report import Check

DATABASE = 'bench_pulse'
CONCURRENCY = 64
BODY = '{"orderId":1234567,"status":"ready","note":"ring the bell twice and wait at the gate"}'
# As the channel sends them, beside those of libcurl itself.
HEADERS = ('Content-Type: application/json', 'webhook-id: job_1234567', 'webhook-timestamp: 1700000000')


class Sink(Program):
    def __init__(self):
        self.port = free_port()
        super().__init__([str(BUILD / 'http_sink'), str(self.port)])
        self.url = f'http://127.0.0.1:{self.port}/hook'

    def count(self):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/count', timeout=10) as answer:
            return int(answer.read())


class Hooks(PulseQueue):
    """The queue's jobs are webhooks."""

    def __init__(self, cluster, database, url):
        super().__init__(cluster, database)
        self.url = url

    def fill(self, count, a_call=10_000):
        for first in range(0, count, a_call):
            self.session.query(f"""SELECT pulse.enqueue_many('bench', 'webhook', array_agg('{{"url":"{self.url}","body":{BODY}}}'::json))
                                     FROM generate_series({first}, {min(count, first + a_call) - 1})""")


def bare(sink, requests):
    command = [str(BUILD / 'curl_loop'), '--url', sink.url, '--body', BODY, '--count', str(requests), '--concurrency', str(CONCURRENCY)]
    for line in HEADERS:
        command += ['--header', line]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip())
    found = json.loads(done.stdout)
    return {'jobs': requests, 'seconds': found['seconds'], 'cpu': found['cpu']}


def of_pulse(stage, hooks, jobs):
    """CPU of all of PostgreSQL."""
    hooks.clear()
    hooks.fill(jobs)
    stage.cluster.psql('CHECKPOINT', 'postgres')
    pids = [stage.cluster.postmaster, *children(stage.cluster.postmaster)]
    before = cpu_seconds(pids)
    seconds = hooks.work(jobs)[-1][0]
    return {'jobs': jobs, 'seconds': seconds, 'cpu': cpu_seconds(pids) - before}


def measure(stage):
    jobs, repetitions = (20_000, 1) if stage.quick else (50_000, 5)
    sink = stage.keep(Sink())
    concurrency = int(stage.cluster.psql('SHOW pulse.http_concurrency', DATABASE))
    if concurrency // 2 != CONCURRENCY:  # what one host may have
        raise BenchError(f'pulse.http_concurrency is {concurrency}, and the bare loop sends {CONCURRENCY} at a time')
    stage.cluster.configure(pulse__webhook_allow='127.0.0.1')
    hooks = stage.keep(Hooks(stage.cluster, DATABASE, sink.url))
    note(f'HTTP jobs: {repetitions} × 2 runs of {jobs}')
    run = {'bare': lambda: bare(sink, jobs), 'pulse': lambda: of_pulse(stage, hooks, jobs)}
    of_pulse(stage, hooks, 1_000)                              # its worker starts with its first job
    runs = {kind: [] for kind in run}
    for _ in range(repetitions):
        for kind, once in run.items():
            before = sink.count()
            runs[kind].append(once())
            if sink.count() - before != jobs:
                raise BenchError(f'{kind}: the receiver got {sink.count() - before} of {jobs} requests')
    note(', '.join(f'{kind} {rate(found):.0f}/s' for kind, found in runs.items()))
    stage.cluster.configure(pulse__webhook_allow=None)
    stage.drop(hooks)
    stage.drop(sink)
    return {'jobs': jobs, 'repetitions': repetitions, 'runs': runs}


def rate(runs):
    return median(run['jobs'] / run['seconds'] for run in runs)


def cpu(runs):
    return median(run['cpu'] / run['jobs'] * 1e6 for run in runs)


def summary(result):
    runs = result['runs']
    lines = [f'HTTP jobs: {result["jobs"]} webhooks to one receiver on this machine, {CONCURRENCY} at a time, medians of {result["repetitions"]} in turns', '',
             '| sender | requests/s | CPU µs each, without the receiver\'s |', '|---|---|---|']
    return lines + [f'| {title} | {rate(runs[kind]):.0f} | {cpu(runs[kind]):.0f} |'
                    for kind, title in (('bare', 'a bare libcurl multi loop'), ('pulse', 'jobs of pulse, one HTTP worker'))]


def checks(result):
    runs = result['runs']
    return [Check('HTTP jobs/s ÷ a bare libcurl multi loop', median(ours['jobs'] / ours['seconds'] / (bare['jobs'] / bare['seconds'])
                                                                   for ours, bare in zip(runs['pulse'], runs['bare'])), at_least=0.5)]
