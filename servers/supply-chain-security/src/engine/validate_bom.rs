//! Whether a document keeps the rules of its format, as far as they can be told without its schema.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    digest,
    fields::{items, maybe, text},
    purl,
};

/// Problems that are named.
const NAMED_MAX: usize = 200;
const TYPES: [&str; 13] = [
    "application",
    "framework",
    "library",
    "container",
    "platform",
    "operating-system",
    "device",
    "device-driver",
    "firmware",
    "file",
    "machine-learning-model",
    "data",
    "cryptographic-asset",
];

/// What is wrong, each with the place in the document.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// For example `CycloneDX 1.6`.
    pub(crate) format: String,
    pub(crate) problems: Vec<(String, String)>,
}

impl Verdict {
    fn must(&mut self, holds: bool, place: &str, rule: &str) {
        if !holds && self.problems.len() < NAMED_MAX {
            self.problems.push((super::component::clean(place), rule.to_owned()));
        }
    }
}

/// Checks a document of any supported format.
pub(crate) fn check(document: &Value) -> Verdict {
    let mut verdict = Verdict::default();
    if text(document, "bomFormat") == "CycloneDX" {
        cyclonedx(document, &mut verdict);
    } else if document.get("spdxVersion").is_some() {
        spdx2(document, &mut verdict);
    } else if document.get("@graph").is_some() {
        spdx3(document, &mut verdict);
    } else {
        "unknown".clone_into(&mut verdict.format);
        verdict.must(false, "", "it is neither a CycloneDX nor an SPDX document in JSON");
    }
    verdict
}

fn cyclonedx(document: &Value, verdict: &mut Verdict) {
    let version = text(document, "specVersion");
    verdict.format = format!("CycloneDX {}", super::component::clean(version));
    verdict.must(
        ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"].contains(&version),
        "specVersion",
        "is a version from 1.2 to 1.7",
    );
    if let Some(serial) = document.get("serialNumber") {
        verdict.must(serial.as_str().is_some_and(is_serial), "serialNumber", "is `urn:uuid:` and a UUID");
    }
    if let Some(number) = document.get("version") {
        verdict.must(number.as_u64().is_some_and(|it| it > 0), "version", "is a number from 1");
    }
    if let Some(time) = document.get("metadata").and_then(|it| it.get("timestamp")) {
        verdict.must(time.as_str().is_some_and(is_time), "metadata.timestamp", "is a time of RFC 3339");
    }
    let mut seen = HashSet::new();
    let described = document.get("metadata").and_then(|it| it.get("component"));
    for component in described.into_iter().chain(items(document, "components")) {
        component_rules(component, &mut seen, 0, verdict);
    }
    for dependency in items(document, "dependencies") {
        let from = text(dependency, "ref");
        verdict.must(
            seen.contains(from),
            &format!("dependencies[{from}]"),
            "names a component that is there",
        );
        for to in items(dependency, "dependsOn").filter_map(Value::as_str) {
            verdict.must(
                seen.contains(to),
                &format!("dependencies[{from}].dependsOn[{to}]"),
                "names a component that is there",
            );
        }
    }
}

fn component_rules<'a>(it: &'a Value, seen: &mut HashSet<&'a str>, depth: usize, verdict: &mut Verdict) {
    let (name, reference) = (text(it, "name"), text(it, "bom-ref"));
    let place = format!("components[{}]", if reference.is_empty() { name } else { reference });
    verdict.must(!name.is_empty(), &place, "has a name");
    verdict.must(TYPES.contains(&text(it, "type")), &place, "has a type that the format knows");
    if !reference.is_empty() {
        verdict.must(seen.insert(reference), &place, "has a bom-ref of its own");
    }
    if let Some(purl) = it.get("purl") {
        verdict.must(
            purl.as_str().is_some_and(|it| purl::parse(it).is_some()),
            &place,
            "has a purl that can be read",
        );
    }
    for hash in items(it, "hashes") {
        let known = digest::of_hex(text(hash, "alg"), text(hash, "content")).is_some();
        let other = ["SHA3", "BLAKE", "Streebog"].iter().any(|kind| text(hash, "alg").starts_with(kind));
        verdict.must(known || other, &place, "has hashes whose digits fit their algorithm");
    }
    for licence in items(it, "licenses") {
        if let Some(expression) = maybe(licence, "expression") {
            verdict.must(is_expression(expression), &place, "has a valid SPDX expression");
        }
        if let Some(id) = licence.get("license").and_then(|it| maybe(it, "id")) {
            verdict.must(spdx::license_id(id).is_some(), &place, "has a licence id of the SPDX list");
        }
    }
    if depth < 32 {
        items(it, "components").for_each(|it| component_rules(it, seen, depth + 1, verdict));
    } else {
        verdict.must(false, &place, "does not nest deeper than 32 levels");
    }
}

fn spdx2(document: &Value, verdict: &mut Verdict) {
    verdict.format = super::component::clean(text(document, "spdxVersion")).replace("SPDX-", "SPDX ");
    let version = text(document, "spdxVersion");
    verdict.must(["SPDX-2.2", "SPDX-2.3"].contains(&version), "spdxVersion", "is SPDX-2.2 or SPDX-2.3");
    verdict.must(text(document, "dataLicense") == "CC0-1.0", "dataLicense", "is CC0-1.0");
    verdict.must(text(document, "SPDXID") == "SPDXRef-DOCUMENT", "SPDXID", "is SPDXRef-DOCUMENT");
    verdict.must(!text(document, "name").is_empty(), "name", "is not empty");
    let namespace = text(document, "documentNamespace");
    verdict.must(
        namespace.contains("://") && !namespace.contains('#'),
        "documentNamespace",
        "is a URI without a fragment",
    );
    let info = document.get("creationInfo").unwrap_or(&Value::Null);
    verdict.must(is_time(text(info, "created")), "creationInfo.created", "is a time of RFC 3339");
    verdict.must(items(info, "creators").next().is_some(), "creationInfo.creators", "names somebody");
    let mut seen = HashSet::from(["SPDXRef-DOCUMENT", "NOASSERTION", "NONE"]);
    for it in items(document, "packages").chain(items(document, "files")).chain(items(document, "snippets")) {
        let id = text(it, "SPDXID");
        let plain = |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-'));
        verdict.must(
            id.strip_prefix("SPDXRef-").is_some_and(|it| !it.is_empty() && plain(it)),
            &format!("[{id}]"),
            "has an id of letters, digits, `.` and `-`",
        );
        verdict.must(seen.insert(id), &format!("[{id}]"), "has an id of its own");
    }
    for it in items(document, "packages") {
        let place = format!("packages[{}]", text(it, "SPDXID"));
        verdict.must(!text(it, "name").is_empty(), &place, "has a name");
        verdict.must(!text(it, "downloadLocation").is_empty(), &place, "has a downloadLocation");
        for key in ["licenseDeclared", "licenseConcluded"] {
            let licence = text(it, key);
            let fine = matches!(licence, "" | "NOASSERTION" | "NONE") || is_expression(licence);
            verdict.must(fine, &place, "has valid SPDX expressions");
        }
        for sum in items(it, "checksums") {
            let fits = digest::of_hex(text(sum, "algorithm"), text(sum, "checksumValue")).is_some();
            let other = !["SHA1", "SHA256", "SHA384", "SHA512", "MD5"].contains(&text(sum, "algorithm"));
            verdict.must(fits || other, &place, "has checksums whose digits fit their algorithm");
        }
    }
    for it in items(document, "relationships") {
        for key in ["spdxElementId", "relatedSpdxElement"] {
            let id = text(it, key);
            verdict.must(
                seen.contains(id) || id.starts_with("DocumentRef-"),
                &format!("relationships[{id}]"),
                "names an element that is there",
            );
        }
    }
}

fn spdx3(document: &Value, verdict: &mut Verdict) {
    "SPDX 3.0".clone_into(&mut verdict.format);
    verdict.must(
        text(document, "@context").starts_with("https://spdx.org/rdf/3.0"),
        "@context",
        "is that of SPDX 3.0",
    );
    let mut seen = HashSet::new();
    for it in items(document, "@graph") {
        let id = maybe(it, "spdxId").or_else(|| maybe(it, "@id")).unwrap_or_default();
        verdict.must(
            !id.is_empty() && !text(it, "type").is_empty(),
            &format!("@graph[{id}]"),
            "has an id and a type",
        );
        verdict.must(seen.insert(id), &format!("@graph[{id}]"), "has an id of its own");
    }
    let documents = items(document, "@graph").filter(|it| text(it, "type") == "SpdxDocument").count();
    verdict.must(documents == 1, "@graph", "holds one SpdxDocument");
    for it in items(document, "@graph").filter(|it| it.get("spdxId").is_some()) {
        let place = format!("@graph[{}]", text(it, "spdxId"));
        verdict.must(seen.contains(text(it, "creationInfo")), &place, "names a creationInfo that is there");
        if text(it, "type") == "Relationship" {
            let ends = items(it, "to").filter_map(Value::as_str).chain([text(it, "from")]);
            let there = ends.into_iter().all(|it| seen.contains(it) || it.starts_with("https://spdx.org/"));
            verdict.must(there, &place, "relates elements that are there");
        }
        if let Some(expression) = maybe(it, "simplelicensing_licenseExpression") {
            verdict.must(is_expression(expression), &place, "has a valid SPDX expression");
        }
    }
}

fn is_expression(text: &str) -> bool {
    let mode = spdx::ParseMode { allow_deprecated: true, ..spdx::ParseMode::STRICT };
    text.len() < 10_000 && spdx::Expression::parse_mode(text, mode).is_ok()
}

fn is_serial(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && uuid.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
}

fn is_time(text: &str) -> bool {
    chrono::DateTime::parse_from_rfc3339(text).is_ok()
}
