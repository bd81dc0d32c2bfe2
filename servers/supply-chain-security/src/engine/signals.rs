//! What in local data speaks against a package.

use super::{
    advisory::{Advisories, Matter},
    component::{Component, Kind, Origin},
    severity::Severity,
    version,
};

/// One thing worth a look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signal {
    pub(crate) signal: &'static str,
    pub(crate) severity: Severity,
    pub(crate) package: String,
    pub(crate) why: String,
    pub(crate) evidence: Vec<String>,
}

/// Everything that speaks against one component.
pub(crate) fn of(component: &Component, advisories: &Advisories) -> Vec<Signal> {
    let mut all = Vec::new();
    let mut add = |signal, severity, why: String| {
        let evidence = component.evidence.iter().cloned().collect();
        all.push(Signal { signal, severity, package: component.label(), why, evidence });
    };
    for (advisory, _) in advisories.concerning(component) {
        match advisory.matter {
            Matter::Malicious => {
                add("malicious", Severity::Critical, format!("{}: {}", advisory.id, advisory.summary))
            }
            Matter::Unmaintained => {
                add("unmaintained", Severity::Medium, format!("{}: {}", advisory.id, advisory.summary))
            }
            Matter::Unsound => {
                add("unsound", Severity::Medium, format!("{}: {}", advisory.id, advisory.summary))
            }
            Matter::Vulnerability => {}
        }
    }
    if let Some(why) = &component.deprecated {
        add("deprecated", Severity::Medium, format!("its author says: {why}"));
    }
    if component.install_script {
        add("install_script", Severity::Medium, "it runs a program while it is installed or built".into());
    }
    match (component.kind, &component.origin) {
        (Kind::Package, Origin::Registry)
            if component.digests.is_empty() && component.distribution.is_none() =>
        {
            add("no_digest", Severity::Low, "nothing pins what is fetched for this version".into());
        }
        (Kind::Package, Origin::Url(url)) => {
            add("unusual_source", Severity::Medium, format!("it comes from {}", cut(url)))
        }
        (Kind::Package, Origin::Git(url)) => {
            add("unusual_source", Severity::Low, format!("it comes from {}", cut(url)))
        }
        (Kind::Unresolved, _) => {
            add("unpinned", Severity::Medium, "nothing on disk decides its version".into())
        }
        _ => {}
    }
    if component.version.as_deref().is_some_and(|it| version::is_prerelease(component.ecosystem, it))
        && !is_pseudo(component)
    {
        add("prerelease", Severity::Low, "it is a release that is not final".into());
    }
    all
}

/// Go names commits like prereleases.
fn is_pseudo(component: &Component) -> bool {
    component.ecosystem == super::component::Ecosystem::Go
}

fn cut(url: &str) -> &str {
    url.char_indices().nth(200).map_or(url, |it| &url[..it.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{advisory, component::Ecosystem};

    #[test]
    fn each_signal_is_given_for_its_own_reason_only() {
        let mut advisories = Advisories::default();
        for (id, name, word) in [("MAL-1", "bad", ""), ("RUSTSEC-1", "old", "unmaintained")] {
            let ecosystem = if word.is_empty() { "npm" } else { "crates.io" };
            let record = format!(
                r#"{{"id":"{id}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}}]}}],"database_specific":{{"informational":"{word}"}}}}]}}"#
            );
            advisories.add(advisory::read_osv(&record).unwrap().unwrap());
        }
        let pinned = |ecosystem, name: &str| {
            let mut it = Component::new(ecosystem, name, "1.0.0");
            it.digests.extend(crate::engine::digest::of_bare(&"0".repeat(64)));
            it
        };
        let signals =
            |it: &Component| of(it, &advisories).into_iter().map(|it| it.signal).collect::<Vec<_>>();
        assert_eq!(signals(&pinned(Ecosystem::Npm, "fine")), Vec::<&str>::new());
        assert_eq!(signals(&pinned(Ecosystem::Npm, "bad")), ["malicious"]);
        assert_eq!(signals(&pinned(Ecosystem::Cargo, "old")), ["unmaintained"]);
        let mut it = pinned(Ecosystem::Npm, "x");
        (it.install_script, it.deprecated) = (true, Some("use y".into()));
        assert_eq!(signals(&it), ["deprecated", "install_script"]);
        assert_eq!(signals(&Component::unresolved(Ecosystem::Npm, "x", "*")), ["unpinned"]);
        assert_eq!(signals(&Component::new(Ecosystem::Npm, "x", "1.0.0-rc.1")), ["no_digest", "prerelease"]);
    }
}
