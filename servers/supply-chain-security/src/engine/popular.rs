//! Well-known names, shipped as data with their source and date.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use super::component::Ecosystem;

const FILES: [(Ecosystem, &str); 8] = [
    (Ecosystem::Npm, include_str!("../../data/popular-npm.txt")),
    (Ecosystem::Pypi, include_str!("../../data/popular-pypi.txt")),
    (Ecosystem::Cargo, include_str!("../../data/popular-cargo.txt")),
    (Ecosystem::Maven, include_str!("../../data/popular-maven.txt")),
    (Ecosystem::Nuget, include_str!("../../data/popular-nuget.txt")),
    (Ecosystem::Composer, include_str!("../../data/popular-composer.txt")),
    (Ecosystem::Gem, include_str!("../../data/popular-gem.txt")),
    (Ecosystem::Go, include_str!("../../data/popular-golang.txt")),
];

/// The well-known names of one ecosystem.
pub(crate) struct Popular {
    /// Where the list comes from and when it was made.
    pub(crate) about: &'static str,
    /// Every name, in its ecosystem's own spelling.
    pub(crate) names: Vec<&'static str>,
    /// The names reduced to letters and digits, in the same order.
    pub(crate) bare: Vec<String>,
    known: HashSet<String>,
}

impl Popular {
    fn read(ecosystem: Ecosystem, text: &'static str) -> Self {
        let mut lines = text.lines();
        let about = lines.next().unwrap_or_default().trim_start_matches("# ");
        let names: Vec<&str> = lines.filter(|it| !it.is_empty()).collect();
        let known = names.iter().map(|it| ecosystem.canonical(it)).collect();
        let bare = names.iter().map(|it| bare(it)).collect();
        Self { about, names, bare, known }
    }

    /// Whether a name is itself well known.
    pub(crate) fn has(&self, canonical: &str) -> bool {
        self.known.contains(canonical)
    }
}

/// Letters and digits only.
pub(crate) fn bare(name: &str) -> String {
    name.chars().filter(|it| it.is_alphanumeric()).collect()
}

/// The list of an ecosystem, if there is one.
pub(crate) fn of(ecosystem: Ecosystem) -> Option<&'static Popular> {
    static LISTS: LazyLock<BTreeMap<Ecosystem, Popular>> =
        LazyLock::new(|| FILES.iter().map(|(it, text)| (*it, Popular::read(*it, text))).collect());
    LISTS.get(&ecosystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_says_where_it_comes_from_and_holds_no_name_twice() {
        for (ecosystem, text) in FILES {
            let list = of(ecosystem).unwrap();
            assert!(list.about.contains("Source: ") && list.about.contains("Date: 20"), "{}", list.about);
            assert_eq!(list.names.len(), list.known.len(), "{ecosystem:?}");
            assert!(!list.names.is_empty() && text.starts_with("# "));
        }
    }
}
