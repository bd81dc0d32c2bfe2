//! Records of the RustSec database: Markdown with a TOML head.

use serde::Deserialize;

use super::advisory::{Advisory, Affected, Event, PackageName, Range, Score};

#[derive(Deserialize)]
struct Document {
    advisory: Head,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    #[serde(default)]
    date: Option<toml::Value>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    cvss: Option<String>,
    #[serde(default)]
    withdrawn: Option<toml::Value>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// The record in `text` in the form of the OSV format, if it is one.
pub(crate) fn parse(text: &str) -> Option<Advisory> {
    let start = text.find("```toml")? + "```toml".len();
    let end = start + text[start..].find("```")?;
    let document: Document = toml::from_str(&text[start..end]).ok()?;
    let title = text[end..].lines().find_map(|it| it.strip_prefix("# ")).unwrap_or_default();
    let plain = |value: Option<toml::Value>| value.map(|it| it.to_string().trim_matches('"').to_owned());
    let Head { id, package, date, aliases, cvss, withdrawn } = document.advisory;
    let package = PackageName { ecosystem: "crates.io".into(), name: package };
    let ranges = vec![Range { kind: "SEMVER".into(), events: events(&document.versions) }];
    Some(Advisory {
        id,
        modified: plain(date).unwrap_or_default(),
        withdrawn: plain(withdrawn),
        aliases,
        summary: title.trim().to_owned(),
        severity: cvss.map(|score| Score { score }).into_iter().collect(),
        affected: vec![Affected { package, ranges, versions: Vec::new() }],
        database_specific: None,
    })
}

/// RustSec names what is safe; the OSV format names what is not. Everything is affected from the beginning,
/// each safe requirement ends it, and its upper bound, if it has one, begins it again.
fn events(versions: &Versions) -> Vec<Event> {
    let mut events = vec![Event { introduced: Some("0".into()), ..Event::default() }];
    for requirement in versions.patched.iter().chain(&versions.unaffected) {
        let bounds: Vec<&str> = requirement.split(',').map(str::trim).collect();
        let mut start = None;
        let mut end = None;
        for bound in bounds {
            let (sign, version) =
                bound.split_at(bound.find(|it: char| it.is_ascii_digit()).unwrap_or(bound.len()));
            match sign.trim() {
                ">=" | "=" => start = Some(version.to_owned()),
                ">" => start = Some(next(version)),
                "^" | "" => (start, end) = (Some(version.to_owned()), caret(version)),
                "~" => (start, end) = (Some(version.to_owned()), tilde(version)),
                "<" => end = Some(version.to_owned()),
                "<=" => end = Some(next(version)),
                _ => {}
            }
            if sign.trim() == "=" {
                end = Some(next(version));
            }
        }
        events.push(Event { fixed: Some(start.unwrap_or_else(|| "0".into())), ..Event::default() });
        if let Some(end) = end {
            events.push(Event { introduced: Some(end), ..Event::default() });
        }
    }
    events
}

fn parts(version: &str) -> [u64; 3] {
    let mut out = [0; 3];
    let numbers = version.split(['-', '+']).next().unwrap_or_default().split('.');
    for (place, number) in out.iter_mut().zip(numbers) {
        *place = number.parse().unwrap_or_default();
    }
    out
}

/// The smallest version above `version`.
fn next(version: &str) -> String {
    let [major, minor, patch] = parts(version);
    format!("{major}.{minor}.{}-0", patch.saturating_add(1))
}

fn caret(version: &str) -> Option<String> {
    let [major, minor, patch] = parts(version);
    Some(match (major, minor) {
        (0, 0) => format!("0.0.{}", patch.saturating_add(1)),
        (0, minor) => format!("0.{}.0", minor.saturating_add(1)),
        (major, _) => format!("{}.0.0", major.saturating_add(1)),
    })
}

fn tilde(version: &str) -> Option<String> {
    let [major, minor, _] = parts(version);
    Some(format!("{major}.{}.0", minor.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{advisory::Cover, package::Ecosystem};

    #[test]
    fn what_is_patched_or_unaffected_is_safe_and_the_rest_is_not() {
        let text = "```toml\n[advisory]\nid = \"RUSTSEC-2024-0001\"\npackage = \"a\"\ndate = \"2024-01-02\"\n\
            cvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\n[versions]\n\
            patched = [\"^1.2.5\", \">= 2.0.3\"]\nunaffected = [\"< 1.0.0\"]\n```\n\n# Out of bounds\n\nText.\n";
        let it = parse(text).unwrap();
        assert_eq!(
            (it.id.as_str(), it.summary.as_str(), it.modified.as_str()),
            ("RUSTSEC-2024-0001", "Out of bounds", "2024-01-02")
        );
        for (version, cover) in [
            ("0.9.9", Cover::No),
            ("1.0.0", Cover::Yes),
            ("1.2.4", Cover::Yes),
            ("1.2.5", Cover::No),
            ("1.9.0", Cover::No),
            ("2.0.0", Cover::Yes),
            ("2.0.3", Cover::No),
            ("3.0.0", Cover::No),
        ] {
            assert_eq!(it.covers(Ecosystem::Cargo, "a", version), cover, "{version}");
        }
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in ["", "# Readme", "```toml\nnot toml", "```toml\n[advisory]\n```"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
