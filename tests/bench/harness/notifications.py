"""(p) An emergency of the pack donors: from the INSERT of a request to the pushes of the hundred donors nearby, each by one delivery to the
stand-in for FCM (tests/support/provider_stand_in.mjs), ten at once and within the queue's rate as the pack configures it, only that the
rate's window is 2 s and not a minute, so that one request can follow another. The first request finds no HTTP worker, no access token and
no connection.

And what that costs who inserts: INSERT TPS into donors.blood_requests as it comes, whose trigger enqueues the job that finds donors, beside
the same table with its watches only. Nobody is near these requests. Once with the workers at work on the jobs, who share the cores with
pgbench, and once with their queue paused: the INSERT alone. The bound is asked of what the INSERT pays: where all cores are taken, work that
is as dear as the INSERT takes its share of them, and should (docs/decisions/0064)."""

import json
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from harness.latency import percentile
from harness.pgbench import pgbench
from harness.programs import ROOT, BenchError, Program, note, wait_until
from harness.report import Check

DATABASE = 'bench_donors'
DONORS = 100
WINDOW = 2
BOUND_MS = 500
CLIENTS = (1, 8)
VARIANTS = {'watch': 'pulse.watch only', 'queued': 'and the job, which waits', 'worked': 'and the job, worked on meanwhile'}
TRIGGER = 'ALTER TABLE donors.blood_requests {} TRIGGER blood_requests_insert_fan_out'
REQUEST = """INSERT INTO donors.blood_requests (requester_id, blood_group, urgency, latitude, longitude, country_code, hospital_name)
             VALUES ('rohan', 'B-', 'normal', 19.076, 72.8777, 'IN', 'Lilavati') RETURNING id"""


class StandIn(Program):
    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix='pulse-bench-stand-in-'))
        super().__init__(['node', str(ROOT / 'tests' / 'support' / 'provider_stand_in.mjs'), '--home', str(self.home)], ready=None)
        wait_until('the stand-in', (self.home / 'url').exists)
        self.url = (self.home / 'url').read_text()
        self.account = (self.home / 'service_account.json').read_text()

    def ask(self, method):
        with urllib.request.urlopen(urllib.request.Request(f'{self.url}/stand-in/arrivals', method=method), timeout=10) as answer:
            return json.loads(answer.read() or 'null')

    def pushes(self, request):
        """When those of a request arrived, in ms since 1970."""
        arrivals = ((arrival['at'], json.loads(arrival['body'])['message']) for arrival in self.ask('GET') if arrival['path'].endswith('/messages:send'))
        return {message['token']: at for at, message in arrivals if message['data']['emergencyId'] == request}

    def close(self):
        super().close()
        shutil.rmtree(self.home, ignore_errors=True)


def settled(session):
    """But for jobs that wait for a later time."""
    return session.query("SELECT NOT EXISTS (SELECT FROM _pulse.jobs WHERE state = 'executing' OR run_at <= clock_timestamp())") == 't'


def request_once(session, stand_in):
    """From just before the INSERT to each push."""
    stand_in.ask('DELETE')
    began = time.time() * 1000
    request = session.query(REQUEST)
    time.sleep(BOUND_MS / 1000)                                # nobody looks while it is measured
    wait_until('all pushes', lambda: len(stand_in.pushes(request)) == DONORS, 15)
    took = sorted(at - began for at in stand_in.pushes(request).values())
    wait_until('the end of all jobs', lambda: settled(session), 15)
    time.sleep(WINDOW * 1.2)                                   # the rate's window is empty again
    return took


def inserts(stage, session, variant, clients, seconds):
    session.query(TRIGGER.format('DISABLE' if variant == 'watch' else 'ENABLE'))
    session.query("SELECT pulse.pause_queue('donors')" if variant == 'queued' else "SELECT pulse.resume_queue('donors')")
    session.query('CHECKPOINT')
    before = int(session.query("SELECT last_value FROM _pulse.job_id_seq"))
    found = pgbench(stage.cluster, DATABASE, 'insert_request', clients, '-T', seconds)
    session.query("SELECT pulse.pause_queue('donors'), pulse.purge_queue('donors')")
    wait_until('the jobs that run', lambda: settled(session))
    jobs = int(session.query("SELECT last_value FROM _pulse.job_id_seq")) - before
    if (variant == 'watch') == (jobs >= found.transactions):
        raise BenchError(f'{VARIANTS[variant]}: {found.transactions} requests, {jobs} jobs')
    stage.wait_for_dispatcher(database=DATABASE)
    session.query('TRUNCATE _pulse.jobs, donors.blood_requests CASCADE')
    return found.tps


def measure(stage):
    requests, seconds, repetitions = (4, 3, 1) if stage.quick else (21, 5, 5)
    cluster = stage.cluster
    stand_in = stage.keep(StandIn())
    cluster.psql(f'CREATE DATABASE {DATABASE}', 'postgres')
    cluster.psql(stage.sql('donors'), DATABASE)
    cluster.configure(pulse__databases=f'bench_pulse, {DATABASE}', pulse__fcm_url=stand_in.url,
                      pulse__fcm_service_account_file=cluster.write('service_account.json', stand_in.account))
    session = stage.keep(cluster.session(DATABASE))
    wait_until('the workers', lambda: session.query("SELECT (pulse.status() #>> '{worker,running}')::boolean") == 't')
    note(f'an emergency: {requests} requests, {DONORS} donors each; {len(CLIENTS)} × {len(VARIANTS)} × {repetitions} runs of inserts for {seconds} s')
    first, *others = [request_once(session, stand_in) for _ in range(requests)]
    for clients in CLIENTS:
        inserts(stage, session, 'queued', clients, 1)          # warm
    runs = {variant: {str(clients): [] for clients in CLIENTS} for variant in VARIANTS}
    for n in range(repetitions):
        for clients in CLIENTS:
            for variant in sorted(VARIANTS, reverse=n % 2 == 1):
                runs[variant][str(clients)].append(inserts(stage, session, variant, clients, seconds))
    stage.drop(session)
    cluster.configure(pulse__databases=None, pulse__fcm_url=None, pulse__fcm_service_account_file=None)
    stage.drop(stand_in)
    return {'requests': requests, 'seconds': seconds, 'repetitions': repetitions, 'first': first, 'pushes': others, 'inserts': runs}


def of_all(result, q):
    return percentile(sorted(ms for took in result['pushes'] for ms in took), q)


def ratio(result, variant, clients):
    """Of each pair, for a machine is not as fast at all times; the median of them."""
    runs = result['inserts']
    return median(ours / plain for ours, plain in zip(runs[variant][clients], runs['watch'][clients]))


def summary(result):
    lines = [f'An emergency: INSERT → push received, {DONORS} donors a request, ms', '', '| request | first push | p50 | p99 | last |', '|---|---|---|---|---|']
    took = {'the first one': result['first'], f'the next {len(result["pushes"])} together': sorted(ms for found in result['pushes'] for ms in found)}
    lines += [f'| {title} | {found[0]:.0f} | {percentile(found, .5):.0f} | {percentile(found, .99):.0f} | {found[-1]:.0f} |' for title, found in took.items()]
    lines += ['', f'INSERT TPS into donors.blood_requests, medians of {result["repetitions"]} × {result["seconds"]} s in turns', '',
              '| clients | ' + ' | '.join(VARIANTS.values()) + ' | waits ÷ only | worked on ÷ only |', '|---|---|---|---|---|---|']
    for clients in map(str, CLIENTS):
        lines.append(f'| {clients} | ' + ' | '.join(f'{median(result["inserts"][variant][clients]):.0f}' for variant in VARIANTS)
                     + f' | {ratio(result, "queued", clients):.2f} | {ratio(result, "worked", clients):.2f} |')
    return lines


def checks(result):
    return [Check(f'INSERT → push received, {DONORS} donors, p99, ms', of_all(result, .99), below=BOUND_MS),
            *(Check(f'INSERT TPS with the donors\' job ÷ pulse.watch only, {clients} client{"s" if clients > 1 else ""}, it waits',
                    ratio(result, 'queued', str(clients)), at_least=0.9) for clients in CLIENTS)]
