//! Every bound of the language and of a run, in one place.

/// Largest workflow file in bytes.
pub const SOURCE_BYTES_MAX: usize = 256 << 10;
/// Parser events of one file; an alias counts as what it stands for.
pub(crate) const YAML_EVENTS_MAX: usize = 50_000;
/// Aliases (`*name`) of one file.
pub(crate) const YAML_ALIASES_MAX: usize = 100;
/// Nesting of one file.
pub(crate) const YAML_DEPTH_MAX: usize = 48;
/// Values of one file once its aliases are written out.
pub(crate) const YAML_NODES_MAX: usize = 20_000;
/// Steps of one workflow, nested ones included.
pub(crate) const STEPS_MAX: usize = 500;
/// Steps inside steps.
pub(crate) const STEP_DEPTH_MAX: usize = 12;
/// Workflows inside workflows.
pub(crate) const NESTING_MAX: usize = 8;
/// Characters of one expression.
pub(crate) const EXPRESSION_CHARS_MAX: usize = 2048;
/// Brackets inside brackets of one expression.
pub(crate) const EXPRESSION_DEPTH_MAX: usize = 32;
/// Work of one evaluation: one per node visited, plus one per 32 bytes copied.
pub(crate) const FUEL: u64 = 200_000;
/// Bytes of one evaluated value: arguments of a call, a set value, an output.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one step's output that a run remembers.
pub const OUTPUT_BYTES_MAX: usize = 512 << 10;
/// Characters of a question once it is written out.
pub(crate) const QUESTION_CHARS_MAX: usize = 8000;
/// Bytes of results, arguments and lists that one run holds.
pub const RUN_BYTES_MAX: usize = 4 << 20;
/// Items of one `for_each`.
pub(crate) const ITEMS_MAX: usize = 10_000;
/// Items of one `for_each`, or branches, that run at the same time.
pub(crate) const PARALLEL_MAX: u32 = 64;
/// Steps one run may start, over all its iterations.
pub(crate) const RUN_STEPS_MAX: u64 = 50_000;
/// Calls refused for a moment (rate, queue) are repeated this often without counting as attempts.
pub(crate) const THROTTLED_MAX: u32 = 60;
/// Attempts of one step.
pub(crate) const ATTEMPTS_MAX: u32 = 20;
/// Attempts of an undo that says nothing else.
pub(crate) const UNDO_ATTEMPTS: u32 = 5;
/// Longest span a file may name: a year.
pub(crate) const SPAN_MS_MAX: u64 = 366 * 86_400_000;
/// Problems reported for one file.
pub(crate) const PROBLEMS_MAX: usize = 200;
