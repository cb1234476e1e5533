"""Writing one simulated L2A product: strips go into plain rasters, and these become JPEG 2000."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
import rasterio.shutil
from rasterio.transform import from_origin
from rasterio.windows import Window

from lulc_kit.simulated.metadata import Identity, Scene, cloud_gml, granule_xml, manifest_xml, product_xml
from lulc_kit.simulated.sensor import RESOLUTION

_MASK = "MSK"  # the 60 m cloud mask, three layers: opaque, cirrus, snow


class ProductWriter:
    """A product that is filled strip by strip and then completed.

    Parameters
    ----------
    folder
        Where the product's folder is to be.
    identity, scene
        Names and geometry; the scene's class percentages are filled in from the SCL written.
    """

    def __init__(self, folder: Path, identity: Identity, scene: Scene) -> None:
        self.identity, self.scene = identity, scene
        self.root = folder / identity.name
        self._strips = folder / f".{identity.name}.strips"
        self._strips.mkdir(parents=True)
        self._files = {
            kind: self._open(kind, resolution, "uint16" if kind in RESOLUTION else "uint8")
            for kind, resolution in (RESOLUTION | {"SCL": 20, _MASK: 60}).items()
        }
        self._counts = np.zeros(12, np.int64)

    def _open(self, kind: str, resolution: int, dtype: str) -> rasterio.io.DatasetWriter:
        edge = self.scene.size * 10 // resolution
        return rasterio.open(
            self._strips / f"{kind}.tif",
            "w",
            driver="GTiff",
            width=edge,
            height=edge,
            count=3 if kind == _MASK else 1,
            dtype=dtype,
            crs=f"EPSG:{self.scene.epsg}",
            transform=from_origin(self.scene.left, self.scene.top, resolution, resolution),
        )

    def write(self, kind: str, top: int, strip: np.ndarray) -> None:
        """Write a strip of a band (uint16) or SCL (uint8); `top` is its first row at this resolution."""
        self._files[kind].write(strip, 1, window=Window(0, top, strip.shape[1], strip.shape[0]))
        if kind == "SCL":
            self._counts += np.bincount(strip.ravel(), minlength=12)

    def write_mask(self, top: int, opaque: np.ndarray, cirrus: np.ndarray) -> None:
        """Write a strip of the 60 m cloud mask (boolean)."""
        layers = np.stack([opaque, cirrus, np.zeros_like(opaque)]).astype(np.uint8)
        self._files[_MASK].write(layers, window=Window(0, top, opaque.shape[1], opaque.shape[0]))

    def complete(self) -> Path:
        """Turn the strips into a product and return its folder."""
        product = self.identity
        for file in self._files.values():
            file.close()
        shares = {value: 100 * float(n) / float(self._counts.sum()) for value, n in enumerate(self._counts)}
        scene = replace(self.scene, classes=shares)
        quality = self.root / product.granule / "QI_DATA"
        for directory in (quality, self.root / product.datastrip / "QI_DATA", self.root / "HTML",
                          self.root / product.granule / "AUX_DATA", self.root / "AUX_DATA"):  # fmt: skip
            directory.mkdir(parents=True)
        # GDAL would leave .aux.xml files in the product
        with rasterio.Env(GDAL_PAM_ENABLED="NO"):
            for kind, stem in product.images.items():
                self._to_jp2(kind, self.root / f"{stem}.jp2")
            mask = self._write_mask_file(quality)
        (self.root / "MTD_MSIL2A.xml").write_text(product_xml(product, scene), encoding="utf-8")
        (self.root / product.granule / "MTD_TL.xml").write_text(granule_xml(product, scene, [mask]), encoding="utf-8")
        listed = [
            (path.relative_to(self.root).as_posix(), path.stat().st_size, _md5(path))
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        ]
        (self.root / "manifest.safe").write_text(manifest_xml(product, listed), encoding="utf-8")
        shutil.rmtree(self._strips)
        return self.root

    def _to_jp2(self, kind: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        rasterio.shutil.copy(
            self._strips / f"{kind}.tif", target, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"
        )

    def _write_mask_file(self, quality: Path) -> tuple[str, str]:
        """Write the cloud mask as the baseline has it, raster or vector; return its type and path."""
        if self.identity.offset:
            kind, target = "MSK_CLASSI", quality / "MSK_CLASSI_B00.jp2"
            self._to_jp2(_MASK, target)
        else:
            kind, target = "MSK_CLOUDS", quality / "MSK_CLOUDS_B00.gml"
            outlines = []
            with rasterio.open(self._strips / f"{_MASK}.tif") as file:
                for layer, name in ((1, "OPAQUE"), (2, "CIRRUS")):
                    clouds = file.read(layer)
                    for shape, _ in rasterio.features.shapes(clouds, clouds > 0, transform=file.transform):
                        outlines.append((name, shape["coordinates"]))
            target.write_text(cloud_gml(self.scene.epsg, outlines), encoding="utf-8")
        return kind, target.relative_to(self.root).as_posix()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
