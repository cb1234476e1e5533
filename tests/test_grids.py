"""Grids compared: by where each pixel lies, with one tolerance."""

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from lulc_kit import grids
from lulc_kit.errors import LulcError


def grid(
    rows: int = 4, columns: int = 4, left: float = 500_000.0, top: float = 5_000_000.0, side: float = 10.0, **other: str
) -> GeoBox:
    return GeoBox((rows, columns), Affine(side, 0, left, 0, -side, top), other.get("crs", "EPSG:32633"))


SOUTH_UP = GeoBox((4, 4), Affine(10, 0, 500_000, 0, 10, 4_999_960), "EPSG:32633")
MIRRORED = GeoBox((4, 4), Affine(-10, 0, 500_040, 0, -10, 5_000_000), "EPSG:32633")
TURNED = GeoBox((4, 4), Affine(0, 10, 500_000, -10, 0, 5_000_000), "EPSG:32633")


@pytest.mark.parametrize(
    "other",
    [
        grid(4, 5),
        grid(left=500_000.1),
        grid(top=5_000_010.0),
        grid(side=20.0),
        grid(crs="EPSG:32632"),
        SOUTH_UP,
        MIRRORED,
        TURNED,
    ],
)
def test_grids_differ_by_shape_place_resolution_orientation_or_crs(other: GeoBox) -> None:
    assert grids.same(grid(), grid(left=500_000.001))
    assert not grids.same(grid(), other)
    with pytest.raises(LulcError, match="found:"):
        grids.check(other, grid(), "This raster")


@pytest.mark.parametrize("other", [SOUTH_UP, MIRRORED])
def test_the_message_says_what_differs_if_all_numbers_are_the_same(other: GeoBox) -> None:
    assert grid().boundingbox == other.boundingbox
    assert "not north up" in grids.describe(other)
    assert grids.describe(grid()) == "EPSG:32633, 4×4 px of 10 m, upper left 500000.00 5000000.00"


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 30), st.integers(1, 30))
def test_shifted_by_whole_pixels(right: int, down: int, rows: int, columns: int) -> None:
    other = grid(rows, columns, 500_000 + 10 * right, 5_000_000 - 10 * down)
    assert grids.on_lattice(other, grid()) and grids.on_lattice(grid(), other)
    assert grids.same(other, grid()) == ((right, down, rows, columns) == (0, 0, 4, 4))


@pytest.mark.parametrize(
    "other", [grid(left=500_005.0), grid(top=5_000_000.1), grid(side=20.0), grid(crs="EPSG:32632"), SOUTH_UP, TURNED]
)
def test_off_the_lattice(other: GeoBox) -> None:
    assert not grids.on_lattice(other, grid())


def test_a_little_too_large_a_pixel_is_seen_at_the_far_end() -> None:
    assert grids.same(grid(1000, 1000), grid(1000, 1000, side=10.000005))
    assert not grids.same(grid(1000, 1000), grid(1000, 1000, side=10.00002))


def test_nesting() -> None:
    assert [
        grids.ratio(grid(2, 4, side=side), grid(2 * n, 4 * n, side=side / n)) for side, n in ((20, 2), (60, 6))
    ] == [2, 6]
    assert grids.ratio(grid(), grid()) == 1
    for fine in (
        grid(8, 7, side=5),
        grid(8, 8, 500_001.0, side=5),
        grid(8, 8, side=5, crs="EPSG:32632"),
        grid(2, 2, side=20),
    ):
        assert grids.ratio(grid(), fine) is None
    assert grids.ratio(SOUTH_UP, grid(8, 8, side=5)) is None


def test_the_shared_part_of_two_grids() -> None:
    here = grid(10, 20)
    assert grids.overlap(here, here) == pytest.approx(1)
    assert grids.overlap(here, grid(10, 20, left=500_100)) == pytest.approx(0.5)
    assert grids.overlap(here, grid(10, 20, left=500_200)) == 0  # they only touch
    assert grids.overlap(here, here.to_crs("EPSG:32632")) > 0.9
