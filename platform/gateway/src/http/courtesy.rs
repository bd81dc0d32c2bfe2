//! What an old upstream is told besides requests: the log level, answers to its questions, and farewells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::Method;

use super::{
    exchange::{Letter, Replier, exchange},
    link::{HttpLink, nobody, session_headers},
};
use crate::{
    agree::{Agreed, level_rank},
    hear::Hear,
    order::Order,
    rpc::write_notice,
};

/// How long a farewell may take that nobody waits for.
const FAREWELL: Duration = Duration::from_secs(5);

impl HttpLink {
    /// Asks for chattier logs than anybody asked for before; who wants less gets less from the door.
    pub(super) async fn raise_level(self: &Arc<Self>, agreed: &Arc<Agreed>, level: &str) {
        let rank = level_rank(level);
        {
            let mut current = agreed.level.lock();
            if current.is_some_and(|it| it <= rank) {
                return;
            }
            *current = Some(rank);
        }
        let params = serde_json::json!({ "level": level }).to_string();
        let order = Order::own("logging/setLevel", params, Instant::now() + self.start_timeout);
        if let Err(error) = self.legacy_with(agreed, &order).await {
            tracing::debug!(upstream = self.endpoint.upstream, %error, "the log level was not taken");
        }
    }

    /// Answers questions in the session they were asked in.
    pub(super) fn replier(self: &Arc<Self>, agreed: &Arc<Agreed>) -> Replier {
        let (link, agreed) = (Arc::clone(self), Arc::clone(agreed));
        Arc::new(move |body| {
            let (link, agreed) = (Arc::clone(&link), Arc::clone(&agreed));
            Box::pin(async move { link.say(&agreed, body).await })
        })
    }

    async fn say(self: &Arc<Self>, agreed: &Agreed, body: Vec<u8>) {
        let letter = self.letter(session_headers(agreed), body, None, &agreed.principal);
        let deaf: Arc<dyn Hear> = Arc::new(crate::hear::Deaf);
        let said = tokio::time::timeout(FAREWELL, exchange(&self.endpoint, letter, &deaf, &nobody())).await;
        if !matches!(said, Ok(Ok(_))) {
            tracing::debug!(upstream = self.endpoint.upstream, "the upstream did not hear us");
        }
    }

    /// Ends a session in the background.
    pub(super) fn end_later(self: &Arc<Self>, agreed: Arc<Agreed>) {
        let link = Arc::clone(self);
        tokio::spawn(async move { link.end(&agreed).await });
    }

    async fn end(self: &Arc<Self>, agreed: &Agreed) {
        if agreed.id.is_none() {
            return;
        }
        let letter = Letter {
            method: Method::DELETE,
            ..self.letter(session_headers(agreed), Vec::new(), None, &agreed.principal)
        };
        let deaf: Arc<dyn Hear> = Arc::new(crate::hear::Deaf);
        let ended = tokio::time::timeout(FAREWELL, exchange(&self.endpoint, letter, &deaf, &nobody())).await;
        if !matches!(ended, Ok(Ok(_))) {
            tracing::debug!(upstream = self.endpoint.upstream, "a session was not ended");
        }
    }

    /// Ends every session and connection.
    pub(crate) async fn close(self: &Arc<Self>) {
        for slot in self.sessions.drain() {
            if let Some(agreed) = slot.get() {
                self.end(agreed).await;
            }
        }
        self.endpoint.pool.clear();
    }
}

/// Tells an old server that its answer is no longer wanted, unless it came.
pub(super) struct Farewell<'a> {
    pub(super) link: &'a Arc<HttpLink>,
    pub(super) agreed: &'a Arc<Agreed>,
    pub(super) id: u64,
    pub(super) is_due: bool,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        if !self.is_due {
            return;
        }
        let (link, agreed) = (Arc::clone(self.link), Arc::clone(self.agreed));
        let params = format!(r#"{{"requestId":{},"reason":"the client cancelled"}}"#, self.id);
        tokio::spawn(async move {
            link.say(&agreed, write_notice("notifications/cancelled", Some(&params))).await
        });
    }
}
