//! Streams that tell a client when listings change: GET in older revisions, `subscriptions/listen` in 2026-07-28.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use pipeline::Gate;
use protocol::{Fault, Id, Params, acknowledged, list_changed, listen_closed, tagged_list_changed};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A client that fires changes at us does not make us fire at others more often than this.
const CHANGES_AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// Who listens, and to what.
pub(crate) enum Watch {
    /// A legacy GET stream.
    Legacy,
    /// A modern subscription.
    Subscription {
        /// The request that opened it; every message carries it.
        id: Id,
        /// Whether the client asked for tool changes.
        tools: bool,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    tools_list_changed: bool,
}

impl Watch {
    /// Reads a `subscriptions/listen`.
    pub(crate) fn read(id: &Id, params: &Params<'_>) -> Result<Self, Fault> {
        let filter: Filter = Params::typed("notifications", params.notifications)?;
        Ok(Self::Subscription { id: id.clone(), tools: filter.tools_list_changed })
    }

    /// The first message. We promise only what we send: artifacts and prompts do not announce themselves.
    fn opening(&self) -> Option<Bytes> {
        match self {
            Self::Legacy => None,
            Self::Subscription { id, tools } => {
                let agreed = if *tools { json!({ "toolsListChanged": true }) } else { json!({}) };
                Some(acknowledged(id, agreed).into())
            }
        }
    }

    fn change(&self) -> Option<Bytes> {
        match self {
            Self::Legacy => Some(list_changed("tools").into()),
            Self::Subscription { id, tools: true } => Some(tagged_list_changed("tools", id).into()),
            Self::Subscription { tools: false, .. } => None,
        }
    }

    fn closing(&self) -> Option<Bytes> {
        match self {
            Self::Legacy => None,
            Self::Subscription { id, .. } => Some(listen_closed(id).into()),
        }
    }
}

/// Sends what `watch` is about to `outbox` until `ended` fires; returns the last message.
///
/// `still_good` is asked before each message and every `check_every`: a revoked token ends the stream.
pub(crate) async fn watch(
    gate: Arc<Gate>,
    watch: Watch,
    outbox: mpsc::Sender<Bytes>,
    ended: CancellationToken,
    check_every: Duration,
    still_good: impl Fn() -> bool + Send,
) -> Option<Bytes> {
    let mut changes = gate.changes();
    if let Some(opening) = watch.opening() {
        outbox.send(opening).await.ok()?;
    }
    loop {
        let changed = tokio::select! {
            () = ended.cancelled() => return watch.closing(),
            () = outbox.closed() => return None,
            changed = changes.changed() => changed.is_ok(),
            () = tokio::time::sleep(check_every) => false,
        };
        if !still_good() {
            return watch.closing();
        }
        if changed && let Some(message) = watch.change() {
            outbox.send(message).await.ok()?;
            tokio::select! {
                () = ended.cancelled() => return watch.closing(),
                () = tokio::time::sleep(CHANGES_AT_MOST_EVERY) => {}
            }
        }
    }
}
