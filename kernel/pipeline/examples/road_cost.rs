//! What the stages cost without the platform behind them: CPU microseconds per no-op call on stand-ins.
//!
//! `cargo run --release -p pipeline --example road_cost`. The figure with the real platform is `cargo xtask bench pipeline`.

use kernel::ServerEntry;
use pipeline::{LimitOverrides, Tuning};
use serde_json::json;
use testkit::{EchoServer, Rig};

const CALLS: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let defaults = LimitOverrides { rate_per_minute: Some(100_000_000), ..LimitOverrides::default() };
        let rig =
            Rig::new(&[ServerEntry::of::<EchoServer>()], Tuning { defaults, ..Tuning::default() }).await;
        let caller = rig.caller("admin");
        let started = std::time::Instant::now();
        for _ in 0..CALLS {
            let request = pipeline::Request {
                caller: caller.clone(),
                ..rig.request("echo.echo", json!({"message": "x"}))
            };
            rig.gate.call(request).await?;
        }
        let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS);
        println!("{micros:.2} µs a call");
        Ok(())
    })
}
