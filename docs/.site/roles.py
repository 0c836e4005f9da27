"""Docstrings are written for Sphinx, the site in Markdown: roles become links, ``::`` before code a colon."""

import re

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod):`([\w.]+)`")
_CODE_FOLLOWS = re.compile(r"(\S)?::$", re.MULTILINE)


def _link(role):
    name = role[1] if "." in role[1] else f"mainspring.{role[1]}"
    return f"[`{name}`][{name}]"


class Roles(griffe.Extension):
    """Rewrites every docstring that is loaded."""

    def on_object(self, *, obj, **keywords):
        if obj.docstring:
            text = _ROLE.sub(_link, obj.docstring.value)
            obj.docstring.value = _CODE_FOLLOWS.sub(lambda found: f"{found[1]}:" if found[1] else "", text)
