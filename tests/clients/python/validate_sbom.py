"""Validates SBOM documents with the official validators: `validate_sbom.py FORMAT FILE [FORMAT FILE]…`.

Prints one line for each document that is not valid, and ends with 1 if there was any.
"""

import json
import sys


def cyclonedx(path, version):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with open(path, encoding="utf-8") as file:
        error = JsonStrictValidator(SchemaVersion[version]).validate_str(file.read())
    return [] if error is None else [str(error)[:500]]


def spdx2(path):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    messages = validate_full_spdx_document(parse_file(path))
    return [it.validation_message[:300] for it in messages]


def spdx3(path):
    from spdx_python_model import v3_0_1 as spdx

    objects = spdx.SHACLObjectSet()
    with open(path, "rb") as file:
        spdx.JSONLDDeserializer().read(file, objects)
    with open(path, encoding="utf-8") as file:
        graph = json.load(file)["@graph"]
    known = {it.get("spdxId") or it.get("@id") for it in graph}
    problems = [] if len(list(objects.foreach_type(spdx.SpdxDocument))) == 1 else ["not one SpdxDocument"]
    unresolved = objects.link()
    problems += [f"refers to {it}, which is not there" for it in sorted(unresolved) if it not in known][:3]
    return problems


CHECKS = {
    "cyclonedx-1.6": lambda path: cyclonedx(path, "V1_6"),
    "cyclonedx-1.7": lambda path: cyclonedx(path, "V1_7"),
    "spdx-2.3": spdx2,
    "spdx-3.0": spdx3,
}


def main(arguments):
    bad = False
    for kind, path in zip(arguments[::2], arguments[1::2], strict=True):
        try:
            problems = CHECKS[kind](path)
        except Exception as error:  # noqa: BLE001  Whatever a validator throws is its verdict.
            problems = [f"{type(error).__name__}: {str(error)[:500]}"]
        for problem in problems[:5]:
            print(f"{kind} {path}: {problem}")
            bad = True
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
