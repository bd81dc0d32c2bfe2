//! What one authentication costs: `cargo run --release -p identity --example authenticate_cost`.
//!
//! Prints the median of nanoseconds for a valid and for an unknown token, with 1000 tokens in the file.

use std::{hint::black_box, time::Instant};

use identity::{IdentityStore, TokenOptions};
use kernel::{PrincipalKind, Secret};
use pipeline::seams::Identity;
use store::DataDir;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("core-mcp-authenticate-cost-{}", std::process::id()));
    let measured = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn measure(dir: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let identities = IdentityStore::open(&DataDir::open(dir)?)?;
    for number in 0..20 {
        let id = format!("user-{number}");
        identities.create_principal(&id, PrincipalKind::User)?;
        for _ in 0..49 {
            identities.create_token(&id, &TokenOptions::default())?;
        }
    }
    let valid = identities.create_token("user-0", &TokenOptions::default())?;
    let mut ended = identities.create_token("user-1", &TokenOptions::default())?;
    identities.revoke_token(&ended.info.id)?;
    show("valid", median(|| drop(black_box(identities.authenticate(&valid.secret)))));
    show("revoked", median(|| drop(black_box(identities.authenticate(&ended.secret)))));
    ended.secret = Secret::new("no token".to_owned());
    show("not a token", median(|| drop(black_box(identities.authenticate(&ended.secret)))));
    Ok(())
}

fn median(mut work: impl FnMut()) -> u128 {
    let mut times: Vec<u128> = (0..200)
        .map(|_| {
            let start = Instant::now();
            (0..1000).for_each(|_| work());
            start.elapsed().as_nanos() / 1000
        })
        .collect();
    times.sort_unstable();
    times[100]
}

fn show(what: &str, nanoseconds: u128) {
    println!("{what:<16} {nanoseconds:>8} ns (median)");
}
