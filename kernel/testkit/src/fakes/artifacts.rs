//! Large results, in memory.

use kernel::{BoxFuture, ErrorKind, Principal, ToolError};
use parking_lot::Mutex;
use pipeline::seams::{Artifact, ArtifactInfo, Artifacts};

/// Keeps everything for ever.
#[derive(Default)]
pub struct FakeArtifacts {
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    owner: String,
    info: ArtifactInfo,
    bytes: Vec<u8>,
}

impl Artifacts for FakeArtifacts {
    fn put<'a>(
        &'a self,
        owner: &'a Principal,
        mime: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        Box::pin(async move {
            let mut kept = self.kept.lock();
            let uri = format!("artifact://{}", kept.len() + 1);
            let size = bytes.len() as u64;
            let info = ArtifactInfo { uri: uri.clone(), mime: mime.to_owned(), size, created_at: 0 };
            kept.push(Kept { owner: owner.id.clone(), info, bytes });
            Ok(uri)
        })
    }

    fn get<'a>(
        &'a self,
        owner: &'a Principal,
        uri: &'a str,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        Box::pin(async move {
            let kept = self.kept.lock();
            let found = kept.iter().find(|it| it.owner == owner.id && it.info.uri == uri);
            let found = found.ok_or_else(|| ToolError::new(ErrorKind::NotFound, "no such artifact"))?;
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(found.bytes.len());
            let end = start.saturating_add(limit).min(found.bytes.len());
            let bytes = found.bytes[start..end].to_vec();
            Ok(Artifact { mime: found.info.mime.clone(), bytes, total: found.info.size })
        })
    }

    fn list<'a>(
        &'a self,
        owner: &'a Principal,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<ArtifactInfo>, ToolError>> {
        Box::pin(async move {
            let kept = self.kept.lock();
            let own = kept.iter().rev().filter(|it| it.owner == owner.id).take(limit);
            Ok(own.map(|it| it.info.clone()).collect())
        })
    }
}
