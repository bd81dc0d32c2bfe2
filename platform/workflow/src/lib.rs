//! Workflows as data: the language, a pure interpreter, a journal and its driver.
//!
//! Reading order: [`Definition`] (what a file can say), [`check`] (everything that is wrong with one),
//! [`Program`] (one that is right), [`feed`] (the interpreter: a state and an event in, a state and commands out),
//! [`Journal`] (what is kept), [`Engine`] (the driver that makes the calls).

mod bounds;
mod calls;
mod catalog;
mod check;
mod engine;
mod expression;
mod interpreter;
mod journal;
mod library;
mod model;
mod problem;
mod program;
mod schema;
mod source;
mod span;
mod tools;

pub use bounds::{OUTPUT_BYTES_MAX, RUN_BYTES_MAX, SOURCE_BYTES_MAX};
pub use calls::{BATCH_MAX, BatchCaller, BatchReport, CallList, CallOutcome, ListedCall, call_all};
pub use catalog::ToolCatalog;
pub use check::{Checked, Entry, Library, check};
pub use engine::{Caller, Engine, EngineOptions, GateCaller, Job, Note, Order};
pub use interpreter::{
    Command, Decider, Event, EventKind, Failure, Question, Resolution, RunStatus, State, StepOutcome, Stuck,
    feed, retry_refusal,
};
pub use journal::{Attempt, Journal, Published, RunInfo, RunView};
pub use library::{Bookcase, SHIPPED, is_file, resolve, runnable, shipped};
pub use model::{Definition, Input, Output, Step, ValueKind};
pub use problem::{Problem, ProblemClass};
pub use program::Program;
pub use schema::{inputs_schema, schema};
pub use span::Span;
pub use tools::{NAME, WorkflowServer};
