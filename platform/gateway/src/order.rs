//! One request on its way to an upstream, before it is known which protocol the upstream speaks.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use kernel::{Principal, PrincipalKind, Raw};
use tokio_util::sync::CancellationToken;

use crate::{
    error::UpstreamError,
    hear::{Deaf, Hear},
    rpc::{Fields, push_string},
};

/// The revision we speak with modern upstreams.
pub(crate) const MODERN: &str = "2026-07-28";

/// The newest revision with a handshake.
pub(crate) const LEGACY: &str = "2025-11-25";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";
const LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";

/// Keys of `_meta` that belong to the hop between the client and us.
const OF_THE_HOP: [&str; 6] =
    ["progressToken", VERSION_KEY, CAPABILITIES_KEY, CLIENT_KEY, LEVEL_KEY, "core-mcp/idempotency_key"];

/// Who we say we are.
pub(crate) const CLIENT_INFO: &str = concat!(
    r#"{"name":"core-mcp","title":"core-mcp gateway","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}"#
);

/// One request.
#[derive(Clone)]
pub(crate) struct Order {
    /// What to do.
    pub(crate) method: Cow<'static, str>,
    /// With what: a JSON object as the client wrote it, or ours.
    pub(crate) params: Cow<'static, str>,
    /// What `Mcp-Name` repeats: the tool, prompt or URI.
    pub(crate) name: Option<String>,
    /// `Mcp-Param-*` headers, ready to be sent.
    pub(crate) mirrored: Vec<(::http::HeaderName, ::http::HeaderValue)>,
    /// What the caller can do, as JSON.
    pub(crate) capabilities: Raw,
    /// The least severe log message the caller wants.
    pub(crate) log_level: Option<String>,
    /// Whether anybody wants to know how far it is.
    pub(crate) wants_progress: bool,
    /// Whose request it is: questions meant for one caller never reach another.
    pub(crate) principal: Arc<Principal>,
    /// When nobody waits any longer.
    pub(crate) deadline: Instant,
    /// Fires when the caller gives up.
    pub(crate) cancel: CancellationToken,
    /// Who hears what the upstream says meanwhile.
    pub(crate) hear: Arc<dyn Hear>,
}

impl Order {
    /// A request of our own: nobody listens.
    pub(crate) fn own(method: &'static str, params: impl Into<Cow<'static, str>>, deadline: Instant) -> Self {
        Self {
            method: method.into(),
            params: params.into(),
            name: None,
            mirrored: Vec::new(),
            capabilities: nothing(),
            log_level: None,
            wants_progress: false,
            principal: ourselves(),
            deadline,
            cancel: CancellationToken::new(),
            hear: Arc::new(Deaf),
        }
    }

    /// Waits until nobody waits any longer, and says why.
    pub(crate) async fn stopped(&self, upstream: &str) -> UpstreamError {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(self.deadline.into()) => {}
            () = self.cancel.cancelled() => {}
        }
        if Instant::now() >= self.deadline {
            UpstreamError::Slow { upstream: upstream.to_owned(), sent: true }
        } else {
            UpstreamError::Cancelled
        }
    }

    /// The params as an upstream of the modern era wants them: they describe themselves.
    pub(crate) fn modern_params(&self, id: u64) -> Result<String, serde_json::Error> {
        let mut out = self.begin_params()?;
        self.push_token(&mut out, id);
        push_entry(&mut out, VERSION_KEY, concat!('"', "2026-07-28", '"'));
        push_entry(&mut out, CAPABILITIES_KEY, self.capabilities.get());
        push_entry(&mut out, CLIENT_KEY, CLIENT_INFO);
        if let Some(level) = &self.log_level {
            let mut text = Vec::new();
            push_string(&mut text, level);
            push_entry(&mut out, LEVEL_KEY, &String::from_utf8_lossy(&text));
        }
        Ok(end_params(out))
    }

    /// The params as an upstream with a handshake wants them.
    pub(crate) fn legacy_params(&self, id: u64) -> Result<String, serde_json::Error> {
        let mut out = self.begin_params()?;
        self.push_token(&mut out, id);
        Ok(end_params(out))
    }

    fn push_token(&self, out: &mut Writer, id: u64) {
        if self.wants_progress {
            push_entry(out, "progressToken", &id.to_string());
        }
    }

    /// Everything but `_meta` as it is, then what of `_meta` is meant for the upstream.
    fn begin_params(&self) -> Result<Writer, serde_json::Error> {
        let fields = Fields::read(&self.params)?;
        let mut text = Vec::with_capacity(self.params.len() + 320);
        text.push(b'{');
        let mut meta = Fields::default();
        for (key, value) in fields.0 {
            if key == "_meta" {
                meta = Fields::read(value.get())?;
                continue;
            }
            push_string(&mut text, &key);
            text.push(b':');
            text.extend_from_slice(value.get().as_bytes());
            text.push(b',');
        }
        text.extend_from_slice(br#""_meta":{"#);
        let mut out = Writer { text, is_first: true };
        for (key, value) in meta.0 {
            if !OF_THE_HOP.contains(&&*key) {
                push_entry(&mut out, &key, value.get());
            }
        }
        Ok(out)
    }
}

struct Writer {
    text: Vec<u8>,
    is_first: bool,
}

fn push_entry(out: &mut Writer, key: &str, value: &str) {
    if !out.is_first {
        out.text.push(b',');
    }
    out.is_first = false;
    push_string(&mut out.text, key);
    out.text.push(b':');
    out.text.extend_from_slice(value.as_bytes());
}

/// An upstream that never heard of `_meta` sees none unless there is something in it.
fn end_params(mut out: Writer) -> String {
    const EMPTY: &[u8] = br#""_meta":{"#;
    if out.is_first {
        out.text.truncate(out.text.len() - EMPTY.len());
        if out.text.last() == Some(&b',') {
            out.text.pop();
        }
    } else {
        out.text.push(b'}');
    }
    out.text.push(b'}');
    String::from_utf8(out.text).expect("pieces of UTF-8 make UTF-8")
}

/// A listener waits for news, not for an answer.
pub(crate) const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What we want to hear in the modern era; each resource is named.
pub(crate) fn wishes(resources: &[String]) -> String {
    serde_json::json!({ "notifications": {
        "toolsListChanged": true,
        "promptsListChanged": true,
        "resourcesListChanged": true,
        "resourceSubscriptions": resources,
    }})
    .to_string()
}

/// Who asks when nobody called: no principal has an empty id.
pub(crate) fn ourselves() -> Arc<Principal> {
    static OURSELVES: LazyLock<Arc<Principal>> = LazyLock::new(|| {
        let kind = PrincipalKind::Service;
        Arc::new(Principal { id: String::new(), kind, roles: Vec::new(), token_id: None })
    });
    Arc::clone(&OURSELVES)
}

/// `{}`.
pub(crate) fn nothing() -> Raw {
    static NOTHING: LazyLock<Raw> = LazyLock::new(|| Raw::of(&serde_json::json!({})));
    NOTHING.clone()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn order(params: &str) -> Order {
        Order::own("tools/call", params.to_owned(), Instant::now() + Duration::from_secs(1))
    }

    #[test]
    fn what_belongs_to_the_hop_stays_and_the_rest_goes_on() {
        let sent = r#"{"name":"t","arguments":{"n":1.0e2,"x":1e999},"_meta":{"progressToken":"p","traceparent":"00-a","io.modelcontextprotocol/protocolVersion":"2025-11-25","vendor/x":[1 ,2]},"future":{"a":1}}"#;
        let mut order = order(sent);
        order.wants_progress = true;
        assert_eq!(
            order.legacy_params(7).unwrap(),
            r#"{"name":"t","arguments":{"n":1.0e2,"x":1e999},"future":{"a":1},"_meta":{"traceparent":"00-a","vendor/x":[1 ,2],"progressToken":7}}"#
        );
        let modern = order.modern_params(8).unwrap();
        assert!(modern.contains(r#""arguments":{"n":1.0e2,"x":1e999}"#), "{modern}");
        assert!(
            modern.contains(r#""progressToken":8,"io.modelcontextprotocol/protocolVersion":"2026-07-28""#)
        );
        assert!(!modern.contains("2025-11-25"));
    }

    #[test]
    fn no_empty_meta_is_made_up() {
        assert_eq!(order("{}").legacy_params(1).unwrap(), "{}");
        assert_eq!(order(r#"{"name":"t"}"#).legacy_params(1).unwrap(), r#"{"name":"t"}"#);
        assert_eq!(order(r#"{"_meta":{"progressToken":1}}"#).legacy_params(1).unwrap(), "{}");
    }

    #[test]
    fn params_that_are_no_object_are_refused() {
        for bad in ["[]", "1", "{", r#"{"_meta":1}"#] {
            assert!(order(bad).legacy_params(1).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arguments_reach_the_upstream_byte_for_byte(
            key in "[a-zA-Z_.]{1,12}",
            number in r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
            text in r#"([ -!#-\[\]-~]|\\u[0-9a-f]{4}|\\n|é|日){0,20}"#,
        ) {
            let arguments = format!(r#"{{"{key}": {number} ,"list":[ {number},"{text}" ], "{key}x":null}}"#);
            prop_assume!(serde_json::from_str::<&RawValue>(&arguments).is_ok());
            let sent = format!(r#"{{"name":"t","arguments":{arguments},"{key}2":{number}}}"#);
            let order = order(&sent);
            for params in [order.legacy_params(1).unwrap(), order.modern_params(1).unwrap()] {
                let expected = format!(r#""arguments":{arguments}"#);
                prop_assert!(params.contains(&expected));
                let number = format!(r#":{number}"#);
                prop_assert!(params.contains(&number));
            }
            let modern: Result<Value, _> = serde_json::from_str(&order.modern_params(1).unwrap());
            prop_assert!(modern.is_ok() || text.contains("\\u") || number.contains(['e', 'E']));
        }
    }
}
