"""A stand-in for the Copernicus Data Space: login, OData, files by range, object store, and everything that goes wrong.

A plain server of the standard library, because faults are made of single bytes. Written from the service's
documentation as of 2026-11.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = b"<!DOCTYPE html><html><body>Service Temporarily Unavailable</body></html>"
USER, PASSWORD, DIGITS = "who@example.org", "marked-password-4711", "123456"


@dataclass
class Fault:
    """What goes wrong, so many times, with requests whose path holds ``part``.

    Kinds: cut, stall, 429 (``value`` of Retry-After), 500, 503, page, inject, truncate, ignore-range, change, wrong,
    redirect (``value``: where to), expire.
    """

    kind: str
    part: str = ""
    times: int = 1
    value: Any = None
    at: int = 0

    def take(self, path: str) -> bool:
        if self.times and self.part in path:
            self.times -= 1
            return True
        return False


@dataclass
class Server:
    """The server; a context.

    Attributes
    ----------
    files
        What lies under ``/files/``, free for all, by name.
    products
        Entries of the catalogue, and the content of each product by path.
    asked
        Method, path and headers of every request.
    logins
        Grants that were asked for.
    open, most_open
        Files on their way now, and at most.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, dict[str, bytes]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)
    expires_in: float = 600
    totp: bool = False
    tagged: bool = True
    keys_refused: int = 0
    sessions: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    valid: set[str] = field(default_factory=set)
    open: int = 0
    most_open: int = 0

    def __enter__(self) -> Server:
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]  # of those who were killed
        self.lock = threading.Lock()
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead the kit here."""
        return {
            "LULC_CDSE_CATALOGUE": f"{self.url}/odata/v1",
            "LULC_CDSE_DOWNLOAD": f"{self.url}/odata/v1",
            "LULC_CDSE_IDENTITY": f"{self.url}/identity",
            "LULC_CDSE_KEYS": f"{self.url}/keys",
            "LULC_CDSE_S3": self.url,
            "LULC_CDSE_USER": USER,
            "LULC_CDSE_PASSWORD": PASSWORD,
            "no_proxy": "localhost,127.0.0.1",
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def offer(self, product: Path, **entry: Any) -> str:
        """Put a product's folder into the catalogue and the archive; return its name without ``.SAFE``."""
        name = product.name
        self.contents[name] = {
            f.relative_to(product).as_posix(): f.read_bytes() for f in sorted(product.rglob("*")) if f.is_file()
        }
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, content in self.contents[name].items():
                archive.writestr(f"{name}/{path}", content)
        self.archives[name] = packed.getvalue()
        number = hashlib.md5(name.encode()).hexdigest()
        self.entries[name] = {
            "Id": f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}",
            "Name": name,
            "Online": True,
            "S3Path": f"/eodata/Sentinel-2/MSI/{name}",
            "ContentLength": len(self.archives[name]),
            "Checksum": [{"Algorithm": "MD5", "Value": hashlib.md5(self.archives[name]).hexdigest()}],
        } | entry
        return name.removesuffix(".SAFE")

    def fail(self, kind: str, part: str = "", times: int = 1, value: Any = None, at: int = 0) -> None:
        """Let something go wrong."""
        self.faults.append(Fault(kind, part, times, value, at))

    def taken(self, path: str) -> Fault | None:
        with self.lock:
            return next((fault for fault in self.faults if fault.take(path)), None)


def add_manifest(product: Path, kind: str = "SHA3-256") -> Path:
    """Give a product a manifest with sizes and checksums of all its files."""
    entries = [
        f'<dataObject><byteStream mimeType="x" size="{f.stat().st_size}">'
        f'<fileLocation locatorType="URL" href="./{f.relative_to(product).as_posix()}"/>'
        f'<checksum checksumName="{kind}">'
        f"{hashlib.new(kind.lower().replace('-', '_'), f.read_bytes()).hexdigest().upper()}</checksum>"
        "</byteStream></dataObject>"
        for f in sorted(product.rglob("*"))
        if f.is_file() and f.name != "manifest.safe"
    ]
    text = f'<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1">{"".join(entries)}</xfdu:XFDU>'
    (product / "manifest.safe").write_text(text)
    return product


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        own = self.server_of
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(self.path)
        with own.lock:
            own.asked.append((method, path, dict(self.headers)))
        try:
            self._route(path, urlsplit(path).path, body.decode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, full: str, path: str, body: str) -> None:
        own = self.server_of
        if path.startswith("/identity/"):
            return self._login(path, {name: values[0] for name, values in parse_qs(body).items()})
        if path.startswith("/keys/"):
            return self._keys(path)
        fault = own.taken(path)
        if fault is not None and fault.kind in ("429", "500", "503", "page", "redirect"):
            return self._refuse(fault)
        if fault is not None and fault.kind == "change" and callable(fault.value):
            fault.value()
        if path.startswith("/files/"):
            found = own.files.get(path.removeprefix("/files/"))
            return self._file(path, found, fault) if found is not None else self._send(404, b"no such file")
        if path.startswith("/eodata"):
            return self._store(path, fault)
        if path.startswith("/odata/v1/Products("):
            return self._node(path, fault)
        if path in ("/odata/v1/Products", "/odata/v1/DeletedProducts"):
            name = re.search(r"Name eq '([^']*)'", full.replace("+", " "))
            known = list(own.entries.values()) if path.endswith("/Products") else own.deleted
            found = [entry for entry in known if name and entry["Name"] == name[1]]
            return self._json({"value": found})
        return self._send(404, b"nothing here")

    def _login(self, path: str, asked: dict[str, str]) -> None:
        own = self.server_of
        if path.endswith("/logout"):
            own.sessions.discard(asked["refresh_token"])
            return self._send(204, b"")
        own.logins.append(asked["grant_type"])
        bad = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
        if asked["grant_type"] == "password":
            good = asked["username"] == USER and asked["password"] == PASSWORD and asked["client_id"] == "cdse-public"
            if not good or (own.totp and asked.get("totp") != DIGITS):
                return self._json(bad, 401)
        elif asked["refresh_token"] not in own.sessions:
            return self._json(bad, 400)
        number = len(own.logins)
        own.sessions.discard(asked.get("refresh_token", ""))
        own.sessions.add(f"marked-refresh-{number}")
        own.valid = {f"marked-token-{number}"}
        said = {"access_token": f"marked-token-{number}", "refresh_token": f"marked-refresh-{number}"}
        return self._json(said | {"expires_in": own.expires_in, "refresh_expires_in": 3600})

    def _keys(self, path: str) -> None:
        own = self.server_of
        if not self._allowed():
            return self._send(401, b"")
        if self.command == "DELETE":
            own.keys.discard(path.rpartition("/")[2])
            return self._send(204, b"")
        own.keys.add("marked-key-1")
        return self._json({"access_id": "marked-key-1", "secret": "marked-secret-1"})

    def _store(self, path: str, fault: Fault | None) -> None:
        own = self.server_of
        said = self.headers.get("Authorization", "")
        if own.keys_refused or not any(f"Credential={key}/" in said for key in own.keys):
            own.keys_refused = max(0, own.keys_refused - 1)
            return self._send(403, b"<Error><Code>InvalidAccessKeyId</Code></Error>", {"Content-Type": "text/xml"})
        if path.strip("/") == "eodata":
            return self._send(200, b'<?xml version="1.0"?><ListBucketResult><Name>eodata</Name><Prefix></Prefix>'
                              b"<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
                              b"</ListBucketResult>", {"Content-Type": "application/xml"})  # fmt: skip
        name, _, inner = path.removeprefix("/eodata/Sentinel-2/MSI/").partition("/")
        found = own.contents.get(name, {}).get(inner)
        return self._file(path, found, fault) if found is not None else self._send(404, b"<Error/>")

    def _node(self, path: str, fault: Fault | None) -> None:
        own = self.server_of
        if fault is not None and fault.kind == "expire":
            own.valid = set()
        if not self._allowed():
            return self._send(401, b'{"detail": "expired"}')
        number = re.match(r"/odata/v1/Products\(([^)]*)\)", path)
        entry = next((e for e in own.entries.values() if number and e["Id"] == number[1]), None)
        nodes = re.findall(r"/Nodes\(([^)]*)\)", path)
        found = None
        if entry is not None and nodes:
            found = own.contents[entry["Name"]].get("/".join(nodes[1:]))
        elif entry is not None:
            found = own.archives[entry["Name"]]
        return self._file(path, found, fault) if found is not None else self._send(404, b"no such product")

    def _allowed(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server_of.valid

    def _refuse(self, fault: Fault) -> None:
        if fault.kind == "429":
            value = email.utils.formatdate(time.time() + 1, usegmt=True) if fault.value == "date" else fault.value
            return self._send(429, b"<html>slow down</html>", {"Retry-After": str(value or 0)})
        if fault.kind == "page":
            return self._send(200, PAGE, {"Content-Type": fault.value or "text/html"})
        if fault.kind == "redirect":
            return self._send(302, b"", {"Location": fault.value})
        return self._send(int(fault.kind), b"<html>oh</html>")

    def _file(self, path: str, content: bytes, fault: Fault | None) -> None:
        own, kind = self.server_of, fault.kind if fault else ""
        if fault and kind == "change":
            own.tags[path] = own.tags.get(path, 0) + 1
        if kind == "wrong":
            content = content[:16] + bytes(len(content) - 16)
        if fault and kind == "truncate":
            content = content[: max(20, fault.at or len(content) // 2)]
        tag = f'"{hashlib.md5(content).hexdigest()[:12]}-{own.tags.get(path, 0)}"'
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if own.tagged:
            headers["ETag"] = tag
        else:
            headers["Last-Modified"] = email.utils.formatdate(1.7e9 + own.tags.get(path, 0), usegmt=True)
        start, status = 0, 200
        ranged = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        current = self.headers.get("If-Range") in (None, tag)
        if self.headers.get("If-Match") not in (None, tag):
            return self._send(412, b"")
        end = len(content)
        if ranged and kind != "ignore-range" and current:
            start, status = int(ranged[1]), 206
            end = min(end, int(ranged[2]) + 1) if ranged[2] else end
            if start >= len(content):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        with own.lock:
            own.open += 1
            own.most_open = max(own.most_open, own.open)
        try:
            self._stream(status, headers, content[start:end], fault)
        finally:
            with own.lock:
                own.open -= 1

    def _stream(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if fault is not None and kind in ("cut", "inject", "stall"):
            self.wfile.write(body[: min(fault.at, max(0, len(body) - 1))])
            if kind == "inject":
                self.wfile.write(PAGE[: max(0, len(body) - fault.at - 1)])
            self.wfile.flush()
            if kind == "stall":
                time.sleep(fault.value or 1.0)
            self.close_connection = True
            return
        if fault is not None and kind == "slow":
            for k in range(0, len(body), 1 << 16):
                self.wfile.write(body[k : k + (1 << 16)])
                time.sleep(fault.value)
            return
        self.wfile.write(body)

    def _json(self, content: object, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
