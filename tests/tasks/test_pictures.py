"""Pictures from IDX files, folders of picture files and scikit-learn; their parts; and what is refused."""

import gzip
import os
import struct
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batching
from nas_rnn.tasks.data import PARTS
from nas_rnn.tasks.draw import Draw
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.pictures import read_picture
from tests.tasks.picture_files import bars, idx, tiff, write_mnist, write_pair

IMAGES, LABELS = "some-images-idx3-ubyte", "some-labels-idx1-ubyte"


def write_classes(folder: Path, each: int = 5, sizes: tuple[int, ...] = (6,)) -> Path:
    for number, (name, grey) in enumerate({"cat": 40, "dog": 200}.items()):
        (folder / name).mkdir(parents=True)
        for index in range(each):
            side = sizes[(index + number) % len(sizes)]
            Image.new("L", (side, side), grey + index).save(folder / name / f"{index}.png")
    return folder


def refused(source: Path, message: str, **options: int | float | str) -> None:
    with pytest.raises(UserError, match=message):
        Glimpses(**options).load(source)


def test_the_embedded_digits_are_mixed_and_every_part_has_its_share_of_every_class() -> None:
    data = Glimpses().load(None)
    counts = {part: len(data.part(part)["labels"]) for part in PARTS}
    assert counts == {"train": 1258, "valid": 180, "test": 359}
    for part, count in counts.items():
        assert data.part(part)["pictures"].shape == (count, 8, 8)
        of_class = np.bincount(data.part(part)["labels"], minlength=10)
        assert of_class.max() - of_class.min() <= max(3, 0.07 * count / 10)
    again = Glimpses().load(None)
    assert all(
        np.array_equal(array, again.part(part)[name])
        for part in PARTS
        for name, array in data.part(part).items()
    )


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_files_keep_their_order_and_their_own_test_part(tmp_path: Path, packed: bool) -> None:
    data = Glimpses().load(write_mnist(tmp_path, packed=packed))
    train, valid, test = (data.part(part)["pictures"] for part in PARTS)
    assert np.array_equal(np.concatenate([train, valid]), bars(80)[0])
    assert np.array_equal(test, bars(20)[0])
    assert (len(train), len(valid)) == (70, 10)
    assert data.meta["classes"] == ["0", "1", "2"]


def test_fewer_training_pictures_leave_the_own_test_part_alone(tmp_path: Path) -> None:
    data = Glimpses(train=40, valid=0.25).load(write_mnist(tmp_path))
    assert [len(data.part(part)["labels"]) for part in PARTS] == [30, 10, 20]
    assert np.array_equal(data.part("test")["pictures"], bars(20)[0])
    refused(tmp_path, "train=81 of 100 pictures .* use at most train=80", train=81)


@pytest.mark.parametrize(("options", "counts"), [({}, [70, 10, 20]), ({"train": 40}, [35, 5, 60])])
def test_one_pair_of_files_is_split_by_position(
    tmp_path: Path, options: dict[str, int], counts: list[int]
) -> None:
    write_pair(tmp_path, IMAGES, LABELS, 100)
    data = Glimpses(**options).load(tmp_path)
    parts = [data.part(part)["pictures"] for part in PARTS]
    assert [len(part) for part in parts] == counts
    assert np.array_equal(np.concatenate(parts), bars(100)[0])


def test_an_unpacked_file_stands_for_its_packed_twin(tmp_path: Path) -> None:
    write_pair(tmp_path, IMAGES, LABELS, 100)
    (tmp_path / f"{IMAGES}.gz").write_bytes(b"never read")
    assert Glimpses().load(tmp_path).part("train")["labels"].size == 70


@pytest.mark.parametrize("end", ["", ".idx", ".bin"])
def test_names_of_idx_files(tmp_path: Path, end: str) -> None:
    write_pair(tmp_path, f"images{end}", f"labels{end}", 100)
    assert Glimpses().load(tmp_path).part("train")["labels"].size == 70


def test_not_every_name_with_images_is_that_of_an_idx_file(tmp_path: Path) -> None:
    write_classes(tmp_path / "classes", each=10)
    for name in ("images.csv", "labels.csv"):
        (tmp_path / "classes" / name).write_text("name,class\n")
    assert Glimpses().load(tmp_path / "classes").part("train")["labels"].size == 14
    (tmp_path / "flat").mkdir()
    for number in range(20):
        Image.new("L", (6, 6), number).save(tmp_path / "flat" / f"images_idx3_{number}.png")
    (tmp_path / "flat" / "labels.txt").write_text("0 1 2")
    assert Draw().load(tmp_path / "flat").part("train")["labels"].size == 14


def test_labels_may_be_any_numbers(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(idx(bars(30)[0]))
    (tmp_path / LABELS).write_bytes(idx(bars(30)[1] * 7 + 3))
    assert Glimpses().load(tmp_path).meta["classes"] == ["3", "10", "17"]


def test_one_folder_per_class(tmp_path: Path) -> None:
    (write_classes(tmp_path, each=10) / ".hidden").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "about-the-images.txt").write_text("no IDX file")
    data = Glimpses().load(tmp_path)
    assert data.meta["classes"] == ["cat", "dog"]
    for part, each in {"train": 7, "valid": 1, "test": 2}.items():
        labels = data.part(part)["labels"]
        assert np.bincount(labels).tolist() == [each, each]
        assert np.array_equal(data.part(part)["pictures"][:, 0, 0] > 100, labels == 1)


def test_kinds_of_pictures_become_grey(tmp_path: Path) -> None:
    write_classes(tmp_path, each=6)
    Image.new("RGB", (6, 6), (255, 0, 0)).save(tmp_path / "dog" / "red.png")
    Image.new("RGBA", (6, 6), (0, 0, 0, 0)).save(tmp_path / "dog" / "clear.png")
    Image.fromarray(np.full((6, 6), 0x4000, dtype=np.uint16)).save(tmp_path / "dog" / "deep.png")
    Image.new("1", (6, 6), 1).save(tmp_path / "dog" / "bits.png")
    data = Glimpses().load(tmp_path)
    greys = np.concatenate([data.part(part)["pictures"][:, 0, 0] for part in PARTS])
    assert sorted(greys[greys != 200].tolist()) == sorted(
        [*range(40, 46), *range(201, 206), 76, 255, 64, 255]
    )


@pytest.mark.parametrize(
    ("name", "content", "greys"),
    [
        ("16 bits.pgm", b"P5 3 1 65535 " + struct.pack(">3H", 0, 0x4000, 65535), [0, 64, 255]),
        ("10 bits.pgm", b"P5 3 1 1023 " + struct.pack(">3H", 0, 256, 1023), [0, 64, 255]),
        ("in words.pgm", b"P2 3 1 1023 0 256 1023", [0, 64, 255]),
        ("16 bits.tif", np.array([[0, 0x4000, 65535]], dtype=np.uint16), [0, 64, 255]),
        ("16 bits.png", np.array([[0, 0x4000, 65535]], dtype=np.uint16), [0, 64, 255]),
        ("floats.tif", np.array([[0, 0.25, 1]], dtype=np.float32), [0, 64, 255]),
        ("12 bits.tif", tiff(12, 2, 1, bytes([0x40, 0x0F, 0xFF])), [64, 255]),
    ],
)
def test_deep_greys_are_scaled(
    tmp_path: Path, name: str, content: bytes | NDArray[Any], greys: list[int]
) -> None:
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        Image.fromarray(content).save(tmp_path / name)
    assert np.asarray(read_picture(tmp_path / name, "L")).ravel().tolist() == greys
    assert np.asarray(read_picture(tmp_path / name, "RGB"))[0, :, 2].tolist() == greys


@pytest.mark.parametrize("pixels", [np.array([[0, 70000]]), np.array([[0, 2.0]]), np.array([[0, np.nan]])])
def test_greys_of_which_nothing_says_what_is_white(tmp_path: Path, pixels: NDArray[Any]) -> None:
    Image.fromarray(pixels.astype(pixels.dtype.kind + "4")).save(tmp_path / "deep.tif")
    with pytest.raises(
        UserError, match=r"greys are numbers from .* and nothing says what white is; save it with"
    ):
        read_picture(tmp_path / "deep.tif", "L")


def test_no_picture_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, folder = tmp_path / "started", tmp_path / "bin"
    folder.mkdir()
    (folder / "gs").write_text(f"#!/bin/sh\necho > '{started}'\n")
    (folder / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # what it found before on the PATH
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n%%EndComments\nshowpage\n"
    write_classes(tmp_path / "data")
    (tmp_path / "data" / "dog" / "3.png").write_bytes(program)
    refused(
        tmp_path / "data", "cannot read the picture .*dog/3.png: it is no PNG, JPEG, .* that pillow can read"
    )
    (tmp_path / "data" / "dog" / "3.png").rename(tmp_path / "data" / "dog" / "3.eps")
    assert Glimpses().load(tmp_path / "data").part("train")["labels"].size == 6
    with pytest.raises(UserError, match=r"cannot read the picture .*dog/3\.eps: it is no PNG"):
        read_picture(tmp_path / "data" / "dog" / "3.eps", "RGB", least=6)
    assert not started.exists()


def test_pixels_are_normalised_by_the_training_part(tmp_path: Path) -> None:
    task = Glimpses()
    data = task.load(write_mnist(tmp_path))
    inputs = np.concatenate(
        [
            batch.inputs.numpy().ravel()  # type: ignore[union-attr]
            for batch in task.batches(data, "train", Batching(batch=16, length=1, seed=0))
        ]
    )
    assert inputs.mean() == pytest.approx(0.0, abs=1e-5)
    assert inputs.std() == pytest.approx(1.0, abs=1e-5)


def test_what_lies_beside_pictures_and_is_none(tmp_path: Path) -> None:
    write_classes(tmp_path, each=10)
    (tmp_path / "cat" / "._0.png").write_bytes(b"\0\5\x16\7, of macOS")
    (tmp_path / "cat" / "more.png").mkdir()
    for task in (Glimpses(), Draw()):
        assert sum(len(task.load(tmp_path).part(part)["labels"]) for part in PARTS) == 20


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    write_classes(tmp_path, each=10)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    refused(tmp_path, r"pipe.png is a device or a pipe; give a PNG, JPEG")


def test_pictures_that_are_too_much_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.tasks.picture_sets.folders.MOST_BYTES", 20 * 6 * 6 - 1)
    write_classes(tmp_path, each=10)
    refused(tmp_path, r"20 pictures of 6 x 6 pixels such as .*0.png are more than 719 bytes; set option size")
    Glimpses(size=4).load(tmp_path)


def test_odd_exif_entries_are_not_told(tmp_path: Path) -> None:
    write_classes(tmp_path, each=10)
    cut_off = b"Exif\0\0MM\0*\0\0\0\x08\0\2\x01\x12\0\3\0\0\0\1\0\1\0\0\x01"
    Image.new("L", (6, 6), 90).save(tmp_path / "cat" / "odd.jpg", exif=cut_off)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Glimpses().load(tmp_path)


def test_differing_sizes_are_refused_unless_a_size_is_set(tmp_path: Path) -> None:
    write_classes(tmp_path, each=6, sizes=(6, 8))
    refused(
        tmp_path,
        "pictures differ in size: .*cat/0.png has 6 x 6 pixels, .*cat/1.png has 8 x 8; set option size",
    )
    data = Glimpses(size=4).load(tmp_path)
    assert data.part("train")["pictures"].shape[1:] == (4, 4)


def test_idx_and_embedded_pictures_are_resized_too(tmp_path: Path) -> None:
    assert Glimpses(size=12).load(write_mnist(tmp_path)).part("test")["pictures"].shape == (20, 12, 12)
    assert Glimpses(size=4).load(None).part("test")["pictures"].shape == (359, 4, 4)


@pytest.mark.parametrize("size", [8, 12, 28])
def test_resized_digits_are_no_brighter_than_white(size: int) -> None:
    data = Glimpses(size=size).load(None)
    assert {int(data.part(part)["pictures"].max()) for part in PARTS} == {data.meta["white"]} == {16}


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "there is no folder .*nothing; give a folder with one sub-folder")
    (tmp_path / "file").write_text("text")
    refused(tmp_path / "file", "is a file; give a folder")


def test_folders_without_pictures(tmp_path: Path) -> None:
    refused(tmp_path, "holds no pictures; give a folder with one sub-folder")
    write_classes(tmp_path)
    (tmp_path / "empty").mkdir()
    refused(tmp_path, "empty holds no pictures; every class needs some")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file of pictures: it has 0 bytes"),
        (b"GIF89a..", "begins with 0x47494638, where 0x00000803 was expected"),
        (idx(np.zeros(100)), r"begins with 0x00000801, where 0x00000803 .*mix up"),
        (idx(bars(100)[0])[:9], "is cut off: 9 bytes, less than its head of 16"),
        (idx(bars(100)[0])[:-1], "is cut off: 100 x 6 x 6 pictures need 3,616 bytes, it has 3,615"),
        (idx(bars(100)[0]) + b"!", "is longer than it says"),
        (
            idx(np.zeros((0, 6, 6)))[:4] + struct.pack(">3I", 2**18, 64, 65),
            "262144 x 64 x 65 pictures need 1,090,519,056 bytes, more than 1,073,741,824; give a part",
        ),
        (idx(np.zeros((0, 6, 6))), "holds no pixel: 0 x 6 x 6"),
        (gzip.compress(idx(bars(100)[0]))[:-20], "is not a whole gzip file"),
        (b"\x1f\x8b is not gzip", "is not a whole gzip file"),
        (idx(bars(99)[0]), "has 99 pictures and some-labels-idx1-ubyte 100 labels"),
    ],
)
def test_broken_idx_files(tmp_path: Path, content: bytes, message: str) -> None:
    write_pair(tmp_path, IMAGES, LABELS, 100)
    (tmp_path / IMAGES).write_bytes(content)
    refused(tmp_path, message)


def test_a_packed_idx_file_is_unpacked_no_further_than_its_head_says(tmp_path: Path) -> None:
    write_pair(tmp_path, IMAGES, LABELS, 100)
    content = gzip.compress(idx(bars(100)[0]) + bytes(1 << 26))
    (tmp_path / IMAGES).write_bytes(content)
    tracemalloc.start()
    refused(tmp_path, "is longer than it says: 100 x 6 x 6 pictures need 3,616 bytes, it has more")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 23


def test_idx_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_pair(tmp_path, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 20, side=9)
    refused(
        tmp_path, r"pictures differ in size: .*train-images.* has 6 x 6 pixels, .* 9 x 9; set option size"
    )
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    refused(tmp_path, "cannot tell which IDX files .* belong together: t10k-images")


def test_a_broken_picture_file(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "dog" / "2.png").write_bytes((tmp_path / "dog" / "1.png").read_bytes()[:40])
    refused(tmp_path, r"cannot read the picture .*dog/2.png: .*; repair or remove it")


def test_pictures_that_cannot_be_learned_from(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(idx(bars(30)[0]))
    (tmp_path / LABELS).write_bytes(idx(np.full(30, 4)))
    refused(tmp_path, "has a single class, '4'")
    (tmp_path / LABELS).write_bytes(idx(np.sort(bars(30)[1])))
    refused(tmp_path, "stand sorted by class")
    (tmp_path / LABELS).write_bytes(idx(bars(30)[1]))
    (tmp_path / IMAGES).write_bytes(idx(np.full((30, 6, 6), 9)))
    refused(tmp_path, "of one even grey")


def test_own_parts_that_are_each_sorted_by_class(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.sort(bars(80)[1])))
    refused(
        tmp_path, "sorted by class, and parts are cut by position: the first 70, to train on, hold 3 of 3"
    )


def test_too_few_pictures(tmp_path: Path) -> None:
    write_pair(tmp_path, IMAGES, LABELS, 3)
    refused(tmp_path, "has 3 pictures, 2 of them to train and validate on, too few")
    write_pair(tmp_path, IMAGES, LABELS, 1)
    refused(tmp_path, "has 1 pictures, 1 of them to train and validate on, too few")


def test_a_patch_that_does_not_fit_is_said_at_loading(tmp_path: Path) -> None:
    refused(write_mnist(tmp_path), "patch=4 with overlap=0 does not fit", order="patches", patch=4)


@pytest.mark.parametrize(("module", "name"), [("sklearn.datasets", "scikit-learn"), ("PIL", "pillow")])
def test_a_missing_library_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    write_classes(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf'{name}; install it with: pip install "nas_rnn\[images\]"'):
        Glimpses().load(None if name == "scikit-learn" else tmp_path)
