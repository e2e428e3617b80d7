#!/usr/bin/env python3
"""A counting HTTP target on loopback: /fail answers 500, /flaky 503 to every fifth request, /slow?ms=N sleeps,
anything else 200. GET /_counts gives {"total": n, "by_path": {...}, "by_source": {...}} and is not counted itself.
Prints "listening HOST PORT" when ready; ends when its standard input closes or after --seconds."""
import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit


class Target:
    def __init__(self):
        self.paths, self.sources, self.first, self.last = Counter(), Counter(), None, None

    async def answer(self, path, source):
        parts = urlsplit(path)
        if parts.path == "/_counts":
            body = {"total": sum(self.paths.values()), "by_path": self.paths, "by_source": self.sources,
                    "first": self.first, "last": self.last}
            return 200, json.dumps(body)
        self.paths[parts.path] += 1
        self.sources[source] += 1
        self.last = time.monotonic()
        self.first = self.first or self.last
        if parts.path == "/fail":
            return 500, "failed"
        if parts.path == "/flaky" and self.paths[parts.path] % 5 == 0:
            return 503, "busy"
        if parts.path == "/slow":
            await asyncio.sleep(int(parse_qs(parts.query).get("ms", ["100"])[0]) / 1000)
        return 200, "ok"

    async def serve(self, reader, writer):
        source = writer.get_extra_info("peername")[0]
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
                if length:
                    await reader.readexactly(min(length, 1 << 20))
                status, body = await self.answer(lines[0].split(" ")[1], source)
                close = any(line.lower().replace(" ", "") == "connection:close" for line in lines)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain\r\n"
                             f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n{body}".encode())
                await writer.drain()
                if close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, IndexError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600)
    args = parser.parse_args()
    server = await asyncio.start_server(Target().serve, args.host, args.port)
    print("listening", *server.sockets[0].getsockname()[:2], flush=True)
    stdin_closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await asyncio.wait([stdin_closed], timeout=args.seconds)
    import os
    os._exit(0)


asyncio.run(main())
