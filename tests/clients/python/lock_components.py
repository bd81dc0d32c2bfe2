"""Lists what a lock file holds, read on its own and independently of the program: one `name version` a line.

`lock_components.py FILE…` prints a JSON object of lists, by file.
"""

import json
import re
import sys
import tomllib
from pathlib import Path


def npm(text):
    lock = json.loads(text)
    found = set()
    for place, entry in lock.get("packages", {}).items():
        if place and not entry.get("link") and "node_modules/" in place:
            found.add((entry.get("name", place.rsplit("node_modules/", 1)[1]), entry["version"]))
    if "packages" not in lock:
        waiting = [lock]
        while waiting:
            for name, entry in waiting.pop().get("dependencies", {}).items():
                found.add((name, entry["version"]))
                waiting.append(entry)
    return found


def cargo(text):
    packages = tomllib.loads(text).get("package", [])
    return {(it["name"], it["version"]) for it in packages if "source" in it}


def uv(text):
    packages = tomllib.loads(text).get("package", [])
    own = ("editable", "virtual")
    return {(it["name"], it.get("version", "")) for it in packages if not any(key in it.get("source", {}) for key in own)}


def requirements(text):
    pattern = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pattern.findall(text)}


READERS = {
    "package-lock.json": npm,
    "npm-shrinkwrap.json": npm,
    "Cargo.lock": cargo,
    "uv.lock": uv,
    "pdm.lock": uv,
    "requirements.txt": requirements,
}


def main(paths):
    listed = {}
    for path in map(Path, paths):
        found = READERS[path.name](path.read_text(encoding="utf-8"))
        listed[str(path)] = sorted(f"{name} {version}" for name, version in found)
    print(json.dumps(listed))


if __name__ == "__main__":
    main(sys.argv[1:])
