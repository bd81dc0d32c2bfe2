//! Reads CycloneDX documents, 1.2 and newer, as JSON.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    bom::Bom,
    component::{Component, Ecosystem, Kind, Origin, Scope},
    digest,
    fields::{items, maybe, text},
    graph::Graph,
    licence::Licence,
    purl,
};

/// Components inside of components.
const DEPTH_MAX: usize = 32;
/// What a document may hold that is not kept.
const DROPPED: [&str; 9] = [
    "services",
    "vulnerabilities",
    "compositions",
    "annotations",
    "formulation",
    "declarations",
    "definitions",
    "signature",
    "citations",
];

/// Reads a document.
pub(crate) fn read(document: &Value) -> Result<Bom, String> {
    let mut bom = Bom { is_complete: true, ..Bom::default() };
    let mut reader = Reader { graph: &mut bom.graph, places: HashMap::new(), losses: Vec::new() };
    if let Some(described) = document.get("metadata").and_then(|it| it.get("component")) {
        (bom.name, bom.version) = (text(described, "name").to_owned(), text(described, "version").to_owned());
        let at = reader.component(described, 0)?;
        reader.graph.projects.insert(at);
        reader.graph.components[at].kind = Kind::Project;
    }
    for component in items(document, "components") {
        reader.component(component, 0)?;
    }
    reader.dependencies(document);
    let mut losses = reader.losses;
    losses.extend(
        DROPPED.iter().filter(|it| document.get(**it).is_some()).map(|it| format!("`{it}` is not kept")),
    );
    let parts = items(document, "compositions").any(|it| text(it, "aggregate").starts_with("incomplete"));
    bom.is_complete = !parts;
    bom.losses = losses;
    bom.graph = std::mem::take(&mut bom.graph).sorted(|_| true);
    Ok(bom)
}

struct Reader<'a> {
    graph: &'a mut Graph,
    places: HashMap<String, usize>,
    losses: Vec<String>,
}

impl Reader<'_> {
    fn component(&mut self, value: &Value, depth: usize) -> Result<usize, String> {
        if depth > DEPTH_MAX {
            return Err("its components nest too deep".into());
        }
        let name = text(value, "name");
        if name.is_empty() {
            return Err("a component has no name".into());
        }
        let at = self.graph.put(component(value), "");
        if let Some(reference) = maybe(value, "bom-ref") {
            self.places.insert(reference.to_owned(), at);
        }
        for inner in items(value, "components") {
            let inner = self.component(inner, depth + 1)?;
            self.graph.connect(at, inner);
        }
        Ok(at)
    }

    fn dependencies(&mut self, document: &Value) {
        let mut missing = 0;
        for dependency in items(document, "dependencies") {
            let Some(from) = self.places.get(text(dependency, "ref")).copied() else {
                missing += 1;
                continue;
            };
            for to in items(dependency, "dependsOn").filter_map(Value::as_str) {
                match self.places.get(to) {
                    Some(to) => self.graph.connect(from, *to),
                    None => missing += 1,
                }
            }
        }
        if missing > 0 {
            self.losses.push(format!("{missing} dependencies name components that the document lacks"));
        }
    }
}

fn component(value: &Value) -> Component {
    let (group, name, version) = (text(value, "group"), text(value, "name"), text(value, "version"));
    let mut component = maybe(value, "purl").and_then(purl::parse).unwrap_or_else(|| {
        let whole = if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") };
        Component::new(Ecosystem::Generic, &whole, version)
    });
    component.scope = match text(value, "scope") {
        "excluded" => Scope::Dev,
        "optional" => Scope::Optional,
        _ => Scope::Required,
    };
    let hashes = items(value, "hashes").filter_map(|it| digest::of_hex(text(it, "alg"), text(it, "content")));
    component.digests = hashes.collect();
    component.licence = licence(value);
    let property = |name: &str| {
        items(value, "properties").find(|it| text(it, "name") == name).map(|it| text(it, "value"))
    };
    if property("core-mcp:project").is_some() {
        component.kind = Kind::Project;
    }
    if let Some(folder) = property("core-mcp:path") {
        component.origin = Origin::Path(folder.to_owned());
    }
    component.wanted = property("core-mcp:unresolved").filter(|it| !it.is_empty()).map(str::to_owned);
    component.install_script = property("core-mcp:install-script").is_some();
    component.deprecated = property("core-mcp:deprecated").map(str::to_owned);
    let places = value
        .get("evidence")
        .map(|it| items(it, "occurrences").map(|it| text(it, "location")).collect::<Vec<_>>());
    places.into_iter().flatten().for_each(|it| component.seen_in(it));
    component
}

fn licence(value: &Value) -> Option<Licence> {
    let names: Vec<&str> = items(value, "licenses")
        .map(|it| match it.get("license") {
            Some(one) => maybe(one, "id").unwrap_or_else(|| text(one, "name")),
            None => text(it, "expression"),
        })
        .collect();
    if let [one] = names.as_slice() {
        return Licence::read(one, "");
    }
    // Several entries hold all at once.
    let joined = names.iter().map(|it| if it.contains(' ') { format!("({it})") } else { (*it).to_owned() });
    Licence::read(&joined.collect::<Vec<_>>().join(" AND "), "")
}
