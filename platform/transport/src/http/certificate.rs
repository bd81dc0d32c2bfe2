//! Reading a client certificate that TLS has verified: its hash and the names a CA wrote into it.

use pipeline::seams::ClientCertificate;
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Alternative names of one certificate that are looked at.
const NAMES_MAX: usize = 100;

/// What the certificate says; `None` when it cannot be read after all.
pub(super) fn read(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let certificate = EndEntityCert::try_from(der).ok()?;
    let dns = certificate.valid_dns_names().map(|it| format!("dns:{it}"));
    let uris = certificate.valid_uri_names().map(|it| format!("uri:{it}"));
    let names = dns.chain(uris).take(NAMES_MAX).collect();
    Some(certificate_of(der, names, certificate.subject()))
}

/// What a verified certificate says. `names` are its alternative names as a TLS library read them; `subject` is
/// its subject in DER.
fn certificate_of(der: &[u8], names: Vec<String>, subject: &[u8]) -> ClientCertificate {
    let sha256 = digest(&SHA256, der).as_ref().try_into().expect("SHA-256 has 32 bytes");
    let names = names.into_iter().chain(common_name(subject).map(|it| format!("cn:{it}"))).collect();
    ClientCertificate { sha256, names }
}

/// The common name (2.5.4.3) of a subject, when there is exactly one and it is plain text.
fn common_name(subject: &[u8]) -> Option<String> {
    const SET: u8 = 0x31;
    const SEQUENCE: u8 = 0x30;
    const OID: u8 = 0x06;
    const UTF8: u8 = 0x0c;
    const PRINTABLE: u8 = 0x13;
    const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
    let mut found = None;
    let mut sets = subject;
    while !sets.is_empty() {
        let (tag, mut attributes, rest) = element(sets)?;
        sets = rest;
        if tag != SET {
            return None;
        }
        while !attributes.is_empty() {
            let (tag, attribute, rest) = element(attributes)?;
            attributes = rest;
            let (oid_tag, oid, value) = element(attribute)?;
            if tag != SEQUENCE || oid_tag != OID {
                return None;
            }
            if oid == COMMON_NAME {
                let (tag, text, _) = element(value)?;
                let text = String::from_utf8(text.to_vec()).ok()?;
                let is_text = matches!(tag, UTF8 | PRINTABLE) && !text.chars().any(char::is_control);
                if !is_text || found.replace(text).is_some() {
                    return None;
                }
            }
        }
    }
    found
}

/// One DER element: tag, content, rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn attribute(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        der(0x31, &der(0x30, &[der(0x06, oid), der(tag, text)].concat()))
    }

    #[test]
    fn a_common_name_is_read_when_it_is_the_only_one_and_plain() {
        let (cn, org): (&[u8], &[u8]) = (&[0x55, 4, 3], &[0x55, 4, 10]);
        let one = [attribute(org, 0x0c, b"Example"), attribute(cn, 0x0c, b"ci bot")].concat();
        assert_eq!(common_name(&one).as_deref(), Some("ci bot"));
        assert_eq!(common_name(&attribute(cn, 0x13, b"ci")).as_deref(), Some("ci"));
        for subject in [
            [attribute(cn, 0x0c, b"a"), attribute(cn, 0x0c, b"b")].concat(),
            attribute(cn, 0x0c, b"a\0b"),
            attribute(cn, 0x0c, b"\xff"),
            attribute(cn, 0x04, b"a"),
            attribute(org, 0x0c, b"a"),
            one[..one.len() - 1].to_vec(),
            vec![0x31, 0x84, 1, 1, 1, 1],
            vec![0x31],
            vec![],
        ] {
            assert_eq!(common_name(&subject), None, "{subject:?}");
        }
    }
}
