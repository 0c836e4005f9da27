"""Makes docs/images/top.svg and docs/images/bench.svg again, of what the commands really print.

`python docs/.site/screenshots.py top` or `bench RESULT.json...`, where mainspring is installed with these extras.
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
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "170", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "mainspring", *command]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


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


def bench(*results):
    with tempfile.TemporaryDirectory() as folder:
        text = printed("bench", "--from", *results, "--output", folder)
    # The first screen of a high terminal.
    draw("bench", "mainspring bench", "\n".join(text.splitlines()[:40]))


command, *arguments = sys.argv[1:]
{"top": top, "bench": bench}[command](*arguments)
