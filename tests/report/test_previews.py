"""What the kept model does, on the page: pictures within it, texts as texts, and a bound on both."""

from __future__ import annotations

import base64
import html
import re
import sys
from pathlib import Path

import pytest

from nas_rnn.experiment.stages.keeping import preview_files
from nas_rnn.publishing.report_data import make_report
from nas_rnn.report.previews import MOST_BYTES, MOST_LETTERS, previews
from nas_rnn.tasks import Preview

sys.path.insert(0, str(Path(__file__).resolve().parent))
from folders import SCRIPT, full_search
from page_checks import Page

PNG = b"\x89PNG of a picture"


def page_with(runs: Path, files: dict[str, bytes]) -> str:
    folder = full_search(runs, "search")
    for name, content in files.items():
        folder.write(f"best/{name}", content)
    return make_report(folder.name, runs=runs).read_text(encoding="utf-8")


def test_pictures_are_within_the_page_and_texts_are_texts(tmp_path: Path) -> None:
    text = page_with(
        tmp_path, {"a.txt": f"it wrote {SCRIPT}".encode(), "sheet.png": PNG, "weights.safetensors": b"x"}
    )
    page = Page(text)
    assert page.problems == [] and "preview" in page.sections and SCRIPT not in text
    section = text.partition('<section id="preview"')[2].partition("</section>")[0]
    (picture,) = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', section)
    assert base64.b64decode(picture[0]) == PNG and picture[1].startswith("sheet.png: ")
    assert html.escape(f"it wrote {SCRIPT}") in section
    assert section.index("sheet.png") < section.index("a.txt")
    assert "weights" not in section.replace("with the weights in", "")


def test_the_gradient_flow_s_own_pictures_are_no_previews(tmp_path: Path) -> None:
    text = page_with(tmp_path, {"gradient_flow.png": PNG})
    assert "preview" not in Page(text).sections


def test_a_preview_s_text_is_a_file_where_it_has_none() -> None:
    assert preview_files(Preview(text="ü", files={"a.png": PNG})) == {
        "a.png": PNG,
        "preview.txt": "ü".encode(),
    }
    assert preview_files(Preview(text="ü", files={"a.txt": b"x"})) == {"a.txt": b"x"}
    assert preview_files(Preview(files={"a.png": PNG})) == {"a.png": PNG}


@pytest.mark.parametrize("more", [0, 1])
def test_long_texts_are_cut_and_large_pictures_named(more: int) -> None:
    files = {
        "a.png": b"x" * (MOST_BYTES + more),
        "a.txt": ("ü" * (MOST_LETTERS + more)).encode(),
        "b.txt": b"\xff",
    }
    picture, text, broken = previews(files)
    assert bool(picture.picture) == (more == 0) and picture.name == "a.png"
    assert text.text == "ü" * MOST_LETTERS and text.cut == (more == 1)
    assert broken.text == "\ufffd"
