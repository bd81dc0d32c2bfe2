//! Where workflows come from: files, what is published, and what is shipped with the program.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{ErrorKind, ToolError};

use crate::{
    bounds::SOURCE_BYTES_MAX,
    catalog::ToolCatalog,
    check::{Checked, Entry, Library, check},
    journal::Journal,
    program::Program,
};

/// The workflows that are shipped: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("alert-distribution", include_str!("../../../workflows/alert-distribution.yaml")),
    ("automated-deployment", include_str!("../../../workflows/automated-deployment.yaml")),
    ("automated-remediation", include_str!("../../../workflows/automated-remediation.yaml")),
    ("batch-security-scan", include_str!("../../../workflows/batch-security-scan.yaml")),
    ("build-deploy-monitor", include_str!("../../../workflows/build-deploy-monitor.yaml")),
    ("cascading-security-checks", include_str!("../../../workflows/cascading-security-checks.yaml")),
    (
        "continuous-security-monitoring",
        include_str!("../../../workflows/continuous-security-monitoring.yaml"),
    ),
    ("incident-response", include_str!("../../../workflows/incident-response.yaml")),
    ("incident-response-automation", include_str!("../../../workflows/incident-response-automation.yaml")),
    ("multi-cloud-storage", include_str!("../../../workflows/multi-cloud-storage.yaml")),
    ("security-audit", include_str!("../../../workflows/security-audit.yaml")),
    ("security-driven-development", include_str!("../../../workflows/security-driven-development.yaml")),
    ("security-first-deployment", include_str!("../../../workflows/security-first-deployment.yaml")),
];

/// Files of one folder, then what is published, then what is shipped.
pub struct Bookcase<'a> {
    /// The folder of the file that is looked at.
    pub folder: Option<PathBuf>,
    /// What is published.
    pub journal: Option<&'a Journal>,
    /// Whose share of a canary counts.
    pub sticky: &'a str,
}

impl Library for Bookcase<'_> {
    fn find(&self, reference: &str) -> Option<Entry> {
        let name = reference.split('@').next().filter(|it| is_name(it))?;
        if let Some(folder) = self.folder.as_ref().filter(|_| !reference.contains('@')) {
            let path = folder.join(format!("{name}.yaml"));
            if let Ok(text) = read(&path) {
                return Some(Entry::Source(path.display().to_string(), text));
            }
        }
        if let Some(journal) = self.journal
            && let Ok(Some(published)) = journal.choose(reference, self.sticky)
        {
            return journal.program(&published.hash).ok().map(|it| Entry::Program(Arc::new(it)));
        }
        if reference.contains('@') {
            return None;
        }
        shipped(name).map(|text| Entry::Source(format!("shipped:{name}"), text.to_owned()))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
        let published = self.journal.and_then(|it| it.published().ok()).unwrap_or_default();
        names.extend(published.into_iter().map(|it| it.name));
        names.sort();
        names.dedup();
        names
    }
}

/// The text of a shipped workflow.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(it, _)| *it == name).map(|(_, text)| *text)
}

/// Whether a reference means a file.
pub fn is_file(reference: &str) -> bool {
    reference.contains('/') || reference.ends_with(".yaml") || reference.ends_with(".yml")
}

/// Finds and checks what a person means by `FILE`, `NAME` or `NAME@ALIAS`.
///
/// # Errors
/// When there is nothing under that name. What is wrong with a file is in the result.
pub fn resolve(
    reference: &str,
    catalog: &ToolCatalog,
    journal: Option<&Journal>,
    sticky: &str,
) -> Result<Checked, ToolError> {
    if is_file(reference) {
        let path = Path::new(reference);
        let text = read(path)?;
        let folder = path.parent().map(Path::to_owned);
        let library = Bookcase { folder, journal, sticky };
        return Ok(check(reference, &text, catalog, &library));
    }
    let library = Bookcase { folder: None, journal, sticky };
    match library.find(reference) {
        Some(Entry::Program(program)) => Ok(Checked { program: Some(program), problems: Vec::new() }),
        Some(Entry::Source(file, text)) => Ok(check(&file, &text, catalog, &library)),
        None => {
            let names = library.names();
            let near = crate::problem::nearest(reference, names.iter().map(String::as_str));
            let error = ToolError::new(
                ErrorKind::NotFound,
                format!("no workflow is called `{}`", printable(reference)),
            );
            Err(error.hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`core-mcp workflow list --published` shows them; a file is named with its path".into()
                }
            }))
        }
    }
}

/// A program that can run here, or every reason why not.
///
/// # Errors
/// With one hint per problem.
pub fn runnable(checked: Checked) -> Result<Arc<Program>, ToolError> {
    match checked.program {
        Some(program) if checked.problems.is_empty() => Ok(program),
        _ => {
            let count = checked.problems.len();
            let noun = if count == 1 { "problem" } else { "problems" };
            let error =
                ToolError::new(ErrorKind::ValidationFailed, format!("the workflow has {count} {noun}"));
            Err(checked.problems.iter().take(20).fold(error, |error, it| error.hint(it.to_string())))
        }
    }
}

fn read(path: &Path) -> Result<String, ToolError> {
    let mut text = String::new();
    let cannot = |error: std::io::Error| {
        ToolError::new(ErrorKind::NotFound, format!("{} cannot be read: {error}", path.display()))
    };
    // One byte more than allowed, so that the check says what is wrong.
    let limit = SOURCE_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)).map_err(cannot)?;
    Ok(text)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 48
        && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
}

fn printable(name: &str) -> String {
    name.chars().filter(|it| !it.is_control()).take(80).collect()
}
