//! What somebody says about a vulnerability in a product: OpenVEX and CycloneDX, in and out.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    bom::Stamp,
    component::Component,
    digest,
    fields::{items, maybe, text},
    purl,
};

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// The product does not suffer from it.
    NotAffected,
    /// It does, and something should be done.
    Affected,
    /// It did.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl VexStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under_investigation",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "not_affected" | "false_positive" => Self::NotAffected,
            "affected" | "exploitable" => Self::Affected,
            "fixed" | "resolved" | "resolved_with_pedigree" => Self::Fixed,
            "under_investigation" | "in_triage" => Self::UnderInvestigation,
            _ => return None,
        })
    }

    fn cyclonedx(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Affected => "exploitable",
            Self::Fixed => "resolved",
            Self::UnderInvestigation => "in_triage",
        }
    }

    /// Whether a finding need not be looked at any more.
    pub(crate) fn settles(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}

/// Why a product is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Justification {
    /// The component is not part of the product.
    ComponentNotPresent,
    /// The component is, its vulnerable code is not.
    VulnerableCodeNotPresent,
    /// The code is there and never runs.
    VulnerableCodeNotInExecutePath,
    /// An attacker cannot steer it.
    VulnerableCodeCannotBeControlledByAdversary,
    /// Something else keeps it from being used.
    InlineMitigationsAlreadyExist,
}

impl Justification {
    fn as_str(self) -> &'static str {
        match self {
            Self::ComponentNotPresent => "component_not_present",
            Self::VulnerableCodeNotPresent => "vulnerable_code_not_present",
            Self::VulnerableCodeNotInExecutePath => "vulnerable_code_not_in_execute_path",
            Self::VulnerableCodeCannotBeControlledByAdversary => {
                "vulnerable_code_cannot_be_controlled_by_adversary"
            }
            Self::InlineMitigationsAlreadyExist => "inline_mitigations_already_exist",
        }
    }

    fn cyclonedx(self) -> &'static str {
        match self {
            Self::ComponentNotPresent | Self::VulnerableCodeNotPresent => "code_not_present",
            Self::VulnerableCodeNotInExecutePath => "code_not_reachable",
            Self::VulnerableCodeCannotBeControlledByAdversary => "requires_environment",
            Self::InlineMitigationsAlreadyExist => "protected_by_mitigating_control",
        }
    }
}

/// One statement of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// The vulnerability, under all its names.
    ids: Vec<String>,
    products: Vec<Component>,
    pub(crate) status: VexStatus,
    pub(crate) why: String,
}

impl Statement {
    /// Whether it is about this vulnerability in this component. Of two that fit, the later one counts.
    pub(crate) fn fits(&self, ids: &[&str], component: &Component) -> bool {
        let same = |it: &Component| {
            it.ecosystem == component.ecosystem
                && it.name == component.name
                && (it.version.is_none() || it.version == component.version)
        };
        self.ids.iter().any(|it| ids.contains(&it.as_str())) && self.products.iter().any(same)
    }
}

/// Reads an OpenVEX or a CycloneDX document.
pub(crate) fn read(document: &Value) -> Result<Vec<Statement>, String> {
    if text(document, "@context").starts_with("https://openvex.dev/ns") {
        return Ok(items(document, "statements").filter_map(openvex).collect());
    }
    if text(document, "bomFormat") == "CycloneDX" {
        let mut known: HashMap<&str, &str> = HashMap::new();
        for it in items(document, "components") {
            known.insert(text(it, "bom-ref"), text(it, "purl"));
        }
        return Ok(items(document, "vulnerabilities").filter_map(|it| cyclonedx(it, &known)).collect());
    }
    Err("it is neither an OpenVEX nor a CycloneDX document".into())
}

fn openvex(statement: &Value) -> Option<Statement> {
    let vulnerability = statement.get("vulnerability")?;
    let name = vulnerability
        .as_str()
        .or_else(|| maybe(vulnerability, "name"))
        .or_else(|| maybe(vulnerability, "@id"));
    let aliases = items(vulnerability, "aliases").filter_map(Value::as_str);
    let mut products = Vec::new();
    for product in items(statement, "products") {
        let identifiers = product.get("identifiers").map_or("", |it| text(it, "purl"));
        let own = product.as_str().or_else(|| maybe(product, "@id")).unwrap_or(identifiers);
        // With subcomponents, those are what the statement is about.
        let inner: Vec<Component> = items(product, "subcomponents")
            .filter_map(|it| purl::parse(it.as_str().or_else(|| maybe(it, "@id"))?))
            .collect();
        match inner.is_empty() {
            true => products.extend(purl::parse(own)),
            false => products.extend(inner),
        }
    }
    let why = maybe(statement, "justification").or_else(|| maybe(statement, "impact_statement"));
    Some(Statement {
        ids: name.into_iter().chain(aliases).map(str::to_owned).collect(),
        products,
        status: VexStatus::read(text(statement, "status"))?,
        why: super::component::clean(why.unwrap_or_default()),
    })
}

fn cyclonedx(vulnerability: &Value, known: &HashMap<&str, &str>) -> Option<Statement> {
    let analysis = vulnerability.get("analysis")?;
    let references = items(vulnerability, "references").filter_map(|it| maybe(it, "id"));
    let product = |it: &Value| {
        let reference = text(it, "ref");
        // A reference into another document ends with the name it has there.
        let reference =
            reference.strip_prefix("urn:cdx:").and_then(|it| it.split_once('#')).map_or(reference, |it| it.1);
        purl::parse(known.get(reference).copied().unwrap_or(reference))
    };
    let why = maybe(analysis, "justification").or_else(|| maybe(analysis, "detail"));
    Some(Statement {
        ids: maybe(vulnerability, "id").into_iter().chain(references).map(str::to_owned).collect(),
        products: items(vulnerability, "affects").filter_map(product).collect(),
        status: VexStatus::read(text(analysis, "state"))?,
        why: super::component::clean(why.unwrap_or_default()),
    })
}

/// What a new document says.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) vulnerabilities: Vec<String>,
    pub(crate) products: Vec<Component>,
    pub(crate) status: VexStatus,
    pub(crate) justification: Option<Justification>,
    pub(crate) statement: String,
    pub(crate) author: String,
}

impl Draft {
    /// As OpenVEX.
    pub(crate) fn openvex(&self, stamp: &Stamp) -> Value {
        let products: Vec<Value> = self.products.iter().map(|it| json!({"@id": purl::of(it)})).collect();
        let statements: Vec<Value> = self
            .vulnerabilities
            .iter()
            .map(|id| {
                let mut statement = json!({"vulnerability": {"name": id}, "products": products, "status": self.status.as_str()});
                if let Some(why) = self.justification {
                    statement["justification"] = why.as_str().into();
                }
                if !self.statement.is_empty() {
                    let key = if self.status == VexStatus::Affected { "action_statement" } else { "impact_statement" };
                    statement[key] = self.statement.as_str().into();
                }
                statement
            })
            .collect();
        let content = json!([statements, self.author, stamp.created]).to_string();
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": format!("https://core-mcp.invalid/vex/{}", &digest::sha256(content.as_bytes())[..32]),
            "author": self.author,
            "timestamp": stamp.created,
            "version": 1,
            "tooling": format!("core-mcp {}", stamp.tool),
            "statements": statements,
        })
    }

    /// As a CycloneDX document that holds nothing but vulnerabilities and the components they are about.
    pub(crate) fn cyclonedx(&self, stamp: &Stamp) -> Value {
        let component = |it: &Component| {
            let (group, name) = purl::split(it.ecosystem, &it.name);
            let mut out =
                json!({"type": "library", "bom-ref": purl::of(it), "name": name, "purl": purl::of(it)});
            if !group.is_empty() {
                out["group"] = group.into();
            }
            if let Some(version) = &it.version {
                out["version"] = version.as_str().into();
            }
            out
        };
        let mut analysis = json!({"state": self.status.cyclonedx()});
        if let Some(why) = self.justification {
            analysis["justification"] = why.cyclonedx().into();
        }
        if !self.statement.is_empty() {
            analysis["detail"] = self.statement.as_str().into();
        }
        let affects: Vec<Value> = self.products.iter().map(|it| json!({"ref": purl::of(it)})).collect();
        let about = |id: &String| json!({"id": id, "analysis": analysis, "affects": affects});
        json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"timestamp": stamp.created, "authors": [{"name": self.author}]},
            "components": self.products.iter().map(component).collect::<Vec<_>>(),
            "vulnerabilities": self.vulnerabilities.iter().map(about).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(status: VexStatus) -> Draft {
        Draft {
            vulnerabilities: vec!["CVE-2024-1".into()],
            products: vec![purl::parse("pkg:npm/%40a/b@1.0.0").unwrap()],
            status,
            justification: (status == VexStatus::NotAffected)
                .then_some(Justification::VulnerableCodeNotInExecutePath),
            statement: "see T-1".into(),
            author: "team".into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let stamp = Stamp { created: "2026-01-01T00:00:00Z".into(), tool: "1" };
        let component = purl::parse("pkg:npm/%40a/b@1.0.0").unwrap();
        for status in
            [VexStatus::NotAffected, VexStatus::Affected, VexStatus::Fixed, VexStatus::UnderInvestigation]
        {
            for document in [draft(status).openvex(&stamp), draft(status).cyclonedx(&stamp)] {
                let statements = read(&document).unwrap();
                assert_eq!((statements.len(), statements[0].status), (1, status));
                assert!(statements[0].fits(&["CVE-2024-1"], &component));
                assert!(!statements[0].fits(&["CVE-2024-2"], &component));
                assert!(!statements[0].fits(&["CVE-2024-1"], &purl::parse("pkg:npm/%40a/b@2.0.0").unwrap()));
            }
        }
    }

    #[test]
    fn aliases_subcomponents_and_products_without_version_count() {
        let document = json!({"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{
            "vulnerability": {"name": "GHSA-1", "aliases": ["CVE-1"]}, "status": "not_affected",
            "products": [{"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:pypi/a"}]}]}]});
        let statement = &read(&document).unwrap()[0];
        assert!(statement.fits(&["CVE-1"], &purl::parse("pkg:pypi/a@9").unwrap()));
        assert!(read(&json!({"a": 1})).is_err());
    }
}
