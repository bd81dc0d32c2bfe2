//! A name that passes can be no option, no second line and no path.
#![no_main]

use guard::name::{Alphabet, NAME_BYTES_MAX, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    for alphabet in [Alphabet::Dns, Alphabet::Word, Alphabet::Reference, Alphabet::Text] {
        let Ok(name) = check("name", name, alphabet) else { continue };
        assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
        assert!(!name.starts_with('-'));
        assert!(!name.chars().any(char::is_control));
        if alphabet != Alphabet::Text {
            assert!(name.is_ascii() && !name.contains(char::is_whitespace));
            assert!(!name.contains([';', '&', '|', '$', '`', '\\', '"', '\'', '<', '>', '*', '?', '%', '#']));
        }
        if matches!(alphabet, Alphabet::Dns | Alphabet::Word) {
            assert!(!name.contains('/') && name != "..");
        }
    }
});
