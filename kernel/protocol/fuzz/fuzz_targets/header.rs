//! A header that passes says, once decoded, exactly what the body says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Mirrored, check_headers, check_parameters, decode_value};
use serde_json::json;

fuzz_target!(|input: (&str, &str, &str)| {
    let (header, method, body) = input;
    let mirrored = Mirrored { revision: Some("2026-07-28"), method: Some(method), name: Some(header) };
    let passed = check_headers(mirrored, Some("2026-07-28"), method, Some(body)).is_ok();
    if passed && matches!(method, "tools/call" | "resources/read" | "prompts/get" | "tasks/get") {
        assert_eq!(decode_value(header).expect("it was decoded before").as_ref(), body);
    }
    let schema = json!({"properties": {"p": {"x-mcp-header": "P"}}});
    let arguments = json!({ "p": body });
    let same = check_parameters(&schema, &arguments, |_| Ok(Some(header))).is_ok();
    assert_eq!(same, decode_value(header).is_ok_and(|it| it == body));
    assert!(check_parameters(&schema, &arguments, |_| Ok(None)).is_err());
});
