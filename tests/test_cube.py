"""The cube as others read it: what a mask leaves out is out, dates in order, clear looks counted."""

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import raster
from lulc_kit.cube import REASONS, Cube, Reason, legend
from lulc_kit.raster import writing

BOX = GeoBox((5, 6), from_origin(500_000, 5_000_000, 10, 10), "EPSG:32633")
DAYS = ["2020-05-01", "2020-06-01", "2021-05-01"]


@pytest.fixture
def made(tmp_path):
    """The cube, and its numbers and masks by date."""
    generator = np.random.default_rng(1)
    images, masks = {}, {}
    files = Cube(tmp_path).files
    for day in reversed(DAYS):
        images[day] = (generator.integers(1, 9000, (2, 5, 6)) * 0.0001).astype(np.float32)
        masks[day] = generator.integers(0, len(Reason), (5, 6)).astype(np.uint8)
        image = writing.reflectance(
            files.image(day), raster.array(images[day], BOX, ["B4", "B8"]), level="L2A", date=day
        )
        mask = raster.array(masks[day][None], BOX, ["mask"])
        writing.write_all([image, writing.Output(files.mask(day), mask, "uint8", None)])
    files.composite.write_bytes(b"no date")
    return Cube(tmp_path), images, masks


def test_dates_are_in_order_and_can_be_narrowed(made):
    cube = made[0]
    assert cube.dates == DAYS
    assert cube.between(None) == DAYS
    assert cube.between(["2020-05-15", "2021-05-01"]) == DAYS[1:]


def test_clear_is_the_image_where_the_mask_says_so(made):
    cube, images, masks = made
    for day in DAYS:
        np.testing.assert_array_equal(cube.mask(day).to_numpy()[0], masks[day])
        np.testing.assert_allclose(cube.image(day).to_numpy(), images[day], atol=1e-6)
        clear = cube.clear(day, ["B8"]).to_numpy()
        np.testing.assert_allclose(clear, np.where(masks[day] == 0, images[day][1:], np.nan), atol=1e-6)


def test_observations_count_the_dates_on_which_a_pixel_is_clear(made):
    cube, _, masks = made
    np.testing.assert_array_equal(cube.observations().to_numpy()[0], sum(m == Reason.CLEAR for m in masks.values()))


def test_what_lasts_of_the_tags(made):
    assert made[0].lasting_tags(DAYS[0]) == {"level": "L2A"}


def test_every_reason_has_a_name_and_a_colour():
    assert list(REASONS) == list(Reason)
    assert len({colour for _, colour in REASONS.values()}) == len(Reason)
    assert [len(words) for words in legend()] == [len(Reason)] * 2
