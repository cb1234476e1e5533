"""Scenes from every source, and how often their files are opened on the way to a cube."""

from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
import rasterio

from lulc_kit import catalog, params
from lulc_kit.download import scenes
from lulc_kit.layout import Layout
from lulc_kit.preprocess import builder
from lulc_kit.preprocess.grid import study_grid
from tests import products, scene


def test_every_word_of_the_parameter_is_a_source() -> None:
    assert list(scenes.SOURCES) == list(get_args(params.Download.model_fields["source"].annotation))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened for reading."""
    counts: Counter[str] = Counter()
    honest = rasterio.open

    def counting(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode == "r":
            counts[Path(str(path)).name] += 1
        return honest(path, mode, *arguments, **options)

    monkeypatch.setattr(rasterio, "open", counting)
    return counts


def build(p: params.Download, folder: Path, **options: Any) -> None:
    catalog.write(folder / "catalog.json", scenes.get(p, Layout(folder)))
    found = catalog.read(folder / "catalog.json")
    builder.build(found, study_grid(found), folder / "cube", **options)


def test_six_files_of_ones_own_are_opened_twenty_times(project: Path, opened: Counter[str]) -> None:
    data = scene.write_data(project / "data")
    opened.clear()
    p = params.Download.check({"study": "s", "source": "files", "scenes": scene.scenes(data)[:1]}, "here")
    build(p, project / "outputs/s", mask="scl", scl_exclude=[9])
    names = [f"{band}.tif" for band in (*scene.FINE, *scene.COARSE)]
    # To describe, to look at the pixels, to write them: the scene is small, so that it is one block. Of coarse bands,
    # which are interpolated, saturated pixels are taken out first: they are copied.
    fine, coarse = [f"{band}.tif" for band in scene.FINE], [f"{band}.tif" for band in scene.COARSE]
    assert {name: opened[name] for name in names} == dict.fromkeys(fine, 3) | dict.fromkeys(coarse, 4)
    assert opened["SCL.tif"] == 2


def test_images_of_a_product_are_opened_to_describe_and_to_decode(project: Path, opened: Counter[str]) -> None:
    products.write_l1c(project / "in")
    opened.clear()
    p = params.Download.check({"study": "s", "source": "products", "products": str(project / "in")}, "here")
    build(p, project / "outputs/s", mask="none", sharpen=True)
    images = {name: count for name, count in opened.items() if name.endswith(".jp2")}
    assert len(images) == 13
    assert set(images.values()) == {2}
