//! Reads SPDX documents: 2.2 and 2.3 as JSON, 3.0 as JSON-LD.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    bom::Bom,
    component::{Component, Ecosystem, Kind, Scope},
    digest,
    fields::{items, maybe, text},
    licence::Licence,
    purl,
};

/// Reads a document of version 2.
pub(crate) fn read_2(document: &Value) -> Result<Bom, String> {
    let version = text(document, "spdxVersion");
    if !version.starts_with("SPDX-2.") {
        return Err(format!("SPDX version `{}` is not read", super::component::clean(version)));
    }
    let mut bom = Bom {
        name: text(document, "name").to_owned(),
        is_complete: document.get("comment").is_none(),
        ..Bom::default()
    };
    let named: HashMap<&str, &str> = items(document, "hasExtractedLicensingInfos")
        .map(|it| (text(it, "licenseId"), text(it, "extractedText")))
        .collect();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for package in items(document, "packages") {
        let locator = items(package, "externalRefs").find(|it| text(it, "referenceType") == "purl");
        let mut component = base(
            locator.map(|it| text(it, "referenceLocator")),
            text(package, "name"),
            text(package, "versionInfo"),
        )?;
        component.digests = items(package, "checksums")
            .filter_map(|it| digest::of_hex(text(it, "algorithm"), text(it, "checksumValue")))
            .collect();
        let declared =
            Some(text(package, "licenseDeclared")).filter(|it| !matches!(*it, "" | "NOASSERTION" | "NONE"));
        component.licence = declared.and_then(|it| Licence::read(named.get(it).copied().unwrap_or(it), ""));
        from_comment(&mut component, text(package, "comment"));
        if text(package, "primaryPackagePurpose") == "APPLICATION" {
            component.kind = Kind::Project;
        }
        text(package, "sourceInfo")
            .split(", ")
            .filter(|it| !it.is_empty())
            .for_each(|it| component.seen_in(it));
        let at = bom.graph.put(component, "");
        places.insert(text(package, "SPDXID"), at);
    }
    let mut missing = 0;
    for relation in items(document, "relationships") {
        let (left, right) = (text(relation, "spdxElementId"), text(relation, "relatedSpdxElement"));
        let kind = text(relation, "relationshipType");
        if kind == "DESCRIBES" {
            bom.graph.projects.extend(places.get(right));
            continue;
        }
        let (from, to) = match kind {
            "DEPENDS_ON" | "CONTAINS" => (left, right),
            kind if kind.ends_with("DEPENDENCY_OF") => (right, left),
            _ => continue,
        };
        match (places.get(from), places.get(to)) {
            (Some(from), Some(to)) => bom.graph.connect(*from, *to),
            _ => missing += 1,
        }
    }
    finish(bom, missing, document, &["files", "snippets", "annotations", "revieweds"])
}

/// Reads a document of version 3.
pub(crate) fn read_3(document: &Value) -> Result<Bom, String> {
    let mut bom = Bom { is_complete: true, ..Bom::default() };
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut expressions: HashMap<&str, &str> = HashMap::new();
    for element in items(document, "@graph") {
        match text(element, "type") {
            "software_Package" => {
                let mut component = base(
                    maybe(element, "software_packageUrl"),
                    text(element, "name"),
                    text(element, "software_packageVersion"),
                )?;
                component.digests = items(element, "verifiedUsing")
                    .filter_map(|it| digest::of_hex(text(it, "algorithm"), text(it, "hashValue")))
                    .collect();
                if text(element, "software_primaryPurpose") == "application" {
                    component.kind = Kind::Project;
                }
                from_comment(&mut component, text(element, "comment"));
                places.insert(text(element, "spdxId"), bom.graph.put(component, ""));
            }
            "simplelicensing_LicenseExpression" => {
                expressions
                    .insert(text(element, "spdxId"), text(element, "simplelicensing_licenseExpression"));
            }
            "SpdxDocument" => text(element, "name").clone_into(&mut bom.name),
            _ => {}
        }
    }
    let mut missing = 0;
    for relation in items(document, "@graph").filter(|it| text(it, "type") == "Relationship") {
        let from = places.get(text(relation, "from")).copied();
        for to in items(relation, "to").filter_map(Value::as_str) {
            match (text(relation, "relationshipType"), from, places.get(to)) {
                ("dependsOn" | "contains", Some(from), Some(to)) => bom.graph.connect(from, *to),
                ("hasDeclaredLicense", Some(from), _) => {
                    let licence = expressions.get(to).and_then(|it| Licence::read(it, ""));
                    bom.graph.components[from].licence = licence;
                }
                ("dependsOn" | "contains", ..) => missing += 1,
                _ => {}
            }
        }
    }
    for root in items(document, "@graph")
        .filter(|it| text(it, "type") == "software_Sbom")
        .flat_map(|it| items(it, "rootElement"))
    {
        bom.graph.projects.extend(root.as_str().and_then(|it| places.get(it)));
    }
    finish(bom, missing, document, &[])
}

fn base(locator: Option<&str>, name: &str, version: &str) -> Result<Component, String> {
    if name.is_empty() {
        return Err("a package has no name".into());
    }
    Ok(locator.and_then(purl::parse).unwrap_or_else(|| Component::new(Ecosystem::Generic, name, version)))
}

/// What our own writer says in words.
fn from_comment(component: &mut Component, comment: &str) {
    for word in comment.split("; ") {
        match word.split_once(": ") {
            Some(("unresolved", wanted)) if wanted != "any version" => {
                component.wanted = Some(wanted.to_owned())
            }
            Some(("scope", "dev")) => component.scope = Scope::Dev,
            Some(("scope", "optional")) => component.scope = Scope::Optional,
            Some(("deprecated", why)) => component.deprecated = Some(why.to_owned()),
            _ => {}
        }
    }
}

fn finish(mut bom: Bom, missing: usize, document: &Value, dropped: &[&str]) -> Result<Bom, String> {
    if missing > 0 {
        bom.losses.push(format!("{missing} relationships name elements that the document lacks"));
    }
    let lost = dropped
        .iter()
        .filter(|it| document.get(**it).and_then(Value::as_array).is_some_and(|it| !it.is_empty()));
    bom.losses.extend(lost.map(|it| format!("`{it}` is not kept")));
    bom.graph = std::mem::take(&mut bom.graph).sorted(|_| true);
    Ok(bom)
}
