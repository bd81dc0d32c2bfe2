//! Many requests over one stream of messages, as with a child process: who waits for what.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use kernel::Principal;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    error::UpstreamError,
    hear::{Hear, not_offered},
    order::Order,
    rpc::{RpcError, Said, read, write_notice, write_reply, write_request},
};

/// Messages that wait to be written.
const OUTBOX_MAX: usize = 64;

/// Requests that wait for answers at the same time.
const WAITING_MAX: usize = 4096;

/// Lines in a row that are no messages before the stream is given up. Many servers print a greeting.
const NOISE_MAX: u32 = 200;

/// Questions of the upstream that wait for answers at the same time.
const QUESTIONS_MAX: usize = 32;

type Answer = Result<Box<RawValue>, RpcError>;

struct Waiting {
    answer: oneshot::Sender<Result<Answer, UpstreamError>>,
    hear: Arc<dyn Hear>,
    caller: Arc<Principal>,
}

/// One open stream with an upstream.
pub(crate) struct Dialogue {
    upstream: String,
    waiting: Mutex<HashMap<u64, Waiting>>,
    last_id: AtomicU64,
    outbox: mpsc::Sender<Vec<u8>>,
    /// Hears what belongs to no request.
    ambient: Arc<dyn Hear>,
    noise: AtomicU32,
    /// The chattiest log level that was asked for, as a rank; lower is chattier.
    level: AtomicUsize,
    questions: Arc<tokio::sync::Semaphore>,
    /// Set once: why the stream has ended.
    ended: OnceLock<String>,
    /// Fires with it.
    pub(crate) over: CancellationToken,
}

/// Progress carries the token we chose: the number of the request.
#[derive(Deserialize)]
struct Progress {
    #[serde(rename = "progressToken")]
    token: Option<u64>,
}

impl Dialogue {
    /// A new one; what it wants written comes out of the receiver.
    pub(crate) fn new(upstream: &str, ambient: Arc<dyn Hear>) -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (outbox, written) = mpsc::channel(OUTBOX_MAX);
        let dialogue = Self {
            upstream: upstream.to_owned(),
            waiting: Mutex::default(),
            last_id: AtomicU64::new(0),
            outbox,
            ambient,
            noise: AtomicU32::new(0),
            level: AtomicUsize::new(usize::MAX),
            questions: Arc::new(tokio::sync::Semaphore::new(QUESTIONS_MAX)),
            ended: OnceLock::new(),
            over: CancellationToken::new(),
        };
        (Arc::new(dialogue), written)
    }

    /// Whether the stream has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Notes that logs of this level are wanted; whether that is more than before.
    pub(crate) fn wants_level(&self, rank: usize) -> bool {
        self.level.fetch_min(rank, Ordering::Relaxed) > rank
    }

    /// Requests that wait now.
    #[cfg(test)]
    fn busy(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Ends the stream: everybody who waits is told why.
    pub(crate) fn end(&self, why: &str) {
        if self.ended.set(why.to_owned()).is_err() {
            return;
        }
        self.over.cancel();
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for (_, waiting) in waiting {
            self.tell(waiting, Err(UpstreamError::lost(&self.upstream, why)));
        }
    }

    /// Sends one request and waits for its answer. The caller bounds how long.
    pub(crate) async fn request(
        self: &Arc<Self>,
        order: &Order,
        is_modern: bool,
    ) -> Result<Answer, UpstreamError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let params = if is_modern { order.modern_params(id) } else { order.legacy_params(id) };
        let params = params.map_err(|_| UpstreamError::Rpc {
            code: -32602,
            message: "the parameters are no object".into(),
            data: None,
        })?;
        let text = write_request(id, &order.method, Some(&params));
        let answer = self.wait(id, order)?;
        let mut farewell = Farewell { dialogue: self, id, was_sent: false };
        if self.outbox.send(text).await.is_err() {
            return Err(self.gone_before());
        }
        farewell.was_sent = true;
        let answer = answer.await.map_err(|_| UpstreamError::lost(&self.upstream, "it was stopped"))?;
        farewell.was_sent = false;
        answer
    }

    fn wait(
        &self,
        id: u64,
        order: &Order,
    ) -> Result<oneshot::Receiver<Result<Answer, UpstreamError>>, UpstreamError> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        // Looked at with the lock held, so that nobody joins after `end` has told everybody.
        if self.is_over() {
            return Err(self.gone_before());
        }
        if waiting.len() >= WAITING_MAX {
            return Err(UpstreamError::unreachable(&self.upstream, "too many calls wait for it"));
        }
        let (hear, caller) = (Arc::clone(&order.hear), Arc::clone(&order.principal));
        waiting.insert(id, Waiting { answer: sender, hear, caller });
        Ok(receiver)
    }

    fn gone_before(&self) -> UpstreamError {
        UpstreamError::unreachable(&self.upstream, self.ended.get().map_or("it ended", String::as_str))
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, method: &str, params: Option<&str>) {
        // A closed outbox means that the stream ended; there is nobody to tell.
        drop(self.outbox.send(write_notice(method, params)).await);
    }

    /// Takes one message. `Err`: the stream is not worth listening to any longer.
    pub(crate) fn receive(self: &Arc<Self>, text: &[u8]) -> Result<(), &'static str> {
        let Ok(said) = read(text) else {
            let noise = self.noise.fetch_add(1, Ordering::Relaxed) + 1;
            return if noise > NOISE_MAX { Err("it sends nothing but noise") } else { Ok(()) };
        };
        self.noise.store(0, Ordering::Relaxed);
        match said {
            Said::Reply { id: Some(id), outcome } => {
                // An id nobody waits for was answered already, or was never ours.
                if let Some(waiting) = self.waiting.lock().remove(&id) {
                    self.tell(waiting, Ok(outcome.map(ToOwned::to_owned)));
                }
            }
            Said::Reply { id: None, .. } => {}
            Said::Notice { method, params } => self.hear(&method, params),
            Said::Question { id, method, params } => {
                self.question(id.to_owned(), method.into_owned(), params.map(ToOwned::to_owned));
            }
        }
        Ok(())
    }

    /// Fails the request `id`, or the only one there is, because its answer is larger than we take.
    pub(crate) fn too_large(&self, id: Option<u64>, limit: usize) -> Result<(), &'static str> {
        let mut waiting = self.waiting.lock();
        let only = || (waiting.len() == 1).then(|| waiting.keys().next().copied()).flatten();
        let Some(id) = id.or_else(only) else { return Err("it sent more than we take") };
        if let Some(waiting) = waiting.remove(&id) {
            self.tell(waiting, Err(UpstreamError::TooLarge { upstream: self.upstream.clone(), limit }));
        }
        Ok(())
    }

    fn tell(&self, waiting: Waiting, answer: Result<Answer, UpstreamError>) {
        if waiting.answer.send(answer).is_err() {
            tracing::debug!(upstream = self.upstream, "an answer came too late");
        }
    }

    fn hear(&self, method: &str, params: Option<&RawValue>) {
        let token = if method == "notifications/progress" {
            params.and_then(|it| serde_json::from_str::<Progress>(it.get()).ok()).and_then(|it| it.token)
        } else {
            None
        };
        let hear = {
            let waiting = self.waiting.lock();
            match (method, token) {
                ("notifications/progress", None) => None,
                (_, Some(token)) => waiting.get(&token).map(|it| Arc::clone(&it.hear)),
                // A log line names no request: it belongs to the only caller, or to nobody.
                ("notifications/message", _) => {
                    let mut callers = waiting.values().filter(|it| !it.caller.id.is_empty());
                    let only = callers.next().filter(|_| callers.next().is_none());
                    Some(only.map_or_else(|| Arc::clone(&self.ambient), |it| Arc::clone(&it.hear)))
                }
                _ => Some(Arc::clone(&self.ambient)),
            }
        };
        if let Some(hear) = hear {
            hear.notice(method, params);
        }
    }

    /// Who is asked: the newest caller, if there is only one who could be meant.
    fn addressee(&self) -> Option<Arc<dyn Hear>> {
        let waiting = self.waiting.lock();
        let newest = waiting.iter().filter(|(_, it)| !it.caller.id.is_empty()).max_by_key(|(id, _)| **id)?;
        let alone = waiting.values().all(|it| it.caller.id.is_empty() || it.caller.id == newest.1.caller.id);
        alone.then(|| Arc::clone(&newest.1.hear))
    }

    fn question(self: &Arc<Self>, id: Box<RawValue>, method: String, params: Option<Box<RawValue>>) {
        if method == "ping" {
            let empty = RawValue::from_string("{}".into()).expect("it is JSON");
            return self.reply(&id, &Ok(empty));
        }
        let Some(hear) = self.addressee() else {
            return self.reply(&id, &Err(not_offered(&method)));
        };
        let Ok(place) = Arc::clone(&self.questions).try_acquire_owned() else {
            return self.reply(&id, &Err(not_offered(&method)));
        };
        let dialogue = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = hear.ask(method, params) => outcome,
                () = dialogue.over.cancelled() => return,
            };
            // Whoever asked waits for it: it may queue behind other messages.
            drop(dialogue.outbox.send(write_reply(&id, &outcome)).await);
            drop(place);
        });
    }

    fn reply(&self, id: &RawValue, outcome: &Answer) {
        if self.outbox.try_send(write_reply(id, outcome)).is_err() {
            tracing::debug!(
                upstream = self.upstream,
                "a question was not answered: the upstream does not read"
            );
        }
    }
}

/// Forgets a request nobody waits for any longer, and tells the upstream.
struct Farewell<'a> {
    dialogue: &'a Arc<Dialogue>,
    id: u64,
    was_sent: bool,
}

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        let was_waiting = self.dialogue.waiting.lock().remove(&self.id).is_some();
        if was_waiting && self.was_sent {
            let params = format!(r#"{{"requestId":{},"reason":"the client cancelled"}}"#, self.id);
            let notice = write_notice("notifications/cancelled", Some(&params));
            if self.dialogue.outbox.try_send(notice).is_err() {
                tracing::debug!(upstream = self.dialogue.upstream, "a cancellation was not told");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use kernel::BoxFuture;
    use serde_json::Value;

    use super::*;

    #[derive(Default)]
    struct Ear {
        heard: Mutex<Vec<String>>,
    }

    impl Hear for Ear {
        fn notice(&self, method: &str, _params: Option<&RawValue>) {
            self.heard.lock().push(method.to_owned());
        }

        fn ask(
            self: Arc<Self>,
            method: String,
            _params: Option<Box<RawValue>>,
        ) -> BoxFuture<'static, Result<Box<RawValue>, RpcError>> {
            let answer = RawValue::from_string(format!(r#"{{"asked":"{method}"}}"#)).unwrap();
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    fn order(caller: &str, ear: &Arc<Ear>) -> Order {
        let mut order = Order::own("tools/call", r#"{"name":"t"}"#, Instant::now() + Duration::from_secs(60));
        let who = kernel::CallContext::for_tests().principal;
        order.principal = Arc::new(Principal { id: caller.to_owned(), ..(*who).clone() });
        order.hear = ear.clone();
        order
    }

    struct Rig {
        dialogue: Arc<Dialogue>,
        written: mpsc::Receiver<Vec<u8>>,
        ambient: Arc<Ear>,
    }

    fn rig() -> Rig {
        let ambient = Arc::new(Ear::default());
        let (dialogue, written) = Dialogue::new("up", ambient.clone());
        Rig { dialogue, written, ambient }
    }

    impl Rig {
        fn call(
            &self,
            caller: &str,
            ear: &Arc<Ear>,
        ) -> tokio::task::JoinHandle<Result<Answer, UpstreamError>> {
            let (dialogue, order) = (Arc::clone(&self.dialogue), order(caller, ear));
            tokio::spawn(async move { dialogue.request(&order, false).await })
        }

        async fn written(&mut self) -> Value {
            serde_json::from_slice(&self.written.recv().await.unwrap()).unwrap()
        }
    }

    #[tokio::test]
    async fn answers_find_their_requests_in_any_order_and_reused_ids_are_noise() {
        let (mut rig, ear) = (rig(), Arc::new(Ear::default()));
        let (first, second) = (rig.call("ann", &ear), rig.call("bob", &ear));
        let ids = [rig.written().await["id"].clone(), rig.written().await["id"].clone()];
        for id in [&ids[1], &ids[1], &ids[0], &Value::from(99), &ids[0]] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"id":{id}}}}}"#);
            rig.dialogue.receive(text.as_bytes()).unwrap();
        }
        for call in [first, second] {
            assert!(call.await.unwrap().unwrap().is_ok());
        }
        assert_eq!(rig.dialogue.busy(), 0);
    }

    #[tokio::test]
    async fn a_question_reaches_the_one_caller_it_can_be_for_and_nobody_else() {
        let (mut rig, ear) = (rig(), Arc::new(Ear::default()));
        let question = br#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#;
        rig.dialogue.receive(question).unwrap();
        assert_eq!(rig.written().await["error"]["code"], -32601, "nobody calls");
        let _ann = rig.call("ann", &ear);
        rig.written().await;
        rig.dialogue.receive(question).unwrap();
        assert_eq!(rig.written().await["result"]["asked"], "elicitation/create");
        let _bob = rig.call("bob", &ear);
        rig.written().await;
        rig.dialogue.receive(question).unwrap();
        assert_eq!(rig.written().await["error"]["code"], -32601, "it could be for either");
    }

    #[tokio::test]
    async fn progress_goes_to_its_request_and_list_changes_to_the_ambient_ear() {
        let (mut rig, ear) = (rig(), Arc::new(Ear::default()));
        let _call = rig.call("ann", &ear);
        let id = rig.written().await["id"].clone();
        for text in [
            format!(
                r#"{{"method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
            ),
            r#"{"method":"notifications/progress","params":{"progressToken":77,"progress":1}}"#.into(),
            r#"{"method":"notifications/progress","params":{"progressToken":"x","progress":1}}"#.into(),
            r#"{"method":"notifications/tools/list_changed"}"#.into(),
        ] {
            rig.dialogue.receive(text.as_bytes()).unwrap();
        }
        assert_eq!(*ear.heard.lock(), ["notifications/progress"]);
        assert_eq!(*rig.ambient.heard.lock(), ["notifications/tools/list_changed"]);
    }

    #[tokio::test]
    async fn noise_is_borne_for_a_while() {
        let rig = rig();
        for _ in 0..NOISE_MAX {
            rig.dialogue.receive(b"listening on port 3000").unwrap();
        }
        rig.dialogue.receive(br#"{"method":"notifications/message"}"#).unwrap();
        for _ in 0..NOISE_MAX {
            rig.dialogue.receive(b"[1,2]").unwrap();
        }
        assert!(rig.dialogue.receive(b"{").is_err());
    }

    #[tokio::test]
    async fn the_end_reaches_everybody_and_later_calls_are_never_sent() {
        let (mut rig, ear) = (rig(), Arc::new(Ear::default()));
        let call = rig.call("ann", &ear);
        rig.written().await;
        rig.dialogue.end("it died");
        rig.dialogue.end("again");
        assert!(
            matches!(call.await.unwrap(), Err(UpstreamError::Lost { reason, .. }) if reason == "it died")
        );
        let late = rig.dialogue.request(&order("ann", &ear), false).await;
        assert!(late.is_err_and(|error| error.before_send()));
    }

    #[tokio::test]
    async fn who_hangs_up_is_forgotten_and_the_upstream_told() {
        let (mut rig, ear) = (rig(), Arc::new(Ear::default()));
        let call = rig.call("ann", &ear);
        let id = rig.written().await["id"].clone();
        call.abort();
        let told = rig.written().await;
        assert_eq!(told["method"], "notifications/cancelled");
        assert_eq!(told["params"]["requestId"], id);
        assert_eq!(rig.dialogue.busy(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_whatever_upset_a_dialogue(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..100)) {
            let (dialogue, _written) = Dialogue::new("up", Arc::new(Ear::default()));
            dialogue.receive(&bytes).ok();
            dialogue.too_large(None, 1).ok();
        }
    }
}
