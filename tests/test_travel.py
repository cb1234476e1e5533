"""How a stack was made, written into it and compared with another."""

from pathlib import Path

import numpy as np
import pytest

from lulc_kit import travel
from lulc_kit.errors import BandError, FormatError, ParameterError
from tests import rasters

LAYERS = {"B8": ("bands", "reflectance"), "VH": ("external", "dB"), "TPC1": ("TPC", "1")}
FACTS = {"all": {"level": "L2A"}, "TPC": {"texture window": "5"}}


def stack(path: Path, layers=LAYERS, facts=FACTS, tagged: bool = True) -> Path:
    import rasterio

    rasters.write(path, np.zeros((len(layers), 2, 2), np.float32), names=list(layers))
    if tagged:
        with rasterio.open(path, "r+") as file:
            file.update_tags(**travel.tag(layers, facts))
    return path


def test_only_what_bears_upon_the_features_is_described(tmp_path: Path) -> None:
    path = stack(tmp_path / "stack.tif")
    plain = {"features": ["VH", "B8"], "units": ["dB", "reflectance"], "made": {"level": "L2A"}}
    assert travel.describe(path, ["VH", "B8"]) == plain
    assert travel.describe(path)["made"] == {"level": "L2A", "texture window": "5"}


def test_a_stack_with_more_layers_in_another_order_is_as_good(tmp_path: Path) -> None:
    model = travel.describe(stack(tmp_path / "a.tif"), ["B8", "VH"])
    more = {"NDVI": ("indices", "1")} | dict(reversed(LAYERS.items()))
    travel.check(model, stack(tmp_path / "b.tif", more, {"all": {"level": "L2A"}, "TPC": {"texture window": "9"}}), "a")


@pytest.mark.parametrize(
    ("layers", "facts", "says"),
    [
        ({"B8": ("bands", "reflectance")}, FACTS, r"no layer VH, TPC1.\n  wanted: B8, VH, TPC1\n  there:  B8"),
        (LAYERS | {"VH": ("external", "1")}, FACTS, "unit of VH: dB in a, 1 here"),
        (LAYERS, FACTS | {"all": {"level": "L1C"}}, "level: L2A in a, L1C here"),
        (LAYERS, FACTS | {"TPC": {}}, "texture window: 5 in a, – here"),
        (LAYERS, FACTS | {"all": {"level": "L2A", "correction": "x"}}, "correction: – in a, x here"),
    ],
)
def test_what_is_not_the_same_is_named_with_both(layers, facts, says: str, tmp_path: Path) -> None:
    model = travel.describe(stack(tmp_path / "a.tif"))
    with pytest.raises((BandError, ParameterError), match=says):
        travel.check(model, stack(tmp_path / "b.tif", layers, facts), "a")


def test_a_stack_that_does_not_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not say how its layers were made"):
        travel.describe(stack(tmp_path / "old.tif", tagged=False))


def test_dates_say_how_they_were_made_and_what_makes_a_sequence(tmp_path: Path) -> None:
    import rasterio

    path = tmp_path / "2020-01-01.tif"
    rasters.write(path, np.zeros((2, 2, 2), np.float32), names=["B4", "B8"])
    with rasterio.open(path, "r+") as file:
        file.update_tags(level="L2A", coarse_bands="sharpened")
    found = travel.describe_dates(path, ["B8"], {"dates in a sequence": "6"})
    assert found["features"] == ["B8"] and found["units"] == ["reflectance"]
    assert found["made"] == {
        **{"level": "L2A", "correction": "–", "20 m and 60 m bands": "sharpened", "dates in a sequence": "6"}
    }
    other = travel.describe_dates(path, ["B8"], {"dates in a sequence": "4"})
    with pytest.raises(
        ParameterError, match="The dates are not made as those of a.*\n  dates in a sequence: 6 in a, 4"
    ):
        travel.compare(found, other, "The dates", "a")
    with pytest.raises(BandError, match=r"no band B11.\n  wanted: B4, B11\n  there:  B4, B8"):
        travel.describe_dates(path, ["B4", "B11"], {})
