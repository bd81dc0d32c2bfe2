//! Which registries a project's settings name, and for which names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    component::Ecosystem,
    fields::{items, json, maybe, text, toml},
    formats::{self, Format},
    tree::file_name,
    xml, yaml,
};

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registries {
    /// The registry that is asked first, or for everything.
    pub(crate) main: Option<String>,
    /// Registries asked besides, for any name: the highest version of any wins.
    pub(crate) extra: Vec<String>,
    /// Registries asked for some names only: a scope or pattern, and the registry.
    pub(crate) bound: BTreeMap<String, String>,
}

impl Registries {
    /// Whether a name is only ever asked of a registry of its own.
    pub(crate) fn is_bound(&self, name: &str) -> bool {
        self.bound.keys().any(|it| matches(it, name))
    }

    /// Whether anything but the public registry is asked for every name.
    pub(crate) fn replaces_public(&self, ecosystem: Ecosystem) -> bool {
        self.main.as_deref().is_some_and(|it| !is_public(ecosystem, it)) && self.extra.is_empty()
    }

    /// Every registry that is named.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &String> {
        self.main.iter().chain(&self.extra).chain(self.bound.values())
    }
}

/// Whether a URL is the ecosystem's public registry.
pub(crate) fn is_public(ecosystem: Ecosystem, url: &str) -> bool {
    let hosts: &[&str] = match ecosystem {
        Ecosystem::Npm => &["registry.npmjs.org", "registry.yarnpkg.com", "registry.npmmirror.com"],
        Ecosystem::Pypi => &["pypi.org", "pypi.python.org", "test.pypi.org"],
        Ecosystem::Maven => {
            &["repo1.maven.org", "repo.maven.apache.org", "plugins.gradle.org", "repo.spring.io"]
        }
        Ecosystem::Nuget => &["api.nuget.org", "www.nuget.org"],
        Ecosystem::Gem => &["rubygems.org"],
        Ecosystem::Composer => &["packagist.org", "repo.packagist.org"],
        _ => &[],
    };
    let host = url.split_once("://").map_or(url, |it| it.1).split(['/', ':']).next().unwrap_or_default();
    hosts.contains(&host.rsplit('@').next().unwrap_or(host))
}

/// `*` stands for any text.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|it| name.strip_prefix(it)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What every settings file says, by ecosystem.
pub(crate) fn read(settings: &BTreeMap<String, String>) -> BTreeMap<Ecosystem, Registries> {
    let mut all: BTreeMap<Ecosystem, Registries> = BTreeMap::new();
    for (path, source) in settings {
        let mut registries = Registries::default();
        let Some(ecosystem) = read_file(path, source, &mut registries) else { continue };
        let known = all.entry(ecosystem).or_default();
        known.main = known.main.take().or(registries.main);
        known.extra.extend(registries.extra);
        known.bound.extend(registries.bound);
    }
    all
}

fn read_file(path: &str, source: &str, out: &mut Registries) -> Option<Ecosystem> {
    let name = file_name(path);
    match name {
        ".npmrc" | ".yarnrc" => npmrc(source, out),
        ".yarnrc.yml" => yarnrc(&yaml::parse(source).ok()?, out),
        "pip.conf" | "pip.ini" => pip(source, out),
        "uv.toml" => uv(&toml(source).ok()?, out),
        "pyproject.toml" => pyproject(&toml(source).ok()?, out),
        "Pipfile" => sources(&toml(source).ok()?, "source", out),
        "pom.xml" => pom(&xml::parse(source).ok()?, out),
        "Gemfile" => gemfile(source, out),
        "composer.json" => composer(&json(source).ok()?, out),
        _ if name.eq_ignore_ascii_case("nuget.config") => nuget(&xml::parse(source).ok()?, out),
        _ if formats::of_path(path) == Some(Format::Requirements) => pip(source, out),
        _ => return None,
    }
    Some(match name {
        ".npmrc" | ".yarnrc" | ".yarnrc.yml" => Ecosystem::Npm,
        "pom.xml" => Ecosystem::Maven,
        "Gemfile" => Ecosystem::Gem,
        "composer.json" => Ecosystem::Composer,
        _ if name.eq_ignore_ascii_case("nuget.config") => Ecosystem::Nuget,
        _ => Ecosystem::Pypi,
    })
}

fn npmrc(source: &str, out: &mut Registries) {
    for line in source.lines().map(str::trim).filter(|it| !it.starts_with(['#', ';'])) {
        let Some((key, value)) = line.split_once('=').or_else(|| line.split_once(' ')) else { continue };
        let (key, value) = (key.trim().trim_matches('"'), value.trim().trim_matches('"'));
        match key.strip_suffix(":registry") {
            Some(scope) => {
                out.bound.insert(format!("{scope}/*"), value.to_owned());
            }
            None if key == "registry" => out.main = Some(value.to_owned()),
            None => {}
        }
    }
}

fn yarnrc(settings: &Value, out: &mut Registries) {
    out.main = maybe(settings, "npmRegistryServer").map(str::to_owned);
    for (scope, it) in super::fields::pairs(settings, "npmScopes") {
        if let Some(url) = maybe(it, "npmRegistryServer") {
            out.bound.insert(format!("@{scope}/*"), url.to_owned());
        }
    }
}

/// `pip.conf`, and the options in a requirements file.
fn pip(source: &str, out: &mut Registries) {
    let mut last = "";
    for line in source.lines() {
        let bare = line.trim().trim_start_matches("--");
        let is_more = line.starts_with([' ', '\t']) && !bare.contains('=');
        let (key, value) = match bare.split_once(['=', ' ']) {
            Some((key, value)) if !is_more => (key.trim(), value.trim_start_matches('=').trim()),
            _ if is_more => (last, bare),
            _ => continue,
        };
        last = key;
        match key {
            "index-url" | "-i" if !value.is_empty() => out.main = Some(value.to_owned()),
            "extra-index-url" => out.extra.extend(value.split_whitespace().map(str::to_owned)),
            _ => {}
        }
    }
}

fn uv(settings: &Value, out: &mut Registries) {
    for index in items(settings, "index") {
        let url = text(index, "url").to_owned();
        match (super::fields::yes(index, "explicit"), super::fields::yes(index, "default")) {
            // Asked only for packages that name it.
            (true, _) => {}
            (false, true) => out.main = Some(url),
            (false, false) => out.extra.push(url),
        }
    }
    out.main = out.main.take().or_else(|| maybe(settings, "index-url").map(str::to_owned));
    out.extra.extend(items(settings, "extra-index-url").filter_map(Value::as_str).map(str::to_owned));
}

fn pyproject(manifest: &Value, out: &mut Registries) {
    let Some(tool) = manifest.get("tool") else { return };
    if let Some(settings) = tool.get("uv") {
        uv(settings, out);
        for (name, source) in super::fields::pairs(settings, "sources") {
            if let Some(index) = maybe(source, "index") {
                out.bound.insert(Ecosystem::Pypi.canonical(name), index.to_owned());
            }
        }
    }
    if let Some(poetry) = tool.get("poetry") {
        for it in items(poetry, "source") {
            let url = text(it, "url").to_owned();
            match text(it, "priority") {
                "explicit" => {}
                "default" => out.main = Some(url),
                _ => out.extra.push(url),
            }
        }
        for (name, wanted) in super::fields::pairs(poetry, "dependencies") {
            if let Some(source) = maybe(wanted, "source") {
                out.bound.insert(Ecosystem::Pypi.canonical(name), source.to_owned());
            }
        }
    }
}

/// Pipenv: the first source is asked first, others besides.
fn sources(manifest: &Value, key: &str, out: &mut Registries) {
    let mut urls = items(manifest, key).map(|it| text(it, "url").to_owned());
    out.main = urls.next();
    out.extra.extend(urls);
}

fn pom(root: &xml::Element, out: &mut Registries) {
    let repositories = root.child("repositories").into_iter().flat_map(|it| it.all("repository"));
    out.extra.extend(repositories.map(|it| it.text_of("url").to_owned()));
}

fn gemfile(source: &str, out: &mut Registries) {
    for line in source.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("source ").or_else(|| line.strip_prefix("source(")) else {
            continue;
        };
        let Some(url) = rest.split(['"', '\'']).nth(1) else { continue };
        match (line.ends_with(" do"), out.main.is_some()) {
            // Gems inside of the block are asked of that source only.
            (true, _) => {}
            (false, false) => out.main = Some(url.to_owned()),
            (false, true) => out.extra.push(url.to_owned()),
        }
    }
}

fn composer(manifest: &Value, out: &mut Registries) {
    let listed = manifest.get("repositories");
    let all = listed.and_then(Value::as_array).into_iter().flatten();
    let all = all.chain(listed.and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values));
    for it in all.filter(|it| text(it, "type") == "composer") {
        // A repository is asked before the public one and hides its packages, unless it says otherwise.
        if it.get("canonical") == Some(&Value::Bool(false)) {
            out.extra.push(text(it, "url").to_owned());
        } else {
            out.main = Some(text(it, "url").to_owned());
        }
    }
}

fn nuget(root: &xml::Element, out: &mut Registries) {
    let listed = root.child("packageSources");
    let mut urls: Vec<String> = listed
        .into_iter()
        .flat_map(|it| it.all("add"))
        .filter_map(|it| it.attribute("value"))
        .map(str::to_owned)
        .collect();
    let mapping = root.child("packageSourceMapping");
    for source in mapping.into_iter().flat_map(|it| it.all("packageSource")) {
        for pattern in source.all("package").filter_map(|it| it.attribute("pattern")).filter(|it| *it != "*")
        {
            out.bound.insert(pattern.to_lowercase(), source.attribute("key").unwrap_or_default().to_owned());
        }
    }
    if !urls.is_empty() {
        out.main = Some(urls.remove(0));
    }
    out.extra = urls;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, source: &str) -> Registries {
        read(&BTreeMap::from([(path.to_owned(), source.to_owned())])).into_values().next().unwrap()
    }

    /// Path, text, main registry, extra ones, names bound to one of their own.
    type Row =
        (&'static str, &'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);
    const SETTINGS: &[Row] = &[
        (
            ".npmrc",
            "registry=https://r.example/\n@acme:registry=https://n.example/\n//n.example/:_authToken=x",
            Some("https://r.example/"),
            &[],
            &["@acme/*"],
        ),
        (
            ".yarnrc.yml",
            "npmScopes:\n  acme:\n    npmRegistryServer: https://n.example",
            None,
            &[],
            &["@acme/*"],
        ),
        (
            "pip.conf",
            "[global]\nindex-url = https://a.example\nextra-index-url =\n  https://b.example\n  https://c.example",
            Some("https://a.example"),
            &["https://b.example", "https://c.example"],
            &[],
        ),
        (
            "requirements.txt",
            "--extra-index-url https://b.example\nflask==1.0",
            None,
            &["https://b.example"],
            &[],
        ),
        (
            "uv.toml",
            "[[index]]\nurl='https://a.example'\ndefault=true\n[[index]]\nurl='https://b.example'\n[[index]]\nurl='https://e.example'\nexplicit=true",
            Some("https://a.example"),
            &["https://b.example"],
            &[],
        ),
        (
            "pyproject.toml",
            "[[tool.poetry.source]]\nname='x'\nurl='https://b.example'\npriority='supplemental'\n[tool.poetry.dependencies]\nMy_Lib={version='1',source='x'}",
            None,
            &["https://b.example"],
            &["my-lib"],
        ),
        (
            "NuGet.Config",
            "<configuration><packageSources><add key='a' value='https://api.nuget.org/v3/index.json'/><add key='b' value='https://b.example'/></packageSources><packageSourceMapping><packageSource key='b'><package pattern='Acme.*'/></packageSource></packageSourceMapping></configuration>",
            Some("https://api.nuget.org/v3/index.json"),
            &["https://b.example"],
            &["acme.*"],
        ),
        (
            "Gemfile",
            "source 'https://rubygems.org'\nsource \"https://b.example\"\nsource 'https://c.example' do\n gem 'x'\nend",
            Some("https://rubygems.org"),
            &["https://b.example"],
            &[],
        ),
        (
            "composer.json",
            r#"{"repositories":[{"type":"composer","url":"https://b.example","canonical":false},{"type":"vcs","url":"x"}]}"#,
            None,
            &["https://b.example"],
            &[],
        ),
        (
            "pom.xml",
            "<project><repositories><repository><url>http://b.example</url></repository></repositories></project>",
            None,
            &["http://b.example"],
            &[],
        ),
    ];

    #[test]
    fn every_settings_file_is_understood() {
        for (path, source, main, extra, bound) in SETTINGS {
            let got = of(path, source);
            assert_eq!(
                (got.main.as_deref(), got.extra.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                (*main, *extra),
                "{path}"
            );
            assert_eq!(got.bound.keys().map(String::as_str).collect::<Vec<_>>(), *bound, "{path}");
        }
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("@acme/*", "@acme/x", true),
            ("@acme/*", "@acme2/x", false),
            ("com.acme.*", "com.acme.core:a", true),
            ("*-internal", "a-internal", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "ac", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
