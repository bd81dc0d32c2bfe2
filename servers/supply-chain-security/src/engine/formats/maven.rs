//! `pom.xml`, with properties, managed versions and the parents that are on disk.

use std::collections::BTreeMap;

use crate::engine::{
    component::{Component, Ecosystem, Kind, Scope},
    coverage::SkipReason,
    graph::Part,
    licence::Licence,
    tree::{beside, normal},
    xml::{self, Element},
};

/// Parents above parents.
const PARENTS_MAX: usize = 16;
/// Properties inside properties, and what they may grow to.
const EXPANSIONS_MAX: usize = 16;
const VALUE_BYTES_MAX: usize = 4096;

/// Reads a project; `load` gives the text of another file.
pub(crate) fn read(
    path: &str,
    source: &str,
    load: &mut dyn FnMut(&str) -> Result<String, SkipReason>,
) -> Result<Part, String> {
    let chain = chain(path, source, load)?;
    let model = Model::of(&chain);
    let mut part = Part::new(path);
    let own = &chain[0];
    let name = format!("{}:{}", model.value("project.groupId"), model.value("project.artifactId"));
    let mut project = Component::new(Ecosystem::Maven, &name, &model.value("project.version"));
    project.kind = Kind::Project;
    project.licence = licence_of(own, path);
    part.project = Some(project);
    for pom in &chain {
        for dependency in pom.child("dependencies").into_iter().flat_map(|it| it.all("dependency")) {
            part.add_direct(model.component(dependency));
        }
    }
    for profile in own.child("profiles").into_iter().flat_map(|it| it.all("profile")) {
        for dependency in profile.child("dependencies").into_iter().flat_map(|it| it.all("dependency")) {
            part.add_direct(model.component(dependency).in_scope(Scope::Optional));
        }
    }
    for plugin in plugins(own) {
        part.add_direct(model.plugin(plugin));
    }
    if let Some(parent) = own.child("parent").filter(|_| chain.len() == 1) {
        // The parent is not on disk: what it decides is unknown, and it is a component itself.
        let name = format!("{}:{}", parent.text_of("groupId"), parent.text_of("artifactId"));
        part.add_direct(Component::new(Ecosystem::Maven, &name, parent.text_of("version")));
    }
    Ok(part)
}

/// The project and its parents on disk, nearest first.
fn chain(
    path: &str,
    source: &str,
    load: &mut dyn FnMut(&str) -> Result<String, SkipReason>,
) -> Result<Vec<Element>, String> {
    let root = xml::parse(source)?;
    if root.name != "project" {
        return Err("its root is no `project`".into());
    }
    let (mut chain, mut at) = (vec![root], path.to_owned());
    while let Some(parent) =
        chain.last().and_then(|it| it.child("parent")).filter(|_| chain.len() < PARENTS_MAX)
    {
        let (artifact, given) = (parent.text_of("artifactId").to_owned(), parent.child("relativePath"));
        let relative = given.map_or("../pom.xml", |it| it.text.as_str());
        if relative.is_empty() || relative.contains("${") {
            break;
        }
        let file =
            if relative.ends_with(".xml") { relative.to_owned() } else { format!("{relative}/pom.xml") };
        let Some(place) = normal(&beside(&at, &file)) else { break };
        // A parent that is not where it would be comes from a repository.
        let Ok(text) = load(&place) else { break };
        let next = xml::parse(&text)?;
        if next.text_of("artifactId") != artifact {
            break;
        }
        chain.push(next);
        at = place;
    }
    Ok(chain)
}

fn plugins(pom: &Element) -> impl Iterator<Item = &Element> {
    let build = pom.child("build").and_then(|it| it.child("plugins"));
    build.into_iter().flat_map(|it| it.all("plugin"))
}

/// The licences of a project.
pub(crate) fn licence_of(pom: &Element, path: &str) -> Option<Licence> {
    let all = pom.child("licenses")?.all("license").map(|it| it.text_of("name"));
    Licence::any_of(all, path)
}

struct Model {
    properties: BTreeMap<String, String>,
    /// `group:artifact` to version and scope.
    managed: BTreeMap<String, (String, String)>,
}

impl Model {
    fn of(chain: &[Element]) -> Self {
        let mut model = Self { properties: BTreeMap::new(), managed: BTreeMap::new() };
        // Farthest first, so that the nearer word wins.
        for pom in chain.iter().rev() {
            for property in pom.child("properties").into_iter().flat_map(|it| &it.children) {
                model.properties.insert(property.name.clone(), property.text.clone());
            }
            let parent = pom.child("parent");
            for key in ["groupId", "artifactId", "version"] {
                let inherited = parent.map_or("", |it| it.text_of(key));
                model.properties.insert(format!("project.parent.{key}"), inherited.to_owned());
                let own = Some(pom.text_of(key)).filter(|it| !it.is_empty()).unwrap_or(inherited);
                for prefix in ["project.", "pom.", ""] {
                    model.properties.insert(format!("{prefix}{key}"), own.to_owned());
                }
            }
        }
        for pom in chain.iter().rev() {
            let managed = pom.child("dependencyManagement").and_then(|it| it.child("dependencies"));
            for it in managed.into_iter().flat_map(|it| it.all("dependency")) {
                let (version, scope) =
                    (model.expand(it.text_of("version")), model.expand(it.text_of("scope")));
                model.managed.insert(model.name(it), (version, scope));
            }
        }
        model
    }

    fn value(&self, key: &str) -> String {
        self.expand(&format!("${{{key}}}"))
    }

    /// Replaces `${name}`, within bounds; what is unknown stays.
    fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..EXPANSIONS_MAX {
            let mut out = String::new();
            let (mut rest, mut changed) = (text.as_str(), false);
            while let Some((before, after)) = rest.split_once("${") {
                out.push_str(before);
                match after.split_once('}').map(|(name, tail)| (self.properties.get(name), name, tail)) {
                    Some((Some(value), _, tail)) => {
                        out.push_str(value);
                        (rest, changed) = (tail, true);
                    }
                    Some((None, name, tail)) => {
                        out.push_str(&format!("${{{name}}}"));
                        rest = tail;
                    }
                    None => {
                        out.push_str("${");
                        rest = after;
                    }
                }
                if out.len() > VALUE_BYTES_MAX {
                    return String::new();
                }
            }
            out.push_str(rest);
            text = out;
            if !changed {
                break;
            }
        }
        text
    }

    fn name(&self, it: &Element) -> String {
        format!("{}:{}", self.expand(it.text_of("groupId")), self.expand(it.text_of("artifactId")))
    }

    fn component(&self, dependency: &Element) -> Component {
        let name = self.name(dependency);
        let managed = self.managed.get(&name);
        let own = |key: &str| Some(self.expand(dependency.text_of(key))).filter(|it| !it.is_empty());
        let version = own("version").or_else(|| managed.map(|it| it.0.clone())).unwrap_or_default();
        let scope = own("scope").or_else(|| managed.map(|it| it.1.clone())).unwrap_or_default();
        let scope = match scope.as_str() {
            "test" => Scope::Dev,
            "provided" | "system" => Scope::Optional,
            _ if dependency.text_of("optional") == "true" => Scope::Optional,
            _ => Scope::Required,
        };
        exact(&name, &version).in_scope(scope)
    }

    fn plugin(&self, plugin: &Element) -> Component {
        let group = Some(self.expand(plugin.text_of("groupId"))).filter(|it| !it.is_empty());
        let group = group.unwrap_or_else(|| "org.apache.maven.plugins".into());
        let name = format!("{group}:{}", self.expand(plugin.text_of("artifactId")));
        exact(&name, &self.expand(plugin.text_of("version"))).in_scope(Scope::Dev)
    }
}

/// A range, a property that nothing defines, or nothing at all is no version.
pub(crate) fn exact(name: &str, version: &str) -> Component {
    let is_open = version.is_empty()
        || version.contains("${")
        || version.contains('+')
        || version.starts_with("latest")
        || version.starts_with(['[', '(']);
    if is_open {
        Component::unresolved(Ecosystem::Maven, name, version)
    } else {
        Component::new(Ecosystem::Maven, name, version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(source: &str, parent: &str) -> Vec<String> {
        let mut load =
            |path: &str| if path == "pom.xml" { Ok(parent.to_owned()) } else { Err(SkipReason::Missing) };
        let part = read("a/pom.xml", source, &mut load).unwrap();
        part.components.iter().map(|it| format!("{} {}", it.label(), it.scope.as_str())).collect()
    }

    #[test]
    fn properties_and_managed_versions_come_from_the_parents_on_disk() {
        let parent = "<project><groupId>g</groupId><artifactId>p</artifactId><version>7</version>
            <properties><x.v>1.${minor}</x.v><minor>5</minor></properties>
            <dependencyManagement><dependencies><dependency><groupId>m</groupId><artifactId>n</artifactId><version>${x.v}</version><scope>test</scope></dependency></dependencies></dependencyManagement>
            <dependencies><dependency><groupId>q</groupId><artifactId>r</artifactId><version>[1,2)</version></dependency></dependencies></project>";
        let own = "<project xmlns='http://maven.apache.org/POM/4.0.0'><parent><groupId>g</groupId><artifactId>p</artifactId><version>7</version></parent><artifactId>a</artifactId>
            <dependencies>
              <dependency><groupId>m</groupId><artifactId>n</artifactId></dependency>
              <dependency><groupId>${project.groupId}</groupId><artifactId>s</artifactId><version>${project.version}</version></dependency>
              <dependency><groupId>u</groupId><artifactId>v</artifactId><version>${nobody}</version><optional>true</optional></dependency>
            </dependencies></project>";
        assert_eq!(
            labels(own, parent),
            ["m:n@1.5 dev", "g:s@7 required", "u:v (${nobody}) optional", "q:r ([1,2)) required"]
        );
        // Without the parent on disk its word is missing, and it is listed.
        assert_eq!(labels(own, "<project><artifactId>other</artifactId></project>")[3], "g:p@7 required");
    }

    #[test]
    fn properties_cannot_grow_without_end() {
        let mut properties = "<a0>xxxxxxxxxx</a0>".to_owned();
        for at in 1..15 {
            properties += &format!("<a{at}>{}</a{at}>", format!("${{a{}}}", at - 1).repeat(10));
        }
        properties += "<self>${self}${self}</self>";
        let own = format!("<project><groupId>g</groupId><artifactId>a</artifactId><properties>{properties}</properties><dependencies>
            <dependency><groupId>m</groupId><artifactId>n</artifactId><version>${{a14}}</version></dependency>
            <dependency><groupId>m</groupId><artifactId>o</artifactId><version>${{self}}</version></dependency></dependencies></project>");
        assert_eq!(labels(&own, "<project/>"), ["m:n required", "m:o required"]);
    }
}
