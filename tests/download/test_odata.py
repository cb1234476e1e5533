"""What the catalogue says, and what it only seems to say."""

import pytest

from lulc_kit.download import odata
from lulc_kit.errors import LulcError
from tests.services.cdse import Server

NAME = "S2A_MSIL1C_20230615T101031_N0509_R022_T33UVU_20230615T142331.SAFE"
ENTRY = {"Id": "0a0b0c0d-0000-1111-2222-333344445555", "Name": NAME, "Online": True, "S3Path": "/eodata/Sentinel-2/x"}


@pytest.fixture
def server(data_space: Server) -> Server:
    return data_space


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (
            [{"Algorithm": "MD5", "Value": "AB" * 16}, {"Algorithm": "BLAKE3", "Value": "a" * 64}],
            {"md5": "ab" * 16, "blake3": "a" * 64},
        ),
        ([{"Algorithm": "SHA3-256", "Value": "b" * 64}], {"sha3_256": "b" * 64}),
        ([{"Algorithm": "MD5", "Value": "0" * 32}], {}),
        ([{"Algorithm": "MD5", "Value": "short"}], {}),
        ([{"Algorithm": "MD5"}], {}),
        ([{}], {}), ([None], {}), ([], {}), (None, {}), ("N/A", {}), (0, {}),
    ],
)  # fmt: skip
def test_checksums(server: Server, said: object, known: dict[str, str]) -> None:
    server.entries[NAME] = ENTRY | {"Checksum": said, "ContentLength": 12}
    assert odata.find(NAME.removesuffix(".SAFE")).checksums == known


@pytest.mark.parametrize(("said", "known"), [(12, 12), (0, None), (None, None), ("N/A", None), ([], None), (-1, None)])
def test_sizes(server: Server, said: object, known: int | None) -> None:
    server.entries[NAME] = ENTRY | {"ContentLength": said}
    assert odata.find(NAME).size == known


def test_addresses(server: Server) -> None:
    server.entries[NAME] = ENTRY
    found = odata.find(NAME)
    root = f"{server.url}/odata/v1/Products({ENTRY['Id']})"
    assert found.archive == f"{root}/$value"
    assert (
        found.node("GRANULE/L1C/MTD_TL.xml")
        == f"{root}/Nodes({NAME})/Nodes(GRANULE)/Nodes(L1C)/Nodes(MTD_TL.xml)/$value"
    )
    assert found.key("manifest.safe") == "Sentinel-2/x/manifest.safe"


def test_an_id_that_is_none(server: Server) -> None:
    server.entries[NAME] = ENTRY | {"Id": "../../evil"}
    with pytest.raises(LulcError, match="expected a UUID"):
        odata.find(NAME)


def test_gone_without_a_cause(server: Server) -> None:
    server.deleted.append({"Name": NAME, "DeletionDate": None})
    with pytest.raises(LulcError, match="was deleted .*no cause is given"):
        odata.find(NAME)
