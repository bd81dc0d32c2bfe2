//! One record of the OSV format, and whether it covers a version.

use std::{cmp::Ordering, collections::BTreeSet, str::FromStr};

use serde::Deserialize;

use super::{cvss, package::Ecosystem, verdict::Level};

/// What is read of a record. Unknown keys are allowed: the format grows.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Advisory {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) modified: String,
    #[serde(default)]
    pub(crate) withdrawn: Option<String>,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) severity: Vec<Score>,
    #[serde(default)]
    pub(crate) affected: Vec<Affected>,
    #[serde(default)]
    pub(crate) database_specific: Option<Specific>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Score {
    #[serde(default)]
    pub(crate) score: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Specific {
    #[serde(default)]
    severity: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Affected {
    pub(crate) package: PackageName,
    #[serde(default)]
    pub(crate) ranges: Vec<Range>,
    #[serde(default)]
    pub(crate) versions: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PackageName {
    pub(crate) ecosystem: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Range {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Event {
    #[serde(default)]
    pub(crate) introduced: Option<String>,
    #[serde(default)]
    pub(crate) fixed: Option<String>,
    #[serde(default)]
    pub(crate) last_affected: Option<String>,
}

/// A version in its ecosystem's own order.
#[derive(Debug)]
pub(crate) enum Version {
    Semantic(semver::Version),
    Python(Box<pep440_rs::Version>),
}

impl Version {
    pub(crate) fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        let text = text.trim();
        match ecosystem {
            Ecosystem::Npm | Ecosystem::Cargo => {
                let text = text.trim_start_matches(['v', '=']);
                // Records say `0` for "from the beginning", and `1.2` for `1.2.0`.
                let dots = text.split(['-', '+']).next().unwrap_or_default().matches('.').count();
                let padded = if dots < 2 && text.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
                    format!("{text}{}", ".0".repeat(2 - dots))
                } else {
                    text.to_owned()
                };
                semver::Version::parse(&padded).ok().map(Self::Semantic)
            }
            Ecosystem::PyPI => pep440_rs::Version::from_str(text).ok().map(|it| Self::Python(Box::new(it))),
        }
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Semantic(left), Self::Semantic(right)) => Some(left.cmp_precedence(right)),
            (Self::Python(left), Self::Python(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

/// Whether a record speaks about a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    Yes,
    No,
    /// The version or a bound of the record is not understood.
    Unclear,
}

impl Advisory {
    /// Whether `name` at `version` is affected.
    pub(crate) fn covers(&self, ecosystem: Ecosystem, name: &str, version: &str) -> Cover {
        let mut cover = Cover::No;
        for affected in self.affected.iter().filter(|it| it.is_about(ecosystem, name)) {
            match affected.covers(ecosystem, version) {
                Cover::Yes => return Cover::Yes,
                Cover::Unclear => cover = Cover::Unclear,
                Cover::No => {}
            }
        }
        cover
    }

    /// The first versions without the flaw, for this package.
    pub(crate) fn fixed_in(&self, ecosystem: Ecosystem, name: &str) -> Vec<String> {
        let about = self.affected.iter().filter(|it| it.is_about(ecosystem, name));
        let fixed: BTreeSet<String> = about
            .flat_map(|it| &it.ranges)
            .filter(|it| it.kind != "GIT")
            .flat_map(|it| it.events.iter().filter_map(|event| event.fixed.clone()))
            .collect();
        fixed.into_iter().take(8).collect()
    }

    /// How bad it is, as the database says, or else as its CVSS vector does.
    pub(crate) fn level(&self) -> Option<Level> {
        // Records of malicious packages carry no score.
        if self.id.starts_with("MAL-") {
            return Some(Level::Critical);
        }
        let said =
            self.database_specific.as_ref().and_then(|it| it.severity.as_ref()).and_then(|it| it.as_str());
        let word = said.and_then(|it| match it.to_ascii_uppercase().as_str() {
            "LOW" => Some(Level::Low),
            "MODERATE" | "MEDIUM" => Some(Level::Moderate),
            "HIGH" => Some(Level::High),
            "CRITICAL" => Some(Level::Critical),
            _ => None,
        });
        word.or_else(|| {
            self.severity.iter().filter_map(|it| cvss::base_score(&it.score)).map(Level::of_score).max()
        })
    }
}

impl Affected {
    pub(crate) fn is_about(&self, ecosystem: Ecosystem, name: &str) -> bool {
        self.package.ecosystem.split(':').next() == Some(ecosystem.word())
            && ecosystem.normal(&self.package.name) == name
    }

    fn covers(&self, ecosystem: Ecosystem, version: &str) -> Cover {
        if self.versions.iter().any(|it| it == version) {
            return Cover::Yes;
        }
        let ranges: Vec<&Range> = self.ranges.iter().filter(|it| it.kind != "GIT").collect();
        if ranges.is_empty() {
            return match (self.versions.is_empty(), self.ranges.is_empty()) {
                // A record that names no version at all speaks about every one.
                (true, true) => Cover::Yes,
                // Commits say nothing about a published version.
                (true, false) => Cover::Unclear,
                (false, _) => Cover::No,
            };
        }
        let Some(version) = Version::parse(ecosystem, version) else { return Cover::Unclear };
        let listed = self.versions.iter().filter_map(|it| Version::parse(ecosystem, it));
        if listed.filter_map(|it| it.order(&version)).any(Ordering::is_eq) {
            return Cover::Yes;
        }
        let mut cover = Cover::No;
        for range in ranges {
            match range.covers(ecosystem, &version) {
                Some(true) => return Cover::Yes,
                Some(false) => {}
                None => cover = Cover::Unclear,
            }
        }
        cover
    }
}

impl Range {
    /// As the format's evaluation says: the last event at or below the version decides. `None`: a bound is not understood.
    fn covers(&self, ecosystem: Ecosystem, version: &Version) -> Option<bool> {
        let mut events = Vec::with_capacity(self.events.len());
        for event in &self.events {
            let bounds = [(&event.introduced, 0_u8), (&event.fixed, 1), (&event.last_affected, 2)];
            for (text, kind) in bounds.into_iter().filter_map(|(text, kind)| Some((text.as_ref()?, kind))) {
                events.push((Version::parse(ecosystem, text)?, kind));
            }
        }
        events.sort_by(|left, right| left.0.order(&right.0).unwrap_or(Ordering::Equal));
        let mut affected = false;
        for (bound, kind) in &events {
            let order = version.order(bound)?;
            match kind {
                0 if order.is_ge() => affected = true,
                1 if order.is_ge() => affected = false,
                2 if order.is_gt() => affected = false,
                _ => {}
            }
        }
        Some(affected)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn advisory(ecosystem: &str, events: serde_json::Value, versions: &[&str]) -> Advisory {
        serde_json::from_value(json!({"id": "X-1", "affected": [{
            "package": {"ecosystem": ecosystem, "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}], "versions": versions}]}))
        .unwrap()
    }

    #[test]
    fn the_last_event_at_or_below_the_version_decides() {
        let twice =
            json!([{"introduced": "0"}, {"fixed": "1.2.3"}, {"introduced": "2.0.0"}, {"fixed": "2.1.0"}]);
        let last = json!([{"introduced": "1.0.0"}, {"last_affected": "1.5.0"}]);
        for (events, version, cover) in [
            (&twice, "0.0.1", Cover::Yes),
            (&twice, "1.2.2", Cover::Yes),
            (&twice, "1.2.3-rc.1", Cover::Yes),
            (&twice, "1.2.3", Cover::No),
            (&twice, "2.0.5", Cover::Yes),
            (&twice, "2.1.0", Cover::No),
            (&twice, "latest", Cover::Unclear),
            (&last, "1.5.0", Cover::Yes),
            (&last, "1.5.1", Cover::No),
            (&last, "0.9.0", Cover::No),
        ] {
            let it = advisory("npm", events.clone(), &[]);
            assert_eq!(it.covers(Ecosystem::Npm, "a", version), cover, "{version}");
            assert_eq!(it.covers(Ecosystem::Npm, "b", version), Cover::No);
            assert_eq!(it.covers(Ecosystem::Cargo, "a", version), Cover::No);
        }
    }

    #[test]
    fn python_versions_order_as_python_says() {
        let it = advisory("PyPI", json!([{"introduced": "0"}, {"fixed": "2.0"}]), &["2.5rc1"]);
        for (version, cover) in [
            ("1.10", Cover::Yes),
            ("2.0rc1", Cover::Yes),
            ("2.0", Cover::No),
            ("2.0.0", Cover::No),
            ("2.0.post1", Cover::No),
            ("2.5rc1", Cover::Yes),
            ("2.5.rc.1", Cover::Yes),
        ] {
            assert_eq!(it.covers(Ecosystem::PyPI, "a", version), cover, "{version}");
        }
    }

    #[test]
    fn a_record_that_names_no_version_speaks_about_every_one() {
        let it: Advisory = serde_json::from_value(
            json!({"id": "MAL-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"}}]}),
        )
        .unwrap();
        assert_eq!(it.covers(Ecosystem::Npm, "a", "1.0.0"), Cover::Yes);
        assert_eq!(it.level(), Some(Level::Critical));
    }

    #[test]
    fn severity_is_the_databases_or_else_the_vectors() {
        let level = |value: serde_json::Value| serde_json::from_value::<Advisory>(value).unwrap().level();
        assert_eq!(
            level(json!({"id": "x", "database_specific": {"severity": "MODERATE"}})),
            Some(Level::Moderate)
        );
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        assert_eq!(
            level(json!({"id": "x", "severity": [{"type": "CVSS_V3", "score": vector}]})),
            Some(Level::Critical)
        );
        assert_eq!(level(json!({"id": "x"})), None);
    }
}
