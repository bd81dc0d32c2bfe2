//! Which of two versions is newer, as each ecosystem decides it.

mod dotted;
mod maven;
mod pep440;
mod system;

use std::cmp::Ordering;

use super::component::Ecosystem;

/// Longer versions are compared as if cut here: nobody publishes them.
const BYTES_MAX: usize = 256;

/// Compares two versions of one package.
pub(crate) fn compare(ecosystem: Ecosystem, left: &str, right: &str) -> Ordering {
    let cut = |it: &str| it.char_indices().nth(BYTES_MAX).map_or(it.to_owned(), |at| it[..at.0].to_owned());
    let (left, right) = (cut(left.trim()), cut(right.trim()));
    match ecosystem {
        Ecosystem::Pypi => pep440::compare(&left, &right),
        Ecosystem::Maven => maven::compare(&left, &right),
        Ecosystem::Deb => system::compare_deb(&left, &right),
        Ecosystem::Apk => system::compare_apk(&left, &right),
        Ecosystem::Gem => dotted::compare_gem(&left, &right),
        _ => dotted::compare(&left, &right),
    }
}

/// Whether `version` stands for a release that is not final.
pub(crate) fn is_prerelease(ecosystem: Ecosystem, version: &str) -> bool {
    match ecosystem {
        Ecosystem::Pypi => pep440::is_prerelease(version),
        Ecosystem::Gem => version.contains(|it: char| it.is_ascii_alphabetic()),
        Ecosystem::Deb | Ecosystem::Apk => false,
        _ => version.split('+').next().unwrap_or(version).contains('-'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row is in ascending order.
    const ROWS: &[(Ecosystem, &[&str])] = &[
        (
            Ecosystem::Npm,
            &[
                "0.9.9",
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-alpha.beta",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "1.0.0",
                "1.0.1",
                "1.2.0",
                "1.10.0",
                "2.0.0",
            ],
        ),
        (
            Ecosystem::Go,
            &[
                "v0.0.0-20190101000000-abcdefabcdef",
                "v0.0.0-20200101000000-abcdefabcdef",
                "v0.1.0",
                "v1.0.0",
                "v2.0.0+incompatible",
            ],
        ),
        (Ecosystem::Nuget, &["1.0", "1.0.0.1", "1.0.1-beta", "1.0.1", "4.10.2"]),
        (Ecosystem::Composer, &["1.0.0-dev", "1.0.0-alpha1", "1.0.0-beta1", "1.0.0-RC1", "v1.0.0", "1.0.1"]),
        (
            Ecosystem::Pypi,
            &[
                "1.0.dev1",
                "1.0a1.dev1",
                "1.0a1",
                "1.0a2",
                "1.0b1",
                "1.0rc1",
                "1.0",
                "1.0+abc",
                "1.0+5",
                "1.0.post1.dev2",
                "1.0.post1",
                "1.1",
                "1.10",
                "1!0.5",
            ],
        ),
        (Ecosystem::Gem, &["1.0.0.a", "1.0.0.b", "1.0.0.rc1", "1.0.0", "1.0.1", "1.10"]),
        (
            Ecosystem::Maven,
            &[
                "1-alpha-1",
                "1-beta",
                "1-milestone-1",
                "1-rc",
                "1-SNAPSHOT",
                "1",
                "1-sp",
                "1-abc",
                "1-1",
                "1.1",
                "1.10",
                "2.0.0.Final",
                "2.0.1",
            ],
        ),
        (
            Ecosystem::Deb,
            &["1.0~rc1-1", "1.0-1~bpo1", "1.0-1", "1.0-1+deb12u1", "1.0-2", "1.0a-1", "1.1-1", "1:0.1-1"],
        ),
        (
            Ecosystem::Apk,
            &[
                "1.0_alpha1",
                "1.0_beta",
                "1.0_rc1",
                "1.0",
                "1.0-r1",
                "1.0-r10",
                "1.0_p1",
                "1.0a",
                "1.0.1",
                "1.10",
            ],
        ),
    ];

    #[test]
    fn versions_are_ordered_as_their_ecosystem_orders_them() {
        for (ecosystem, row) in ROWS {
            for (index, left) in row.iter().enumerate() {
                assert_eq!(compare(*ecosystem, left, left), Ordering::Equal, "{left}");
                for right in &row[index + 1..] {
                    assert_eq!(
                        compare(*ecosystem, left, right),
                        Ordering::Less,
                        "{ecosystem:?}: {left} < {right}"
                    );
                    assert_eq!(
                        compare(*ecosystem, right, left),
                        Ordering::Greater,
                        "{ecosystem:?}: {right} > {left}"
                    );
                }
            }
        }
    }

    #[test]
    fn spellings_of_one_version_are_equal() {
        for (ecosystem, left, right) in [
            (Ecosystem::Npm, "v1.2.3", "1.2.3"),
            (Ecosystem::Npm, "1.2.3+build", "1.2.3"),
            (Ecosystem::Pypi, "1.0", "1.0.0"),
            (Ecosystem::Pypi, "1.0-ALPHA.1", "1.0a1"),
            (Ecosystem::Pypi, "v1.0-1", "1.0.post1"),
            (Ecosystem::Maven, "1.0", "1"),
            (Ecosystem::Maven, "1.0.0-GA", "1"),
            (Ecosystem::Maven, "1-cr1", "1-rc1"),
            (Ecosystem::Gem, "1.0", "1.0.0"),
            (Ecosystem::Nuget, "1.0.0.0", "1"),
        ] {
            assert_eq!(compare(ecosystem, left, right), Ordering::Equal, "{left} = {right}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_compared_and_the_order_has_two_ways(left in ".{0,40}", right in ".{0,40}") {
            for ecosystem in Ecosystem::ALL {
                assert_eq!(compare(ecosystem, &left, &right), compare(ecosystem, &right, &left).reverse());
            }
        }
    }
}
