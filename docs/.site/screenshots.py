"""Makes docs/images/top.svg and docs/images/bench.svg again, of what the commands really print.

`python docs/.site/screenshots.py top` or `bench`, where mainspring is installed with the extras `top` and `bench`.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

SITE = Path(__file__).parent
IMAGES = SITE.parent / "images"


def printed(*command):
    """What a command of mainspring prints in a terminal with colours."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "110", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "mainspring", *command]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def first_table(text):
    """Only that: what follows tells of the machine."""
    lines = text.splitlines()
    (end, *_) = [number for number, line in enumerate(lines) if "└" in line]
    return "\n".join(lines[: end + 1])


def draw(name, command, text):
    """Save the text as a picture, with a font of the reader's machine: rich's would be fetched."""
    content = Text.from_ansi(text)
    # The command stands beside the window's buttons.
    width = max(len(command) + 16, *(len(line) for line in content.plain.splitlines()))
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(content)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title=f"$ {command}"), flags=re.DOTALL)
    (IMAGES / f"{name}.svg").write_text(drawn.replace("Fira Code, monospace", "monospace") + "\n")


def top():
    with subprocess.Popen([sys.executable, SITE / "service.py"], stdout=subprocess.PIPE, text=True) as service:
        try:
            url = service.stdout.readline().strip()
            text = printed("top", "--once", "--interval", "2", url)
        finally:
            service.kill()
    draw("top", "mainspring top http://localhost:8000/metrics", text)


def bench():
    loops, workloads = "mainspring,uvloop,rloop", ["call_soon, *", "sleep(0)*", "*cancelled", "*streams, 1 KiB x 10"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--rounds", "2", "--loops", loops, "--output", folder, "--workloads", *workloads]
        text = printed("bench", *options)
    draw("bench", f"mainspring bench --loops {loops} --workloads ...", first_table(text))


{"top": top, "bench": bench}[sys.argv[1]]()
