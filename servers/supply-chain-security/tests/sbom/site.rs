//! One root, one mounted server, and a way to call it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use kernel::{CallContext, ErrorKind, Mounted, ServerEntry, StartContext, ToolError};
use serde_json::{Value, json};
use server_supply_chain_security::SupplyChainSecurity;
use tempfile::TempDir;

pub(crate) struct Site {
    pub(crate) root: TempDir,
    server: Arc<dyn Mounted>,
    _state: TempDir,
}

impl Site {
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with(json!({}), files).await
    }

    pub(crate) async fn with(config: Value, files: &[(&str, &str)]) -> Self {
        let (root, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        files.iter().for_each(|(path, text)| write(root.path(), path, text.as_bytes()));
        let start = StartContext {
            state_dir: state.path().to_owned(),
            roots: vec![root.path().to_owned()],
            protected: Vec::new(),
            launcher: None,
        };
        let server = (ServerEntry::of::<SupplyChainSecurity>().mount)(config, start).await.unwrap();
        Self { root, server, _state: state }
    }

    pub(crate) fn file(&self, path: &str, bytes: impl AsRef<[u8]>) {
        write(self.root.path(), path, bytes.as_ref());
    }

    pub(crate) async fn call(&self, tool: &str, args: Value) -> Result<Value, ToolError> {
        Ok(self.server.prepare(tool, args)?.run(CallContext::for_tests()).await?.into_value())
    }

    pub(crate) async fn ok(&self, tool: &str, args: Value) -> Value {
        self.call(tool, args).await.unwrap()
    }

    pub(crate) async fn refusal(&self, tool: &str, args: Value) -> (ErrorKind, Option<String>) {
        let error = self.call(tool, args).await.unwrap_err();
        (error.kind, error.field)
    }

    pub(crate) async fn sbom(&self, target: &str) -> Sbom {
        Sbom(self.ok("generate_sbom", json!({"target": target})).await)
    }
}

pub(crate) fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// The SBOM of a project given as files, one line a component: `purl scope`, with `!` for unresolved ones.
pub(crate) async fn components(files: &[(&str, &str)]) -> Vec<String> {
    Site::new(files).await.sbom(".").await.components()
}

pub(crate) struct Sbom(pub(crate) Value);

impl Sbom {
    pub(crate) fn summary(&self) -> &Value {
        &self.0["summary"]
    }

    pub(crate) fn all(&self) -> &Vec<Value> {
        self.0["document"]["components"].as_array().unwrap()
    }

    /// Everything but the target's own projects, sorted.
    pub(crate) fn components(&self) -> Vec<String> {
        let line = |it: &Value| {
            let open = if has(it, "core-mcp:unresolved") { " !" } else { "" };
            let scope = it["scope"].as_str().unwrap();
            format!("{} {scope}{open}", it["purl"].as_str().unwrap().trim_start_matches("pkg:"))
        };
        let mut lines: Vec<String> =
            self.all().iter().filter(|it| !has(it, "core-mcp:project")).map(line).collect();
        lines.sort();
        lines
    }

    pub(crate) fn find(&self, name: &str) -> &Value {
        self.all().iter().find(|it| it["name"] == name).unwrap()
    }

    /// `from > to to`, by name, of everything that needs something.
    pub(crate) fn edges(&self) -> Vec<String> {
        let mut names: BTreeMap<&str, &str> = BTreeMap::from([("root", "root")]);
        let described = &self.0["document"]["metadata"]["component"];
        for it in self.all().iter().chain([described]) {
            names.insert(it["bom-ref"].as_str().unwrap(), it["name"].as_str().unwrap());
        }
        let line = |it: &Value| {
            let mut to: Vec<&str> =
                it["dependsOn"].as_array()?.iter().map(|it| names[it.as_str().unwrap()]).collect();
            to.sort_unstable();
            let to = to.join(" ");
            Some(format!("{} > {to}", names[it["ref"].as_str().unwrap()]))
        };
        let mut all: Vec<String> =
            self.0["document"]["dependencies"].as_array().unwrap().iter().filter_map(line).collect();
        all.sort();
        all
    }
}

fn has(component: &Value, property: &str) -> bool {
    component["properties"].as_array().into_iter().flatten().any(|it| it["name"] == property)
}
