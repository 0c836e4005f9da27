"""Checks a source archive: ``python packaging/check_sdist.py ARCHIVE``, from the root of the repository.

It has all files that the repository has, and nothing else but PKG-INFO.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile


def main(archive: str) -> None:
    with tarfile.open(archive) as file:
        packed = {name.partition("/")[2] for name in file.getnames()}
    tracked = set(subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines())
    if more := sorted(packed - tracked - {"PKG-INFO"}):
        raise SystemExit(f"check_sdist: {archive} has what the repository has not: {', '.join(more[:10])}")
    if missing := sorted(tracked - packed):
        raise SystemExit(f"check_sdist: {archive} lacks {', '.join(missing[:10])}")
    print(f"check_sdist: {archive} has the {len(tracked)} files of the repository")


if __name__ == "__main__":
    main(sys.argv[1])
