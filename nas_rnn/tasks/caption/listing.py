"""Which picture has which captions, as a file says it: what all formats are read into. Knows no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text, json_of
from nas_rnn.tasks.columns import UnreadableRow, numbered_rows
from nas_rnn.tasks.texts import require_file

MOST_BYTES = 1 << 30
"""Of a file of captions; those of all COCO come to 92 million."""
WHAT_WORKS = (
    "give COCO's annotations of captions (a JSON file), Flickr8k's captions.txt or Flickr8k.token.txt, or a folder "
    "with one of them and its pictures"
)


@dataclass
class Listing:
    """The captions of each picture by its file's name, in the order of the file.

    ``orphans`` counts captions of pictures that the file itself does not know.
    """

    path: Path
    captions: dict[str, list[str]] = field(default_factory=dict)
    orphans: int = 0

    def add(self, name: str, caption: str | None, where: str) -> None:
        """Take in a picture, with one caption more if there is one.

        Raises:
            UserError: for a name that leads out of the pictures' folder, or holds a backslash or what is not seen.
        """
        check_text(name, f"the name of a picture in {where}")
        path = Path(name)
        if not path.parts or path.anchor or ".." in path.parts:
            raise UserError(
                f"{where}: the picture's name {name!r} leads out of the folder of pictures; give names of files in it"
            )
        if "\\" in name:
            raise UserError(
                f"{where}: the picture's name {name!r} holds a backslash; write / between a folder and a file"
            )
        own = self.captions.setdefault(name, [])
        if caption is not None:
            own.append(caption)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file of captions.

    Raises:
        UserError: for a path that is missing, no file, not readable, empty, or too large.
    """
    require_file(path, WHAT_WORKS)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}; give a part of it")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error
    if not content.strip():
        raise UserError(f"{path} is empty; {WHAT_WORKS}")
    return content


def read_coco(path: Path) -> Listing:
    """Read COCO's annotations of captions (Chen et al. 2015, arXiv:1504.00325): ``images`` and ``annotations``.

    Raises:
        UserError: for a file that cannot be read, is no JSON, or has another content.
    """
    try:
        content = json_of(content_of(path))
    except ValueError as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"{path} is not JSON: {error}; {WHAT_WORKS}") from error
    images, annotations = (
        content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")
    )
    if not (isinstance(images, list) and isinstance(annotations, list)):
        raise UserError(
            f"{path} is not of COCO's format: an object with the lists 'images' and 'annotations'; {WHAT_WORKS}"
        )
    listing, names = Listing(path), dict[int | str, str]()
    for number, row in enumerate(images):
        key, name = _fields(row, "id", "file_name", f"{path}, images[{number}]")
        if names.setdefault(key, name) != name:
            raise UserError(
                f"{path}, images[{number}]: another picture has the id {key!r}; give each its own"
            )
        listing.add(name, None, f"{path}, images[{number}]")
    for number, row in enumerate(annotations):
        where = f"{path}, annotations[{number}]"
        if isinstance(row, dict) and "caption" not in row and {"bbox", "segmentation", "keypoints"} & {*row}:
            raise UserError(
                f"{where} marks an object and has no 'caption'; give COCO's captions, such as captions_val2017.json"
            )
        key, caption = _fields(row, "image_id", "caption", where)
        if key in names:
            listing.add(names[key], caption, where)
        else:
            listing.orphans += 1
    if annotations and listing.orphans == len(annotations):
        raise UserError(
            f"{path}: no annotation belongs to one of the {len(images):,} images: the first has the image_id "
            f"{annotations[0]['image_id']!r:.40}, the first image the id {next(iter(names), None)!r:.40}; give "
            "captions and images that belong together, with ids alike, numbers or texts"
        )
    return listing


def _fields(row: object, number: str, text: str, where: str) -> tuple[int | str, str]:
    """Return the fields of a row that are called so; raise `UserError` where it has none."""
    if isinstance(row, dict):
        key, content = row.get(number), row.get(text)
        if isinstance(key, int | str) and not isinstance(key, bool) and isinstance(content, str):
            return key, content
    raise UserError(
        f"{where} must be an object with {number!r}, a number, and {text!r}, a text; it is {row!r:.80}"
    )


def read_flickr(path: Path) -> Listing:
    """Read Flickr8k's captions (Hodosh, Young & Hockenmaier 2013), as either file of them has it.

    Lines of ``picture.jpg#0``, a tab and a caption; or a table with the header ``image,caption``.

    Raises:
        UserError: for a file that cannot be read, is not UTF-8, or has lines of another form.
    """
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        looks = " (it begins as UTF-16 does)" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise UserError(
            f"{path} is not UTF-8 text: byte {content[error.start]:#04x} at offset {error.start} cannot be decoded"
            f"{looks}; give a file saved as UTF-8"
        ) from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next(line for line in lines if line.strip())
    listing = Listing(path)
    rows = _tokens(path, lines) if "\t" in first else _table(path, lines, first)
    for number, name, caption in rows:
        listing.add(name, caption, f"{path}, line {number}")
    return listing


def _tokens(path: Path, lines: list[str]) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        head, tab, caption = line.partition("\t")
        name, sharp, which = head.rpartition("#")
        if not (tab and sharp and which.isdigit()):
            raise UserError(
                f"{path}, line {number} is {line[:60]!r}, where a picture's name with # and a number, a tab and a "
                "caption were expected, as in 'dog.jpg#0<TAB>A dog runs.'"
            )
        yield number, name, caption


def _table(path: Path, lines: list[str], first: str) -> Iterator[tuple[int, str, str]]:
    # With their ends, since a quoted caption may have several lines.
    rows = (
        (number, row)
        for number, row in numbered_rows((f"{line}\n" for line in lines), ",", strict=True)
        if row
    )
    try:
        _, header = next(rows)
        if [name.strip().lower() for name in header] != ["image", "caption"]:
            raise UserError(
                f"{path} begins with {first[:60]!r}, where the header 'image,caption' was expected; {WHAT_WORKS}"
            )
        for number, row in rows:
            if len(row) != 2:
                raise UserError(
                    f"{path}, line {number} has {len(row)} columns, where image and caption were expected; a caption "
                    "with commas stands in quotation marks"
                )
            yield number, row[0].strip(), row[1]
    except UnreadableRow as error:
        raise UserError(f"{path}, line {error.line} cannot be read: {error}; {WHAT_WORKS}") from error
