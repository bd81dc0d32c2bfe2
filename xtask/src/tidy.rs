//! Rules about the repository that no compiler checks.

mod imports;
mod licences;
mod links;
mod rooms;
mod sizes;
mod words;

use std::fs;

use crate::workspace::Places;

pub(crate) use rooms::catalogue_line;

/// What the rules found: one sentence each, beginning with a path.
pub(crate) type Findings = Vec<String>;

/// A text file of the repository.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Fails with everything that is untidy.
pub(crate) fn run(places: &Places) -> anyhow::Result<()> {
    let findings = check(places)?;
    anyhow::ensure!(
        findings.is_empty(),
        "{} things are untidy:\n  {}",
        findings.len(),
        findings.join("\n  ")
    );
    println!("tidy");
    Ok(())
}

/// Every broken rule.
fn check(places: &Places) -> anyhow::Result<Findings> {
    let files = read(places)?;
    let metadata = places.metadata(false)?;
    let mut findings = Findings::new();
    imports::check(&metadata, &mut findings);
    sizes::check(&files, &mut findings)?;
    words::check(&files, &mut findings);
    rooms::check(&files, &mut findings);
    links::check(&files, &mut findings);
    licences::check(&files, &places.metadata(true)?, &mut findings)?;
    Ok(findings)
}

fn read(places: &Places) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in places.files()? {
        // What is not text (icons, recordings) has no lines to check.
        if let Ok(text) = fs::read_to_string(places.root.join(&path)) {
            files.push(SourceFile { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
        let places = Places::find(Some(target.clone()), None, Some(target)).expect("a workspace");
        let findings = check(&places).expect("the rules can be checked");
        assert!(findings.is_empty(), "untidy:\n  {}", findings.join("\n  "));
    }
}
