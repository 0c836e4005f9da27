"""Programs that read their standard input and write their standard output through the loop."""

import os
import select
import subprocess

import pytest
from helpers import run_program, start_program

PRELUDE = """
    import asyncio, os, sys
    import mainspring

    factory = {"default": asyncio.SelectorEventLoop, "mainspring": mainspring.new_event_loop}[sys.argv[1]]

    async def streams():
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
"""

UPPER = (
    PRELUDE
    + """
    async def main():
        reader, writer = await streams()
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""
)

ENDS_AFTER_WRITING = (
    PRELUDE
    + """
    async def main():
        _, writer = await streams()
        writer.write(b"last words")
        {leave}

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
"""
)


def test_a_filter_between_pipes_answers_line_by_line(loop_name):
    with start_program(UPPER, loop_name, stdin=subprocess.PIPE) as program:
        for number in range(20):
            program.stdin.write(f"line {number}\n")
            program.stdin.flush()
            assert program.stdout.readline() == f"LINE {number}\n"
        program.stdin.close()
        assert program.wait(20) == 0
        assert (program.stdout.read(), program.stderr.read()) == ("", "")


def test_a_filter_in_a_terminal_answers_line_by_line(loop_name):
    master, slave = os.openpty()
    with start_program(UPPER, loop_name, stdin=slave) as program:
        os.close(slave)
        for _ in range(3):
            os.write(master, b"typed\n")
            assert program.stdout.readline() == "TYPED\n"
        os.write(master, b"\x04")
        assert program.wait(20) == 0
        assert (program.stdout.read(), program.stderr.read()) == ("", "")
    os.close(master)


def test_standard_output_may_be_a_terminal(loop_name):
    master, slave = os.openpty()
    with start_program(UPPER, loop_name, stdin=subprocess.PIPE, stdout=slave) as program:
        os.close(slave)
        program.stdin.write("text\n")
        program.stdin.flush()
        answer = b""
        while not answer.endswith(b"\n") and select.select([master], [], [], 20)[0]:
            answer += os.read(master, 100)
        assert answer == b"TEXT\r\n"
        program.stdin.close()
        assert program.wait(20) == 0
        assert program.stderr.read() == ""
    os.close(master)


def test_a_file_as_standard_input_is_refused(loop_name, tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    with path.open() as file:
        done = run_program(UPPER, loop_name, stdin=file)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: Pipe transport is for pipes/sockets only.\n")


@pytest.mark.parametrize("leave", ["return", "sys.exit(0)", "raise SystemExit", "asyncio.get_running_loop().stop()"])
def test_what_was_written_before_the_end_of_the_program_arrives(loop_name, leave):
    done = run_program(ENDS_AFTER_WRITING.replace("{leave}", leave), loop_name, stdin=subprocess.PIPE)
    assert done.stdout == "last words"


def test_a_program_whose_reader_goes_away_ends(loop_name):
    code = """
    async def main():
        reader, writer = await streams()
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            runner.run(main())
        except ConnectionResetError as error:
            print(type(error).__name__, error, file=sys.stderr)
"""
    with start_program(PRELUDE + code, loop_name, stdin=subprocess.PIPE) as program:
        program.stdin.write("first\n")
        program.stdin.flush()
        assert program.stdout.readline() == "first\n"
        program.stdout.close()
        program.stdin.write("second\nthird\n" * 1000)
        program.stdin.close()
        assert program.wait(20) == 0, program.stderr.read()
        assert program.stderr.read() in ("", "ConnectionResetError Connection lost\n")
