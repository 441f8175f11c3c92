"""Copies the audit of Sallyport into an SQLite file, each event once, however often it is killed:

    REDIS_PASSWORD=... python3 consumer.py 127.0.0.1:6379 audit-consumer events.db worker-1

Needs nothing but Python 3.8. An entry is acknowledged after the transaction that holds it. What
was written and not acknowledged comes again, and its key is there already. Run several with
different names: each gets a part, and takes over what another one left for IDLE_MS.
"""

import json
import os
import socket
import sqlite3
import ssl
import sys
import time

ADDRESS, USER, FILE, NAME = sys.argv[1:5]
PREFIX = os.environ.get("KEY_PREFIX", "sallyport")
GROUP = os.environ.get("GROUP", "archive")
IDLE_MS = int(os.environ.get("IDLE_MS", "60000"))
STREAMS = [f"{PREFIX}:audit:{{{n}}}" for n in range(4)]
COUNT = 200


class Refused(Exception):
    """An error that Redis answered."""


class Redis:
    """As much of RESP2 as is needed. REDIS_CA: a file of CAs, and TLS."""

    def __init__(self):
        host, port = ADDRESS.rsplit(":", 1)
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        if "REDIS_CA" in os.environ:
            trusted = ssl.create_default_context(cafile=os.environ["REDIS_CA"])
            connection = trusted.wrap_socket(connection, server_hostname=host.strip("[]"))
        self.file = connection.makefile("rwb")
        self.call("AUTH", USER, os.environ["REDIS_PASSWORD"])

    def call(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(parts))
        for part in parts:
            self.file.write(b"$%d\r\n%s\r\n" % (len(part), part))
        self.file.flush()
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        length = int(rest)
        if length < 0:
            return None
        if kind == b"*":
            return [self.reply() for _ in range(length)]
        return self.file.read(length + 2)[:-2]


def key_of(stream, entry, event):
    """What is numbered is known by its instance and number, the rest by its place."""
    try:
        fields = json.loads(event)
        if isinstance(fields["instance"], str) and isinstance(fields["seq"], int):
            return f"{fields['instance']}/{fields['seq']}"
    except (ValueError, KeyError, TypeError):
        pass
    return f"{stream}/{entry.decode()}"


def take(redis, database, stream, entries):
    # Without fields: trimmed by retention before it was delivered again.
    whole = [(entry, fields[1]) for entry, fields in entries if fields is not None]
    with database:
        database.executemany(
            "INSERT OR IGNORE INTO events VALUES (?, ?)",
            [(key_of(stream, entry, event), event.decode()) for entry, event in whole],
        )
    if entries:
        redis.call("XACK", stream, GROUP, *[entry for entry, _ in entries])


def take_leftovers(redis, database, stream):
    """What anybody was given and has not acknowledged for so long."""
    start = b"0-0"
    while True:
        start, entries = redis.call(
            "XAUTOCLAIM", stream, GROUP, NAME, IDLE_MS, start, "COUNT", COUNT
        )[:2]
        take(redis, database, stream, entries)
        if start == b"0-0":
            return


def run(redis, database):
    for stream in STREAMS:
        try:
            redis.call("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM")
        except Refused as refused:
            if not str(refused).startswith("BUSYGROUP"):
                raise
    looked = 0.0
    while True:
        if time.monotonic() - looked > IDLE_MS / 2000 or looked == 0.0:
            for stream in STREAMS:
                take_leftovers(redis, database, stream)
            looked = time.monotonic()
        found = redis.call(
            *["XREADGROUP", "GROUP", GROUP, NAME, "COUNT", COUNT, "BLOCK", 500, "STREAMS"],
            *STREAMS,
            *[">" for _ in STREAMS],
        )
        for stream, entries in found or []:
            take(redis, database, stream.decode(), entries)


def main():
    database = sqlite3.connect(FILE, timeout=10)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    with database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, event TEXT NOT NULL)"
        )
    while True:
        try:
            run(Redis(), database)
        except OSError as fault:
            print(f"Redis cannot be reached: {fault}", file=sys.stderr)
            time.sleep(1)


main()
