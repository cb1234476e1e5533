"""Which family (bands, texture, context …) each layer of a feature stack belongs to, as the file's tags say."""

import json
from collections.abc import Mapping
from pathlib import Path

from lulc_kit import raster

TAG = "families"


def tag(families: Mapping[str, str]) -> dict[str, str]:
    """Return the tag of a stack whose layers belong to these families, by layer."""
    return {TAG: json.dumps(families)}


def parse(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the family of each layer, by layer, of a stack with these tags; empty if they do not say."""
    return dict(json.loads(tags.get(TAG, "{}")))


def read(stack: Path) -> dict[str, str]:
    """Return the family of each layer of a stack, by layer; empty if the file does not say."""
    return parse(raster.tags(stack))
