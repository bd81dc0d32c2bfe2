//! A real authorization server (npm `oidc-provider`), driven by lines of JSON.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::places::{client, tool};

/// A running authorization server. Ends with this value.
pub struct Issuer {
    child: Child,
    answers: BufReader<ChildStdout>,
    /// Its issuer identifier.
    pub url: String,
    /// The secret of every client there.
    pub client_secret: String,
}

impl Issuer {
    /// Starts it on a free port with keys of its own.
    pub fn start() -> Self {
        client("oidc/node_modules/oidc-provider/package.json");
        let mut command = Command::new(tool("node"));
        command
            .arg(client("oidc/issuer.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("node starts");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut issuer = Self { child, answers, url: String::new(), client_secret: String::new() };
        let hello = issuer.answer();
        let text = |key: &str| hello[key].as_str().expect("it says where it is").to_owned();
        (issuer.url, issuer.client_secret) = (text("issuer"), text("secret"));
        issuer
    }

    /// Does something; see `doings` in `issuer.mjs`.
    #[track_caller]
    pub fn ask(&mut self, doing: &str, mut wanted: Value) -> Value {
        wanted["do"] = doing.into();
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{wanted}").expect("it listens");
        self.answer()
    }

    /// The access token of a doing.
    #[track_caller]
    pub fn token(&mut self, doing: &str, wanted: Value) -> String {
        let answer = self.ask(doing, wanted);
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{doing}: {answer}")).to_owned()
    }

    /// A token that is good but for the changes; `null` removes a field.
    #[track_caller]
    pub fn mint(&mut self, header: Value, claims: Value, by: &str) -> String {
        self.token("mint", json!({ "header": header, "claims": claims, "by": by }))
    }

    #[track_caller]
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
