"""Both ends of a WebSocket by python3-websockets.

    websocket_ends.py serve                     prints its port, and sends back what it gets
    websocket_ends.py call URI TOKEN CA_FILE    prints what it saw, as JSON
"""
import asyncio
import json
import ssl
import sys

import websockets


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosed:
        pass


async def serve():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=2**25) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def call(uri, token, ca_file):
    seen = {}
    options = {
        "ssl": ssl.create_default_context(cafile=ca_file),
        "extra_headers": {"Authorization": "Bearer " + token},
        "max_size": 2**25,
    }
    async with websockets.connect(uri, **options) as connection:
        for name, message in {
            "text": "grüße",
            "bytes": bytes(range(256)),
            "big": "x" * (2**24),
            "pieces": ["a", "b", "c"],
        }.items():
            await connection.send(message)
            expected = "".join(message) if isinstance(message, list) else message
            seen[name] = await connection.recv() == expected
        await asyncio.wait_for(await connection.ping(), 20)
        seen["pong"] = True
    seen["code"] = connection.close_code
    print(json.dumps(seen))


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    asyncio.run(call(*sys.argv[2:]))
