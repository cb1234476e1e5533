"""Which Sen2Cor there is, and which one a product needs."""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.preprocess import external
from lulc_kit.safe.source import open_source

ANSWER = 60.0
"""Seconds that a program may take to tell its version."""

_FIRST_CURRENT_BASELINE = (2, 5)
_BANNER = re.compile(
    r"Sen2Cor\)?\.? Version: (?P<version>\d+(?:\.\d+)*)"
    r"(?:.*?Level-1C product version (?P<most><= )?(?P<first>\d+(?:\.\d+)*)(?: - (?P<last>\d+(?:\.\d+)*))?)?"
)
_L1C_NAME = re.compile(r"(S2[A-D])_MSIL1C_(\d{8}T\d{6})_N\d{4}_(R\d{3})_(T\w{5})_\d{8}T\d{6}\.SAFE")
_OLD_L1C_NAME = re.compile(r"(S2[A-D])_OPER_PRD_MSIL1C_PDMC_\d{8}T\d{6}_(R\d{3}_V\d{8}T\d{6}_\d{8}T\d{6})\.SAFE")


@dataclass(frozen=True)
class Installation:
    """One installed Sen2Cor: its program, its version and the product formats (PSD) it accepts, as its banner says.

    2.5.5 has no option ``--output_dir``.
    """

    program: Path
    version: tuple[int, ...]
    first_format: tuple[int, ...] = (0,)
    last_format: tuple[int, ...] = (99,)
    has_output_dir: bool = True

    def __str__(self) -> str:
        return f"Sen2Cor {'.'.join(map(str, self.version))} ({self.program})"


def find(configured: Iterable[Path] = ()) -> list[Installation]:
    """Find the installed versions of Sen2Cor.

    Parameters
    ----------
    configured
        Programs, or the folders they were unpacked to. They come before what is on the PATH, in the home folder and
        in SNAP's ``.snap/auxdata``.

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
        program = _program_in(place.expanduser())
        if program is None:
            raise MissingFileError(f"There is no L2A_Process in {place}. Give the folder of Sen2Cor, or the program.")
        found.setdefault((installation := probe(program)).version, installation)
    for program in _candidates():
        with contextlib.suppress(LulcError):
            found.setdefault((installation := probe(program)).version, installation)
    return sorted(found.values(), key=lambda installation: installation.version, reverse=True)


def probe(program: Path) -> Installation:
    """Ask a program for its version, by ``--help``, which processes nothing.

    Raises
    ------
    LulcError
        If the program does not start, does not answer in time, or does not answer as Sen2Cor does.
    """
    try:
        process = external.start([str(program), "--help"], program.parent)
    except OSError as error:
        raise LulcError(f"{program} cannot be started ({error}). Check the installation of Sen2Cor.") from error
    with external.deadline(process, ANSWER) as expired:
        text, _ = process.communicate()
    if expired.is_set():
        raise LulcError(f"{program} did not tell its version within {ANSWER:.0f} s. Run it by hand once, with --help.")
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


def l2a_pattern(name: str) -> re.Pattern[str]:
    """Turn the folder name of a Level-1C product into a pattern for that of its Level-2A product.

    It has the same satellite, time, orbit and tile, and any baseline and processing time. The name is in the compact
    form, or the long form of before December 2016; a LulcError says so if it is in neither.
    """
    if match := _L1C_NAME.fullmatch(name):
        mission, sensed, orbit, tile = match.groups()
        return re.compile(rf"{mission}_MSIL2A_{sensed}_N\d{{4}}_{orbit}_{tile}_\d{{8}}T\d{{6}}\.SAFE")
    if match := _OLD_L1C_NAME.fullmatch(name):
        mission, rest = match.groups()
        return re.compile(rf"{mission}_\w{{4}}_PRD_MSIL2A_PDMC_\d{{8}}T\d{{6}}_{rest}\.SAFE")
    raise FormatError(
        f"The product folder is called {name!r}; Sen2Cor wants its original name "
        "(S2?_MSIL1C_<date>_N<baseline>_R<orbit>_T<tile>_<date>.SAFE). Rename it."
    )


def choose(product: Path, installations: Sequence[Installation]) -> Installation:
    """Choose the Sen2Cor for a product: 2.5.x before baseline 02.05, else the newest that accepts its format.

    Parameters
    ----------
    product
        An unpacked Level-1C ``.SAFE`` folder.
    installations
        From `find`.

    Raises
    ------
    LulcError
        If it is no such folder, or if none fits: which one is needed, and which there are.
    """
    baseline, psd = _baseline_and_format(product)
    old = baseline < _FIRST_CURRENT_BASELINE
    # the metadata name only the major format; baseline 03.00 came with 14.6, which 2.8 cannot read
    minor = 6 if psd == 14 and baseline >= (3, 0) else 0
    fitting = [
        installation
        for installation in installations
        if (installation.version < (2, 6)) == old
        and installation.first_format[0] <= psd
        and (psd, minor) <= (*installation.last_format, 0)
    ]
    if fitting:
        return max(fitting, key=lambda installation: installation.version)
    current = "2.10 to 2.12" if psd <= 14 else "3.3 or later"
    raise LulcError(
        f"{product.name} has the baseline {baseline[0]:02d}.{baseline[1]:02d} and format {psd}, which needs Sen2Cor "
        f"{'2.5.5' if old else current}; installed: {', '.join(map(str, installations)) or 'none'}. Install it or "
        "give its folder."
    )


def _baseline_and_format(product: Path) -> tuple[tuple[int, ...], int]:
    """Read the processing baseline, (2, 6) for 02.06, and the major number of the format (PSD)."""
    source = open_source(product)
    root = source.read_xml(source.metadata)
    baseline = (root.findtext(".//PROCESSING_BASELINE") or "").strip()
    if not re.fullmatch(r"\d+\.\d+", baseline):
        raise FormatError(f"{product} states the PROCESSING_BASELINE {baseline!r}; expected a number such as 02.06.")
    namespace = re.search(r"psd-(\d+)", root.tag)
    return _numbers(baseline), int(namespace[1]) if namespace else 14


def _program_in(place: Path) -> Path | None:
    programs = (folder / name for folder in (place, place / "bin") for name in ("L2A_Process", "L2A_Process.bat"))
    return place if place.is_file() else next((path for path in programs if path.is_file()), None)


def _candidates() -> Iterator[Path]:
    """Programs on the PATH, in the home folder, and where SNAP installs it."""
    if program := shutil.which("L2A_Process"):
        yield Path(program)
    for parent in (Path.home(), Path.home() / ".snap" / "auxdata"):
        yield from filter(None, map(_program_in, sorted(parent.glob("[Ss]en2[Cc]or*"))))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
