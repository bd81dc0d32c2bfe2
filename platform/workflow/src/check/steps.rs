//! The rules of the language that no schema can say.

use std::collections::HashSet;

use super::{Path, Report, expressions::Reader};
use crate::{
    bounds::{STEP_DEPTH_MAX, STEPS_MAX},
    model::{Definition, Input, Step, ValueKind},
    problem::ProblemClass::{Meaning, Structure},
    program::walk,
};

/// The keys that say what a step is.
pub(crate) const KINDS: [&str; 10] =
    ["call", "workflow", "steps", "parallel", "for_each", "switch", "approval", "wait", "set", "fail"];

pub(super) fn check(definition: &Definition, report: &mut Report<'_>) {
    let mut count = 0;
    walk(&definition.steps, &mut |_| count += 1);
    let steps = Path::default().with("steps");
    if count > STEPS_MAX {
        let message = format!("{count} steps are more than {STEPS_MAX}");
        report.add(Meaning, &steps, message, "move some into a workflow of their own");
        return;
    }
    check_inputs(&definition.inputs, &Path::default().with("inputs"), report);
    let reader = {
        let mut checker =
            Checker { seen: HashSet::new(), reader: Reader::new(definition), report: &mut *report };
        checker.block(&definition.steps, &steps, 1);
        checker.reader
    };
    for (name, output) in &definition.outputs {
        let path = Path::default().with("outputs").with(name);
        if !is_name(name) {
            report.add(Meaning, &path, "a name is lower case words joined by `_`", "rename it");
        }
        reader.value(&output.value, &path.with("value"), report);
    }
}

/// Visits every step with its path.
pub(super) fn each_step(definition: &Definition, visit: &mut impl FnMut(&Step, &Path)) {
    fn go(steps: &[Step], path: &Path, visit: &mut impl FnMut(&Step, &Path)) {
        for (index, step) in steps.iter().enumerate() {
            let path = path.with(index);
            visit(step, &path);
            step.steps.iter().for_each(|it| go(it, &path.with("steps"), visit));
            step.parallel.iter().for_each(|it| go(it, &path.with("parallel"), visit));
            step.for_each.iter().for_each(|it| go(&it.steps, &path.with("for_each").with("steps"), visit));
            for (case, it) in step.switch.iter().flatten().enumerate() {
                go(&it.steps, &path.with("switch").with(case).with("steps"), visit);
            }
        }
    }
    go(&definition.steps, &Path::default().with("steps"), visit);
}

struct Checker<'a, 'r, 'n> {
    seen: HashSet<String>,
    reader: Reader<'a>,
    report: &'r mut Report<'n>,
}

impl<'a> Checker<'a, '_, '_> {
    fn block(&mut self, steps: &'a [Step], path: &Path, depth: usize) {
        if depth > STEP_DEPTH_MAX {
            let message = format!("steps are nested deeper than {STEP_DEPTH_MAX}");
            self.report.add(Meaning, path, message, "move some into a workflow of their own");
            return;
        }
        for (index, step) in steps.iter().enumerate() {
            self.step(step, &path.with(index), depth);
        }
    }

    fn step(&mut self, step: &'a Step, path: &Path, depth: usize) {
        if !self.seen.insert(step.id.clone()) {
            let message = format!("a step is called `{}` already", step.id);
            self.report.add(Meaning, &path.with("id"), message, "give each step a name of its own");
        }
        self.kind(step, path);
        self.reader.condition(step.condition.as_deref(), &path.with("if"), self.report);
        for (key, value) in &step.with {
            self.reader.value(value, &path.with("with").with(key), self.report);
        }
        step.set.iter().for_each(|it| self.reader.value(it, &path.with("set"), self.report));
        step.fail.iter().for_each(|it| self.reader.text(it, &path.with("fail"), self.report));
        self.waiting(step, path);
        self.inner(step, path, depth);
        self.reader.now_visible(&step.id);
        if let Some(undo) = &step.undo {
            let path = path.with("undo").with("with");
            undo.with.iter().for_each(|(key, it)| self.reader.value(it, &path.with(key), self.report));
        }
        let retries = [step.retry.as_ref(), step.undo.as_ref().and_then(|it| it.retry.as_ref())];
        for code in retries.into_iter().flatten().flat_map(|it| &it.on) {
            check_code(code, &path.with("retry").with("on"), self.report);
        }
    }

    /// The blocks inside, each with what it can see.
    fn inner(&mut self, step: &'a Step, path: &Path, depth: usize) {
        if let Some(steps) = &step.steps {
            self.block(steps, &path.with("steps"), depth + 1);
        }
        if let Some(branches) = &step.parallel {
            // Branches run at the same time, so none sees what another one does.
            let before = self.reader.visible_count();
            let mut after = Vec::new();
            for (index, branch) in branches.iter().enumerate() {
                self.step(branch, &path.with("parallel").with(index), depth + 1);
                after.extend(self.reader.hide_after(before));
            }
            after.iter().for_each(|it| self.reader.now_visible(it));
        }
        if let Some(each) = &step.for_each {
            let path = path.with("for_each");
            self.reader.value(&each.items, &path.with("items"), self.report);
            let before = self.reader.visible_count();
            self.reader.enter(&each.r#as);
            self.block(&each.steps, &path.with("steps"), depth + 1);
            each.collect.iter().for_each(|it| self.reader.value(it, &path.with("collect"), self.report));
            self.reader.leave();
            self.reader.hide_after(before);
        }
        let cases = step.switch.as_deref().unwrap_or_default();
        for (index, case) in cases.iter().enumerate() {
            let path = path.with("switch").with(index);
            self.reader.condition(case.when.as_deref(), &path.with("when"), self.report);
            if case.when.is_none() && index + 1 < cases.len() {
                let message = "only the last case may have no `when`";
                self.report.add(Meaning, &path, message, "move it to the end, or add `when`");
            }
            self.block(&case.steps, &path.with("steps"), depth + 1);
        }
    }

    fn kind(&mut self, step: &Step, path: &Path) {
        let kinds = kinds(step);
        match kinds.as_slice() {
            [_] => {}
            [] => {
                let fix = format!("add one of {}", KINDS.join(", "));
                self.report.add(Structure, path, format!("step `{}` does nothing", step.id), fix);
            }
            many => {
                let message = format!("step `{}` is {} at once", step.id, many.join(" and "));
                self.report.add(Structure, path, message, "make a step of each");
            }
        }
        let calls = step.call.is_some();
        let only_calls = [
            ("timeout", step.timeout.is_some()),
            ("retry", step.retry.is_some()),
            ("undo", step.undo.is_some()),
            ("when_installed", step.when_installed),
        ];
        for (key, _) in only_calls.into_iter().filter(|(_, is_set)| *is_set && !calls) {
            let message = format!("`{key}` belongs to a step with `call`");
            self.report.add(Meaning, &path.with(key), message, "move it to the call, or remove it");
        }
        if !step.with.is_empty() && !calls && step.workflow.is_none() {
            let message = "`with` belongs to a step with `call` or `workflow`";
            self.report.add(Meaning, &path.with("with"), message, "remove it");
        }
    }

    fn waiting(&mut self, step: &Step, path: &Path) {
        if let Some(approval) = &step.approval {
            let path = path.with("approval");
            self.reader.text(&approval.question, &path.with("question"), self.report);
            check_inputs(&approval.form, &path.with("form"), self.report);
            for (index, it) in approval.escalate.iter().enumerate() {
                if it.after >= approval.within {
                    let path = path.with("escalate").with(index).with("after");
                    let message = "the time is over before anybody else is asked";
                    self.report.add(Meaning, &path, message, "make it shorter than `within`");
                }
            }
        }
        let Some(wait) = &step.wait else { return };
        let path = path.with("wait");
        let kinds = [wait.span.is_some(), wait.until.is_some(), wait.event.is_some()];
        if kinds.into_iter().filter(|it| *it).count() != 1 {
            self.report.add(Structure, &path, "a wait is for one thing", "keep one of for, until, event");
        }
        if wait.event.is_none() && (wait.condition.is_some() || wait.within.is_some()) {
            let message = "`if` and `within` belong to a wait for an event";
            self.report.add(Meaning, &path, message, "remove them, or add `event`");
        }
        wait.until.iter().for_each(|it| self.reader.value(it, &path.with("until"), self.report));
        self.reader.event_condition(wait.condition.as_deref(), &path.with("if"), self.report);
    }
}

fn kinds(step: &Step) -> Vec<&'static str> {
    let set = [
        step.call.is_some(),
        step.workflow.is_some(),
        step.steps.is_some(),
        step.parallel.is_some(),
        step.for_each.is_some(),
        step.switch.is_some(),
        step.approval.is_some(),
        step.wait.is_some(),
        step.set.is_some(),
        step.fail.is_some(),
    ];
    KINDS.into_iter().zip(set).filter(|(_, it)| *it).map(|(name, _)| name).collect()
}

fn check_code(code: &str, path: &Path, report: &mut Report<'_>) {
    let known = serde_json::from_value::<kernel::ErrorKind>(code.into()).is_ok();
    if code == "outcome_unknown" {
        let message = "an unknown outcome is never repeated: a human decides";
        report.add(Meaning, path, message, "remove `outcome_unknown`");
    } else if !known {
        let message = format!("`{code}` is no error code");
        report.add(Meaning, path, message, "docs/errors.md lists the codes");
    }
}

fn check_inputs<'a>(
    inputs: impl IntoIterator<Item = (&'a String, &'a Input)>,
    path: &Path,
    report: &mut Report<'_>,
) {
    for (name, input) in inputs {
        let path = path.with(name);
        if !is_name(name) {
            report.add(Meaning, &path, "a name is lower case words joined by `_`", "rename it");
        }
        if input.pattern.as_ref().is_some_and(|it| regex::Regex::new(it).is_err()) {
            report.add(Meaning, &path.with("pattern"), "this is no regular expression", "correct it");
            continue;
        }
        if input.items.is_some() && input.kind != ValueKind::Array {
            report.add(Meaning, &path.with("items"), "only a list has items", "remove it");
        }
        let schema = crate::schema::inputs_schema([(name, input)].into_iter());
        let rule = &schema["properties"][name];
        if let (Some(default), Ok(validator)) = (&input.default, jsonschema::validator_for(rule))
            && let Some(error) = validator.iter_errors(default).next()
        {
            report.add(Meaning, &path.with("default"), error.to_string(), "the default must be allowed");
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 48
        && bytes.next().is_some_and(|it| it.is_ascii_lowercase())
        && bytes.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}
