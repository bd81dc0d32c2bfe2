//! Reads tar archives, entry by entry, within bounds.
//!
//! Own code, because the usual crate reads extension headers of any length into memory, which a few bytes of
//! compressed input can make gigabytes.

use std::io::{self, Read};

const BLOCK: usize = 512;
/// A long name or a set of extended attributes.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;

/// What an entry is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Other,
}

/// One entry; its data is read with [`Tar::data`] before the next one is asked for.
#[derive(Debug)]
pub(crate) struct TarEntry {
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
    pub(crate) size: u64,
    /// Where its data begins, counted from the start of the archive.
    pub(crate) offset: u64,
}

/// An archive that is read once, from its start.
pub(crate) struct Tar<R> {
    inner: R,
    /// Bytes of the current entry that were not read yet, with their padding.
    left: u64,
    position: u64,
}

impl<R: Read> Tar<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, left: 0, position: 0 }
    }

    /// The next entry, `None` at the end.
    pub(crate) fn next_entry(&mut self) -> io::Result<Option<TarEntry>> {
        let (mut long, mut pax_size) = (None, None);
        loop {
            self.skip()?;
            let mut header = [0; BLOCK];
            if !self.fill(&mut header)? || header.iter().all(|it| *it == 0) {
                return Ok(None);
            }
            if !has_checksum(&header) {
                return Err(broken("a header's checksum is wrong"));
            }
            let size = number(&header[124..136]).ok_or_else(|| broken("a size is no number"))?;
            match header[156] {
                b'L' => long = Some(text(&self.extension(size)?)),
                b'x' => {
                    let records = self.extension(size)?;
                    long = record(&records, b"path").map(text).or(long);
                    pax_size = record(&records, b"size").and_then(|it| text(it).parse().ok());
                }
                b'K' | b'g' => drop(self.extension(size)?),
                kind => {
                    let size = pax_size.unwrap_or(size);
                    let is_file = matches!(kind, b'0' | 0 | b'7');
                    let kept = if is_file { size } else { 0 };
                    self.left = padded(kept)?;
                    let path = long.unwrap_or_else(|| name(&header));
                    let kind = if is_file { EntryKind::File } else { EntryKind::Other };
                    return Ok(Some(TarEntry { path, kind, size: kept, offset: self.position }));
                }
            }
        }
    }

    /// The current entry's data, at most `bytes_max` of it.
    pub(crate) fn data(&mut self, entry: &TarEntry, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        let wanted = entry.size.min(bytes_max);
        let got = (&mut self.inner).take(wanted).read_to_end(&mut data)? as u64;
        self.position += got;
        self.left = self.left.saturating_sub(got);
        if got < wanted { Err(broken("an entry ends early")) } else { Ok(data) }
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_BYTES_MAX {
            return Err(broken("an extension header is too long"));
        }
        self.left = padded(size)?;
        let entry = TarEntry { path: String::new(), kind: EntryKind::Other, size, offset: self.position };
        self.data(&entry, size)
    }

    fn skip(&mut self) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.inner).take(self.left), &mut io::sink())?;
        self.position += skipped;
        if skipped < self.left {
            return Err(broken("the archive ends early"));
        }
        self.left = 0;
        Ok(())
    }

    /// Whether there was a whole block; an archive may end without its two empty ones.
    fn fill(&mut self, block: &mut [u8; BLOCK]) -> io::Result<bool> {
        let mut got = 0;
        while got < BLOCK {
            match self.inner.read(&mut block[got..])? {
                0 if got == 0 => return Ok(false),
                0 => return Err(broken("a header ends early")),
                more => got += more,
            }
        }
        self.position += BLOCK as u64;
        Ok(true)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn padded(size: u64) -> io::Result<u64> {
    size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| broken("a size is too large"))
}

fn has_checksum(header: &[u8; BLOCK]) -> bool {
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, it)| if (148..156).contains(&at) { 32 } else { u64::from(*it) })
        .sum();
    number(&header[148..156]) == Some(sum)
}

/// Octal digits, or binary when the first bit says so.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let bytes = &field[1..];
        return bytes.iter().try_fold(u64::from(field[0] & 0x7f), |sum, it| {
            sum.checked_mul(256)?.checked_add(u64::from(*it))
        });
    }
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|it| *it == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn name(header: &[u8; BLOCK]) -> String {
    let prefix = if &header[257..262] == b"ustar" { text(&header[345..500]) } else { String::new() };
    let name = text(&header[..100]);
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// The value of one extended attribute: `length key=value\n`.
fn record<'a>(records: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = records;
    while !rest.is_empty() {
        let blank = rest.iter().position(|it| *it == b' ')?;
        let length: usize = text(&rest[..blank]).parse().ok()?;
        let whole = rest.get(blank + 1..length)?;
        let (name, value) = whole.split_at(whole.iter().position(|it| *it == b'=')?);
        if name == key {
            return value.get(1..).map(|it| it.strip_suffix(b"\n").unwrap_or(it));
        }
        rest = rest.get(length..)?;
    }
    None
}
