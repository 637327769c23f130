"""The cluster and the database `pulse` of `make run`: made once, brought up to date at each start, never thrown away unasked.
Talks to PostgreSQL through tools/cluster only. Used by tools/run."""
import hashlib
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Callable

START_WITHIN = 120   # seconds; a crash recovery may take a while
LOCAL_HOSTS = ("127.0.0.1", "[::1]", "localhost")


class Failure(Exception):
    """Ends `make run` with this sentence."""


class Database:
    def __init__(self, root: Path, home: Path, port: int, say: Callable[[str], None]):
        self.root, self.home, self.port, self.say = root, home, port, say
        self.marker = home / "extensions.json"   # what was installed when the database was last good; written at its end
        self.packs = sorted(path.stem for path in root.glob("sql/packs/*/pulse_*.control"))

    # ---- the cluster ----------------------------------------------------------------------------------------------------------
    def tool(self, verb: str, *words, **options) -> str:
        result = subprocess.run([self.root / "tools/cluster", verb, self.home, *map(str, words)], text=True, capture_output=True, **options)
        if result.returncode != 0:
            raise Failure(f"tools/cluster {verb} failed:\n{(result.stderr or result.stdout).rstrip()}")
        return result.stdout

    def create_if_missing(self) -> None:
        if os.path.lexists(self.home / "data"):
            if not self.marker.exists():   # its making was interrupted: it never served
                self.tool("drop")
            elif changed := self.changed_without_version():
                aside = self.tool("set-aside").strip()
                self.marker.unlink()
                self.say(f"run: the install script of {' and '.join(changed)} is not the one this cluster was made with, but has the same\n"
                         f"     version, so there is nothing to update by. The data was moved to {aside} (nothing is deleted;\n"
                         f"     remove it when you need it no more), and a new cluster is made.")
        if not os.path.lexists(self.home / "data"):
            self.say(f"run: making a cluster in {self.home}")
            self.tool("create", "--port", self.port, "pulse.databases=pulse", "max_worker_processes=16", "max_prepared_transactions=20")
        self.tool("set-port", self.port)

    def stop_leftover(self) -> None:
        if (self.home / "cluster.env").exists():
            self.tool("stop")

    def remove_socket_folder(self) -> None:
        if (self.home / "cluster.env").exists():
            self.tool("forget-socket")

    def wait_until_up(self, check_running: Callable[[], None]) -> None:
        end = time.monotonic() + START_WITHIN
        while time.monotonic() < end:
            check_running()
            try:
                self.sql("SELECT 1", database="postgres")
                return
            except Failure as failure:
                reason = failure
            time.sleep(0.05)
        raise Failure(f"PostgreSQL does not answer after {START_WITHIN} s: {reason}")

    # ---- the database ---------------------------------------------------------------------------------------------------------
    def sql(self, text: str, database: str = "pulse") -> str:
        return self.tool("psql", "-qAt", "-d", database, "-f", "-", input=text)

    def prepare(self, password: str, jwt_secret: str, internal_token: str) -> None:
        """The database, its extensions in the versions now installed, the sample data, the login roles, and the secrets."""
        self.give_secret("pulse.jwt_secret_file", "pulse_jwt_secret", jwt_secret)   # pulse.mint_token signs with the bridge's
        self.give_webhook_secrets(internal_token)
        if not self.sql("SELECT 1 FROM pg_database WHERE datname = 'pulse'", database="postgres").strip():
            self.sql("CREATE DATABASE pulse", database="postgres")
        for extension in ["pulse", *self.packs]:
            self.sql(f"SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS {extension} CASCADE; ALTER EXTENSION {extension} UPDATE;")
        for pack in self.packs:
            self.load_sample(pack.removeprefix("pulse_"))
        self.sql(f"""
            DO $do$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bridge') THEN CREATE ROLE bridge LOGIN; END IF;
            END $do$;
            GRANT pulse_bridge TO bridge;
            SET log_statement = 'none';
            ALTER ROLE postgres PASSWORD '{password}';""")
        self.marker.write_text(json.dumps(self.installed(), indent=1) + "\n")

    def give_webhook_secrets(self, internal_token: str) -> None:
        """An SOS service on this machine is met with the internal token. A file to which somebody has added hosts or secrets is theirs."""
        name = "pulse_webhook_secrets"
        there = self.tool("as-owner", "sh", "-c", '[ ! -e "$1" ] || cat "$1"', "sh", self.data_file(name), errors="replace")
        if not there or there == self.webhook_secrets(self.local_token(there)):
            self.write_private(name, self.webhook_secrets(internal_token))
        self.name_file("pulse.webhook_secret_file", name)

    @staticmethod
    def webhook_secrets(token: str) -> str:
        service = {"kinds": ["sos_verify", "sos_tell"], "headers": {"X-Internal-Token": token}}
        return json.dumps({"hosts": {host: service for host in LOCAL_HOSTS}})

    @staticmethod
    def local_token(text: str) -> str:
        found = re.search(r'"X-Internal-Token": "([0-9a-f]*)"', text)
        return found[1] if found else ""

    def give_secret(self, setting: str, name: str, secret: str) -> None:
        """As a file that the setting names, unless somebody has said otherwise."""
        self.write_private(name, secret)
        self.name_file(setting, name)

    def data_file(self, name: str) -> Path:
        return (self.home / "data").resolve() / name

    def write_private(self, name: str, text: str) -> None:
        self.tool("as-owner", "sh", "-c", 'umask 077 && cat >"$1.new" && mv "$1.new" "$1"', "sh", self.data_file(name), input=text)

    def name_file(self, setting: str, name: str) -> None:
        if not self.sql(f"SHOW {setting}", database="postgres").strip():
            self.sql(f"ALTER SYSTEM SET {setting} = '{name}';\nSELECT pg_reload_conf();", database="postgres")

    def load_sample(self, schema: str) -> None:
        """A pack with something to show has a function <schema>.load_sample(). At every start: what expires is there again."""
        if self.sql(f"SELECT to_regprocedure('{schema}.load_sample()') IS NOT NULL").strip() == "t":
            self.sql(f"SELECT {schema}.load_sample()")

    def bridge_url(self) -> str:
        """By the socket, whose folder only the cluster's owner can enter: no password is needed and none is shown in ps."""
        env = dict(line.split("=", 1) for line in self.tool("env").split())
        return f"postgresql://bridge@/pulse?host={env['PGHOST']}&port={env['PGPORT']}"

    # ---- what is installed ----------------------------------------------------------------------------------------------------
    def installed(self) -> dict[str, dict[str, str]]:
        program = os.environ.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config")
        folder = Path(subprocess.check_output([program, "--sharedir"], text=True).strip()) / "extension"
        extensions = {}
        for name in ["pulse", *self.packs]:
            version = re.search(r"default_version\s*=\s*'([^']+)'", (folder / f"{name}.control").read_text())[1]
            script = (folder / f"{name}--{version}.sql").read_bytes()
            extensions[name] = {"version": version, "script": hashlib.sha256(script).hexdigest()}
        return extensions

    def changed_without_version(self) -> list[str]:
        before, now = json.loads(self.marker.read_text()), self.installed()
        return [name for name in now if name in before and before[name]["version"] == now[name]["version"] and before[name] != now[name]]
