//! Background sessions.

use serde_json::{Value, json};

use crate::desk::{Desk, as_user};

async fn start(desk: &Desk, command: &str) -> String {
    let result =
        desk.ok("execute_command", json!({"command": command, "background": true, "timeout": 60})).await;
    result["session_id"].as_str().unwrap().to_owned()
}

async fn read(desk: &Desk, id: &str, since: u64) -> Value {
    desk.ok("read_process", json!({"session_id": id, "since_seq": since, "wait_ms": 20_000})).await
}

#[tokio::test]
async fn output_comes_by_sequence_number_and_stays_after_the_end() {
    let desk = Desk::new().await;
    let id = start(&desk, "seq 3; ls missing").await;
    let (mut text, mut seq) = (String::new(), 0);
    let last = loop {
        let chunk = read(&desk, &id, seq).await;
        text.push_str(chunk["chunk"].as_str().unwrap());
        seq = chunk["next_seq"].as_u64().unwrap();
        if chunk["state"] != "running" {
            break chunk;
        }
    };
    assert!(text.starts_with("1\n2\n3\n") && text.contains("missing"), "{text}");
    assert_eq!((last["state"].clone(), last["exit_code"].clone()), (json!("exited"), json!(2)));
    assert_eq!(read(&desk, &id, 2).await["chunk"], text[2..]);
    let list = desk.ok("list_processes", json!({})).await;
    assert_eq!(
        (list["sessions"][0]["session_id"].clone(), list["sessions"][0]["exit_code"].clone()),
        (json!(id), json!(2))
    );
}

#[tokio::test]
async fn a_session_is_talked_to_and_ended() {
    let desk = Desk::new().await;
    let id = start(&desk, "cat").await;
    desk.ok("write_process_stdin", json!({"session_id": id, "data": "hello\n"})).await;
    assert_eq!(read(&desk, &id, 0).await["chunk"], "hello\n");
    desk.ok("write_process_stdin", json!({"session_id": id, "data": "bye\n", "eof": true})).await;
    let (mut seq, mut rest) = (6, String::new());
    loop {
        let chunk = read(&desk, &id, seq).await;
        rest.push_str(chunk["chunk"].as_str().unwrap());
        seq = chunk["next_seq"].as_u64().unwrap();
        if chunk["state"] == "exited" {
            break;
        }
    }
    assert_eq!(rest, "bye\n");
    assert_eq!(
        desk.code("write_process_stdin", json!({"session_id": id, "data": "x"})).await,
        "tool_execution_failed"
    );

    let id = start(&desk, "sleep 60").await;
    assert_eq!(desk.ok("stop_process", json!({"session_id": id})).await["state"], "stopped");
    assert_eq!(desk.ok("stop_process", json!({"session_id": id})).await["state"], "stopped");
}

#[tokio::test]
async fn sessions_belong_to_whoever_started_them() {
    let desk = Desk::new().await;
    let id = start(&desk, "sleep 60").await;
    for tool in ["read_process", "stop_process"] {
        let error = desk.call_with(as_user("other"), tool, json!({"session_id": id})).await.unwrap_err();
        assert_eq!(error.kind.code(), "not_found", "{tool}");
    }
    let error =
        desk.call_with(as_user("other"), "write_process_stdin", json!({"session_id": id, "data": "x"})).await;
    assert_eq!(error.unwrap_err().kind.code(), "not_found");
    let list = desk.call_with(as_user("other"), "list_processes", json!({})).await.unwrap();
    assert_eq!(list["sessions"], json!([]));
    desk.ok("stop_process", json!({"session_id": id})).await;
}

#[tokio::test]
async fn sessions_are_bounded_in_number_and_size() {
    let desk = Desk::with(json!({"sessions_max": 2, "session_bytes_max": 4096})).await;
    let (one, two) = (start(&desk, "sleep 60").await, start(&desk, "sleep 60").await);
    assert_eq!(
        desk.code("execute_command", json!({"command": "ls", "background": true})).await,
        "overloaded"
    );
    desk.ok("stop_process", json!({"session_id": one})).await;
    let loud = start(&desk, "seq 100000").await;
    // Beyond all output there is no news but the end.
    assert_eq!(read(&desk, &loud, u64::from(u32::MAX)).await["state"], "exited");
    let chunk = read(&desk, &loud, 0).await;
    assert!(
        chunk["chunk"].as_str().unwrap().len() <= 4096
            && chunk["chunk"].as_str().unwrap().ends_with("100000\n")
    );
    assert_eq!(chunk["lost_bytes"], 588_895 - 4096);
    assert_eq!(desk.code("read_process", json!({"session_id": one})).await, "not_found");
    desk.ok("stop_process", json!({"session_id": two})).await;
}
