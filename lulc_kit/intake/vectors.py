"""Points, lines and polygons of a user's, in whatever file they come."""

import glob
import re
import unicodedata
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from lulc_kit.errors import FormatError, GridError, MissingFileError, ParameterError
from lulc_kit.files import join_archive
from lulc_kit.intake import tables
from lulc_kit.intake.remote import refuse_remote
from lulc_kit.raster.reading import OFFLINE

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt
    import pandas as pd
    import pyproj

SUFFIXES = frozenset(
    {".gpkg", ".shp", ".geojson", ".geojsonl", ".json", ".fgb", ".parquet", ".geoparquet"}
    | {".gml", ".kml", ".kmz", ".sqlite", ".gdb", ".tab", ".mif", ".gpx", ".topojson"}
    | {".osm", ".pbf", ".shz", ".jsonfg", ".geojsonseq", ".geojsons", ".ndjson"}
)
"""Endings of vector files, in lower case."""
_IN_XML = re.compile(rb"<(?:\w+:)?(?:kml|gpx|osm)[\s>]|<(?:\w+:)?FeatureCollection[^>]*opengis\.net/(?:gml|wfs)")
"""How vectors begin in a file that is called .xml, as services deliver GML; most others of that name say what a raster
is."""
PARQUET = (".parquet", ".geoparquet")
_PACKED = (".zip", ".shz")  # a shapefile in it may have no .cpg
SETTABLE = "05_samples.yaml"
"""The parameters that can say which layer, encoding and CRS a file has; for others the file itself is changed."""
EVERY, LAYER = "*", "layer"
"""What `read` takes for all layers together, and the field in which it then says which layer a feature is from."""
DEGREES = 361
"""No longitude is greater, also where they are counted on beyond the date line."""


def is_vector(path: Path) -> bool:
    """Whether a file (for ``.gdb`` a folder) is a vector file: by its ending, archives and XML by what they hold."""
    return path.suffix.lower() in SUFFIXES or bool(_members(path)) or _in_xml(path)


def _in_xml(path: Path) -> bool:
    if path.suffix.lower() != ".xml" or not path.is_file():
        return False
    with path.open("rb") as stream:
        return bool(_IN_XML.search(stream.read(4096)))


def _members(path: Path) -> list[str]:
    """Return the vector files in a zip archive (for ``.gdb`` its folder); none for any other file."""
    if path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    found = [next((p for p in (name, *name.parents) if p.suffix.lower() in SUFFIXES), None) for name in names]
    return list(dict.fromkeys(str(p) for p in found if p is not None and not p.name.startswith(("._", "__"))))


@dataclass(frozen=True)
class Vectors:
    """What a vector file was understood to say.

    Attributes
    ----------
    table
        Its features, with ``geometry``, in the file's CRS, in the file's order.
    layer
        The layer that was read.
    path
        The file.
    """

    table: "gpd.GeoDataFrame"
    layer: str
    path: Path

    def record(self, field: str | None = None) -> "pd.DataFrame":
        """Return what was understood, for reading: CRS, features by kind of geometry, and by value of a field."""
        import pandas as pd

        kinds = self.table.geometry.geom_type.fillna("no geometry").value_counts()
        epsg = self.table.crs.to_epsg() if self.table.crs is not None else None
        rows: list[tuple[str, object]] = [
            ("file", self.path.name),
            ("layer", self.layer),
            ("CRS", f"EPSG:{epsg}" if epsg else str(self.table.crs)),
            ("features", len(self.table)),
            *((f"of these {kind}", int(count)) for kind, count in kinds.items()),
            ("fields", ", ".join(str(c) for c in self.table.columns if c != self.table.geometry.name)),
        ]
        if field is not None and field in self.table:
            counts = self.table[field].map(repr).value_counts()
            rows += [(f"{field} = {value}", int(count)) for value, count in counts.head(40).items()]
        return pd.DataFrame(rows, columns=["what", "found"]).set_index("what")


def read(
    path: str | Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    crs: str | None = None,
    mask: "gpd.GeoSeries | None" = None,
    where: str | None = None,
    parameters: str = "the parameters",
) -> Vectors:
    """Read a vector file: GeoPackage, shapefile (zipped too), GeoJSON, GeoParquet, file geodatabase and the like.

    Parameters
    ----------
    path
        The file; for ``.gdb`` the folder.
    layer
        Which layer; None for the only one that has geometry (styles and tables beside it do not count); ``"*"`` for
        all that have, each feature's layer in the field ``layer``: Google Earth saves a folder as a layer.
    encoding
        Of the words in a shapefile's table, such as ``"GBK"``; None for what the file says.
    crs
        Of a file that does not say its own (a shapefile without ``.prj``, GeoJSON in metres), such as
        ``"EPSG:32633"``; None to refuse it.
    mask
        Only features that meet it are wanted, in whatever CRS; None for all.
    where
        Only features of which this is true are wanted, in SQL: ``"highway IS NOT NULL"``; not of GeoParquet.
    parameters
        File of the parameters, for messages: ``05_samples.yaml``.

    Raises
    ------
    LulcError
        If the file is missing, none that GDAL reads, has several layers and none is named, has no CRS or one that its
        coordinates contradict, or its words are in another encoding.

    Examples
    --------
    >>> found = read("outputs/mine/samples/samples.parquet")
    >>> found.table["label"].tolist(), found.table.crs.to_epsg()
    ([1, 2], 32633)
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path} does not exist. Check the path in {parameters}.")
    refuse_remote(path)
    if path.suffix.lower() in PARQUET:
        table, name = _placed(path, _parquet(path)), path.stem
        if mask is not None and table.crs is not None:
            table = table[table.intersects(mask.to_crs(table.crs).union_all())]
    else:
        table, name = _gdal(path, layer, encoding, mask, where, parameters)
        table = _placed(path, table)
    if crs is not None and (table.crs is None or _contradicted(table)):  # GeoJSON in metres does not say so
        table = table.set_crs(_known(crs, parameters), allow_override=True)
    if table.crs is None:
        remedy = f"Set it (in QGIS: Layer > Set CRS, then save){_or_say(parameters)} and try again"
        raise GridError(f"{path} has no CRS. {remedy}.")
    _check_place(path, table, parameters)
    return Vectors(_legible(table), name, path)


def finite(geometry: "gpd.GeoSeries") -> "npt.NDArray[np.bool_]":
    """Whether all coordinates of each shape are numbers, and none of them infinite; of no shape they are."""
    found, of = shapely.get_coordinates(geometry.to_numpy(), return_index=True)
    good = np.ones(len(geometry), bool)
    good[of[~np.isfinite(found).all(axis=1)]] = False
    return good


def _placed(path: Path, table: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Return the table with no geometry where coordinates are no numbers: no program can say where such a shape is."""
    odd = ~finite(table.geometry)
    if not odd.any():
        return table
    warnings.warn(
        f"{int(odd.sum())} of {len(table)} features of {path} have coordinates that are no numbers (NaN, or infinite), "
        f"the first is number {int(odd.argmax()) + 1}: they lie nowhere, and count as features without geometry.",
        stacklevel=3,
    )
    return table.set_geometry(table.geometry.mask(odd))


def _check_place(path: Path, table: "gpd.GeoDataFrame", parameters: str) -> None:
    """Refuse a CRS that says nothing of the place, or that the numbers contradict."""
    crs = table.crs
    if not (crs.is_projected or crs.is_geographic):
        raise GridError(
            f"{path} has a CRS that is tied to no place on the earth ({crs.name}). Find out the real one, set it (in "
            f"QGIS: Layer > Set CRS, then save) and try again."
        )
    if _contradicted(table):
        bounds = table.total_bounds
        raise GridError(
            f"{path} says that its coordinates are degrees ({crs.name}), but they reach from "
            f"{', '.join(f'{v:.0f}' for v in bounds[:2])} to {', '.join(f'{v:.0f}' for v in bounds[2:])}. Find out the "
            f"real CRS, set it (in QGIS: Layer > Set CRS, then save){_or_say(parameters)} and try again."
        )


def _or_say(parameters: str) -> str:
    return f", or say it with labels_crs in {parameters}" if parameters == SETTABLE else ""


def _contradicted(table: "gpd.GeoDataFrame") -> bool:
    bounds = table.total_bounds
    return bool(table.crs.is_geographic and (np.abs(bounds[np.isfinite(bounds)]) > DEGREES).any())


def _legible(table: "gpd.GeoDataFrame") -> "gpd.GeoDataFrame":
    """Return the table with words and names of fields in one spelling, and lists and objects as words.

    ``ä`` may stand in a file as one character or as two (a and its dots), as programs of macOS write it.
    """
    for name in table.columns.difference([table.geometry.name]):
        if table[name].dtype == object or table[name].dtype == "str":
            table[name] = table[name].map(_word)
    return table.rename(columns=_word)


def _word(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return str(_bare(value)) if isinstance(value, list | tuple | dict | np.ndarray) else value


def _bare(value: Any) -> Any:
    """Return lists and objects, as JSON and Parquet hold them in one another, without numpy's types; 1 for 1.0."""
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_bare(inner) for inner in value]
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known(crs: str, parameters: str) -> "pyproj.CRS":
    import pyproj

    try:
        return pyproj.CRS(crs)
    except pyproj.exceptions.CRSError as error:
        raise ParameterError(f'{parameters}: {crs!r} is not a CRS ({error}). Write it as "EPSG:32633".') from None


def _parquet(path: Path) -> "gpd.GeoDataFrame":
    import geopandas as gpd
    import pyarrow

    try:
        return tables.plain(gpd.read_parquet(path))
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise FormatError(
            f"{path} is not GeoParquet ({error}). Write it with geopandas' to_parquet or from QGIS."
        ) from error


def _source(path: Path) -> Path | str:
    """Return the name by which GDAL opens a file, in a zip archive the one vector file that it holds."""
    members = _members(path)
    if len(members) > 1:
        raise FormatError(f"{path} holds {len(members)} vector files: {', '.join(members)}. Unpack it and name one.")
    return join_archive(path, members[0]) if members else path


def _gdal(
    path: Path,
    layer: str | None,
    encoding: str | None,
    mask: "gpd.GeoSeries | None",
    where: str | None,
    parameters: str,
) -> tuple["gpd.GeoDataFrame", str]:
    import geopandas as gpd
    import pyogrio

    source = _source(path)
    _stay_offline()
    try:
        listed = pyogrio.list_layers(source)
        shapes = [str(name) for name, kind in listed if kind is not None]
        if layer is None and len(shapes) > 1:  # GPX has five, most of them empty
            full = [n for n in shapes if pyogrio.read_info(source, layer=n, force_feature_count=True)["features"]]
            shapes = full or shapes
        chosen = _layers(path, [str(name) for name, _ in listed], shapes, layer, parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fields that are passed over, of rings that are not closed
            tables = [gpd.read_file(source, layer=one, encoding=encoding, mask=mask, where=where) for one in chosen]
            unsaid = _names_no_encoding(path) or path.suffix.lower() in _PACKED
            if encoding is None and unsaid and len(tables) == 1 and is_utf8(tables[0]):
                tables = [gpd.read_file(source, layer=chosen[0], encoding="UTF-8", mask=mask, where=where)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise _unreadable(path, error) from error
    except (UnicodeDecodeError, LookupError) as error:
        raise FormatError(
            f"The words of {path} are not in the encoding {encoding or 'that the file names'} ({error}). "
            + (
                f"Set 'encoding' in {parameters}: GBK, latin1, cp1251, utf-8 …"
                if parameters == SETTABLE
                else "Save it anew as GeoPackage (in QGIS, where the encoding can be chosen)."
            )
        ) from error
    for one, table in zip(chosen, tables, strict=True):
        if not isinstance(table, gpd.GeoDataFrame):
            raise FormatError(f"Layer {one} of {path} is a table without geometry. Name a layer of points or polygons.")
    return (_joined(tables, chosen) if layer == EVERY else tables[0]), ", ".join(chosen)


def _joined(tables: "Sequence[gpd.GeoDataFrame]", names: Sequence[str]) -> "gpd.GeoDataFrame":
    """Return the features of several layers as one table, with the layer of each in the field `LAYER`."""
    import pandas as pd

    named = [table.assign(**{LAYER: name}) for table, name in zip(tables, names, strict=True)]
    crs = named[0].crs
    alike = [table if table.crs is None or crs is None else table.to_crs(crs) for table in named]
    return pd.concat(alike, ignore_index=True)


def _stay_offline() -> None:
    """Tell pyogrio's GDAL, with which the kit opens files on this computer alone, to reach no server."""
    import pyogrio

    pyogrio.set_gdal_config_options(OFFLINE)


def _unreadable(path: Path, error: Exception) -> FormatError:
    beside = {p.suffix.lower() for p in path.parent.glob(f"{path.stem}.*")}
    if path.suffix.lower() == ".shp" and ".shx" not in beside:
        return FormatError(f"{path} is one of several files: its .shx is missing. Copy all that have its name.")
    return FormatError(f"{path} is not a vector file that GDAL can read ({error}).")


def _layers(
    path: Path, names: Sequence[str], shapes: Sequence[str], wanted: str | None, parameters: str
) -> Sequence[str]:
    if wanted is not None and wanted != EVERY:
        if wanted not in names:
            raise ParameterError(f"{path} has no layer {wanted!r}. It has: {', '.join(names)}.")
        return [wanted]
    if not shapes:
        raise FormatError(f"{path} has no layer with geometry. It has: {', '.join(names) or 'no layer at all'}.")
    if len(shapes) > 1 and wanted is None:
        remedy = (
            f"Set 'layer' in {parameters}; where each layer (a folder in Google Earth) is a class, write "
            f'layer: "{EVERY}" and field: {LAYER}'
        )
        if parameters != SETTABLE:
            remedy = "Save the right one as a file of its own (in QGIS, or ogr2ogr NEW.gpkg FILE LAYER)"
        raise ParameterError(f"{path} has {len(shapes)} layers: {', '.join(shapes)}. {remedy}.")
    return shapes


def describe(path: Path) -> list[dict[str, Any]]:
    """Return what a vector file says of itself, a row for each layer, in values that JSON knows; no feature is read.

    Raises
    ------
    LulcError
        If the file is missing or none that GDAL reads, or points to the network.
    """
    import pyogrio

    if not path.exists():
        raise MissingFileError(f"{path} does not exist.")
    refuse_remote(path)
    if path.suffix.lower() in PARQUET:
        table = _parquet(path)
        kinds = ", ".join(sorted(set(table.geom_type.dropna())))
        fields = [str(c) for c in table.columns if c != table.geometry.name]
        return [_layer_row(path, path.stem, table.crs, kinds, len(table), fields)]
    source = _source(path)
    _stay_offline()
    try:
        layers = [(str(name), kind) for name, kind in pyogrio.list_layers(source)]
        found = [(name, kind, pyogrio.read_info(source, layer=name, force_feature_count=True)) for name, kind in layers]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise _unreadable(path, error) from error
    return [
        _layer_row(path, name, said["crs"], kind or "none", int(said["features"]), list(said["fields"]))
        for name, kind, said in found
    ]


def _layer_row(path: Path, layer: str, crs: object, kinds: str, count: int, fields: Sequence[str]) -> dict[str, Any]:
    import pyproj

    known = pyproj.CRS(crs) if crs is not None else None
    epsg = known.to_epsg() if known else None
    return {
        "file": path.name,
        "layer": layer,
        "CRS": f"EPSG:{epsg}" if epsg else known.name if known else "–",
        "geometry": kinds,
        "features": count,
        "fields": ", ".join(map(str, fields)),
    }


def encoding_hint(path: Path, words: Sequence[object], parameters: str) -> str:
    """Return the sentence that says how to read words that look as if they were in another encoding, or nothing."""
    odd = any(not word.isascii() for word in words if isinstance(word, str))
    if not odd or not _names_no_encoding(path):
        return ""
    return (
        f" The shapefile does not say which encoding its words are in (it has no .cpg): if they look wrong, set "
        f"'encoding' in {parameters}, for example encoding: GBK or cp1251."
    )


def _names_no_encoding(path: Path) -> bool:
    """Whether it is a shapefile without a ``.cpg``, of which GDAL takes the words for Latin-1."""
    beside = (p.suffix.lower() for p in path.parent.glob(f"{glob.escape(path.stem)}.*"))
    return path.suffix.lower() == ".shp" and ".cpg" not in beside


def is_utf8(table: "pd.DataFrame") -> bool:
    """Whether words that were read as Latin-1 are UTF-8: all that are not ASCII would be, which no other text is."""
    words = {w for c in table.columns if c != "geometry" for w in table[c].unique() if isinstance(w, str)}
    odd = [word for word in words if not word.isascii()]
    try:
        return bool(odd) and not any(word.encode("latin-1").decode("utf-8") == word for word in odd)
    except UnicodeError:
        return False
