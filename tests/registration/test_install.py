"""install() and the policy: what asyncio makes by itself is a mainspring loop, and nothing deprecated is touched."""

import sys

import pytest
from helpers import run_program

STRICT = ("-W", "error")
HAS_POLICIES = sys.version_info < (3, 16)


def output_of(code, *options):
    done = run_program(code, options=options)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_asyncio_run_uses_mainspring_after_install():
    code = """
        import asyncio, mainspring
        mainspring.install()

        async def main():
            await asyncio.sleep(0)
            return type(asyncio.get_running_loop()).__module__

        print(asyncio.run(main()))
        loop = asyncio.new_event_loop()
        print(type(loop) is mainspring.Loop)
        loop.close()
        with asyncio.Runner() as runner:
            print(type(runner.get_loop()) is mainspring.Loop)
    """
    module, *rest = output_of(code, *STRICT).split()
    assert module.startswith("mainspring")
    assert rest == ["True", "True"]


def test_importing_and_running_touches_nothing_deprecated():
    code = """
        import asyncio, mainspring
        print(mainspring.run(asyncio.sleep(0, "fine")))
    """
    assert output_of(code, *STRICT) == "fine\n"


@pytest.mark.skipif(not HAS_POLICIES, reason="policies go with Python 3.16")
def test_the_policy_makes_mainspring_loops():
    code = """
        import asyncio, mainspring, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        policy = mainspring.EventLoopPolicy()
        asyncio.set_event_loop_policy(policy)
        assert isinstance(policy, asyncio.AbstractEventLoopPolicy)
        loop = policy.new_event_loop()
        assert type(loop) is mainspring.Loop
        asyncio.set_event_loop(loop)
        assert asyncio.get_event_loop() is loop
        loop.close()

        async def main():
            return type(asyncio.get_running_loop())

        assert asyncio.run(main()) is mainspring.Loop
        print("fine")
    """
    assert output_of(code) == "fine\n"


def test_threads_make_their_own_loops():
    code = """
        import asyncio, mainspring, threading
        mainspring.install()
        seen = []
        def work():
            async def main():
                seen.append(type(asyncio.get_running_loop()) is mainspring.Loop)
            asyncio.run(main())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print(seen)
    """
    assert output_of(code, *STRICT) == "[True]\n"
