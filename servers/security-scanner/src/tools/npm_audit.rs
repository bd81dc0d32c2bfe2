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

/// Checks the packages of an npm project for known vulnerabilities, offline.
///
/// Reads the lock file beside `package.json`, or what is installed. `verdict` is `unknown`, never `clean`, when there
/// is no vulnerability data or a version is not known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NpmAudit {
    /// `package.json`, its folder, or a lock file.
    #[schemars(length(min = 1, max = 4096))]
    package_json_path: String,
    /// Leave out what is less severe.
    #[serde(default = "moderate")]
    audit_level: Level,
}

fn moderate() -> Level {
    Level::Moderate
}

impl Tool for NpmAudit {
    type Server = SecurityScanner;
    type Output = Audit;

    const META: Meta = Meta {
        name: "npm_audit",
        title: "Check npm packages for known vulnerabilities",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::new("file", &self.package_json_path)]
    }

    fn deadline(&self) -> Option<Duration> {
        Some(DEADLINE)
    }

    async fn call(self, server: &SecurityScanner, cx: &CallContext) -> Result<Audit, ToolError> {
        let named = manifests::npm(&server.roots, "package_json_path", &self.package_json_path)?;
        server.audit(named.ecosystem, named.sources, named.inventory, self.audit_level, cx).await
    }
}
