"""Reads a page as a browser would, and notes what it should not have."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}
LEAVING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "formaction", "background"}


class Page(HTMLParser):
    """A page's elements: ``problems`` of its form, where it points, its ids, its sections, its text by tag."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.sections: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if "svg" not in self._open:
            self.problems.append(f"<{tag}/> outside a picture")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        code = self._open[-1:] in (["style"], ["script"])
        (self.styles if code else self.texts).append(data)

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        self.problems += [f"{name} twice in <{tag}>" for name in set(names) if names.count(name) > 1]
        for name, value in attrs:
            text = value or ""
            if name == "id":
                self.ids.append(text)
            if name in LEAVING:
                self.targets.append(text)
            self.targets += re.findall(r"url\(([^)]*)\)", text)
            if name.startswith("on"):
                self.handlers.append(name)
            if name == "style":
                self.styles.append(text)
        if tag == "section":
            self.sections.append(dict(attrs).get("id") or "")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())
