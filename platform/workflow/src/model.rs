//! The language: what a workflow file can say. Editors' JSON Schema is derived from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::span::Span;

/// A workflow: steps that are calls of tools, run in order, durably.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name: lower case words joined by `-`. A published workflow is the tool `workflows.NAME`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), length(max = 48))]
    pub workflow: String,
    /// One or two sentences for people and models.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// What a run is given.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// What a run gives back.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
    /// A run that takes longer fails and is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// What happens, in this order.
    #[schemars(length(min = 1, max = 500))]
    pub steps: Vec<Step>,
}

/// One input of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ValueKind,
    /// For people and models.
    #[serde(default)]
    #[schemars(length(max = 400))]
    pub description: String,
    /// Taken when the input is not given. Without one the input is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// A regular expression that text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The type of the items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<ValueKind>,
}

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl ValueKind {
    /// The word JSON Schema uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// One output of a workflow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The value; texts may hold `${{ … }}`.
    pub value: Value,
    /// Its type, checked when the run ends.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueKind>,
    /// For people and models.
    #[serde(default)]
    #[schemars(length(max = 400))]
    pub description: String,
}

/// One step. Exactly one of `call`, `workflow`, `steps`, `parallel`, `for_each`, `switch`, `approval`,
/// `wait`, `set`, `fail`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name in expressions: `steps.ID.out`, `steps.ID.status`, `steps.ID.error`. Unique in the file.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,47}$"))]
    pub id: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub title: String,
    /// The step is skipped unless this CEL expression holds.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A tool, as `server.tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Another workflow, as `name` or `name@alias`. Its steps run inside this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Arguments of `call`, or inputs of `workflow`; texts may hold `${{ … }}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Steps in order, as a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Self>>,
    /// Steps at the same time; the step ends when all of them have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub parallel: Option<Vec<Self>>,
    /// Steps for every item of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// The first case that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub switch: Option<Vec<Case>>,
    /// Waits for people to say yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Waits for a time or an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Computes a value: becomes `steps.ID.out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Value>,
    /// Fails with this text, which may hold `${{ … }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
    /// Longest time of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How a failed call is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What takes the step back when the run fails or is cancelled later. Newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What a failure of this step means for the run.
    #[serde(default)]
    pub on_error: OnError,
    /// Skip the step where the server of its call is not installed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub when_installed: bool,
}

/// What a failure means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run fails, and what was done is undone.
    #[default]
    Fail,
    /// The run goes on; `steps.ID.status` is `failed` and `steps.ID.error` says why.
    Continue,
}

/// Steps for every item of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The list, or an expression for it such as `${{ inputs.files }}`. At most 10 000 items.
    pub items: Value,
    /// What an item is called in expressions; `index` counts from 0.
    #[serde(default = "item")]
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]{0,47}$"))]
    pub r#as: String,
    /// Items that run at the same time.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub max_parallel: u32,
    /// What happens for each.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// What is kept of each, in order, as `steps.ID.out.items`; texts may hold `${{ … }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Value>,
}

/// One case of a switch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// When it is taken; a last case without one is taken otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What happens then. May be empty.
    pub steps: Vec<Step>,
}

/// Waits for people to say yes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What people read; may hold `${{ … }}`.
    #[schemars(length(min = 1, max = 4000))]
    pub question: String,
    /// Who may decide: `role:NAME` or `user:NAME`.
    #[schemars(length(min = 1, max = 32), inner(regex(pattern = "^(role|user):.{1,64}$")))]
    pub by: Vec<String>,
    /// Different people that have to say yes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub quorum: u32,
    /// What they fill in: becomes `steps.ID.out.form`.
    #[serde(default)]
    pub form: BTreeMap<String, Input>,
    /// How long they have.
    #[serde(default = "one_day")]
    pub within: Span,
    /// Who else may decide after a while.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub escalate: Vec<Escalation>,
    /// What silence means.
    #[serde(default)]
    pub on_timeout: Silence,
}

/// Who else may decide after a while.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the question.
    pub after: Span,
    /// `role:NAME` or `user:NAME`.
    #[schemars(length(min = 1, max = 32), inner(regex(pattern = "^(role|user):.{1,64}$")))]
    pub to: Vec<String>,
}

/// What silence means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The step fails.
    #[default]
    Fail,
    /// The step ends with `steps.ID.out.granted == false`.
    Deny,
    /// The step ends with `steps.ID.out.granted == true`.
    Approve,
}

/// Waits for a time or an event. Exactly one of `for`, `until`, `event`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// This long.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Until this moment: Unix seconds, as a number or an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Value>,
    /// For an event of this type; `*` at the end takes every type that begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only an event for which this holds; `event` is what arrived.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// How long to wait for the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// What it means when none came in time; `continue` ends the step with `steps.ID.out == null`.
    #[serde(default)]
    pub on_timeout: OnError,
}

/// How a failed call is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts, the first included.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 20))]
    pub attempts: u32,
    /// How the pause grows.
    #[serde(default)]
    pub backoff: Backoff,
    /// The first pause.
    #[serde(default = "one_second")]
    pub first: Span,
    /// What an exponential pause grows by.
    #[serde(default = "two")]
    #[schemars(range(min = 1.0, max = 10.0))]
    pub factor: f64,
    /// The longest pause.
    #[serde(default = "one_minute")]
    pub max: Span,
    /// Percent of a pause that is random.
    #[serde(default = "half")]
    #[schemars(range(max = 100))]
    pub jitter: u8,
    /// Error codes that are worth another attempt. An unknown outcome never is.
    #[serde(default = "passing_errors")]
    pub on: Vec<String>,
    /// No attempt starts later than this after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the first pause.
    Constant,
    /// Each pause is the one before times `factor`.
    #[default]
    Exponential,
}

/// What takes a step back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// A tool, as `server.tool`.
    pub call: String,
    /// Its arguments, written out when the step is done; texts may hold `${{ … }}`.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// How it is repeated; five attempts unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: three(),
            backoff: Backoff::default(),
            first: one_second(),
            factor: two(),
            max: one_minute(),
            jitter: half(),
            on: passing_errors(),
            deadline: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(it: &bool) -> bool {
    !it
}

fn item() -> String {
    "item".into()
}

fn one() -> u32 {
    1
}

fn two() -> f64 {
    2.0
}

fn three() -> u32 {
    3
}

fn half() -> u8 {
    50
}

fn one_second() -> Span {
    Span::seconds(1)
}

fn one_minute() -> Span {
    Span::seconds(60)
}

fn one_day() -> Span {
    Span::seconds(86_400)
}

fn passing_errors() -> Vec<String> {
    ["unavailable", "timeout", "circuit_open"].map(str::to_owned).to_vec()
}
