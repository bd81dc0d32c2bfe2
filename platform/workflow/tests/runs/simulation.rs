//! Random worlds: calls that fail, delays, repeated and reordered events, crashes. Whatever happens, a run ends,
//! nothing that was done is done twice, and what was done is undone in reverse order.
//!
//! A failure prints its seed; `replay` takes it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use workflow::{
    Command, Decider, Event, EventKind, Program, Resolution, RunStatus, State, StepOutcome, feed,
};

use crate::world::{program, program_with};

/// Seeds per program.
const SEEDS: u64 = 1000;

/// A small, good enough generator: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % sides
    }

    fn often(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// What the journal keeps of a command until it is answered.
#[derive(Clone)]
enum Owed {
    Call { step: String, tool: String, args: Value },
    Timer { at_ms: u64 },
    Listener,
}

struct World {
    program: Arc<Program>,
    dice: Dice,
    now_ms: u64,
    state: State,
    journal: Vec<Event>,
    owed: BTreeMap<u64, Owed>,
    /// Answers on their way. Lost in a crash.
    flying: Vec<EventKind>,
    /// Calls that really happened, by ticket.
    happened: BTreeMap<u64, (String, String)>,
    /// In the order in which the run learnt of it: `+step` and `-step`.
    learnt: Vec<String>,
}

impl World {
    fn new(program: &Arc<Program>, seed: u64) -> Self {
        let (dice, program) = (Dice(seed), Arc::clone(program));
        let mut world = Self {
            program,
            dice,
            now_ms: 1_000,
            state: State::default(),
            journal: Vec::new(),
            owed: BTreeMap::new(),
            flying: Vec::new(),
            happened: BTreeMap::new(),
            learnt: Vec::new(),
        };
        let start = EventKind::Start { inputs: json!({"list": [1, 2, 3, 4]}), run: json!({"id": "r"}) };
        world.deliver(start);
        world
    }

    fn deliver(&mut self, kind: EventKind) {
        // Clocks jump, in both directions.
        let jump = self.dice.roll(2_000);
        self.now_ms = (self.now_ms + jump).saturating_sub(if self.dice.often(3) { 1_500 } else { 0 });
        let dice = u32::try_from(self.dice.roll(1_000)).unwrap();
        let event = Event { at_ms: self.now_ms, dice, kind };
        let (state, commands) = feed(&self.program, self.state.clone(), &event);
        if let EventKind::Done { ticket, outcome: StepOutcome::Ok { .. } } = &event.kind
            && self.owed.contains_key(ticket)
            && let Some((step, tool)) = self.happened.get(ticket)
        {
            let sign = if tool == "t.undo" { '-' } else { '+' };
            self.learnt.push(format!("{sign}{}", step.trim_end_matches(":undo")));
        }
        match &event.kind {
            EventKind::Done { ticket, .. } | EventKind::Timer { ticket } => {
                self.owed.remove(ticket);
            }
            _ => {}
        }
        self.state = state;
        self.journal.push(event);
        for command in commands {
            match command {
                Command::Execute { ticket, step, tool, args, .. } => {
                    assert!(
                        self.owed.insert(ticket, Owed::Call { step, tool, args }).is_none(),
                        "a ticket twice"
                    );
                }
                Command::Timer { ticket, at_ms } => {
                    self.owed.insert(ticket, Owed::Timer { at_ms });
                }
                Command::Listen { ticket, .. } => {
                    self.owed.insert(ticket, Owed::Listener);
                }
                Command::Forget { ticket } => {
                    self.owed.remove(&ticket);
                }
                Command::Interrupt { .. } | Command::Ask { .. } | Command::Finish { .. } => {}
            }
        }
    }

    /// The process dies: answers on their way are lost, calls that were under way are found again.
    fn crash(&mut self) {
        self.flying.clear();
        let text = serde_json::to_string(&self.state).unwrap();
        self.state = serde_json::from_str(&text).unwrap();
        let calls: Vec<u64> =
            self.owed.iter().filter(|(_, it)| matches!(it, Owed::Call { .. })).map(|(it, _)| *it).collect();
        for ticket in calls {
            // Whether the call had been sent is known; what became of it is not.
            if self.happened.contains_key(&ticket) || self.dice.often(30) {
                let outcome = StepOutcome::Failed {
                    code: "outcome_unknown".into(),
                    message: "interrupted".into(),
                    retry_after_ms: None,
                };
                self.deliver(EventKind::Done { ticket, outcome });
            }
        }
    }

    fn call(&mut self, ticket: u64, step: String, tool: String, args: &Value) {
        if self
            .flying
            .iter()
            .any(|it| matches!(it, EventKind::Done { ticket: other, .. } if *other == ticket))
        {
            return;
        }
        let code = match self.dice.roll(100) {
            0..70 => None,
            70..80 => Some("unavailable"),
            80..85 => Some("rate_limited"),
            85..88 => Some("needs_approval"),
            88..92 => Some("outcome_unknown"),
            _ if tool == "t.undo" => Some("timeout"),
            _ => Some("not_found"),
        };
        let outcome = match code {
            None => {
                assert!(self.happened.insert(ticket, (step, tool)).is_none(), "done twice");
                StepOutcome::Ok { out: json!({"v": args.to_string().len()}) }
            }
            Some(code) => {
                StepOutcome::Failed { code: code.into(), message: "no".into(), retry_after_ms: None }
            }
        };
        self.flying.push(EventKind::Done { ticket, outcome });
    }

    fn turn(&mut self) {
        match self.dice.roll(100) {
            0..3 => self.crash(),
            3..4 => self.deliver(EventKind::Cancel { by: "ann".into() }),
            4..10 => self.somebody(),
            10..60 => {
                let owed: Vec<(u64, Owed)> =
                    self.owed.iter().map(|(ticket, it)| (*ticket, it.clone())).collect();
                if owed.is_empty() {
                    return;
                }
                let index = usize::try_from(self.dice.roll(owed.len() as u64)).unwrap();
                match owed[index].clone() {
                    (ticket, Owed::Call { step, tool, args }) => {
                        if !self.happened.contains_key(&ticket) {
                            self.call(ticket, step, tool, &args);
                        }
                    }
                    (ticket, Owed::Timer { at_ms }) => {
                        self.now_ms = self.now_ms.max(at_ms);
                        self.flying.push(EventKind::Timer { ticket });
                    }
                    (ticket, Owed::Listener) => {
                        let body = json!({"data": {"n": self.dice.roll(3)}});
                        self.flying.push(EventKind::Signal { ticket, body });
                    }
                }
            }
            _ if !self.flying.is_empty() => {
                // Any of them next, and now and then it stays to come again.
                let index = usize::try_from(self.dice.roll(self.flying.len() as u64)).unwrap();
                let kind = self.flying[index].clone();
                if !self.dice.often(15) {
                    self.flying.remove(index);
                }
                self.deliver(kind);
            }
            _ => {}
        }
    }

    /// People look at what waits for them.
    fn somebody(&mut self) {
        for question in self.state.questions() {
            let by = Decider { id: format!("p{}", self.dice.roll(3)), roles: vec!["lead".into()] };
            let grant = self.dice.often(80);
            self.deliver(EventKind::Decision { step: question.step, by, grant, form: Value::Null });
        }
        let stuck = self.state.stuck();
        let Some(call) = stuck.first() else { return };
        if !call.is_unknown {
            self.deliver(EventKind::Resume);
            return;
        }
        let (ticket, step) = (call.ticket, call.step.clone());
        // The person looks whether it happened.
        let resolution = if let Some((step, tool)) = self.happened.get(&ticket).cloned() {
            let sign = if tool == "t.undo" { '-' } else { '+' };
            self.learnt.push(format!("{sign}{}", step.trim_end_matches(":undo")));
            Resolution::Done { out: json!({"v": 1}) }
        } else if self.dice.often(50) {
            Resolution::Retry
        } else {
            Resolution::Failed
        };
        self.deliver(EventKind::Resolve { step, resolution });
    }

    fn replayed(&self) -> State {
        let journal = self.journal.iter();
        journal.fold(State::default(), |state, event| feed(&self.program, state, event).0)
    }

    fn check(&self, seed: u64) {
        assert_eq!(self.replayed(), self.state, "seed {seed}: the journal gives the same state");
        assert!(self.owed.is_empty(), "seed {seed}: something is still owed");
        // A stack: each undo takes back the newest thing that is not undone yet.
        let mut done: Vec<&str> = Vec::new();
        for line in &self.learnt {
            match line.split_at(1) {
                ("+", step) => done.push(step),
                (_, step) => {
                    assert_eq!(done.pop(), Some(step), "seed {seed}: undone out of order: {:?}", self.learnt)
                }
            }
        }
        if matches!(self.state.status(), RunStatus::Failed | RunStatus::Cancelled) {
            assert!(done.is_empty(), "seed {seed}: not undone: {done:?} of {:?}", self.learnt);
        }
    }
}

fn replay(program: &Arc<Program>, seed: u64) -> RunStatus {
    let mut world = World::new(program, seed);
    for _ in 0..20_000 {
        if world.state.status().is_over() {
            world.check(seed);
            return world.state.status();
        }
        world.turn();
    }
    panic!("seed {seed}: the run does not end: {:?}\n{:?}", world.state, world.owed.keys());
}

fn simulate(program: &Arc<Program>) {
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        let ended = std::panic::catch_unwind(|| replay(program, seed));
        let ended = ended.unwrap_or_else(|_| panic!("failed with seed {seed}"));
        *ends.entry(ended.as_str()).or_default() += 1;
    }
    assert!(ends.len() >= 3, "the world is too kind: {ends:?}");
}

const STEP: &str = "call: t.do, retry: { attempts: 3 }, undo: { call: t.undo, with: { what: x } }";

#[test]
fn sequences_and_branches() {
    let text = format!(
        "workflow: a\ninputs: {{ list: {{ type: array }} }}\nsteps:\n- {{ id: one, {STEP} }}\n- id: both\n  parallel:\n  - {{ id: left, {STEP} }}\n\
         \x20 - id: right\n    steps: [{{ id: r1, {STEP} }}, {{ id: nap, wait: {{ for: 5s }} }}, {{ id: r2, {STEP} }}]\n- {{ id: last, {STEP} }}\n"
    );
    simulate(&program(&text));
}

#[test]
fn loops_and_workflows_inside() {
    let inner = format!("workflow: inner\nsteps: [{{ id: one, {STEP} }}, {{ id: two, {STEP} }}]\n");
    let text = format!(
        "workflow: a\ninputs: {{ list: {{ type: array, items: integer }} }}\nsteps:\n- id: each\n  for_each:\n    items: '${{{{ inputs.list }}}}'\n    max_parallel: 3\n\
         \x20   steps: [{{ id: one, {STEP} }}, {{ id: sub, workflow: inner }}]\n- {{ id: last, {STEP} }}\n"
    );
    simulate(&program_with(&text, &[("inner", &inner)]));
}

#[test]
fn people_events_and_a_deadline() {
    let text = format!(
        "workflow: a\ninputs: {{ list: {{ type: array }} }}\ndeadline: 200s\nsteps:\n- {{ id: one, {STEP} }}\n\
         - id: go\n  approval: {{ question: go?, by: ['role:lead'], quorum: 2, within: 60s, escalate: [{{ after: 20s, to: ['user:p1'] }}] }}\n\
         - {{ id: pushed, wait: {{ event: x, if: event.data.n == 2, within: 30s, on_timeout: continue }} }}\n- {{ id: last, {STEP} }}\n"
    );
    simulate(&program(&text));
}
