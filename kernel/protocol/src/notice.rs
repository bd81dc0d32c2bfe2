//! Messages we send without being asked.

use kernel::{ProgressUpdate, Raw};
use serde_json::{Value, json, value::RawValue};

use crate::{
    Id,
    approval::form,
    reply::{push_json, push_line},
};

/// Names the subscription in each of its messages.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Progress of the request that carried `token`.
pub fn progress_notice(token: &RawValue, update: &ProgressUpdate) -> Vec<u8> {
    let mut params = json!({ "progressToken": token, "progress": update.done });
    if let Some(total) = update.total {
        params["total"] = total.into();
    }
    if let Some(message) = &update.message {
        params["message"] = message.as_str().into();
    }
    notification("notifications/progress", params)
}

/// `kind` (`tools` or `resources`) may list differently now.
pub fn list_changed(kind: &str) -> Vec<u8> {
    notification(&format!("notifications/{kind}/list_changed"), json!({}))
}

/// The same on a `subscriptions/listen` stream, which names its subscription in every message.
pub fn tagged_list_changed(kind: &str, subscription: &Id) -> Vec<u8> {
    notification(&format!("notifications/{kind}/list_changed"), json!({ "_meta": tag(subscription) }))
}

/// A notification with parameters that somebody else wrote.
pub fn raw_notice(method: &str, params: &Raw) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.get().len() + 80);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
    push_json(&mut out, &method);
    out.extend_from_slice(br#","params":"#);
    push_line(&mut out, params.get());
    out.push(b'}');
    out
}

/// The same on a `subscriptions/listen` stream.
pub fn tagged_raw_notice(method: &str, params: &Raw, subscription: &Id) -> Vec<u8> {
    let mut meta = params.member("_meta").map_or_else(|| Raw::of(&json!({})), Raw::from);
    let id = Raw::parse(subscription.as_json().to_owned());
    meta = meta.with(SUBSCRIPTION, id.as_ref());
    raw_notice(method, &params.with("_meta", Some(&meta)))
}

/// A request of ours to a client.
pub fn client_request(id: &Id, method: &str, params: &Raw) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.get().len() + 96);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_json().as_bytes());
    out.extend_from_slice(br#","method":"#);
    push_json(&mut out, &method);
    out.extend_from_slice(br#","params":"#);
    push_line(&mut out, params.get());
    out.push(b'}');
    out
}

/// The first message of a `subscriptions/listen` stream: what we agreed to send.
pub fn acknowledged(subscription: &Id, agreed: Value) -> Vec<u8> {
    let params = json!({ "_meta": tag(subscription), "notifications": agreed });
    notification("notifications/subscriptions/acknowledged", params)
}

/// The last message of a `subscriptions/listen` stream that we end ourselves.
pub fn listen_closed(subscription: &Id) -> Vec<u8> {
    let id = id_value(subscription);
    let mut out = Vec::with_capacity(160);
    push_json(
        &mut out,
        &json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete", "_meta": tag(subscription) } }),
    );
    out
}

/// Asks the human behind a legacy client for approval.
pub fn elicitation_request(id: &Id, question: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    push_json(
        &mut out,
        &json!({ "jsonrpc": "2.0", "id": id_value(id), "method": "elicitation/create", "params": form(question) }),
    );
    out
}

fn tag(subscription: &Id) -> Value {
    json!({ SUBSCRIPTION: id_value(subscription) })
}

fn id_value(id: &Id) -> Value {
    serde_json::from_str(id.as_json()).expect("an id is JSON")
}

fn notification(method: &str, params: Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    push_json(&mut out, &json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Value {
        assert!(!bytes.contains(&b'\n'), "one line, for stdio");
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn a_progress_token_comes_back_as_it_was_sent() {
        for token in ["7", r#""a b""#, "-1", "1.5"] {
            let token = RawValue::from_string(token.into()).unwrap();
            let update = ProgressUpdate { done: 1.0, total: Some(3.0), message: Some("line\nbreak".into()) };
            let sent = read(&progress_notice(&token, &update));
            assert_eq!(sent["params"]["progressToken"], serde_json::from_str::<Value>(token.get()).unwrap());
            assert_eq!((&sent["params"]["progress"], &sent["params"]["total"]), (&json!(1.0), &json!(3.0)));
        }
    }

    #[test]
    fn every_message_of_a_subscription_names_it() {
        let id = Id::own("listen-1");
        let key = "io.modelcontextprotocol/subscriptionId";
        assert_eq!(
            read(&acknowledged(&id, json!({"toolsListChanged": true})))["params"]["_meta"][key],
            "listen-1"
        );
        assert_eq!(read(&tagged_list_changed("tools", &id))["params"]["_meta"][key], "listen-1");
        assert_eq!(read(&listen_closed(&id))["result"]["_meta"][key], "listen-1");
        assert_eq!(read(&list_changed("tools"))["method"], "notifications/tools/list_changed");
        assert_eq!(read(&elicitation_request(&id, "sure?"))["params"]["message"], "sure?");
    }
}
