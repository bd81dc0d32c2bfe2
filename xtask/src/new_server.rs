//! Writes a new server: the same rooms as every other, one tool that works, and its line in the catalogue.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::workspace::Places;

/// Every file of a new server. `NAME`, `Name` and `name_` in them stand for the server's name.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/server/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("../templates/server/lib.rs.txt")),
    ("src/config.rs", include_str!("../templates/server/config.rs.txt")),
    ("src/error.rs", include_str!("../templates/server/error.rs.txt")),
    ("src/engine.rs", include_str!("../templates/server/engine.rs.txt")),
    ("src/tools.rs", include_str!("../templates/server/tools.rs.txt")),
    ("src/tools/name__greet.rs", include_str!("../templates/server/greet.rs.txt")),
    ("tests/contract.rs", include_str!("../templates/server/contract.rs.txt")),
];

/// Writes `servers/{name}` and the catalogue's line, and says what to do next.
pub(crate) fn run(places: &Places, name: &str) -> anyhow::Result<()> {
    let written = write(&places.root, name)?;
    for path in &written {
        println!("wrote {}", path.display());
    }
    println!(
        "next: cargo nextest run -p server-{name}, then cargo xtask docs\n\
         the rules a server keeps are in docs/specs/server.md"
    );
    Ok(())
}

fn write(root: &Path, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    anyhow::ensure!(is_name(name), "`{name}` is not lower case words joined by `-`");
    let folder = Path::new("servers").join(name);
    anyhow::ensure!(!root.join(&folder).exists(), "{} exists already", folder.display());
    let mut written = Vec::new();
    for (path, template) in FILES {
        let path = folder.join(named(path, name));
        let place = root.join(&path);
        fs::create_dir_all(place.parent().context("a file stands in a folder")?)?;
        fs::write(&place, named(template, name))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        written.push(path);
    }
    let manifest = Path::new("catalog/Cargo.toml");
    let text = fs::read_to_string(root.join(manifest)).context("catalog/Cargo.toml cannot be read")?;
    fs::write(root.join(manifest), with_line(&text, name)?)?;
    written.push(manifest.to_owned());
    Ok(written)
}

fn is_name(name: &str) -> bool {
    name.len() >= 2
        && name.len() <= 32
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.split('-').all(|word| !word.is_empty())
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
}

/// Puts the server's name into a template: `NAME` as it is, `Name` as a type, `name_` as an identifier.
fn named(template: &str, name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    template
        .replace("NAME", name)
        .replace("Name", &words.collect::<String>())
        .replace("name_", &name.replace('-', "_"))
}

/// Adds the server's line after the last one of its kind.
fn with_line(manifest: &str, name: &str) -> anyhow::Result<String> {
    let line = crate::tidy::catalogue_line(name);
    let mut lines: Vec<&str> = manifest.lines().collect();
    let last = lines.iter().rposition(|it| it.trim_start_matches('#').starts_with("server-"));
    let list = lines.iter().position(|it| it.starts_with("# The native servers."));
    let place = last.or(list).context("catalog/Cargo.toml has no list of servers")?;
    lines.insert(place + 1, &line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Command;

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for good in ["mongo", "docker-manager", "s3"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a", "Mongo", "mongo_db", "-mongo", "mongo-", "mon--go", "3s", "../mongo", "mongo db"]
        {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn the_catalogue_takes_exactly_one_line() {
        let manifest = "[dependencies]\nkernel.workspace = true\n\n# The native servers. One line each.\n";
        let one = with_line(manifest, "mongo").expect("a list");
        assert_eq!(one, format!("{manifest}server-mongo = {{ path = \"../servers/mongo\" }}\n"));
        let two = with_line(&format!("{one}\n[dev-dependencies]\n"), "slack").expect("a list");
        assert!(two.contains("servers/mongo\" }\nserver-slack = "), "{two}");
        assert!(with_line("[dependencies]\n", "mongo").is_err());
    }

    /// Writes a server into a small copy of the workspace and lets cargo test it there.
    #[test]
    fn a_new_server_compiles_and_keeps_the_contract() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let copy = std::env::temp_dir().join(format!("xtask-new-server-{}", std::process::id()));
        skeleton(root, &copy);
        write(&copy, "mongo-db").expect("a new server");
        // The program under test stands in `target/debug/deps`: what is compiled there is used again.
        let program = std::env::current_exe().expect("a program");
        let target = program.ancestors().nth(3).expect("a target folder");
        let cargo = Command::new("cargo").folder(&copy).env("CARGO_TARGET_DIR", target);
        let test = cargo.args(["test", "--offline", "--quiet", "-p", "server-mongo-db"]);
        let result = test.run();
        let again = write(&copy, "mongo-db");
        fs::remove_dir_all(&copy).expect("the copy goes");
        result.expect("the new server's own tests pass");
        assert!(again.is_err(), "an existing server is never overwritten");
    }

    /// The kernel and an empty catalogue.
    fn skeleton(root: &Path, copy: &Path) {
        fs::create_dir_all(copy.join("catalog/src")).expect("a folder");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the root manifest");
        let members = manifest.lines().find(|it| it.starts_with("members")).expect("a list of members");
        let manifest = manifest.replace(members, "members = [\"kernel/*\", \"servers/*\", \"catalog\"]");
        let defaults =
            manifest.lines().find(|it| it.starts_with("default-members")).expect("a default").to_owned();
        fs::write(copy.join("Cargo.toml"), manifest.replace(&defaults, "")).expect("a manifest");
        for file in ["Cargo.lock", "clippy.toml", "rust-toolchain.toml"] {
            fs::copy(root.join(file), copy.join(file)).expect("a file");
        }
        let catalogue = "[package]\nname = \"catalog\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                         [dependencies]\nkernel.workspace = true\n\n# The native servers. One line each.\n";
        fs::write(copy.join("catalog/Cargo.toml"), catalogue).expect("a manifest");
        fs::write(copy.join("catalog/src/lib.rs"), "").expect("a crate");
        std::os::unix::fs::symlink(root.join("kernel"), copy.join("kernel")).expect("a link");
    }
}
