"""Is a port free, and if not, who has it? Used by tools/run before it starts anything."""
import os
import socket
from pathlib import Path

LISTENING, ENDED = "0A", "06"   # as in /proc/net/tcp; who has ended has no inode (0)


def taken(port: int) -> str | None:
    """What is wrong with 127.0.0.1:port, in words; None: nothing."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return None
        except OSError as error:
            reason = error.strerror
    sockets = local_sockets(port)
    if sockets and set(sockets.values()) == {ENDED}:
        return "belonged to a connection that has just ended; in a minute it is free"
    users = {inode: user for inode in sockets if (user := user_of(inode))}
    names = ", ".join(sorted(set(users.values())))
    if sockets and LISTENING not in sockets.values():
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return (f"is the own end of a connection to somewhere else{f' of {names}' if names else ''}: Linux takes ports from {first} to {last} "
                "for those; when it ends the port is free")
    return f"is taken by {names}" if names else f"cannot be used: {reason}"


def local_sockets(port: int) -> dict[str, str]:
    """inode → state of the TCP sockets with this local port."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if int(fields[1].rpartition(":")[2], 16) == port:
                found[fields[9]] = fields[3]
    return found


def user_of(inode: str) -> str | None:
    """The process that has the socket, as far as we may look."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(os.readlink(entry) == f"socket:[{inode}]" for entry in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None
