"""What is installed, audited: ``make audit``. Results go to ``--out``; the exit status is 1 if anything is wrong.

1. Every installed file is compared with the sha256 that its package recorded, and one hash of each package's record is
   written down: two installations with equal lines hold equal files.
2. pip-audit asks for known vulnerabilities. Where its database cannot be reached, this is skipped, and said so.
3. cyclonedx-py writes an SBOM in CycloneDX JSON.

The tools live in an environment of their own: they are no part of the product.
"""

import argparse
import base64
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FREE = (".pyc", "RECORD", "INSTALLER", "direct_url.json", "REQUESTED")
"""Endings of files that installing makes, so that they have no hash."""


def installed(folders: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """``name==version sha256:…`` of each package, and the files that are not as recorded."""
    lines, wrong = [], []
    known = {} if folders is None else {"path": list(folders)}
    for distribution in sorted(importlib.metadata.distributions(**known), key=lambda item: item.name.lower()):
        digest = hashlib.sha256()
        for file in sorted(distribution.files or (), key=str):
            if file.hash is None or str(file).endswith(_FREE):
                continue
            digest.update(f"{file}\0{file.hash.value}\n".encode())
            path = Path(str(file.locate()))
            if not path.is_file() or _hash(path, file.hash.mode) != file.hash.value:
                wrong.append(f"{distribution.name}: {file}")
        lines.append(f"{distribution.name}=={distribution.version} sha256:{digest.hexdigest()}")
    return lines, wrong


def _hash(path: Path, mode: str) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, mode).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def vulnerabilities(report: dict[str, Any]) -> tuple[int, list[str]]:
    """How many packages pip-audit could look up, and what it found."""
    looked_up = [item for item in report.get("dependencies", []) if "skip_reason" not in item]
    found = [
        f"{item['name']} {item['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability.get('fix_versions') or ['no version yet'])}"
        for item in looked_up
        for vulnerability in item.get("vulns", [])
    ]
    return len(looked_up), found


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)


def audit(tools: Path, lines: list[str], out: Path) -> list[str]:
    """Known vulnerabilities of what is installed; a line on stdout says what came of it."""
    # A local part of a version ("+cpu") is unknown to every database.
    names = "\n".join(line.split()[0].split("+")[0] for line in lines)
    (out / "requirements.txt").write_text(names + "\n", "utf-8")
    command = [str(tools / "pip-audit"), "--requirement", str(out / "requirements.txt"), "--no-deps", "--disable-pip"]
    done = _run([*command, "--progress-spinner", "off", "--format", "json"])
    try:
        looked_up, found = vulnerabilities(json.loads(done.stdout))
    except ValueError:
        looked_up, found = 0, []
    if not looked_up:
        print("Vulnerabilities: skipped, since the database cannot be reached or knows none of the packages.")
    else:
        print(f"Vulnerabilities: {len(found)} known in {looked_up} of {len(lines)} packages.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, help="folder with pip-audit and cyclonedx-py")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines, wrong = installed()
    (options.out / "installed.txt").write_text("\n".join(lines) + "\n", "utf-8")
    print(f"Files: {len(lines)} packages, {len(wrong)} files not as recorded.")
    found = audit(options.tools, lines, options.out)
    sbom = ["environment", sys.executable, "--output-format", "JSON", "--output-file", str(options.out / "sbom.json")]
    done = _run([str(options.tools / "cyclonedx-py"), *sbom])
    written = done.returncode == 0
    print(f"SBOM: {options.out / 'sbom.json' if written else 'failed: ' + done.stderr.strip()[-200:]}")
    for problem in [*wrong, *found]:
        print(f"  {problem}")
    return int(bool(wrong or found or not written))


if __name__ == "__main__":
    sys.exit(main())
