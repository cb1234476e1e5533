"""The simulated study as a source of scenes."""

import lulc_kit
from lulc_kit.download import simulated
from lulc_kit.download.products import SIMULATED
from lulc_kit.layout import Layout


def test_products_are_made_in_the_studys_folder_and_their_files_are_found(tmp_path, monkeypatch):
    def one_date(folder, **settings):
        return lulc_kit.simulate(folder, dates=["2022-06-14"], **settings)

    monkeypatch.setattr(simulated, "simulate", one_date)
    layout = Layout(tmp_path)
    found = simulated.catalog(layout, size=256, tiles=1, seed=1)
    assert [(scene.date, scene.level) for scene in found.scenes] == [("2022-06-14", "L2A")]
    assert all(band.path.is_relative_to(layout.scenes) for band in found.scenes[0].bands.values())
    assert {role for role, path in found.ancillary.items() if path.is_file()} == {"reference", "dem", "roads"}
    assert found.attribution == SIMULATED
