"""The table of areas of a region: which there are, and what a study's parameters are for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lulc_kit import files, params
from lulc_kit.errors import ParameterError
from lulc_kit.intake import tables, vectors
from lulc_kit.late import pd
from lulc_kit.params.download import MGRS
from lulc_kit.run import Planned
from lulc_kit.translation import own_name

TABLES = ("areas.csv", "areas.gpkg")
WORDS = ("name", "tile", "crs")
"""Columns that hold words: 001 is another name than 1."""
SIDES = ("left", "bottom", "right", "top")
APPLIED = ("01", "02", "03", "04", "06", "07", "08")
"""Notebooks that an area goes through: what makes features and maps, not what makes labels and judges."""


@dataclass(frozen=True)
class Area:
    """One area of a region.

    Attributes
    ----------
    name
        Its name, which that of its study ends with.
    box
        Left, bottom, right and top in degrees; None for a tile.
    tile
        A tile of Sentinel-2, ``"T50SMC"``; None for a box.
    crs
        Of its grid, ``"EPSG:32650"``; None: what the study's parameters say, or the UTM zone that its middle lies in.
    """

    name: str
    box: tuple[float, float, float, float] | None = None
    tile: str | None = None
    crs: str | None = None


def table_of(folder: Path) -> Path | None:
    """Return the table of areas in a study's parameter folder; None if there is none, and it is no region.

    Raises
    ------
    LulcError
        If there are two.
    """
    found = [folder / name for name in TABLES if (folder / name).exists()]
    if len(found) > 1:
        raise ParameterError(f"{folder} holds {' and '.join(TABLES)}: which areas are meant? Keep one of them.")
    return found[0] if found else None


def read(path: Path) -> list[Area]:
    """Read a table of areas: ``name``, and a box or a tile for each; in a GeoPackage the box is that of the geometry.

    Columns: ``name``; ``left``, ``bottom``, ``right``, ``top`` in degrees, or ``tile``; ``crs`` if it is not the UTM
    zone of the area's middle.

    Raises
    ------
    LulcError
        Names the rows that cannot be: a name twice or none, neither box nor tile or both, a box that is empty or not
        in degrees, a CRS that is none.
    """
    if path.suffix == ".csv":
        rows = tables.read(path, words=WORDS, remedy="Save it as CSV in UTF-8.")
    else:
        found = vectors.read(path).table.to_crs("EPSG:4326")
        sides = found.geometry.bounds.set_axis(list(SIDES), axis=1)
        rows = pd.concat([pd.DataFrame(found.drop(columns=found.geometry.name)), sides], axis=1)
        if "tile" in rows:  # it says more than the geometry beside it
            rows.loc[rows["tile"].notna(), list(SIDES)] = None
    if "name" not in rows or rows.empty:
        raise ParameterError(
            f"{path} has {len(rows)} row(s) and the columns {', '.join(map(str, rows.columns))}. Expected a row for "
            f"each area, with name, and left, bottom, right, top (degrees) or tile."
        )
    rows = rows.assign(**{c: rows[c].map(own_name, na_action="ignore") for c in WORDS if c in rows})  # 32633.0: 32633
    known = set(rows["name"].dropna())
    counted = Counter(name.casefold() for name in rows["name"].dropna())
    wrong = [f"{name!r} is there {n} times" for name, n in counted.items() if n > 1]
    areas = []
    for row in rows.to_dict("records"):
        try:
            areas.append(_area({str(k): v for k, v in row.items() if not pd.isna(v)}))
        except ParameterError as error:
            wrong.append(str(error))
    if wrong:
        raise ParameterError(f"{path}, {len(rows)} row(s), {len(known)} name(s):\n  " + "\n  ".join(wrong))
    return areas


def _area(row: dict[str, Any]) -> Area:
    name = row.get("name", "")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]*", name):
        raise ParameterError(f"{name!r} cannot be the name of an area: use letters, digits, _ and -")
    tile, crs = row.get("tile"), _crs(name, row.get("crs"))
    sides = [side for side in SIDES if side in row]
    if (len(sides) == 4) == (tile is not None) or 0 < len(sides) < 4:
        raise ParameterError(
            f"{name} has {', '.join([*sides, *(['tile'] if tile else [])]) or 'no place'}; expected "
            f"left, bottom, right and top, or a tile"
        )
    if tile is not None:
        if not re.match(MGRS, tile, re.I):
            raise ParameterError(f"{name}: {tile!r} is no tile; expected one like T50SMC")
        return Area(name, None, tile, crs)
    try:
        left, bottom, right, top = (float(row[side]) for side in SIDES)
    except (TypeError, ValueError):
        raise ParameterError(f"{name}: {[row[side] for side in SIDES]} are no numbers") from None
    if not (-180 <= left < right <= 180 and -90 <= bottom < top <= 90):
        raise ParameterError(
            f"{name}: {left:g} {bottom:g} {right:g} {top:g} is no box in degrees with left < right and bottom < top"
        )
    return Area(name, (left, bottom, right, top), None, crs)


def _crs(name: str, word: str | None) -> str | None:
    """Return a CRS as parameters write it: ``EPSG:32633`` for 32633 too."""
    import pyproj

    if not word:
        return None
    crs = f"EPSG:{word}" if word.isdecimal() else word
    try:
        metric = pyproj.CRS(crs).is_projected
    except pyproj.exceptions.CRSError:
        metric = False
    if not metric:
        raise ParameterError(f"{name}: {word!r} is no CRS in metres; expected one like EPSG:32633")
    return crs


def study_of(region: str, area: Area) -> str:
    """Return the name of the study that an area is: its results lie in ``outputs/<region>-<area>``."""
    return f"{region}-{area.name}"


def plan(steps: Sequence[Planned], area: Area) -> list[Planned]:
    """Return a region's steps for one area.

    Where the region's scenes are searched, the area is what is searched for; where they are there already, it is the
    box of notebook 02.

    Raises
    ------
    LulcError
        If a step trains or needs labels, none maps, an area is a tile and nothing is searched, or the area's name is
        that of another study.
    """
    region = steps[0].parameters.study
    name = study_of(region, area)
    if (files.project_folder() / "params" / name).exists():
        raise ParameterError(f"The area {area.name} of {region} would be the study {name}, which there is. Rename it.")
    _check_steps(steps)
    first = steps[0].parameters
    searches = isinstance(first, params.Download) and first.searches
    if area.tile and not searches:
        raise ParameterError(
            f"{area.name}: a tile is searched for (source: stac or safe); of scenes that are there "
            f"already give the box: left, bottom, right, top."
        )
    planned = []
    for step in steps:
        p = step.parameters
        values: dict[str, Any] = {"study": name}
        if searches and isinstance(p, params.Download):
            values |= {"area": area.tile or list(area.box or ()), "crs": area.crs or p.crs}
        if not searches and isinstance(p, params.Preprocess):
            values |= _placed(area, area.crs or p.crs)
        planned.append(Planned(step.step, type(p).check(p.model_dump() | values, f"{region}, area {area.name}")))
    return planned


def _placed(area: Area, crs: str | None) -> dict[str, Any]:
    """Return CRS and box of an area's grid."""
    from odc.geo.crs import CRS
    from odc.geo.geom import box

    assert area.box is not None, "a tile has been refused"
    shape = box(*area.box, "EPSG:4326")
    target = CRS(crs) if crs else CRS.utm(*shape.centroid.coords[0])
    side = min(area.box[2] - area.box[0], area.box[3] - area.box[1])
    return {"crs": str(target), "bbox": list(shape.to_crs(target, resolution=side / 20).boundingbox.bbox)}


def _check_steps(steps: Sequence[Planned]) -> None:
    region = steps[0].parameters.study
    others = [s.step for s in steps if s.step[:2] not in APPLIED]
    trains = [s.step for s in steps if s.step[:2] in ("06", "07", "08") and not getattr(s.parameters, "trained", None)]
    if not steps[0].step.startswith("01"):
        raise ParameterError(f"params/{region} has no 01_download.yaml: which scenes are its areas cut from?")
    if others or trains or not any(s.step[:2] in ("06", "07", "08") for s in steps):
        raise ParameterError(
            f"params/{region} has a table of areas, each of which is mapped by models that were trained elsewhere. "
            + (f"{', '.join(others)} make or need labels: take them out. " if others else "")
            + (f"{', '.join(trains)} would train: write trained: STUDY/RUN. " if trains else "")
            + f"Such a study is written by: lulc new {region} --apply STUDY"
        )
