"""01: which scenes, and where from."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lulc_kit.params.base import Date, Model, Names, Nodata, Parameters, Seed

Degrees = Annotated[float, Field(ge=-180, le=180)]
Code = Annotated[float, Field(ge=-(2**63), le=2**64)]
Span = Annotated[list[Code], Field(min_length=2, max_length=2)]
Box = Annotated[list[Degrees], Field(min_length=4, max_length=4)]
MGRS = r"^T?\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]$"
MGRSTile = Annotated[str, Field(pattern=MGRS)]
BandName = Annotated[str, Field(pattern=r"^B(?:[1-9]|8A|1[0-2])$")]
FETCHED: dict[str, tuple[str, ...]] = {
    "reference": ("esri", "worldcover"),
    "dem": ("cop-dem-glo-30", "nasadem"),
    "roads": ("osm",),
}
"""By role, words for what is fetched for any source; anything else is a file of one's own."""
SEARCHED = ("stac", "safe")
"""Sources that search a service."""


class Scene(Model):
    """One date of a user's own rasters (``source: files``)."""

    date: Date = Field(description='day of the image, "YYYY-MM-DD"')
    level: Literal["L1C", "L2A"] = Field(description="L1C: top of atmosphere; L2A: surface reflectance")
    bands: dict[str, str] | None = Field(None, min_length=1, description="one file for each band: {B2: path, B3: path}")
    file: str | None = Field(None, description="or one file with all bands …")
    names: Names | None = Field(None, description="… and the names of its bands, in their order")
    scale: float | None = Field(
        None, gt=0, le=1000, description="reflectance = number × scale + offset; null: what the file says, or 0.0001"
    )
    offset: float | None = Field(
        None,
        ge=-1000,
        le=1000,
        description="-0.1 for DN of baseline 04.00 and later if not applied yet; null: what the file says, or 0",
    )
    nodata: Nodata | Literal["file"] | None = Field(
        "file", description="number that means nodata; file: what the file says, or 0; null: only what the file says"
    )
    scl: str | None = Field(None, description="scene classification file of Sen2Cor (values 0–11)")
    mask: str | None = Field(None, description="mask file: pixels that are not clear in it are left out")
    mask_clear: list[Code | Span] | None = Field(
        None,
        min_length=1,
        description="numbers of the mask that mean clear: [0, 1] for Fmask; [[0, 40]]: from 0 to 40; null: 0",
    )
    sun_azimuth: float | None = Field(None, ge=0, le=360, description="degrees clockwise from north")
    sun_zenith: float | None = Field(None, ge=0, le=90, description="degrees")

    @model_validator(mode="after")
    def _one_way_to_give_bands(self) -> Self:
        if (self.bands is None) == (self.file is None):
            raise ValueError("give either 'bands' (a file for each band) or 'file' and 'names'")
        if self.file is not None and not self.names:
            raise ValueError("'file' needs 'names', the list of its bands' names in their order")
        if self.names and len(set(self.names)) < len(self.names):
            raise ValueError(f"a band occurs twice in names: {self.names}")
        return self


class Vintage(Model):
    """Which basemap's capture dates are looked up, and where."""

    zoom: int = Field(17, ge=1, le=19, description="zoom of the map while drawing")
    places: int = Field(3, ge=1, le=20, description="so many × so many places of the scenes' area")
    wayback: str | None = Field(
        None, pattern=r"^\d{4}_r\d{2}$", description='release of Esri\'s archive, "2021_r12"; null: not asked'
    )
    azure: bool = Field(False, description="ask Azure Maps; its key is in LULC_AZURE_MAPS_KEY, netrc or the keyring")
    bing: str | None = Field(None, description="saved metadata of Bing, a file or data/bing/*.xml; null: none")
    most_days: int = Field(365, ge=0, le=100_000, description="imagery further from the scenes is warned of, days")

    @model_validator(mode="after")
    def _somebody_is_asked(self) -> Self:
        if not (self.wayback or self.azure or self.bing):
            raise ValueError('vintage asks nobody; give it wayback ("2021_r12"), azure (true) or bing (files)')
        return self


class Download(Parameters):
    """01: which scenes, and where from."""

    notebook = "01_download"
    source: Literal["sample", "files", "products", "simulated", "stac", "safe"] = Field(
        "sample",
        description="sample: a real sample; files: your rasters; products: SAFE; simulated; stac, safe: online",
    )
    sample: Literal["havelland", "romania"] = Field("havelland", description="which sample, for source: sample")
    scenes: list[Scene] = Field([], description="your scenes, for source: files")
    reference: Literal["esri", "worldcover"] | str | None = Field(
        None, description="training polygons or class map: your file; or esri, worldcover: a reference map, online"
    )
    reference_year: int | None = Field(
        None, ge=2017, le=2100, description="year of the reference map; null: the nearest to the scenes"
    )
    dem: Literal["cop-dem-glo-30", "nasadem"] | str | None = Field(
        None, description="elevation model: your file; or cop-dem-glo-30, nasadem: online"
    )
    roads: Literal["osm"] | str | None = Field(
        None, description="roads: your lines or OpenStreetMap extract (.osm.pbf); or osm: online, by Overpass"
    )
    vintage: Vintage | None = Field(
        None, description="how old is the basemap one draws over: zoom, wayback, azure, bing; null: not asked"
    )
    products: str | None = Field(None, description="folder of whole products, for source: products")
    size: int = Field(510, ge=256, le=10980, description="side of a tile, pixels of 10 m, for source: simulated")
    tiles: int = Field(2, ge=1, le=2, description="adjacent tiles, for source: simulated")
    seed: Seed = Field(1, description="seed of the landscape, for source: simulated")
    later: bool = Field(
        False, description="for source: simulated: the same land two years on, fields built over and woods felled"
    )
    area: Box | str | None = Field(
        None, description="left, bottom, right, top in degrees; a file of polygons; or a tile, T50SMC; to search"
    )
    crs: str | None = Field(None, description='of the area\'s grid, "EPSG:32650"; null: the UTM zone it lies in')
    service: Literal["earth-search", "planetary-computer", "cdse", "eopf"] = Field(
        "earth-search", description="where to search: earth-search; planetary-computer; cdse; eopf (samples in Zarr)"
    )
    dates: list[Date] | None = Field(None, min_length=2, max_length=2, description="first and last day to search")
    months: list[Annotated[int, Field(ge=1, le=12)]] = Field([], description="the season, [6, 7, 8]; []: all year")
    cloud: float = Field(60.0, ge=0, le=100, description="greatest cloud cover of a tile, %")
    per_month: int | None = Field(None, ge=1, le=31, description="clearest dates of each month kept; null: all")
    mgrs_tiles: list[MGRSTile] = Field([], description="tiles wanted, [T50SMC]; []: those that the area needs")
    level: Literal["L1C", "L2A"] = Field("L2A", description="L1C: top of atmosphere; L2A: surface reflectance")
    baseline: str | None = Field(
        None, pattern=r"^\d\d\.\d\d$", description='oldest processing baseline wanted, "05.00"; null: any'
    )
    bands: list[BandName] = Field([], description="bands to fetch, [B2, B3, B4, B8]; []: all of the level")

    fetch: Literal["files", "s3", "zip"] = Field(
        "files", description="for source: safe; files: one by one; s3: with keys made for it; zip: whole archives"
    )
    cart: str | None = Field(None, description="products.meta4 of the Data Space's Browser instead of a search")

    @property
    def searches(self) -> bool:
        """Whether the source searches a service."""
        return self.source in SEARCHED and self.cart is None

    @property
    def area_file(self) -> str | None:
        """The file that the area is in; None for a box or a tile."""
        return self.area if isinstance(self.area, str) and not re.match(MGRS, self.area, re.I) else None

    @property
    def beside(self) -> dict[str, str]:
        """What is wanted beside the scenes, by role: a word of `FETCHED`, or a file of one's own."""
        named = {"reference": self.reference, "dem": self.dem, "roads": self.roads}
        return {role: name for role, name in named.items() if name}

    @model_validator(mode="after")
    def _scenes_for_files(self) -> Self:
        if (self.source == "files") != bool(self.scenes):
            raise ValueError("source 'files' needs at least one entry in 'scenes', other sources take none")
        if (self.source == "products") != (self.products is not None):
            raise ValueError("source 'products' needs 'products', the folder they are in; other sources take none")
        searches = self.searches
        if self.cart is not None and self.source != "safe":
            raise ValueError("'cart' is for source: safe; set it to null")
        if searches != (self.area is not None) or searches != (self.dates is not None):
            raise ValueError(
                f"source {self.source!r} needs 'area' and 'dates'"
                if searches
                else "'area' and 'dates' are for source stac or safe without a cart; set them to null"
            )
        if self.dates and self.dates[0] > self.dates[1]:
            raise ValueError(f"dates end before they begin: write {self.dates[::-1]}")
        if self.reference_year is not None and self.reference not in FETCHED["reference"]:
            raise ValueError("'reference_year' is for reference: esri or worldcover; set it to null")
        named = [(s.date, s.file, *sorted((s.bands or {}).items())) for s in self.scenes]
        twice = sorted(str(n[0]) for n in named if named.count(n) > 1)
        if twice:
            raise ValueError(f"two scenes have the same date: {twice[0]}, and the same files; name each once")
        return self
