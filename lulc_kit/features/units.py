"""In which unit the layers of a stack are: what a model that travels must find again."""

from lulc_kit.sentinel2 import BANDS

OWN = {"DEM": "m", "slope": "degrees", "aspect": "degrees"}
DAYS = ("_min_day", "_max_day", "_phase1", "_phase2")
COUNTS = ("_count",)


def of(name: str, family: str) -> str:
    """Return the unit of a layer, by its name and family.

    Statistics over a window or over time have the unit of what they are made of; ``1`` is a plain number. What others
    computed is in the unit of their file, which the kit does not know.

    Examples
    --------
    >>> [of("B8", "bands"), of("B8_mean7", "context"), of("NDVI_p90", "time"), of("NDVI_max_day", "time")]
    ['reflectance', 'reflectance', '1', 'days']
    """
    if family == "external":
        return "of the file"
    if family == "roads":
        return "m"
    if family == "time" and name.endswith(DAYS):
        return "days"
    if family == "time" and name.endswith(COUNTS):
        return "dates"
    if family in ("bands", "context", "segments", "time"):
        return "reflectance" if name.split("_")[0] in BANDS else "1"
    return OWN.get(name, "1") if family == "terrain" else "1"
