"""A Jupyter kernel on this loop, driven by a real client, and IPython."""

import contextlib
import subprocess
import sys

import mainspring
import pytest
from helpers.pages import blocks, python_blocks
from helpers.programs import clean_environment

pytest.importorskip("ipykernel")
pytest.importorskip("jupyter_client")
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

PATIENCE = 30


class Notebook:
    """Cells that a kernel executes."""

    def __init__(self, client):
        self._client = client

    def start(self, code):
        """Send a cell to the kernel; its number, for ``finish``."""
        return self._client.execute(code)

    def wait_for_output(self):
        """What the kernel prints next."""
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "stream":
                return message["content"]["text"]

    def finish(self, cell):
        """Wait for the end of a cell: what it has printed, its last value and the name of its exception."""
        printed, value = "", None
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "execute_result":
                value = content["data"]["text/plain"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        while (reply := self._client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != cell:
            pass
        return printed, value, reply["content"].get("ename")

    def run(self, code):
        return self.finish(self.start(code))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """What IPython and Jupyter keep is in a folder of the tests."""
    folder = tmp_path_factory.mktemp("jupyter")
    names = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    return {name: str(folder / name) for name in names}


@contextlib.contextmanager
def started(folder, environment):
    """A kernel from the kernel.json of the page, and a client of it."""
    (text,) = [block.text for block in blocks("integrations/jupyter.md") if block.language == "json"]
    specification = folder / "kernels" / "mainspring"
    specification.mkdir(parents=True)
    (specification / "kernel.json").write_text(text)
    specifications = KernelSpecManager(kernel_dirs=[str(specification.parent)], ensure_native_kernel=False)
    manager = KernelManager(
        kernel_name="mainspring",
        kernel_spec_manager=specifications,
        connection_file=str(folder / "connection.json"),
        transport="ipc",
        ip=str(folder / "socket"),
    )
    manager.start_kernel(env=clean_environment(environment))
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory, environment):
    with started(tmp_path_factory.mktemp("kernel"), environment) as kernel:
        yield kernel


@pytest.fixture
def manager(kernel):
    return kernel[0]


@pytest.fixture
def notebook(kernel):
    return Notebook(kernel[1])


# For a whole module, because the connections of a restarted kernel are new descriptors.
@pytest.fixture(scope="module")
def restarted(tmp_path_factory, environment):
    with started(tmp_path_factory.mktemp("restarted"), environment) as (manager, client):
        assert Notebook(client).run("kept = 1; kept")[1] == "1"
        manager.restart_kernel()
        client.wait_for_ready(timeout=PATIENCE)
        yield Notebook(client)


def test_the_cell_of_the_page(notebook):
    (code,) = python_blocks("integrations/jupyter.md")
    assert notebook.run(code) == ("", None, None)
    # The task has gone on since, and does while the next cell waits.
    assert notebook.run("before = len(ticks); await asyncio.sleep(0.05); before > 0, len(ticks) > before")[1] == (
        "(True, True)"
    )
    assert notebook.run("ticking.cancel()")[1] == "True"


def test_the_loops_of_its_threads(notebook):
    code = """
    import asyncio, gc
    {type(found) for found in gc.get_objects() if isinstance(found, asyncio.AbstractEventLoop)}
    """
    assert notebook.run(code)[1] == "{mainspring._loop.Loop}"


def test_an_exception(notebook):
    assert notebook.run("await asyncio.sleep(0); 1 / 0")[2] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("statement", "exception"),
    [("await asyncio.sleep(600)", "CancelledError"), ("while True: pass", "KeyboardInterrupt")],
    ids=["await", "compute"],
)
def test_an_interrupt(notebook, manager, statement, exception):
    cell = notebook.start(f"import asyncio; print('started')\n{statement}")
    assert notebook.wait_for_output() == "started\n"
    manager.interrupt_kernel()
    assert notebook.finish(cell)[2] == exception
    assert notebook.run("1 + 1")[1] == "2"


def test_a_child_process(notebook):
    code = """
    import asyncio
    child = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
    (await child.communicate())[0], child.returncode
    """
    assert notebook.run(code)[1] == "(b'hello\\n', 0)"


def test_a_restart(restarted):
    assert restarted.run("kept")[2] == "NameError"
    assert restarted.run("import asyncio; type(asyncio.get_running_loop())")[1] == "mainspring._loop.Loop"


def test_ipython(tmp_path, environment):
    code = "import asyncio; await asyncio.sleep(0.01); print(type(asyncio.get_running_loop()))"
    done = subprocess.run(
        [sys.executable, "-m", "mainspring", "run", "-m", "IPython", "--no-banner", "-c", code],
        cwd=tmp_path,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == f"{mainspring.Loop}\n"
