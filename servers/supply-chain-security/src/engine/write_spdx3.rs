//! SPDX 3.0.1, as JSON-LD.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    bom::{Bom, Stamp, web_address},
    component::{Component, Kind, Origin},
    digest, purl,
    write_spdx2::comment,
};

const CREATION: &str = "_:creation";

/// Writes a document.
pub(crate) fn document(bom: &Bom, stamp: &Stamp) -> Value {
    let base = format!("https://core-mcp.invalid/spdx/{}", bom.uuid());
    let ids: Vec<String> = bom
        .references()
        .iter()
        .map(|it| format!("{base}#package-{}", &digest::sha256(it.as_bytes())[..24]))
        .collect();
    let (tool, agent) = (format!("{base}#tool"), format!("{base}#agent"));
    let mut graph = vec![
        json!({"type": "CreationInfo", "@id": CREATION, "specVersion": "3.0.1", "created": stamp.created,
            "createdBy": [agent], "createdUsing": [tool]}),
        json!({"type": "SoftwareAgent", "spdxId": agent, "creationInfo": CREATION, "name": "core-mcp"}),
        json!({"type": "Tool", "spdxId": tool, "creationInfo": CREATION,
            "name": format!("core-mcp {}", stamp.tool)}),
    ];
    let mut packages: Vec<Value> =
        bom.graph.components.iter().zip(&ids).map(|(it, id)| package(it, id)).collect();
    let root = match bom.root_position() {
        Some(at) => ids[at].clone(),
        None => {
            let id = format!("{base}#root");
            packages.push(package(&bom.root(), &id));
            id
        }
    };
    graph.append(&mut packages);
    graph.extend(relationships(bom, &ids, &root, &base));
    graph.extend(licences(bom, &ids, &base));
    let elements: Vec<Value> = graph.iter().filter_map(|it| it.get("spdxId").cloned()).collect();
    let sbom = format!("{base}#sbom");
    graph.push(json!({"type": "software_Sbom", "spdxId": sbom, "creationInfo": CREATION,
        "software_sbomType": ["source"], "rootElement": [root], "element": elements}));
    graph.push(
        json!({"type": "SpdxDocument", "spdxId": format!("{base}#document"), "creationInfo": CREATION,
        "name": if bom.name.is_empty() { "document" } else { &bom.name },
        "profileConformance": ["core", "software", "simpleLicensing"], "rootElement": [sbom]}),
    );
    json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph})
}

fn package(it: &Component, id: &str) -> Value {
    let mut package = json!({
        "type": "software_Package",
        "spdxId": id,
        "creationInfo": CREATION,
        "name": if it.name.is_empty() { "unnamed" } else { &it.name },
        "software_packageUrl": purl::of(it),
        "software_primaryPurpose": if it.kind == Kind::Project { "application" } else { "library" },
    });
    if let Some(version) = &it.version {
        package["software_packageVersion"] = version.as_str().into();
    }
    if let Origin::Url(url) | Origin::Git(url) = &it.origin
        && let Some(url) = web_address(url)
    {
        package["software_downloadLocation"] = url.into();
    }
    if !it.digests.is_empty() {
        let hashes = it.digests.iter().map(|it| {
            json!({"type": "Hash", "algorithm": it.algorithm.to_lowercase().replace('-', ""), "hashValue": it.hex})
        });
        package["verifiedUsing"] = hashes.collect();
    }
    if let Some(comment) = comment(it) {
        package["comment"] = comment.into();
    }
    package
}

fn relationships(bom: &Bom, ids: &[String], root: &str, base: &str) -> Vec<Value> {
    let relation = |index: usize, from: &str, to: Vec<&str>, whole: bool| {
        json!({"type": "Relationship", "spdxId": format!("{base}#needs-{index}"), "creationInfo": CREATION,
            "relationshipType": "dependsOn", "from": from, "to": to,
            "completeness": if whole { "complete" } else { "noAssertion" }})
    };
    let named =
        |places: &mut dyn Iterator<Item = &usize>| places.map(|it| ids[*it].as_str()).collect::<Vec<_>>();
    let mut all = Vec::new();
    let (top, own) = (bom.top(), bom.root_position());
    if !top.is_empty() {
        all.push(relation(0, root, named(&mut top.iter()), bom.is_complete));
    }
    for (from, to) in bom.graph.needs.iter().filter(|it| Some(*it.0) != own) {
        all.push(relation(all.len() + 1, &ids[*from], named(&mut to.iter()), bom.is_complete));
    }
    all
}

fn licences(bom: &Bom, ids: &[String], base: &str) -> Vec<Value> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (it, id) in bom.graph.components.iter().zip(ids) {
        if let Some(expression) = it.licence.as_ref().and_then(|it| it.expression.as_deref()) {
            users.entry(expression).or_default().push(id);
        }
    }
    let mut all = Vec::new();
    for (index, (expression, packages)) in users.into_iter().enumerate() {
        let id = format!("{base}#licence-{index}");
        all.push(json!({"type": "simplelicensing_LicenseExpression", "spdxId": id, "creationInfo": CREATION,
            "simplelicensing_licenseExpression": expression}));
        for package in packages {
            let number = &digest::sha256(package.as_bytes())[..24];
            all.push(json!({"type": "Relationship", "spdxId": format!("{base}#declares-{number}"),
                "creationInfo": CREATION, "relationshipType": "hasDeclaredLicense", "from": package, "to": [id]}));
        }
    }
    all
}
