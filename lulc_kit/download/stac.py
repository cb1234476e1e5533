"""Only the area, from cloud-optimised files of a service."""

from lulc_kit import params
from lulc_kit.catalog import Catalog
from lulc_kit.download import area, search
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout


def catalog(p: params.Download, layout: Layout) -> Catalog:
    """Search, load what was chosen, and describe it."""
    assert p.area is not None and p.dates is not None
    found = search.find(area.read(p.area, p.crs), p.service, p.dates, level=p.level, cloud=p.cloud)
    raise LulcError(f"{len(found)} items were found; loading them is not built yet.")
