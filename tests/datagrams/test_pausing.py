"""Pausing what a datagram endpoint receives, as far as the default loop of this Python can do it."""

import socket

from helpers import closed_endpoints, compare, eventually, outcome, turns


def test_reading_pauses_and_goes_on_in_the_same_way():
    def scenario(loop):
        async def main():
            async with closed_endpoints() as opened:
                server = await opened(local_addr=("127.0.0.1", 0))
                transport = server.transport
                steps = [outcome(transport.is_reading), outcome(transport.pause_reading), outcome(transport.is_reading)]
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"while paused", transport.get_extra_info("sockname"))
                await turns(5)
                steps.append(server.received.qsize())
                steps += [outcome(transport.resume_reading), outcome(transport.is_reading)]
                await eventually(lambda: server.received.qsize() == 1)
                transport.close()
                return [*steps, outcome(transport.is_reading), outcome(transport.pause_reading)]

        return loop.run_until_complete(main())

    compare(scenario)
