//! What the name of a variable, key or attribute says about its value.

use super::rule::Class;

#[rustfmt::skip]
const PASSWORD: &[&str] = &[
    "password", "passwords", "passwd", "pwd", "pass", "passphrase", "passcode", "passw", "pswd", "psw",
    "userpass", "dbpass", "dbpasswd", "dbpassword", "dbpwd", "rootpw", "pw", "userpassword", "passwort",
    "contrasena", "senha", "kennwort", "mypassword", "mypass", "adminpassword", "adminpass",
    "storepass", "keypass", "bindpw", "ftppass", "sshpass", "smtppass", "mailpass", "userpwd",
    "loginpassword", "requirepass", "masterauth", "pgpassword", "rootpass", "rootpassword",
    "mysqlpassword", "sudopass",
];
#[rustfmt::skip]
const SECRET: &[&str] = &[
    "secret", "secrets", "clientsecret", "appsecret", "apisecret", "secretkey", "salt", "seed",
    "pepper",
];
#[rustfmt::skip]
const TOKEN: &[&str] = &[
    "token", "tokens", "authtoken", "accesstoken", "apitoken", "oauthtoken", "bearertoken",
    "refreshtoken", "jwt", "bearer",
];
#[rustfmt::skip]
const AUTH: &[&str] = &[
    "auth", "authorization", "credential", "credentials", "creds", "cred", "authkey", "httpauth",
    "basicauth",
];
#[rustfmt::skip]
const KEY: &[&str] = &[
    "apikey", "apikeys", "accesskey", "privatekey", "authkey", "accountkey", "sharedkey", "appkey",
    "licensekey", "encryptionkey", "masterkey", "signingkey", "secretkey", "securekey",
];
/// Words that make a plain `key` one that must be kept.
#[rustfmt::skip]
const KEY_KINDS: &[&str] = &[
    "api", "access", "secret", "private", "priv", "encrypt", "encryption", "crypto", "cipher",
    "signing", "sign", "signature", "auth", "master", "account", "shared", "storage", "service",
    "session", "app", "application", "client", "consumer", "deploy", "aes", "hmac", "jwt", "server",
    "subscription", "license", "root", "admin", "secure", "logged", "nonce", "webhook", "integration",
    "write", "ingest", "instrumentation", "user", "project", "maps", "google", "aws", "azure", "stripe",
    "openai", "cookie", "rsa", "hash", "wp", "s3",
];
/// Words after which a name speaks *about* a credential and does not hold one.
#[rustfmt::skip]
const ABOUT: &[&str] = &[
    "file", "filename", "path", "dir", "name", "names", "url", "uri", "endpoint", "id", "ids", "type",
    "types", "length", "len", "size", "field", "fields", "prompt", "label", "policy", "reset", "expiry",
    "expires", "expiration", "expired", "count", "index", "format", "regex", "pattern", "placeholder",
    "hint", "error", "errors", "message", "msg", "text", "title", "column", "header", "headers",
    "param", "params", "parameter", "required", "enabled", "min", "max", "strength", "validator",
    "validators", "hasher", "hashers", "ref", "refs", "reference", "store", "manager", "provider",
    "class", "view", "form", "input", "button", "page", "link", "method", "mode", "scheme", "realm",
    "domain", "ttl", "timeout", "version", "algorithm", "alg", "status", "state", "changed", "updated",
    "created", "at", "date", "time", "lifetime", "duration", "prefix", "suffix", "location",
    "description", "desc", "help", "usage", "doc", "docs", "comment", "example", "mask", "generator",
    "policyarn", "arn", "rotation", "bytes", "bits", "kind", "set", "env", "var", "variable", "keys",
    "map", "list", "table", "attribute", "attr", "property", "prop", "alias", "selector", "icon",
    "test", "tests", "fn", "func", "function", "handler", "callback", "helper", "util", "utils",
    "service", "controller", "request", "response", "info", "data", "options", "config", "settings",
    "scope", "scopes", "audience", "issuer", "host", "port", "user", "username", "usernames", "email",
    "flow", "grant", "checker", "check", "element", "locator", "xpath",
    "css", "address", "contract", "symbol", "decimals", "limit", "mgr", "encryption", "encoding",
    "crypt", "hash", "hashes", "digest", "rules", "rule", "requirements", "criteria", "score",
    "visible", "visibility", "toggle", "show", "hide", "event",
];
/// Words in front of which a name is public or structural.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "public", "pub", "primary", "foreign", "sort", "cache", "partition", "forgot", "forgotten", "no",
    "has", "is", "show", "hide", "next", "page", "continuation", "pagination", "cancellation", "cancel",
    "csrf", "xsrf", "syntax", "parser", "lexer", "design", "enter", "invalid", "missing", "wrong",
    "incorrect", "change", "changed", "reset", "require", "requires", "use", "uses", "validate",
    "check", "ask", "prompt", "max", "min", "unicode", "bos", "eos", "pad", "unk", "stop",
    "special", "publishable", "site", "hot", "shortcut", "arrow", "object", "dict", "map", "by",
    "pass1", "reserved", "keyword", "delimiter", "separator", "begin", "end", "start", "token2",
    "first", "last", "current", "random", "toggle", "supports", "support", "allow", "disable", "enable",
    "save", "remember", "with", "without",
];

/// How strictly a name must promise a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Further words may follow: `secret_key_base`.
    Loosely,
    /// The promise is the last word.
    Exactly,
}

/// The class of credential that `name` promises, if any.
pub(crate) fn classify(name: &[u8], how: Naming) -> Option<Class> {
    let words = words(name);
    let (at, class) = words.iter().enumerate().rev().find_map(|(at, word)| {
        let class = class_of_word(word).or_else(|| key_with_kind(&words, at))?;
        Some((at, class))
    })?;
    // What is passed to a function is a credential only when the function's own name ends in the word:
    // `setPassword("x")`, not `password.encode("x")` and not `t.pass("x")`.
    if how == Naming::Exactly && (at + 1 < words.len() || words[at] == "pass") {
        return None;
    }
    let about = words[at + 1..].iter().any(|it| ABOUT.contains(&it.as_str()));
    let harmless = words[..at].iter().any(|it| HARMLESS.contains(&it.as_str()));
    (!about && !harmless).then_some(class)
}

fn class_of_word(word: &str) -> Option<Class> {
    // `DB_PASSWORD_2` and `password1` are passwords too.
    let word = word.trim_end_matches(|it: char| it.is_ascii_digit());
    let table = [
        (PASSWORD, Class::Password),
        (KEY, Class::Key),
        (SECRET, Class::Secret),
        (TOKEN, Class::Token),
        (AUTH, Class::Auth),
    ];
    let exact = table.iter().find(|(list, _)| list.contains(&word)).map(|(_, class)| *class);
    // Names written as one word: `bigquerypassword`, `vaultsecret`.
    exact.or_else(|| {
        [
            ("password", Class::Password),
            ("passwd", Class::Password),
            ("apikey", Class::Key),
            ("token", Class::Token),
        ]
        .iter()
        .find(|(end, _)| word.len() > end.len() && word.ends_with(end))
        .map(|(_, class)| *class)
    })
}

fn key_with_kind(words: &[String], at: usize) -> Option<Class> {
    let is_key = matches!(words[at].trim_end_matches(|it: char| it.is_ascii_digit()), "key");
    let before = words[..at].last()?;
    (is_key && KEY_KINDS.contains(&before.as_str())).then_some(Class::Key)
}

/// Splits `camelCase`, `snake_case`, `kebab-case` and `dotted.names` into small-letter words.
pub(crate) fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::with_capacity(4);
    let mut word = String::new();
    let mut previous = b'_';
    for (at, byte) in name.iter().copied().enumerate() {
        let next_is_small = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let starts = byte.is_ascii_uppercase()
            && (previous.is_ascii_lowercase() || (previous.is_ascii_uppercase() && next_is_small));
        if (!byte.is_ascii_alphanumeric() || starts) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        previous = byte;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_at_every_usual_border() {
        assert_eq!(words(b"dbPassword"), ["db", "password"]);
        assert_eq!(words(b"AWSSecretKey"), ["aws", "secret", "key"]);
        assert_eq!(words(b"spring.datasource-pass_word"), ["spring", "datasource", "pass", "word"]);
    }

    #[test]
    fn names_that_hold_credentials_are_told_from_names_about_them() {
        for (name, class) in [
            ("password", Some(Class::Password)),
            ("DB_PASSWORD", Some(Class::Password)),
            ("sshUserPassword", Some(Class::Password)),
            ("client_secret", Some(Class::Secret)),
            ("apiKey", Some(Class::Key)),
            ("STRIPE_API_KEY_2", Some(Class::Key)),
            ("oauth_token", Some(Class::Token)),
            ("_auth", Some(Class::Auth)),
            ("secret_key_base", Some(Class::Key)),
            ("key", None),
            ("public_key", None),
            ("primaryKey", None),
            ("password_file", None),
            ("token_type", None),
            ("tokenUrl", None),
            ("nextPageToken", None),
            ("timePasswordChanged", None),
            ("monkey", None),
            ("compass", None),
        ] {
            assert_eq!(classify(name.as_bytes(), Naming::Loosely), class, "{name}");
        }
    }
}
