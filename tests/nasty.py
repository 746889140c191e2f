"""Texts that end what they are written into, and what tells whether a Python source has more in it than it should."""

from __future__ import annotations

import ast

SEEN = {
    "letters": "naïve 日本語",
    "quote": "it's",
    "double quote": 'say "so"',
    "triple quotes": 'x""" ; {run} ; """',
    "single triple quotes": "x''' ; {run} ; '''",
    "backslash at the end": "x\\",
    "backslash and quotes": '\\"""; {run}; """',
    "comment": "x # {run}",
    "end of a comment": "x */ {run}; /*",
    "C++ comment": "x // \\",
    "closing tag": "</script><script>{run}</script>",
    "closing pre": "</pre></td></svg><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "shell": "$(touch ran) ${{HOME}} `touch ran`; touch ran",
    "SQL": "'; DROP TABLE runs; --",
    "fields": "{{0}} {{a.__class__}} %s %(x)s @NAME@ __NAME__ {{{{",
    "TOML": '"""\n[x]'.replace("\n", " "),
    "markdown link": "[x](javascript:alert(1)) ![y](http://example.com/y)",
    "fence": "x ``` <b>y</b>",
    "LaTeX": r"\input{{/etc/passwd}} $ \end{{aligned}} % &",
    "pipe": "a | b \\| c",
}
"""By what they try; ``{run}`` is where a payload goes, so other braces are doubled."""

UNSEEN = {
    name: f"x{character}{{run}}{character}y"
    for name, character in {
        "carriage return": "\r",
        "NUL": "\x00",
        "escape": "\x1b[2J",
        "form feed": "\x0c",
        "vertical tab": "\x0b",
        "file separator": "\x1c",
        "next line": "\x85",
        "line separator": "\u2028",
        "paragraph separator": "\u2029",
        "right-to-left override": "\u202e",
        "isolate": "\u2067",
        "surrogate": "\ud800",
    }.items()
}

NEWLINE = {"newline": "x\n{run}\n", "newline, indented": "x\n    {run}\n    ", "CR LF": "x\r\n{run}\r\n"}

NASTY = SEEN | UNSEEN | NEWLINE


def filled(name: str, run: str = "print()") -> str:
    """Return the text called ``name``, with ``run`` as what it would have run."""
    return NASTY[name].format(run=run)


def shape(source: str) -> str:
    """Return the syntax tree of ``source`` with every string masked: what it does, whatever it says."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = "masked"
    return ast.dump(tree)
