"""Cropping tiles: pixels copied as they are, from files whose every pixel says where it lies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from pytest_httpserver import HTTPServer
from rasterio.transform import from_origin
from werkzeug import Response

from lulc_kit import grids
from lulc_kit.download import tiles
from lulc_kit.errors import FormatError, GridError
from tests import rasters

PIXEL = 1 / 120  # degrees
CODES: dict[str, Any] = {"band": "map", "dtype": "uint8", "fill": 0}


def world(left: float, top: float, shape: tuple[int, int], pixel: float = PIXEL) -> GeoBox:
    return GeoBox(shape, from_origin(left, top, pixel, pixel), "EPSG:4326")


def codes(box: GeoBox) -> np.ndarray:
    """Return a number, 1–251, for each pixel that follows from where its centre lies on the earth."""
    x, y = np.meshgrid(*[np.arange(n) + 0.5 for n in (box.width, box.height)])
    longitude, latitude = box.affine * (x, y)
    column, row = np.floor(longitude / PIXEL + 1e-6), np.floor(latitude / PIXEL + 1e-6)
    return (1 + (column * 7 + row * 13) % 251).astype(np.uint8)


def tile(path: Path, box: GeoBox, **profile: Any) -> str:
    return str(rasters.write(path, codes(box), box, **{"nodata": 0} | profile))


def utm(bounds: tuple[float, float, float, float], crs: str = "EPSG:32633") -> GeoBox:
    """Return the grid of 10 m pixels that a box in degrees, seen in a zone, fills."""
    around = world(bounds[0], bounds[3], (1, 1), bounds[2] - bounds[0]).extent
    return GeoBox.from_bbox(around.to_crs(crs).boundingbox.bbox, crs, resolution=10, tight=True)


@pytest.fixture
def four(tmp_path: Path) -> list[str]:
    """Four tiles of a degree that meet at 15° E 50° N."""
    return [tile(tmp_path / f"{left}_{top}.tif", world(left, top, (120, 120))) for left in (14, 15) for top in (50, 51)]


def test_pixels_are_the_tiles_own_and_all_of_the_area_is_there(four: list[str]) -> None:
    area = utm((14.9, 49.95, 15.1, 50.15))
    found = tiles.crop(four, area, **CODES)
    box = found.odc.geobox
    assert grids.on_lattice(box, world(14, 51, (120, 120)))
    np.testing.assert_array_equal(found.to_numpy()[0], codes(box))
    inside = area.extent.to_crs("EPSG:4326", resolution=500)
    assert box.extent.contains(inside)
    assert not box.pad(-1).extent.contains(inside)  # and no pixel more than that


def test_a_margin_is_pixels_of_the_map(four: list[str]) -> None:
    area = utm((14.9, 49.95, 15.1, 50.15))
    narrow, wide = (tiles.crop(four, area, margin=margin, **CODES) for margin in (0, 3))
    assert grids.same(wide.odc.geobox, narrow.odc.geobox.pad(3))
    np.testing.assert_array_equal(wide.to_numpy()[0], codes(wide.odc.geobox))


def test_a_missing_tile_leaves_no_data_and_is_said(four: list[str]) -> None:
    left_out = four[:3]  # without the north-eastern one
    with pytest.warns(UserWarning, match=r"2\d\.\d% of the area has no tile"):
        found = tiles.crop(left_out, utm((14.9, 49.9, 15.1, 50.1)), **CODES)
    expected = codes(found.odc.geobox)
    missing = found.to_numpy()[0] == 0
    np.testing.assert_array_equal(found.to_numpy()[0][~missing], expected[~missing])
    rows, columns = np.nonzero(missing)
    longitude, latitude = found.odc.geobox.affine * (columns + 0.5, rows + 0.5)
    assert longitude.min() > 15 and latitude.min() > 50 and 0.2 < missing.mean() < 0.3


def test_no_tile_there(four: list[str]) -> None:
    with pytest.raises(GridError, match="None of 4 tiles meets the area"):
        tiles.crop(four, utm((20.1, 50.1, 20.2, 50.2), "EPSG:32634"), **CODES)


def test_nodata_of_a_tile_is_filled_by_another_or_stays(tmp_path: Path) -> None:
    box = world(14, 51, (120, 120))
    numbers = codes(box)
    numbers[:60] = 255
    one = str(rasters.write(tmp_path / "a.tif", numbers, box, nodata=255))
    area = utm((14.2, 50.3, 14.4, 50.7))
    found = tiles.crop([one], area, **CODES)
    _, latitude = found.odc.geobox.affine * (np.zeros(found.shape[1]), np.arange(found.shape[1]) + 0.5)
    assert (found.to_numpy()[0][latitude > 50.5] == 0).all()
    both = tiles.crop([one, tile(tmp_path / "b.tif", box)], area, **CODES)
    np.testing.assert_array_equal(both.to_numpy()[0], codes(both.odc.geobox))


def test_a_neighbouring_zone_fills_by_nearest_neighbour(tmp_path: Path) -> None:
    """Two UTM tiles of 100 m that meet at 18° E; west 1, east 2 in every pixel of their zone."""
    names = []
    for crs, value, west in (("EPSG:32633", 1, True), ("EPSG:32634", 2, False)):
        middle = utm((17.9, 50, 18.1, 50.2), crs)
        box = GeoBox.from_bbox(middle.boundingbox.bbox, crs, resolution=100)
        x, y = np.meshgrid(np.arange(box.width) + 0.5, np.arange(box.height) + 0.5)
        longitude, _ = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*(box.affine * (x, y)))
        own = (longitude < 18) if west else (longitude >= 18)
        names.append(
            str(rasters.write(tmp_path / f"{value}.tif", np.where(own, value, 0).astype(np.uint8), box, nodata=0))
        )
    found = tiles.crop(names, utm((17.95, 50.05, 18.05, 50.15)), **CODES).to_numpy()[0]
    assert set(np.unique(found)) <= {0, 1, 2}
    assert (found == 0).mean() < 0.02  # at most a pixel along the border
    middle = found.shape[1] // 2
    assert (found[:, : middle - 3] == 1).mean() > 0.9 and (found[:, middle + 3 :] == 2).mean() > 0.9


def test_heights_on_another_lattice_are_interpolated(tmp_path: Path) -> None:
    """An elevation model whose northern tiles have wider pixels: a plane stays a plane."""
    names = []
    for k, (top, width) in enumerate(((50.0, PIXEL), (51.0, PIXEL * 1.5))):
        shape = (120, round(1 / width))
        box = GeoBox(shape, rasterio.Affine(width, 0, 14, 0, -PIXEL, top), "EPSG:4326")
        x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        longitude, latitude = box.affine * (x, y)
        names.append(
            str(rasters.write(tmp_path / f"{k}.tif", (100 * longitude + 50 * latitude).astype(np.float32), box))
        )
    how: dict[str, Any] = {"band": "height", "dtype": "float32", "fill": np.nan, "resampling": "bilinear"}
    found = tiles.crop(names, utm((14.3, 49.8, 14.6, 50.1)), **how)
    box = found.odc.geobox
    x, y = np.meshgrid(np.arange(box.width) + 0.5, np.arange(box.height) + 0.5)
    longitude, latitude = box.affine * (x, y)
    assert abs(box.resolution.x) == pytest.approx(PIXEL)
    away = np.abs(latitude - 50) > PIXEL  # where the tiles meet one lacks a neighbour
    np.testing.assert_allclose(found.to_numpy()[0][away], (100 * longitude + 50 * latitude)[away], atol=0.01)
    assert not np.isnan(found.to_numpy()).any()


# ---- over the network ----


def serve(httpserver: HTTPServer, name: str, content: bytes) -> str:
    """Serve a file as object stores do, by ranges."""

    def answer(request: Any) -> Response:
        response = Response(content, mimetype="image/tiff")
        response.make_conditional(request, accept_ranges=True, complete_length=len(content))
        return response

    httpserver.expect_request(f"/{name}").respond_with_handler(answer)
    return httpserver.url_for(f"/{name}")


def test_a_far_tile_is_read_in_parts(httpserver: HTTPServer, tmp_path: Path) -> None:
    box = world(14, 51, (120, 120))
    path = Path(tile(tmp_path / "a.tif", box))
    name = serve(httpserver, "far.tif", path.read_bytes())
    found = tiles.crop([f"{name}?sig=geheim"], utm((14.2, 50.3, 14.4, 50.7)), **CODES)
    np.testing.assert_array_equal(found.to_numpy()[0], codes(found.odc.geobox))


def test_a_busy_server_is_asked_again(httpserver: HTTPServer, tmp_path: Path) -> None:
    box = world(14, 51, (120, 120))
    httpserver.expect_ordered_request("/busy.tif").respond_with_data("", 503)
    name = serve(httpserver, "busy.tif", Path(tile(tmp_path / "a.tif", box)).read_bytes())
    found = tiles.crop([name], utm((14.2, 50.3, 14.4, 50.7)), **CODES)
    np.testing.assert_array_equal(found.to_numpy()[0], codes(found.odc.geobox))
    assert httpserver.log[0][1].status_code == 503


@pytest.mark.parametrize("fault", ["missing", "error page", "truncated", "no CRS"])
def test_a_bad_tile_is_one_clear_error_without_its_signature(
    fault: str, httpserver: HTTPServer, tmp_path: Path
) -> None:
    box = world(14, 51, (600, 600), 1 / 600)
    noise = np.random.default_rng(0).integers(1, 250, box.shape, np.uint8)  # so that it cannot be packed
    content = rasters.write(tmp_path / "a.tif", noise, box, tiled=True, blockxsize=256, blockysize=256).read_bytes()
    without = GeoBox(box.shape, box.affine, None)
    content = {
        "missing": b"",
        "error page": b"<html>Sign in</html>",
        "truncated": content[: len(content) // 2],
        "no CRS": rasters.write(tmp_path / "b.tif", noise, without).read_bytes(),
    }[fault]
    name = f"{fault.replace(' ', '')}.tif"
    if fault == "missing":
        httpserver.expect_request(f"/{name}").respond_with_data("", 404)
    else:
        serve(httpserver, name, content)
    with pytest.raises((FormatError, GridError), match=r"no CRS|cannot be read as a raster") as raised:
        tiles.crop([httpserver.url_for(f"/{name}?sig=geheim")], utm((14.7, 50.1, 14.9, 50.3)), **CODES).compute()
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None
