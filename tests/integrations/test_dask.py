"""Dask distributed: scheduler, workers and client on this loop, and its executor in run_in_executor()."""

import signal
import subprocess
import sys

import mainspring
import pytest
from helpers import run_program
from helpers.pages import python_blocks
from helpers.programs import started
from helpers.scripts import run_script

pytest.importorskip("distributed")

LOOP = str(mainspring.Loop)


@pytest.fixture
def environment(tmp_path):
    """Workers keep their files in the test's folder, and log nothing."""
    return {
        "TMPDIR": str(tmp_path),
        # On each loop a worker logs an error if its cluster closes while it connects for a heartbeat, which is half a
        # second after its start, and what a task raised, which the client raises as well.
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
        # Somebody else may have a dashboard on its usual port; then it takes another.
        "PYTHONWARNINGS": "ignore:Port:UserWarning",
    }


def test_the_program_of_the_page(tmp_path, environment):
    (code,) = python_blocks("integrations/dask.md")
    done = run_script(tmp_path, code, env=environment)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [
        "285",
        "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]",
        f"loop: {LOOP}",
        f"workers: {LOOP} {LOOP}",
    ]


def test_all_in_one_loop(environment):
    done = run_program(
        """
        import asyncio
        import mainspring
        from dask.distributed import Client, LocalCluster

        def loop_of(dask_worker=None, dask_scheduler=None):
            return (dask_worker or dask_scheduler).loop.asyncio_loop

        async def main():
            loop = asyncio.get_running_loop()
            async with (
                LocalCluster(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None,
                             asynchronous=True) as cluster,
                Client(cluster, asynchronous=True) as client,
            ):
                assert type(loop) is mainspring.Loop
                assert await client.run_on_scheduler(loop_of) is loop
                assert set((await client.run(loop_of)).values()) == {loop}
                numbers = client.map(int, ["1", "2", "3"])
                assert await client.submit(sum, numbers) == 6

                executor = client.get_executor()
                try:
                    await loop.run_in_executor(executor, divmod, 1, 0)
                except ZeroDivisionError as error:
                    print("raised", error)

        mainspring.run(main())
        """,
        env=environment,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["raised integer division or modulo by zero"]


def test_a_synchronous_client_has_its_loop_in_a_thread(environment):
    done = run_program(
        """
        import mainspring
        from dask.distributed import Client

        mainspring.install()
        with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
            print(client.submit(sum, [1, 2]).result(), type(client.loop.asyncio_loop))
        """,
        env=environment,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == f"3 {LOOP}\n"


CLIENT = """
import asyncio, os, sys
import mainspring
from dask.distributed import Client

def loop_of(dask_worker=None, dask_scheduler=None):
    return os.getpid(), str(type((dask_worker or dask_scheduler).loop.asyncio_loop))

async def main():
    loop = asyncio.get_running_loop()
    async with Client(scheduler_file=sys.argv[1], asynchronous=True) as client:
        await client.wait_for_workers(1)
        print(*await client.run_on_scheduler(loop_of))
        print(*(await client.run(loop_of)).popitem()[1])
        print(await loop.run_in_executor(client.get_executor(), os.getpid), type(loop))

mainspring.run(main())
"""


def test_a_cluster_from_the_command_line(tmp_path, environment):
    file = str(tmp_path / "scheduler.json")
    options = ["--host", "127.0.0.1", "--scheduler-file", file, "--dashboard-address", "127.0.0.1:0"]
    keywords = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}

    def command(name, *more):
        return [sys.executable, "-m", "mainspring", "run", "-m", f"distributed.cli.{name}", *options, *more]

    with (
        started(command("dask_scheduler", "--port", "0"), **keywords) as scheduler,
        started(command("dask_worker", "--no-nanny", "--nthreads", "1"), **keywords) as worker,
    ):
        # Client and worker wait for the scheduler's file.
        done = run_program(CLIENT, file, env=environment)
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.splitlines() == [
            f"{scheduler.pid} {LOOP}",
            f"{worker.pid} {LOOP}",
            f"{worker.pid} {LOOP}",
        ]
        for process, number in ((worker, signal.SIGINT), (scheduler, signal.SIGTERM)):
            process.send_signal(number)
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
