//! Short output schemas: the names and types of the fields, and nothing about which are always there.
//!
//! A derived schema of these results is two to three times as long, and every client pays for it in every
//! conversation.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// `name type` pairs, one per line; `[]` after a type makes it an array.
pub(crate) fn brief(fields: &[(&str, &str)]) -> Schema {
    let property = |kind: &str| match kind.strip_suffix("[]") {
        Some(item) => json!({"type": "array", "items": {"type": item}}),
        None => json!({"type": kind}),
    };
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), property(kind))).collect();
    schemars::json_schema!({"type": "object", "properties": properties})
}

/// Gives a result a brief schema.
macro_rules! brief_schema {
    ($result:ty { $($name:ident: $kind:literal),* $(,)? }) => {
        impl schemars::JsonSchema for $result {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($result).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::tools::brief::brief(&[$((stringify!($name), $kind)),*])
            }
        }
    };
}

pub(crate) use brief_schema;
