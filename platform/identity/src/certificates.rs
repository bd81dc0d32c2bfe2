//! Client certificates: whose they are, by the names a trusted CA wrote into them.

use std::collections::HashMap;

use pipeline::seams::ClientCertificate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the public ids of certificates begin with.
const ID_PREFIX: &str = "cert:";

/// One name in certificates, and the principal who holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateMapping {
    /// `dns:host.example.com`, `uri:spiffe://…` or, where a CA writes none of them, `cn:Common Name`; exactly.
    pub name: String,
    /// An existing principal (`core-mcp user list`).
    pub principal: String,
}

impl CertificateMapping {
    /// What is wrong with the name, if anything.
    pub fn fault(&self) -> Option<&'static str> {
        let rest = ["dns:", "uri:", "cn:"].iter().find_map(|it| self.name.strip_prefix(it));
        match rest {
            None => Some("a name begins with `dns:`, `uri:` or `cn:`"),
            Some(rest) if rest.is_empty() || rest.contains('*') => {
                Some("a name is written in full, without `*`")
            }
            Some(_) => None,
        }
    }
}

/// The mapping, ready to look up.
pub(crate) struct Certificates(HashMap<String, String>);

impl Certificates {
    pub(crate) fn new(mapped: &[CertificateMapping]) -> Self {
        Self(mapped.iter().map(|it| (it.name.clone(), it.principal.clone())).collect())
    }

    /// The only principal its names stand for; two different ones are nobody.
    pub(crate) fn principal_of(&self, certificate: &ClientCertificate) -> Option<&str> {
        let mut found = certificate.names.iter().filter_map(|it| self.0.get(it));
        let first = found.next()?;
        found.all(|it| it == first).then_some(first)
    }

    pub(crate) fn names(&self, principal: &str) -> bool {
        self.0.values().any(|it| it == principal)
    }
}

/// The public name of a certificate in audit records.
pub(crate) fn public_id(certificate: &ClientCertificate) -> String {
    let hex: String = certificate.sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{ID_PREFIX}{hex}")
}

pub(crate) fn is_public_id(id: &str) -> bool {
    id.starts_with(ID_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_with_names_of_two_principals_is_nobodys() {
        let mapping = |name: &str, principal: &str| CertificateMapping {
            name: name.into(),
            principal: principal.into(),
        };
        let mapped =
            Certificates::new(&[mapping("dns:a", "ann"), mapping("uri:x", "ann"), mapping("dns:b", "bob")]);
        let who = |names: &[&str]| {
            let names = names.iter().map(|it| (*it).to_owned()).collect();
            mapped.principal_of(&ClientCertificate { sha256: [0; 32], names }).map(str::to_owned)
        };
        assert_eq!(who(&["dns:a", "uri:x", "dns:unknown"]), Some("ann".into()));
        assert_eq!(who(&["dns:a", "dns:b"]), None);
        assert_eq!(who(&["dns:A"]), None);
        assert_eq!(who(&["cn:dns:a"]), None);
        assert_eq!(who(&[]), None);
    }

    #[test]
    fn names_are_written_in_full() {
        let fault =
            |name: &str| CertificateMapping { name: name.into(), principal: "ann".into() }.fault().is_some();
        assert!(!fault("dns:a.example") && !fault("uri:spiffe://x/y") && !fault("cn:A B"));
        assert!(fault("a.example") && fault("dns:") && fault("dns:*.example") && fault("email:a@b"));
    }
}
