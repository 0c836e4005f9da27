"""Try everything on one kind of loop."""

import faulthandler
import importlib
import json
import sys

from helpers.abilities import KINDS, PROBES, connections, operating, processes, scheduling  # noqa: F401  # they register the probes

module, name = KINDS[sys.argv[1]]
new_loop = getattr(importlib.import_module(module), name)
# A loop that hangs for good ends the process, and with it the test.
faulthandler.dump_traceback_later(90, exit=True)
loop = new_loop()
loop.close()
failures = {}
for title, probe in PROBES.items():
    try:
        probe(new_loop)
    except Exception as error:
        failures[title] = f"{type(error).__name__}: {error}"
    else:
        failures[title] = None
print(json.dumps({"class": f"{type(loop).__module__}.{type(loop).__qualname__}", "failures": failures}))
