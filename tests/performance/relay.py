"""A line of some length: a TCP relay that hands each byte on half a round trip after it came."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 2**16
UNDER_WAY = 256  # chunks, at most; more make the sender wait


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)

    async def read() -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            await line.put((loop.time() + delay, data))

    reading = asyncio.create_task(read())
    with suppress(OSError):
        while True:
            due, data = await line.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    reading.cancel()


async def relay(address: str, port: int, round_trip: float) -> asyncio.Server:
    """Relays to an address and port; the server's own port is a free one of 127.0.0.1.

    + round_trip: in seconds; a connection takes one to come about, as TCP's does
    """

    # The loop itself holds no task: one whose connections have ended could be collected before its end.
    alive: set[object] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends, task = [writer], asyncio.current_task()
        alive.add(task)
        with suppress(OSError, asyncio.CancelledError):  # cancelled: the relay is at its end
            await asyncio.sleep(round_trip)
            far_reader, far_writer = await asyncio.open_connection(address, port)
            ends.append(far_writer)
            ways = ((reader, far_writer), (far_reader, writer))
            await asyncio.gather(*(_carry(*way, round_trip / 2) for way in ways))
        for end in ends:
            end.close()
        alive.discard(task)

    return await asyncio.start_server(connected, "127.0.0.1", 0)


@contextmanager
def relayed(addresses: list[str], port: int, round_trip: float) -> Iterator[list[int]]:
    """Relays to a port of each address for the time of the ``with``; the ports of 127.0.0.1 that lead there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> list[asyncio.Server]:
        return [await relay(address, port, round_trip) for address in addresses]

    async def stop(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    servers = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield [server.sockets[0].getsockname()[1] for server in servers]
    finally:
        asyncio.run_coroutine_threadsafe(stop(servers), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
