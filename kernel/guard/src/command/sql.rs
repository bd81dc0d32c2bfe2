//! SQL, as far as it can reach beyond its database: read as tokens, never searched as text.

/// Why a piece of SQL is refused, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SqlRefusal(pub String);

/// Functions that load code or touch files.
const FUNCTIONS: &[&str] = &[
    "edit",
    "fsdir",
    "fts3_tokenizer",
    "load_extension",
    "lsdir",
    "lsmode",
    "readfile",
    "writefile",
    "zipfile",
];

/// Pragmas that break the file, load code or write elsewhere.
const PRAGMAS: &[&str] =
    &["writable_schema", "temp_store_directory", "data_store_directory", "trusted_schema", "journal_mode"];

/// Virtual table modules that open files.
const MODULES: &[&str] = &["csv", "fsdir", "vtabshell", "zipfile"];

/// Refuses SQL that would open another file or load code. `may_open` answers whether a path named by
/// `ATTACH` or `VACUUM INTO` may be opened; those need a plain string literal.
pub fn check_sql(sql: &str, may_open: &mut dyn FnMut(&str) -> bool) -> Result<(), SqlRefusal> {
    let tokens = tokenise(sql)?;
    for (at, token) in tokens.iter().enumerate() {
        let after = |distance: usize| tokens.get(at + distance);
        let word = match token {
            Token::Word(word) | Token::Name(word) => word.to_ascii_lowercase(),
            _ => continue,
        };
        let called = after(1) == Some(&Token::Mark('('));
        if called && FUNCTIONS.contains(&word.as_str()) {
            return Err(SqlRefusal(format!("the function `{word}` reaches outside the database")));
        }
        if matches!(token, Token::Name(_)) {
            continue;
        }
        match word.as_str() {
            "attach" => {
                let skip = usize::from(after(1).is_some_and(|it| it.is_word("database"))) + 1;
                check_file(after(skip), may_open, "ATTACH")?;
            }
            "vacuum" => {
                let into = tokens[at..].iter().take(4).position(|it| it.is_word("into"));
                if let Some(distance) = into {
                    check_file(after(distance + 1), may_open, "VACUUM INTO")?;
                }
            }
            "pragma" => check_pragma(&tokens[at + 1..])?,
            "using" if after(1).is_some_and(|it| it.is_one_of(MODULES)) => {
                return Err(SqlRefusal("this kind of virtual table opens files".into()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where a piece of SQL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// After a statement, or before any.
    Statement,
    /// Inside one.
    Inside,
    /// The body of a trigger has statements of its own; only sqlite's parser knows.
    Unsure,
}

/// Whether the statement works through a second file of its own, which the shell's safe mode forbids.
pub(super) fn rewrites(sql: &str) -> bool {
    tokenise(sql).is_ok_and(|tokens| tokens.iter().any(|it| it.is_word("vacuum")))
}

/// Where `sql` ends.
pub(super) fn ends(sql: &str) -> Ends {
    match tokenise(sql) {
        Err(_) => Ends::Inside,
        Ok(tokens) if tokens.iter().any(|it| it.is_word("trigger")) => Ends::Unsure,
        Ok(tokens) if matches!(tokens.last(), None | Some(Token::Mark(';'))) => Ends::Statement,
        Ok(_) => Ends::Inside,
    }
}

fn check_file(
    token: Option<&Token>,
    may_open: &mut dyn FnMut(&str) -> bool,
    what: &str,
) -> Result<(), SqlRefusal> {
    match token {
        Some(Token::Text(path)) if path.is_empty() || path == ":memory:" => Ok(()),
        // `file:x?vfs=…` is an address with options of its own.
        Some(Token::Text(path)) if !path.to_ascii_lowercase().starts_with("file:") && may_open(path) => {
            Ok(())
        }
        Some(Token::Text(_)) => Err(SqlRefusal(format!("{what} may only open files beneath a root"))),
        _ => Err(SqlRefusal(format!("{what} needs a file name in single quotes"))),
    }
}

fn check_pragma(tokens: &[Token]) -> Result<(), SqlRefusal> {
    // `PRAGMA schema.name`.
    let name = match tokens {
        [_, Token::Mark('.'), name, ..] | [name, ..] => name,
        [] => return Ok(()),
    };
    // Looking is fine, setting is not.
    let at = tokens.iter().position(|it| std::ptr::eq(it, name)).unwrap_or(0);
    let sets = matches!(tokens.get(at + 1), Some(Token::Mark('=' | '(')));
    if name.is_one_of(PRAGMAS) && sets && !name.is_word("journal_mode") {
        return Err(SqlRefusal("this pragma can break or leave the database".into()));
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word.
    Word(String),
    /// A quoted name: `"x"`, `[x]`, `` `x` ``.
    Name(String),
    /// A string literal.
    Text(String),
    /// Anything else.
    Mark(char),
}

impl Token {
    fn is_word(&self, wanted: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(wanted))
    }

    fn is_one_of(&self, list: &[&str]) -> bool {
        matches!(self, Self::Word(word) | Self::Name(word) | Self::Text(word) if list.iter().any(|it| word.eq_ignore_ascii_case(it)))
    }
}

fn tokenise(sql: &str) -> Result<Vec<Token>, SqlRefusal> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let next = &rest[c.len_utf8()..];
        rest = match c {
            _ if rest.starts_with("--") => rest.split_once('\n').map_or("", |(_, next)| next),
            _ if rest.starts_with("/*") => {
                rest[2..].split_once("*/").ok_or_else(|| SqlRefusal("a comment is not closed".into()))?.1
            }
            '\'' | '"' | '`' => {
                let (text, next) =
                    quoted(next, c).ok_or_else(|| SqlRefusal("a quote is not closed".into()))?;
                tokens.push(if c == '\'' { Token::Text(text) } else { Token::Name(text) });
                next
            }
            '[' => {
                let (text, next) =
                    next.split_once(']').ok_or_else(|| SqlRefusal("a bracket is not closed".into()))?;
                tokens.push(Token::Name(text.to_owned()));
                next
            }
            _ if c.is_alphanumeric() || c == '_' || !c.is_ascii() => {
                let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            _ if c.is_whitespace() => next,
            _ => {
                tokens.push(Token::Mark(c));
                next
            }
        };
    }
    Ok(tokens)
}

/// Up to the closing quote; a doubled quote stands for itself.
fn quoted(mut rest: &str, quote: char) -> Option<(String, &str)> {
    let mut text = String::new();
    loop {
        let (part, next) = rest.split_once(quote)?;
        text.push_str(part);
        match next.strip_prefix(quote) {
            Some(next) => {
                text.push(quote);
                rest = next;
            }
            None => return Some((text, next)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_sql;

    #[test]
    fn words_that_reach_outside_are_found_as_tokens_and_only_as_tokens() {
        let mut inside = |path: &str| !path.starts_with('/') && !path.contains("..");
        for good in [
            "SELECT 'load_extension(1)'",
            "SELECT 1 -- attach 'x'\n",
            "SELECT \"attach\" FROM t",
            "VACUUM;",
            "PRAGMA table_info(users);",
            "ATTACH 'other.db' AS o",
            "ATTACH ':memory:' AS m",
            "VACUUM INTO 'copy.db'",
            "PRAGMA journal_mode=wal",
            "INSERT INTO t VALUES ('it''s')",
            "SELECT load_extension FROM t",
            "PRAGMA writable_schema",
            "SELECT [a b] FROM `c`",
            "/* attach '/x' */ SELECT 1",
        ] {
            assert_eq!(check_sql(good, &mut inside), Ok(()), "{good}");
        }
        for bad in [
            "SELECT load_extension('/x.so')",
            "SELECT LOAD_EXTENSION /* */ ('x')",
            "SELECT \"load_extension\"('x')",
            "SELECT [writefile]('x', 1)",
            "SELECT readfile('/etc/passwd')",
            "ATTACH '/etc/x.db' AS o",
            "attach database '../x' as o",
            "ATTACH 'a'||'b' AS o; ATTACH '/x' AS p",
            "ATTACH ? AS o",
            "ATTACH DATABASE \"/x\" AS o",
            "VACUUM INTO '/tmp/x'",
            "VACUUM main INTO '../x'",
            "PRAGMA writable_schema=1",
            "PRAGMA main.writable_schema(1)",
            "CREATE VIRTUAL TABLE t USING csv(filename='/x')",
            "ATTACH 'file:/etc/x?mode=ro' AS o",
            "SELECT 'open",
            "SELECT edit(x,'vi')",
            "PRAGMA temp_store_directory='/x'",
            "ATTACH('/x') AS o",
            "PRAGMA \"writable_schema\"=1",
            "SELECT 1 /* open",
        ] {
            assert!(check_sql(bad, &mut inside).is_err(), "{bad}");
        }
    }
}
