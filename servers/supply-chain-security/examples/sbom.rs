//! Prints the SBOM of a path: `sbom PATH [cyclonedx-1.6|cyclonedx-1.7|spdx-2.3|spdx-3.0]`.

use std::{path::Path, process::ExitCode};

use server_supply_chain_security::{BomFormat, sbom_of_path};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| ".".to_owned());
    let format = match args.next().as_deref() {
        None | Some("cyclonedx-1.6") => BomFormat::CycloneDx16,
        Some("cyclonedx-1.7") => BomFormat::CycloneDx17,
        Some("spdx-2.3") => BomFormat::Spdx23,
        Some("spdx-3.0") => BomFormat::Spdx30,
        Some(_) => return usage(),
    };
    match sbom_of_path(Path::new(&path), format) {
        Ok(document) => {
            println!("{document}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: sbom PATH [cyclonedx-1.6|cyclonedx-1.7|spdx-2.3|spdx-3.0]");
    ExitCode::from(2)
}
