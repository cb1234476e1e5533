"""Marked secrets, kept in each of the three places, for every way of fetching; and all that is written is searched."""

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import planetary_computer.sas
import pytest
import stamina

from lulc_kit import catalog
from lulc_kit.download import secrets, services
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from tests import products, scene
from tests.download.conftest import stac  # noqa: F401
from tests.download.test_metalink import ARIA
from tests.download.test_secrets import Ring
from tests.download.test_whole import cart
from tests.notebook import execute
from tests.notebooks.test_safe import CLI, item
from tests.services.cdse import PASSWORD, USER, Server, add_manifest
from tests.services.stac import AREA, Made, Stac

SECRETS = {
    ("cdse", "user"): USER,
    ("cdse", "password"): PASSWORD,
    ("cdse", "s3_key"): "marked-own-key",
    ("cdse", "s3_secret"): "marked-own-secret",
    ("planetary-computer", "key"): "marked-planetary-key",
}
MACHINES = {name: place[:2] for name, place in secrets.PLACES.items()}
JUNE = ["2023-06-01", "2023-06-30"]


def keep(where: str, names: list[tuple[str, str]], folder: Path) -> dict[str, str]:
    """Keep secrets in a place; return the variables by which it is found. The rest is nowhere."""
    folder.mkdir(exist_ok=True)
    netrc, variables = folder / "netrc", {}
    machines: dict[str, dict[str, str]] = {}
    ring = folder / "marked_ring.py"
    for name in names:
        machine, word = MACHINES[name]
        machines.setdefault(machine, {"login": "nobody"})[word] = SECRETS[name]
        if where == "environment":
            variables["LULC_" + "_".join(name).replace("-", "_").upper()] = SECRETS[name]
    if where == "netrc":
        netrc.write_text(
            "".join(f"machine {m} login {v['login']} password {v['password']}\n" for m, v in machines.items())
        )
    kept = {(f"lulc_kit:{s}", n): SECRETS[s, n] for s, n in names} if where == "keyring" else {}
    ring.write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Marked(KeyringBackend):\n    priority = 1\n"
        f"    def get_password(self, service, username):\n        return {kept!r}.get((service, username))\n"
        "    def set_password(self, *_):\n        raise NotImplementedError\n"
    )
    return variables | {"NETRC": str(netrc), "PYTHON_KEYRING_BACKEND": "marked_ring.Marked"}


def search(project: Path, *shown: str) -> None:
    """Look for every secret in every file of a project, the executed notebook included, and in what was shown."""
    texts = {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file()}
    texts |= {f"shown {number}": text.encode() for number, text in enumerate(shown)}
    assert any(b"S2A_MSIL" in text for text in texts.values()), "nothing was written at all"
    for secret in (b"marked-", b"Bearer ", *(value.encode() for value in SECRETS.values())):
        assert [name for name, text in texts.items() if secret in text] == [], secret


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found, stamina.set_testing(True, attempts=4):
        yield found


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return add_manifest(products.write_l1c(tmp_path / "made", tile="33UUU"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Iterator[Callable[..., dict[str, str]]]:
    """Lead the kit to the stand-in, with secrets in one place alone; what it returns does so for this process."""
    before = keyring.get_keyring()
    monkeypatch.setattr(secrets, "_used", set())

    def prepare(where: str, *names: tuple[str, str]) -> dict[str, str]:
        variables = keep(where, list(names), tmp_path / "kept")
        led = {k: v for k, v in server.environment().items() if k not in ("LULC_CDSE_USER", "LULC_CDSE_PASSWORD")}
        for name, value in (led | variables).items():
            monkeypatch.setenv(name, value)
        ring = Ring()
        if where == "keyring":
            for service, name in names:
                ring.set_password(f"lulc_kit:{service}", name, SECRETS[service, name])
        keyring.set_keyring(ring)
        return led | variables

    yield prepare
    keyring.set_keyring(before)


LOGIN = [("cdse", "user"), ("cdse", "password")]
OWN = [("cdse", "s3_key"), ("cdse", "s3_secret")]


@pytest.mark.parametrize("where", ["environment", "netrc", "keyring"])
@pytest.mark.parametrize(
    ("fetch", "names"),
    [("files", LOGIN), ("files", OWN), ("s3", LOGIN), ("zip", LOGIN)],
    ids=["odata", "own", "s3", "zip"],
)
def test_whole_products(
    stac: Stac,  # noqa: F811
    server: Server,
    project: Path,
    made: Path,
    place: Callable[..., dict[str, str]],
    where: str,
    fetch: str,
    names: list[tuple[str, str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Cells run in this process; a wrong end of the same, with its traceback, is searched, too."""
    place(where, *names)
    server.keys = {SECRETS["cdse", "s3_key"]} if names == OWN else set()
    stac.offered.append(item(server.offer(made)))
    values = {"study": "s", "source": "safe", "service": "cdse", "level": "L1C", "area": AREA, "dates": JUNE}
    values |= {"bands": ["B4"], "fetch": fetch}
    done = execute("01_download", values, project)
    shown = [str(value) for value in done["Out"]]
    assert [s.tile for s in catalog.read(Layout(project / "outputs/s").catalog).scenes] == ["33UUU"]
    server.contents[made.name] = {}
    server.archives[made.name] = b"PK\x03\x04 and nothing else"
    with pytest.raises(LulcError) as caught:
        execute("01_download", values | {"study": "t"}, project)
    said = "".join(traceback.format_exception(caught.value))
    assert (len(secrets._used) >= 2) and ("marked-token-1" in secrets._used) == (names == LOGIN)
    search(project, *shown, said, *capfd.readouterr())


@pytest.mark.parametrize("where", ["environment", "netrc", "keyring"])
@pytest.mark.parametrize("service", ["planetary-computer", "cdse"])
def test_only_the_area(
    stac: Stac,  # noqa: F811
    project: Path,
    place: Callable[..., dict[str, str]],
    service: str,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place(where, *([("planetary-computer", "key")] if service == "planetary-computer" else OWN))
    if service == "planetary-computer":
        monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", stac.files.split("/")[2])
        monkeypatch.setattr(planetary_computer.sas, "parse_blob_url", lambda parts: ("account", "container"))
        monkeypatch.setattr(planetary_computer.settings.Settings.get(), "sas_url", f"{stac.url}/token")
        stac.signature = "marked-signature"
        services.SERVICES[service].forget()
    stac.offer(Made("2023-06-15", service, declared=None if service == "planetary-computer" else -0.1))
    stac.offer(Made("2023-06-20", service, lacks=("B3",)))
    values = {"study": "s", "source": "stac", "service": service, "area": AREA, "dates": JUNE, "bands": ["B2", "B3"]}
    done = execute("01_download", values, project)
    found = catalog.read(Layout(project / "outputs/s").catalog)
    assert (len(found.scenes), len(found.left_out)) == (1, 1)
    assert {value for value in secrets._used if value.startswith("marked-")}, "no secret was used at all"
    search(project, *(str(value) for value in done["Out"]), *capfd.readouterr())


@pytest.mark.parametrize("how", ["cart by aria2c", "refused"])
def test_the_executed_notebook(
    stac: Stac,  # noqa: F811
    server: Server,
    project: Path,
    made: Path,
    place: Callable[..., dict[str, str]],
    tmp_path: Path,
    how: str,
) -> None:
    """`lulc download`, whose notebook runs in a kernel: a cart by aria2c, and a run that ends in a traceback."""
    variables = place("netrc" if "cart" in how else "keyring", *LOGIN)
    name = server.offer(made)
    (project / "notebooks/01_download.ipynb").write_bytes(
        (scene.REPOSITORY / "notebooks/01_download.ipynb").read_bytes()
    )
    program = tmp_path / "bin" / "aria2c"
    program.parent.mkdir()
    program.write_text(ARIA.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(0o755)
    values: dict[str, Any] = {"study": "s", "source": "safe", "bands": ["B4"]}
    if "cart" in how:
        values["cart"] = str(cart(server, tmp_path, made))
    else:
        stac.offered.append(item(name))
        values |= {"service": "cdse", "level": "L1C", "area": AREA, "dates": JUNE}
        server.contents[made.name] = {}
    scene.put(project, "01_download", values, "s")
    path = os.pathsep.join((scene.environment()["PYTHONPATH"], str(tmp_path / "kept")))
    environment = scene.environment() | variables | {"PYTHONPATH": path}
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", CLI, "download", "s"],
        cwd=project, env=environment, text=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == (0 if "cart" in how else 1), done.stdout + done.stderr
    assert server.logins[0] == "password"
    if "cart" in how:
        arguments, _, said = (tmp_path / "log").read_text().partition("\n")
        assert "marked-" not in arguments and "Bearer marked-token-1" in said
    else:
        executed = [p for p in project.rglob("*.ipynb") if p.parent != project / "notebooks"]
        assert any('"output_type": "error"' in p.read_text() for p in executed), "no notebook holds the traceback"
    search(project, done.stdout, done.stderr)
