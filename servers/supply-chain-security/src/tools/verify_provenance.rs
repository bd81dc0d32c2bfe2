//! `verify_provenance`

use std::io::BufReader;

use kernel::{Caching, CallContext, Effect, Meta, Resource, Tool, ToolError, Trust};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{document, text};
use crate::{
    SupplyChainSecurity,
    engine::{
        digest,
        provenance::{self, PublicKey, Signature},
    },
    error::SupplyError,
};

const KEY_BYTES_MAX: u64 = 16 << 10;

/// Checks that a file is the one a provenance statement names, and who signed the statement.
///
/// Reads in-toto statements, DSSE envelopes and bundles around one, all on disk. `verified` needs your public key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyProvenance {
    /// The file that was built.
    #[schemars(length(min = 1, max = 4096))]
    artifact: String,
    /// The statement about it, in JSON.
    #[schemars(length(min = 1, max = 4096))]
    attestation: String,
    /// PEM file with an Ed25519 or P-256 key.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    public_key: Option<String>,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Signed with your key, about this very file.
    Verified,
    /// About this file, and nobody vouches for it.
    Unsigned,
    /// About another file, or signed with another key.
    Failed,
}

/// What the statement says and how far it can be believed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Provenance {
    verdict: Verdict,
    /// SHA-256 of the file.
    sha256: String,
    matches_artifact: bool,
    /// `verified`, `invalid`, `missing` or `not_checked`.
    signature: &'static str,
    predicate_type: String,
    /// Who built it, as the statement says.
    builder: Option<String>,
    /// What it was built from, as the statement says.
    source: Option<String>,
}

impl Tool for VerifyProvenance {
    type Server = SupplyChainSecurity;
    type Output = Provenance;

    const META: Meta = Meta {
        name: "verify_provenance",
        title: "Verify provenance",
        effect: Effect::Read,
        caching: Caching::Never,
        trust: Trust::Untrusted,
    };

    fn resources(&self) -> Vec<Resource> {
        let files = [Some(&self.artifact), Some(&self.attestation), self.public_key.as_ref()];
        files.into_iter().flatten().map(|it| Resource::new("file", it)).collect()
    }

    async fn call(self, server: &SupplyChainSecurity, _cx: &CallContext) -> Result<Provenance, ToolError> {
        let file = server.roots.resolve_readable("artifact", &self.artifact)?.open_file()?;
        let key = match &self.public_key {
            Some(path) => {
                let pem = text(&server.roots, "public_key", path, KEY_BYTES_MAX)?;
                let key = PublicKey::read(&pem);
                Some(key.map_err(|rule| {
                    ToolError::invalid("public_key", rule).hint("name a PEM file of a public key")
                })?)
            }
            None => None,
        };
        let statement = document(server, "attestation", &self.attestation)?;
        let hashing = tokio::task::spawn_blocking(move || digest::sha256_of(BufReader::new(file)));
        let sha256 = hashing.await.map_err(SupplyError::Worker)?.map_err(SupplyError::Target)?;
        let checked = provenance::check(&statement, &sha256, key.as_ref());
        let found = checked.map_err(|what| SupplyError::Document("attestation", what))?;
        let verdict = match (found.matches_artifact, found.signature) {
            (true, Signature::Verified) => Verdict::Verified,
            (false, _) | (_, Signature::Invalid) => Verdict::Failed,
            (true, _) => Verdict::Unsigned,
        };
        Ok(Provenance {
            verdict,
            sha256,
            matches_artifact: found.matches_artifact,
            signature: found.signature.as_str(),
            predicate_type: found.predicate_type,
            builder: found.builder,
            source: found.source,
        })
    }
}
