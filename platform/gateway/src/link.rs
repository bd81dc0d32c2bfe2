//! The ways to an upstream, behind one face.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::value::RawValue;

use crate::{
    error::UpstreamError,
    hear::Hear,
    http::{HttpLink, SseLink},
    order::Order,
    rpc::RpcError,
    stdio::StdioLink,
};

/// One way to an upstream.
pub(crate) enum Link {
    /// A child process.
    Stdio(Arc<StdioLink>),
    /// Streamable HTTP, or HTTP+SSE where the server knows nothing newer.
    Http {
        /// Tried first.
        http: Arc<HttpLink>,
        /// Tried when the first is not understood.
        older: Option<Arc<SseLink>>,
        /// Whether the older one turned out to be right.
        is_older: AtomicBool,
    },
    /// HTTP+SSE.
    Sse(Arc<SseLink>),
}

/// What an upstream said of itself.
pub(crate) struct Hello {
    /// The result of `initialize` or `server/discover`.
    pub(crate) result: Arc<RawValue>,
    /// Whether requests describe themselves.
    pub(crate) is_modern: bool,
}

impl Link {
    fn older(&self) -> Option<&Arc<SseLink>> {
        match self {
            Self::Http { older: Some(older), is_older, .. } if is_older.load(Ordering::Acquire) => {
                Some(older)
            }
            Self::Sse(link) => Some(link),
            _ => None,
        }
    }

    /// Connects if need be, and tells what the upstream said of itself.
    pub(crate) async fn hello(&self) -> Result<Hello, UpstreamError> {
        let old = |result| Hello { result, is_modern: false };
        if let Some(older) = self.older() {
            return older.hello().await.map(old);
        }
        match self {
            Self::Stdio(link) => {
                let (result, is_modern) = link.hello().await?;
                Ok(Hello { result, is_modern })
            }
            Self::Http { http, older, is_older } => match (http.hello().await, older) {
                (Ok((result, is_modern)), _) => Ok(Hello { result, is_modern }),
                (Err(error @ UpstreamError::Odd { status: 400..=499, .. }), Some(older)) => {
                    let Ok(result) = older.hello().await else { return Err(error) };
                    is_older.store(true, Ordering::Release);
                    Ok(old(result))
                }
                (Err(error), _) => Err(error),
            },
            Self::Sse(link) => link.hello().await.map(old),
        }
    }

    /// Sends one request.
    pub(crate) async fn request(
        &self,
        order: &Order,
    ) -> Result<Result<Box<RawValue>, RpcError>, UpstreamError> {
        if let Some(older) = self.older() {
            return older.request(order).await;
        }
        match self {
            Self::Stdio(link) => link.request(order).await,
            Self::Http { http, .. } => http.request(order).await,
            Self::Sse(link) => link.request(order).await,
        }
    }

    /// Hears what the upstream says by itself until that stream, or its process, ends.
    pub(crate) async fn listen(
        &self,
        resources: &[String],
        hear: &Arc<dyn Hear>,
    ) -> Result<(), UpstreamError> {
        if let Some(older) = self.older() {
            older.ended().await;
            return Ok(());
        }
        match self {
            Self::Stdio(link) => link.listen(resources).await,
            Self::Http { http, .. } => http.listen(resources, hear).await,
            Self::Sse(link) => {
                link.ended().await;
                Ok(())
            }
        }
    }

    /// Ends it.
    pub(crate) async fn close(&self) {
        match self {
            Self::Stdio(link) => link.close().await,
            Self::Http { http, older, .. } => {
                http.close().await;
                if let Some(older) = older {
                    older.close().await;
                }
            }
            Self::Sse(link) => link.close().await,
        }
    }
}
