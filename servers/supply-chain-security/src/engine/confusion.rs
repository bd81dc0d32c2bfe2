//! Could somebody else's package be taken for one of ours?

use std::collections::BTreeMap;

use super::{
    collect::Inventory,
    component::{Component, Ecosystem, Kind, Origin},
    popular,
    registry_settings::{self, Registries, is_public, matches},
    severity::Severity,
};

/// One package that could be taken from a stranger.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Confusion {
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) package: String,
    pub(crate) why: String,
    pub(crate) fix: &'static str,
    /// How the package manager would look for it, step by step.
    pub(crate) trace: Vec<String>,
    pub(crate) evidence: Vec<String>,
}

/// Judges every package of a scan. `private` are patterns of names that are ours.
pub(crate) fn judge(inventory: &Inventory, private: &[String]) -> Vec<Confusion> {
    let settings = registry_settings::read(&inventory.settings);
    let none = Registries::default();
    let mut all = Vec::new();
    for it in &inventory.graph.components {
        let registries = settings.get(&it.ecosystem).unwrap_or(&none);
        all.extend(of_component(it, registries, private));
    }
    for (ecosystem, registries) in &settings {
        all.extend(of_settings(*ecosystem, registries));
    }
    all.sort_by(|left, right| {
        right.severity.cmp(&left.severity).then_with(|| left.package.cmp(&right.package))
    });
    all
}

fn of_component(it: &Component, registries: &Registries, private: &[String]) -> Option<Confusion> {
    let found = |rule, severity, why: String, fix| {
        Some(Confusion {
            rule,
            severity,
            package: it.label(),
            why,
            fix,
            trace: trace(it, registries),
            evidence: it.evidence.iter().cloned().collect(),
        })
    };
    if let Origin::Url(url) | Origin::Git(url) = &it.origin {
        if url.starts_with("http://") || url.starts_with("git://") {
            let why = "it is fetched over a connection that anybody on the way can change".to_owned();
            return found("insecure_source", Severity::High, why, "use https");
        }
        if matches!(it.origin, Origin::Git(_)) && !has_revision(url) {
            let why = "it is taken from a branch or tag that can move".to_owned();
            return found("moving_source", Severity::Medium, why, "pin the commit");
        }
    }
    if matches!(it.kind, Kind::Project) || matches!(it.origin, Origin::Path(_) | Origin::Git(_)) {
        return None;
    }
    let is_ours = private
        .iter()
        .any(|pattern| matches(&it.ecosystem.canonical(pattern), &it.name) || matches(pattern, &it.name));
    let is_public_download = matches!(&it.origin, Origin::Url(url) if is_public(it.ecosystem, url));
    let is_elsewhere = matches!(it.origin, Origin::Url(_)) && !is_public_download;
    if !is_ours || is_elsewhere || registries.is_bound(&it.name) || registries.replaces_public(it.ecosystem) {
        return None;
    }
    let is_open = it.kind == Kind::Unresolved || it.digests.is_empty();
    let (severity, state) = match (it.kind, is_open) {
        (Kind::Unresolved, _) => {
            (Severity::Critical, "its version is not pinned, so a higher one from a stranger would be taken")
        }
        (_, true) => (Severity::High, "no digest pins what is fetched"),
        _ => {
            (Severity::Medium, "the lock file pins its digest; the next update would ask the public registry")
        }
    };
    let why = format!("its name is one of ours, and the public registry is asked for it: {state}");
    found("private_name_public_registry", severity, why, "bind the name or scope to your own registry")
}

/// A commit's digest at the end.
fn has_revision(url: &str) -> bool {
    let revision = url.rsplit(['#', '@', '=']).next().unwrap_or_default();
    revision.len() >= 7 && revision.bytes().all(|it| it.is_ascii_hexdigit())
}

fn trace(it: &Component, registries: &Registries) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some((pattern, url)) = registries.bound.iter().find(|bound| matches(bound.0, &it.name)) {
        steps.push(format!("`{pattern}` is bound to {}", shown(url)));
        return steps;
    }
    steps.push("no setting binds this name to a registry of its own".to_owned());
    match &registries.main {
        Some(url) => steps.push(format!("{} is asked", shown(url))),
        None => steps.push(format!("the public registry of {} is asked", it.ecosystem.osv_name())),
    }
    steps.extend(
        registries
            .extra
            .iter()
            .map(|url| format!("{} is asked besides; the highest version wins", shown(url))),
    );
    steps
}

/// A registry's address without what a password could be in.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            format!("{scheme}://{}/{path}", host.rsplit('@').next().unwrap_or(host))
        }
        None => url.to_owned(),
    }
}

fn of_settings(ecosystem: Ecosystem, registries: &Registries) -> Vec<Confusion> {
    let mut all = Vec::new();
    let mut add = |rule, severity, why: String, fix| {
        let package = format!("({})", ecosystem.purl_type());
        all.push(Confusion { rule, severity, package, why, fix, trace: Vec::new(), evidence: Vec::new() });
    };
    for url in registries.urls().filter(|it| it.starts_with("http://")) {
        add(
            "insecure_registry",
            Severity::High,
            format!("{} is asked over a connection that anybody on the way can change", shown(url)),
            "use https",
        );
    }
    let takes_highest = matches!(ecosystem, Ecosystem::Pypi | Ecosystem::Nuget | Ecosystem::Gem);
    let asks_public = registries.main.as_deref().is_none_or(|it| is_public(ecosystem, it))
        || registries.extra.iter().any(|it| is_public(ecosystem, it));
    if takes_highest && !registries.extra.is_empty() && asks_public && registries.bound.is_empty() {
        let why = format!(
            "{} registries are asked for every name and the highest version of any wins: whoever publishes one of your names publicly is taken",
            registries.extra.len() + 1
        );
        add(
            "several_registries",
            Severity::High,
            why,
            "serve everything from one registry of your own, or bind names to sources",
        );
    }
    all
}

/// Public well-known names that are among the private patterns: a pattern that is too wide.
pub(crate) fn too_wide(private: &[String]) -> BTreeMap<&str, usize> {
    let mut wide = BTreeMap::new();
    for pattern in private {
        let lists = Ecosystem::ALL.iter().filter_map(|it| popular::of(*it));
        let count = lists.flat_map(|it| &it.names).filter(|it| matches(pattern, it)).count();
        if count > 0 {
            wide.insert(pattern.as_str(), count);
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::graph::Graph;

    fn rules(
        components: Vec<Component>,
        settings: &[(&str, &str)],
        private: &[&str],
    ) -> Vec<(&'static str, Severity)> {
        let mut graph = Graph::default();
        for it in components {
            graph.put(it, "lock");
        }
        let settings = settings.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        let inventory = Inventory { graph, settings, ..Inventory::default() };
        let private: Vec<String> = private.iter().map(ToString::to_string).collect();
        judge(&inventory, &private).into_iter().map(|it| (it.rule, it.severity)).collect()
    }

    #[test]
    fn our_names_from_the_public_registry_are_found_unless_bound() {
        let ours = || vec![Component::unresolved(Ecosystem::Npm, "@acme/core", "^1")];
        let risk = vec![("private_name_public_registry", Severity::Critical)];
        assert_eq!(rules(ours(), &[], &["@acme/*"]), risk);
        assert_eq!(rules(ours(), &[(".npmrc", "@acme:registry=https://n.example")], &["@acme/*"]), []);
        assert_eq!(rules(ours(), &[(".npmrc", "registry=https://n.example")], &["@acme/*"]), []);
        assert_eq!(rules(ours(), &[(".npmrc", "registry=https://registry.npmjs.org/")], &["@acme/*"]), risk);
        assert_eq!(rules(ours(), &[], &["@other/*"]), []);
        let local = ours().remove(0).at_origin(Origin::Path("../core".into()));
        assert_eq!(rules(vec![local], &[], &["@acme/*"]), []);
    }

    #[test]
    fn sources_that_can_change_are_found() {
        let from = |origin| vec![Component::new(Ecosystem::Npm, "a", "1").at_origin(origin)];
        assert_eq!(
            rules(from(Origin::Url("http://x.example/a.tgz".into())), &[], &[]),
            [("insecure_source", Severity::High)]
        );
        assert_eq!(
            rules(from(Origin::Git("https://x.example/a.git#main".into())), &[], &[]),
            [("moving_source", Severity::Medium)]
        );
        assert_eq!(rules(from(Origin::Git("https://x.example/a.git#0123456789abcdef".into())), &[], &[]), []);
    }

    #[test]
    fn several_registries_for_every_name_are_found() {
        let found = rules(vec![], &[("pip.conf", "extra-index-url = http://u:p@b.example/simple")], &[]);
        assert_eq!(found, [("insecure_registry", Severity::High), ("several_registries", Severity::High)]);
        assert_eq!(rules(vec![], &[("pip.conf", "index-url = https://b.example/simple")], &[]), []);
        assert_eq!(shown("https://u:p@b.example/simple"), "https://b.example/simple");
    }
}
