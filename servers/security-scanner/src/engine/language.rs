//! What a file's name says about how to read it.

/// How values are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Program text: a bare word is a variable, only quoted text is a value.
    Code,
    /// Settings, shell, markup, notes: a bare word is a value.
    Config,
    /// JSON and relatives: values are quoted.
    Json,
    /// Credential files that separate name and value with white space.
    Spaced,
    /// Machine-written dependency locks: digests everywhere, credentials only as tokens.
    Lock,
}

const CODE: &[&str] = &[
    "astro", "c", "cc", "cjs", "clj", "cpp", "cs", "css", "cxx", "dart", "erl", "ex", "exs", "fs", "go",
    "groovy", "h", "hh", "hpp", "hs", "java", "jl", "js", "jsx", "kt", "kts", "less", "lua", "m", "ml",
    "mjs", "mm", "nim", "pas", "php", "pl", "pm", "py", "pyi", "r", "rb", "rs", "s", "scala", "scss", "sol",
    "svelte", "swift", "ts", "tsx", "vala", "vb", "vue", "zig", "gradle", "dts", "dtsi", "asm", "phtml",
    "erb", "ejs", "jsp", "aspx", "cshtml",
];

const LOCKS: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "cargo.lock",
    "go.sum",
    "poetry.lock",
    "composer.lock",
    "gemfile.lock",
    "pipfile.lock",
    "uv.lock",
    "bun.lock",
    "flake.lock",
    "pubspec.lock",
    "packages.lock.json",
    ".cargo-checksum.json",
    "deno.lock",
    "mix.lock",
    "podfile.lock",
];

const SPACED: &[&str] =
    &[".netrc", "_netrc", ".esmtprc", ".msmtprc", ".fetchmailrc", ".authinfo", "netrc", ".mailrc", "esmtprc"];

/// The last part of `path`, in small letters.
pub(crate) fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase()
}

/// The extension of a lower-case file name, or the whole name when it has none.
pub(crate) fn kind_of(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        _ => name,
    }
}

impl Style {
    /// Decides by name alone; contents may lie too.
    pub(crate) fn of(path: &str) -> Self {
        let name = file_name(path);
        if LOCKS.contains(&name.as_str()) {
            return Self::Lock;
        }
        if SPACED.contains(&name.as_str()) {
            return Self::Spaced;
        }
        match kind_of(&name) {
            "json" | "jsonc" | "json5" | "ipynb" | "webmanifest" | "har" => Self::Json,
            kind if CODE.contains(&kind) => Self::Code,
            _ => Self::Config,
        }
    }
}

/// How a language writes a comment that runs to the end of the line.
pub(crate) fn line_comment(kind: &str) -> &'static [&'static str] {
    match kind {
        "py" | "pyi" | "rb" | "sh" | "bash" | "zsh" | "yml" | "yaml" | "toml" | "tf" | "pl" | "pm" | "r"
        | "ex" | "exs" | "dockerfile" | "makefile" | "conf" | "cfg" | "properties" | "env" | "ps1" => &["#"],
        "sql" | "lua" | "hs" => &["--"],
        "ini" => &["#", ";"],
        "php" => &["//", "#", "*"],
        "json" | "md" | "txt" | "html" | "xml" => &[],
        _ => &["//", "*", "/*"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_how_a_file_is_read() {
        for (path, style) in [
            ("a/b.py", Style::Code),
            ("a/Cargo.lock", Style::Lock),
            ("home/.netrc", Style::Spaced),
            ("x/.env", Style::Config),
            ("x/.env.production", Style::Config),
            ("Dockerfile", Style::Config),
            ("settings.JSON", Style::Json),
        ] {
            assert_eq!(Style::of(path), style, "{path}");
        }
    }
}
