"""Dates under samples: a cube of three dates whose every pixel is known."""

import numpy as np
import pytest

from lulc_kit import raster
from lulc_kit.cube import Cube, Reason
from lulc_kit.labels.quality import dates
from lulc_kit.layout import CubeLayout
from lulc_kit.raster import writing
from tests.visualize.painted import grid

DAYS = ("2022-04-01", "2022-06-01", "2022-08-01")
ROWS, COLUMNS = np.array([0, 0, 1, 5, 6]), np.array([0, 1, 0, 5, 5])
KINDS = ["Water", "Water", "Water", "Forest", "Forest"]


def cube_of(folder, days, bands=("B4", "B8")):
    """Each date's B8 is 0.1, 0.2 … more than its B4, and 0.01 more with each column; pixel (0, 0) is cloud at first."""
    box = grid(8, 8)
    for n, day in enumerate(days):
        red = np.full((8, 8), 0.1, np.float32)
        infrared = red + 0.1 * (n + 1) + 0.01 * np.arange(8, dtype=np.float32)
        mask = np.zeros((1, 8, 8), np.uint8)
        if n == 0:
            mask[0, 0, 0], mask[0, 5:7, 5] = Reason.CLOUD, Reason.SHADOW
        layout = CubeLayout(folder)
        image = raster.array(np.stack([red, infrared]), box, list(bands))
        writing.write_all([writing.reflectance(layout.image(day), image, correction="none", date=day, level="L2A")])
        writing.write(layout.mask(day), raster.array(mask, box, ["reason"]), dtype="uint8", nodata=None)
    return Cube(folder)


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    return cube_of(tmp_path_factory.mktemp("cube"), DAYS)


def test_clouds_are_counted_by_date_reason_and_class(cube):
    found = dates.clouds(cube, ROWS, COLUMNS, KINDS)
    assert found.index.tolist() == list(DAYS)
    assert list(found) == ["clear", "cloud", "shadow", "Forest", "Water"]
    assert found.iloc[0].tolist() == pytest.approx([2 / 5, 1 / 5, 2 / 5, 1, 1 / 3])
    assert (found.iloc[1:] == [1, 0, 0, 0, 0]).all(axis=None)


def test_profiles_see_clear_pixels_only(cube):
    found = dates.profiles(cube, ROWS, COLUMNS, KINDS).set_index(["date", "class"])
    assert (DAYS[0], "Forest") not in found.index, "all of it lies in shadow"
    assert found["samples"].to_dict() == {
        (DAYS[0], "Water"): 2,
        (DAYS[1], "Water"): 3,
        (DAYS[1], "Forest"): 2,
        (DAYS[2], "Water"): 3,
        (DAYS[2], "Forest"): 2,
    }

    def ndvi(n, columns):
        more = 0.1 * (n + 1) + 0.01 * np.array(columns)
        return np.quantile(more / (0.2 + more), [0.25, 0.5, 0.75])

    for n, kind, columns in ((0, "Water", [1, 0]), (1, "Water", [0, 1, 0]), (2, "Forest", [5, 5])):
        shown = found.loc[(DAYS[n], kind), ["low", "median", "high"]].to_numpy(float)
        np.testing.assert_allclose(shown, ndvi(n, columns), atol=1e-3)  # reflectance is stored in steps of 0.0001


def test_one_date_or_no_near_infrared_has_no_profile(tmp_path):
    assert dates.profiles(cube_of(tmp_path / "one", DAYS[:1]), ROWS, COLUMNS, KINDS) is None
    assert dates.profiles(cube_of(tmp_path / "other", DAYS[:2], ("B2", "B3")), ROWS, COLUMNS, KINDS) is None
