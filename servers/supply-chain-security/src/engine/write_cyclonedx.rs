//! CycloneDX 1.6 and 1.7, as JSON.

use serde_json::{Map, Value, json};

use super::{
    bom::{Bom, Stamp, web_address},
    component::{Component, Ecosystem, Kind, Origin, Scope},
    purl,
};

/// Identifiers younger than the list in the schema. As an expression they are valid; as an `id` they are not.
const YOUNGER: [&str; 21] = [
    "BSD-2-Clause-pos-unchanged",
    "BSD-3-Clause-OpenWebUI",
    "BSD-Source-Code-no-disclaimer",
    "BSD-Source-alt-GPL",
    "BSD-ask-to-endorse",
    "Brian-Gladman-3-Clause-no-conversion",
    "Bugroff",
    "CC-BY-NC-3.0-IGO",
    "FDK-MPEG-H",
    "GFDL-1.1-invariants",
    "GFDL-1.1-no-invariants",
    "GFDL-1.2-invariants",
    "GFDL-1.2-no-invariants",
    "GFDL-1.3-invariants",
    "GFDL-1.3-no-invariants",
    "Google-Patent-WebM",
    "Hippocratic-3.0-core",
    "Informatica",
    "MVT-1.1",
    "NOASSERTION",
    "atc-game",
];

/// Writes a document; `version` is `1.6` or `1.7`.
pub(crate) fn document(bom: &Bom, version: &str, stamp: &Stamp) -> Value {
    let references = bom.references();
    let (root, own) = (bom.root(), bom.root_position());
    let root_reference = own.map_or_else(|| "root".to_owned(), |at| references[at].clone());
    let components: Vec<Value> = (0..references.len())
        .filter(|at| Some(*at) != own)
        .map(|at| component(&bom.graph.components[at], &references[at]))
        .collect();
    let mut described = component(&root, &root_reference);
    described["type"] = "application".into();
    let mut document = json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{version}.schema.json"),
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": format!("urn:uuid:{}", bom.uuid()),
        "version": 1,
        "metadata": {
            "timestamp": stamp.created,
            "lifecycles": [{"phase": "pre-build"}],
            "tools": {"components": [{"type": "application", "name": "core-mcp", "version": stamp.tool}]},
            "component": described,
        },
        "components": components,
        "dependencies": dependencies(bom, &references, &root_reference),
    });
    let aggregate = if bom.is_complete { "complete" } else { "incomplete" };
    document["compositions"] = json!([{"aggregate": aggregate, "assemblies": [root_reference]}]);
    document
}

/// Components whose needs no file lists are left out: an empty list would say that they need nothing.
fn dependencies(bom: &Bom, references: &[String], root: &str) -> Vec<Value> {
    let named = |places: &mut dyn Iterator<Item = &usize>| -> Vec<&str> {
        places.map(|it| references[*it].as_str()).collect()
    };
    let (top, own) = (bom.top(), bom.root_position());
    let mut all = vec![json!({"ref": root, "dependsOn": named(&mut top.iter())})];
    for (at, reference) in references.iter().enumerate().filter(|it| Some(it.0) != own) {
        match bom.graph.needs.get(&at) {
            Some(needs) => all.push(json!({"ref": reference, "dependsOn": named(&mut needs.iter())})),
            None if !bom.graph.open_ended.contains(&at) => all.push(json!({"ref": reference})),
            None => {}
        }
    }
    all
}

fn component(it: &Component, reference: &str) -> Value {
    let (group, name) = purl::split(it.ecosystem, &it.name);
    let mut out = Map::new();
    let kind = match (it.kind, it.ecosystem) {
        (Kind::Project, Ecosystem::Generic) => "application",
        _ => "library",
    };
    out.insert("type".into(), kind.into());
    out.insert("bom-ref".into(), reference.into());
    if !group.is_empty() {
        out.insert("group".into(), group.into());
    }
    out.insert("name".into(), if name.is_empty() { "unnamed" } else { name }.into());
    if let Some(version) = &it.version {
        out.insert("version".into(), version.as_str().into());
    }
    let scope = match it.scope {
        Scope::Required => "required",
        Scope::Optional => "optional",
        Scope::Dev => "excluded",
    };
    out.insert("scope".into(), scope.into());
    if !it.digests.is_empty() {
        let hashes = it.digests.iter().map(|it| json!({"alg": it.algorithm, "content": it.hex}));
        out.insert("hashes".into(), hashes.collect());
    }
    if let Some(licence) = &it.licence {
        let choice = match &licence.expression {
            Some(id) if spdx::license_id(id).is_some() && !YOUNGER.contains(&id.as_str()) => {
                json!({"license": {"id": id, "acknowledgement": "declared"}})
            }
            Some(expression) => json!({"expression": expression, "acknowledgement": "declared"}),
            None => json!({"license": {"name": licence.raw, "acknowledgement": "declared"}}),
        };
        out.insert("licenses".into(), json!([choice]));
    }
    out.insert("purl".into(), purl::of(it).into());
    if let Some(reference) = external(&it.origin) {
        out.insert("externalReferences".into(), json!([reference]));
    }
    if !it.evidence.is_empty() {
        let occurrences = it.evidence.iter().map(|it| json!({"location": it}));
        out.insert("evidence".into(), json!({"occurrences": occurrences.collect::<Vec<_>>()}));
    }
    let properties = properties(it);
    if !properties.is_empty() {
        out.insert("properties".into(), properties.into());
    }
    Value::Object(out)
}

fn external(origin: &Origin) -> Option<Value> {
    let (kind, url) = match origin {
        Origin::Url(url) => ("distribution", url),
        Origin::Git(url) => ("vcs", url),
        Origin::Registry | Origin::Path(_) => return None,
    };
    Some(json!({"type": kind, "url": web_address(url)?}))
}

/// What the format has no place for.
fn properties(it: &Component) -> Vec<Value> {
    let mut all = Vec::new();
    let mut add =
        |name: &str, value: &str| all.push(json!({"name": format!("core-mcp:{name}"), "value": value}));
    match it.kind {
        Kind::Unresolved => add("unresolved", it.wanted.as_deref().unwrap_or("")),
        Kind::Project => add("project", "true"),
        Kind::Package => {}
    }
    if let Origin::Path(folder) = &it.origin {
        add("path", folder);
    }
    if it.install_script {
        add("install-script", "true");
    }
    if let Some(why) = &it.deprecated {
        add("deprecated", why);
    }
    all
}
