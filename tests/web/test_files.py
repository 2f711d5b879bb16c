"""The built page in the package is complete, and asks nothing of other hosts."""

from __future__ import annotations

import gzip
import json
import re

from tests.web.site import STATIC


def test_the_service_worker_keeps_every_file() -> None:
    text = (STATIC / "sw.js").read_text(encoding="utf-8")
    listed = json.loads(re.search(r"const FILES = (\[.*?\]);", text, re.DOTALL)[1])  # type: ignore[index]
    files = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
    assert listed == [file for file in files if file != "sw.js"]
    assert "__VERSION__" not in text


def test_the_page_names_files_that_are_there_and_no_other_host() -> None:
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert addresses
    for address in addresses:
        assert (STATIC / address).is_file(), address
    assert "connect-src 'self'" in text


def test_the_runtime_is_packed_webassembly() -> None:
    packed = sorted(STATIC.glob("assets/*.wasm.gz"))
    assert len(packed) == 2
    for path in packed:
        assert gzip.decompress(path.read_bytes())[:4] == b"\0asm"
        assert path.with_name(path.name.replace(".wasm.gz", ".mjs")).is_file()


def test_licences_of_all_packages_are_with_the_page() -> None:
    text = (STATIC / "licences.txt").read_text(encoding="utf-8")
    for name in ("onnxruntime-web", "onnxruntime-common", "write-excel-file", "fflate"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE), name
