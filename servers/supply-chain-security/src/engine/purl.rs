//! Package URLs.

use super::component::{Component, Ecosystem, Kind, Origin};

/// The package URL of a component.
pub(crate) fn of(component: &Component) -> String {
    let (namespace, name) = split(component.ecosystem, &component.name);
    let mut purl = format!("pkg:{}/", component.ecosystem.purl_type());
    if let Some(distribution) = &component.distribution {
        let (vendor, _) = distribution.split_once('-').unwrap_or((distribution, ""));
        purl.push_str(&encoded(vendor));
        purl.push('/');
    }
    for part in namespace.split('/').filter(|it| !it.is_empty()) {
        purl.push_str(&encoded(part));
        purl.push('/');
    }
    purl.push_str(&encoded(name));
    if let Some(version) = &component.version {
        purl.push('@');
        purl.push_str(&encoded(version));
    }
    let qualifiers = qualifiers(component);
    if !qualifiers.is_empty() {
        purl.push('?');
        purl.push_str(&qualifiers.join("&"));
    }
    purl
}

/// Sorted, as the specification wants.
fn qualifiers(component: &Component) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(distribution) = &component.distribution {
        all.push(format!("distro={}", encoded(distribution)));
    }
    match &component.origin {
        Origin::Url(url) => all.push(format!("download_url={}", encoded(url))),
        Origin::Git(url) => all.push(format!("vcs_url={}", encoded(url))),
        Origin::Registry | Origin::Path(_) => {}
    }
    all
}

/// Namespace and name of a whole name.
pub(crate) fn split(ecosystem: Ecosystem, name: &str) -> (&str, &str) {
    let at = match ecosystem {
        Ecosystem::Npm if name.starts_with('@') => name.find('/'),
        Ecosystem::Go | Ecosystem::Composer => name.rfind('/'),
        Ecosystem::Maven => name.rfind(':'),
        _ => None,
    };
    at.map_or(("", name), |at| (&name[..at], &name[at + 1..]))
}

/// A component of a package URL: the opposite of [`of`], for documents from outside.
pub(crate) fn parse(purl: &str) -> Option<Component> {
    let rest = purl.strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split('#').next()?;
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, rest) = rest.split_once('/')?;
    let (path, version) = match rest.rfind('@') {
        // The `@` of an unencoded npm scope is no version.
        Some(at) if at > 0 && !rest[at..].contains('/') => (&rest[..at], decoded(&rest[at + 1..])?),
        _ => (rest, String::new()),
    };
    let parts = path.split('/').filter(|it| !it.is_empty()).map(decoded).collect::<Option<Vec<_>>>()?;
    let ecosystem = Ecosystem::of_purl_type(&kind.to_ascii_lowercase());
    let (name, before) = parts.split_last()?;
    let separator = if ecosystem == Ecosystem::Maven { ":" } else { "/" };
    let is_system = matches!(ecosystem, Ecosystem::Deb | Ecosystem::Apk);
    let whole = match before {
        [] => name.clone(),
        _ if is_system => name.clone(),
        before => format!("{}{separator}{name}", before.join("/")),
    };
    let mut component = Component::new(ecosystem, &whole, &version);
    for pair in qualifiers.split('&') {
        match pair.split_once('=') {
            Some(("download_url", url)) => component.origin = Origin::Url(decoded(url)?),
            Some(("vcs_url", url)) => component.origin = Origin::Git(decoded(url)?),
            Some(("distro", distribution)) => component.distribution = Some(decoded(distribution)?),
            _ => {}
        }
    }
    if version.is_empty() {
        component.kind = Kind::Unresolved;
    }
    Some(component)
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
            bytes.push(digit(rest.next()?)? * 16 + digit(rest.next()?)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_examples_come_out_and_go_back() {
        for (ecosystem, name, version, purl) in [
            (Ecosystem::Npm, "@angular/animation", "12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
            (Ecosystem::Npm, "foobar", "12.3.1", "pkg:npm/foobar@12.3.1"),
            (Ecosystem::Pypi, "Django_X", "1.11.1", "pkg:pypi/django-x@1.11.1"),
            (
                Ecosystem::Go,
                "github.com/gorilla/context",
                "v1.1.1",
                "pkg:golang/github.com/gorilla/context@v1.1.1",
            ),
            (
                Ecosystem::Maven,
                "org.apache.xmlgraphics:batik-anim",
                "1.9.1",
                "pkg:maven/org.apache.xmlgraphics/batik-anim@1.9.1",
            ),
            (Ecosystem::Composer, "laravel/laravel", "5.5.0", "pkg:composer/laravel/laravel@5.5.0"),
            (Ecosystem::Cargo, "rand", "0.7.2+x", "pkg:cargo/rand@0.7.2%2Bx"),
        ] {
            let component = Component::new(ecosystem, name, version);
            assert_eq!(of(&component), purl);
            assert_eq!(parse(purl).unwrap(), component);
        }
    }

    #[test]
    fn hostile_text_cannot_break_out_of_a_part() {
        let component = Component::new(Ecosystem::Npm, "a/../../b?x=1#f@9", "1/../2");
        let purl = of(&component);
        assert_eq!(purl, "pkg:npm/a%2F..%2F..%2Fb%3Fx%3D1%23f%409@1%2F..%2F2");
        assert_eq!(parse(&purl).unwrap(), component);
        for bad in ["", "npm/x", "pkg:", "pkg:npm", "pkg:npm/", "pkg:npm/a%2", "pkg:npm/%ff"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_package_of_a_distribution_names_it() {
        let mut component = Component::new(Ecosystem::Deb, "curl", "7.88.1-10");
        component.distribution = Some("debian-12".into());
        assert_eq!(of(&component), "pkg:deb/debian/curl@7.88.1-10?distro=debian-12");
        assert_eq!(parse(&of(&component)).unwrap(), component);
    }
}
