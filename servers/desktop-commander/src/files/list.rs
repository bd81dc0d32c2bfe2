//! What is in a folder.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use guard::path::{Facts, Kind};
use kernel::CallContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Files,
    walk::{Bounds, End, Ignored, Step, walk},
};
use crate::error::FileError;

// The order of a listing. Not a doc comment: see the parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    #[default]
    Name,
    // The largest first.
    Size,
    // The newest first.
    Modified,
}

/// What to list.
#[derive(Debug)]
pub(crate) struct ListOrder {
    pub(crate) path: String,
    pub(crate) show_hidden: bool,
    pub(crate) depth: u8,
    pub(crate) glob: Option<String>,
    pub(crate) sort: Sort,
    pub(crate) limit: u32,
    pub(crate) cursor: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct Listing {
    #[schemars(skip)]
    pub(crate) path: String,
    pub(crate) entries: Vec<Listed>,
    #[schemars(skip)]
    pub(crate) total: usize,
    /// The bound on entries was reached; there is more than `total`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(skip)]
    pub(crate) partial: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// One entry of a listing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct Listed {
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) size: Option<u64>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) modified: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) link_target: Option<String>,
}

impl Files {
    /// One page of what is in a folder.
    pub(crate) fn list(&self, order: &ListOrder, cx: &CallContext) -> Result<Listing, FileError> {
        let first = match &order.cursor {
            Some(cursor) => cursor.parse().map_err(|_| FileError::BadCursor)?,
            None => 0_usize,
        };
        let glob = order.glob.as_deref().map(parse_glob).transpose()?;
        let start = self.roots.resolve_readable("directory_path", &order.path)?;
        let mut bounds = Bounds::of(cx, self.limits.visit_entries_max, cx.deadline);
        bounds.depth = usize::from(order.depth);
        let mut entries = Vec::new();
        let end = walk(&self.roots, &start, &bounds, Ignored::Shown, &mut |visit| {
            if !order.show_hidden && is_hidden(&visit.entry.name) {
                return Ok(Step::Over);
            }
            if glob.as_ref().is_none_or(|glob| matches(glob, visit.relative)) {
                let facts = visit.folder.facts(&visit.entry.name).ok();
                let target = match visit.entry.kind {
                    Kind::Link => visit.folder.link_target(&visit.entry.name).ok(),
                    _ => None,
                };
                entries.push(listed(visit.relative, visit.entry.kind, facts, target.as_deref()));
            }
            Ok(Step::Into)
        })?;
        match order.sort {
            Sort::Name => {}
            Sort::Size => entries.sort_by_key(|entry| std::cmp::Reverse(entry.size)),
            Sort::Modified => entries.sort_by_key(|entry| std::cmp::Reverse(entry.modified)),
        }
        let total = entries.len();
        let limit = usize::try_from(order.limit).unwrap_or(usize::MAX);
        let next = first.saturating_add(limit);
        Ok(Listing {
            path: start.absolute().to_string_lossy().into_owned(),
            entries: entries.into_iter().skip(first).take(limit).collect(),
            total,
            partial: end == End::Bounded,
            next_cursor: (next < total).then(|| next.to_string()),
        })
    }
}

fn listed(path: &Path, kind: Kind, facts: Option<Facts>, target: Option<&Path>) -> Listed {
    let size = facts.filter(|_| kind == Kind::File).map(|it| it.size);
    Listed {
        path: path.to_string_lossy().into_owned(),
        kind: kind.as_str(),
        size,
        modified: facts.map(|it| it.modified),
        link_target: target.map(|it| it.to_string_lossy().into_owned()),
    }
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// `*` stays within one folder, `**` crosses them.
pub(super) fn parse_glob(glob: &str) -> Result<GlobMatcher, FileError> {
    let parsed = GlobBuilder::new(glob).literal_separator(true).build();
    let bad = |error: globset::Error| FileError::BadPattern { field: "glob", why: error.kind().to_string() };
    Ok(parsed.map_err(bad)?.compile_matcher())
}

/// A glob without a slash is about the name, one with a slash about the whole path.
pub(super) fn matches(glob: &GlobMatcher, path: &Path) -> bool {
    if glob.glob().glob().contains('/') {
        return glob.is_match(path);
    }
    path.file_name().is_some_and(|name| glob.is_match(name))
}
