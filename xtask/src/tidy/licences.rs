//! What comes from outside: licences, sources, and crates we refuse. The lists stand in `deny.toml`.
//!
//! `cargo deny` checks the same file more thoroughly where it is installed; this needs nothing but cargo.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::{Findings, SourceFile};

#[derive(Deserialize)]
struct Lists {
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Named>,
    skip: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
    #[expect(dead_code, reason = "parsed so that an entry without a reason is refused")]
    reason: String,
}

pub(super) fn check(files: &[SourceFile], metadata: &Value, findings: &mut Findings) -> anyhow::Result<()> {
    let file = files.iter().find(|it| it.path == "deny.toml").context("deny.toml is missing")?;
    let lists: Lists = toml::from_str(&file.text).context("deny.toml is not valid")?;
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, source) = (text("name"), text("source"));
        if source.is_empty() {
            continue;
        }
        versions.entry(name).or_default().insert(text("version"));
        if !source.starts_with("registry+") && !source.starts_with("sparse+") {
            findings.push(format!("Cargo.lock: `{name}` does not come from a registry"));
        }
        if lists.bans.deny.iter().any(|it| it.name == name) {
            findings.push(format!("Cargo.lock: `{name}` is refused by deny.toml"));
        }
        let licence = text("license");
        if !allows(&lists.licenses.allow, licence) {
            findings.push(format!(
                "Cargo.lock: `{name}` has the licence `{licence}`, which deny.toml does not allow"
            ));
        }
    }
    let skipped: BTreeSet<&str> =
        lists.bans.skip.iter().map(|it| it.name.split('@').next().unwrap_or_default()).collect();
    for (name, versions) in &versions {
        if versions.len() > 1 && !skipped.contains(name) {
            let versions: Vec<_> = versions.iter().copied().collect();
            findings.push(format!("Cargo.lock: `{name}` is there in versions {}", versions.join(", ")));
        }
    }
    for name in skipped {
        if versions.get(name).is_none_or(|it| it.len() < 2) {
            findings.push(format!("deny.toml: the skip of `{name}` is not needed"));
        }
    }
    Ok(())
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is the old way to write `OR`.
fn allows(allowed: &[String], expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut parser = Spdx { allowed, words: &words, broken: false };
    let verdict = parser.any();
    verdict && parser.words.is_empty() && !parser.broken
}

struct Spdx<'a> {
    allowed: &'a [String],
    words: &'a [&'a str],
    /// The expression ends where a licence should stand.
    broken: bool,
}

impl Spdx<'_> {
    fn any(&mut self) -> bool {
        let mut verdict = self.all();
        while self.take("OR") {
            verdict |= self.all();
        }
        verdict
    }

    fn all(&mut self) -> bool {
        let mut verdict = self.one();
        while self.take("AND") {
            verdict &= self.one();
        }
        verdict
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let verdict = self.any();
            return self.take(")") && verdict;
        }
        let Some((licence, rest)) = self.words.split_first() else {
            self.broken = true;
            return false;
        };
        self.words = rest;
        let mut name = (*licence).to_owned();
        if self.take("WITH")
            && let Some((exception, rest)) = self.words.split_first()
        {
            name = format!("{name} WITH {exception}");
            self.words = rest;
        }
        self.allowed.contains(&name)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = "[licenses]\nallow = ['MIT', 'Apache-2.0']\n[bans]\n\
        deny = [{ crate = 'openssl-sys', reason = 'one TLS stack' }]\n\
        skip = [{ crate = 'old@1', reason = 'a parent lags behind' }]\n";

    fn found(packages: Value) -> usize {
        let files = [SourceFile { path: "deny.toml".into(), text: DENY.into() }];
        let mut packages = packages;
        for version in ["1.0.0", "2.0.0"] {
            let old = package("old", version, "MIT");
            packages.as_array_mut().expect("a list").push(old);
        }
        let mut findings = Findings::new();
        check(&files, &json!({ "packages": packages }), &mut findings).expect("deny.toml parses");
        findings.len()
    }

    fn package(name: &str, version: &str, licence: &str) -> Value {
        json!({ "name": name, "version": version, "license": licence, "source": "registry+x" })
    }

    #[test]
    fn what_we_refuse_is_found() {
        assert_eq!(found(json!([package("a", "1.0.0", "MIT")])), 0);
        assert_eq!(found(json!([package("openssl-sys", "1.0.0", "MIT")])), 1);
        assert_eq!(found(json!([package("a", "1.0.0", "GPL-3.0")])), 1);
        assert_eq!(found(json!([package("a", "1.0.0", "MIT"), package("a", "2.0.0", "MIT")])), 1);
        assert_eq!(
            found(json!([{ "name": "a", "version": "1.0.0", "license": "MIT", "source": "git+x" }])),
            1
        );
    }

    #[test]
    fn licence_expressions_are_understood() {
        let allowed =
            ["MIT".to_owned(), "Apache-2.0".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for good in [
            "MIT",
            "GPL-2.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR X) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allows(&allowed, good), "{good}");
        }
        for bad in [
            "",
            "GPL-2.0",
            "MIT AND GPL-2.0",
            "(MIT OR X) AND Y",
            "MIT WITH Some-exception",
            "MIT OR",
            "MIT MIT",
        ] {
            assert!(!allows(&allowed, bad), "{bad}");
        }
    }
}
