"""`pytest --mainspring-virtual-time` and the marker: suites of pytest-asyncio and of anyio's plugin in virtual time."""

import subprocess
import sys

import pytest

INI = "[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"


def run_pytest(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )


def check_passed(done, count):
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout


HOURS = """
import asyncio
import pytest
import pytest_asyncio

pytestmark = {marks}

def now():
    return asyncio.get_running_loop().time()

@pytest_asyncio.fixture
async def after_a_minute():
    await asyncio.sleep(60)
    yield now()
    await asyncio.sleep(60)

async def test_an_hour(after_a_minute):
    assert after_a_minute == 60
    await asyncio.sleep(3540)
    assert now() == 3600

@pytest.mark.parametrize("attempts", [3, 10])
async def test_retries(attempts):
    for attempt in range(attempts):
        await asyncio.sleep(2**attempt)
    assert now() == 2**attempts - 1

class TestTimeouts:
    async def test_a_timeout(self):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        assert now() == 3600

    async def test_a_thread(self):
        import time
        async with asyncio.timeout(1):
            await asyncio.to_thread(time.sleep, 0.01)
        assert now() == 0

def test_plain():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
@pytest.mark.parametrize("by", ["option", "marker"])
def test_a_suite_of_hours(tmp_path, mode, by):
    options = ["--mainspring-virtual-time"] if by == "option" else []
    marks = "[pytest.mark.mainspring_virtual_time]" if by == "marker" else "[]"
    text = HOURS.format(marks=marks)
    if mode == "strict":
        text = text.replace("async def test", "@pytest.mark.asyncio\nasync def test")
        text = text.replace("    @pytest.mark.asyncio\nasync", "    @pytest.mark.asyncio\n    async")
    (tmp_path / "test_hours.py").write_text(text)
    (tmp_path / "pytest.ini").write_text(INI.format(mode=mode))
    check_passed(run_pytest(tmp_path, "--strict-markers", *options), 6)


MIXED = """
import asyncio
import mainspring
import pytest

pytestmark = pytest.mark.asyncio

async def test_before():
    assert type(asyncio.get_running_loop()) is {expected}
    await asyncio.sleep(0.001)

@pytest.mark.mainspring_virtual_time(100, grace=0.5)
async def test_marked():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, mainspring.Loop)
    await asyncio.sleep(3600)
    assert loop.time() == loop.clock.time() == 3700

async def test_after():
    assert type(asyncio.get_running_loop()) is {expected}
    await asyncio.sleep(0.001)
"""


@pytest.mark.parametrize(
    ("options", "expected"), [([], "asyncio.SelectorEventLoop"), (["--mainspring"], "mainspring.Loop")]
)
def test_the_marker_is_for_its_test_only(tmp_path, options, expected):
    (tmp_path / "test_mixed.py").write_text(MIXED.format(expected=expected))
    (tmp_path / "pytest.ini").write_text(INI.format(mode="strict"))
    check_passed(run_pytest(tmp_path, *options), 3)


SHARED = """
import asyncio
import pytest
import pytest_asyncio

pytestmark = [pytest.mark.asyncio(loop_scope="class"), pytest.mark.mainspring_virtual_time]

class TestShared:
    async def test_one(self):
        await asyncio.sleep(3600)
        assert asyncio.get_running_loop().time() == 3600

    async def test_two(self):
        await asyncio.sleep(3600)
        assert asyncio.get_running_loop().time() == 7200
"""


def test_tests_that_share_a_loop_share_its_clock(tmp_path):
    (tmp_path / "test_shared.py").write_text(SHARED)
    (tmp_path / "pytest.ini").write_text(INI.format(mode="strict"))
    check_passed(run_pytest(tmp_path), 2)


ANYIO = """
import anyio
import asyncio
import pytest

pytestmark = [pytest.mark.anyio{marks}]

@pytest.fixture
async def after_a_minute():
    await anyio.sleep(60)
    yield anyio.current_time()

async def test_an_hour(after_a_minute):
    assert after_a_minute == 60
    with pytest.raises(TimeoutError):
        with anyio.fail_after(3540):
            await anyio.sleep_forever()
    assert asyncio.get_running_loop().time() == 3600

async def test_another():
    assert anyio.current_time() == 0
    await anyio.sleep(86400)

@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_that_names_its_backend(anyio_backend):
    await anyio.sleep(0.001)
    assert not hasattr(asyncio.get_running_loop(), "clock")
"""


@pytest.mark.parametrize("by", ["option", "marker"])
def test_a_suite_of_anyio(tmp_path, by):
    pytest.importorskip("anyio")
    options = ["--mainspring-virtual-time"] if by == "option" else []
    marks = ", pytest.mark.mainspring_virtual_time" if by == "marker" else ""
    (tmp_path / "test_anyio.py").write_text(ANYIO.format(marks=marks))
    (tmp_path / "pytest.ini").write_text(INI.format(mode="strict"))
    check_passed(run_pytest(tmp_path, *options), 3)


def test_a_wrong_argument_of_the_marker_is_told(tmp_path):
    (tmp_path / "test_wrong.py").write_text(
        "import pytest\n\n@pytest.mark.asyncio\n@pytest.mark.mainspring_virtual_time(grace=-1)\n"
        "async def test_wrong():\n    pass\n"
    )
    (tmp_path / "pytest.ini").write_text(INI.format(mode="strict"))
    done = run_pytest(tmp_path)
    assert done.returncode != 0
    assert "grace must be a number of seconds that is not negative" in done.stdout + done.stderr


def test_without_a_plugin_for_coroutines_the_option_says_what_is_missing(tmp_path):
    (tmp_path / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    without = [option for plugin in ("asyncio", "aiohttp", "anyio") for option in ("-p", f"no:{plugin}")]
    done = run_pytest(tmp_path, "--mainspring-virtual-time", *without)
    assert done.returncode != 0
    assert "virtual time needs pytest-asyncio 1.4 or newer" in done.stdout + done.stderr


def test_the_option_and_the_marker_are_explained(tmp_path):
    assert "--mainspring-virtual-time" in run_pytest(tmp_path, "--help").stdout
    assert "mainspring_virtual_time(start=0.0" in run_pytest(tmp_path, "--markers").stdout
