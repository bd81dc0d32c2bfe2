//! Whatever arrives is a message or a refusal; what is read can be answered, and the answer is JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{Frame, Message, Params, read_frame, read_message, write_error};

fn check(message: &Message<'_>) {
    let (Message::Request { params, .. } | Message::Notification { params, .. }) = message else { return };
    if let Ok(params) = Params::read(*params) {
        let _checked = (params.check_modern(), params.progress_token(), params.stated_revision());
    }
}

fuzz_target!(|body: &[u8]| {
    match read_frame(body) {
        Ok(Frame::One(message)) => check(&message),
        Ok(Frame::Batch(messages)) => {
            for raw in messages {
                if let Ok(message) = read_message(raw) {
                    check(&message);
                }
            }
        }
        Err((id, fault)) => {
            let answer = write_error(id.as_ref(), &fault);
            assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
            assert!(!answer.contains(&b'\n'));
        }
    }
});
