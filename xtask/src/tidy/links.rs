//! Every page can be found from the front page, and no link leads nowhere.

use std::collections::BTreeSet;

use super::{Findings, SourceFile};

pub(super) fn check(files: &[SourceFile], findings: &mut Findings) {
    let pages: Vec<&SourceFile> = files.iter().filter(|it| is_page(&it.path)).collect();
    let mut reached = BTreeSet::new();
    let mut waiting = vec!["README.md".to_owned()];
    while let Some(path) = waiting.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let Some(page) = pages.iter().find(|it| it.path == path) else { continue };
        for target in links(&page.text).filter_map(|it| resolve(&page.path, it)) {
            let folder = format!("{}/", target.trim_end_matches('/'));
            if files.iter().any(|it| it.path == target) {
                waiting.push(target);
            } else if files.iter().any(|it| it.path.starts_with(&folder)) {
                let inside = pages.iter().filter(|it| it.path.starts_with(&folder));
                waiting.extend(inside.map(|it| it.path.clone()));
            } else {
                findings.push(format!("{path}: links to `{target}`, which does not exist"));
            }
        }
    }
    for page in pages.iter().filter(|it| it.path.starts_with("docs/") && !reached.contains(&it.path)) {
        findings.push(format!("{}: no page links to it", page.path));
    }
}

fn is_page(path: &str) -> bool {
    path.ends_with(".md") && (path.starts_with("docs/") || !path.contains('/'))
}

/// The targets of `[text](target)` outside of code blocks.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    let prose = text.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        !in_code
    });
    prose.flat_map(|line| line.split("](").skip(1)).filter_map(|it| it.split([')', ' ']).next())
}

/// Where a link of `page` leads inside the repository; `None` when it leads out of it.
fn resolve(page: &str, link: &str) -> Option<String> {
    let link = link.split('#').next().unwrap_or_default();
    if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pages: &[(&str, &str)]) -> Findings {
        let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).into(), text: (*text).into() };
        let files: Vec<_> = pages.iter().map(file).collect();
        let mut findings = Findings::new();
        check(&files, &mut findings);
        findings
    }

    #[test]
    fn every_page_is_reached() {
        let index = ("docs/README.md", "[a](specs/a.md), [all](servers/), [up](../LICENSE)");
        let rest = [("docs/specs/a.md", ""), ("docs/servers/b.md", ""), ("LICENSE", "")];
        let all = |front| [&[("README.md", front), index][..], &rest[..]].concat();
        assert_eq!(found(&all("[docs](docs/README.md#top)")), Findings::new());
        assert_eq!(found(&all("nothing")).len(), 3);
    }

    #[test]
    fn a_link_to_nowhere_is_found() {
        assert_eq!(found(&[("README.md", "[x](docs/gone.md)")]).len(), 1);
        assert_eq!(found(&[("README.md", "[x](https://example.org/gone)")]), Findings::new());
        assert_eq!(found(&[("README.md", "```\n[x](gone.md)\n```")]), Findings::new());
    }
}
