//! Everything that is wrong with a workflow file, found in one pass.
//!
//! Four rounds, each on what the one before let through: `structure` (keys and types, by the language's JSON
//! Schema), `steps` (the rules no schema can say, expressions included), `tools` (arguments against the tools'
//! own schemas), and the workflows inside.

mod expressions;
mod report;
mod steps;
mod structure;
mod tools;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    bounds::NESTING_MAX,
    catalog::ToolCatalog,
    model::Definition,
    problem::{Problem, ProblemClass},
    program::{Program, walk},
    source::{Node, read},
};

pub(crate) use report::{Path, Report};

/// Where workflows that are named by others are found.
pub trait Library {
    /// The program behind `name` or `name@alias`, or the source to check it from.
    fn find(&self, reference: &str) -> Option<Entry>;
    /// The names, for suggestions.
    fn names(&self) -> Vec<String>;
}

/// What a library has under a name.
pub enum Entry {
    /// Checked already.
    Program(Arc<Program>),
    /// A file's name and text.
    Source(String, String),
}

/// What came of checking a file.
#[derive(Debug)]
pub struct Checked {
    /// The program, when the file itself is in order. It may still name servers that are not installed.
    pub program: Option<Arc<Program>>,
    /// Everything to mend, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Whether it can run here.
    pub fn is_runnable(&self) -> bool {
        self.program.is_some() && self.problems.is_empty()
    }

    /// Whether the file itself is in order.
    pub fn is_sound(&self) -> bool {
        self.program.is_some() && self.problems.iter().all(|it| !it.class.is_fault())
    }
}

/// Checks one file.
pub fn check(file: &str, text: &str, catalog: &ToolCatalog, library: &dyn Library) -> Checked {
    check_within(file, text, catalog, library, &mut Vec::new())
}

fn check_within(
    file: &str,
    text: &str,
    catalog: &ToolCatalog,
    library: &dyn Library,
    outer: &mut Vec<String>,
) -> Checked {
    let node = match read(text) {
        Ok(node) => node,
        Err(error) => {
            let problem = Problem {
                file: file.to_owned(),
                line: error.place.line,
                column: error.place.column,
                class: ProblemClass::Syntax,
                path: String::new(),
                message: error.message,
                suggestion: "the file must be one YAML document within the bounds".into(),
            };
            return Checked { program: None, problems: vec![problem] };
        }
    };
    let mut report = Report::new(file, &node);
    let program = definition(&node, &mut report).and_then(|mut definition| {
        steps::check(&definition, &mut report);
        tools::check(&definition, catalog, &mut report);
        let nested = nested(&definition, catalog, library, outer, &mut report);
        if report.has_faults() {
            return None;
        }
        tools::skip_missing(&mut definition.steps, catalog);
        match Program::new(definition, nested) {
            Ok(program) => Some(Arc::new(program)),
            Err(error) => {
                report.add(ProblemClass::Expression, &Path::default(), error.0, "correct the expression");
                None
            }
        }
    });
    Checked { program, problems: report.into_problems() }
}

fn definition(node: &Node, report: &mut Report<'_>) -> Option<Definition> {
    let value = node.to_value();
    structure::check(node, &value, report);
    if report.has_faults() {
        return None;
    }
    match serde_json::from_value(value) {
        Ok(definition) => Some(definition),
        Err(error) => {
            let fix = "`core-mcp workflow schema` shows what is expected";
            report.add(ProblemClass::Structure, &Path::default(), error.to_string(), fix);
            None
        }
    }
}

/// Finds, checks and pins the workflows that are named.
fn nested(
    definition: &Definition,
    catalog: &ToolCatalog,
    library: &dyn Library,
    outer: &mut Vec<String>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Arc<Program>> {
    let mut found: BTreeMap<String, Arc<Program>> = BTreeMap::new();
    outer.push(definition.workflow.clone());
    steps::each_step(definition, &mut |step, path| {
        let Some(reference) = &step.workflow else { return };
        let at = path.with("workflow");
        if !found.contains_key(reference)
            && let Some(program) = one_nested(reference, &at, catalog, library, outer, report)
        {
            found.insert(reference.clone(), program);
        }
        if let Some(program) = found.get(reference) {
            tools::check_inputs(step, program, path, report);
        }
    });
    outer.pop();
    found
}

fn one_nested(
    reference: &str,
    path: &Path,
    catalog: &ToolCatalog,
    library: &dyn Library,
    outer: &mut Vec<String>,
    report: &mut Report<'_>,
) -> Option<Arc<Program>> {
    let name = reference.split('@').next().unwrap_or(reference);
    let class = ProblemClass::Nested;
    if outer.iter().any(|it| it == name) {
        let round = [outer.as_slice(), &[name.to_owned()]].concat().join(" → ");
        report.add(class, path, format!("workflows include each other: {round}"), "break the circle");
        return None;
    }
    if outer.len() >= NESTING_MAX {
        let message = format!("workflows are nested deeper than {NESTING_MAX}");
        report.add(class, path, message, "flatten some of them");
        return None;
    }
    match library.find(reference) {
        Some(Entry::Program(program)) => {
            // What was published earlier may name what includes it now.
            if let Some(again) = included(&program).into_iter().find(|it| outer.contains(it)) {
                report.add(
                    class,
                    path,
                    format!("`{reference}` includes `{again}` again"),
                    "break the circle",
                );
                return None;
            }
            Some(program)
        }
        Some(Entry::Source(file, text)) => {
            let checked = check_within(&file, &text, catalog, library, outer);
            let faults = checked.problems.iter().filter(|it| it.class.is_fault()).count();
            if faults > 0 {
                let message = format!("`{reference}` has {faults} problems of its own");
                report.add(class, path, message, format!("`core-mcp workflow validate {file}` lists them"));
            }
            report.extend(checked.problems);
            checked.program
        }
        None => {
            let names = library.names();
            let fix = crate::problem::suggest(
                name,
                names.iter().map(String::as_str),
                "publish it, or put NAME.yaml beside this file",
            );
            report.add(class, path, format!("no workflow is called `{reference}`"), fix);
            None
        }
    }
}

fn included(program: &Program) -> Vec<String> {
    let mut names = vec![program.definition.workflow.clone()];
    walk(&program.definition.steps, &mut |step| {
        names.extend(step.workflow.iter().map(|it| it.split('@').next().unwrap_or(it).to_owned()));
    });
    names.extend(program.nested.values().flat_map(|it| included(it)));
    names
}
