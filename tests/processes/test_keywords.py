"""Every keyword of subprocess.Popen reaches the child, and those that a transport cannot have are refused."""

import asyncio
import fcntl
import os
import pwd
import re
import resource
import socket
import subprocess
import sys

import pytest
from helpers import compare, outcome

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def output(code, *arguments, **keywords):
    """What a Python child prints."""
    keywords.setdefault("stdout", subprocess.PIPE)
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code, *arguments, **keywords)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


def test_cwd_may_be_any_path(loop, tmp_path):
    async def main():
        for path in (str(tmp_path), os.fsencode(tmp_path), tmp_path):
            assert await output("import os; print(os.getcwd(), end='')", cwd=path) == str(tmp_path)

    loop.run_until_complete(main())


def test_env_replaces_the_environment(loop, monkeypatch):
    monkeypatch.setenv("INHERITED", "yes")
    code = "import os; print(sorted(name for name in os.environ if name in ('INHERITED', 'NAME')), end='')"

    async def main():
        assert await output(code) == "['INHERITED']"
        assert await output(code, env={"NAME": "value"}) == "['NAME']"
        assert await output(code, env={b"NAME": b"\xff"}) == "['NAME']"

    loop.run_until_complete(main())


def test_umask(loop):
    assert loop.run_until_complete(output("import os; print(oct(os.umask(0)), end='')", umask=0o027)) == "0o27"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"user": 65534, "group": 1234, "extra_groups": []}, {"Uid": "65534", "Gid": "1234", "Groups": ""}),
        ({"group": 1234}, {"Uid": "0", "Gid": "1234"}),
        ({"extra_groups": [7, 8]}, {"Uid": "0", "Gid": "0", "Groups": "7 8"}),
        ({"user": "nobody"}, {"Uid": str(pwd.getpwnam("nobody").pw_uid), "Gid": "0"}),
    ],
    ids=["all", "group", "extra groups", "user by name"],
)
def test_user_and_groups(loop, keywords, expected):
    async def main():
        process = await asyncio.create_subprocess_exec("cat", "/proc/self/status", stdout=subprocess.PIPE, **keywords)
        out, _ = await process.communicate()
        lines = dict(line.split(":", 1) for line in out.decode().splitlines())
        for name, values in expected.items():
            # Four user ids: real, effective, saved and of the file system.
            assert set(lines[name].split()) == set(values.split())

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, "session False group False"),
        ({"start_new_session": True}, "session True group True"),
        ({"process_group": 0}, "session False group True"),
    ],
    ids=["neither", "start_new_session", "process_group"],
)
def test_sessions_and_process_groups(loop, keywords, expected):
    code = "import os; print('session', os.getsid(0) == os.getpid(), 'group', os.getpgrp() == os.getpid(), end='')"
    assert loop.run_until_complete(output(code, **keywords)) == expected


def test_preexec_fn_runs_in_the_child(loop):
    def before():
        resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))

    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE), end='')"
    assert loop.run_until_complete(output(code, preexec_fn=before)) == "(77, 77)"


def test_a_preexec_fn_that_raises_is_the_same_error():
    def fail():
        raise LookupError("on purpose")

    def scenario(loop):
        return outcome(loop.run_until_complete, asyncio.create_subprocess_exec("true", preexec_fn=fail))

    assert compare(scenario) == (subprocess.SubprocessError, "Exception occurred in preexec_fn.")


LISTS_DESCRIPTORS = """
import os
names = os.listdir("/proc/self/fd")
print(*[name for name in names if os.path.exists(f"/proc/self/fd/{name}")])
"""


@pytest.mark.parametrize("inheritable", [False, True])
@pytest.mark.parametrize("close_fds", [False, True])
def test_close_fds_decides_over_inheritable_descriptors(loop, close_fds, inheritable):
    async def main():
        with open("/dev/null") as file:
            os.set_inheritable(file.fileno(), inheritable)
            listed = (await output(LISTS_DESCRIPTORS, close_fds=close_fds)).split()
            assert (str(file.fileno()) in listed) == (inheritable and not close_fds)

    loop.run_until_complete(main())


def test_no_descriptor_of_the_loop_reaches_a_child(loop):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = await loop.create_server(asyncio.Protocol, sock=listener)
            transport, _ = await loop.create_connection(asyncio.Protocol, *listener.getsockname())
            other = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            # What the test run itself was started with may be inheritable.
            expected = {str(n) for n in map(int, os.listdir("/proc/self/fd")) if n > 2 and inheritable(n)}
            assert set((await output(LISTS_DESCRIPTORS, close_fds=False)).split()) == {"0", "1", "2", *expected}
            await other.communicate(b"")
            transport.close()
            server.close()

    def inheritable(number):
        try:
            return os.get_inheritable(number)
        except OSError:
            return False

    loop.run_until_complete(main())


def test_pass_fds(loop):
    async def main():
        read_end, write_end = os.pipe()
        code = "import os, sys; os.write(int(sys.argv[1]), b'from the child')"
        await output(code, str(write_end), pass_fds=[write_end])
        os.close(write_end)
        assert os.read(read_end, 100) == b"from the child"
        os.close(read_end)

    loop.run_until_complete(main())


def test_executable_replaces_the_program_and_leaves_its_name(loop):
    async def main():
        process = await asyncio.create_subprocess_exec(
            "a name", "-S", "-c", "import sys; print(sys.orig_argv[0])", executable=sys.executable, stdout=-1
        )
        out, _ = await process.communicate()
        assert out == b"a name\n"

    loop.run_until_complete(main())


@pytest.mark.parametrize("restored", [True, False])
def test_restore_signals(loop, restored):
    # Python ignores SIGPIPE; number 13 is bit 12 of the mask.
    async def main():
        process = await asyncio.create_subprocess_exec(
            "grep", "SigIgn", "/proc/self/status", stdout=subprocess.PIPE, restore_signals=restored
        )
        out, _ = await process.communicate()
        assert bool(int(out.split()[1], 16) & 1 << 12) is not restored

    loop.run_until_complete(main())


def test_pipesize(loop):
    async def main():
        process = await asyncio.create_subprocess_exec(
            "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=4096
        )
        pipe = process._transport.get_pipe_transport(1).get_extra_info("pipe")
        assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == 4096
        data = os.urandom(100_000)
        assert (await process.communicate(data))[0] == data

    loop.run_until_complete(main())


def test_every_target_of_the_standard_streams(loop, tmp_path):
    code = "import sys; data = sys.stdin.read(); sys.stdout.write(data + ' out'); sys.stderr.write(data + ' err')"
    path = tmp_path / "file"

    async def main():
        (tmp_path / "input").write_text("from a file")
        with open(tmp_path / "input") as source, open(path, "wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-c", code, stdin=source, stdout=file, stderr=subprocess.PIPE
            )
            assert (process.stdin, process.stdout) == (None, None)
            assert await process.communicate() == (None, b"from a file err")
        assert path.read_bytes() == b"from a file out"
        with open(path, "r+b") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", "-c", code), stdin=subprocess.DEVNULL, stdout=-1, stderr=file.fileno()
            )
            assert await process.communicate() == (b" out", None)
        assert path.read_bytes() == b" err a file out"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-c", code), stdin=-1, stdout=-1, stderr=subprocess.STDOUT
        )
        assert process.stderr is None
        out, err = await process.communicate(b"x")
        assert (sorted([out[:5], out[5:]]), err) == ([b"x err", b"x out"], None)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-c", code),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert await process.communicate() == (None, None)
        assert process.returncode == 0

    loop.run_until_complete(main())


def test_pipes_are_of_the_same_kind_for_the_child():
    code = "import os, stat, sys; sys.stdout.write(repr([stat.S_IFMT(os.fstat(n).st_mode) for n in (0, 1, 2)]))"

    def scenario(loop):
        return loop.run_until_complete(output(code, stdin=subprocess.PIPE, stderr=subprocess.PIPE))

    compare(scenario)


def test_the_shell_understands_a_command_line(loop, tmp_path):
    async def main():
        process = await asyncio.create_subprocess_shell(
            'read line; echo "$line $NAME" | tr a-z A-Z; pwd >&2; exit 3',
            stdin=-1,
            stdout=-1,
            stderr=-1,
            cwd=tmp_path,
            env={**os.environ, "NAME": "named"},
        )
        assert await process.communicate(b"typed\n") == (b"TYPED NAMED\n", f"{tmp_path}\n".encode())
        assert process.returncode == 3
        process = await asyncio.create_subprocess_shell(b"exit 4", executable="/bin/sh")
        assert await process.wait() == 4

    loop.run_until_complete(main())


async def low_level(loop, method, *arguments, **keywords):
    transport, _ = await getattr(loop, method)(asyncio.SubprocessProtocol, *arguments, **keywords)
    await transport._wait()
    transport.close()


REFUSED = {
    "universal_newlines": {"universal_newlines": True},
    "text": {"text": True},
    "encoding": {"encoding": "utf-8"},
    "errors": {"errors": "strict"},
    "bufsize": {"bufsize": 1},
    "an unknown keyword": {"nonsense": 1},
    "a folder that is missing": {"cwd": "/no/such/folder"},
    "a folder that is a file": {"cwd": "/dev/null"},
    "an environment with a null": {"env": {"A": "x\0y"}},
    "an environment with an equals sign": {"env": {"A=B": "x"}},
    "an environment that is no mapping": {"env": 5},
    "a umask that is no number": {"umask": "x"},
    "an unknown user": {"user": "no such user"},
    "a negative user": {"user": -1},
    "an unknown group": {"group": "no such group"},
    "groups that are none": {"extra_groups": ["no such group"]},
    "a descriptor that is closed": {"stdout": 9999},
    "no stream": {"stdout": "text"},
    "STDOUT as stdout": {"stdout": subprocess.STDOUT},
    "STDOUT as stdin": {"stdin": subprocess.STDOUT},
    "a number beyond the special ones": {"stderr": -7},
    "descriptors that are none": {"pass_fds": ["x"]},
    "a process group that does not exist": {"process_group": 2**22 + 1},
    "a preexec_fn that cannot be called": {"preexec_fn": 5},
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("method", ["subprocess_exec", "subprocess_shell"])
def test_refused_keywords_are_the_same_errors(method, case):
    def scenario(loop):
        kind, text = outcome(loop.run_until_complete, low_level(loop, method, "true", **REFUSED[case]))
        return kind, re.sub(r"\b_UnixSelectorEventLoop\b|\bLoop\b", "LOOP", text or "")

    kind, _ = compare(scenario)
    assert kind != "returned"


@pytest.mark.parametrize(
    ("method", "arguments", "keywords"),
    [
        ("subprocess_exec", ["true"], {"shell": True}),
        ("subprocess_shell", ["true"], {"shell": False}),
        ("subprocess_exec", [5], {}),
        ("subprocess_exec", ["true", 5], {}),
        ("subprocess_exec", [None], {}),
        ("subprocess_exec", [], {}),
        ("subprocess_exec", ["tr\0ue"], {}),
        ("subprocess_exec", [""], {}),
        ("subprocess_exec", ["/"], {}),
        ("subprocess_exec", ["/dev/null"], {}),
        ("subprocess_exec", ["/no/such/program"], {}),
        ("subprocess_exec", ["no-such-program-anywhere"], {}),
        ("subprocess_exec", ["true", "\0"], {}),
        ("subprocess_shell", [["true"]], {}),
        ("subprocess_shell", [None], {}),
        ("subprocess_shell", [5], {}),
        ("subprocess_shell", [], {}),
    ],
    ids=repr,
)
def test_wrong_commands_are_the_same_errors(method, arguments, keywords):
    def scenario(loop):
        kind, text = outcome(loop.run_until_complete, low_level(loop, method, *arguments, **keywords))
        return kind, re.sub(r"\b_UnixSelectorEventLoop\b|\bLoop\b", "LOOP", text or "")

    kind, _ = compare(scenario)
    assert kind != "returned"
