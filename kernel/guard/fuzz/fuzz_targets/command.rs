//! Any text is parsed or refused; what is parsed can be quoted and parsed again to the same words.
#![no_main]

use guard::command::{Command, check_sql, parse, quote};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    drop(check_sql(text, &mut |_| false));
    let Ok(line) = parse(text) else { return };
    for command in line.pipelines.iter().flat_map(|(_, pipeline)| &pipeline.commands) {
        again(command);
    }
});

fn again(command: &Command) {
    let words: Vec<String> = command.words.iter().map(|word| word.text()).collect();
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    // The first word may read as an assignment once it is bare, so something harmless goes first.
    if let Ok(parsed) = parse(&format!("true {}", quoted.join(" "))) {
        let same: Vec<String> = parsed.pipelines[0].1.commands[0].words[1..].iter().map(|word| word.text()).collect();
        assert_eq!(same, words);
    }
}
