//! What an upstream says by itself: changed lists, updated resources, log lines.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, header};

use super::{
    exchange::{Letter, exchange},
    link::{HttpLink, Mode, nobody, session_headers},
};
use crate::{
    error::UpstreamError,
    hear::Hear,
    order::{FOREVER, Order, nothing, ourselves, wishes},
};

impl HttpLink {
    /// Hears the upstream until its stream ends. `Err(Odd { status: 405 })`: it has no such stream.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        resources: &[String],
        hear: &Arc<dyn Hear>,
    ) -> Result<(), UpstreamError> {
        match self.mode().await? {
            Mode::Modern(_) => {
                let order = Order::own("subscriptions/listen", wishes(resources), Instant::now() + FOREVER);
                let letter = self.modern_letter(&order, self.next_id())?;
                exchange(&self.endpoint, letter, hear, &nobody()).await?;
            }
            Mode::Legacy => {
                let (slot, agreed) = self.session(&nothing(), &ourselves()).await?;
                let mut headers = session_headers(&agreed);
                headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
                // No answer of ours can come: zero is never an id.
                let letter = Letter {
                    method: Method::GET,
                    headers,
                    body: Bytes::new(),
                    id: Some(0),
                    path: None,
                    principal: ourselves(),
                };
                let heard = exchange(&self.endpoint, letter, hear, &self.replier(&agreed)).await;
                if matches!(heard, Err(UpstreamError::SessionGone { .. })) {
                    self.sessions.forget(&slot);
                }
                heard?;
            }
        }
        Ok(())
    }
}
