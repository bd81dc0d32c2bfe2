//! SPDX 2.3, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    bom::{Bom, Stamp, web_address},
    component::{Component, Kind, Origin},
    digest, purl,
};

const NOTHING: &str = "NOASSERTION";

/// Writes a document.
pub(crate) fn document(bom: &Bom, stamp: &Stamp) -> Value {
    let references = bom.references();
    let ids: Vec<String> =
        references.iter().map(|it| format!("SPDXRef-{}", &digest::sha256(it.as_bytes())[..24])).collect();
    let mut extracted = BTreeMap::new();
    let mut packages: Vec<Value> =
        bom.graph.components.iter().zip(&ids).map(|(it, id)| package(it, id, &mut extracted)).collect();
    let own = bom.root_position();
    let root = match own {
        Some(at) => ids[at].clone(),
        None => {
            packages.push(package(&bom.root(), "SPDXRef-root", &mut extracted));
            "SPDXRef-root".to_owned()
        }
    };
    let relation = |from: &str, kind: &str, to: &str| json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
    let mut relationships = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", &root)];
    relationships.extend(bom.top().iter().map(|it| relation(&root, "DEPENDS_ON", &ids[*it])));
    for (from, to) in bom.graph.needs.iter().filter(|it| Some(*it.0) != own) {
        relationships.extend(to.iter().map(|it| relation(&ids[*from], "DEPENDS_ON", &ids[*it])));
    }
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": if bom.name.is_empty() { "document" } else { &bom.name },
        "documentNamespace": format!("https://core-mcp.invalid/spdx/{}", bom.uuid()),
        "creationInfo": {
            "created": stamp.created,
            "creators": [format!("Tool: core-mcp-{}", stamp.tool)],
        },
        "packages": packages,
        "relationships": relationships,
    });
    if !bom.is_complete {
        document["comment"] = "The scan did not see everything; see its coverage.".into();
    }
    if !extracted.is_empty() {
        let infos =
            extracted.iter().map(|(id, text)| json!({"licenseId": id, "extractedText": text, "name": text}));
        document["hasExtractedLicensingInfos"] = infos.collect();
    }
    document
}

fn package(it: &Component, id: &str, extracted: &mut BTreeMap<String, String>) -> Value {
    let place = match &it.origin {
        Origin::Url(url) | Origin::Git(url) => {
            web_address(url).filter(|it| it.starts_with("http")).unwrap_or(NOTHING)
        }
        Origin::Registry | Origin::Path(_) => NOTHING,
    };
    let mut package = json!({
        "SPDXID": id,
        "name": if it.name.is_empty() { "unnamed" } else { &it.name },
        "downloadLocation": place,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING,
        "licenseDeclared": declared(it, extracted),
        "copyrightText": NOTHING,
        "primaryPackagePurpose": if it.kind == Kind::Project { "APPLICATION" } else { "LIBRARY" },
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl::of(it),
        }],
    });
    if let Some(version) = &it.version {
        package["versionInfo"] = version.as_str().into();
    }
    if !it.digests.is_empty() {
        let checksums = it
            .digests
            .iter()
            .map(|it| json!({"algorithm": it.algorithm.replace('-', ""), "checksumValue": it.hex}));
        package["checksums"] = checksums.collect();
    }
    if let Some(comment) = comment(it) {
        package["comment"] = comment.into();
    }
    if !it.evidence.is_empty() {
        let places: Vec<&str> = it.evidence.iter().map(String::as_str).collect();
        package["sourceInfo"] = places.join(", ").into();
    }
    package
}

/// What the format has no field for.
pub(super) fn comment(it: &Component) -> Option<String> {
    let mut words = Vec::new();
    if it.kind == Kind::Unresolved {
        words.push(format!("unresolved: {}", it.wanted.as_deref().unwrap_or("any version")));
    }
    if it.scope != super::component::Scope::Required {
        words.push(format!("scope: {}", it.scope.as_str()));
    }
    if let Some(why) = &it.deprecated {
        words.push(format!("deprecated: {why}"));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn declared(it: &Component, extracted: &mut BTreeMap<String, String>) -> String {
    let Some(licence) = &it.licence else { return NOTHING.to_owned() };
    match &licence.expression {
        Some(expression) => {
            let words = expression.split([' ', '(', ')']).filter(|it| it.starts_with("LicenseRef-"));
            extracted.extend(words.map(|it| (it.to_owned(), licence.raw.clone())));
            expression.clone()
        }
        None => {
            let id = format!("LicenseRef-{}", &digest::sha256(licence.raw.as_bytes())[..12]);
            extracted.insert(id.clone(), licence.raw.clone());
            id
        }
    }
}
