//! Container images on disk: what `docker save` writes, and the OCI layout.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::{
    archive::{EntryKind, Tar},
    coverage::{Coverage, SkipReason},
    fields::{items, maybe, text},
    formats,
    tree::{Bounds, Tree, file_name, normal},
};

/// Bytes unpacked of one image, all layers together.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// Bytes of files kept in memory.
const KEPT_BYTES_MAX: u64 = 256 << 20;
/// A description of an image.
const JSON_BYTES_MAX: u64 = 4 << 20;
/// Members of an image archive, and layers of one image.
const MEMBERS_MAX: usize = 20_000;
const LAYERS_MAX: usize = 512;

/// An image whose files can be scanned like a folder.
pub(crate) struct Image {
    /// As its tags name it, or its digest.
    pub(crate) name: String,
    pub(crate) tree: Tree,
}

/// An image archive: members by name, with where their bytes are.
struct Members {
    file: File,
    places: BTreeMap<String, (u64, u64)>,
}

/// Reads an image archive. `Ok(None)` when the file is a tar archive of something else.
pub(crate) fn open(
    file: File,
    bounds: &Bounds,
    coverage: &mut Coverage,
    is_stopped: &dyn Fn() -> bool,
) -> io::Result<Option<Image>> {
    let mut members = Members::list(file)?;
    let Some((name, layers)) = members.layers()? else { return Ok(None) };
    let mut unpack =
        Unpack { bounds, coverage, is_stopped, files: BTreeMap::new(), left: UNPACKED_BYTES_MAX, kept: 0 };
    for layer in layers {
        if let Err(error) = members.reader(&layer).and_then(|it| unpack.layer(it)) {
            unpack.coverage.problem(&layer, format!("a layer cannot be read: {error}"));
        }
    }
    Ok(Some(Image { name, tree: Tree::Memory(unpack.files) }))
}

impl Members {
    fn list(file: File) -> io::Result<Self> {
        let mut places = BTreeMap::new();
        // A second handle shares the place in the file with the first.
        let mut whole = file.try_clone()?;
        whole.rewind()?;
        let mut tar = Tar::new(BufReader::new(whole));
        while let Some(entry) = tar.next_entry()? {
            if places.len() == MEMBERS_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the archive has too many members"));
            }
            if let Some(path) = normal(&entry.path).filter(|_| entry.kind == EntryKind::File) {
                places.insert(path, (entry.offset, entry.size));
            }
        }
        Ok(Self { file, places })
    }

    fn reader(&mut self, path: &str) -> io::Result<impl Read + use<>> {
        let (offset, size) = *self
            .places
            .get(path)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the archive lacks it"))?;
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(BufReader::new(file.take(size)))
    }

    fn json(&mut self, path: &str) -> io::Result<Option<Value>> {
        if !self.places.contains_key(path) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.reader(path)?.take(JSON_BYTES_MAX).read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from)
    }

    /// The image's name and the members that are its layers, lowest first.
    fn layers(&mut self) -> io::Result<Option<(String, Vec<String>)>> {
        if let Some(manifest) = self.json("manifest.json")? {
            let Some(image) = manifest.get(0) else { return Ok(None) };
            let tag = items(image, "RepoTags").find_map(Value::as_str);
            let name = tag.or_else(|| maybe(image, "Config")).unwrap_or("image").to_owned();
            let layers = items(image, "Layers").filter_map(Value::as_str);
            return Ok(Some((name, layers.take(LAYERS_MAX).filter_map(normal).collect())));
        }
        let Some(mut index) = self.json("index.json")? else { return Ok(None) };
        // An index may name another index; the first image of each is taken.
        for _ in 0..4 {
            if index.get("layers").is_some() {
                break;
            }
            let Some(next) = items(&index, "manifests").next().and_then(|it| blob(text(it, "digest"))) else {
                break;
            };
            let Some(inner) = self.json(&next)? else { break };
            index = inner;
        }
        let name = index.get("config").map_or("image", |it| text(it, "digest")).to_owned();
        let layers: Vec<String> =
            items(&index, "layers").take(LAYERS_MAX).filter_map(|it| blob(text(it, "digest"))).collect();
        Ok((!layers.is_empty()).then_some((name, layers)))
    }
}

/// Where a digest's bytes are in the OCI layout.
fn blob(digest: &str) -> Option<String> {
    let (algorithm, hex) = digest.split_once(':')?;
    let is_plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    (is_plain(algorithm) && is_plain(hex)).then(|| format!("blobs/{algorithm}/{hex}"))
}

struct Unpack<'a> {
    bounds: &'a Bounds,
    coverage: &'a mut Coverage,
    is_stopped: &'a dyn Fn() -> bool,
    files: BTreeMap<String, Vec<u8>>,
    left: u64,
    kept: u64,
}

impl Unpack<'_> {
    fn layer(&mut self, mut raw: impl Read) -> io::Result<()> {
        let mut head = [0; 4];
        raw.read_exact(&mut head)?;
        let whole = io::Cursor::new(head).chain(raw);
        let is_zstd = head == [0x28, 0xb5, 0x2f, 0xfd];
        if is_zstd {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "layers compressed with zstd are not read",
            ));
        }
        let is_gzip = head[..2] == [0x1f, 0x8b];
        let bytes: Box<dyn Read + '_> =
            if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
        // One byte more than is left tells a bomb from a layer that just fits.
        let mut tar = Tar::new(bytes.take(self.left.saturating_add(1)));
        let mut hidden: Vec<String> = Vec::new();
        let mut added = BTreeMap::new();
        let mut seen = 0;
        while let Some(entry) = tar.next_entry()? {
            seen = entry.offset + entry.size;
            if seen > self.left || self.coverage.files >= self.bounds.files_max || (self.is_stopped)() {
                self.coverage.truncated = true;
                return Ok(());
            }
            if entry.kind == EntryKind::Other {
                continue;
            }
            self.coverage.files += 1;
            let Some(path) = normal(entry.path.trim_start_matches('/')) else {
                self.coverage.skip(&entry.path, SkipReason::Outside);
                continue;
            };
            if let Some(name) = file_name(&path).strip_prefix(".wh.") {
                let folder = path.rsplit_once('/').map_or("", |it| it.0);
                hidden.push(if name == ".wh..opq" {
                    folder.to_owned()
                } else {
                    format!("{folder}/{name}").trim_start_matches('/').to_owned()
                });
            } else if formats::is_wanted(&path) {
                if entry.size > self.bounds.file_bytes_max || self.kept + entry.size > KEPT_BYTES_MAX {
                    self.coverage.skip(&path, SkipReason::TooLarge);
                    continue;
                }
                self.kept += entry.size;
                let data = tar.data(&entry, self.bounds.file_bytes_max)?;
                added.insert(path, data);
            }
        }
        self.left = self.left.saturating_sub(seen);
        // A layer's deletions concern the layers below it only.
        for gone in hidden {
            self.files.retain(|path, _| {
                path != &gone && !path.strip_prefix(&gone).is_some_and(|it| it.starts_with('/'))
            });
        }
        self.files.extend(added);
        Ok(())
    }
}
