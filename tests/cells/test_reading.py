"""Reading the text form: it gives a cell that reads back equal, or refuses and says why; nothing is run."""

from __future__ import annotations

import ast
import copy
import random
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.cells import Cell, CellError, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.cells.zoo.lstm_ablations import lstm_fgr


def outcome(text: str) -> Cell | None:
    """Read ``text``: a cell that reads back equal, or None where it was refused in the way it must be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            cell = parse_cell(text)
        except CellError as error:
            assert str(error)
            return None
    assert parse_cell(cell.to_text()) == cell
    return cell


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet=st.sampled_from("@celldf(x,h):\n =+-*/.0123tanhretur\"'\\#")))
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome(text)


STARTS = """\
def f(x, h=state(init=1), c=state(size="input")):
    g = -scalar(2) / 3 - h
    return g, x - c
"""
SEED_TEXTS = [lstm.to_text(), gru.to_text(), lstm_fgr.to_text(), STARTS]
FRAGMENTS = [
    "(", ")", ",", "=", "h", "x", "c", "*", "**", "@", ":", "\n", "    ", "1", "1e999", "-", "lambda h: h",
    "tanh", "linear", "bias=", "heads=", "heads=3", "scalar(1)", "state(", "None", "True", "'s'", "[h]",
    "{h}", "h[0]", "h.T", "if h: pass", "\t", "return ", "# note", '"""', "\\", ";", "def g(x, h):", ":=",
    "for h in x", "*h", "**h", "...", "\x0c", "é", "ｈ", "\ufeff",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEED_TEXTS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.sampled_from(FRAGMENTS)), max_size=4),
)
def test_mutated_texts_are_read_or_refused(text: str, edits: list[tuple[float, int, str]]) -> None:
    for place, removed, inserted in edits:
        start = int(place * len(text))
        text = text[:start] + inserted + text[start + removed :]
    outcome(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEED_TEXTS), st.sampled_from(SEED_TEXTS), st.integers(0, 2**32))
def test_mutated_trees_are_read_or_refused(text: str, other: str, seed: int) -> None:
    """Put any expression or statement of one text in place of any other."""
    rng = random.Random(seed)
    tree = ast.parse(text)
    donors = [node for node in ast.walk(ast.parse(other)) if isinstance(node, (ast.expr, ast.stmt))]
    for _ in range(rng.randint(1, 3)):
        places = [
            (parent, field, position)
            for parent in ast.walk(tree)
            for field, children in ast.iter_fields(parent)
            for position, child in enumerate(children if isinstance(children, list) else [children])
            if isinstance(child, (ast.expr, ast.stmt))
        ]
        parent, field, position = rng.choice(places)
        old = getattr(parent, field)
        kind = ast.stmt if isinstance(old[position] if isinstance(old, list) else old, ast.stmt) else ast.expr
        new = copy.deepcopy(rng.choice([donor for donor in donors if isinstance(donor, kind)]))
        if isinstance(old, list):
            old[position] = new
        else:
            setattr(parent, field, new)
    outcome(ast.unparse(tree))


def body(*lines: str) -> str:
    return "\n    ".join(["@cell\ndef f(x, h):", *lines]) + "\n"


READ = {
    "no decorator": "def f(x, h):\n    return linear(x, h)",
    "CRLF": body("g = linear(x, h)", "return g").replace("\n", "\r\n"),
    "tabs": body("return linear(x, h)").replace("    ", "\t"),
    "byte order mark": "\ufeff" + body("return linear(x, h)"),
    "form feed": "\x0c" + body("return linear(x, h)"),
    "comments": "# one\n" + body("# two", "return linear(x, h)  # three"),
    "semicolons": body("g = linear(x); return g + h"),
    "backslash in a docstring": body(r'"""a \d stray backslash"""', "return linear(x, h)"),
    "quotes in a docstring": body("'''it says \"\"\"so\"\"\"'''", "return linear(x, h)"),
    "digits": body("return linear(x, h) * 0x10 * 1_000"),
    "other alphabets": body("λ = linear(x, h)", "return λ"),
    "look-alike letters": body("return linear(ｘ, ｈ)"),
    "a number by name": body("two = 2", "return two * linear(x, h) + two"),
    "another name for a value": body("g = linear(x, h)", "k = g", "return k * g"),
    "a word as a name": body("exp = linear(x, h)", "return tanh(exp)"),
    "a name as its own word": body("tanh = tanh(linear(x, h))", "return tanh(tanh)"),
    "start and size": 'def f(x, h, m=state(init=-10.0), p=state(size="input")):\n return linear(x, h), m, p',
}


@pytest.mark.parametrize("name", READ)
def test_is_read(name: str) -> None:
    assert outcome(READ[name]) is not None


REFUSED = {
    "empty": ("", "line 1: a cell's text is one function"),
    "two functions": (body("return h") + body("return h"), "line 5: a cell's text is one function"),
    "an import before it": ("import os\n" + body("return h"), "line 1: a cell's text is one"),
    "a call after it": (body("return h") + "print(f)\n", "nothing else"),
    "async": ("async def f(x, h):\n    return h", "one function"),
    "class": ("class f: pass", "one function"),
    "no syntax": ("def f(x, h", "line 1: not valid as a cell's text"),
    "null byte": ("def f(x, h):\n    return h\x00", "holds '\\x00' (U+0000) as character 32"),
    "a surrogate": ("def f(x, h):\n    return '\ud800'", "not valid"),
    "U+2028": ("def f(x, h):\u2028    return h", "not valid"),
    "decorator": ("@other\n" + body("return h"), "the only decorator is @cell, not @other"),
    "decorator call": ("@cell()\n" + body("return h"), "not @cell()"),
    "annotation": ("def f(x: int, h):\n    return h", "no annotations"),
    "return annotation": ("def f(x, h) -> int:\n    return h", "no annotations"),
    "type parameters": ("def f[T](x, h):\n    return h", "line 1"),
    "*args": ("def f(x, *h):\n    return h", "plain names"),
    "**kwargs": ("def f(x, h, **k):\n    return h", "plain names"),
    "keyword only": ("def f(x, h, *, k):\n    return h", "plain names"),
    "positional only": ("def f(x, /, h):\n    return h", "plain names"),
    "no state": ("def f(x):\n    return x", "at least one state path"),
    "input default": ("def f(x=state(), h=state()):\n    return h", "the input 'x' has no default"),
    "other default": ("def f(x, h=0):\n    return h", "the default of 'h' must be state(...), not 0"),
    "default that runs": ("def f(x, h=__import__('os').system('x')):\n    return h", "must be state(...)"),
    "state by position": ("def f(x, h=state(1)):\n    return h", "by name"),
    "state option": ("def f(x, h=state(start=1)):\n    return h", "no option 'start'"),
    "state size": ("def f(x, h=state(size=3)):\n    return h", "'hidden' or 'input', not 3"),
    "state start": ("def f(x, h=state(init='a')):\n    return h", "takes a number, not 'a'"),
    "infinite start": ("def f(x, h=state(init=1e999)):\n    return h", "start at a finite number, not inf"),
    "duplicate parameter": ("def f(x, h, h):\n    return h, h", "two parameters are named 'h'"),
    "parameter named as a word": ("def f(x, linear):\n    return linear", "'linear' is a word"),
    "parameter named as a word in use": ("def f(x, tanh):\n    return tanh(tanh)", "'tanh' is a word"),
    "only a docstring": (body("'''doc'''"), "ends with `return`"),
    "no return": (body("g = h"), "ends with `return`"),
    "bare return": (body("return"), "ends with `return`"),
    "return inside": (body("return h", "return h"), "a final `return`"),
    "return count": (body("return h, h"), "line 3: returns 2 value(s) for 1 state path(s) (h)"),
    "tuple assignment": (body("a, b = h, x", "return a"), "only `name = expression`"),
    "two targets": (body("a = b = h", "return a"), "not `a = b = h`"),
    "augmented": (body("h += x", "return h"), "not `h += x`"),
    "annotated assignment": (body("g: int = h", "return g"), "only `name = expression`"),
    "attribute assignment": (body("h.a = h", "return h"), "only `name = expression`"),
    "if": (body("if h: h = x", "return h"), "not `if h:`"),
    "loop": (body("for i in x: h = i", "return h"), "only `name = expression`"),
    "with": (body("with h: pass", "return h"), "only `name = expression`"),
    "delete": (body("del h", "return x"), "only `name = expression`"),
    "nested function": (body("def g(): pass", "return h"), "only `name = expression`"),
    "assigning to a word": (body("linear = h", "return linear"), "'linear' is a word"),
    "import": (body("import os", "return h"), "only `name = expression`"),
    "attribute": (body("return h.T"), "`h.T` is not part of the language"),
    "module function": (body("return math.tanh(h)"), "`math.tanh(h)` is not part of the language"),
    "subscript": (body("return h[0]"), "`h[0]` is not part"),
    "power": (body("return h ** 2"), "`h ** 2` is not part"),
    "big power": (body("return h * 10 ** 400"), "`10 ** 400` is not part"),
    "matrix product": (body("return h @ x"), "`h @ x` is not part"),
    "unary plus": (body("return +h"), "`+h` is not part"),
    "comparison": (body("return h > 0"), "`h > 0` is not part"),
    "choice": (body("return h if x else x"), "is not part"),
    "lambda": (body("return (lambda: h)()"), "is not part"),
    "walrus": (body("return (g := h)"), "is not part"),
    "f-string": (body("return f'{h}'"), "is not part"),
    "comprehension": (body("return [h for h in x]"), "is not part"),
    "starred call": (body("return linear(*h)"), "written out one by one"),
    "starred options": (body("return linear(h, **h)"), "no option None"),
    "string": (body("return 'h'"), "only numbers stand here, not 'h'"),
    "truth value": (body("return h * True"), "only numbers stand here, not True"),
    "minus a truth value": (body("return h * -True"), "only numbers stand here, not True"),
    "imaginary": (body("return h * 1j"), "only numbers stand here, not 1j"),
    "infinite number": (body("return h * 1e999"), "numbers must be finite, not inf"),
    "large number": (body("return h * 1" + 400 * "0"), "too large"),
    "very large number": (body("return h * 1" + 5000 * "0"), "not valid"),
    "unknown value": (body("return g"), "unknown value 'g'"),
    "value before its line": (body("a = b", "b = h", "return a"), "unknown value 'b'"),
    "dunder": (body("return __import__('os')"), "unknown word '__import__'"),
    "misspelt word": (body("return sigmod(h)"), "unknown word 'sigmod'; did you mean 'sigmoid'?"),
    "infix by name": (body("return add(h, x)"), "unknown word 'add'"),
    "too many arguments": (body("return tanh(h, h)"), "f, line 3: tanh takes 1 argument(s), not 2"),
    "too few arguments": (body("return tanh()"), "f, line 3: tanh takes 1 argument(s), not 0"),
    "empty linear": (body("return linear()"), "f, line 3: linear(...) takes at least one value"),
    "diagonal of two": (body("return diagonal(h, x)"), "diagonal(...) takes one value, not 2"),
    "option of a word": (body("return tanh(h, bias=1)"), "tanh(...) takes no options"),
    "option of linear": (body("return linear(h, bais=1)"), "no option 'bais'; did you mean 'bias'?"),
    "option twice": (body("return linear(h, bias=1, bias=2)"), "stands twice"),
    "bias of text": (body("return linear(h, bias='a')"), "line 3: linear(bias=...) is a number or None"),
    "bias of a value": (body("return linear(h, bias=h)"), "only numbers stand here, not h"),
    "broken heads": (body("return linear(h, heads=1.5)"), "whole number, not 1.5"),
    "no heads": (body("return linear(h, heads=0)"), "heads is a whole number from 1 to 4096, not 0"),
    "scalar of a value": (body("return scalar(h) * h"), "only numbers stand here"),
    "scalar of text": (body("return scalar('a') * h"), "takes a number, not 'a'"),
    "scalar of nothing": (body("return scalar() * h"), "takes one number"),
    "a keyword in other letters": (body("𝐢𝐟 = linear(x, h)", "return 𝐢𝐟"), "identifier, not 'if'"),
    "__debug__": (body("__debug__ = linear(x, h)", "return __debug__"), "identifier, not '__debug__'"),
    "deep brackets": (body("return " + "(" * 5000 + "h" + ")" * 5000), "line"),
    "deep calls": (body("return " + "tanh(" * 80 + "h" + ")" * 80), "at most 60 deep; name a part of it"),
    "deep minus": (body("return " + "-" * 5000 + "h"), ""),
    "deep sums": (body("return " + "h + " * 20000 + "h"), ""),
    "deep attributes": (body("return h" + ".a" * 700), "is not part of the language"),
    "deep decorator": ("@cell" + ".a" * 700 + "\ndef f(x, h):\n    return h", "the only decorator is @cell"),
    "too long": (body("return h") + "#" * 300_000, "at most 200,000 characters, not 300,"),
    "too many nodes": (body(*(f"a{i} = tanh(h)" for i in range(3000)), "return h"), "at most 2000 nodes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_and_says_why(name: str) -> None:
    text, message = REFUSED[name]
    assert outcome(text) is None
    with pytest.raises(CellError) as caught:
        parse_cell(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("thing", [None, b"def f(x, h): return h", 3])
def test_only_a_string_is_a_text(thing: Any) -> None:
    with pytest.raises(CellError, match="a cell's text is a string"):
        parse_cell(thing)


def test_reading_executes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No function of Python's that runs code is met on the way."""

    def forbidden(*arguments: object, **options: object) -> None:
        raise AssertionError("code was run")

    compile_ = compile

    def only_trees(source: Any, filename: Any, mode: str, flags: int = 0, *rest: Any, **options: Any) -> Any:
        assert flags & ast.PyCF_ONLY_AST
        return compile_(source, filename, mode, flags, *rest, **options)

    monkeypatch.setattr("builtins.exec", forbidden)
    monkeypatch.setattr("builtins.eval", forbidden)
    monkeypatch.setattr("builtins.compile", only_trees)
    assert parse_cell(lstm.to_text()) == lstm
    with pytest.raises(CellError):
        parse_cell(body("return __import__('os').system('true')"))
