"""What a callgrind profile says, by the code that the instructions are in."""

from mainspring.benchmarks.callgrind_profile import ASYNCIO, INTERPRETER, LIBRARIES, LOOP, by_object, by_part, part_of

PROFILE = """\
# callgrind format
version: 1
events: Ir
ob=(1) /usr/lib/libpython3.13.so.1.0
fl=(1) eval.c
fn=(1) run
10 100
+3 20
cob=(2) /venv/site-packages/mainspring/_core.so
cfn=(2) call_soon
calls=5 0
* 300

ob=(2)
fn=(2)
-2 290
calls=1 0
+1 7
0x1f 3
ob=(3) /usr/lib/libc.so.6
fn=(3) memcpy
10 7
totals: 420
"""


def test_the_instructions_of_each_object_are_those_of_its_own_code():
    assert by_object(PROFILE.splitlines()) == {
        "/usr/lib/libpython3.13.so.1.0": 120,
        "/venv/site-packages/mainspring/_core.so": 293,
        "/usr/lib/libc.so.6": 7,
    }


def test_they_are_added_up_by_part():
    parts = by_part(by_object(PROFILE.splitlines()), "mainspring")
    assert parts == {INTERPRETER: 120, LOOP: 293, LIBRARIES: 7}


def test_whose_code_a_file_is():
    assert part_of("/usr/bin/python3.14", "mainspring") == INTERPRETER
    assert part_of("/usr/lib/python3.14/lib-dynload/_asyncio.cpython-314-x86_64-linux-gnu.so", "mainspring") == ASYNCIO
    assert part_of("/usr/lib/libuv.so.1.0.0", "mainspring") == LOOP
    assert part_of("/home/mainspring/venv/lib/site-packages/mainspring/_core.so", "mainspring") == LOOP
    assert part_of("/home/mainspring/venv/lib/site-packages/uvloop/loop.so", "uvloop") == LOOP
    assert part_of("/home/mainspring/venv/lib/site-packages/uvloop/loop.so", "mainspring") == LIBRARIES
