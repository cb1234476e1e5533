"""Only the area, from a stand-in for each service: whole and true, or left out and said so."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import planetary_computer.sas
import pytest
import rasterio
import rasterio.shutil
import zarr
from rasterio.windows import from_bounds
from werkzeug import Response

from lulc_kit import catalog, files, params, raster
from lulc_kit.download import scenes, services
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.preprocess import radiometry
from lulc_kit.preprocess.grid import study_grid
from lulc_kit.safe import eopf
from tests.safe.test_eopf import NAME, numbers, product, put
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


def test_the_data_space_has_four_threads_that_read(stac: Stac, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cores there are; each has a connection."""
    from lulc_kit.download import stac as room

    stac.offer(in_service("cdse"))
    seen = []
    honest = room._copy
    monkeypatch.setattr(room, "_copy", lambda *about: seen.append(dask.config.get("num_workers", 0)) or honest(*about))
    with dask.config.set(num_workers=64):
        assert fetch(project, "cdse").left_out == {}
    assert set(seen) == {4}


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


ZARR_AREA = [12.0080, 53.2085, 12.0120, 53.2105]  # inside of 600 m in the tile's upper left corner


def in_zarr(stac: Stac, **attrs: object) -> Path:
    """Offer a constructed product in EOPF Zarr as its samples' service does; return the folder that is served."""
    path = product(stac.folder, **attrs)
    made = Made("2025-05-09", "cdse", made="155057", version="1.1.0", baseline="05.11")
    item = made.item(stac.url, stac.files) | {"id": NAME.removesuffix(".zarr")}
    root = f"{stac.files}/{NAME}"
    places = {f"B0{k}_10m": f"measurements/reflectance/r10m/b0{k}" for k in (2, 3, 4, 8)}
    places |= {"SCL_20m": "conditions/mask/l2a_classification/r20m/scl"}
    # What the item says of the offset is said once more, and must not be applied once more.
    said = {"type": "application/vnd+zarr", "raster:scale": 0.0001, "raster:offset": -0.1}
    item["assets"] = {key: {"href": f"{root}/{inside}"} | said for key, inside in places.items()}
    item["assets"]["product"] = {"href": root, "type": "application/vnd+zarr", "roles": ["data", "metadata"]}
    stac.offered.append(item)
    return path


def from_zarr(project: Path) -> catalog.Catalog:
    may = ["2025-05-01", "2025-05-31"]
    return fetch(project, "eopf", area=ZARR_AREA, dates=may, bands=["B2", "B4", "B11"])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_area_of_a_product_in_zarr_and_its_offset_once(stac: Stac, project: Path, zarr_format: int) -> None:
    in_zarr(stac, zarr_format=zarr_format)
    found = from_zarr(project)
    (scene,) = found.scenes
    assert (scene.date, scene.tile, scene.baseline) == ("2025-05-09", "33UUU", "05.11")
    assert scene.origin == "eopf sentinel-2-l2a"
    assert list(scene.bands) == ["B2", "B4", "B11"]
    for name, band in scene.bands.items():
        box = band.geobox
        step = int(box.resolution.x)
        row, column = round((5_900_040 - box.boundingbox.top) / step), round((box.boundingbox.left - 300_000) / step)
        whole = numbers(name)[row : row + box.height, column : column + box.width]
        assert 0 < whole.size < numbers(name).size / 2
        expected = np.where(whole == 0, np.nan, whole / 10000 - 0.1)
        np.testing.assert_allclose(radiometry.on_grid(band, box).compute(), expected, atol=1e-6)
    assert study_grid(found) == scene.bands["B2"].geobox
    assert scene.scl is not None and (raster.read_codes(scene.scl.path) == 4).all()
    chunks = [path for path in stac.read if "r10m/b04/" in path and not path.endswith("json")]
    assert len([path for path in chunks if path.rsplit("/", 1)[1][:1].isdigit()]) < 16, "all chunks were read"
    assert not any("/b08/" in path for path in stac.read), "a band was read that nobody asked for"


def test_a_product_in_zarr_that_was_decoded_already_gets_no_offset(stac: Stac, project: Path) -> None:
    path = in_zarr(stac)
    group = zarr.open_group(path / "measurements/reflectance/r10m", zarr_format=2)
    del group["b04"]
    said = {"_eopf_attrs": {"scale_factor": 0.0001, "add_offset": -0.1}}
    put(group, "b04", (numbers("B4") * 0.0001 - 0.1).astype(np.float32), said)
    band = from_zarr(project).scenes[0].bands["B4"]
    assert (band.scale, band.offset) == (1, 0)


@pytest.mark.parametrize("how", ["gone", "busy", "page", "unit"])
def test_a_product_in_zarr_that_cannot_be_read_is_left_out_with_the_reason(stac: Stac, project: Path, how: str) -> None:
    path = in_zarr(stac, **({"add_offset": -1000.0} if how == "unit" else {}))
    if how == "gone":
        shutil.rmtree(path / "measurements/reflectance/r20m/b11")
    elif how == "busy":
        stac.fail("r10m/b04/", lambda: Response("", 503, {"Retry-After": "0"}), times=1000)
    elif how == "page":
        stac.fail("r10m/b04/1", lambda: Response("<html>" * 99, 200, content_type="text/html"), times=1000)
    says = {
        "gone": "has no measurements/reflectance/r20m/b11",
        "busy": "cannot be read whole",
        "page": "cannot be read whole",
        "unit": "expected both in reflectance",
    }
    with pytest.raises(LulcError, match=says[how]):
        from_zarr(project)
    assert not list((project / "outputs/s/scenes").rglob("B4.tif")) or how == "gone"


def test_a_product_in_zarr_goes_on_where_it_stopped(stac: Stac, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eopf, "TRIES", 2)
    in_zarr(stac)
    stac.fail("r20m/b11/", lambda: Response("", 500), times=1000)
    with pytest.raises(LulcError, match="cannot be read whole"):
        from_zarr(project)
    stac.faults.clear()
    stac.read.clear()
    assert list(from_zarr(project).scenes[0].bands) == ["B2", "B4", "B11"]
    assert not any("r10m/b02/0" in path for path in stac.read), "a band that was there was read again"
