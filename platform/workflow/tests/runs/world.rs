//! Programs from text, and a world of tools that answer as a test says.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use workflow::{
    Checked, Command, Entry, Event, EventKind, Library, Program, RunStatus, State, StepOutcome, ToolCatalog,
    check, feed,
};

/// Two servers: one whose tools take anything, one with real schemas.
pub(crate) const CONTRACT: &str = r#"{"servers": [
  {"name": "t", "aliases": ["tee"], "tools": [
    {"name": "do", "required": {}, "optional": {"x": {}, "n": "integer", "who": "string", "list": "array"}},
    {"name": "undo", "required": {"what": "string"}, "optional": {}}]},
  {"name": "scanner", "aliases": [], "tools": [
    {"name": "scan", "required": {"path": "string", "kind": {"type": "string", "enum": ["all", "some"]}},
     "optional": {"depth": {"type": "integer", "default": 3}}}]},
  {"name": "empty", "aliases": [], "tools": []}
]}"#;

/// Workflows by name.
#[derive(Default)]
pub(crate) struct Shelf(pub(crate) BTreeMap<String, String>);

impl Library for Shelf {
    fn find(&self, reference: &str) -> Option<Entry> {
        let text = self.0.get(reference.split('@').next()?)?;
        Some(Entry::Source(format!("{reference}.yaml"), text.clone()))
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

pub(crate) fn checked(text: &str, shelf: &Shelf) -> Checked {
    let catalog = ToolCatalog::default().with_documented(CONTRACT).unwrap();
    check("test.yaml", text, &catalog, shelf)
}

/// A program that must be in order.
pub(crate) fn program(text: &str) -> Arc<Program> {
    program_with(text, &[])
}

pub(crate) fn program_with(text: &str, inside: &[(&str, &str)]) -> Arc<Program> {
    let shelf = Shelf(inside.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
    let checked = checked(text, &shelf);
    let faults: Vec<_> =
        checked.problems.iter().filter(|it| it.class.is_fault()).map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    checked.program.unwrap()
}

/// A run driven by hand: no delays, nothing lost.
pub(crate) struct Run {
    pub(crate) program: Arc<Program>,
    pub(crate) state: State,
    pub(crate) now_ms: u64,
    pub(crate) lines: Vec<String>,
    pub(crate) executions: Vec<(u64, String, Value)>,
    pub(crate) timers: Vec<(u64, u64)>,
    pub(crate) listeners: Vec<u64>,
}

impl Run {
    pub(crate) fn start(program: &Arc<Program>, inputs: Value) -> Self {
        let mut run = Self {
            program: Arc::clone(program),
            state: State::default(),
            now_ms: 1_000_000,
            lines: Vec::new(),
            executions: Vec::new(),
            timers: Vec::new(),
            listeners: Vec::new(),
        };
        let inputs = program.complete_inputs(inputs).unwrap();
        run.feed(EventKind::Start { inputs, run: json!({"id": "r1"}) });
        run
    }

    pub(crate) fn feed(&mut self, kind: EventKind) {
        let event = Event { at_ms: self.now_ms, dice: 0, kind };
        let (state, commands) = feed(&self.program, std::mem::take(&mut self.state), &event);
        // What the journal keeps is all there is.
        self.state = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
        assert_eq!(self.state, state);
        commands.into_iter().for_each(|it| self.obey(it));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Execute { ticket, step, attempt, tool, args, is_undo, .. } => {
                let undo = if is_undo { "undo " } else { "" };
                self.lines.push(format!("{undo}{step}#{attempt} {tool} {args}"));
                self.executions.push((ticket, step, args));
            }
            Command::Timer { ticket, at_ms } => {
                self.lines.push(format!("timer +{}", at_ms - self.now_ms));
                self.timers.push((ticket, at_ms));
            }
            Command::Listen { ticket, pattern } => {
                self.lines.push(format!("listen {pattern}"));
                self.listeners.push(ticket);
            }
            Command::Forget { ticket } => {
                self.timers.retain(|(it, _)| *it != ticket);
                self.listeners.retain(|it| *it != ticket);
            }
            Command::Interrupt { .. } => self.lines.push("interrupt".into()),
            Command::Ask { step, by } => self.lines.push(format!("ask {step} {}", by.join(","))),
            Command::Finish { status } => self.lines.push(format!("end {}", status.as_str())),
        }
    }

    /// Ends the oldest execution.
    pub(crate) fn done(&mut self, out: Value) {
        let (ticket, ..) = self.executions.remove(0);
        self.feed(EventKind::Done { ticket, outcome: StepOutcome::Ok { out } });
    }

    pub(crate) fn failed(&mut self, code: &str) {
        let (ticket, ..) = self.executions.remove(0);
        let outcome = StepOutcome::Failed { code: code.into(), message: "no".into(), retry_after_ms: None };
        self.feed(EventKind::Done { ticket, outcome });
    }

    /// Fires the next timer.
    pub(crate) fn tick(&mut self) {
        let next =
            self.timers.iter().enumerate().min_by_key(|(_, (_, at))| *at).map(|(index, _)| index).unwrap();
        let (ticket, at) = self.timers.remove(next);
        self.now_ms = at;
        self.feed(EventKind::Timer { ticket });
    }

    /// Everything that was commanded since the last look.
    pub(crate) fn look(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn ended(&self) -> RunStatus {
        assert!(self.state.status().is_over(), "{:?}", self.state);
        assert!(
            self.timers.is_empty() && self.listeners.is_empty() && self.executions.is_empty(),
            "something is left over"
        );
        self.state.status()
    }
}
