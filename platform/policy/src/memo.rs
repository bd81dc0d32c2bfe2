//! Remembers answers: within one set of policies an answer is a pure function of the question.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use moka::sync::Cache;
use pipeline::seams::{Decision, PolicyQuestion};
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use crate::rule::Facets;

/// Answers kept per generation.
const ANSWERS_MAX: u64 = 10_000;

/// SHA-256 over everything the answer can depend on. A caller chooses parts of it (resource ids), so
/// nothing weaker than a collision-resistant hash may stand for the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; SHA256_OUTPUT_LEN]);

impl Key {
    pub(crate) fn of(question: &PolicyQuestion<'_>, facets: Facets) -> Self {
        let mut writer = Writer(Context::new(&SHA256));
        let principal = question.principal;
        writer.text(principal.kind.as_str());
        writer.count(principal.roles.len());
        principal.roles.iter().for_each(|role| writer.text(role));
        writer.text(if facets.principal { &principal.id } else { "" });
        writer.text(question.action.as_str());
        writer.text(question.server);
        writer.text(question.category);
        writer.option(question.tool);
        writer.option(question.effect.map(kernel::Effect::as_str));
        if facets.context {
            writer.text(question.door);
            writer.option(question.context);
            writer.count(question.resources.len());
            for resource in question.resources {
                writer.text(&resource.kind);
                writer.text(&resource.id);
            }
        }
        let digest = writer.0.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// Each part is preceded by its length, so that no two questions write the same bytes.
struct Writer(Context);

impl Writer {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}

impl std::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let start: [u8; 8] = self.0[..8].try_into().expect("eight of 32 bytes");
        state.write_u64(u64::from_le_bytes(start));
    }
}

/// A key is a digest already; its first bytes are the hash.
#[derive(Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A bounded memory of answers. Belongs to one compiled set and dies with it.
pub(crate) struct Memo(Cache<Key, Arc<Decision>, BuildHasherDefault<Digested>>);

impl Memo {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(ANSWERS_MAX).build_with_hasher(BuildHasherDefault::default()))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Decision>> {
        self.0.get(key)
    }

    pub(crate) fn put(&self, key: Key, decision: Decision) -> Arc<Decision> {
        let decision = Arc::new(decision);
        self.0.insert(key, Arc::clone(&decision));
        decision
    }
}
