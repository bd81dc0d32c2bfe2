//! Versions and their aliases.

use std::path::Path;

use kernel::ToolError;
use serde_json::{Value, json};
use workflow::{Journal, Published, SHIPPED, resolve, shipped};

use super::{Alias, validate::catalog_at_rest};
use crate::{
    app::App,
    failure::Failure,
    output::{Table, date, write_out},
    platform::Local,
};

pub(super) fn list(app: &App) -> Result<(), Failure> {
    let local = Local::open(app)?;
    let journal = Journal::open(&local.data).map_err(ToolError::from)?;
    let catalog = catalog_at_rest()?;
    let mut rows: Vec<Value> = Vec::new();
    for it in journal.published()? {
        rows.push(json!({
            "name": it.name, "alias": it.alias, "hash": it.hash, "weight": it.weight, "previous": it.previous,
            "published_at": it.published_at, "shipped": false,
        }));
    }
    for (name, _) in SHIPPED {
        let checked = resolve(name, &catalog, None, "")?;
        let hash = checked.program.as_ref().map(|it| it.hash.clone());
        rows.push(json!({ "name": name, "alias": null, "hash": hash, "shipped": true, "runnable": checked.is_runnable() }));
    }
    app.output.list(&rows, || {
        let mut table = Table::new(&["workflow", "alias", "version", "weight", "published"]);
        for it in &rows {
            let word = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            let version = word("hash").chars().take(12).collect::<String>();
            let weight = it["weight"].as_u64().map_or_else(String::new, |it| it.to_string());
            let when = match (it["shipped"] == true, it["runnable"] == false) {
                (true, true) => "shipped; needs servers that are not installed".to_owned(),
                (true, false) => "shipped".to_owned(),
                _ => date(it["published_at"].as_i64().unwrap_or_default()),
            };
            table.row([&word("name"), &word("alias"), &version, &weight, &when]);
        }
        table.render("nothing is published")
    })
}

/// Changes an alias and records who did.
async fn change<T>(
    app: &App,
    event: &str,
    detail: Value,
    change: impl FnOnce(&Journal) -> Result<T, ToolError>,
) -> Result<T, Failure> {
    let local = Local::open(app)?;
    let journal = Journal::open(&local.data).map_err(ToolError::from)?;
    local.recorded(event, detail, async { change(&journal) }).await
}

pub(super) async fn publish(app: &App, file: &str, alias: Alias, weight: u8) -> Result<(), Failure> {
    if weight > 0 && !matches!(alias, Alias::Canary) {
        return Err(Failure::usage("only a canary has a weight").hint("add --alias canary"));
    }
    let local = Local::open(app)?;
    let journal = Journal::open(&local.data).map_err(ToolError::from)?;
    let checked = resolve(file, &catalog_at_rest()?, Some(&journal), "")?;
    let faults: Vec<String> =
        checked.problems.iter().filter(|it| it.class.is_fault()).map(ToString::to_string).collect();
    let Some(program) = checked.program.filter(|_| faults.is_empty()) else {
        let failure = Failure::usage(format!("{file} has {} problems", faults.len()));
        return Err(faults.into_iter().take(20).fold(failure, Failure::hint));
    };
    let detail = json!({ "workflow": program.definition.workflow, "alias": alias.as_str(), "hash": program.hash, "weight": weight });
    let published = change(app, "workflow.published", detail, |journal| {
        journal.publish(&program, alias.as_str(), weight)
    })
    .await?;
    if !checked.problems.is_empty() {
        app.output.note("note: it can run once the servers it names are installed");
    }
    say(app, &published)
}

pub(super) async fn rollback(app: &App, name: &str, alias: Alias) -> Result<(), Failure> {
    let detail = json!({ "workflow": name, "alias": alias.as_str() });
    let published =
        change(app, "workflow.rolled_back", detail, |journal| journal.rollback(name, alias.as_str())).await?;
    say(app, &published)
}

pub(super) async fn unpublish(app: &App, name: &str, alias: Alias) -> Result<(), Failure> {
    let detail = json!({ "workflow": name, "alias": alias.as_str() });
    let gone = change(app, "workflow.unpublished", detail, |journal| journal.unpublish(name, alias.as_str()))
        .await?;
    if !gone {
        return Err(Failure::new(
            kernel::ErrorKind::NotFound,
            format!("`{name}@{}` is not published", alias.as_str()),
        ));
    }
    app.output.one(&json!({ "unpublished": name, "alias": alias.as_str() }), || {
        format!("{name}@{} is gone", alias.as_str())
    })
}

fn say(app: &App, it: &Published) -> Result<(), Failure> {
    app.output.one(it, || {
        format!(
            "{}@{} is version {}; it is a tool after the next start, and runs by its name now",
            it.name,
            it.alias,
            &it.hash[..12]
        )
    })
}

pub(super) fn source(app: &App, name: &str, to: Option<&Path>) -> Result<(), Failure> {
    let Some(text) = shipped(name) else {
        let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        let message = format!("no workflow `{name}` is shipped");
        return Err(Failure::new(kernel::ErrorKind::NotFound, message)
            .hint(format!("there are {}", names.join(", "))));
    };
    match to {
        None => write_out(text),
        Some(path) => {
            let mut options = std::fs::OpenOptions::new();
            let written = options
                .write(true)
                .create_new(true)
                .open(path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
            written
                .map_err(|error| Failure::local(format!("{} cannot be written", path.display()), error))?;
            app.output.note(&format!("written to {}", path.display()));
            Ok(())
        }
    }
}
