"""Where captions and their pictures lie: a file, or a folder with one, and what of it can be used. Knows no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.outside import is_file
from nas_rnn.tasks.caption.listing import WHAT_WORKS, Listing, read_coco, read_flickr
from nas_rnn.tasks.caption.words import words_of
from nas_rnn.tasks.texts import listed_folder

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
"""What files of pictures end in, where those without a caption are counted."""


@dataclass(frozen=True)
class Entry:
    """A picture's file, and the tokens of its captions."""

    path: Path
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How captions are read: ``by`` words or characters, at most ``longest`` of them, ``references`` a picture.

    ``images`` is the folder of pictures, by its path from the file of captions, "" where it is to be found.
    """

    by: str
    longest: int
    references: int
    images: str = ""


@dataclass(frozen=True)
class Found:
    """The pictures to train and validate on, those to test on where the data have a part of their own, and counts.

    ``left_out`` counts what is not used: "without_picture", "empty", "long" and "more" captions, "without_caption"
    pictures.
    """

    fit: list[Entry]
    test: list[Entry] | None
    left_out: Mapping[str, int]


def find(source: Path, reading: Reading) -> Found:
    """Return the pictures with captions of a file or folder.

    Of a folder with captions of two parts, such as captions_train2017.json and captions_val2017.json, the first is
    there to train and validate on, the second to test on.

    Raises:
        UserError: where there is none, or nothing says which; the message says what would work.
    """
    if not source.exists():
        raise UserError(f"there is no {source}; {WHAT_WORKS}")
    files = _files(source) if source.is_dir() else [source]
    left_out = Counter[str]()
    listings = [_read(path) for path in files]
    folders = [_picture_folder(listing, reading.images) for listing in listings]
    entries = [_entries(*both, reading, left_out) for both in zip(listings, folders, strict=True)]
    left_out["without_caption"] += sum(_bare(folder, listings, folders) for folder in dict.fromkeys(folders))
    return Found(entries[0], entries[1] if len(entries) > 1 else None, dict(left_out))


def _read(path: Path) -> Listing:
    listing = read_coco(path) if path.suffix.lower() == ".json" else read_flickr(path)
    if not listing.captions:
        raise UserError(f"{path} holds no picture; {WHAT_WORKS}")
    return listing


def _bare(folder: Path, listings: Sequence[Listing], folders: Sequence[Path]) -> int:
    """Return how many pictures of a folder stand in none of the listings that have theirs there."""
    listed = {
        Path(name).name
        for listing, own in zip(listings, folders, strict=True)
        if own == folder
        for name in listing.captions
    }
    return sum(
        path.suffix.lower() in PICTURES and path.name not in listed and not path.name.startswith(".")
        for path in listed_folder(folder)
    )


def _files(folder: Path) -> list[Path]:
    """Return the file of captions in a folder, or that to train on and that to test on."""
    inside = [
        path for place in (folder, folder / "annotations") if place.is_dir() for path in listed_folder(place)
    ]
    known = sorted(path for path in inside if path.is_file() and not path.name.startswith("."))
    json_files = [path for path in known if path.suffix.lower() == ".json"]
    named = [path for path in json_files if "caption" in path.name.lower()]
    texts = [
        path
        for path in known
        if path.suffix.lower() in (".txt", ".csv", ".tsv")
        and (path.stem.lower() in ("captions", "results") or "token" in path.name.lower())
        and "lemma" not in path.name.lower()  # Flickr8k has its captions twice
    ]
    found = named or texts or json_files
    if not found:
        raise UserError(f"{folder} holds no file of captions; {WHAT_WORKS}")
    if len(found) == 1:
        return found
    train = [path for path in found if "train" in path.name.lower()]
    other = [path for path in found if "val" in path.name.lower()] or [
        p for p in found if "test" in p.name.lower()
    ]
    if len(train) == len(other) == 1:
        return [*train, *other]
    names = ", ".join(path.name for path in found)
    raise UserError(f"cannot tell which files of {folder} to read: {names}; give one of them with --data")


def _entries(listing: Listing, folder: Path, reading: Reading, left_out: Counter[str]) -> list[Entry]:
    left_out["without_picture"] += listing.orphans
    entries = list[Entry]()
    for name, texts in listing.captions.items():
        if not is_file(folder / name):
            left_out["without_picture"] += len(texts)
            continue
        tokens = [tuple(words_of(text, reading.by)) for text in texts]
        left_out["empty"] += sum(not own for own in tokens)
        left_out["long"] += sum(len(own) > reading.longest for own in tokens)
        usable = [own for own in tokens if 0 < len(own) <= reading.longest]
        left_out["more"] += max(0, len(usable) - reading.references)
        if usable:
            entries.append(Entry(folder / name, tuple(usable[: reading.references])))
        else:
            left_out["without_caption"] += 1
    if not entries:
        raise UserError(
            f"{listing.path} holds no caption of 1 to {reading.longest} {reading.by}s of a picture in {folder}; "
            f"{WHAT_WORKS}"
        )
    return entries


def _picture_folder(listing: Listing, given: str) -> Path:
    """Return the folder in which most of the listed pictures lie: the one that is given, or one beside the file.

    Raises:
        UserError: where none of them holds one.
    """
    beside = listing.path.parent
    part = listing.path.stem.rpartition("_")[2]  # captions_val2017.json goes with val2017
    usual = [
        place / name
        for place in (beside, beside.parent)
        for name in ("images", "Images", part, "Flicker8k_Dataset", "Flickr8k_Dataset")
    ]
    places = [beside / given] if given else [*usual, beside]
    counts = {place: sum(is_file(place / name) for name in listing.captions) for place in places}
    if any(counts.values()):
        return max(counts, key=lambda place: counts[place])
    first = next(iter(listing.captions))
    if given:
        raise UserError(
            f"{places[0]} holds none of the pictures that {listing.path} lists, such as {first!r}; option images is "
            "the folder of pictures, by its path from the file of captions"
        )
    raise UserError(
        f"none of the pictures that {listing.path} lists, such as {first!r}, lies beside it or in a folder images; "
        "give their folder with --task-option images=FOLDER, by its path from the file of captions"
    )
