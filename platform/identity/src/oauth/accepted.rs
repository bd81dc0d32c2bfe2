//! Tokens that were proven lately: a signature is checked once, everything that can change is checked each time.

use std::sync::Arc;

use moka::{policy::EvictionPolicy, sync::Cache};
use ring::digest::{SHA256, digest};

use super::grant::Grant;

/// Tokens remembered. Only proven ones come in, so strangers cannot push them out.
const TOKENS_MAX: u64 = 10_000;

/// One proven token.
pub(crate) struct Accepted {
    pub(crate) grant: Grant,
    /// Which issuer, by its place in the list.
    pub(crate) issuer: usize,
    /// The key that signed it; `None` when the issuer was asked instead.
    pub(crate) key: Option<[u8; 32]>,
}

/// By the token's hash, and by its public name for sessions that outlive a request.
pub(crate) struct AcceptedTokens {
    by_hash: Cache<[u8; 32], Arc<Accepted>>,
    by_id: Cache<String, Arc<Accepted>>,
}

impl AcceptedTokens {
    pub(crate) fn new() -> Self {
        // Least recently used goes first: a token that just came in must be found by the next stage.
        Self {
            by_hash: Cache::builder().max_capacity(TOKENS_MAX).eviction_policy(EvictionPolicy::lru()).build(),
            by_id: Cache::builder().max_capacity(TOKENS_MAX).eviction_policy(EvictionPolicy::lru()).build(),
        }
    }

    pub(crate) fn by_hash(&self, hash: &[u8; 32]) -> Option<Arc<Accepted>> {
        self.by_hash.get(hash)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Accepted>> {
        self.by_id.get(id)
    }

    pub(crate) fn keep(&self, hash: [u8; 32], accepted: Arc<Accepted>) {
        if let Some(id) = &accepted.grant.principal.token_id {
            self.by_id.insert(id.clone(), Arc::clone(&accepted));
        }
        self.by_hash.insert(hash, accepted);
    }
}

/// What a token is remembered by.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The public name of a token: enough to find it in the audit log, too little to guess it.
pub(crate) fn public_id(alias: &str, hash: &[u8; 32]) -> String {
    let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{alias}:{hex}")
}
