//! `core-mcp workflow validate`.

use kernel::ToolError;
use pipeline::{Mount, Registry};
use serde_json::json;
use workflow::{Checked, Journal, ToolCatalog, resolve};

use crate::{
    app::App,
    failure::Failure,
    output::plain,
    platform::{Local, tool_catalog},
};

/// The tools of the catalogue, without starting anything.
pub(super) fn catalog_at_rest() -> Result<ToolCatalog, Failure> {
    let entries = catalog::native_servers().into_iter();
    let mounts = entries.map(|it| Mount::unavailable(it.facts, (it.specs)(), "not started"));
    tool_catalog(&Registry::new(mounts.collect()))
}

pub(super) fn run(app: &App, files: &[String]) -> Result<(), Failure> {
    let catalog = catalog_at_rest()?;
    // Names may mean what is published; files can be checked anywhere.
    let local = if app.data_root()?.is_dir() { Some(Local::open(app)?) } else { None };
    let journal = local.map(|it| Journal::open(&it.data)).transpose().map_err(ToolError::from)?;
    let mut faults = 0;
    let mut reports = Vec::new();
    let mut lines = Vec::new();
    for file in files {
        let checked = resolve(file, &catalog, journal.as_deref(), "")?;
        faults += checked.problems.iter().filter(|it| it.class.is_fault()).count();
        lines.push(text(file, &checked));
        let name = checked.program.as_ref().map(|it| it.definition.workflow.clone());
        reports.push(json!({
            "file": file, "workflow": name, "ok": checked.is_sound(), "runnable": checked.is_runnable(),
            "hash": checked.program.as_ref().map(|it| it.hash.clone()), "problems": checked.problems,
        }));
    }
    app.output.list(&reports, || lines.join("\n\n"))?;
    match faults {
        0 => Ok(()),
        1 => Err(Failure::usage("1 problem was found")),
        many => Err(Failure::usage(format!("{many} problems were found"))),
    }
}

fn text(file: &str, checked: &Checked) -> String {
    let mut lines: Vec<String> = checked.problems.iter().map(|it| plain(&it.to_string())).collect();
    lines.push(match (&checked.program, checked.is_runnable(), checked.is_sound()) {
        (Some(program), true, _) => {
            format!("{file}: `{}` is in order, version {}", program.definition.workflow, &program.hash[..12])
        }
        (Some(program), false, true) => format!(
            "{file}: `{}` is in order, version {}, and can run once its servers are installed",
            program.definition.workflow,
            &program.hash[..12]
        ),
        _ => format!("{file}: not in order"),
    });
    lines.join("\n")
}
