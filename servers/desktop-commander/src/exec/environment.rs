//! What a program finds: a private home, a private temporary folder, and nothing of ours.

use std::{fs, io, path::Path};

use tempfile::TempDir;

/// A home for one run. It is gone afterwards, so no call can leave settings for the next one.
pub(super) struct Home {
    folder: TempDir,
}

/// Git settings that win over those of the repository: nothing there may start a program. They stand in the
/// home as well, because git takes variables away from the git it starts in submodules and local remotes;
/// there the guard has refused repositories that have these settings of their own.
const GIT_SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.editor", "true"),
    ("sequence.editor", "true"),
    ("core.sshCommand", "ssh"),
    ("core.askPass", "true"),
    ("core.gitProxy", ""),
    ("credential.helper", ""),
    ("gpg.program", "false"),
    ("protocol.ext.allow", "never"),
    ("uploadpack.packObjectsHook", ""),
    // Housekeeping that outlives its command is not possible here and would only complain.
    ("gc.autoDetach", "false"),
    ("maintenance.autoDetach", "false"),
];

impl Home {
    /// Makes the folder and the git settings with the lowest rank: who commits where the repository
    /// does not say, and that files of other owners beneath a root are fine.
    pub(super) fn make(git_name: &str, git_email: &str) -> io::Result<Self> {
        let folder = TempDir::with_prefix("core-mcp-")?;
        fs::create_dir(folder.path().join("tmp"))?;
        let mut config = format!(
            "[user]\n\tname = {}\n\temail = {}\n[safe]\n\tdirectory = *\n",
            git_value(git_name),
            git_value(git_email)
        );
        for (name, value) in GIT_SETTINGS {
            let (section, key) = name.rsplit_once('.').expect("every setting has a section");
            config.push_str(&format!("[{section}]\n\t{key} = {}\n", git_value(value)));
        }
        fs::write(folder.path().join(".gitconfig"), config)?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The variables every program gets.
    pub(super) fn variables(&self, search_path: &str) -> Vec<(String, String)> {
        let home = self.path().to_string_lossy();
        let mut variables: Vec<(String, String)> = [
            ("PATH", search_path),
            ("HOME", &home),
            ("TMPDIR", &format!("{home}/tmp")),
            ("LANG", "C.UTF-8"),
            ("TERM", "dumb"),
            ("PAGER", "cat"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", &format!("{home}/.gitconfig")),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_COUNT", &GIT_SETTINGS.len().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (index, (key, value)) in GIT_SETTINGS.iter().enumerate() {
            variables.push((format!("GIT_CONFIG_KEY_{index}"), (*key).to_owned()));
            variables.push((format!("GIT_CONFIG_VALUE_{index}"), (*value).to_owned()));
        }
        variables
    }
}

/// A value that git reads back as it is.
fn git_value(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}
