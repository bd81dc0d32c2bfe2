//! Files, page by page.

use base64::{Engine, prelude::BASE64_STANDARD};
use kernel::{ToolError, digest_hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Files, text};
use crate::error::FileError;

/// Lines in a page unless asked otherwise.
const LINES: usize = 2000;

/// Most text in one page, in bytes. Below the size at which results become artifacts.
const PAGE_BYTES: usize = 128 * 1024;

/// Bytes in a page of base64 or hex, at most.
const RAW_BYTES: usize = 64 * 1024;

// How the content is shown. Not a doc comment: the parameter describes itself in the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    #[default]
    Text,
    Base64,
    Hex,
}

/// Which part of a file is wanted.
#[derive(Debug)]
pub(crate) struct PageOrder {
    pub(crate) encoding: String,
    pub(crate) offset: i64,
    pub(crate) length: Option<u32>,
    pub(crate) form: Form,
}

/// A part of a file. The schema names what a caller passes on; the rest of a result explains itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct FilePage {
    #[schemars(skip)]
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) lines_total: Option<usize>,
    #[schemars(skip)]
    pub(crate) bytes_total: usize,
    pub(crate) content: String,
    pub(crate) sha256: String,
    #[schemars(skip)]
    pub(crate) truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_offset: Option<i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(skip)]
    pub(crate) lossy: bool,
}

/// One file of several: its content, or why not.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = crate::tools::lean::lean)]
pub(crate) struct FileOutcome {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(crate) next_offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Files {
    /// One page of one file.
    pub(crate) fn read(&self, path: &str, order: &PageOrder) -> Result<FilePage, FileError> {
        self.read_page("file_path", path, order, PAGE_BYTES)
    }

    /// The first page of each file; together they are as large as one page. One failure fails no other.
    pub(crate) fn read_many(&self, paths: &[String]) -> Vec<FileOutcome> {
        let bytes = (PAGE_BYTES / paths.len().max(1)).max(2048);
        let order = PageOrder { encoding: "utf-8".to_owned(), offset: 0, length: None, form: Form::Text };
        let outcome = |path: &String| match self.read_page("file_paths", path, &order, bytes) {
            Ok(page) => FileOutcome {
                path: path.clone(),
                content: Some(page.content),
                sha256: Some(page.sha256),
                next_offset: page.next_offset,
                error: None,
            },
            Err(error) => {
                let error = ToolError::from(error);
                let code = error.reason.unwrap_or(error.kind.code());
                let error = Some(format!("{code}: {error}"));
                FileOutcome { path: path.clone(), content: None, sha256: None, next_offset: None, error }
            }
        };
        paths.iter().map(outcome).collect()
    }

    fn read_page(
        &self,
        field: &str,
        path: &str,
        order: &PageOrder,
        page_bytes: usize,
    ) -> Result<FilePage, FileError> {
        let file = self.roots.resolve_readable(field, path)?;
        let bytes = file.read(self.limits.read_bytes_max)?;
        let mut page = FilePage {
            path: file.absolute().to_string_lossy().into_owned(),
            encoding: None,
            lines_total: None,
            bytes_total: bytes.len(),
            content: String::new(),
            sha256: digest_hex(&bytes),
            truncated: false,
            next_offset: None,
            lossy: false,
        };
        let length = order.length.and_then(|it| usize::try_from(it).ok());
        if order.form == Form::Text {
            let text = text::decode(&bytes, &order.encoding)?;
            let lines = text::page(&text.content, order.offset, length.unwrap_or(LINES), page_bytes);
            page.encoding = Some(text.encoding);
            page.lossy = text.lossy;
            page.lines_total = Some(lines.total);
            page.truncated = lines.cut || lines.next.is_some();
            page.next_offset = lines.next.map(offset_of);
            page.content = lines.content.to_owned();
        } else {
            let count = length.unwrap_or(RAW_BYTES).min(RAW_BYTES);
            let (part, next) = text::slice(&bytes, order.offset, count);
            page.content = if order.form == Form::Hex { hex(part) } else { BASE64_STANDARD.encode(part) };
            page.truncated = next.is_some();
            page.next_offset = next.map(offset_of);
        }
        Ok(page)
    }
}

/// Files are at most a gibibyte, so every offset fits.
fn offset_of(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
