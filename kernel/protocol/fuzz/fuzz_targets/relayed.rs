//! Whatever a server answers leaves as one line of JSON that still holds it.
#![no_main]

use kernel::Raw;
use libfuzzer_sys::fuzz_target;
use protocol::{Id, Implementation, RelayedView, Revision, write_relayed};

fuzz_target!(|input: (&str, bool)| {
    let (text, untrusted) = input;
    let Some(raw) = Raw::parse(text.to_owned()) else { return };
    let server = Implementation { name: "s".into(), title: "S".into(), version: "1.0.0".into() };
    for revision in Revision::ALL {
        let view = RelayedView { untrusted, cacheable: true, masked: 1, artifact_uri: Some("artifact://1") };
        let answer = write_relayed(&Id::own("1"), &raw, view, revision, &server);
        assert!(!answer.contains(&b'\n'));
        let answer = String::from_utf8(answer).expect("the answer is text");
        let answer = Raw::parse(answer).expect("the answer is JSON");
        assert!(answer.member("result").is_some());
    }
});
