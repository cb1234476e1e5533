"""Files of a user's stay on this computer: one that sends the reader to the network is refused."""

import re
from pathlib import Path

from lulc_kit.errors import FormatError
from lulc_kit.provenance import companions

_FAR = re.compile(
    rb"/vsi(?:curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)\w*|(?:https?|ftp)://[^\s<>\"']+|<GDAL_W(?:MS|MTS)|<WCS_GDAL",
    re.I,
)
_NAMES = (
    *(b"SourceFilename", b"SourceDataset", b"SrcDataSource", b"GDAL_WMS", b"GDAL_WMTS", b"WCS_GDAL", b"ServerUrl"),
    *(b"CachedSource", b"IndexDataset", b"ResourceURL", b"OGRWFSDataSource", b"WFS_Capabilities", b"OVERVIEW_FILE"),
    *(b"gdal_streamed_alg", b'"stac_version"'),
)
"""What is found in files that name what is to be opened in their place."""
_LOOK = 1 << 24  # bytes of a description that are searched; real ones are small


def refuse_remote(path: Path) -> None:
    """Refuse a description (VRT, WMS, OGR VRT …) that points to the network, whatever the file's name ends in.

    GDAL knows descriptions by what they say, and opens what they name. Reading somebody's file must not make the
    kit call a server that its author chose. Whatever is not recognized here is opened with `raster.reading.OFFLINE`.

    Parameters
    ----------
    path
        A file of a user's. One that the parameter itself names as a URL is no path and does not come here.

    Raises
    ------
    LulcError
        With the address.
    """
    for file in companions(path):
        if not file.is_file():
            continue
        with file.open("rb") as stream:
            start = stream.read(_LOOK)
        text = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{"))
        if not text or not any(name in start for name in _NAMES):
            continue
        named = re.sub(rb"<SRS[^<>]*>[^<]*</SRS>|(?:xmlns(?::\w+)?|schemaLocation)=\"[^\"]*\"", b"", start)
        if far := _FAR.search(named):
            raise FormatError(
                f"{file} points to the network ({far[0].decode(errors='replace')}). Files of yours are read without "
                f"it: fetch the data (gdal_translate {file.name} local.tif) and name the fetched file instead."
            )
