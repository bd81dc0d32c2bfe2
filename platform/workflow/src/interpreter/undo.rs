//! Taking back what was done, newest first, one at a time.

use super::{
    RunStatus,
    calls::{Attempt, Moved},
    state::{CallFrame, Failure},
    walk::Walk,
};
use crate::{bounds::UNDO_ATTEMPTS, model::Retry};

impl Walk<'_> {
    /// Goes on undoing until a call has to be waited for or nothing is left.
    pub(super) fn undo(&mut self) {
        loop {
            let Some(item) = self.core.undo.last().cloned() else {
                let cancelled = self.core.failure.as_ref().is_some_and(|it| it.code == "cancelled");
                self.end(if cancelled { RunStatus::Cancelled } else { RunStatus::Failed });
                return;
            };
            let retry =
                item.retry.clone().unwrap_or_else(|| Retry { attempts: UNDO_ATTEMPTS, ..Retry::default() });
            let attempt = Attempt {
                step: format!("{}:undo", item.step),
                tool: &item.tool,
                timeout_ms: None,
                retry,
                is_undo: true,
                is_ending: false,
            };
            let mut call = match self.core.undoing.take() {
                Some(call) => call,
                None => {
                    let mut call: CallFrame = self.new_call(attempt.step.clone(), item.args.clone());
                    self.execute(&mut call, &attempt);
                    self.core.undoing = Some(call);
                    return;
                }
            };
            match self.move_call(&mut call, &attempt) {
                Moved::Pending => {
                    self.core.undoing = Some(call);
                    return;
                }
                Moved::Done(_) => {
                    self.core.undone.insert(item.top);
                    self.core.discharge(super::size_of(&item.args));
                    self.core.undo.pop();
                }
                Moved::Failed(Failure { code, message, .. }) => {
                    let failure = self.core.failure.get_or_insert_with(|| Failure::new("undo", ""));
                    failure.message =
                        format!("{}; undoing `{}` failed: {message} ({code})", failure.message, item.step);
                    self.end(RunStatus::NeedsAttention);
                    return;
                }
            }
        }
    }
}
