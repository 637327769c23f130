#!/usr/bin/python3
"""Debian's python3-socketio (asyncio) as a client that a test drives: one JSON array a line, [verb, argument …] in, [what, detail …] out.

    python_client.py URL TRANSPORTS TOKEN [NAMESPACE …]

Verbs: emit (namespace, event, args, id), answered by ["ack", id, args]; transport; end. Everything that arrives is written as
["event", namespace, name, args]. Bytes travel as {"base64": …} on the lines only, on the wire they are bytes.
"""
import asyncio
import base64
import json
import sys

import socketio

url, transports, token, *namespaces = sys.argv[1:]
namespaces = namespaces or ["/"]


def pack(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [pack(one) for one in value]
    if isinstance(value, dict):
        return {key: pack(one) for key, one in value.items()}
    return value


def unpack(value):
    if isinstance(value, dict):
        return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else {key: unpack(one) for key, one in value.items()}
    if isinstance(value, list):
        return [unpack(one) for one in value]
    return value


def tell(*words):
    print(json.dumps(pack(words)), flush=True)


class Everything(socketio.AsyncClientNamespace):
    """Hands on whatever comes, also what the library has no handler for."""

    async def trigger_event(self, event, *args):
        tell("event", self.namespace, event, args)


async def main():
    client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.2, randomization_factor=0)
    for name in namespaces:
        client.register_namespace(Everything(name))
    await client.connect(url, auth={"token": token}, transports=transports.split(","), namespaces=namespaces, wait_timeout=60)
    tell("connected")
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        verb, *rest = json.loads(line)
        if verb == "emit":
            namespace, event, args, wanted = rest
            await client.emit(event, tuple(unpack(args)), namespace=namespace,
                              callback=lambda *answer, wanted=wanted: tell("ack", wanted, answer))
        elif verb == "transport":
            tell("transport", client.transport())
        elif verb == "end":
            break
    await client.disconnect()
    tell("ended")


asyncio.run(main())
