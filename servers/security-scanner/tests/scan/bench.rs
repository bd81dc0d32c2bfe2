//! One root, one mounted server, and a way to call it.

use std::{path::PathBuf, sync::Arc};

use kernel::{CallContext, ErrorKind, Mounted, ServerEntry, StartContext, ToolError};
use serde_json::{Value, json};
use server_security_scanner::{Dice, SecurityScanner, fill};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) root: TempDir,
    state: TempDir,
    server: Arc<dyn Mounted>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn with(config: Value) -> Self {
        let (root, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = mount(&root, &state, config, Vec::new()).await.unwrap();
        Self { root, state, server }
    }

    /// The same folders under another configuration.
    pub(crate) async fn again(self, config: Value, protected: Vec<PathBuf>) -> Self {
        let server = mount(&self.root, &self.state, config, protected).await.unwrap();
        Self { server, ..self }
    }

    /// Writes a file whose text is a template: `<hex:32>` becomes 32 hex digits.
    pub(crate) fn file(&self, path: &str, template: &str) -> String {
        let text = fill(template, &mut Dice::new(path.len() as u64));
        self.bytes(path, text.as_bytes());
        text
    }

    pub(crate) fn bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.call_in(tool, args, CallContext::for_tests()).await
    }

    pub(crate) async fn call_in(&self, tool: &str, args: Value, cx: CallContext) -> Result<Value, ToolError> {
        self.server.prepare(tool, args)?.run(cx).await.map(kernel::Output::into_value)
    }

    pub(crate) async fn scan(&self, args: Value) -> Value {
        let mut all = json!({"file_path": ".", "scan_type": "all"});
        all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
        self.call("file_security_scan", all).await.unwrap()
    }

    pub(crate) async fn refusal(&self, tool: &str, args: Value) -> (ErrorKind, Option<&'static str>) {
        let error = self.call(tool, args).await.unwrap_err();
        (error.kind, error.reason)
    }
}

async fn mount(
    root: &TempDir,
    state: &TempDir,
    config: Value,
    protected: Vec<PathBuf>,
) -> Result<Arc<dyn Mounted>, kernel::StartError> {
    let start = StartContext {
        state_dir: state.path().to_owned(),
        roots: vec![root.path().to_owned()],
        protected,
        launcher: None,
    };
    (ServerEntry::of::<SecurityScanner>().mount)(config, start).await
}

/// `rule@path:line` of every finding on the page.
pub(crate) fn places(report: &Value) -> Vec<String> {
    let place = |it: &Value| {
        let at = &it["location"];
        format!("{}@{}:{}", it["rule"].as_str().unwrap(), at["path"].as_str().unwrap(), at["line"])
    };
    report["findings"].as_array().unwrap().iter().map(place).collect()
}
