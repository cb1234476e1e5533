"""Only the area, from a stand-in for each service: whole and true, or left out and said so."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import planetary_computer.sas
import pytest
import rasterio
import rasterio.shutil
from rasterio.windows import from_bounds
from werkzeug import Response

from lulc_kit import catalog, files, params
from lulc_kit.download import scenes, services
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.preprocess import radiometry
from lulc_kit.preprocess.grid import study_grid
from tests.services.stac import AREA, KEYS, SIDE, Made, Stac, reflectance

BANDS = ["B2", "B3", "B4", "B8", "B11"]
JUNE = ["2023-06-01", "2023-06-30"]


def parameters(service: str = "earth-search", **changes: object) -> params.Download:
    values = {"study": "s", "source": "stac", "area": AREA, "dates": JUNE, "service": service, "bands": BANDS}
    return params.Download.check(values | changes, "here")


def fetch(project: Path, service: str = "earth-search", **changes: object) -> catalog.Catalog:
    """Run what notebook 01 runs, and read what it wrote."""
    p, layout = parameters(service, **changes), Layout(project / "outputs/s")
    catalog.write(layout.catalog, scenes.get(p, layout, scenes.search(p)))
    return catalog.read(layout.catalog)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of the store; files of the stand-in need none."""
    monkeypatch.setenv("LULC_CDSE_S3_KEY", "marked-key")
    monkeypatch.setenv("LULC_CDSE_S3_SECRET", "marked-secret")


def in_service(service: str, day: str = "2023-06-15", **changes: object) -> Made:
    """A scene as a service offers it, with the offset in its numbers."""
    silent = service == "planetary-computer"
    made = Made(day, service, version="1.1.0" if service == "cdse" else "1.0.0", declared=None if silent else -0.1)
    return replace(made, **changes)


def truth(found: catalog.Catalog, band: str, day: str) -> np.ndarray:
    """The part of the landscape that the band's file covers."""
    box = found.scenes[0].bands[band].geobox
    side = int(abs(box.resolution.x))
    row, column = round((5_900_040 - box.boundingbox.top) / side), round((box.boundingbox.left - 300_000) / side)
    whole = reflectance(band, seed=int(day.replace("-", "")))
    return whole[row : row + box.height, column : column + box.width]


@pytest.mark.parametrize("service", KEYS)
def test_reflectance_is_the_truth_from_every_service(stac: Stac, project: Path, service: str) -> None:
    stac.offer(in_service(service))
    found = fetch(project, service)
    (scene,) = found.scenes
    assert (scene.date, scene.tile, scene.level, scene.baseline, scene.orbit) == (
        *("2023-06-15", "33UUU", "L2A", "05.09", 122),
    )
    assert scene.origin == f"{service} {stac.offered[0]['collection']}"
    assert found.left_out == {}
    for name, band in scene.bands.items():
        assert band.path.is_relative_to(project / "outputs/s/scenes")
        numbers = radiometry.on_grid(band, band.geobox).compute()
        assert numbers == pytest.approx(truth(found, name, "2023-06-15"), abs=6e-5), name
        with rasterio.open(band.path) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert scene.scl is not None
    grid = study_grid(found)
    assert (str(grid.crs), grid) == ("EPSG:32633", scene.bands["B2"].geobox)
    assert found.table()["from"].tolist() == [scene.origin]


def test_only_the_area_is_read(stac: Stac, project: Path) -> None:
    stac.offer(in_service("earth-search"))
    box = fetch(project).scenes[0].bands["B2"].geobox
    assert box.width * box.height < SIDE**2 / 4
    window = from_bounds(*box.boundingbox.bbox, rasterio.open(next(stac.folder.rglob("B2.tif"))).transform)
    assert (window.col_off % 6, window.row_off % 6) == (0, 0)  # 60 m


@pytest.mark.parametrize("added", [0, 1000])
@pytest.mark.parametrize(("flag", "declared"), [(True, -0.1), (False, -0.1), (None, -0.1), (None, 0.0), (None, None)])
def test_metadata_may_say_what_they_will(
    stac: Stac, project: Path, added: int, flag: bool | None, declared: float | None
) -> None:
    stac.offer(Made("2023-06-15", collection="sentinel-2-l2a", added=added, flag=flag, declared=declared))
    found = fetch(project)
    assert {band.offset for band in found.scenes[0].bands.values()} == {-0.1 if added else 0.0}
    band = found.scenes[0].bands["B4"]
    assert radiometry.on_grid(band, band.geobox).compute() == pytest.approx(truth(found, "B4", "2023-06-15"), abs=6e-5)
    assert "true-colour picture" in str(found.scenes[0].radiometry)


def test_over_a_desert_metadata_and_picture_agree_and_where_they_do_not_it_is_refused(
    stac: Stac, project: Path
) -> None:
    desert = Made("2023-06-15", kinds=("desert", "soil"))
    stac.offer(desert, replace(desert, day="2023-06-20", added=0))
    found = fetch(project)
    assert [scene.date for scene in found.scenes] == ["2023-06-15"]
    why = found.left_out["2023-06-20_33UUU"]
    for part in ("metadata: offset in the numbers", "dark pixels: silent", "picture: no offset", "its 0 is "):
        assert part in why
    missing = found.missing()
    assert missing is not None
    assert missing.loc["2023-06-20_33UUU", "why"] == why


def test_without_a_picture_the_other_two_must_agree(stac: Stac, project: Path) -> None:
    plain = Made("2023-06-15", bands=("B2", "B3", "B4", "B8", "B11", "SCL"))
    stac.offer(plain, replace(plain, day="2023-06-20", added=0))
    found = fetch(project)
    assert ([s.date for s in found.scenes], list(found.left_out)) == (["2023-06-15"], ["2023-06-20_33UUU"])


def test_a_band_that_is_gone_leaves_out_its_date_and_a_later_run_goes_on(stac: Stac, project: Path) -> None:
    stac.offer(Made("2023-06-15"), Made("2023-06-20", lacks=("B8",)))
    found = fetch(project)
    assert [s.date for s in found.scenes] == ["2023-06-15"]
    assert "B8 of 2023-06-20_33UUU could not be read" in found.left_out["2023-06-20_33UUU"]
    assert "404" in found.left_out["2023-06-20_33UUU"]
    Made("2023-06-20").write(stac.folder)
    found = fetch(project)
    assert [s.date for s in found.scenes] == ["2023-06-15", "2023-06-20"]


def test_what_is_there_is_not_loaded_again(stac: Stac, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lulc_kit.download import stac as room

    stac.offer(Made("2023-06-15"))
    fetch(project)
    copied = []
    monkeypatch.setattr(room, "_copy", lambda *about: copied.append(about[1].stem))
    fetch(project)
    assert copied == []
    next((project / "outputs/s/scenes").rglob("B3.tif")).unlink()
    with pytest.raises(LulcError):  # nothing was copied in its place
        fetch(project)
    assert copied == ["B3"]


def test_an_item_without_bands_is_left_out(stac: Stac, project: Path) -> None:
    stac.offer(Made("2023-06-15"), Made("2023-06-20", bands=()))
    assert "has no B2" in fetch(project).left_out["2023-06-20_33UUU"]
    stac.offered.pop(0)
    with pytest.raises(LulcError, match=r"None of 1 scenes could .* first, 2023-06-20_33UUU: Item .* no B2"):
        fetch(project)


def test_a_page_in_place_of_a_file_is_no_image(stac: Stac, project: Path) -> None:
    stac.offer(Made("2023-06-15"), Made("2023-06-20"))
    page = Response("<html>Maintenance</html>" * 50, 200, content_type="text/html")
    stac.fail("20230620T155057/B8.tif", page, times=99)
    found = fetch(project)
    assert [s.date for s in found.scenes] == ["2023-06-15"]
    assert "B8 of 2023-06-20_33UUU could not be read" in found.left_out["2023-06-20_33UUU"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Response("slow down", 429, {"Retry-After": "1"}),
        lambda: Response("", 500),
        lambda: Response("", 503),
    ],
    ids=["429", "500", "503"],
)
def test_a_busy_store_is_asked_again(stac: Stac, project: Path, answer: Callable[[], Response]) -> None:
    stac.offer(Made("2023-06-15"))
    stac.fail("B4.tif", answer, times=2)
    stac.fail("B11.tif", answer, times=1)
    assert fetch(project).left_out == {}


@pytest.fixture
def blobs(stac: Stac, monkeypatch: pytest.MonkeyPatch) -> Stac:
    """The stand-in as Azure's store: files need a signature, which its service gives."""
    monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", stac.files.split("/")[2])
    monkeypatch.setattr(planetary_computer.sas, "parse_blob_url", lambda parts: ("account", "container"))
    monkeypatch.setattr(planetary_computer.settings.Settings.get(), "sas_url", f"{stac.url}/token")
    stac.signature = "marked-first"
    services.SERVICES["planetary-computer"].forget()
    return stac


def test_addresses_are_signed_and_no_signature_is_kept(blobs: Stac, project: Path) -> None:
    blobs.offer(in_service("planetary-computer"))
    found = fetch(project, "planetary-computer")
    assert found.left_out == {}
    assert blobs.signed == 1
    written = [path for path in (project / "outputs").rglob("*") if path.is_file()]
    assert len(written) >= 8
    for path in written:
        assert b"marked" not in path.read_bytes(), path


def test_a_signature_that_ends_early_is_asked_for_anew_once(blobs: Stac, project: Path) -> None:
    blobs.offer(in_service("planetary-computer"))

    def expire(request: object) -> None:
        if len(blobs.read) == 12:
            blobs.signature = "marked-second"

    blobs.faults.append(expire)
    assert fetch(project, "planetary-computer").left_out == {}
    assert blobs.signed == 2


def test_a_signature_that_never_holds_is_an_error_that_does_not_tell_it(blobs: Stac, project: Path) -> None:
    blobs.offer(in_service("planetary-computer"))
    blobs.fail("/files", lambda: Response("<Error/>", 403), times=999)
    with pytest.raises(LulcError, match=r"could not be read from http.*403") as caught:
        fetch(project, "planetary-computer")
    assert "marked" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_are_in_the_environment_only_while_files_are_read(
    stac: Stac, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody's own")
    stac.offer(in_service("cdse"))
    seen: set[str | None] = set()
    stac.faults.append(lambda request: seen.add(os.environ.get("AWS_ACCESS_KEY_ID")))
    assert fetch(project, "cdse").left_out == {}
    assert seen == {"somebody's own", "marked-key"}  # in the search, and after it
    assert os.environ["AWS_ACCESS_KEY_ID"] == "somebody's own"
    assert "AWS_S3_ENDPOINT" not in os.environ
    assert "marked" not in json.dumps((project / "outputs/s/catalog.json").read_text())


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], None]]:
    """An object store as eodata is one; what it returns puts an object into it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("LULC_CDSE_S3", f"http://{host}:{port}")
    client = boto3.client(
        *("s3", "us-east-1"),
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    client.create_bucket(Bucket="eodata")
    yield lambda key, body: client.put_object(Bucket="eodata", Key=key, Body=body)
    server.stop()


def test_windows_of_jpeg_2000_in_an_object_store(
    stac: Stac, project: Path, tmp_path: Path, store: Callable[[str, bytes], None]
) -> None:
    """As CDSE has them: addresses that begin with s3://, and no cloud-optimised files."""
    made = in_service("cdse")
    stac.offer(made)
    for asset in stac.offered[0]["assets"].values():
        served = stac.folder / asset["href"].removeprefix(f"{stac.files}/")
        packed = tmp_path / "packed.jp2"
        rasterio.shutil.copy(served, packed, driver="JP2OpenJPEG", REVERSIBLE="YES", QUALITY="100")
        store(f"Sentinel-2/{served.stem}.jp2", packed.read_bytes())
        asset["href"] = f"s3://eodata/Sentinel-2/{served.stem}.jp2"
    found = fetch(project, "cdse")
    assert found.left_out == {}
    assert stac.read == []
    band = found.scenes[0].bands["B4"]
    assert radiometry.on_grid(band, band.geobox).compute() == pytest.approx(truth(found, "B4", "2023-06-15"), abs=6e-5)


def test_a_full_disk_ends_the_run_and_leaves_no_date_out(
    stac: Stac, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stac.offer(Made("2023-06-15"), Made("2023-06-20"))
    monkeypatch.setattr(files, "free_space", lambda path: 10)
    with pytest.raises(LulcError, match="has 0.0 MB free"):
        fetch(project)
    assert list((project / "outputs/s/scenes").rglob("*.tif")) == []
