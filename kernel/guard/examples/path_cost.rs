//! What the path guard costs: a small file read through it, beside a plain `std::fs::read`.
//!
//! `cargo run --release -p guard --example path_cost`.

use std::{fs, path::Path, time::Instant};

use guard::path::Roots;

const ROUNDS: u32 = 20_000;
const SAMPLES: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("a/b/c");
    fs::create_dir_all(&folder)?;
    let file = folder.join("f");
    fs::write(&file, [b'x'; 4096])?;
    let roots = Roots::open(&[dir.path().canonicalize()?], &[])?;
    let plain = median(|| fs::read(&file).map(|bytes| bytes.len()).unwrap_or(0));
    let guarded = median(|| read(&roots, Path::new("a/b/c/f")));
    println!("plain {plain:.2} µs, guarded {guarded:.2} µs, {:.1} times", guarded / plain);
    Ok(())
}

fn read(roots: &Roots, path: &Path) -> usize {
    let found = roots.resolve_readable("path", path.to_str().unwrap_or_default());
    found.and_then(|it| it.read(1 << 20)).map_or(0, |bytes| bytes.len())
}

/// The median of some samples, in microseconds a round.
fn median(mut work: impl FnMut() -> usize) -> f64 {
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..ROUNDS {
                assert_eq!(std::hint::black_box(work()), 4096);
            }
            started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}
