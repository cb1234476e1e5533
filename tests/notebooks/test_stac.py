"""Notebooks 01 and 02 on an area that a service offers, with real dates too; and no secret in anything they write."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import planetary_computer.sas
import pytest
import rasterio

from lulc_kit import catalog, raster
from lulc_kit.download import secrets, services
from lulc_kit.layout import Layout
from tests.download.conftest import stac  # noqa: F401
from tests.notebook import execute
from tests.services import stac as stand_in
from tests.services.stac import AREA, KEYS, Made, Stac, write_cog

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "mapchete_eo_33TWM"
MARKS = {
    "LULC_CDSE_S3_KEY": "marked-s3-key",
    "LULC_CDSE_S3_SECRET": "marked-s3-secret",
    "LULC_CDSE_USER": "marked-user",
    "LULC_CDSE_PASSWORD": "marked-password",
    "LULC_PLANETARY_COMPUTER_KEY": "marked-key",
}


@pytest.mark.parametrize("service", KEYS)
def test_an_area_becomes_a_cube_and_no_secret_is_written(
    stac: Stac,  # noqa: F811
    project: Path,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in MARKS.items():
        monkeypatch.setenv(name, value)
    if service == "planetary-computer":
        monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", stac.files.split("/")[2])
        monkeypatch.setattr(planetary_computer.sas, "parse_blob_url", lambda parts: ("account", "container"))
        monkeypatch.setattr(planetary_computer.settings.Settings.get(), "sas_url", f"{stac.url}/token")
        stac.signature = "marked-signature"
        services.SERVICES[service].forget()
    days = ("2023-06-15", "2023-06-20", "2023-06-25")
    made = [Made(day, service, declared=None if service == "planetary-computer" else -0.1) for day in days]
    stac.offer(*made[:2], replace(made[2], lacks=("B3",)))
    values = {"study": "mine", "source": "stac", "area": AREA, "dates": ["2023-06-01", "2023-06-30"]}
    bands = ["B2", "B3", "B4", "B8", "B11"]
    done = execute("01_download", values | {"service": service, "bands": bands}, project)
    shown = [str(value) for value in done["Out"]]
    execute("02_preprocess", {"study": "mine", "mask": "scl", "mask_buffer": 0.0}, project)
    layout = Layout(project / "outputs/mine")
    found = catalog.read(layout.catalog)
    assert ([s.date for s in found.scenes], list(found.left_out)) == ([*days[:2]], ["2023-06-25_33UUU"])
    image = raster.read(layout.image(days[0])).sel(band="B4").values
    box = raster.grid(layout.image(days[0]))
    row, column = round((stand_in.TOP - box.boundingbox.top) / 10), round((box.boundingbox.left - stand_in.LEFT) / 10)
    truth = stand_in.reflectance("B4", seed=20230615)[row : row + box.height, column : column + box.width]
    assert image == pytest.approx(truth, abs=1.1e-4)
    # Whatever was written, shown or said: files, pictures' texts, the standard streams, variables of the notebook.
    written = [path for path in project.rglob("*") if path.is_file()]
    said = "".join(capsys.readouterr())
    for mark in (*MARKS.values(), "marked-"):
        assert [path for path in written if mark.encode() in path.read_bytes()] == []
        assert not any(mark in text for text in (*shown, said, repr(done.get("chosen")), repr(done.get("found"))))
    assert secrets._used or service == "earth-search"


@pytest.mark.shared
@pytest.mark.parametrize("added", [0, 1000])
def test_real_dates_of_a_real_item_become_a_cube(stac: Stac, project: Path, added: int) -> None:  # noqa: F811
    """Two clear dates at 120 m, as Earth Search offers them, whose items contradict themselves; and with the offset."""
    if not SHARED.is_dir():
        pytest.skip("the development data mapchete_eo_33TWM are not beside the checkout")
    real = {}
    for name in ("S2A_33TWM_20230815_0_L2A", "S2B_33TWM_20230820_0_L2A"):
        item = json.loads((SHARED / name / f"{name}.json").read_text())
        item["collection"], item["links"] = "sentinel-2-l2a", []  # as the service adds and replaces
        numbers = {}
        for band in ("B02", "B03", "B04", "B08", "SCL"):
            with rasterio.open(SHARED / name / f"{band}.tif") as file:
                numbers[band] = file.read(1)
        real[name] = numbers
        rgb = np.stack([numbers[b].astype(float) for b in ("B04", "B03", "B02")])
        picture = np.where(rgb > 0, np.clip(np.rint(rgb / 3558 * 255), 1, 255), 0).astype(np.uint8)
        for key, band in {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "scl": "SCL"}.items():
            served = numbers[band] if band == "SCL" else np.where(numbers[band] > 0, numbers[band] + added, 0)
            real_cog(stac.folder / name / f"{band}.tif", served.astype(numbers[band].dtype))
            item["assets"][key] = item["assets"][key] | {"href": f"{stac.files}/{name}/{band}.tif"}
            del item["assets"][key]["proj:shape"], item["assets"][key]["proj:transform"]  # it is at 120 m here
        real_cog(stac.folder / name / "TCI.tif", picture)
        item["assets"]["visual"]["href"] = f"{stac.files}/{name}/TCI.tif"
        item["assets"].pop("thumbnail")
        stac.offered.append(item)
    values = {
        "study": "mine",
        "source": "stac",
        "dates": ["2023-08-01", "2023-08-31"],
        "area": [15.6, 46.4, 15.9, 46.6],
    }
    execute("01_download", values | {"bands": ["B2", "B3", "B4", "B8"]}, project)
    execute("02_preprocess", {"study": "mine", "mask": "scl", "resolution": 120.0, "sharpen": "none"}, project)
    layout = Layout(project / "outputs/mine")
    found = catalog.read(layout.catalog)
    assert [scene.date for scene in found.scenes] == ["2023-08-15", "2023-08-20"]
    assert {scene.bands["B4"].offset for scene in found.scenes} == {-0.1 if added else 0.0}
    box = found.scenes[0].bands["B4"].geobox
    row, column = round((5_200_020 - box.boundingbox.top) / 120), round((box.boundingbox.left - 499_980) / 120)
    with rasterio.open(found.scenes[0].bands["B4"].path) as file:
        theirs = real["S2A_33TWM_20230815_0_L2A"]["B04"][row : row + box.height, column : column + box.width]
        np.testing.assert_array_equal(file.read(1), np.where(theirs > 0, theirs + added, 0))


def real_cog(path: Path, numbers: np.ndarray) -> None:
    write_cog(path, numbers, 120, transform=rasterio.transform.from_origin(499_980, 5_200_020, 120, 120))
