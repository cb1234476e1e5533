"""Small pictures of scenes, as services keep them, to look at before anything is fetched."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial

import httpx
import numpy as np
import numpy.typing as npt

from lulc_kit.download import web
from lulc_kit.errors import LulcError
from lulc_kit.progress import track

MOST = 24
"""So many are shown at most."""


def fetch(addresses: Mapping[str, str]) -> dict[str, npt.NDArray[np.uint8]] | None:
    """Fetch pictures; one that cannot be had or read is passed over.

    Parameters
    ----------
    addresses
        By name, from `Choice.quicklooks`; of more than `MOST` evenly chosen ones.

    Returns
    -------
    dict or None
        Pictures by name, (row, column, 3), 0–255. None where there is none.
    """
    names = list(addresses)
    if len(names) > MOST:
        names = [names[k] for k in np.linspace(0, len(names) - 1, MOST).round().astype(int)]
    found = {}
    with web.client(20) as client:
        for name in track(names, "quicklooks", unit="picture"):
            try:
                found[name] = web.ask("the service's quicklook", partial(client.get, addresses[name]), _decode)
            except LulcError:
                continue
    return found or None


def _decode(response: httpx.Response) -> npt.NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(response.content)) as picture:
            picture.thumbnail((343, 343))
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise LulcError(f"A quicklook is no picture ({error}).") from None
