//! Known vulnerabilities, from OSV and RustSec records.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    component::{Component, Ecosystem},
    fields::{items, json, maybe, text, toml},
    severity::{Severity, cvss3},
    version::compare,
};

/// What an advisory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    Vulnerability,
    /// The package itself is hostile.
    Malicious,
    /// Nobody cares for it any more.
    Unmaintained,
    /// It can be misused without `unsafe`.
    Unsound,
}

impl Matter {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vulnerability => "vulnerability",
            Self::Malicious => "malicious",
            Self::Unmaintained => "unmaintained",
            Self::Unsound => "unsound",
        }
    }
}

/// Which versions of one package are concerned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Range {
    /// Events in any order: from where on it holds, and where it ends.
    Events(Vec<Event>),
    /// Requirements of cargo: everything that matches none of them.
    Unless(Vec<semver::VersionReq>),
}

/// Where a range begins or ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Self::Introduced(it) | Self::Fixed(it) | Self::LastAffected(it) => it,
        }
    }
}

/// One package that an advisory is about.
#[derive(Clone, Debug)]
pub(crate) struct Affected {
    pub(crate) ecosystem: Ecosystem,
    pub(crate) name: String,
    /// `12` of `Debian:12`; empty when the record does not say.
    pub(crate) release: String,
    ranges: Vec<Range>,
    versions: Vec<String>,
    /// Versions that mend it, where ranges do not name them.
    fixes: Vec<String>,
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Advisory {
    pub(crate) id: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) summary: String,
    pub(crate) severity: Severity,
    pub(crate) score: Option<f64>,
    pub(crate) matter: Matter,
    /// When the record was last changed, as it says.
    pub(crate) modified: String,
    pub(crate) affected: Vec<Affected>,
}

impl Affected {
    /// Whether a version is concerned.
    pub(crate) fn concerns(&self, version: &str) -> bool {
        let is_named = self.versions.iter().any(|it| it == version);
        is_named || self.ranges.iter().any(|it| it.holds(self.ecosystem, version))
    }

    /// The lowest version above `version` that mends it.
    pub(crate) fn fixed_in(&self, version: &str) -> Option<String> {
        let mut fixes: Vec<&str> = Vec::new();
        for range in &self.ranges {
            match range {
                Range::Events(events) => {
                    fixes.extend(events.iter().filter_map(|it| match it {
                        Event::Fixed(fix) => Some(fix.as_str()),
                        _ => None,
                    }));
                }
                Range::Unless(_) => fixes.extend(self.fixes.iter().map(String::as_str)),
            }
        }
        let newer = fixes.into_iter().filter(|it| compare(self.ecosystem, it, version).is_gt());
        newer.min_by(|left, right| compare(self.ecosystem, left, right)).map(str::to_owned)
    }
}

impl Range {
    fn holds(&self, ecosystem: Ecosystem, version: &str) -> bool {
        match self {
            Self::Unless(fine) => semver::Version::parse(version).is_ok_and(|version| {
                !fine.iter().any(|it| it.matches(&version) || is_newer_candidate(it, &version))
            }),
            Self::Events(events) => {
                let mut sorted: Vec<&Event> = events.iter().collect();
                let order = |left: &str, right: &str| match (left, right) {
                    // Zero stands before every version there is.
                    ("0", "0") => std::cmp::Ordering::Equal,
                    ("0", _) => std::cmp::Ordering::Less,
                    (_, "0") => std::cmp::Ordering::Greater,
                    _ => compare(ecosystem, left, right),
                };
                sorted.sort_by(|left, right| order(left.version(), right.version()));
                let mut holds = false;
                for event in sorted {
                    match event {
                        Event::Introduced(from) if order(version, from).is_ge() => holds = true,
                        Event::Fixed(to) if order(version, to).is_ge() => holds = false,
                        Event::LastAffected(last) if order(version, last).is_gt() => holds = false,
                        _ => {}
                    }
                }
                holds
            }
        }
    }
}

/// `2.0.0-rc.1` is behind a fix in `1.9.1`, though cargo would not choose it for `>=1.9.1`.
fn is_newer_candidate(requirement: &semver::VersionReq, version: &semver::Version) -> bool {
    let release = semver::Version::new(version.major, version.minor, version.patch);
    !version.pre.is_empty()
        && requirement.matches(&release)
        && !requirement.comparators.iter().any(|it| {
            it.major == release.major && it.minor == Some(release.minor) && it.patch == Some(release.patch)
        })
}

/// Reads one OSV record; `Ok(None)` for one that was withdrawn.
pub(crate) fn read_osv(source: &str) -> Result<Option<Advisory>, String> {
    let record = json(source)?;
    let id = text(&record, "id");
    if id.is_empty() || !record.get("affected").is_some_and(Value::is_array) {
        return Err("it is no OSV record".into());
    }
    if record.get("withdrawn").is_some_and(Value::is_string) {
        return Ok(None);
    }
    let mut affected = Vec::new();
    for entry in items(&record, "affected") {
        affected.extend(package(entry));
    }
    let (severity, score) = severity(&record);
    let informational = items(&record, "affected")
        .find_map(|it| maybe(it.get("database_specific")?, "informational"))
        .unwrap_or_default();
    let matter = match informational {
        "unmaintained" => Matter::Unmaintained,
        "unsound" => Matter::Unsound,
        _ if id.starts_with("MAL-") => Matter::Malicious,
        _ => Matter::Vulnerability,
    };
    let severity = if matter == Matter::Malicious { Severity::Critical } else { severity };
    let summary =
        maybe(&record, "summary").or_else(|| text(&record, "details").lines().next()).unwrap_or_default();
    Ok(Some(Advisory {
        id: super::component::clean(id),
        aliases: items(&record, "aliases").filter_map(Value::as_str).map(super::component::clean).collect(),
        summary: super::component::clean(summary.get(..300.min(summary.len())).unwrap_or(summary)),
        severity,
        score,
        matter,
        modified: text(&record, "modified").to_owned(),
        affected,
    }))
}

fn package(entry: &Value) -> Option<Affected> {
    let package = entry.get("package")?;
    let (name, release) =
        text(package, "ecosystem").split_once(':').unwrap_or((text(package, "ecosystem"), ""));
    let ecosystem = Ecosystem::ALL.into_iter().find(|it| it.osv_name() == name && !name.is_empty())?;
    let mut ranges = Vec::new();
    for range in items(entry, "ranges").filter(|it| text(it, "type") != "GIT") {
        let event = |it: &Value| {
            let of = |key: &str| maybe(it, key).map(str::to_owned);
            let begins = of("introduced").map(Event::Introduced);
            begins
                .or_else(|| of("fixed").map(Event::Fixed))
                .or_else(|| of("last_affected").map(Event::LastAffected))
        };
        ranges.push(Range::Events(items(range, "events").filter_map(event).collect()));
    }
    let versions = items(entry, "versions").filter_map(Value::as_str).map(str::to_owned).collect();
    let (name, release) =
        (ecosystem.canonical(text(package, "name")), release.trim_start_matches('v').to_owned());
    Some(Affected { ecosystem, name, release, ranges, versions, fixes: Vec::new() })
}

fn severity(record: &Value) -> (Severity, Option<f64>) {
    let scores = items(record, "severity").filter_map(|it| cvss3(text(it, "score")));
    let score = scores.reduce(f64::max);
    let said = |it: &Value| maybe(it, "severity").map(Severity::of_word);
    let word = record.get("database_specific").and_then(said);
    let word = word.or_else(|| items(record, "affected").find_map(|it| said(it.get("database_specific")?)));
    let by_score = score.map_or(Severity::Unknown, Severity::of_score);
    (if by_score == Severity::Unknown { word.unwrap_or_default() } else { by_score }, score)
}

/// Reads one RustSec advisory: TOML, alone or at the head of a Markdown file.
pub(crate) fn read_rustsec(source: &str) -> Result<Option<Advisory>, String> {
    let (head, title) = match source.trim_start().strip_prefix("```toml") {
        Some(rest) => {
            let (head, body) = rest.split_once("```").ok_or("its TOML does not end")?;
            (head, body.lines().find_map(|it| it.strip_prefix("# ")).unwrap_or_default())
        }
        None => (source, ""),
    };
    let file = toml(head)?;
    let advisory = file.get("advisory").ok_or("it is no RustSec advisory")?;
    if advisory.get("withdrawn").is_some() {
        return Ok(None);
    }
    let requirements = |key: &str| -> Vec<semver::VersionReq> {
        let versions = file.get("versions").or(Some(advisory)).into_iter();
        versions.flat_map(|it| items(it, key)).filter_map(|it| it.as_str()?.parse().ok()).collect()
    };
    let patched = requirements("patched");
    let lowest = |it: &semver::VersionReq| {
        let first = it.comparators.first()?;
        Some(format!("{}.{}.{}", first.major, first.minor.unwrap_or(0), first.patch.unwrap_or(0)))
    };
    let fixes = patched.iter().filter_map(lowest).collect();
    let fine = patched.iter().cloned().chain(requirements("unaffected")).collect();
    let score = maybe(advisory, "cvss").and_then(cvss3);
    let matter = match text(advisory, "informational") {
        "unmaintained" => Matter::Unmaintained,
        "unsound" => Matter::Unsound,
        "notice" => return Ok(None),
        _ => Matter::Vulnerability,
    };
    let affected = Affected {
        ecosystem: Ecosystem::Cargo,
        name: text(advisory, "package").to_owned(),
        release: String::new(),
        ranges: vec![Range::Unless(fine)],
        versions: Vec::new(),
        fixes,
    };
    let summary = maybe(advisory, "title").unwrap_or(title);
    Ok(Some(Advisory {
        id: super::component::clean(text(advisory, "id")),
        aliases: items(advisory, "aliases").filter_map(Value::as_str).map(super::component::clean).collect(),
        summary: super::component::clean(summary),
        severity: score.map_or(Severity::Unknown, Severity::of_score),
        score,
        matter,
        modified: text(advisory, "date").to_owned(),
        affected: vec![affected],
    }))
}

/// All records, by the packages they are about.
#[derive(Debug, Default)]
pub(crate) struct Advisories {
    all: Vec<Advisory>,
    by_package: BTreeMap<(Ecosystem, String), Vec<(usize, usize)>>,
    /// Records by ecosystem: what there is data for.
    pub(crate) counts: BTreeMap<Ecosystem, usize>,
    /// The newest change of any record.
    pub(crate) newest: String,
}

impl Advisories {
    pub(crate) fn add(&mut self, advisory: Advisory) {
        let at = self.all.len();
        let mut seen: Vec<Ecosystem> = Vec::new();
        for (index, it) in advisory.affected.iter().enumerate() {
            self.by_package.entry((it.ecosystem, it.name.clone())).or_default().push((at, index));
            if !seen.contains(&it.ecosystem) {
                seen.push(it.ecosystem);
                *self.counts.entry(it.ecosystem).or_default() += 1;
            }
        }
        if advisory.modified > self.newest {
            self.newest.clone_from(&advisory.modified);
        }
        self.all.push(advisory);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Every record about this package, whatever the version.
    pub(crate) fn about(&self, component: &Component) -> Vec<(&Advisory, &Affected)> {
        let found = self.by_package.get(&(component.ecosystem, component.name.clone()));
        let found =
            found.into_iter().flatten().map(|(at, index)| (&self.all[*at], &self.all[*at].affected[*index]));
        let release =
            component.distribution.as_deref().and_then(|it| it.split_once('-')).map_or("", |it| it.1);
        found
            .filter(|it| {
                it.1.release.is_empty() || release.is_empty() || same_release(&it.1.release, release)
            })
            .collect()
    }

    /// Every record that holds for this version. One that holds twice is given once.
    pub(crate) fn concerning(&self, component: &Component) -> Vec<(&Advisory, &Affected)> {
        let Some(version) = component.version.as_deref() else { return Vec::new() };
        let version =
            if component.ecosystem == Ecosystem::Go { version.trim_start_matches('v') } else { version };
        let mut found = self.about(component);
        found.retain(|it| it.1.concerns(version));
        found.dedup_by(|left, right| left.0.id == right.0.id);
        found
    }
}

/// `3.19` of a record and `3.19.1` of an image are the same release.
fn same_release(left: &str, right: &str) -> bool {
    left == right || right.starts_with(&format!("{left}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn osv(ecosystem: &str, events: &str, versions: &str) -> Affected {
        let record = format!(
            r#"{{"id":"X-1","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"p"}},"ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}],"versions":[{versions}]}}]}}"#
        );
        read_osv(&record).unwrap().unwrap().affected.remove(0)
    }

    #[test]
    fn ranges_hold_as_their_ecosystem_orders_versions() {
        let two = r#"{"introduced":"0"},{"fixed":"1.2.0"},{"introduced":"2.0.0"},{"fixed":"2.1.0"}"#;
        for (ecosystem, events, version, expected) in [
            ("npm", two, "1.1.9", true),
            ("npm", two, "1.2.0", false),
            ("npm", two, "2.0.5", true),
            ("npm", two, "2.1.0-beta.1", true),
            ("npm", two, "3.0.0", false),
            ("PyPI", r#"{"introduced":"1.0"},{"last_affected":"1.5"}"#, "1.5", true),
            ("PyPI", r#"{"introduced":"1.0"},{"last_affected":"1.5"}"#, "1.5.post1", false),
            ("PyPI", r#"{"introduced":"0"},{"fixed":"1.10"}"#, "1.9", true),
            ("PyPI", r#"{"introduced":"0"},{"fixed":"1.10"}"#, "1.10rc1", true),
            ("Maven", r#"{"introduced":"0"},{"fixed":"2.17.1"}"#, "2.17.1-rc1", true),
            ("Debian:12", r#"{"introduced":"0"},{"fixed":"1.0-1+deb12u1"}"#, "1.0-1", true),
            ("npm", r#"{"introduced":"0"}"#, "99", true),
            ("npm", "", "1.0.0", false),
        ] {
            assert_eq!(
                osv(ecosystem, events, "").concerns(version),
                expected,
                "{ecosystem} {version} {events}"
            );
        }
        assert!(osv("npm", "", r#""1.0.0""#).concerns("1.0.0"));
        assert_eq!(osv("npm", two, "").fixed_in("2.0.5").as_deref(), Some("2.1.0"));
        assert_eq!(osv("npm", two, "").fixed_in("9.0.0"), None);
    }

    #[test]
    fn rustsec_records_hold_for_what_is_not_mended() {
        let source = "```toml\n[advisory]\nid = \"RUSTSEC-2024-0001\"\npackage = \"p\"\ndate = \"2024-01-02\"\ncvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\naliases = [\"CVE-2024-1\"]\n[versions]\npatched = [\">= 1.2.3\"]\nunaffected = [\"< 0.5.0\"]\n```\n\n# It breaks\n";
        let advisory = read_rustsec(source).unwrap().unwrap();
        assert_eq!((advisory.summary.as_str(), advisory.severity), ("It breaks", Severity::Critical));
        for (version, expected) in [
            ("0.4.9", false),
            ("0.5.0", true),
            ("1.2.2", true),
            ("1.2.3", false),
            ("1.2.3-rc.1", true),
            ("2.0.0-rc.1", false),
        ] {
            assert_eq!(advisory.affected[0].concerns(version), expected, "{version}");
        }
        assert_eq!(advisory.affected[0].fixed_in("1.0.0").as_deref(), Some("1.2.3"));
    }

    #[test]
    fn what_was_withdrawn_or_is_no_record_is_left_out() {
        assert!(
            read_osv(r#"{"id":"X","withdrawn":"2024-01-01T00:00:00Z","affected":[]}"#).unwrap().is_none()
        );
        for bad in ["{}", "[]", "", r#"{"id":"X"}"#] {
            assert!(read_osv(bad).is_err(), "{bad}");
        }
        assert!(read_rustsec("[other]").is_err());
        assert_eq!(
            read_osv(r#"{"id":"MAL-2024-1","affected":[]}"#).unwrap().unwrap().matter,
            Matter::Malicious
        );
    }
}
