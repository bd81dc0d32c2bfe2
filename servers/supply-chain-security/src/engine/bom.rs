//! A bill of materials, whatever its format.

use std::{
    collections::{BTreeSet, HashSet},
    time::SystemTime,
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    collect::Inventory,
    component::{Component, Ecosystem, Kind},
    digest,
    graph::Graph,
    purl, read_cyclonedx, read_spdx, write_cyclonedx, write_spdx2, write_spdx3,
};

/// The format of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum BomFormat {
    /// CycloneDX 1.6 JSON.
    #[default]
    #[serde(rename = "cyclonedx-1.6")]
    CycloneDx16,
    /// CycloneDX 1.7 JSON.
    #[serde(rename = "cyclonedx-1.7")]
    CycloneDx17,
    /// SPDX 2.3 JSON.
    #[serde(rename = "spdx-2.3")]
    Spdx23,
    /// SPDX 3.0 JSON-LD.
    #[serde(rename = "spdx-3.0")]
    Spdx30,
}

/// A bill of materials.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bom {
    /// What it describes.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) graph: Graph,
    /// Everything that was asked for was seen.
    pub(crate) is_complete: bool,
    /// What a document said that nothing here keeps.
    pub(crate) losses: Vec<String>,
}

/// When and by whom a document is made: given, so that a document can be made twice.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// RFC 3339 in whole seconds.
    pub(crate) created: String,
    /// Version of this server.
    pub(crate) tool: &'static str,
}

impl Stamp {
    pub(crate) fn now(tool: &'static str) -> Self {
        let now: chrono::DateTime<chrono::Utc> = SystemTime::now().into();
        Self { created: now.format("%Y-%m-%dT%H:%M:%SZ").to_string(), tool }
    }
}

impl Bom {
    /// What a scan found, without the components that `keep` refuses.
    pub(crate) fn of(inventory: &Inventory, target: &str, keep: impl Fn(&Component) -> bool) -> Self {
        let name = target
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .filter(|it| !matches!(*it, "" | "."))
            .unwrap_or("project");
        let graph = inventory.graph.clone().sorted(keep);
        Self {
            name: super::component::clean(name),
            version: String::new(),
            graph,
            is_complete: inventory.coverage.is_complete(),
            losses: Vec::new(),
        }
    }

    /// The document in one of the formats.
    pub(crate) fn document(&self, format: BomFormat, stamp: &Stamp) -> Value {
        match format {
            BomFormat::CycloneDx16 => write_cyclonedx::document(self, "1.6", stamp),
            BomFormat::CycloneDx17 => write_cyclonedx::document(self, "1.7", stamp),
            BomFormat::Spdx23 => write_spdx2::document(self, stamp),
            BomFormat::Spdx30 => write_spdx3::document(self, stamp),
        }
    }

    /// Takes over another graph; equal components become one.
    pub(crate) fn take(&mut self, other: Graph) {
        let places: Vec<usize> = other.components.into_iter().map(|it| self.graph.put(it, "")).collect();
        for (from, to) in other.needs {
            to.into_iter().for_each(|to| self.graph.connect(places[from], places[to]));
        }
        self.graph.projects.extend(other.projects.into_iter().map(|it| places[it]));
        let open: Vec<usize> = other.open_ended.into_iter().map(|it| places[it]).collect();
        let open = open.into_iter().filter(|it| !self.graph.needs.contains_key(it)).collect::<Vec<_>>();
        self.graph.open_ended.extend(open);
    }

    /// Reads a document of any supported format.
    pub(crate) fn read(document: &Value) -> Result<Self, String> {
        if document.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
            return read_cyclonedx::read(document);
        }
        if document.get("spdxVersion").is_some() {
            return read_spdx::read_2(document);
        }
        if document.get("@graph").is_some() {
            return read_spdx::read_3(document);
        }
        Err("it is neither a CycloneDX nor an SPDX document in JSON".into())
    }

    /// The component the document is about: the project that holds all others, or one made up for them.
    pub(crate) fn root(&self) -> Component {
        match self.root_position() {
            Some(at) => self.graph.components[at].clone(),
            None => {
                let mut root = Component::new(Ecosystem::Generic, &self.name, &self.version);
                root.kind = Kind::Project;
                root
            }
        }
    }

    /// The position of the only project that no other project needs.
    pub(crate) fn root_position(&self) -> Option<usize> {
        let projects = &self.graph.projects;
        let held: BTreeSet<usize> =
            projects.iter().filter_map(|it| self.graph.needs.get(it)).flatten().copied().collect();
        let mut free = projects.iter().filter(|it| !held.contains(it));
        match (free.next(), free.next()) {
            (Some(only), None) => Some(*only),
            _ => None,
        }
    }

    /// What the root needs itself: what nothing else needs, and every project.
    pub(crate) fn top(&self) -> BTreeSet<usize> {
        let mut top = match self.root_position() {
            Some(at) => self.graph.needs.get(&at).cloned().unwrap_or_default(),
            None => BTreeSet::new(),
        };
        top.extend(self.graph.starts());
        if let Some(at) = self.root_position() {
            top.remove(&at);
        }
        top
    }

    /// A name for each component that is unique in the document, and stays the same between scans.
    pub(crate) fn references(&self) -> Vec<String> {
        let mut seen: HashSet<String> = HashSet::new();
        let reference = |it: &Component| {
            let mut name = purl::of(it);
            if it.version.is_none() {
                name = format!("{name}#{}", it.wanted.as_deref().unwrap_or("unresolved"));
            }
            while !seen.insert(name.clone()) {
                name.push('+');
            }
            name
        };
        self.graph.components.iter().map(reference).collect()
    }

    /// Identifies the content: equal graphs have equal digests.
    pub(crate) fn digest(&self) -> String {
        let mut text = format!("{}\n{}\n", self.name, self.version);
        for (at, reference) in self.references().iter().enumerate() {
            text.push_str(reference);
            for to in self.graph.needs.get(&at).into_iter().flatten() {
                text.push_str(&format!(" {to}"));
            }
            text.push('\n');
        }
        digest::sha256(text.as_bytes())
    }

    /// A UUID made of the content's digest.
    pub(crate) fn uuid(&self) -> String {
        let hex = self.digest();
        let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
        format!("{a}-{b}-8{c}-a{d}-{e}")
    }
}

/// A place that a document may name: a URL without anything that URLs do not hold.
pub(crate) fn web_address(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|it| it.is_ascii_graphic() && !b"<>\"{}|\\^`[]%".contains(&it));
    let scheme = ["https://", "http://", "git+https://", "git+ssh://", "ssh://", "git://"];
    (is_plain && text.len() < 2048 && scheme.iter().any(|it| text.starts_with(it) && text.len() > it.len()))
        .then_some(text)
}
