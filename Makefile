# Each target sets up what it needs: system packages (Debian), a virtual environment, the build.
#
#   make bench    compare event loops on this machine (BENCH="--quick" for two to three minutes)
#   make test     all tests: C++ by ctest, Python by pytest
#   make asan     these and CPython's own asyncio tests under AddressSanitizer, UndefinedBehaviorSanitizer, LeakSanitizer
#   make leaks    some tests under LeakSanitizer with complete stacks (LEAKS="tests" for all of them)
#   make tsan     everything with threads under ThreadSanitizer
#   make portable with what systems other than Linux have: CPython's asyncio tests and those of what differs
#   make conformance  CPython's own asyncio tests on this loop and on the default loop
#   make faults   each system call and each allocation of the loop fails in turn (FAULTS="--loop uvloop tcp")
#   make check    formatting, lint and types
#   make docs     the documentation as a site, in build/site
#   make life     how loops and interpreters end (LOOPS="default mainspring uvloop", ROUNDS and INTERPRETERS for more)
#   make fuzz     fuzzers (FUZZ=60 seconds each) and state machines of transports (MACHINES=300 of each kind)
#   make wheel    a wheel with libuv inside, installed and tried in an environment of its own
#   make macos    the module compiled and linked for macOS, by a compiler that comes as a Python package
#   make callgrind  instruction counts of the hot paths
#   make races    random races between connections (RACES=20000), also with CAMPAIGN="--loop uvloop --seed 7"
#   make load     10,000 slow readers, a flooding peer, storms, and a GiB each way
#   make soak     mixed traffic for SOAK=1800 seconds, with memory, references and descriptors counted
#
# PYTHON chooses the interpreter, VENV the folder of the environment, CONFIG further options for `pip install`.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?=
BENCH ?=
PYTEST ?=
FUZZ ?= 60
MACHINES ?= 300
FAULTS ?=
CAMPAIGN ?=
RACES ?= 20000
SOAK ?= 1800

BIN = $(VENV)/bin
CMAKE = PATH="$(abspath $(BIN)):$$PATH" cmake
# Debug information and no optimisation across files, so that a report names its line.
SANITIZER ?= address,undefined
PRESET = $(if $(filter thread,$(SANITIZER)),tsan,asan)
SANITIZED = -C cmake.define.MAINSPRING_SANITIZE=$(SANITIZER) -C cmake.define.MAINSPRING_LTO=OFF \
            -C cmake.build-type=RelWithDebInfo
# The interpreter itself is not instrumented: the runtime is loaded first, and Python's own arenas are switched off.
ASAN_RUN = LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so) \
           $$(g++ -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 \
           UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc

# LeakSanitizer over what the module itself allocates.
LEAKS_RUN = $(ASAN_RUN) $(BIN)/python tests/sanitizers/leaks.py --native

# What LeakSanitizer looks at when it takes each allocation's stack apart, to tell the Python objects that the module has
# lost: a file for each kind of object that is made and lost by the thousand.
LEAKS ?= tests/streams/test_data.py tests/streams/test_stream_api.py tests/sockets/test_sock_methods.py \
         tests/tls/test_data.py tests/datagrams/test_datagrams.py tests/executor/test_run_in_executor.py \
         tests/loop/test_timers.py

# The address space is laid out as ThreadSanitizer expects it. The interpreter is not instrumented, but its mutexes, and
# so the GIL, are seen. Of processes that have threads its runtime loses count when they fork ("dup thread with used
# id"), so tests of that are left out. Threads that nobody joins are other libraries'.
TSAN_RUN = LD_PRELOAD="$$(g++ -print-file-name=libtsan.so) $$(g++ -print-file-name=libstdc++.so)" \
           TSAN_OPTIONS=exitcode=66:die_after_fork=0:report_thread_leaks=0 setarch -R
# Tests that run on each loop are left out on the default loop.
OURS = mainspring or not ([default or -default)
THREADED = tests/executor tests/names tests/loop/test_threadsafe.py tests/loop/test_loops_in_threads.py \
           tests/loop/test_signals.py tests/life/test_threads.py tests/processes tests/sanitizers tests/diagnostics

.PHONY: help bench install test test-installed test-installed-python wheel asan install-sanitized test-sanitized \
        test-installed-sanitized portable install-portable test-portable test-installed-portable leaks test-leaks \
        tsan test-threads test-installed-threads check docs conformance faults life callgrind fuzz races load soak \
        campaign-environment system macos clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

system:
	@sh cmake/system-packages.sh

$(BIN)/python: | system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

bench: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) '.[bench]'
	$(BIN)/python -m pip install --quiet --group peers || echo 'bench: some peers are not to be had for this Python'
	$(BIN)/mainspring bench $(BENCH)

install: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) --group test cmake ninja .
	$(BIN)/python -m pip install --quiet --group integrations || echo 'test: without some of the integrations, which are skipped'

test: install
	$(MAKE) test-installed

test-installed:
	$(CMAKE) --preset dev && $(CMAKE) --build --preset dev
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset dev
	$(MAKE) test-installed-python

test-installed-python:
	$(BIN)/python -m pytest $(PYTEST)

# An environment of its own, because the module is built in another way.
asan:
	$(MAKE) test-sanitized VENV=$(VENV)-asan

install-sanitized: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) $(SANITIZED) --group test cmake ninja .
	$(CMAKE) --preset $(PRESET) && $(CMAKE) --build --preset $(PRESET)

test-sanitized: install-sanitized
	$(MAKE) test-installed-sanitized

test-installed-sanitized:
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset asan
	$(LEAKS_RUN) tests/conformance
# What the benchmark, the examples and the integrations start, databases among them, is not under test here, and takes
# long under the preloaded runtime; so do suites of tests that are run by a test. Neither is the default loop.
	$(LEAKS_RUN) -m pytest -o timeout=400 -k '$(OURS)' --ignore=tests/benchmarks --ignore=tests/examples \
	  --ignore=tests/integrations --ignore=tests/documentation --ignore=tests/packaging --ignore=tests/registration \
	  $(PYTEST)

# The folders of what differs between the systems.
PORTABLE_TESTS = tests/loop tests/streams tests/sockets tests/datagrams tests/executor tests/processes

portable:
	$(MAKE) test-portable VENV=$(VENV)-portable

install-portable: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) -C cmake.define.MAINSPRING_PORTABLE=ON \
	  -C build-dir=build/portable-module --group test cmake ninja .
	$(CMAKE) --preset portable && $(CMAKE) --build --preset portable

test-portable: install-portable
	$(MAKE) test-installed-portable
	$(BIN)/python tests/conformance

test-installed-portable:
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset portable
	$(BIN)/python -m pytest -k '$(OURS)' $(PORTABLE_TESTS) $(PYTEST)

# In the environment of `make asan`.
leaks:
	$(MAKE) test-leaks VENV=$(VENV)-asan

test-leaks: install-sanitized
	$(ASAN_RUN) $(BIN)/python tests/sanitizers/leaks.py -m pytest -k mainspring --timeout 600 $(LEAKS) $(PYTEST)

tsan:
	$(MAKE) test-threads VENV=$(VENV)-tsan SANITIZER=thread

test-threads: install-sanitized
	$(MAKE) test-installed-threads

test-installed-threads:
	PATH="$(abspath $(BIN)):$$PATH" ctest --preset $(PRESET)
	$(TSAN_RUN) $(BIN)/python -m pytest -k '($(OURS)) and not fork' -o timeout=400 $(THREADED) $(PYTEST)

check: $(BIN)/python
	$(BIN)/python -m pip install --quiet --group lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.hpp')
	$(BIN)/mypy

# It needs neither a compiler nor the built module. The variable silences an advertisement of the theme's.
docs: $(BIN)/python
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

conformance: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) .
	$(BIN)/python tests/conformance

life: LOOPS = default mainspring
life: ROUNDS = 100
life: INTERPRETERS = 100
life: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) --group test .
	$(if $(filter uvloop,$(LOOPS)),$(BIN)/python -m pip install --quiet uvloop)
	MAINSPRING_LIFE_LOOPS="$(LOOPS)" MAINSPRING_LIFE_ROUNDS=$(ROUNDS) MAINSPRING_LIFE_INTERPRETERS=$(INTERPRETERS) \
	  $(BIN)/python -m pytest -o timeout=600 tests/life $(PYTEST)

faults: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) --group test .
	$(BIN)/python tests/faults $(FAULTS)
	$(BIN)/python tests/faults --memory $(FAULTS)

# By way of the source archive, so that this is known to have everything.
wheel: $(BIN)/python
	$(BIN)/python -m pip install --quiet --group package
	rm -rf dist build/wheels
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m build --outdir build/wheels
	$(BIN)/python packaging/check_sdist.py build/wheels/*.tar.gz
	$(BIN)/python packaging/repair_wheel.py build/wheels/*.whl dist
	cp build/wheels/*.tar.gz dist
	$(PYTHON) -m venv --clear $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet dist/*.whl
	$(VENV)-wheel/bin/python packaging/try_wheel.py

# Of an architecture alone by ARCHITECTURES=arm64 or x86_64.
macos: $(BIN)/python
	$(BIN)/python -m pip install --quiet --group macos
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python packaging/check_macos.py $(ARCHITECTURES)

callgrind: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) '.[bench]' --group peers
	$(BIN)/python -m mainspring.benchmarks.callgrind

# What a fuzzer finds is left as a file in build/fuzz.
FUZZERS = byte_queue ready_queue timer_wheel write_queue
FUZZED_IN_PYTHON = addresses stream_reader tls_records
FUZZ_OPTIONS = -max_total_time=$(FUZZ) -max_len=4000 -timeout=30 -artifact_prefix=build/fuzz/ -verbosity=0 -print_final_stats=1
FUZZ_RUN = PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1

fuzz: $(BIN)/python
	command -v clang++ >/dev/null || { apt-get update -qq && apt-get install -y -qq clang >/dev/null; }
	$(BIN)/python -m pip install --quiet $(CONFIG) --group test cmake ninja pybind11 .
	$(CMAKE) --preset fuzz -DPython_EXECUTABLE="$(abspath $(BIN))/python" \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)"
	$(CMAKE) --build --preset fuzz --target fuzz_python $(FUZZERS:%=fuzz_%)
	for name in $(FUZZERS); do $(FUZZ_RUN) build/fuzz/tests/fuzz/fuzz_$$name $(FUZZ_OPTIONS) || exit 1; done
	for name in $(FUZZED_IN_PYTHON); do \
	  FUZZ_TARGET=$$name $(FUZZ_RUN) build/fuzz/tests/fuzz/fuzz_python $(FUZZ_OPTIONS) || exit 1; done
	MAINSPRING_MACHINE_EXAMPLES=$(MACHINES) $(BIN)/python -m pytest $(PYTEST) --timeout=0 tests/fuzz/test_machines.py

# Each with --loop mainspring, uvloop or asyncio in CAMPAIGN.
races load soak: campaign-environment

campaign-environment: $(BIN)/python
	$(BIN)/python -m pip install --quiet $(CONFIG) .
	$(BIN)/python -m pip install --quiet uvloop || echo 'campaigns: uvloop is not to be had for this Python'

races:
	$(BIN)/python tests/races --races $(RACES) $(CAMPAIGN)

load:
	$(BIN)/python tests/load $(CAMPAIGN)

soak:
	$(BIN)/python tests/soak --seconds $(SOAK) $(CAMPAIGN)

clean:
	rm -rf build .venv .venv-* results
