//! One gate between AI agents and real infrastructure.

fn main() {}
