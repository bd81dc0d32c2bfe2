//! Both eras of clients through the real door to both eras of upstreams: which pair carries what.

use std::sync::{Arc, atomic::Ordering};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use transport::{HttpConfig, HttpServer, Wire, WireConfig};

use crate::{
    fake::{Era, Fake},
    rig::{PATIENCE, Rig, at},
};

const PAIRS: [(Era, Era); 4] = [
    (Era::Legacy, Era::Legacy),
    (Era::Legacy, Era::Modern),
    (Era::Modern, Era::Legacy),
    (Era::Modern, Era::Modern),
];

/// A door over a rig, and an upstream behind it.
struct Bridge {
    rig: Rig,
    fake: Fake,
    url: String,
    stop: CancellationToken,
    http: reqwest::Client,
}

/// What one call brought.
#[derive(Default)]
struct Heard {
    notices: Vec<Value>,
    questions: Vec<Value>,
    answer: Value,
}

impl Bridge {
    async fn new(upstream: Era) -> Self {
        let (rig, fake) = (Rig::new().await, Fake::new(upstream).await);
        rig.mount(&[("up", at(&fake.url, json!({"trust": "high"})))]).await;
        let wire = Wire::new(Arc::clone(&rig.gate.gate), WireConfig::new([7; 32], "1.2.3"));
        let server = HttpServer::bind(wire, HttpConfig::new("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let url = format!("http://{}/mcp", server.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(stop.clone()));
        // A provider may be there from another test of this process.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { rig, fake, url, stop, http }
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(&self.url)
            .header("authorization", "Bearer token-of-admin")
            .header("accept", "application/json, text/event-stream")
            .json(body)
    }

    /// A client of either era, which answers every question.
    async fn call(&self, client: Era, tool: &str, capabilities: Value) -> Heard {
        match client {
            Era::Legacy => self.legacy(tool, capabilities).await,
            Era::Modern => self.modern(tool, capabilities).await,
        }
    }

    async fn legacy(&self, tool: &str, capabilities: Value) -> Heard {
        let who = json!({"name": "t", "version": "1"});
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
            {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": who}});
        let opened = self.post(&hello).send().await.unwrap();
        let session = opened.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let with = |body: &Value| {
            self.post(body).header("mcp-session-id", &session).header("mcp-protocol-version", "2025-11-25")
        };
        let level =
            json!({"jsonrpc": "2.0", "id": 2, "method": "logging/setLevel", "params": {"level": "info"}});
        with(&level).send().await.unwrap();
        let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params":
            {"name": format!("up__{tool}"), "arguments": {}, "_meta": {"progressToken": "p"}}});
        let mut response = with(&call).send().await.unwrap();
        let (mut heard, mut text) = (Heard::default(), String::new());
        let mut read = 0;
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            let all = messages(&text);
            for message in &all[read..] {
                if message["id"] == 3 {
                    heard.answer = message.clone();
                } else if message.get("id").is_some() {
                    heard.questions.push(message.clone());
                    let reply = json!({"jsonrpc": "2.0", "id": message["id"], "result": accepted()});
                    with(&reply).send().await.unwrap();
                } else {
                    heard.notices.push(message.clone());
                }
            }
            read = all.len();
        }
        heard
    }

    async fn modern(&self, tool: &str, capabilities: Value) -> Heard {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": "p",
            "io.modelcontextprotocol/clientCapabilities": capabilities, "io.modelcontextprotocol/logLevel": "info",
        });
        let mut params = json!({"name": format!("up__{tool}"), "arguments": {}, "_meta": meta});
        let mut heard = Heard::default();
        for id in 1..5 {
            let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
            let request = self.post(&call).header("mcp-protocol-version", "2026-07-28");
            let request =
                request.header("mcp-method", "tools/call").header("mcp-name", format!("up__{tool}"));
            let text = request.send().await.unwrap().text().await.unwrap();
            for message in messages(&text) {
                if message["id"] == id {
                    heard.answer = message;
                } else {
                    heard.notices.push(message);
                }
            }
            let result = &heard.answer["result"];
            if result["resultType"] != "input_required" {
                break;
            }
            let asked = result["inputRequests"].as_object().unwrap().clone();
            heard.questions.extend(asked.values().cloned());
            let answers =
                asked.keys().map(|key| (key.clone(), accepted())).collect::<serde_json::Map<_, _>>();
            params["inputResponses"] = answers.into();
            params["requestState"] = result["requestState"].clone();
        }
        heard
    }

    async fn close(self) {
        self.stop.cancel();
        self.rig.close().await;
    }
}

fn accepted() -> Value {
    json!({"action": "accept", "content": {"name": "Ann"}})
}

/// One JSON body, or the whole events of a stream.
fn messages(text: &str) -> Vec<Value> {
    if text.starts_with('{') {
        return serde_json::from_str(text).into_iter().collect();
    }
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    let lines = whole.lines().filter_map(|it| it.strip_prefix("data: "));
    lines.filter_map(|it| serde_json::from_str(it).ok()).collect()
}

fn shown(client: Era, upstream: Era) -> String {
    let name = |era| if era == Era::Modern { "modern" } else { "legacy" };
    format!("{} client, {} upstream", name(client), name(upstream))
}

#[tokio::test]
async fn every_pair_carries_elicitation() {
    for (client, upstream) in PAIRS {
        let bridge = Bridge::new(upstream).await;
        let heard = bridge.call(client, "ask", json!({"elicitation": {"form": {}}})).await;
        let pair = shown(client, upstream);
        assert_eq!(heard.questions.len(), 1, "{pair}: {}", heard.answer);
        assert!(heard.questions[0].to_string().contains("name?"), "{pair}: {:?}", heard.questions);
        let text = heard.answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains("Ann"), "{pair}: {}", heard.answer);
        bridge.close().await;
    }
}

#[tokio::test]
async fn every_pair_carries_progress_logs_and_unknown_fields() {
    for (client, upstream) in PAIRS {
        let bridge = Bridge::new(upstream).await;
        let pair = shown(client, upstream);
        let heard = bridge.call(client, "progress", json!({})).await;
        assert_eq!(heard.answer["result"]["content"][0]["text"], "done", "{pair}: {}", heard.answer);
        let of = |method: &str| heard.notices.iter().filter(|it| it["method"] == method).count();
        assert_eq!(
            (of("notifications/progress"), of("notifications/message")),
            (2, 1),
            "{pair}: {:?}",
            heard.notices
        );
        assert!(
            heard.notices.iter().all(|it| it["params"]["progressToken"] != 1),
            "{pair}: our own token shows"
        );
        let heard = bridge.call(client, "odd", json!({})).await;
        // 1e400 is no number for this test's reader: the whole answer is looked at as text elsewhere.
        assert!(heard.answer.is_null() || heard.answer.to_string().contains("future"), "{pair}");
        bridge.close().await;
    }
}

#[tokio::test]
async fn no_pair_asks_who_did_not_offer_to_be_asked() {
    for (client, upstream) in PAIRS {
        let bridge = Bridge::new(upstream).await;
        let heard = bridge.call(client, "ask", json!({})).await;
        let pair = shown(client, upstream);
        assert!(heard.questions.is_empty(), "{pair}: {:?}", heard.questions);
        assert!(!heard.answer.to_string().contains("Ann"), "{pair}: {}", heard.answer);
        bridge.rig.assert_audit_is_complete();
        bridge.close().await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_call_upstream() {
    for upstream in [Era::Legacy, Era::Modern] {
        let bridge = Bridge::new(upstream).await;
        let call = bridge.modern("hang", json!({}));
        let started = async {
            while bridge.fake.state.calls.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = call => panic!("it was answered"),
            () = started => {}
        }
        if upstream == Era::Legacy {
            let told = async {
                while !bridge.fake.state.heard.lock().iter().any(|it| it.contains("notifications/cancelled"))
                {
                    tokio::task::yield_now().await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "the upstream was not told");
        }
        bridge.close().await;
    }
}
