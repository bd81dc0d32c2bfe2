//! What one decision costs: `cargo run --release -p policy --example decision_cost`.
//!
//! Prints the median of nanoseconds per decision for the shipped policies: asked of Cedar (cold), answered from
//! memory, and answered from memory when the key must cover a resource id; and the same with 500 more
//! policies of an operator's own. No figure is asserted: a timed test fails on a busy machine.

use std::{hint::black_box, path::Path, time::Instant};

use kernel::{Effect, Principal, PrincipalKind, Resource, ServerFacts, ToolSpec};
use pipeline::seams::{Action, Policy, PolicyQuestion};
use policy::{Manifest, PolicyEngine};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:<44} {:>12}", "decision", "ns (median)");
    for own in [0, 500] {
        let dir = std::env::temp_dir().join(format!("core-mcp-decision-cost-{}-{own}", std::process::id()));
        policy::write_defaults(&dir)?;
        std::fs::write(dir.join("own.cedar"), own_policies(own))?;
        let measured = measure(&dir, own);
        std::fs::remove_dir_all(&dir)?;
        measured?;
    }
    Ok(())
}

/// Half of them about one server, as a slice meets them; one looks at resources.
fn own_policies(count: usize) -> String {
    let one = |number: usize| {
        let server =
            if number.is_multiple_of(2) { "docker-manager".to_owned() } else { format!("other-{number}") };
        format!(
            "permit (principal in Role::\"team-{number}\", action, resource in Server::\"{server}\")\n\
             when {{ resource.effect == \"read\" && context.door == \"http\" }};\n"
        )
    };
    (0..count).map(one).collect()
}

fn measure(dir: &Path, own: usize) -> Result<(), Box<dyn std::error::Error>> {
    let effect = Effect::Write { idempotent: true };
    let (engine, report) = PolicyEngine::open(dir, manifest(effect))?;
    let principal = Principal {
        id: "ana".into(),
        kind: PrincipalKind::User,
        roles: vec!["operator".into(), "viewer".into()],
        token_id: None,
    };
    let resources = [Resource::new("file", "/srv/app/src/main.rs")];
    let question = PolicyQuestion {
        principal: &principal,
        action: Action::Execute,
        server: "docker-manager",
        category: "Infrastructure",
        tool: Some("docker_build"),
        effect: Some(effect),
        resources: &resources,
        door: "http",
        context: None,
    };
    let label = |what: &str| format!("{} policies, {what}", report.policies);
    show(&label("cold"), median(200, 50, || drop(black_box(engine.explain(&question)))));
    show(&label("from memory"), median(200, 1000, || drop(black_box(engine.decide(&question)))));
    if own == 0 {
        let many: Vec<_> =
            (0..64).map(|number| Resource::new("file", format!("/srv/app/{number}"))).collect();
        let question = PolicyQuestion { resources: &many, ..question };
        show(
            &label("from memory, 64 resources"),
            median(200, 1000, || drop(black_box(engine.decide(&question)))),
        );
    }
    Ok(())
}

fn manifest(effect: Effect) -> Manifest {
    let facts = ServerFacts {
        name: "docker-manager",
        version: "1.0.0",
        category: "Infrastructure",
        aliases: &[],
        description: "",
        concurrency: 1,
        open_world: false,
    };
    let spec = ToolSpec {
        server: facts.name.into(),
        name: "docker_build".into(),
        title: String::new(),
        description: String::new(),
        input_schema: serde_json::Value::Null,
        output_schema: serde_json::Value::Null,
        effect,
        open_world: false,
        permission: String::new(),
        long: false,
        raw: None,
    };
    Manifest::new().server(facts, [&spec])
}

fn median(samples: usize, rounds: u32, mut work: impl FnMut()) -> u128 {
    let mut times: Vec<u128> = (0..samples)
        .map(|_| {
            let start = Instant::now();
            (0..rounds).for_each(|_| work());
            start.elapsed().as_nanos() / u128::from(rounds)
        })
        .collect();
    times.sort_unstable();
    times[samples / 2]
}

fn show(what: &str, nanoseconds: u128) {
    println!("{what:<44} {nanoseconds:>12}");
}
