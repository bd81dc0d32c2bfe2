use std::time::Duration;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    SecurityScanner,
    audit::{Audit, Level},
    manifests,
    server::DEADLINE,
};

/// Checks the packages of a Python project for known vulnerabilities, offline.
///
/// `verdict` is `unknown`, never `clean`, when there is no vulnerability data or a requirement is not pinned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PythonSafetyCheck {
    /// A requirement file, or a lock file of pipenv, poetry, pdm or uv.
    #[schemars(length(min = 1, max = 4096))]
    requirements_path: String,
}

impl Tool for PythonSafetyCheck {
    type Server = SecurityScanner;
    type Output = Audit;

    const META: Meta = Meta {
        name: "python_safety_check",
        title: "Check Python packages for known vulnerabilities",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.requirements_path)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<Audit, ToolError> {
        let named = manifests::python(&server.roots, "requirements_path", &self.requirements_path)?;
        server.audit(named.ecosystem, named.sources, named.inventory, Level::Low, cx).await
    }
}
