//! Licence names, as people write them, and as SPDX expressions.

use spdx::{Expression, LicenseItem, LicenseReq, ParseMode};

/// Longer texts are no licence name.
const NAME_BYTES_MAX: usize = 2048;

/// What is known of a component's licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Licence {
    /// As it stands in the file.
    pub raw: String,
    /// The same as a valid SPDX expression, when it can be read as one.
    pub expression: Option<String>,
    /// The file that says so.
    pub evidence: String,
}

impl Licence {
    /// Reads what a manifest says; empty text says nothing.
    pub(crate) fn read(raw: &str, evidence: &str) -> Option<Self> {
        let raw = raw.trim();
        if raw.is_empty() || raw.len() > NAME_BYTES_MAX {
            return None;
        }
        let raw = super::component::clean(raw);
        Some(Self { expression: expression(&raw), raw, evidence: evidence.to_owned() })
    }

    /// Several names of which a user may choose any.
    pub(crate) fn any_of<'a>(names: impl Iterator<Item = &'a str>, evidence: &str) -> Option<Self> {
        let names: Vec<&str> = names.map(str::trim).filter(|it| !it.is_empty()).take(32).collect();
        if let [only] = names.as_slice() {
            return Self::read(only, evidence);
        }
        let known: Option<Vec<String>> =
            names.iter().map(|it| expression(it).map(|it| bracketed(&it))).collect();
        let raw = names.join(" OR ");
        let expression = known.map(|it| it.join(" OR ")).filter(|it| !it.is_empty());
        Self::read(&raw, evidence).map(|it| Self { expression, ..it })
    }
}

fn bracketed(expression: &str) -> String {
    if expression.contains(' ') { format!("({expression})") } else { expression.to_owned() }
}

/// What people write instead of an identifier, in lower case without `the`, `license` and punctuation.
const SPOKEN: &[(&str, &str)] = &[
    ("mit", "MIT"),
    ("mit mit", "MIT"),
    ("expat", "MIT"),
    ("apache", "Apache-2.0"),
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache software", "Apache-2.0"),
    ("apache software 2.0", "Apache-2.0"),
    ("apache v2", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("simplified bsd", "BSD-2-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("new bsd", "BSD-3-Clause"),
    ("modified bsd", "BSD-3-Clause"),
    ("revised bsd", "BSD-3-Clause"),
    ("isc", "ISC"),
    ("isc iscl", "ISC"),
    ("mozilla public 2.0", "MPL-2.0"),
    ("mozilla public 2.0 mpl 2.0", "MPL-2.0"),
    ("eclipse public 1.0", "EPL-1.0"),
    ("eclipse public 2.0", "EPL-2.0"),
    ("gnu general public v2 gplv2", "GPL-2.0-only"),
    ("gnu general public v2 or later gplv2+", "GPL-2.0-or-later"),
    ("gnu general public v3 gplv3", "GPL-3.0-only"),
    ("gnu general public v3 or later gplv3+", "GPL-3.0-or-later"),
    ("gnu affero general public v3", "AGPL-3.0-only"),
    ("gnu affero general public v3 or later agplv3+", "AGPL-3.0-or-later"),
    ("gnu lesser general public v3 lgplv3", "LGPL-3.0-only"),
    ("gnu lesser general public v3 or later lgplv3+", "LGPL-3.0-or-later"),
    ("gnu lesser general public v2 or later lgplv2+", "LGPL-2.0-or-later"),
    ("python software foundation", "PSF-2.0"),
    ("psf", "PSF-2.0"),
    ("public domain", "LicenseRef-Public-Domain"),
    ("unlicense unlicense", "Unlicense"),
    ("zope public", "ZPL-2.1"),
    ("zlib", "Zlib"),
    ("cc0 1.0 universal cc0 1.0 public domain dedication", "CC0-1.0"),
    ("universal permissive upl", "UPL-1.0"),
    ("boost software 1.0 bsl-1.0", "BSL-1.0"),
    ("academic free afl", "AFL-3.0"),
    ("artistic", "Artistic-1.0"),
];

/// Families of licences that differ in what they ask.
const FAMILIES: [&str; 9] =
    ["bsd", "bsd-like", "bsd style", "gpl", "gnu gpl", "lgpl", "gnu lgpl", "agpl", "cc-by"];

/// A valid SPDX expression that means the same, if there is one.
pub(crate) fn expression(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if raw.is_empty() || raw.len() > NAME_BYTES_MAX {
        return None;
    }
    if Expression::parse(raw).is_ok() {
        return Some(raw.to_owned());
    }
    let said = spoken(raw);
    // A family without its version or variant is a guess, and a wrong licence is worse than an unknown one.
    if FAMILIES.contains(&said.as_str()) || raw.matches('(').count() != raw.matches(')').count() {
        return None;
    }
    if let Some((_, id)) = SPOKEN.iter().find(|(name, _)| *name == said) {
        return Some((*id).to_owned());
    }
    let spelled = Expression::canonicalize(raw).ok()?.unwrap_or_else(|| raw.to_owned());
    Expression::parse_mode(&spelled, ParseMode { allow_deprecated: true, ..ParseMode::STRICT }).ok()?;
    Some(spelled)
}

fn spoken(raw: &str) -> String {
    let lower = raw.to_lowercase().replace(['(', ')', ','], " ");
    let words = lower
        .split_whitespace()
        .filter(|it| !matches!(*it, "the" | "license" | "licence" | "version" | "licensed"));
    words.collect::<Vec<_>>().join(" ")
}

/// What an organisation accepts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
}

/// What a policy says of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// A choice exists that is allowed.
    Allowed,
    /// Every choice holds something that is denied or not allowed.
    Denied,
    /// No expression, no ruling.
    Unknown,
}

impl Policy {
    /// Rules on an expression: `OR` needs one side to be fine, `AND` both.
    pub(crate) fn rule(&self, expression: Option<&str>) -> Ruling {
        let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
        let Some(parsed) = expression.and_then(|it| Expression::parse_mode(it, mode).ok()) else {
            return Ruling::Unknown;
        };
        if parsed.evaluate(|it| self.permits(it)) { Ruling::Allowed } else { Ruling::Denied }
    }

    fn permits(&self, required: &LicenseReq) -> bool {
        let is_in = |list: &[String]| list.iter().any(|it| matches(it, required));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }
}

/// Words of a policy that stand for many licences.
pub(crate) const GROUPS: [&str; 4] = ["copyleft", "gnu", "osi-approved", "not-osi-approved"];

fn matches(entry: &str, required: &LicenseReq) -> bool {
    let LicenseItem::Spdx { id, .. } = &required.license else {
        return required.license_text().eq_ignore_ascii_case(entry);
    };
    match entry {
        "copyleft" => id.is_copyleft(),
        "gnu" => id.is_gnu(),
        "osi-approved" => id.is_osi_approved(),
        "not-osi-approved" => !id.is_osi_approved(),
        // `GPL-3.0` means both `GPL-3.0-only` and `GPL-3.0-or-later`, unless the entry says which.
        entry => {
            entry.eq_ignore_ascii_case(id.name)
                || required.license_text().eq_ignore_ascii_case(entry)
                || entry.eq_ignore_ascii_case(family(id.name))
        }
    }
}

fn family(id: &str) -> &str {
    id.strip_suffix("-only").or_else(|| id.strip_suffix("-or-later")).unwrap_or(id)
}

/// Whether a policy entry names anything.
pub(crate) fn is_policy_entry(entry: &str) -> bool {
    GROUPS.contains(&entry)
        || entry.starts_with("LicenseRef-")
        || spdx::license_id(entry).is_some()
        || spdx::gnu_license_id(entry, false).is_some()
}

trait Text {
    fn license_text(&self) -> String;
}

impl Text for LicenseReq {
    fn license_text(&self) -> String {
        self.to_string()
    }
}

/// What a licence asks of whoever ships the component, in a few words.
pub(crate) fn obligations(expression: &str) -> Vec<&'static str> {
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    let Ok(parsed) = Expression::parse_mode(expression, mode) else { return Vec::new() };
    let mut all = Vec::new();
    for required in parsed.requirements() {
        let Some(id) = required.req.license.id() else { continue };
        let asked: &[&str] = match id.name {
            name if name.starts_with("AGPL") => &["publish source to network users", "keep notices"],
            _ if id.is_copyleft() => &["publish source of what is shipped", "keep notices"],
            "0BSD" | "Unlicense" | "CC0-1.0" | "MIT-0" | "WTFPL" => &[],
            "Apache-2.0" => &["keep notices", "state changes"],
            _ => &["keep notices"],
        };
        for word in asked {
            if !all.contains(word) {
                all.push(*word);
            }
        }
    }
    all
}

/// Phrases that stand in one licence's text and in no other's, most special first.
const PHRASES: &[(&str, &[&str])] = &[
    ("Apache-2.0", &["apache license", "version 2.0", "terms and conditions for use"]),
    ("AGPL-3.0-only", &["gnu affero general public license", "version 3, 19 november 2007"]),
    ("LGPL-3.0-only", &["gnu lesser general public license", "version 3, 29 june 2007"]),
    ("LGPL-2.1-only", &["gnu lesser general public license", "version 2.1, february 1999"]),
    ("GPL-3.0-only", &["gnu general public license", "version 3, 29 june 2007"]),
    ("GPL-2.0-only", &["gnu general public license", "version 2, june 1991"]),
    ("MPL-2.0", &["mozilla public license", "version 2.0", "covered software"]),
    ("EPL-2.0", &["eclipse public license - v 2.0"]),
    ("BSL-1.0", &["boost software license - version 1.0"]),
    ("CC0-1.0", &["cc0 1.0 universal"]),
    ("Unlicense", &["free and unencumbered software released into the public domain"]),
    (
        "Zlib",
        &[
            "this software is provided 'as-is', without any express or implied warranty",
            "altered source versions",
        ],
    ),
    ("BSD-3-Clause", &["redistribution and use in source and binary forms", "neither the name of"]),
    (
        "BSD-2-Clause",
        &["redistribution and use in source and binary forms", "redistributions in binary form"],
    ),
    ("ISC", &["permission to use, copy, modify, and/or distribute this software for any purpose"]),
    ("ISC", &["permission to use, copy, modify, and distribute this software for any purpose"]),
    ("MIT", &["permission is hereby granted, free of charge", "the software is provided \"as is\""]),
];

/// The licence whose text this is, by phrases; `None` when none fits.
pub(crate) fn of_text(text: &str) -> Option<&'static str> {
    let end = text.char_indices().nth(40_000).map_or(text.len(), |it| it.0);
    let plain = text[..end].to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    PHRASES.iter().find(|(_, phrases)| phrases.iter().all(|it| plain.contains(it))).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_an_expression() {
        for (raw, expected) in [
            ("MIT", Some("MIT")),
            ("The MIT License (MIT)", Some("MIT")),
            ("BSD", None),
            ("MIT License", Some("MIT")),
            ("MIT/Apache-2.0", Some("MIT OR Apache-2.0")),
            ("Apache License, Version 2.0", Some("Apache-2.0")),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some("(MIT OR Apache-2.0) AND Unicode-3.0")),
            ("GPL-2.0", Some("GPL-2.0-only")),
            ("GPL-2.0+", Some("GPL-2.0-or-later")),
            ("BSD 3-Clause License", Some("BSD-3-Clause")),
            ("SEE LICENSE IN LICENSE.md", None),
            ("", None),
            ("((((MIT", None),
        ] {
            let got = expression(raw);
            assert_eq!(got.as_deref(), expected, "{raw}");
            assert!(got.is_none_or(|it| {
                Expression::parse_mode(&it, ParseMode { allow_deprecated: true, ..ParseMode::STRICT }).is_ok()
            }));
        }
    }

    #[test]
    fn a_choice_is_allowed_when_one_side_is() {
        let policy = |allow: &[&str], deny: &[&str]| Policy {
            allow: allow.iter().map(ToString::to_string).collect(),
            deny: deny.iter().map(ToString::to_string).collect(),
        };
        for (allow, deny, expression, expected) in [
            (&["MIT"][..], &[][..], Some("MIT OR GPL-3.0-only"), Ruling::Allowed),
            (&["MIT"], &[], Some("MIT AND GPL-3.0-only"), Ruling::Denied),
            (&[], &["GPL-3.0"], Some("GPL-3.0-or-later"), Ruling::Denied),
            (&[], &["GPL-3.0-only"], Some("GPL-3.0-or-later"), Ruling::Allowed),
            (&[], &["copyleft"], Some("MPL-2.0"), Ruling::Denied),
            (&[], &["copyleft"], Some("MIT"), Ruling::Allowed),
            (&["osi-approved"], &[], Some("LicenseRef-Own"), Ruling::Denied),
            (&["LicenseRef-Own"], &[], Some("LicenseRef-Own"), Ruling::Allowed),
            (&["MIT"], &[], None, Ruling::Unknown),
        ] {
            assert_eq!(policy(allow, deny).rule(expression), expected, "{expression:?}");
        }
    }

    #[test]
    fn licence_texts_are_told_apart() {
        let mit = "MIT License\n\nPermission is hereby granted, free  of\ncharge, … THE SOFTWARE IS PROVIDED \"AS IS\"";
        assert_eq!(of_text(mit), Some("MIT"));
        assert_eq!(of_text("All rights reserved."), None);
    }

    #[test]
    fn policy_entries_must_mean_something() {
        for (entry, good) in
            [("MIT", true), ("GPL-3.0", true), ("copyleft", true), ("LicenseRef-X", true), ("mitt", false)]
        {
            assert_eq!(is_policy_entry(entry), good, "{entry}");
        }
    }
}
