#!/usr/bin/python3
"""Debian's python3-socketio with its threads, as its users start with it: joins a room, gathers COUNT events `n`, and prints their
numbers by cursor: the library hands each event to a thread of its own, so they run in any order.

    python_threads.py URL TRANSPORTS TOKEN ROOM COUNT
"""
import json
import sys

import socketio

url, transports, token, room, count = sys.argv[1:]
client = socketio.Client()
got = []


@client.on("n")
def on_n(number, cursor):
    got.append((int(cursor.split(":")[1]), number))


client.connect(url, auth={"token": token}, transports=transports.split(","), wait_timeout=60)
print(json.dumps(client.call("room:join", {"room": room})), flush=True)
while len(got) < int(count):
    client.sleep(0.01)
print(json.dumps({"echo": client.call("echo", "x"), "transport": client.transport(), "numbers": [number for _, number in sorted(got)]}), flush=True)
client.disconnect()
