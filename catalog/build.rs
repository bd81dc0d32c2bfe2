//! Writes `native_servers()` from the `server-*` lines of this crate's manifest.

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=Cargo.toml");
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))?;
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?;
    fs::write(PathBuf::from(out).join("native_servers.rs"), code_for(&manifest))?;
    Ok(())
}

/// An array expression that calls `entry()` of every server crate, in manifest order.
fn code_for(manifest: &str) -> String {
    let entries: Vec<String> = manifest
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|key| key.starts_with("server-"))
        .map(|key| format!("{}::entry()", key.replace('-', "_")))
        .collect();
    format!("vec![{}]", entries.join(", "))
}
