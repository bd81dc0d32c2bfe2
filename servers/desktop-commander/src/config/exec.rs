//! What commands may run, and how.

use schemars::JsonSchema;
use serde::Deserialize;

/// Which programs may run and within which bounds.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecConfig {}
