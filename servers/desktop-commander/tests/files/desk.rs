//! A connected server on a folder of its own.

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

    /// With a config section.
    pub(crate) async fn with(config: Value) -> Self {
        Self::open(tempfile::tempdir().unwrap(), config).await
    }

    /// In memory where there is such a file system: for trees that take a disk minutes to make.
    pub(crate) async fn in_memory() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self::open(dir, json!({})).await
    }

    async fn open(dir: tempfile::TempDir, config: Value) -> Self {
        for folder in ["root", "state", "out"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let start = StartContext {
            state_dir: dir.path().join("state"),
            roots: vec![dir.path().join("root")],
            protected: vec![dir.path().join("root/protected")],
            launcher: None,
        };
        let server = (server_desktop_commander::entry().mount)(config, start).await.unwrap();
        Self { dir, server }
    }

    /// Calls a tool as an administrator.
    pub(crate) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        self.call_with(CallContext::for_tests(), tool, args).await
    }

    pub(crate) async fn call_with(
        &self,
        cx: CallContext,
        tool: &str,
        args: Value,
    ) -> Result<Value, ToolError> {
        self.server.prepare(tool, args)?.run(cx).await.map(kernel::Output::into_value)
    }

    pub(crate) async fn ok(&self, tool: &str, args: Value) -> Value {
        let shown = format!("{tool} {args}");
        self.call(tool, args).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
    }

    /// The finer code of a refusal, or the kind's.
    pub(crate) async fn code(&self, tool: &str, args: Value) -> &'static str {
        code_of(self.call(tool, args).await)
    }

    pub(crate) async fn ok_as(&self, who: &str, tool: &str, args: Value) -> Value {
        self.call_with(as_user(who), tool, args).await.unwrap()
    }

    pub(crate) async fn code_as(&self, who: &str, tool: &str, args: Value) -> &'static str {
        code_of(self.call_with(as_user(who), tool, args).await)
    }

    pub(crate) async fn suggest(&self, argument: &str, typed: &str) -> Vec<String> {
        self.server.complete("read_file", argument, typed).await
    }

    pub(crate) async fn undo(&self, change: &Value) -> Value {
        self.ok("undo_change", json!({"change_id": change["change_id"]})).await
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    pub(crate) fn put(&self, path: &str, content: &str) {
        self.put_bytes(path, content.as_bytes());
    }

    pub(crate) fn put_bytes(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    pub(crate) fn trash_entries(&self) -> usize {
        fs::read_dir(self.dir.path().join("state/trash")).unwrap().count()
    }
}

fn as_user(who: &str) -> CallContext {
    let principal = Principal {
        id: who.into(),
        kind: PrincipalKind::Agent,
        roles: vec!["operator".into()],
        token_id: None,
    };
    CallContext { principal: Arc::new(principal), ..CallContext::for_tests() }
}

fn code_of(outcome: Result<Value, ToolError>) -> &'static str {
    let error = outcome.unwrap_err();
    error.reason.unwrap_or(error.kind.code())
}
