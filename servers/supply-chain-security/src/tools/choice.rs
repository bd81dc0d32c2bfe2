//! What several tools need to read their arguments.

use guard::path::Roots;
use kernel::ToolError;
use serde_json::Value;

use crate::{
    SupplyChainSecurity,
    engine::{
        bom::Bom,
        component::{Component, Scope},
        purl,
        scan::Scanned,
    },
    error::SupplyError,
};

/// For flags that are set unless said otherwise.
pub(super) fn yes() -> bool {
    true
}

/// Items of a page.
pub(super) fn hundred() -> u32 {
    100
}

/// Whether a component belongs into a result that may leave out what only development needs.
pub(super) fn keeps(include_dev: bool) -> impl Fn(&Component) -> bool {
    move |it| include_dev || it.scope != Scope::Dev
}

/// A JSON document that a path argument names.
pub(super) fn document(
    server: &SupplyChainSecurity,
    field: &'static str,
    path: &str,
) -> Result<Value, ToolError> {
    let bytes = server.roots.resolve_readable(field, path)?.read(server.config.file_bytes_max)?;
    let broken = |error: serde_json::Error| SupplyError::Document(field, format!("it is no JSON: {error}"));
    Ok(serde_json::from_slice(&bytes).map_err(broken)?)
}

/// A bill of materials that a path argument names, or one made of the folder it names.
pub(super) fn bom(scanned: &Scanned, path: &str) -> Bom {
    let mut bom = Bom::of(&scanned.inventory, path, |_| true);
    bom.losses.clone_from(&scanned.inventory.losses);
    if let Some(name) = &scanned.inventory.described {
        bom.name.clone_from(name);
    }
    bom
}

/// Package URLs as components.
pub(super) fn products(field: &str, purls: &[String]) -> Result<Vec<Component>, ToolError> {
    let parse = |it: &String| {
        purl::parse(it).ok_or_else(|| {
            ToolError::invalid(field, "every product is a package URL").hint("write pkg:npm/name@1.2.3")
        })
    };
    purls.iter().map(parse).collect()
}

/// Whether two roots paths name the same place is the guard's business; this only reads small text files.
pub(super) fn text(roots: &Roots, field: &str, path: &str, bytes_max: u64) -> Result<String, ToolError> {
    let bytes = roots.resolve_readable(field, path)?.read(bytes_max)?;
    String::from_utf8(bytes)
        .map_err(|_| ToolError::invalid(field, "the file is UTF-8 text").hint("name another file"))
}
