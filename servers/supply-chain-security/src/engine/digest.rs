//! The spellings of digests in lock files.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use super::component::Digest;

/// Algorithm names by hex length, for digests that carry no name.
const BY_LENGTH: [(usize, &str); 5] =
    [(32, "MD5"), (40, "SHA-1"), (64, "SHA-256"), (96, "SHA-384"), (128, "SHA-512")];

/// `sha512-<base64>` as npm writes it; several are separated by blanks.
pub(crate) fn of_integrity(text: &str) -> Vec<Digest> {
    text.split_ascii_whitespace()
        .take(8)
        .filter_map(|it| {
            let (algorithm, rest) = it.split_once('-')?;
            let bytes = STANDARD.decode(rest.split('?').next()?).ok()?;
            of_hex(algorithm, &hex(&bytes))
        })
        .collect()
}

/// `sha256:<hex>` as pip, poetry and composer write it.
pub(crate) fn of_prefixed(text: &str) -> Option<Digest> {
    match text.split_once([':', '=']) {
        Some((algorithm, hex)) => of_hex(algorithm, hex),
        None => of_bare(text),
    }
}

/// A digest without the name of its algorithm.
pub(crate) fn of_bare(hex: &str) -> Option<Digest> {
    let (_, algorithm) = BY_LENGTH.iter().find(|(length, _)| *length == hex.len())?;
    of_hex(algorithm, hex)
}

/// Base64 of SHA-512, as NuGet writes it.
pub(crate) fn of_base64(text: &str) -> Option<Digest> {
    of_bare(&hex(&STANDARD.decode(text).ok()?))
}

/// A digest with its algorithm; `None` when the digits do not fit.
pub(crate) fn of_hex(algorithm: &str, text: &str) -> Option<Digest> {
    let plain = algorithm.to_ascii_lowercase().replace('-', "");
    let (algorithm, length) = match plain.as_str() {
        "md5" => ("MD5", 32),
        "sha1" => ("SHA-1", 40),
        "sha256" => ("SHA-256", 64),
        "sha384" => ("SHA-384", 96),
        "sha512" => ("SHA-512", 128),
        _ => return None,
    };
    let hex = text.trim().to_ascii_lowercase();
    let fits = hex.len() == length && hex.bytes().all(|it| it.is_ascii_hexdigit());
    fits.then_some(Digest { algorithm, hex })
}

/// SHA-256 of bytes, as hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// SHA-256 of everything that can be read, as hex.
pub(crate) fn sha256_of(mut source: impl std::io::Read) -> std::io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(hex(context.finish().as_ref())),
            got => context.update(&buffer[..got]),
        }
    }
}

/// Lower case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|it| [it >> 4, it & 15])
        .map(|it| char::from(b"0123456789abcdef"[usize::from(it)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read_and_nonsense_is_not() {
        let zeros = STANDARD.encode([0; 64]);
        assert_eq!(of_integrity(&format!("sha512-{zeros}"))[0].hex, "0".repeat(128));
        assert_eq!(of_prefixed(&format!("sha256:{}", "A".repeat(64))).unwrap().hex, "a".repeat(64));
        assert_eq!(of_bare(&"1".repeat(40)).unwrap().algorithm, "SHA-1");
        assert_eq!(of_base64(&zeros).unwrap().algorithm, "SHA-512");
        for bad in ["sha256:zz", "crc:11", "", "sha256:"] {
            assert_eq!(of_prefixed(bad), None, "{bad}");
        }
        assert!(of_integrity("sha512-%%% nonsense").is_empty());
    }
}
