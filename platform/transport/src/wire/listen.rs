//! Streams that tell a client what changed: GET in older revisions, `subscriptions/listen` in 2026-07-28.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kernel::{Notice, Raw};
use protocol::{
    Fault, Id, Params, acknowledged, list_changed, listen_closed, raw_notice, tagged_list_changed,
    tagged_raw_notice,
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Exchange, Session, Wire,
    subscribe::{HELD_PER_STREAM, Held},
};

/// A client that fires changes at us does not make us fire at others more often than this.
const CHANGES_AT_MOST_EVERY: Duration = Duration::from_millis(250);

const TASK_MOVED: &str = "notifications/tasks";

const RESOURCE_UPDATED: &str = "notifications/resources/updated";

/// Who listens, and to what.
pub(crate) enum Watch {
    /// An older session's stream: everything that concerns it.
    Legacy(Arc<Session>),
    /// A modern subscription: what it asked for.
    Subscription(Box<Subscription>),
}

/// What a `subscriptions/listen` asked for, and later what we agreed to.
pub(crate) struct Subscription {
    /// The request that opened it; every message carries it.
    id: Id,
    wanted: Filter,
    /// The resources that are held for it, by server and URI.
    held: HashMap<(String, String), Held>,
    /// The last status sent of each task of ours, by its sealed id.
    tasks: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
    task_ids: Vec<String>,
}

/// The circumstances of a stream.
pub(crate) struct Listener {
    pub(crate) wire: Arc<Wire>,
    pub(crate) exchange: Exchange,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Tools,
    Prompts,
    Resources,
}

impl List {
    /// A change of servers or rules may change each of them.
    const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }
}

impl Watch {
    /// Reads a `subscriptions/listen`.
    pub(crate) fn read(id: &Id, params: &Params<'_>) -> Result<Self, Fault> {
        let wanted: Filter = Params::typed("notifications", params.notifications)?;
        for (name, count) in [
            ("resourceSubscriptions", wanted.resource_subscriptions.len()),
            ("taskIds", wanted.task_ids.len()),
        ] {
            if count > HELD_PER_STREAM {
                let why = format!(
                    "`{name}` has more than {HELD_PER_STREAM} entries; open another stream for the rest"
                );
                return Err(Fault::invalid_params(why));
            }
        }
        let (held, tasks) = (HashMap::new(), HashMap::new());
        Ok(Self::Subscription(Box::new(Subscription { id: id.clone(), wanted, held, tasks })))
    }

    /// The first message. We promise only what we send.
    async fn opening(&mut self, listener: &Listener) -> Option<Bytes> {
        let Self::Subscription(subscription) = self else { return None };
        let Subscription { id, wanted, held, tasks } = &mut **subscription;
        let mut agreed = json!({});
        for (name, set) in [
            ("toolsListChanged", wanted.tools_list_changed),
            ("promptsListChanged", wanted.prompts_list_changed),
            ("resourcesListChanged", wanted.resources_list_changed),
        ] {
            if set {
                agreed[name] = true.into();
            }
        }
        let mut uris = Vec::new();
        for uri in std::mem::take(&mut wanted.resource_subscriptions) {
            if let Some((server, one)) = listener.hold(&uri).await {
                held.insert((server, uri.clone()), one);
                uris.push(uri);
            }
        }
        if !uris.is_empty() {
            agreed["resourceSubscriptions"] = json!(uris);
        }
        wanted.task_ids.retain(|task| listener.owns(task));
        if !wanted.task_ids.is_empty() {
            agreed["taskIds"] = json!(wanted.task_ids);
            tasks.extend(wanted.task_ids.iter().map(|it| (it.clone(), String::new())));
        }
        Some(acknowledged(id, agreed).into())
    }

    fn wants(&self, list: List) -> bool {
        match self {
            Self::Legacy(_) => true,
            Self::Subscription(it) => match list {
                List::Tools => it.wanted.tools_list_changed,
                List::Prompts => it.wanted.prompts_list_changed,
                List::Resources => it.wanted.resources_list_changed,
            },
        }
    }

    fn changed(&self, list: List) -> Option<Bytes> {
        self.wants(list).then(|| match self {
            Self::Legacy(_) => list_changed(list.as_str()).into(),
            Self::Subscription(it) => tagged_list_changed(list.as_str(), &it.id).into(),
        })
    }

    fn holds(&self, server: &str, uri: &str) -> bool {
        let key = (server.to_owned(), uri.to_owned());
        match self {
            Self::Legacy(session) => session.subscriptions.lock().contains_key(&key),
            Self::Subscription(it) => it.held.contains_key(&key),
        }
    }

    fn raw(&self, method: &str, params: &Raw) -> Bytes {
        match self {
            Self::Legacy(_) => raw_notice(method, params).into(),
            Self::Subscription(it) => tagged_raw_notice(method, params, &it.id).into(),
        }
    }

    /// What a notice of a server says to this listener.
    fn told(&self, notice: &Notice, listener: &Listener) -> Option<Bytes> {
        match notice {
            Notice::ResourcesChanged { .. } => self.changed(List::Resources),
            Notice::PromptsChanged { .. } => self.changed(List::Prompts),
            Notice::ResourceUpdated { server, uri, params } => {
                self.holds(server, uri).then(|| self.raw(RESOURCE_UPDATED, params))
            }
            Notice::Task { server, task, params } => {
                let Self::Subscription(it) = self else { return None };
                let sealed = listener.sealed(server, task);
                let params = || params.with("taskId", Some(&Raw::of(&sealed)));
                it.tasks.contains_key(&sealed).then(|| self.raw(TASK_MOVED, &params()))
            }
        }
    }

    /// What tasks of ours did since the last look.
    fn moved(&mut self, listener: &Listener) -> Vec<Bytes> {
        let Self::Subscription(subscription) = self else { return Vec::new() };
        let mut messages = Vec::new();
        let Subscription { id, tasks, .. } = &mut **subscription;
        for (sealed, last) in tasks {
            if let Some((status, detail)) = listener.task(sealed)
                && status != *last
            {
                *last = status;
                messages.push(tagged_raw_notice(TASK_MOVED, &detail, id).into());
            }
        }
        messages
    }

    fn closing(&self) -> Option<Bytes> {
        match self {
            Self::Legacy(_) => None,
            Self::Subscription(it) => Some(listen_closed(&it.id).into()),
        }
    }
}

impl Listener {
    async fn hold(&self, uri: &str) -> Option<(String, Held)> {
        let server = self.wire.server_of(&self.exchange, uri).await.ok()??;
        let held = self.wire.hold(&self.exchange.caller, self.exchange.door, &server, uri).await;
        held.inspect_err(|error| tracing::debug!(%error, "a subscription was refused"))
            .ok()
            .map(|it| (server, it))
    }

    fn principal(&self) -> &str {
        &self.exchange.caller.principal().id
    }

    fn sealed(&self, server: &str, task: &str) -> String {
        self.wire.task_id(self.principal(), server, task)
    }

    /// Whether this id was made for the listener, and is still known if the task is ours.
    fn owns(&self, sealed: &str) -> bool {
        let opened = self.wire.open_task(self.principal(), sealed);
        opened.is_some_and(|(server, _)| !server.is_empty() || self.task(sealed).is_some())
    }

    fn task(&self, sealed: &str) -> Option<(String, Raw)> {
        let (server, name) = self.wire.open_task(self.principal(), sealed)?;
        if server.is_empty() { self.wire.tasks.shown(&name, self.principal(), sealed) } else { None }
    }

    /// Whether the listener may hear of this server, decided now.
    fn may_hear(&self, server: &str) -> bool {
        let Exchange { caller, scope, door, .. } = &self.exchange;
        let peers = self.wire.gate.peers(caller, scope, *door).unwrap_or_default();
        peers.iter().any(|view| view.facts.name == server)
    }
}

/// Sends what `watch` is about to `outbox` until `ended` fires; returns the last message.
///
/// `still_good` is asked before each message and every `check_every`: a revoked token ends the stream.
pub(crate) async fn watch(
    listener: Listener,
    mut watch: Watch,
    outbox: mpsc::Sender<Bytes>,
    ended: CancellationToken,
    check_every: Duration,
    still_good: impl Fn() -> bool + Send,
) -> Option<Bytes> {
    let gate = Arc::clone(&listener.wire.gate);
    let (mut changes, mut notices) = (gate.changes(), gate.registry().notices().subscribe());
    let mut moved = listener.wire.tasks.moved();
    if let Some(opening) = watch.opening(&listener).await {
        outbox.send(opening).await.ok()?;
    }
    loop {
        let (messages, rest): (Vec<Bytes>, bool) = tokio::select! {
            () = ended.cancelled() => return watch.closing(),
            () = outbox.closed() => return None,
            changed = changes.changed() => {
                let lists: &[List] = if changed.is_ok() { &List::ALL } else { &[] };
                (lists.iter().filter_map(|list| watch.changed(*list)).collect(), true)
            }
            notice = notices.recv() => match notice {
                Ok(notice) if listener.may_hear(notice.server()) => {
                    (watch.told(&notice, &listener).into_iter().collect(), false)
                }
                // Too far behind to know what it missed: everything may differ.
                Err(RecvError::Lagged(_)) => {
                    (List::ALL.iter().filter_map(|list| watch.changed(*list)).collect(), true)
                }
                Ok(_) | Err(RecvError::Closed) => (Vec::new(), false),
            },
            _ = moved.changed() => (watch.moved(&listener), false),
            () = tokio::time::sleep(check_every) => (Vec::new(), false),
        };
        if !still_good() {
            return watch.closing();
        }
        let rest = rest && !messages.is_empty();
        for message in messages {
            outbox.send(message).await.ok()?;
        }
        if rest {
            tokio::select! {
                () = ended.cancelled() => return watch.closing(),
                () = tokio::time::sleep(CHANGES_AT_MOST_EVERY) => {}
            }
        }
    }
}
