//! Which step is next.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Command, Event, Failure, State,
    state::{Block, Branch, Core, EachFrame, Frame, Iteration, Phase, Scope, size_of},
};
use crate::{
    bounds::{ITEMS_MAX, OUTPUT_BYTES_MAX, PARALLEL_MAX, RUN_STEPS_MAX},
    model::{ForEach, OnError, Step},
    program::Program,
};

/// One walk over the steps that have begun, with one event in hand.
pub(super) struct Walk<'a> {
    pub(super) program: &'a Program,
    pub(super) core: &'a mut Core,
    pub(super) block: &'a mut Block,
    root: &'a mut Scope,
    pub(super) scopes: Vec<Scope>,
    pub(super) event: &'a Event,
    pub(super) commands: &'a mut Vec<Command>,
    /// Loops and workflows around, as `each[3]`.
    path: Vec<String>,
    /// Position of the outermost step.
    pub(super) top: usize,
}

/// How a list of steps stands.
pub(super) enum Ended {
    Pending,
    Done,
    Failed(Failure),
    /// Nothing runs any more, and nothing new was begun.
    Stopped,
}

/// How one step stands.
pub(super) enum Stood {
    Pending(Frame),
    Done(Value),
    Skipped,
    Failed(Failure),
    Stopped,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        program: &'a Program,
        state: &'a mut State,
        event: &'a Event,
        commands: &'a mut Vec<Command>,
    ) -> Self {
        let scopes = vec![std::mem::take(&mut state.root)];
        let State { core, root, block } = state;
        Self { program, core, block, root, scopes, event, commands, path: Vec::new(), top: 0 }
    }

    /// The outermost scope goes back where it came from.
    pub(super) fn put_back(mut self) {
        *self.root = self.scopes.pop().unwrap_or_default();
    }

    pub(super) fn is_draining(&self) -> bool {
        self.core.phase == Phase::Draining
    }

    /// `each[3].scan`.
    pub(super) fn path_of(&self, id: &str) -> String {
        let mut path = self.path.join(".");
        if !path.is_empty() {
            path.push('.');
        }
        path + id
    }

    /// Goes on with a list of steps until one has to be waited for.
    pub(super) fn block(
        &mut self,
        program: &Program,
        steps: &[Step],
        block: &mut Block,
        is_top: bool,
    ) -> Ended {
        while let Some(step) = steps.get(block.at) {
            if is_top {
                self.top = block.at;
            }
            let stood = match block.frame.take() {
                Some(frame) => self.go_on(program, step, *frame),
                None if self.is_draining() => return Ended::Stopped,
                None => self.begin(program, step),
            };
            match self.note(program, step, stood) {
                Noted::Pending(frame) => {
                    block.frame = Some(Box::new(frame));
                    return Ended::Pending;
                }
                Noted::Stopped => return Ended::Stopped,
                Noted::Failed(failure) => return Ended::Failed(failure),
                Noted::Next => block.at += 1,
            }
        }
        Ended::Done
    }

    /// Remembers how a step ended, and says what that means for those after it.
    fn note(&mut self, program: &Program, step: &Step, stood: Stood) -> Noted {
        let failure = match stood {
            Stood::Pending(frame) => return Noted::Pending(frame),
            Stood::Stopped => return Noted::Stopped,
            Stood::Skipped => {
                let result = json!({ "status": "skipped", "out": null, "error": null });
                self.scope().results.insert(step.id.clone(), result);
                return Noted::Next;
            }
            Stood::Done(out) => match self.remember(step, "succeeded", out, Value::Null) {
                Ok(()) => match self.push_undo(program, step) {
                    Ok(()) => return Noted::Next,
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            },
            Stood::Failed(failure) => failure,
        };
        let failure = match failure.step.is_empty() {
            true => Failure { step: self.path_of(&step.id), ..failure },
            false => failure,
        };
        let error = json!({ "code": failure.code, "message": failure.message });
        let remembered = self.remember(step, "failed", failure.out.clone(), error);
        match (step.on_error, remembered) {
            (OnError::Continue, Ok(())) => Noted::Next,
            (OnError::Continue, Err(failure)) => Noted::Failed(failure),
            (OnError::Fail, _) => Noted::Failed(failure),
        }
    }

    fn remember(&mut self, step: &Step, status: &str, out: Value, error: Value) -> Result<(), Failure> {
        let size = size_of(&out);
        if size > OUTPUT_BYTES_MAX {
            let message = "the result is too large to remember; let the tool narrow it";
            return Err(Failure::new("too_large", message));
        }
        self.core.charge(size)?;
        let result = json!({ "status": status, "out": out, "error": error });
        self.scope().results.insert(step.id.clone(), result);
        Ok(())
    }

    pub(super) fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("the outermost scope is there during a walk")
    }

    fn begin(&mut self, program: &Program, step: &Step) -> Stood {
        match self.holds(program, step.condition.as_deref()) {
            Ok(true) => {}
            Ok(false) => return Stood::Skipped,
            Err(failure) => return Stood::Failed(failure),
        }
        self.core.started_steps += 1;
        if self.core.started_steps > RUN_STEPS_MAX {
            let message = format!("a run starts at most {RUN_STEPS_MAX} steps");
            return Stood::Failed(Failure::new("too_large", message));
        }
        self.begin_kind(program, step).unwrap_or_else(Stood::Failed)
    }

    fn begin_kind(&mut self, program: &Program, step: &Step) -> Result<Stood, Failure> {
        if let Some(tool) = &step.call {
            return self.begin_call(program, step, tool);
        }
        if let Some(value) = &step.set {
            return Ok(Stood::Done(self.render(program, value)?));
        }
        if let Some(text) = &step.fail {
            let message = self.render(program, &Value::from(text.as_str()))?;
            let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
            return Err(Failure::new("failed", message));
        }
        if let Some(approval) = &step.approval {
            return self.begin_approval(program, step, approval);
        }
        if let Some(wait) = &step.wait {
            return self.begin_wait(program, wait);
        }
        if let Some(reference) = &step.workflow {
            return self.begin_nested(program, step, reference);
        }
        if let Some(each) = &step.for_each {
            return self.begin_each(program, step, each);
        }
        if let Some(branches) = &step.parallel {
            let branches = vec![Branch::New; branches.len()];
            return Ok(self.go_on(program, step, Frame::Parallel { branches }));
        }
        let mut case = 0;
        if let Some(cases) = &step.switch {
            let mut taken = None;
            for (index, it) in cases.iter().enumerate() {
                if self.holds(program, it.when.as_deref())? {
                    taken = Some(index);
                    break;
                }
            }
            let Some(taken) = taken else { return Ok(Stood::Done(json!({ "case": null }))) };
            case = taken;
        }
        Ok(self.go_on(program, step, Frame::Group { case, block: Block::default() }))
    }

    /// Goes on with a step that has begun.
    fn go_on(&mut self, program: &Program, step: &Step, frame: Frame) -> Stood {
        match frame {
            Frame::Call(call) => self.go_on_call(step, call),
            Frame::Approval(approval) => self.go_on_approval(step, approval),
            Frame::Wait(wait) => self.go_on_wait(program, step, wait),
            Frame::Parallel { branches } => self.go_on_parallel(program, step, branches),
            Frame::Each(each) => self.go_on_each(program, step, each),
            Frame::Group { case, mut block } => {
                let steps = match (&step.steps, &step.switch) {
                    (Some(steps), _) => steps.as_slice(),
                    (None, Some(cases)) => cases.get(case).map_or(&[][..], |it| it.steps.as_slice()),
                    (None, None) => &[],
                };
                let out = if step.switch.is_some() { json!({ "case": case }) } else { Value::Null };
                match self.block(program, steps, &mut block, false) {
                    Ended::Pending => Stood::Pending(Frame::Group { case, block }),
                    Ended::Done => Stood::Done(out),
                    Ended::Failed(failure) => Stood::Failed(failure),
                    Ended::Stopped => Stood::Stopped,
                }
            }
            Frame::Nested { scope, block } => self.go_on_nested(program, step, scope, block),
        }
    }

    fn go_on_parallel(&mut self, program: &Program, step: &Step, mut branches: Vec<Branch>) -> Stood {
        let steps = step.parallel.as_deref().unwrap_or_default();
        let mut pending = false;
        for (branch, step) in branches.iter_mut().zip(steps) {
            let stood = match std::mem::replace(branch, Branch::Ended) {
                Branch::New if self.is_draining() => continue,
                Branch::New => self.begin(program, step),
                Branch::Running(frame) => self.go_on(program, step, *frame),
                ended => {
                    *branch = ended;
                    continue;
                }
            };
            match self.note(program, step, stood) {
                Noted::Pending(frame) => {
                    pending = true;
                    *branch = Branch::Running(Box::new(frame));
                }
                Noted::Failed(failure) => *branch = Branch::Failed(failure),
                Noted::Next | Noted::Stopped => {}
            }
        }
        if pending {
            return Stood::Pending(Frame::Parallel { branches });
        }
        if self.is_draining() {
            return Stood::Stopped;
        }
        let failed = branches.into_iter().find_map(|it| match it {
            Branch::Failed(failure) => Some(failure),
            _ => None,
        });
        failed.map_or(Stood::Done(Value::Null), Stood::Failed)
    }

    fn begin_nested(&mut self, program: &Program, step: &Step, reference: &str) -> Result<Stood, Failure> {
        let missing =
            || Failure::new("not_found", format!("workflow `{reference}` is not part of this version"));
        let inner = program.nested.get(reference).ok_or_else(missing)?;
        let given = self.render(program, &Value::Object(step.with.clone()))?;
        let inputs =
            inner.complete_inputs(given).map_err(|it| Failure::new("validation_failed", it.join("; ")))?;
        self.core.charge(size_of(&inputs))?;
        let scope = Scope { inputs: Some(inputs), ..Scope::default() };
        Ok(self.go_on_nested(program, step, scope, Block::default()))
    }

    fn go_on_nested(&mut self, program: &Program, step: &Step, scope: Scope, mut block: Block) -> Stood {
        let Some(inner) = step.workflow.as_ref().and_then(|it| program.nested.get(it)) else {
            return Stood::Failed(Failure::new("not_found", "the workflow is not part of this version"));
        };
        self.scopes.push(scope);
        self.path.push(step.id.clone());
        let ended = self.block(inner, &inner.definition.steps, &mut block, false);
        let outputs = match ended {
            Ended::Done => Some(self.outputs(inner)),
            _ => None,
        };
        self.path.pop();
        let scope = self.scopes.pop().unwrap_or_default();
        match (ended, outputs) {
            (Ended::Pending, _) => Stood::Pending(Frame::Nested { scope, block }),
            (Ended::Done, Some(Ok(outputs))) => {
                self.release(&scope);
                Stood::Done(outputs)
            }
            (Ended::Done, Some(Err(failure))) | (Ended::Failed(failure), _) => {
                self.release(&scope);
                Stood::Failed(failure)
            }
            (Ended::Done, None) | (Ended::Stopped, _) => Stood::Stopped,
        }
    }

    /// The results of a scope are not remembered any more.
    fn release(&mut self, scope: &Scope) {
        let results: usize = scope.results.values().map(|it| size_of(&it["out"])).sum();
        self.core.discharge(results + scope.inputs.as_ref().map_or(0, size_of));
    }

    fn begin_each(&mut self, program: &Program, step: &Step, each: &ForEach) -> Result<Stood, Failure> {
        let Value::Array(items) = self.render(program, &each.items)? else {
            return Err(Failure::new("expression", "`items` is not a list"));
        };
        if items.len() > ITEMS_MAX {
            let message = format!("{} items are more than {ITEMS_MAX}", items.len());
            return Err(Failure::new("too_large", message));
        }
        // Twice: an item that runs is a variable too.
        self.core.charge(items.iter().map(size_of).sum::<usize>() * 2)?;
        let frame =
            EachFrame { items, next: 0, running: BTreeMap::new(), kept: BTreeMap::new(), failure: None };
        Ok(self.go_on_each(program, step, frame))
    }

    fn go_on_each(&mut self, program: &Program, step: &Step, mut frame: EachFrame) -> Stood {
        let Some(each) = &step.for_each else {
            return Stood::Failed(Failure::new("internal", "a loop without its definition"));
        };
        let begun: Vec<usize> = frame.running.keys().copied().collect();
        for index in begun {
            if let Some(iteration) = frame.running.remove(&index) {
                self.iterate(program, step, each, index, iteration, &mut frame);
            }
        }
        let width = usize::try_from(each.max_parallel.clamp(1, PARALLEL_MAX)).unwrap_or(1);
        while frame.running.len() < width
            && frame.next < frame.items.len()
            && frame.failure.is_none()
            && !self.is_draining()
        {
            let index = frame.next;
            frame.next += 1;
            let mut scope = Scope::default();
            scope.variables.insert(each.r#as.clone(), frame.items[index].clone());
            scope.variables.insert("index".into(), index.into());
            self.iterate(
                program,
                step,
                each,
                index,
                Iteration { scope, block: Block::default() },
                &mut frame,
            );
        }
        if !frame.running.is_empty() {
            return Stood::Pending(Frame::Each(frame));
        }
        if self.is_draining() {
            return Stood::Stopped;
        }
        self.core.discharge(frame.items.iter().map(size_of).sum::<usize>() * 2);
        self.core.discharge(frame.kept.values().map(size_of).sum());
        match frame.failure {
            Some(failure) => Stood::Failed(failure),
            None => {
                let kept: Vec<Value> = frame.kept.into_values().collect();
                Stood::Done(json!({ "count": frame.items.len(), "items": kept }))
            }
        }
    }

    fn iterate(
        &mut self,
        program: &Program,
        step: &Step,
        each: &ForEach,
        index: usize,
        iteration: Iteration,
        frame: &mut EachFrame,
    ) {
        let Iteration { scope, mut block } = iteration;
        self.scopes.push(scope);
        self.path.push(format!("{}[{index}]", step.id));
        let ended = self.block(program, &each.steps, &mut block, false);
        let kept = match (&ended, &each.collect) {
            (Ended::Done, Some(collect)) => Some(self.render(program, collect)),
            _ => None,
        };
        self.path.pop();
        let scope = self.scopes.pop().unwrap_or_default();
        if matches!(ended, Ended::Pending) {
            frame.running.insert(index, Iteration { scope, block });
            return;
        }
        self.release(&scope);
        match (ended, kept) {
            (Ended::Failed(failure), _) | (_, Some(Err(failure))) => {
                frame.failure.get_or_insert(failure);
            }
            (_, Some(Ok(value))) => match self.core.charge(size_of(&value)) {
                Ok(()) => {
                    frame.kept.insert(index, value);
                }
                Err(failure) => {
                    frame.failure.get_or_insert(failure);
                }
            },
            _ => {}
        }
    }
}

enum Noted {
    Pending(Frame),
    Next,
    Failed(Failure),
    Stopped,
}
