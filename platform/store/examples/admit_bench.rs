//! What admitting one call to its context costs: `admit_bench [ROUNDS]`. Prints the median as JSON.

use std::{error::Error, time::Instant};

use kernel::{Principal, PrincipalKind};
use pipeline::seams::Contexts;
use store::{ContextOptions, ContextStore, DataDir};

const CONTEXTS: usize = 1000;
const CALLS: u32 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(9), |it| it.parse())?;
    let folder = tempfile::tempdir()?;
    let data = DataDir::open(folder.path())?;
    let contexts = ContextStore::open(&data.state_db(), ContextOptions::default())?;
    let owner =
        Principal { id: "ci-bot".into(), kind: PrincipalKind::Service, roles: Vec::new(), token_id: None };
    let servers: Vec<String> = (0..15).map(|n| format!("server-{n}")).collect();
    for n in 0..CONTEXTS {
        contexts.create(&format!("deployment_{n}"), &owner, &servers, None)?;
    }
    let mut nanoseconds = Vec::new();
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        for _ in 0..CALLS {
            contexts.admit("deployment_500", &owner, "server-14")?;
        }
        nanoseconds.push(start.elapsed().as_nanos() / u128::from(CALLS));
    }
    nanoseconds.sort_unstable();
    let median = nanoseconds[nanoseconds.len() / 2];
    println!("{}", format_args!("{{\"bench\":\"admit\",\"contexts\":{CONTEXTS},\"ns_per_admit\":{median}}}"));
    Ok(())
}
