//! Counts letter pairs in the words of source trees and prints the cost table of the rarity model.
//!
//! `cargo run -p server-security-scanner --example train_rarity -- DIR… > rarity.txt`. Each distinct word
//! counts once, so that one long file cannot shape the table. Cell (row, column) is the price of seeing
//! the column's class after the row's, in half bits, as one letter from `a` (0) to `z` (25).

use std::{collections::HashSet, env, fs, io, path::Path};

const CLASSES: usize = 28;
const WORDS_MAX: usize = 2_000_000;

fn class(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'0'..=b'9' => 26,
        _ => 27,
    }
}

fn main() -> io::Result<()> {
    let mut words = HashSet::new();
    for dir in env::args().skip(1) {
        collect(Path::new(&dir), &mut words)?;
    }
    // One imagined sighting of every pair keeps unseen pairs dear, not impossible.
    let mut counts = [[1.0_f64; CLASSES]; CLASSES];
    for word in &words {
        let mut previous = 27;
        for byte in word.bytes() {
            counts[previous][class(byte)] += 1.0;
            previous = class(byte);
        }
        counts[previous][27] += 1.0;
    }
    for row in &counts {
        let total: f64 = row.iter().sum();
        let line: String = row
            .iter()
            .map(|count| ((-(count / total).log2() * 2.0).round().clamp(0.0, 25.0)) as u8)
            .map(|price| char::from(b'a' + price))
            .collect();
        println!("{line}");
    }
    Ok(())
}

fn collect(path: &Path, words: &mut HashSet<String>) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?;
    if kind.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::path);
        return entries.iter().try_for_each(|entry| collect(&entry.path(), words));
    }
    let source = path.extension().and_then(|it| it.to_str());
    if !kind.is_file()
        || kind.len() > 1 << 20
        || !matches!(source, Some("rs" | "py" | "md" | "txt" | "js" | "c"))
    {
        return Ok(());
    }
    let bytes = fs::read(path)?;
    for word in bytes.split(|it| !it.is_ascii_alphanumeric()) {
        if (3..=24).contains(&word.len()) && word[0].is_ascii_alphabetic() && words.len() < WORDS_MAX {
            words.insert(String::from_utf8_lossy(word).to_ascii_lowercase());
        }
    }
    Ok(())
}
