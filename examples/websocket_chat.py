"""A chat over WebSockets, with ``websockets``: everybody in the room gets what one says.

``broadcast`` never waits for a slow listener, and a listener that leaves is forgotten by the ``finally``.
"""

import mainspring
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, broadcast, serve

room: set[ServerConnection] = set()


async def chat(connection: ServerConnection) -> None:
    name = await connection.recv()
    room.add(connection)
    broadcast(room, f"{name} joined")
    try:
        async for message in connection:
            broadcast(room, f"{name}: {message}")
    finally:
        room.discard(connection)
        broadcast(room, f"{name} left")


async def main() -> None:
    async with serve(chat, "127.0.0.1", 0) as server:
        address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connect(address) as anna:
            await anna.send("Anna")
            print("Anna reads:", await anna.recv())
            async with connect(address) as ben:
                await ben.send("Ben")
                print("Anna reads:", await anna.recv())
                print("Ben reads:", await ben.recv())
                await ben.send("hello")
                print("Anna reads:", await anna.recv())
            print("Anna reads:", await anna.recv())


if __name__ == "__main__":
    mainspring.run(main())
