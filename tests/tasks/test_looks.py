"""Where a picture is looked at, in which order."""

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.tasks.glimpses.looks import MOST_LOOKS, ORDERS, boxes, looks

PICTURE = np.arange(12).reshape(3, 4)


def seen(order: str, **options: int) -> list[list[int]]:
    found: list[list[int]] = looks(3, 4, order=order, **options).tolist()
    return found


def test_rows_from_the_top_and_columns_from_the_left() -> None:
    assert seen("rows") == PICTURE.tolist()
    assert seen("columns") == PICTURE.T.tolist()
    assert seen("columns", patch=2) == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]


def test_patches_line_by_line() -> None:
    assert looks(4, 4, order="patches", patch=2).tolist() == [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
        [8, 9, 12, 13],
        [10, 11, 14, 15],
    ]


def test_a_spiral_goes_clockwise_along_the_border_and_ends_inside() -> None:
    order = [place for (place,) in seen("spiral", patch=1)]
    assert order == [0, 1, 2, 3, 7, 11, 10, 9, 8, 4, 5, 6]


@pytest.mark.parametrize("order", ["rows", "patches", "spiral"])
def test_neighbouring_looks_share_the_overlap(order: str) -> None:
    found = looks(5, 5, order=order, patch=3, overlap=1)
    assert len(found) == (2 if order == "rows" else 4)
    assert len(set(found[0]) & set(found[1])) == (5 if order == "rows" else 3)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("height", "width", "overlap"), [(8, 8, 0), (28, 28, 1), (7, 5, 0), (1, 6, 0)])
def test_the_default_sees_every_pixel(order: str, height: int, width: int, overlap: int) -> None:
    found = looks(height, width, order=order, overlap=overlap)
    assert set(found.ravel().tolist()) == set(range(height * width))
    assert len({tuple(look) for look in found.tolist()}) == len(found)
    if overlap == 0:
        assert found.size == height * width


def test_default_patches_are_a_quarter_of_the_side() -> None:
    assert looks(28, 28, order="patches").shape == (16, 49)
    assert looks(8, 8, order="spiral").shape == (16, 4)


def test_boxes_are_where_the_looks_are() -> None:
    found = looks(4, 6, order="patches", patch=2)
    assert boxes(found, 6)[:4] == [(0, 0, 2, 2), (0, 2, 2, 2), (0, 4, 2, 2), (2, 0, 2, 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "patches", "patch": 3}, "does not fit among patches 8 x 8 pixels.*use patch=1, 2, 4, 8"),
        ({"order": "rows", "patch": 5}, "some pixels would never be seen; use patch=1, 2, 4, 8"),
        ({"order": "columns", "patch": 9}, "larger than the picture"),
        ({"order": "spiral", "patch": 2, "overlap": 2}, "overlap must be smaller than the patch"),
        ({"order": "rows", "overlap": 8}, "use a smaller overlap"),
        ({"order": "zigzag"}, "unknown order of looks 'zigzag'.*Known: columns, patches, rows, spiral"),
    ],
)
def test_what_does_not_fit(options: dict[str, int | str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        looks(8, 8, **options)  # type: ignore[arg-type]


def test_too_many_looks() -> None:
    with pytest.raises(UserError, match=f"more than {MOST_LOOKS}; use a larger patch"):
        looks(100, 100, order="patches", patch=1)
