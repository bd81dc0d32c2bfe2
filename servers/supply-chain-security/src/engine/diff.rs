//! What changed between two bills of materials.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    component::{Component, Ecosystem, Kind},
    graph::Graph,
    version::compare,
};

/// Changes, each list in the order of names.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    /// Name, version before, version after, and whether the later one is newer.
    pub(crate) changed: Vec<(String, String, String, bool)>,
    /// Components whose licence is another one.
    pub(crate) relicensed: Vec<(String, String, String)>,
    /// The same version with other digests: somebody replaced what is behind it.
    pub(crate) replaced: Vec<String>,
}

type Versions<'a> = BTreeMap<(Ecosystem, &'a str), BTreeMap<String, &'a Component>>;

/// Compares two graphs, the projects themselves left out.
pub(crate) fn between(before: &Graph, after: &Graph) -> Changes {
    let (old, new) = (versions(before), versions(after));
    let mut changes = Changes::default();
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let nothing = BTreeMap::new();
    for name in names {
        let (old, new) = (old.get(name).unwrap_or(&nothing), new.get(name).unwrap_or(&nothing));
        let gone: Vec<&String> = old.keys().filter(|it| !new.contains_key(*it)).collect();
        let come: Vec<&String> = new.keys().filter(|it| !old.contains_key(*it)).collect();
        for (from, to) in gone.iter().zip(&come) {
            let is_newer = compare(name.0, to, from).is_gt();
            changes.changed.push((name.1.to_owned(), (*from).clone(), (*to).clone(), is_newer));
        }
        let both = gone.len().min(come.len());
        changes.removed.extend(gone[both..].iter().map(|it| old[*it].label()));
        changes.added.extend(come[both..].iter().map(|it| new[*it].label()));
        for (version, earlier) in old {
            if let Some(later) = new.get(version) {
                same_version(earlier, later, &mut changes);
            }
        }
    }
    changes
}

fn same_version(earlier: &Component, later: &Component, changes: &mut Changes) {
    let licence = |it: &Component| {
        it.licence.as_ref().map(|it| it.expression.clone().unwrap_or_else(|| it.raw.clone()))
    };
    if let (Some(before), Some(after)) = (licence(earlier), licence(later))
        && before != after
    {
        changes.relicensed.push((later.label(), before, after));
    }
    // Digests of the same algorithm, and none in both.
    let differs =
        later.digests.iter().any(|it| earlier.digests.iter().any(|other| other.algorithm == it.algorithm))
            && !later.digests.iter().any(|it| earlier.digests.contains(it));
    if differs {
        changes.replaced.push(later.label());
    }
}

fn versions(graph: &Graph) -> Versions<'_> {
    let mut all: Versions<'_> = BTreeMap::new();
    for it in graph.components.iter().filter(|it| it.kind != Kind::Project) {
        let version = it.version.clone().or_else(|| it.wanted.clone()).unwrap_or_default();
        all.entry((it.ecosystem, it.name.as_str())).or_default().insert(version, it);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{digest, licence::Licence};

    fn graph(all: &[(&str, &str, &str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (name, version, licence, digest) in all {
            let mut it = Component::new(Ecosystem::Npm, name, version);
            it.licence = Licence::read(licence, "");
            it.digests = digest::of_bare(&digest.repeat(64)).into_iter().collect();
            graph.put(it, "");
        }
        graph
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let before = graph(&[
            ("a", "1.0.0", "MIT", "0"),
            ("b", "1.9.0", "", ""),
            ("c", "1", "MIT", ""),
            ("d", "1", "", "1"),
            ("e", "1", "", ""),
            ("e", "2", "", ""),
        ]);
        let after = graph(&[
            ("a", "1.0.0", "MIT", "0"),
            ("b", "1.10.0", "", ""),
            ("c", "1", "ISC", ""),
            ("d", "1", "", "2"),
            ("e", "2", "", ""),
            ("f", "1", "", ""),
        ]);
        let changes = between(&before, &after);
        assert_eq!((changes.added, changes.removed), (vec!["f@1".to_owned()], vec!["e@1".to_owned()]));
        assert_eq!(changes.changed, [("b".to_owned(), "1.9.0".to_owned(), "1.10.0".to_owned(), true)]);
        assert_eq!(changes.relicensed, [("c@1".to_owned(), "MIT".to_owned(), "ISC".to_owned())]);
        assert_eq!(changes.replaced, ["d@1"]);
        assert_eq!(between(&before, &before), Changes::default());
    }
}
