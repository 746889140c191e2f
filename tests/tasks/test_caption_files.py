"""Files of captions: COCO's, Flickr8k's, folders with them, pictures that cannot be read, and what is told."""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.caption import Caption
from nas_rnn.tasks.caption.features import load_weights
from nas_rnn.tasks.caption.floors import rows_of
from nas_rnn.tasks.vocabulary import SPECIAL
from tests.tasks.caption_files import coco, picture, texts_of, write_coco, write_pictures


def load(source: Path, **options: Any) -> TaskData:
    return Caption(size=16, **options).load(source)


def refused(source: Path, message: str, **options: Any) -> None:
    with pytest.raises(UserError) as caught:
        load(source, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def pairs(data: TaskData) -> dict[bytes, list[str]]:
    tokens = data.meta["tokens"]
    return {
        pixels.tobytes(): [" ".join(tokens[symbol - len(SPECIAL)] for symbol in row) for row in rows_of(own)]
        for part in data.parts.values()
        for pixels, own in zip(part["pictures"], part["references"], strict=True)
    }


def pixels(number: int) -> bytes:
    return np.ascontiguousarray(np.asarray(picture(number)).transpose(2, 0, 1)).tobytes()


def expected(count: int, references: int) -> dict[bytes, list[str]]:
    signs = str.maketrans("", "", ".:!")
    return {
        pixels(number): [text.lower().translate(signs) for text in texts_of(number, references)]
        for number in range(count)
    }


def counts(data: TaskData) -> list[int]:
    return [len(part["references"]) for part in data.parts.values()]


def test_cocos_captions_go_with_their_pictures(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    assert pairs(load(path)) == expected(60, 2)
    assert pairs(load(tmp_path)) == expected(60, 2)
    assert pairs(load(path, references=1)) == expected(60, 1)
    assert counts(load(path)) == [45, 6, 9]
    assert sum(counts(load(path, pictures=30))) == 30
    assert counts(load(path)) == [len(part["references"]) for part in load(path, colour=False).parts.values()]
    assert load(path, colour=False).meta["shape"] == [1, 16, 16]


def test_cocos_own_parts(tmp_path: Path) -> None:
    for part, count in (("train2017", 40), ("val2017", 12)):
        (tmp_path / "annotations").mkdir(exist_ok=True)
        names = write_pictures(tmp_path / part, 52)[-count:]
        for name in {path.name for path in (tmp_path / part).iterdir()} - {*names}:
            (tmp_path / part / name).unlink()
        content = coco(names)
        (tmp_path / "annotations" / f"captions_{part}.json").write_text(json.dumps(content))
        (tmp_path / "annotations" / f"instances_{part}.json").write_text("{}")
    # the 12 pictures of val2017 stand in train2017, too: no picture is in two parts
    data = load(tmp_path)
    assert counts(data) == [25, 3, 12]


@pytest.mark.parametrize("kind", ["table", "tokens"])
def test_flickrs_files(tmp_path: Path, kind: str) -> None:
    names = write_pictures(tmp_path / "Images", 30)
    if kind == "table":
        rows = [f'{name},"{text}"' for n, name in enumerate(names) for text in texts_of(n, 3)]
        (tmp_path / "captions.txt").write_text("\n".join(["image,caption", *rows]) + "\n")
    else:
        rows = [
            f"{name}#{p}\t{text}" for n, name in enumerate(names) for p, text in enumerate(texts_of(n, 3))
        ]
        (tmp_path / "Flickr8k.lemma.token.txt").write_text("the same, otherwise")
        (tmp_path / "dataset.json").write_text("{}")
        (tmp_path / "Flickr8k.token.txt").write_bytes(("\ufeff" + "\r\n".join(rows)).encode())
    assert pairs(load(tmp_path)) == expected(30, 3)


def test_parts_that_share_a_folder_leave_no_picture_out(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 53)
    for part, own in (("train", names[:40]), ("val", names[40:52])):
        (tmp_path / f"captions_{part}.json").write_text(json.dumps(coco(own)))
    task = Caption(size=16)
    data = task.load(tmp_path)
    assert counts(data) == [36, 4, 12]
    (told,) = (one for one in task.notices(data) if "left out" in one)
    assert told.startswith("1 pictures have no caption")


def test_a_folder_is_that_of_most_pictures_whichever_are_missing(tmp_path: Path) -> None:
    path = write_coco(tmp_path)
    for number in range(25):
        (tmp_path / "images" / f"{number:04}.png").unlink()
    write_pictures(tmp_path / "Images", 1)
    assert sum(counts(load(path))) == 35


def test_a_name_may_have_a_colon(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 30)
    (tmp_path / "images" / names[0]).rename(tmp_path / "images" / "10:30.png")
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(coco(["10:30.png", *names[1:]])))
    assert pairs(load(path)) == expected(30, 2)


def test_options_that_would_have_no_effect(tmp_path: Path) -> None:
    for name, value in (("images", "foo"), ("colour", False), ("pictures", 7)):
        with pytest.raises(UserError, match=f"option '{name}' says how a file is read; give one"):
            Caption(**{name: value}).load(None)
    path = write_coco(tmp_path, 20)
    refused(
        path, "option 'weights' names the weights of an extractor; set one (option extractor)", weights="/no"
    )


@pytest.mark.parametrize("size", [1, 3])
def test_a_picture_of_a_few_pixels_is_refused(tmp_path: Path, size: int) -> None:
    path = write_coco(tmp_path, 20)
    with pytest.raises(UserError, match=f"size={size} leaves too little .* use 0, or at least 4"):
        Caption(size=size).load(path)
    assert Caption(size=4, colour=False).load(path).meta["shape"] == [1, 4, 4]


def test_a_quoted_caption_may_have_several_lines(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 30)
    rows = [f'{name},"{texts_of(n, 1)[0].replace(" ", chr(10), 1)}"' for n, name in enumerate(names)]
    (tmp_path / "captions.txt").write_text("\n".join(["image,caption", *rows]) + "\n")
    assert pairs(load(tmp_path)) == expected(30, 1)


def test_a_quotation_mark_that_is_never_closed_is_told_where_it_opens(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 9)
    rows = [f"{name},one two" for name in names]
    rows = ["image,caption", *rows[:3], f'{names[3]},"one two', *rows * 1000]
    (tmp_path / "captions.txt").write_text("\n".join(rows) + "\n")
    refused(
        tmp_path,
        "captions.txt, line 5 cannot be read: a cell has more than 131,072 characters; is a quotation",
    )


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    path = write_coco(tmp_path / "texts")
    (tmp_path / "texts" / "images").rename(tmp_path / "photographs")
    refused(path, "none of the pictures that")
    assert pairs(load(path, images="../photographs")) == expected(60, 2)
    refused(path, "holds none of the pictures", images="../nowhere")


def test_ids_that_do_not_match(tmp_path: Path) -> None:
    content = coco(write_pictures(tmp_path / "images", 30))
    for annotation in content["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])
    (tmp_path / "captions.json").write_text(json.dumps(content))
    refused(
        tmp_path,
        "no annotation belongs to one of the 30 images: the first has the image_id '0', the first image the id 0",
    )


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 44)
    content = coco(names[:40])
    content["images"].append({"id": "new", "file_name": "missing.png"})
    content["images"].append({"id": "bare", "file_name": names[40]})
    content["annotations"] += [
        {"image_id": "new", "caption": "it is not there"},
        {"image_id": "nobody's", "caption": "of no picture"},
        {"image_id": 0, "caption": " ... "},
        {"image_id": 0, "caption": "word " * 50},
        {"image_id": 0, "caption": "one more"},
        {"image_id": 0, "caption": "and one more"},
    ]
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(content))
    task = Caption(size=16, references=3)
    told = " ".join(task.notices(task.load(path)))
    for said in (
        "2 captions are left out, since there is no such picture",
        "4 pictures have no caption that can be used",
        "1 captions are left out, since there is no word in them",
        "1 captions are left out, since they have more than 40 tokens",
        "1 captions are left out, since a picture has no more than 3",
    ):
        assert said in told


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    names, long = write_pictures(tmp_path / "images", 40), "x" * 300
    content, path = coco(names, 1), tmp_path / "captions.json"
    content["images"].insert(0, {"id": long, "file_name": f"{long}.png"})
    content["annotations"].append({"image_id": long, "caption": "it cannot be there"})
    path.write_text(json.dumps(content))
    assert sum(counts(load(path))) == 40
    refused(path, "holds none of the pictures", images=long)
    with pytest.raises(UserError, match="there is no file of weights"):
        load_weights(nn.Linear(1, 1), Path(long))
    task = Caption(size=16)
    data = task.load(path)
    model = task.build(data.meta, lambda size: nn.LSTM(size, 8), Regularisation(dropout=0.0))
    with pytest.raises(UserError, match="the prompt is the path of a picture; there is no file x"):
        task.preview(model, data, seed=0, options=PreviewOptions(prompt=long))


def test_references_stay_whole_where_training_lacks_a_word(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 40)
    content = coco(names, 1)
    for number, row in enumerate(content["annotations"]):
        row["caption"] += f" rare{number}"
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(content))
    task = Caption(size=16)
    data = task.load(path)
    assert all(any(f"rare{number}" in own[0] for own in pairs(data).values()) for number in range(40))
    assert "unknown" in " ".join(task.notices(data))
    few = load(path, vocabulary=5)
    assert few.meta["known"] == 5
    assert (few.part("train")["references"] == SPECIAL.index("<unk>")).any()


def test_the_same_picture_twice_is_one_item(tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "images", 30)
    (tmp_path / "images" / "twin.png").write_bytes((tmp_path / "images" / names[0]).read_bytes())
    content = coco([*names, "twin.png"], 1)
    content["annotations"][-1]["caption"] = "another view"
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(content))
    found = pairs(load(path))
    assert len(found) == 30
    assert found[pixels(0)] == [*expected(1, 1)[pixels(0)], "another view"]


WRONG: list[tuple[Any, str]] = [
    ("", "is empty"),
    ("{", "is not JSON"),
    (b"\xff\xfe{\x00}\x00x", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ([], "is not of COCO's format"),
    ({"images": {}, "annotations": []}, "is not of COCO's format"),
    ({"images": [], "annotations": []}, "holds no picture"),
    ({"images": ["a"], "annotations": []}, "images[0] must be an object with 'id'"),
    ({"images": [{"id": True, "file_name": "a.png"}], "annotations": []}, "images[0] must be an object"),
    ({"images": [{"id": 1, "file_name": "../../a.png"}], "annotations": []}, "leads out of the folder"),
    ({"images": [{"id": 1, "file_name": "/etc/a.png"}], "annotations": []}, "leads out of the folder"),
    ({"images": [{"id": 1, "file_name": "b\\a.png"}], "annotations": []}, "holds a backslash; write /"),
    ({"images": [{"id": 1, "file_name": "a\n.png"}], "annotations": []}, "holds '\\n'"),
    (
        {"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "annotations": []},
        "another picture has the id 1",
    ),
    ({"images": [], "annotations": [{"image_id": 1, "bbox": []}]}, "marks an object and has no 'caption'"),
    ({"images": [], "annotations": [{"image_id": 1, "caption": 3}]}, "annotations[0] must be an object"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_json_that_cannot_be_used(tmp_path: Path, content: Any, message: str) -> None:
    write_pictures(tmp_path / "images", 2)
    path = tmp_path / "captions.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    refused(path, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"  \n", "is empty"),
        (b"picture,text\na.png,one\n", "where the header 'image,caption' was expected"),
        (b"image,caption\n0000.png,one, two\n", "line 2 has 3 columns"),
        (b'image,caption\n0000.png,"one"two\n', "line 2 cannot be read"),
        (b"image,caption\n0000.png,caf\xe9\n", "is not UTF-8 text: byte 0xe9 at offset 26"),
        ("image,caption\n".encode("utf-16"), "it begins as UTF-16 does"),
        (b"0000.png#0\tone\n0001.png\ttwo\n", "line 2 is '0001.png\\ttwo'"),
        (b"0000.png#x\tone\n", "line 1 is"),
        (b"../0000.png#0\tone\n", "leads out of the folder"),
        (b"image,caption\n", "holds no picture"),
    ],
)
def test_flickr_files_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    write_pictures(tmp_path / "Images", 2)
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    refused(path, message)


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "there is no")
    refused(tmp_path, "holds no file of captions")
    for name in ("captions_a.json", "captions_b.json"):
        (tmp_path / name).write_text("{}")
    refused(tmp_path, "cannot tell which files of")


def test_data_that_cannot_be_learned_from(tmp_path: Path) -> None:
    path = write_coco(tmp_path, 3)
    refused(path, "has 3 pictures with captions, too few")
    content = coco([f"{number:04}.png" for number in range(3)], 1)
    for row in content["annotations"]:
        row["caption"] = "The same."
    path.write_text(json.dumps(content))
    refused(path, "has 3 pictures and one caption alone, 'the same'")
    write_coco(tmp_path, 20)
    refused(path, "holds no caption of 1 to 1 words", longest=1)
    for number in range(20):
        Image.new("RGB", (16 + number, 16), "red").save(tmp_path / "images" / f"{number:04}.png")
    refused(path, "of one even colour", colour=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cut", "cannot read the picture"),
        ("text", "cannot read the picture"),
        ("large", "12,000 x 10,000 pixels are more than 67,108,864"),
    ],
)
def test_pictures_that_cannot_be_read(tmp_path: Path, change: str, message: str) -> None:
    path = write_coco(tmp_path, 20)
    own = tmp_path / "images" / "0005.png"
    if change == "cut":
        own.write_bytes(own.read_bytes()[:60])
    elif change == "text":
        own.write_text("no picture")
    else:
        content = own.read_bytes()  # of which the head claims more than there is
        head = b"IHDR" + struct.pack(">II", 12_000, 10_000) + content[24:29]
        own.write_bytes(content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, message)
        refused(path, "0005.png")


def test_pictures_of_every_kind_are_read_as_they_are_meant(tmp_path: Path) -> None:
    path = write_coco(tmp_path, 20)
    folder = tmp_path / "images"
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(folder / "0000.png")
    Image.new("L", (30, 20), 7).save(folder / "0001.png")
    turned = Image.new("RGB", (64, 64), "black")
    turned.paste("white", (0, 0, 64, 32))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright
    turned.save(folder / "0002.jpg", exif=exif)
    (folder / "0002.jpg").rename(folder / "0002.png")
    by_caption = dict[str, list[np.ndarray[Any, Any]]]()
    for content, own in pairs(load(path)).items():
        by_caption.setdefault(own[0], []).append(np.frombuffer(content, dtype=np.uint8).reshape(3, 16, 16))
    everything = [one for found in by_caption.values() for one in found]
    assert any((one == 255).all() for one in everything)
    assert any((one == 7).all() for one in everything)
    assert any((one[:, :, 9:] > 250).all() and (one[:, :, :7] < 5).all() for one in everything)
