"""Scenes from wherever the parameters say, described as one catalog."""

from pathlib import Path

from lulc_kit import params
from lulc_kit.catalog import Catalog
from lulc_kit.download import own_files, products, sample


def get(p: params.Download, folder: Path) -> Catalog:
    """Bring the scenes into the study's folder (samples), or describe them where they are (one's own files).

    Parameters
    ----------
    p
        Parameters of notebook 01.
    folder
        The study's folder.

    Raises
    ------
    LulcError
        See `lulc_kit.download.sample.fetch` and `lulc_kit.download.own_files.catalog`.
    """
    match p.source:
        case "sample":
            return sample.catalog(p.sample, folder)
        case "files":
            return own_files.catalog(p)
        case "products":
            return products.catalog(p)
        case "simulated":
            return products.simulated(p, folder)
