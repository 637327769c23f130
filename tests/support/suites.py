"""The test suites: how each is run and how its result is read. Used by tools/test only.

A suite is a function (runner, files) → (command's output, passed, failed, skipped). A runner that ends badly without a failed
test (a crash, a wrong plan) counts as one failure, and so does a suite that ran no test at all: nothing passes by not running.
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Result:
    passed: int
    failed: int
    skipped: int
    seconds: float = 0.0


class Runner:
    def __init__(self, root: Path, folder: Path, logs: Path):
        self.root, self.folder, self.logs = root, folder, logs
        self.bindir = self.config("--bindir")
        self.processes: set[subprocess.Popen] = set()
        self.ended = False
        self.print_lock = threading.Lock()
        self.unbuilt: dict[str, str] = {}   # targets of make that failed, with their output

    @staticmethod
    def config(option: str) -> str:
        program = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")
        return subprocess.check_output([program, option], text=True).strip()

    def run(self, name: str, files: list[str]) -> Result:
        """Runs one suite, prints its closing lines, or on failure what tells why."""
        started = time.monotonic()
        try:
            if (target := BUILT_BY.get(name)) in self.unbuilt:
                raise subprocess.CalledProcessError(1, f"make {target}", self.unbuilt[target])
            output, passed, failed, skipped = SUITES[name](self, files)
        except (subprocess.CalledProcessError, OSError, ValueError) as error:
            output, passed, failed, skipped = f"{error}\n{getattr(error, 'output', '') or ''}", 0, 1, 0
        if passed + failed + skipped == 0:
            output, failed = output + "\nthe suite ran no test", 1
        (self.logs / f"{name}.log").write_text(output)
        with self.print_lock:
            if not self.ended:
                print(f"=== {name}")
                print(excerpt(output) if failed else closing(output), flush=True)
        return Result(passed, failed, skipped, time.monotonic() - started)

    def build(self, target: str) -> None:
        """Makes what later suites need. When that fails, they do."""
        started = time.monotonic()
        environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        output, code = self.call(["nice", "make", "--no-print-directory", target], env=environment)
        if code != 0:
            self.unbuilt[target] = output
        (self.logs / f"make-{target}.log").write_text(output)
        with self.print_lock:
            if not self.ended:
                print(f"=== make {target}: {'failed' if code else 'done'}   ({time.monotonic() - started:.0f} s)", flush=True)

    def end(self) -> None:
        """Ends what still runs when tools/test itself is interrupted: each program with everything it started."""
        self.ended = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in list(self.processes):
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass

    def call(self, command: list, **options) -> tuple[str, int]:
        """Runs a program to its end; returns its output (stdout and stderr as one) and its exit code."""
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", cwd=options.pop("cwd", self.root),
                                   start_new_session=True, **options)
        self.processes.add(process)
        output, _ = process.communicate()   # when this is interrupted, end() finds the process in the set
        self.processes.discard(process)
        return output, process.returncode

    def must(self, command: list, **options) -> str:
        output, code = self.call(command, **options)
        if code != 0:
            raise subprocess.CalledProcessError(code, " ".join(str(word) for word in command), output)
        return output

    def cluster(self, name: str, *settings: str) -> dict[str, str]:
        """A started cluster in the temporary folder; returns the environment that leads libpq there."""
        folder = self.folder / name
        tool = self.root / "tools/cluster"
        self.must([tool, "create", folder, "fsync=off", "full_page_writes=off", "max_prepared_transactions=20", *settings])
        self.must([tool, "start", folder])
        lines = self.must([tool, "env", folder]).split()
        return {**os.environ, **dict(line.split("=", 1) for line in lines)}

    def drop(self, name: str) -> None:
        self.must([self.root / "tools/cluster", "drop", self.folder / name])

    def psql(self, environment: dict[str, str], database: str, *statements: str) -> None:
        commands = [word for statement in statements for word in ("-c", statement)]
        self.must([f"{self.bindir}/psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", database, *commands], env=environment)


def closing(output: str, lines: int = 8) -> str:
    return "\n".join(output.rstrip().split("\n")[-lines:])


def excerpt(output: str, limit: int = 240) -> str:
    """What failed, by name; then the lines around each failure, and the end."""
    lines = output.rstrip().split("\n")
    bad = [n for n, line in enumerate(lines) if re.search(r"^\s*not ok\b|\.\.\. FAILED|\*\*\*(Failed|Timeout|Exception)", line)]
    keep = set(range(max(0, len(lines) - 12), len(lines)))
    for n, line in enumerate(lines):
        if n in bad or re.search(r"ERROR: |runtime error|Sanitizer", line):
            keep.update(range(max(0, n - 1), min(len(lines), n + 16)))
    chosen = sorted(keep)
    return "\n".join([lines[n] for n in bad] + ["---"] + [lines[n] for n in chosen[:limit]]) + \
        ("\n… (the rest is in build/logs)" if len(chosen) > limit else "")


def lint(runner: Runner, files: list[str]):
    output, code = runner.call([sys.executable, "tests/lint/run.py"])
    passed, failed = len(re.findall(r"^ok ", output, re.M)), len(re.findall(r"^not ok ", output, re.M))
    return output, passed, failed or int(code != 0), 0


def ctest(flavour: str):
    def suite(runner: Runner, files: list[str]):
        report = runner.logs / f"ctest-{flavour}.xml"
        report.unlink(missing_ok=True)
        environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
        output, code = runner.call(["ctest", "--test-dir", f"build/{flavour}", "--output-on-failure", "--no-tests=error", "-j", os.cpu_count(),
                                    "--timeout", "300", "--output-junit", report], env=environment)
        root = ElementTree.parse(report).getroot() if report.exists() else None
        count = lambda key: int(root.get(key, 0)) if root is not None else 0
        skipped = count("skipped") + count("disabled")
        failed = count("failures")
        return output, count("tests") - failed - skipped, failed or int(code != 0), skipped
    return suite


def pgtap(runner: Runner, files: list[str]):
    """Each folder under tests/pgtap is a database: core has pulse alone, any other <pack> has pulse_<pack> too."""
    wanted = [Path(f) for f in files] or sorted((runner.root / "tests/pgtap").glob("*/*.sql"))
    groups: dict[str, list[Path]] = {}
    for path in wanted:
        groups.setdefault(path.parent.name, []).append(path.resolve())
    environment = runner.cluster("pgtap")
    output, passed, failed, skipped = "", 0, 0, 0
    for group, paths in groups.items():
        extensions = ["pulse", "pgtap"] + ([f"pulse_{group}"] if group != "core" else [])
        runner.psql(environment, "postgres", f"CREATE DATABASE {group}")
        runner.psql(environment, group, *[f"CREATE EXTENSION {name} CASCADE" for name in extensions])
        text, code = runner.call(["pg_prove", "--verbose", "-d", group, *paths], env=environment)
        bad = len(re.findall(r"^not ok ", text, re.M))
        skip = len(re.findall(r"^(?:ok|not ok) .*# (?:SKIP|TODO)", text, re.M | re.I))
        good = len(re.findall(r"^ok ", text, re.M)) - len(re.findall(r"^ok .*# (?:SKIP|TODO)", text, re.M | re.I))
        bad -= len(re.findall(r"^not ok .*# TODO", text, re.M | re.I))
        output += f"--- pgtap/{group}\n{text}"
        passed, failed, skipped = passed + good, failed + (bad or int(code != 0)), skipped + skip
    runner.drop("pgtap")
    return output, passed, failed, skipped


def isolation(runner: Runner, files: list[str]):
    """tests/isolation/specs/*.spec; no dispatcher runs in their database, the specs tick by hand. Those named served_* have one, and a foreman."""
    folder = runner.root / "tests/isolation"
    names = [Path(f).stem for f in files] or sorted(path.stem for path in (folder / "specs").glob("*.spec"))
    environment = runner.cluster("isolation", "pulse.databases=isolation_served")
    results = runner.logs / "isolation"
    results.mkdir(exist_ok=True)
    program = Path(runner.config("--pgxs")).parents[1] / "test/isolation/pg_isolation_regress"
    output, bad = "", 0
    for database, wanted in (("isolation", [n for n in names if not n.startswith("served_")]),
                             ("isolation_served", [n for n in names if n.startswith("served_")])):
        if not wanted:
            continue
        text, code = runner.call([program, f"--inputdir={folder}", f"--outputdir={results}", f"--bindir={runner.bindir}",
                                  f"--host={environment['PGHOST']}", f"--port={environment['PGPORT']}", "--user=postgres",
                                  f"--dbname={database}", "--load-extension=pulse", *wanted], env=environment)
        differences = results / "regression.diffs"
        if code != 0 and differences.exists():
            text += differences.read_text(errors="replace")
        failed = len(re.findall(r"\.\.\. FAILED", text))
        output, bad = output + text, bad + (failed or int(code != 0))
    runner.drop("isolation")
    return output, len(re.findall(r"\.\.\. ok\b", output)), bad, 0


# Of one file of Node tests, whatever hangs in it: several times what the slowest takes with a sanitizer build. (Node applies its
# --test-timeout to the file as a whole.)
FILE_TIMEOUT = 300


def node(folder: str, bridge: str, jobs: int):
    def suite(runner: Runner, files: list[str]):
        wanted = files or sorted(str(p) for p in (runner.root / "tests" / folder).glob("*.test.mjs"))
        if not wanted:
            return "", 0, 0, 0
        output, code = runner.call(["node", "--test", "--test-reporter=tap", f"--test-concurrency={jobs}",
                                    f"--test-timeout={FILE_TIMEOUT * 1000}", *wanted],
                                   env={"BRIDGE": f"build/{bridge}/bin/pulse-bridge", **os.environ})
        count = {key: int(value) for key, value in re.findall(r"^# (\w+) (\d+)$", output, re.M)}
        failed = count.get("fail", 0) + count.get("cancelled", 0)
        return output, count.get("pass", 0), failed or int(code != 0), count.get("skipped", 0) + count.get("todo", 0)
    return suite


def torture(runner: Runner, files: list[str]):
    """The checkers' own tests, then one run of SECONDS with kills, which counts as one more test and has the last words."""
    output, passed, failed, skipped = node("torture", "plain", 1)(runner, ["tests/torture/checker.test.mjs", "tests/torture/queue/check_queue.test.mjs"])
    report, code = runner.call(["node", "tests/torture/main.mjs"])
    return output + report, passed + int(code == 0), failed + int(code != 0), skipped


def soak(runner: Runner, files: list[str]):
    """One run of SECONDS against the sanitizer bridge is one test."""
    report, code = runner.call(["node", "tests/soak/main.mjs"], env={"BRIDGE": "build/asan/bin/pulse-bridge", **os.environ})
    return report, int(code == 0), int(code != 0), 0


# What `all` builds beside other suites, as targets of make.
BUILT_BY = {"unit": "build", "asan": "sanitized", "e2e-asan": "sanitized", "soak": "sanitized"}

SUITES = {
    "lint": lint,
    "unit": ctest("plain"),
    "asan": ctest("asan"),
    "pgtap": pgtap,
    "isolation": isolation,
    "fault": node("fault", "plain", 2),
    "operate": node("operate", "plain", 2),
    "torture": torture,
    "torture-faults": lambda runner, files: node("torture", "plain", 2)(runner, files or ["tests/torture/faults.test.mjs", "tests/torture/queue/faults.test.mjs"]),
    "soak": soak,
    "e2e": node("e2e", "plain", 2),
    "e2e-asan": node("e2e", "asan", 2),
}
