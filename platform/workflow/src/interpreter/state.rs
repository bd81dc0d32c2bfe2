//! Where a run stands. Everything in it is data; the journal keeps it as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounds::RUN_BYTES_MAX;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) core: Core,
    pub(crate) root: Scope,
    pub(crate) block: Block,
}

/// How a run stands, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Something is being done.
    #[default]
    Running,
    /// It waits: for a time, an event or people.
    Waiting,
    /// It failed or was cancelled, and what was done is being undone.
    Undoing,
    /// It is over: every step that was to be done is done.
    Succeeded,
    /// It is over: a step failed, and what was done is undone.
    Failed,
    /// It is over: somebody cancelled it, and what was done is undone.
    Cancelled,
    /// An undo failed; the rest of the list waits for somebody.
    NeedsAttention,
}

impl RunStatus {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NeedsAttention => "needs_attention",
        }
    }

    /// Whether nothing more happens by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::NeedsAttention)
    }
}

/// Why a step or a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A code of [`kernel::ErrorKind`], or one of ours: `expression`, `failed`, `approval_denied`, `output`,
    /// `too_large`, `undo`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The step, when it was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// What it leaves behind for `steps.ID.out`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub out: Value,
}

impl Failure {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), step: String::new(), out: Value::Null }
    }

    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Not started.
    #[default]
    New,
    /// Steps are being done.
    Forward,
    /// It is to stop; running calls are waited for.
    Draining,
    /// What was done is being undone.
    Undoing,
    Ended,
}

/// What belongs to the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Core {
    pub(crate) phase: Phase,
    pub(crate) status: RunStatus,
    pub(crate) run: Value,
    pub(crate) now_ms: u64,
    pub(crate) started_ms: u64,
    pub(crate) ended_ms: Option<u64>,
    pub(crate) next_ticket: u64,
    pub(crate) started_steps: u64,
    /// Bytes of results, arguments and lists that the state holds.
    pub(crate) bytes: usize,
    pub(crate) deadline: Option<u64>,
    pub(crate) failure: Option<Failure>,
    pub(crate) outputs: Value,
    /// What takes back what was done, in the order of completion.
    pub(crate) undo: Vec<UndoItem>,
    pub(crate) undoing: Option<CallFrame>,
    /// Positions of outermost steps of which something was undone.
    pub(crate) undone: BTreeSet<usize>,
}

impl Core {
    /// Counts bytes that the state holds from now on.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        if self.bytes.saturating_add(bytes) > RUN_BYTES_MAX {
            return Err(Failure::new("too_large", "what this run has to remember is too large together"));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Counts them no more.
    pub(crate) fn discharge(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(crate) fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

/// One thing to undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UndoItem {
    pub(crate) step: String,
    pub(crate) tool: String,
    pub(crate) args: Value,
    /// Position of the outermost step it belongs to.
    pub(crate) top: usize,
    #[serde(default)]
    pub(crate) retry: Option<crate::model::Retry>,
}

/// What expressions can read, and where the results of steps go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// Set for a whole workflow: names are not looked for further out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) variables: BTreeMap<String, Value>,
    pub(crate) results: BTreeMap<String, Value>,
}

/// A place in a list of steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) at: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<Box<Frame>>,
}

/// A step that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Frame {
    Call(CallFrame),
    /// A group, or the case of a switch that was taken.
    Group {
        case: usize,
        block: Block,
    },
    Parallel {
        branches: Vec<Branch>,
    },
    Each(EachFrame),
    Nested {
        scope: Scope,
        block: Block,
    },
    Approval(ApprovalFrame),
    Wait(WaitFrame),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Branch {
    New,
    Running(Box<Frame>),
    Ended,
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CallFrame {
    /// `each[3].scan`, or `scan:undo`.
    pub(crate) step: String,
    pub(crate) ticket: u64,
    pub(crate) attempt: u32,
    pub(crate) throttled: u32,
    pub(crate) first_ms: u64,
    pub(crate) phase: CallPhase,
    pub(crate) args: Value,
    #[serde(default)]
    pub(crate) interrupted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum CallPhase {
    Running,
    /// Until the next attempt.
    Pausing,
    /// It may or may not have happened.
    Unknown {
        message: String,
    },
    /// A policy wants a human's yes to the call.
    Blocked {
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EachFrame {
    pub(crate) items: Vec<Value>,
    pub(crate) next: usize,
    pub(crate) running: BTreeMap<usize, Iteration>,
    pub(crate) kept: BTreeMap<usize, Value>,
    pub(crate) failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Iteration {
    pub(crate) scope: Scope,
    pub(crate) block: Block,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApprovalFrame {
    pub(crate) step: String,
    pub(crate) question: String,
    pub(crate) by: Vec<String>,
    pub(crate) votes: Vec<String>,
    pub(crate) form: Value,
    pub(crate) timeout: u64,
    pub(crate) ends_ms: u64,
    /// Ticket and position of each escalation that has not happened.
    pub(crate) escalations: Vec<(u64, usize)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitFrame {
    /// Who listens; 0: nobody.
    pub(crate) listener: u64,
    /// The timer; 0: none.
    pub(crate) timer: u64,
}

/// A question that waits for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Question {
    /// What `approve` takes.
    pub step: String,
    /// What people read.
    pub question: String,
    /// Who may decide.
    pub by: Vec<String>,
    /// Who said yes so far.
    pub votes: Vec<String>,
    /// Unix seconds.
    pub ends_at: u64,
}

/// A call that cannot go on without somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// What `resume --step` takes.
    pub step: String,
    /// The execution.
    pub ticket: u64,
    /// Why.
    pub message: String,
    /// It may or may not have happened. Otherwise a policy wants a human's yes to it.
    pub is_unknown: bool,
}

/// Bytes of a value as JSON, at least.
pub(crate) fn size_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 24,
        Value::String(text) => text_size(text),
        Value::Array(items) => 2 + items.iter().map(|it| size_of(it) + 1).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(key, it)| text_size(key) + 2 + size_of(it)).sum::<usize>(),
    }
}

/// What is escaped counts as what is written.
fn text_size(text: &str) -> usize {
    let size = |it: u8| match it {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    2 + text.bytes().map(size).sum::<usize>()
}

impl State {
    /// How the run stands.
    pub fn status(&self) -> RunStatus {
        match self.core.phase {
            Phase::New => RunStatus::Running,
            Phase::Ended => self.core.status,
            Phase::Draining | Phase::Undoing => RunStatus::Undoing,
            Phase::Forward => {
                let mut busy = false;
                self.each_frame(&mut |frame| {
                    busy |= matches!(frame, Frame::Call(it) if it.phase == CallPhase::Running);
                });
                if busy { RunStatus::Running } else { RunStatus::Waiting }
            }
        }
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.core.failure.as_ref()
    }

    /// What came out.
    pub fn outputs(&self) -> &Value {
        &self.core.outputs
    }

    /// What it was given.
    pub fn inputs(&self) -> Option<&Value> {
        self.root.inputs.as_ref()
    }

    /// What is remembered of the outermost steps.
    pub fn results(&self) -> &BTreeMap<String, Value> {
        &self.root.results
    }

    /// Unix milliseconds of begin and end.
    pub fn times_ms(&self) -> (u64, Option<u64>) {
        (self.core.started_ms, self.core.ended_ms)
    }

    /// Steps whose undo has not happened, newest first.
    pub fn left_to_undo(&self) -> Vec<&str> {
        self.core.undo.iter().rev().map(|it| it.step.as_str()).collect()
    }

    /// The questions that wait for people.
    pub fn questions(&self) -> Vec<Question> {
        let mut found = Vec::new();
        self.each_frame(&mut |frame| {
            if let Frame::Approval(it) = frame {
                found.push(Question {
                    step: it.step.clone(),
                    question: it.question.clone(),
                    by: it.by.clone(),
                    votes: it.votes.clone(),
                    ends_at: it.ends_ms / 1000,
                });
            }
        });
        found
    }

    /// Calls that cannot go on without somebody.
    pub fn stuck(&self) -> Vec<Stuck> {
        let mut found = Vec::new();
        let mut look = |call: &CallFrame| {
            let (message, is_unknown) = match &call.phase {
                CallPhase::Unknown { message } => (message, true),
                CallPhase::Blocked { message } => (message, false),
                CallPhase::Running | CallPhase::Pausing => return,
            };
            let (step, message) = (call.step.clone(), message.clone());
            found.push(Stuck { step, ticket: call.ticket, message, is_unknown });
        };
        self.each_frame(&mut |frame| {
            if let Frame::Call(call) = frame {
                look(call);
            }
        });
        self.core.undoing.iter().for_each(look);
        found
    }

    fn each_frame(&self, visit: &mut dyn FnMut(&Frame)) {
        if let Some(frame) = &self.block.frame {
            visit_frame(frame, visit);
        }
    }
}

fn visit_frame(frame: &Frame, visit: &mut dyn FnMut(&Frame)) {
    visit(frame);
    let blocks: Vec<&Block> = match frame {
        Frame::Group { block, .. } | Frame::Nested { block, .. } => vec![block],
        Frame::Each(each) => each.running.values().map(|it| &it.block).collect(),
        Frame::Parallel { branches } => {
            for branch in branches {
                if let Branch::Running(frame) = branch {
                    visit_frame(frame, visit);
                }
            }
            Vec::new()
        }
        Frame::Call(_) | Frame::Approval(_) | Frame::Wait(_) => Vec::new(),
    };
    for frame in blocks.into_iter().filter_map(|it| it.frame.as_deref()) {
        visit_frame(frame, visit);
    }
}
