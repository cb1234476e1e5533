"""The choice of an atmospheric correction for Level-1C: none, ESA's Sen2Cor, or dark-object subtraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from lulc_kit import files
from lulc_kit.catalog import Catalog, Scene
from lulc_kit.errors import LulcError
from lulc_kit.late import xr
from lulc_kit.preprocess import dark_object
from lulc_kit.preprocess.sen2cor import program, versions
from lulc_kit.safe.product import open_tiles
from lulc_kit.safe.scene import describe

Choice = Literal["none", "sen2cor", "dark_object"]
SEN2COR_TAG = "Sen2Cor, run by this study"
NONE_TAGS = {"L1C": "none (top of the atmosphere)", "L2A": "none (surface as delivered)"}
"""What files and pictures say of scenes that are left as they are, by level."""


def surface(
    catalog: Catalog,
    choice: Choice,
    folder: Path,
    *,
    programs: Sequence[str | Path] = (),
    timeout: float = 7200.0,
    dates: Sequence[str] | None = None,
) -> Catalog:
    """Give the scenes as the chosen correction has them.

    Parameters
    ----------
    catalog
        The scenes.
    choice
        ``"sen2cor"``: Level-2A products are made of the Level-1C products, or taken from ``folder`` if they are there
        and complete. ``"dark_object"``: checked here, subtracted by `builder.build`, whose cloud rule needs the scenes
        as they are. ``"none"``: nothing is done.
    folder
        Where Sen2Cor's products and logs are kept.
    programs
        Installations of Sen2Cor, or their folders; those on the PATH, at home and in SNAP's folder are found without.
    timeout
        Seconds that Sen2Cor may take for one product.
    dates
        First and last day wanted; no other scene is corrected. None for all.

    Returns
    -------
    Catalog
        For ``"sen2cor"`` the Level-2A scenes of these dates, otherwise the catalog as it was.

    Raises
    ------
    LulcError
        If a scene is Level-2A, or (for Sen2Cor) not a whole product; if no Sen2Cor is found; or if it failed on a
        product, after all the others were tried: they are kept, and a next run goes on with the rest.
    """
    scenes = [s for s in catalog.scenes if dates is None or dates[0] <= s.date <= dates[1]]
    check(scenes, choice)
    if choice != "sen2cor" or not scenes:
        return catalog
    products = list(dict.fromkeys(_product(s) for s in scenes))  # old products have several tiles
    installations = versions.find([files.resolve(str(p)) for p in programs])
    made, failed = program.process(products, folder, installations=installations, timeout=timeout)
    if failed:
        raise LulcError(
            f"Sen2Cor corrected {len(made)} of {len(products)} products. Remove the cause, or leave out the dates, "
            f"and run the step again: what is done is not done twice.\n" + "\n".join(map(str, failed))
        )
    corrected = [describe(tile) for path in made for tile in open_tiles(path)]
    return Catalog(corrected, catalog.ancillary, catalog.attribution)


def check(scenes: Sequence[Scene], choice: Choice) -> None:
    """Refuse to correct what is corrected already: a LulcError names the first Level-2A scene."""
    corrected = next((s for s in scenes if s.level != "L1C"), None)
    if choice != "none" and corrected is not None:
        raise LulcError(
            f"correction: {choice} is for Level-1C, and scene {corrected.name} is {corrected.level}: it shows the "
            f"surface already. Set correction: none in 02_preprocess.yaml, or leave that date out."
        )


def tags(choice: Choice, level: str, path: Mapping[str, float]) -> dict[str, str]:
    """Say how a date was corrected, and what that cannot do: for the tags of files and the titles of pictures.

    Parameters
    ----------
    choice
        The correction.
    level
        Of the scenes that were used: for ``"sen2cor"`` those it made.
    path
        Path reflectance that was subtracted from each band, for ``"dark_object"``.
    """
    match choice:
        case "sen2cor":
            return {"correction": SEN2COR_TAG}
        case "dark_object":
            return {
                "correction": dark_object.TAG,
                "path_reflectance": ", ".join(f"{band} {value:.4f}" for band, value in path.items()),
                "correction_limits": dark_object.WARNING,
            }
    return {"correction": NONE_TAGS[level]}


def path_reflectance(samples: Sequence[xr.DataArray]) -> dict[str, float]:
    """Measure what `dark_object` takes off the scenes of one date, together.

    Parameters
    ----------
    samples
        Top-of-atmosphere reflectance of each scene, every n-th pixel, (band, y, x), NaN = no data; all with the
        bands of the first.

    Returns
    -------
    dict
        Path reflectance of each band.
    """
    names = [str(band) for band in samples[0].band.values]
    pixels = [sample.sel(band=names).to_numpy().reshape(len(names), 1, -1) for sample in samples]
    return dark_object.measure(np.concatenate(pixels, axis=2), names)


def _product(scene: Scene) -> Path:
    if scene.product is None:
        raise LulcError(
            f"correction: sen2cor needs whole products, and scene {scene.name} is not one. Give SAFE folders with "
            f"source: products in 01_download.yaml, or set correction: dark_object."
        )
    return scene.product
