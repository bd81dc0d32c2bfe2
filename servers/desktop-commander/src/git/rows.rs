//! What git prints for programs, as rows.

use std::collections::BTreeMap;

/// One row: names to values.
pub(crate) type Row = BTreeMap<String, String>;

fn row<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Row {
    let filled = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `status --porcelain=v2 --branch -z`: a row for the branch, then one for each path.
pub(crate) fn status_rows(text: &str) -> Vec<Row> {
    let mut branch = Row::new();
    let mut rows = Vec::new();
    let mut records = text.split('\0');
    while let Some(record) = records.next() {
        let (kind, rest) = record.split_once(' ').unwrap_or((record, ""));
        match kind {
            "#" => {
                let (name, value) = rest.trim_start_matches("branch.").split_once(' ').unwrap_or((rest, ""));
                branch.insert(name.to_owned(), value.to_owned());
            }
            "1" | "u" => {
                let fields = if kind == "1" { 8 } else { 10 };
                rows.push(row([("state", rest.get(..2).unwrap_or_default()), ("path", nth(rest, fields))]));
            }
            "2" => {
                let from = records.next().unwrap_or_default();
                rows.push(row([
                    ("state", rest.get(..2).unwrap_or_default()),
                    ("path", nth(rest, 9)),
                    ("from", from),
                ]));
            }
            "?" => rows.push(row([("state", "??"), ("path", rest)])),
            _ => {}
        }
    }
    rows.insert(0, branch);
    rows
}

/// What follows `fields - 1` fields that are parted by single spaces; a path may hold spaces itself.
fn nth(rest: &str, fields: usize) -> &str {
    rest.splitn(fields, ' ').nth(fields - 1).unwrap_or_default()
}

/// The format for `log_rows`.
pub(crate) const LOG_FORMAT: &str = "--format=%H%x1f%an%x1f%ae%x1f%aI%x1f%s%x1e";

/// Commits.
pub(crate) fn log_rows(text: &str) -> Vec<Row> {
    let names = ["id", "author", "email", "date", "subject"];
    text.split('\u{1e}')
        .map(str::trim_start)
        .filter(|it| !it.is_empty())
        .map(|record| row(names.into_iter().zip(record.split('\u{1f}'))))
        .collect()
}

/// The format for `branch_rows`.
pub(crate) const BRANCH_FORMAT: &str = "--format=%(refname:short)%1f%(objectname:short)%1f%(upstream:short)%1f%(HEAD)%1f%(committerdate:iso-strict)";

/// Branches.
pub(crate) fn branch_rows(text: &str) -> Vec<Row> {
    let names = ["name", "id", "upstream", "current", "date"];
    text.lines().map(|line| row(names.into_iter().zip(line.split('\u{1f}').map(str::trim)))).collect()
}

/// `blame --line-porcelain`.
pub(crate) fn blame_rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut current = Row::new();
    for line in text.lines() {
        if let Some(content) = line.strip_prefix('\t') {
            current.insert("text".into(), content.to_owned());
            rows.push(std::mem::take(&mut current));
            continue;
        }
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "author" | "summary" => drop(current.insert(name.to_owned(), value.to_owned())),
            _ if current.is_empty() && name.len() >= 40 && name.bytes().all(|b| b.is_ascii_hexdigit()) => {
                let number = value.split(' ').nth(1).unwrap_or_default();
                current = row([("id", &name[..12]), ("line", number)]);
            }
            _ => {}
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(rows: &'a [Row], index: usize, name: &str) -> &'a str {
        rows[index].get(name).map_or("", String::as_str)
    }

    #[test]
    fn status_is_read_with_spaces_and_renames() {
        let text = "# branch.oid abc\0# branch.head main\0# branch.ab +1 -2\0\
            1 .M N... 100644 100644 100644 a b a file\0\
            2 R. N... 100644 100644 100644 a b R100 new name\0old name\0? x\0";
        let rows = status_rows(text);
        assert_eq!((get(&rows, 0, "head"), get(&rows, 0, "ab")), ("main", "+1 -2"));
        assert_eq!((get(&rows, 1, "state"), get(&rows, 1, "path")), (".M", "a file"));
        assert_eq!((get(&rows, 2, "path"), get(&rows, 2, "from")), ("new name", "old name"));
        assert_eq!((get(&rows, 3, "state"), get(&rows, 3, "path")), ("??", "x"));
    }

    #[test]
    fn history_and_blame_are_read() {
        let rows =
            log_rows("h\u{1f}A B\u{1f}a@b\u{1f}2026\u{1f}one | two\u{1e}\nh2\u{1f}C\u{1f}\u{1f}\u{1f}\u{1e}");
        assert_eq!((rows.len(), get(&rows, 0, "subject"), get(&rows, 1, "author")), (2, "one | two", "C"));
        let id = "a".repeat(40);
        let rows = blame_rows(&format!("{id} 1 7 1\nauthor A\nsummary S\n\ttext here\n"));
        assert_eq!(
            (get(&rows, 0, "line"), get(&rows, 0, "author"), get(&rows, 0, "text")),
            ("7", "A", "text here")
        );
    }
}
