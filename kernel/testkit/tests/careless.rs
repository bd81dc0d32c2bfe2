//! A server that breaks the rules about arguments must be caught, rule by rule.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use kernel::{
    BoxFuture, Caching, CallContext, Effect, ErrorKind, Facts, Health, Mounted, Output, Prepared, Resource,
    Server, ServerEntry, StartError, ToolError, ToolSpec, Traits, Trust,
};
use serde_json::{Value, json};
use testkit::{EchoServer, violations};

/// Takes everything, repeats secrets, and names other things every time it is asked.
struct Careless {
    specs: Vec<Arc<ToolSpec>>,
}

struct Taken(AtomicU32);

impl Prepared for Taken {
    fn traits(&self) -> Traits {
        Traits {
            effect: Effect::Destroy { idempotent: false },
            caching: Caching::UntilWrite,
            trust: Trust::Own,
        }
    }

    fn resources(&self) -> Vec<Resource> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        vec![Resource::new("", asked)]
    }

    fn deadline(&self) -> Option<std::time::Duration> {
        None
    }

    fn run(self: Box<Self>, _cx: CallContext) -> BoxFuture<'static, Result<Output, ToolError>> {
        Box::pin(async { Ok(Output::Typed(json!({}))) })
    }
}

impl Mounted for Careless {
    fn facts(&self) -> Arc<Facts> {
        Arc::new(EchoServer::FACTS.into())
    }

    fn specs(&self) -> &[Arc<ToolSpec>] {
        &self.specs
    }

    fn prepare(&self, _tool: &str, args: Value) -> Result<Box<dyn Prepared>, ToolError> {
        if args["message"].is_array() {
            return Err(ToolError::new(ErrorKind::ValidationFailed, format!("not a message: {args}")));
        }
        Ok(Box::new(Taken(AtomicU32::new(0))))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Ready })
    }

    fn complete<'a>(
        &'a self,
        _tool: &'a str,
        _argument: &'a str,
        _prefix: &'a str,
    ) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async { Vec::new() })
    }
}

fn echo_alone() -> Vec<ToolSpec> {
    (ServerEntry::of::<EchoServer>().specs)().into_iter().filter(|it| it.name == "echo").collect()
}

fn rules(entry: &ServerEntry) -> Vec<&'static str> {
    let mut rules: Vec<_> = violations(entry, json!({})).into_iter().map(|it| it.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn every_carelessness_is_found() {
    let entry = ServerEntry {
        specs: echo_alone,
        mount: |_, _| {
            let specs = echo_alone().into_iter().map(Arc::new).collect();
            Box::pin(async { Ok(Arc::new(Careless { specs }) as Arc<dyn Mounted>) })
        },
        ..ServerEntry::of::<EchoServer>()
    };
    assert_eq!(rules(&entry), ["A2", "A3", "A4", "A5", "E2", "E3", "R1", "R2"]);
}

#[test]
fn a_server_that_refuses_good_arguments_is_found() {
    struct Picky(Careless);
    impl Mounted for Picky {
        fn facts(&self) -> Arc<Facts> {
            self.0.facts()
        }
        fn specs(&self) -> &[Arc<ToolSpec>] {
            self.0.specs()
        }
        fn prepare(&self, tool: &str, _args: Value) -> Result<Box<dyn Prepared>, ToolError> {
            let kind = if tool == "echo" { ErrorKind::ValidationFailed } else { ErrorKind::NotFound };
            Err(ToolError::new(kind, "not today"))
        }
        fn health(&self) -> BoxFuture<'_, Health> {
            self.0.health()
        }
        fn complete<'a>(&'a self, t: &'a str, a: &'a str, p: &'a str) -> BoxFuture<'a, Vec<String>> {
            self.0.complete(t, a, p)
        }
    }
    let entry = ServerEntry {
        specs: echo_alone,
        mount: |_, _| {
            let specs = echo_alone().into_iter().map(Arc::new).collect();
            Box::pin(async { Ok(Arc::new(Picky(Careless { specs })) as Arc<dyn Mounted>) })
        },
        ..ServerEntry::of::<EchoServer>()
    };
    assert_eq!(rules(&entry), ["A1"]);
}

#[test]
fn a_server_that_does_not_start_without_its_backend_is_found() {
    let entry = ServerEntry {
        mount: |_, _| Box::pin(async { Err(StartError::new("echo", "nobody answers")) }),
        ..ServerEntry::of::<EchoServer>()
    };
    assert_eq!(rules(&entry), ["C5"]);
}

#[test]
fn a_config_section_its_schema_does_not_allow_is_found() {
    let broken = violations(&ServerEntry::of::<EchoServer>(), json!({ "no_such_key": 1 }));
    let rules: Vec<_> = broken.iter().map(|it| it.rule).collect();
    assert_eq!(rules, ["C2", "C5"]);
}
