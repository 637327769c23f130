"""The stand-in for FCM, its OAuth server and the SMS provider, as `make run` starts it: for trying things out, not the real ones. A channel
that somebody has given a file of secrets of its own to is left alone. Used by tools/run."""
import shutil
import time
from pathlib import Path

from database import Database, Failure

PROGRAM = "tests/support/provider_stand_in.mjs"
WITHIN = 20   # seconds
# the setting that says whether a channel is somebody's; the file that the stand-in writes; the setting with the address
CHANNELS = (("pulse.fcm_service_account_file", "service_account.json", "pulse.fcm_url"),
            ("pulse.sms_auth_file", "sms_account.json", "pulse.sms_url"))


class StandIn:
    def __init__(self, root: Path, home: Path, database: Database):
        self.root, self.home, self.database = root, home / "stand-in", database
        self.url = None

    def ours(self) -> list[tuple[str, str, str]]:
        """The channels that lead to no real provider."""
        return [channel for channel in CHANNELS if self.setting(channel[0]) in ("", self.file_of(channel))]

    def command(self) -> list | None:
        """None: there is nothing to start."""
        if not self.ours() or shutil.which("node") is None:
            return None
        (self.home / "url").unlink(missing_ok=True)
        return ["setpriv", "--pdeathsig", "TERM", "node", self.root / PROGRAM, "--home", self.home]

    def connect(self, check_running) -> None:
        """Once it runs: leads the channels there."""
        end = time.monotonic() + WITHIN
        while not (self.home / "url").exists():
            check_running()
            if time.monotonic() > end:
                raise Failure("the stand-in for providers did not come up")
            time.sleep(0.02)
        self.url = (self.home / "url").read_text()
        settings = []
        for channel in self.ours():
            setting, file, url = channel
            self.database.write_private(self.file_of(channel), (self.home / file).read_text())
            settings += [f"ALTER SYSTEM SET {setting} = '{self.file_of(channel)}';", f"ALTER SYSTEM SET {url} = '{self.url}';"]
        self.database.sql("\n".join([*settings, "SELECT pg_reload_conf();"]), database="postgres")

    @staticmethod
    def file_of(channel: tuple[str, str, str]) -> str:
        return f"pulse_stand_in_{channel[1]}"

    def setting(self, name: str) -> str:
        return self.database.sql(f"SHOW {name}", database="postgres").strip()
