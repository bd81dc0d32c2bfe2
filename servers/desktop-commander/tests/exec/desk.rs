//! A connected server with a root, something outside it, and a launcher.

use std::{fs, path::PathBuf, sync::Arc};

use kernel::{CallContext, Mounted, Principal, PrincipalKind, StartContext, ToolError};
use serde_json::{Value, json};

pub(crate) struct Desk {
    dir: tempfile::TempDir,
    server: Arc<dyn Mounted>,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn with(exec: Value) -> Self {
        Self::with_launcher(exec, Some(env!("CARGO_BIN_EXE_desktop-commander-launcher").into())).await
    }

    pub(crate) async fn with_launcher(exec: Value, launcher: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["root", "state", "out", "root/protected"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("out/secret"), "the secret").unwrap();
        let start = StartContext {
            state_dir: dir.path().join("state"),
            roots: vec![dir.path().join("root")],
            // Nothing is there unless a test makes it, so that the root itself can be written to.
            protected: vec![dir.path().join("elsewhere")],
            launcher,
        };
        fs::remove_dir(dir.path().join("root/protected")).unwrap();
        let server = (server_desktop_commander::entry().mount)(json!({"exec": exec}), start).await.unwrap();
        Self { dir, server }
    }

    pub(crate) fn root(&self) -> PathBuf {
        fs::canonicalize(self.dir.path().join("root")).unwrap()
    }

    pub(crate) fn out(&self) -> PathBuf {
        fs::canonicalize(self.dir.path().join("out")).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }

    pub(crate) async fn call_with(
        &self,
        cx: CallContext,
        tool: &str,
        args: Value,
    ) -> Result<Value, ToolError> {
        let answer = self.server.prepare(tool, args)?.run(cx).await?.into_value();
        // What comes back is what the listing promises.
        let spec = self.server.specs().iter().find(|spec| spec.name == tool).unwrap();
        for key in answer.as_object().unwrap().keys() {
            assert!(spec.output_schema["properties"].get(key).is_some(), "{tool} promises no `{key}`");
        }
        Ok(answer)
    }

    pub(crate) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.call_with(CallContext::for_tests(), tool, args).await
    }

    pub(crate) async fn ok(&self, tool: &str, args: Value) -> Value {
        let shown = format!("{tool} {args}");
        self.call(tool, args).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
    }

    /// The finer code of a refusal, or the kind's.
    pub(crate) async fn code(&self, tool: &str, args: Value) -> &'static str {
        let shown = format!("{tool} {args}");
        match self.call(tool, args).await {
            Ok(value) => panic!("{shown} worked: {value}"),
            Err(error) => error.reason.unwrap_or(error.kind.code()),
        }
    }

    /// Runs a command that must end with code 0 and gives back its standard output.
    pub(crate) async fn sh(&self, command: &str) -> String {
        let result = self.run(command).await;
        assert_eq!(result["exit_code"], 0, "{command}: {result}");
        result["stdout"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn run(&self, command: &str) -> Value {
        self.ok("execute_command", json!({"command": command})).await
    }
}

pub(crate) fn as_user(id: &str) -> CallContext {
    let principal =
        Principal { id: id.into(), kind: PrincipalKind::Service, roles: Vec::new(), token_id: None };
    CallContext { principal: Arc::new(principal), ..CallContext::for_tests() }
}
