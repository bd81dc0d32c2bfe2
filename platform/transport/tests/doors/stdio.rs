//! The same protocol over a pipe.

use std::time::Duration;

use kernel::Secret;
use pipeline::{Door, Scope};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    task::JoinHandle,
};
use transport::{StdioConfig, StdioServer};

use crate::{
    client::wire,
    fakes::{self, Fakes},
};

struct Pipe {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    input: WriteHalf<DuplexStream>,
    fakes: std::sync::Arc<Fakes>,
    gate: std::sync::Arc<pipeline::Gate>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn open(server: Option<&str>) -> Pipe {
    let (gate, fakes) = fakes::gate().await;
    let caller = gate.authenticate(&Secret::new("ann".into()), Door::Stdio).unwrap();
    let scope = Scope { server: server.map(str::to_owned), context: None };
    let config = StdioConfig { max_line: 4096, shutdown_grace: Duration::from_secs(2) };
    let (client, ours) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let served = tokio::spawn(StdioServer::run(wire(&gate), caller, scope, config, reader, writer));
    let (output, input) = tokio::io::split(client);
    Pipe { lines: BufReader::new(output).lines(), input, fakes, gate, served }
}

impl Pipe {
    async fn write(&mut self, line: impl AsRef<[u8]>) {
        self.input.write_all(line.as_ref()).await.unwrap();
        self.input.write_all(b"\n").await.unwrap();
    }

    async fn read(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("an answer in time").unwrap().expect("a line")).expect("a message")
    }

    async fn ask(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.write(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
        self.read().await
    }

    async fn handshake(&mut self, revision: &str, capabilities: Value) {
        let params = json!({"protocolVersion": revision, "capabilities": capabilities});
        assert_eq!(self.ask(0, "initialize", params).await["result"]["protocolVersion"], revision);
        self.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    }

    /// Closes our end and returns what else was said.
    async fn close(mut self) -> Vec<String> {
        self.input.shutdown().await.unwrap();
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(line);
        }
        self.served.await.unwrap().unwrap();
        rest
    }
}

fn modern(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params
}

#[tokio::test]
async fn both_eras_are_served_on_one_pipe() {
    let mut pipe = open(None).await;
    let found = pipe.ask(1, "server/discover", modern(json!({}))).await;
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28");
    let call = json!({"name": "bench__echo", "arguments": {"message": "hi"}});
    let answer = pipe.ask(2, "tools/call", modern(call.clone())).await;
    assert_eq!((&answer["id"], &answer["result"]["resultType"]), (&json!(2), &json!("complete")));
    pipe.handshake("2025-06-18", json!({})).await;
    let answer = pipe.ask(3, "tools/call", call).await;
    assert_eq!(answer["result"]["structuredContent"]["text"], "hi");
    assert_eq!(answer["result"].get("resultType"), None);
    assert_eq!(pipe.ask(4, "ping", json!({})).await["result"], json!({}));
    assert_eq!(pipe.ask(5, "ping", modern(json!({}))).await["error"]["code"], -32601);
    assert_eq!(pipe.ask(6, "server/discover", json!({})).await["error"]["code"], -32602);
    assert!(pipe.close().await.is_empty());
}

#[tokio::test]
async fn a_token_that_ended_opens_nothing_through_a_pipe_that_is_still_open() {
    let mut pipe = open(None).await;
    pipe.handshake("2025-11-25", json!({})).await;
    assert!(pipe.ask(1, "tools/list", json!({})).await["result"]["tools"].is_array());
    pipe.fakes.revoked.lock().unwrap().push("ann".into());
    let artifact = json!({ "ref": { "type": "ref/resource", "uri": "artifact://{id}" },
        "argument": { "name": "id", "value": "" } });
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/read", json!({ "uri": "artifact://ann-1" })),
        ("completion/complete", artifact),
    ] {
        for params in [params.clone(), modern(params)] {
            let answer = pipe.ask(2, method, params).await;
            assert_eq!(answer["error"]["data"]["code"], "authentication_failed", "{method}: {answer}");
        }
    }
    let call = json!({ "name": "bench__echo", "arguments": { "message": "hi" } });
    let refused = pipe.ask(3, "tools/call", call).await["result"]["_meta"]["core-mcp/error"].clone();
    assert_eq!(refused["code"], "authentication_failed");
    pipe.close().await;
}

#[tokio::test]
async fn one_server_has_bare_names() {
    let mut pipe = open(Some("other")).await;
    let list = pipe.ask(1, "tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"][0]["name"], "hello");
    let answer = pipe.ask(2, "tools/call", json!({"name": "hello"})).await;
    assert_eq!(answer["result"]["structuredContent"]["text"], "hello");
}

#[tokio::test]
async fn lines_that_are_no_messages_are_answered_and_the_next_is_served() {
    let mut pipe = open(None).await;
    for (line, code) in [
        (b"nonsense".to_vec(), -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(), -32700),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_vec(), -32600),
        ("[".repeat(3000).into_bytes(), -32600),
        (vec![b'x'; 5000], -32600),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_vec(), -32600),
    ] {
        pipe.write(&line).await;
        let answer = pipe.read().await;
        assert_eq!(answer["error"]["code"], code, "{}", String::from_utf8_lossy(&line[..20.min(line.len())]));
    }
    pipe.write("\r\n  \n").await;
    assert_eq!(pipe.ask(9, "ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn calls_run_side_by_side_and_a_cancelled_one_is_not_answered() {
    let mut pipe = open(None).await;
    pipe.handshake("2025-11-25", json!({})).await;
    let wait = |id: u64, params: Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    pipe.write(wait(1, json!({"name": "bench__wait"}))).await;
    pipe.write(wait(2, modern(json!({"name": "bench__wait"})))).await;
    let echo = pipe.ask(3, "tools/call", json!({"name": "bench__echo", "arguments": {"message": "x"}})).await;
    assert_eq!(echo["id"], 3, "the waiting calls do not hold it up");
    for id in [1, 2, 1, 99] {
        let note =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        pipe.write(note.to_string()).await;
    }
    while pipe.fakes.outcomes("wait").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pipe.fakes.outcomes("wait"), ["cancelled", "cancelled"]);
    assert_eq!(pipe.ask(4, "ping", json!({})).await["id"], 4);
    assert!(pipe.close().await.is_empty());
}

#[tokio::test]
async fn too_many_calls_at_once_are_told_so() {
    let mut pipe = open(None).await;
    for id in 0..65 {
        let params = json!({"name": "bench__wait"});
        pipe.write(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string())
            .await;
    }
    let refused = pipe.read().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(64), &json!(-32000)));
}

#[tokio::test]
async fn progress_comes_before_the_answer_and_the_human_can_be_asked() {
    let mut pipe = open(None).await;
    pipe.handshake("2025-11-25", json!({"elicitation": {}})).await;
    let mut message =
        pipe.ask(1, "tools/call", json!({"name": "bench__steps", "_meta": {"progressToken": 5}})).await;
    for step in 1..=3 {
        assert_eq!(
            (&message["params"]["progress"], &message["params"]["progressToken"]),
            (&json!(f64::from(step)), &json!(5))
        );
        message = pipe.read().await;
    }
    assert_eq!(message["result"]["structuredContent"]["text"], "done");
    let question =
        pipe.ask(2, "tools/call", json!({"name": "bench__danger", "arguments": {"name": "db"}})).await;
    assert_eq!(question["method"], "elicitation/create");
    let answer = json!({
        "jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"approve": true}},
    });
    pipe.write(answer.to_string()).await;
    assert_eq!(pipe.read().await["result"]["structuredContent"]["text"], "destroyed db");
}

#[tokio::test]
async fn changes_are_announced_to_both_eras() {
    let mut pipe = open(None).await;
    let opening = pipe
        .ask(7, "subscriptions/listen", modern(json!({"notifications": {"toolsListChanged": true}})))
        .await;
    assert_eq!(opening["method"], "notifications/subscriptions/acknowledged");
    pipe.gate.notify_changed();
    let change = pipe.read().await;
    assert_eq!(change["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    pipe.write(note.to_string()).await;
    pipe.handshake("2025-11-25", json!({})).await;
    pipe.gate.notify_changed();
    let change = pipe.read().await;
    assert_eq!(
        (&change["method"], change["params"].get("_meta")),
        (&json!("notifications/tools/list_changed"), None)
    );
    for list in ["prompts", "resources"] {
        assert_eq!(pipe.read().await["method"], format!("notifications/{list}/list_changed"));
    }
    assert!(pipe.close().await.is_empty());
}

#[tokio::test]
async fn at_the_end_calls_finish_or_are_cancelled_and_subscriptions_are_closed() {
    let mut pipe = open(None).await;
    pipe.ask(1, "subscriptions/listen", modern(json!({"notifications": {}}))).await;
    for (id, tool) in [(2, "demolish"), (3, "wait")] {
        let params = json!({"name": format!("bench__{tool}")});
        pipe.write(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string())
            .await;
    }
    let fakes = pipe.fakes.clone();
    let rest: Vec<Value> = pipe.close().await.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let ids: Vec<_> = rest.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2], "the subscription is closed, the finished call answered, the cancelled one not");
    assert_eq!(fakes.outcomes("demolish"), ["ok"]);
    assert_eq!(fakes.outcomes("wait"), ["cancelled"]);
}
