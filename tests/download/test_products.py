"""Whole products as a catalog: real or simulated, never both, and whose data they are."""

from pathlib import Path

import pytest

from lulc_kit import params, raster, study
from lulc_kit.download import products as room
from lulc_kit.errors import LulcError
from lulc_kit.simulated import simulate
from tests import products
from tests.preprocess.whole import described, preprocess


@pytest.mark.long
def test_simulated_products_stay_simulated_in_a_folder_of_ones_own(project: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "sim", size=256, tiles=1, dates=["2022-06-14"])
    folder = tmp_path / "sim/scenes"
    assert described(project, folder).attribution == room.SIMULATED
    study.begin(params.Preprocess(study="s"))
    written = preprocess(project, folder, "scl")
    for name in ("2022-06-14", "2022-06-14_mask", "composite"):
        assert raster.tags(written / f"{name}.tif")["attribution"] == room.SIMULATED
    products.write_l1c(folder)
    with pytest.raises(LulcError, match=r"1 of 2 products.* are simulated.*folders of their own"):
        described(project, folder)


def test_products_of_several_years_are_attributed_from_the_first_to_the_last(project: Path) -> None:
    for day in ("20170615", "20190615", "20230615"):
        products.write_l1c(project / "in", day=day)
    assert described(project, project / "in").attribution == "Contains modified Copernicus Sentinel data 2017–2023."
