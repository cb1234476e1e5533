"""Which Sen2Cor there is, and which one a product needs."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from defusedxml import ElementTree

from lulc_kit.errors import LulcError
from lulc_kit.preprocess import external
from lulc_kit.sentinel2 import BANDS

_PROGRAMS = ("L2A_Process", "L2A_Process.bat")
_FIRST_CURRENT_BASELINE = (2, 5)
_BANNER = re.compile(
    r"Sen2Cor\)?\.? Version: (?P<version>\d+(?:\.\d+)*)"
    r"(?:.*?Level-1C product version (?P<most><= )?(?P<first>\d+(?:\.\d+)*)(?: - (?P<last>\d+(?:\.\d+)*))?)?"
)
_L1C_NAME = re.compile(r"(S2[A-D])_MSIL1C_(\d{8}T\d{6})_N\d{4}_(R\d{3})_(T\w{5})_\d{8}T\d{6}\.SAFE")
_OLD_L1C_NAME = re.compile(r"(S2[A-D])_OPER_PRD_MSIL1C_PDMC_\d{8}T\d{6}_(R\d{3}_V\d{8}T\d{6}_\d{8}T\d{6})\.SAFE")


@dataclass(frozen=True)
class Installation:
    """One installed Sen2Cor.

    Parameters
    ----------
    program
        ``L2A_Process``, or ``L2A_Process.bat`` on Windows.
    version
        Such as ``(2, 5, 5)``.
    first_format, last_format
        Oldest and newest product format (PSD) it accepts, such as ``(14, 2)`` and ``(14, 9)``, as its banner
        says.
    has_output_dir
        Whether it has the option ``--output_dir``; 2.5.5 has not.
    """

    program: Path
    version: tuple[int, ...]
    first_format: tuple[int, ...] = (0,)
    last_format: tuple[int, ...] = (99,)
    has_output_dir: bool = True

    def __str__(self) -> str:
        return f"Sen2Cor {dotted(self.version)} ({self.program})"


@dataclass(frozen=True)
class Product:
    """What a Level-1C product says about itself.

    Parameters
    ----------
    path
        Its ``.SAFE`` folder.
    baseline
        Processing baseline, such as ``(2, 6)`` for 02.06.
    format
        Major number of the product format (PSD), such as 14.
    """

    path: Path
    baseline: tuple[int, int]
    format: int

    @property
    def l2a_pattern(self) -> re.Pattern[str]:
        """What the name of the corrected product looks like; raises `LulcError` if the folder was renamed."""
        if pattern := l2a_pattern(self.path.name):
            return pattern
        raise LulcError(
            f"The product folder is called {self.path.name!r}; Sen2Cor wants its original name "
            "(S2?_MSIL1C_<date>_N<baseline>_R<orbit>_T<tile>_<date>.SAFE). Rename it."
        )


def l2a_pattern(name: str) -> re.Pattern[str] | None:
    """Turn the folder name of a Level-1C product into a pattern for that of its Level-2A product.

    Parameters
    ----------
    name
        In the compact form, or the long form of before December 2016.

    Returns
    -------
    re.Pattern or None
        The same satellite, time, orbit and tile, any baseline and processing time; None for any other name.
    """
    if match := _L1C_NAME.fullmatch(name):
        mission, sensed, orbit, tile = match.groups()
        return re.compile(rf"{mission}_MSIL2A_{sensed}_N\d{{4}}_{orbit}_{tile}_\d{{8}}T\d{{6}}\.SAFE")
    if match := _OLD_L1C_NAME.fullmatch(name):
        mission, rest = match.groups()
        return re.compile(rf"{mission}_\w{{4}}_PRD_MSIL2A_PDMC_\d{{8}}T\d{{6}}_{rest}\.SAFE")
    return None


def find(configured: Iterable[Path] = (), *, timeout: float = 60.0) -> list[Installation]:
    """Find the installed versions of Sen2Cor.

    Parameters
    ----------
    configured
        Programs, or the folders they were unpacked to. They come before what is on the PATH and in the usual
        folders (home, ``/opt``, ``/usr/local``, ``/Applications``, drives and program folders of Windows,
        SNAP's ``auxdata``).
    timeout
        Seconds to wait for a version's banner.

    Returns
    -------
    list of Installation
        Newest first; of one version the first that was found. Empty if there is none.

    Raises
    ------
    LulcError
        If something that was configured is not a working Sen2Cor. What was only found by looking is left out.
    """
    found: dict[tuple[int, ...], Installation] = {}
    for place in configured:
        program = _program_in(Path(place).expanduser())
        if program is None:
            raise LulcError(f"There is no L2A_Process in {place}. Give the folder of Sen2Cor, or the program.")
        installation = probe(program, timeout=timeout)
        found.setdefault(installation.version, installation)
    seen = {installation.program.resolve() for installation in found.values()}
    for program in _candidates():
        if program.resolve() in seen:
            continue
        seen.add(program.resolve())
        with contextlib.suppress(LulcError):
            installation = probe(program, timeout=timeout)
            found.setdefault(installation.version, installation)
    return sorted(found.values(), key=lambda installation: installation.version, reverse=True)


def probe(program: Path, *, timeout: float = 60.0) -> Installation:
    """Ask a program for its version, by ``--help``, which processes nothing.

    Parameters
    ----------
    program
        ``L2A_Process`` or ``L2A_Process.bat``.
    timeout
        Seconds to wait; then it is killed.

    Returns
    -------
    Installation
        As the banner describes it.

    Raises
    ------
    LulcError
        If the program does not start, does not answer in time, or does not answer as Sen2Cor does.
    """
    try:
        process = external.start([str(program), "--help"], program.parent)
    except OSError as error:
        raise LulcError(f"{program} cannot be started ({error}). Check the installation of Sen2Cor.") from error
    with external.deadline(process, timeout) as expired:
        text, _ = process.communicate()
    if expired.is_set():
        raise LulcError(f"{program} did not tell its version within {timeout:.0f} s. Run it by hand once, with --help.")
    banner = _BANNER.search(" ".join(text.split()))
    if banner is None:
        raise LulcError(f"{program} does not answer as Sen2Cor does, but: {text.strip()[:200]!r}. Check the path.")
    first, last = banner["first"], banner["last"]
    return Installation(
        program=program,
        version=_numbers(banner["version"]),
        first_format=_numbers(first) if first and not banner["most"] else (0,),
        last_format=_numbers(last or first) if first else (99,),
        has_output_dir="--output_dir" in text,
    )


def read_product(path: Path) -> Product:
    """Read from a Level-1C product what decides which Sen2Cor can process it.

    Parameters
    ----------
    path
        A ``.SAFE`` folder, unpacked.

    Returns
    -------
    Product
        Its processing baseline and format.

    Raises
    ------
    LulcError
        If it is not a folder, has no readable Level-1C metadata, or images are missing.
    """
    path = Path(path)
    if not path.is_dir():
        raise LulcError(f"{path} is not a folder; Sen2Cor takes unpacked .SAFE folders. Unzip the product first.")
    files = [*path.glob("MTD_MSIL1C.xml"), *path.glob("S2*_OPER_MTD_SAFL1C_*.xml")]
    if not files:
        raise LulcError(f"{path} has no MTD_MSIL1C.xml; expected a Level-1C product. Download it again.")
    try:
        root = ElementTree.parse(files[0]).getroot()
    except Exception as error:  # expat errors and defusedxml's refusals have no common base
        raise LulcError(f"{files[0]} cannot be read as XML ({error}). Download the product again.") from error
    baseline = root.findtext(".//PROCESSING_BASELINE") or ""
    if not re.fullmatch(r"\d+\.\d+", baseline.strip()):
        raise LulcError(
            f"{files[0]} states the PROCESSING_BASELINE {baseline!r}; expected a number such as 02.06. "
            "Download the product again."
        )
    major, minor = _numbers(baseline.strip())
    namespace = re.search(r"psd-(\d+)", root.tag)
    product = Product(path, (major, minor), int(namespace[1]) if namespace else 14)
    for granule in sorted((path / "GRANULE").glob("*")) or [path / "GRANULE"]:
        missing = [
            band.file_name for band in BANDS.values() if not any(granule.glob(f"IMG_DATA/*_{band.file_name}.jp2"))
        ]
        if missing:
            raise LulcError(
                f"{granule} has no image of {', '.join(missing)}; Sen2Cor needs all 13 bands. Download the "
                "product again."
            )
    return product


def choose(product: Product, installations: Sequence[Installation]) -> Installation:
    """Choose the Sen2Cor for a product.

    Parameters
    ----------
    product
        From `read_product`.
    installations
        From `find`.

    Returns
    -------
    Installation
        2.5.x for a baseline before 02.05; otherwise the newest later one that accepts the product's format.

    Raises
    ------
    LulcError
        If none fits: which one is needed, and which there are.
    """
    old = product.baseline < _FIRST_CURRENT_BASELINE
    # the metadata name only the major format; baseline 03.00 came with 14.6, which 2.8 cannot read
    minor = 6 if product.format == 14 and product.baseline >= (3, 0) else 0
    fitting = [
        installation
        for installation in installations
        if (installation.version < (2, 6)) == old
        and installation.first_format[0] <= product.format
        and (product.format, minor) <= (*installation.last_format, 0)
    ]
    if fitting:
        return max(fitting, key=lambda installation: installation.version)
    if old:
        needed = "Sen2Cor 2.5.5"
    elif product.format <= 14:
        needed = "Sen2Cor 2.10 to 2.12"
    else:
        needed = f"a Sen2Cor that accepts product format {product.format} (3.3 or later)"
    there = ", ".join(str(installation) for installation in installations) or "none"
    raise LulcError(
        f"{product.path.name} has the baseline {product.baseline[0]:02d}.{product.baseline[1]:02d} and "
        f"format {product.format}, which needs {needed}; installed: {there}. Install it or give its folder."
    )


def settings_file(installation: Installation) -> Path | None:
    """Settings of an old Sen2Cor: the user's, else those that came with it."""
    short = dotted(installation.version[:2])
    homes = [Path.home() / "sen2cor" / short / "cfg", Path.home() / "Documents" / "sen2cor" / short / "cfg"]
    if "SEN2COR_HOME" in os.environ:
        homes.insert(0, Path(os.environ["SEN2COR_HOME"]) / "cfg")
    for folder in homes:
        if (folder / "L2A_GIPP.xml").is_file():
            return folder / "L2A_GIPP.xml"
    root = installation.program.resolve().parent
    root = root.parent if root.name == "bin" else root
    return next((path for path in root.glob("**/cfg/L2A_GIPP.xml")), None) if "sen2cor" in root.name.lower() else None


def _program_in(place: Path) -> Path | None:
    if place.is_file():
        return place
    return next(
        (path for folder in (place, place / "bin") for name in _PROGRAMS if (path := folder / name).is_file()),
        None,
    )


def _candidates() -> Iterator[Path]:
    """Programs on the PATH and in the folders where Sen2Cor is usually unpacked."""
    suffix = ".bat" if os.name == "nt" else ""
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        program = Path(entry or ".") / f"L2A_Process{suffix}"
        if entry and program.is_file() and os.access(program, os.X_OK):
            yield program
    for parent in _usual_folders():
        with contextlib.suppress(OSError):  # folders that may not be listed
            for folder in sorted(parent.glob("[Ss]en2[Cc]or*")):
                program_or_none = _program_in(folder) if folder.is_dir() else None
                if program_or_none is not None:
                    yield program_or_none


def _usual_folders() -> list[Path]:
    home = Path.home()
    folders = [home, home / "Applications", home / "Downloads", home / "Desktop", home / "Documents"]
    folders += [home / "bin", home / ".local", home / ".snap" / "auxdata", home / ".sen2r"]
    if os.name == "nt":
        drive = os.environ.get("SYSTEMDRIVE", "C:") + "\\"
        names = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        return [*folders, Path(drive), *(Path(os.environ[name]) for name in names if name in os.environ)]
    return [*folders, Path("/opt"), Path("/usr/local"), Path("/Applications")]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def dotted(numbers: tuple[int, ...]) -> str:
    """Return the numbers of a version as text: ``2.12.4``."""
    return ".".join(str(number) for number in numbers)
