//! Who may do what, from a list.

use std::collections::HashMap;

use parking_lot::Mutex;
use pipeline::seams::{Decision, Obligations, Policy, PolicyQuestion};

/// Allows everything except what a test forbids. A rule is written `server.tool`.
#[derive(Default)]
pub struct FakePolicy {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    forbidden: Vec<(String, String)>,
    duties: HashMap<String, Obligations>,
    asked: u64,
    generation: u64,
}

impl FakePolicy {
    /// From now on `principal` may not see or call `tool` (`server.tool`).
    pub fn forbid(&self, principal: &str, tool: &str) {
        let mut state = self.state.lock();
        state.forbidden.push((principal.to_owned(), tool.to_owned()));
        state.generation += 1;
    }

    /// From now on a permit for `tool` (`server.tool`) comes with these duties.
    pub fn oblige(&self, tool: &str, duties: Obligations) {
        let mut state = self.state.lock();
        state.duties.insert(tool.to_owned(), duties);
        state.generation += 1;
    }

    /// How many questions were put so far.
    pub fn asked(&self) -> u64 {
        self.state.lock().asked
    }
}

impl Policy for FakePolicy {
    fn decide(&self, question: &PolicyQuestion<'_>) -> Decision {
        let mut state = self.state.lock();
        state.asked += 1;
        let tool = format!("{}.{}", question.server, question.tool.unwrap_or_default());
        let forbidden =
            state.forbidden.iter().any(|(who, what)| *who == question.principal.id && *what == tool);
        let policy = if forbidden { "forbidden-by-test" } else { "allowed-by-test" };
        Decision {
            allowed: !forbidden,
            policies: vec![policy.to_owned()],
            obligations: state.duties.get(&tool).cloned().unwrap_or_default(),
        }
    }

    fn generation(&self) -> u64 {
        self.state.lock().generation
    }
}
