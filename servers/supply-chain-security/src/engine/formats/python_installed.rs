//! `METADATA` and `PKG-INFO` of an installed Python package.

use super::requirements::requirement;
use crate::engine::{
    component::{Component, Ecosystem},
    licence::Licence,
};

/// An installed package and the names it needs without extras.
pub(crate) fn read(path: &str, source: &str) -> Option<(Component, Vec<String>)> {
    let (mut name, mut version, mut needs) = ("", "", Vec::new());
    let (mut expression, mut field, mut classifiers) = (None, None, Vec::new());
    // The header ends at the first empty line; the description follows.
    for line in source.lines().take_while(|it| !it.is_empty()).take(10_000) {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "Name" => name = value,
            "Version" => version = value,
            "License-Expression" => expression = Some(value),
            "License" => field = Some(value).filter(|it| *it != "UNKNOWN" && it.len() < 200),
            "Classifier" => classifiers.extend(value.strip_prefix("License :: ")),
            "Requires-Dist" if !value.contains("extra ==") => needs.push(requirement(value).name),
            _ => {}
        }
    }
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let mut component = Component::new(Ecosystem::Pypi, name, version);
    let spoken = classifiers.iter().map(|it| it.rsplit(" :: ").next().unwrap_or(it));
    let spoken = spoken.filter(|it| *it != "OSI Approved" && !it.starts_with("DFSG"));
    let by_field = field.and_then(|it| Licence::read(it, path));
    component.licence = expression
        .and_then(|it| Licence::read(it, path))
        .or_else(|| by_field.clone().filter(|it| it.expression.is_some()))
        .or_else(|| Licence::any_of(spoken, path))
        .or(by_field);
    Some((component, needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_word_on_the_licence_wins() {
        let head = "Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nRequires-Dist: c (>=1)\nRequires-Dist: d; extra == 'x'\n";
        for (lines, expected) in [
            ("License-Expression: MIT OR Apache-2.0\nLicense: x\n", Some("MIT OR Apache-2.0")),
            ("License: BSD\nClassifier: License :: OSI Approved :: BSD License\n", None),
            ("License: Apache 2.0\n", Some("Apache-2.0")),
            ("Classifier: License :: OSI Approved :: MIT License\n", Some("MIT")),
        ] {
            let (component, needs) = read("m", &format!("{head}{lines}\nName: not-this\n")).unwrap();
            assert_eq!((component.label().as_str(), needs), ("a-b@1.0", vec!["c".to_owned()]));
            assert_eq!(component.licence.and_then(|it| it.expression).as_deref(), expected, "{lines}");
        }
        assert!(read("m", "nothing").is_none());
    }
}
