"""Small pictures with captions, written as users have them: COCO's JSON, and both of Flickr8k's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (250, 250, 250)}
PLACES = {"left": (0, 0, 8, 16), "right": (8, 0, 16, 16)}


def caption_of(number: int) -> tuple[str, str]:
    colours, places = list(COLOURS), list(PLACES)
    return colours[number % len(colours)], places[number // len(colours) % len(places)]


def picture(number: int) -> Image.Image:
    """Return a dark picture with a coloured bar; no two are the same."""
    colour, place = caption_of(number)
    made = Image.new("RGB", (16, 16), (number % 50, number // 50 % 50, 20))
    made.paste(COLOURS[colour], PLACES[place])
    return made


def write_pictures(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:04}.png" for number in range(count)]
    for number, name in enumerate(names):
        picture(number).save(folder / name)
    return names


def texts_of(number: int, references: int) -> list[str]:
    colour, place = caption_of(number)
    return [f"A {colour} bar at the {place}.", f"{place}: {colour}!", f"The {place} is {colour}"][:references]


def coco(names: list[str], references: int = 2) -> dict[str, Any]:
    return {
        "info": {},
        "images": [{"id": 7 * number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": 10 * number + place, "image_id": 7 * number, "caption": text}
            for number in range(len(names))
            for place, text in enumerate(texts_of(number, references))
        ],
    }


def write_coco(folder: Path, count: int = 60, references: int = 2) -> Path:
    """Return captions.json, beside which the folder images lies."""
    path = folder / "captions.json"
    path.write_text(json.dumps(coco(write_pictures(folder / "images", count), references)), encoding="utf-8")
    return path
