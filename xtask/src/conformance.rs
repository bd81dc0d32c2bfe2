//! `cargo xtask conformance`: the official suite against what we serve, per mode and revision.
//!
//! Reading order: [`run`] (build, serve, measure, print), `stage` (what is served), `suite` (running one
//! requirement set and reading what came of it). A mode is a name, a place that is served, and what of the suite
//! makes sense there; the modes stand in [`modes`].

mod stage;
mod suite;

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use self::{
    stage::{Fixture, Gateway},
    suite::{Figure, Plan, Suite},
};
use crate::{test, workspace::Places};

/// The revisions the suite has frozen requirements for.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// The extension's scenarios that no requirement set runs.
const SKILLS: [&str; 3] =
    ["sep-2640-skills-enumeration", "sep-2640-skills-directory", "sep-2640-skills-manifest"];

/// Scenarios that need no name of the fixture and so hold on a route of many servers. `server-stateless` is not among
/// them: it calls tools by the suite's own names, which are qualified there.
const NAME_FREE: [(&str, &[&str]); 2] = [
    (
        "2025-11-25",
        &[
            "server-initialize",
            "ping",
            "logging-set-level",
            "tools-list",
            "resources-list",
            "prompts-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
            "server-session-lifecycle",
        ],
    ),
    (
        "2026-07-28",
        &[
            "tools-list",
            "resources-list",
            "prompts-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "caching",
            "sep-2164-resource-not-found",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
            "http-header-validation",
            "input-required-result-unsupported-methods",
        ],
    ),
];

/// What `cargo xtask conformance` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// How the figures are printed.
    #[arg(long, value_enum, default_value = "human")]
    output: Form,
    /// Only these modes.
    #[arg(long, value_name = "MODE")]
    mode: Vec<String>,
    /// Where the suite's own records go [default: `conformance` in the cache].
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
}

impl Options {
    /// Every mode, for people.
    pub(crate) fn all() -> Self {
        Self { output: Form::Human, mode: Vec::new(), records: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Human,
    Json,
}

/// One way of serving the fixture, and what is asked of it.
struct Mode {
    name: &'static str,
    url: String,
    /// How the tool of the positive control is called there.
    control: &'static str,
    plans: Vec<(&'static str, Vec<Plan>)>,
}

/// Figures by mode and revision.
#[derive(Default, Serialize)]
struct Report(BTreeMap<&'static str, BTreeMap<&'static str, Figure>>);

/// Runs every mode; fails when a required scenario fails or the positive control does.
pub(crate) fn run(places: &Places, options: &Options) -> anyhow::Result<()> {
    test::install_clients(places)?;
    let quiet = options.output == Form::Json;
    let fixture = Fixture::start(places)?;
    let records = options.records.clone().unwrap_or_else(|| places.cache.join("conformance"));
    let suite = Suite::new(places, records);
    let mut report = Report::default();
    let wanted = |name: &str| options.mode.is_empty() || options.mode.iter().any(|it| it == name);
    let through = wanted("gateway") || wanted("aggregated");
    let gateway = if through { Gateway::start(places, &fixture)? } else { None };
    if through && gateway.is_none() && !quiet {
        println!("gateway    left out: this build of core-mcp has no upstreams");
    }
    let all = modes(&fixture, gateway.as_ref());
    if let Some(unknown) = options.mode.iter().find(|it| all.iter().all(|mode| mode.name != **it)) {
        anyhow::bail!("there is no mode `{unknown}`");
    }
    for mode in
        all.iter().filter(|it| options.mode.is_empty() || options.mode.iter().any(|name| name == it.name))
    {
        stage::control(&mode.url, mode.control)?;
        for (revision, plans) in &mode.plans {
            let figure = suite.measure(mode.name, &mode.url, revision, plans)?;
            if !quiet {
                println!("{:<10} {revision}  {figure}", mode.name);
            }
            report.0.entry(mode.name).or_default().insert(revision, figure);
        }
    }
    if quiet {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    let failed: Vec<String> = report
        .0
        .iter()
        .flat_map(|(mode, revisions)| revisions.iter().map(move |it| (mode, it)))
        .filter(|(_, (_, figure))| !figure.holds())
        .map(|(mode, (revision, figure))| format!("{mode} {revision}: {}", figure.failed.join(", ")))
        .collect();
    anyhow::ensure!(failed.is_empty(), "required scenarios failed: {}", failed.join("; "));
    Ok(())
}

fn modes(fixture: &Fixture, gateway: Option<&Gateway>) -> Vec<Mode> {
    let native = REVISIONS.map(|revision| {
        let mut plans = vec![Plan::Requirements];
        if revision == "2026-07-28" {
            plans.push(Plan::Informational(SKILLS.to_vec()));
        }
        (revision, plans)
    });
    let aggregated = NAME_FREE.map(|(revision, names)| (revision, vec![Plan::Required(names.to_vec())]));
    // Many servers stand on one route where there is a gateway; else the fixture is alone there.
    let many = gateway.map_or(fixture.address, |it| it.address);
    let through = gateway.map(|gateway| Mode {
        name: "gateway",
        url: format!("http://{}/mcp/everything", gateway.address),
        control: "test_simple_text",
        plans: native.to_vec(),
    });
    let own = vec![
        Mode {
            name: "native",
            url: format!("http://{}/mcp/everything", fixture.address),
            control: "test_simple_text",
            plans: native.to_vec(),
        },
        Mode {
            name: "aggregated",
            url: format!("http://{many}/mcp"),
            control: "everything__test_simple_text",
            plans: aggregated.to_vec(),
        },
    ];
    own.into_iter().chain(through).collect()
}
