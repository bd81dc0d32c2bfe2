//! A checked workflow, ready to run: the definition, its expressions parsed, the workflows inside it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kernel::{Effect, canonical_json, digest_hex};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::ToolCatalog,
    expression::{Expression, ExpressionError, Template, texts},
    model::{Definition, Input, Step},
    schema::inputs_schema,
};

/// A workflow that was checked. Its hash names exactly this text with exactly these workflows inside.
#[derive(Debug)]
pub struct Program {
    /// What the file says.
    pub definition: Definition,
    /// SHA-256 of the definition and of what it includes, 64 hex digits.
    pub hash: String,
    pub(crate) nested: BTreeMap<String, Arc<Self>>,
    pub(crate) templates: HashMap<String, Template>,
    pub(crate) conditions: HashMap<String, Expression>,
}

/// A program as it is kept: enough to build it again without the files it came from.
#[derive(Serialize, serde::Deserialize)]
pub(crate) struct Bundle {
    definition: Definition,
    nested: BTreeMap<String, Self>,
}

impl Program {
    /// Parses every expression of a definition whose parts were checked.
    pub(crate) fn new(
        definition: Definition,
        nested: BTreeMap<String, Arc<Self>>,
    ) -> Result<Self, ExpressionError> {
        let (mut templates, mut conditions) = (HashMap::new(), HashMap::new());
        let mut parts = Parts::default();
        parts.of_steps(&definition.steps);
        definition.outputs.values().for_each(|it| texts(&it.value, &mut parts.templates));
        for text in parts.templates {
            templates.insert(text.to_owned(), Template::parse(text)?);
        }
        for text in parts.conditions {
            conditions.insert(text.to_owned(), Expression::parse(text)?);
        }
        let hash = hash(&definition, &nested);
        Ok(Self { definition, hash, nested, templates, conditions })
    }

    pub(crate) fn bundle(&self) -> Bundle {
        let nested = self.nested.iter().map(|(name, it)| (name.clone(), it.bundle()));
        Bundle { definition: self.definition.clone(), nested: nested.collect() }
    }

    pub(crate) fn from_bundle(bundle: Bundle) -> Result<Self, ExpressionError> {
        let nested = bundle.nested.into_iter().map(|(name, it)| Ok((name, Arc::new(Self::from_bundle(it)?))));
        Self::new(bundle.definition, nested.collect::<Result<_, ExpressionError>>()?)
    }

    /// The schema of its inputs, as a tool shows it.
    pub fn inputs_schema(&self) -> Value {
        inputs_schema(self.definition.inputs.iter())
    }

    /// The inputs with defaults filled in.
    ///
    /// # Errors
    /// One sentence per input that is missing, unknown or of the wrong type; never the value.
    pub fn complete_inputs(&self, given: Value) -> Result<Value, Vec<String>> {
        let Value::Object(mut given) = given else { return Err(vec!["the inputs must be an object".into()]) };
        for (name, input) in &self.definition.inputs {
            if given.get(name).is_none_or(Value::is_null)
                && let Some(default) = &input.default
            {
                given.insert(name.clone(), default.clone());
            }
        }
        let given = Value::Object(given);
        let validator =
            jsonschema::validator_for(&self.inputs_schema()).map_err(|it| vec![it.to_string()])?;
        let wrong: Vec<String> = validator
            .iter_errors(&given)
            .take(20)
            .map(|error| {
                let path = error.instance_path().to_string();
                let path = path.trim_start_matches('/');
                let about = if path.is_empty() { String::new() } else { format!("input `{path}`: ") };
                format!("{about}{}", error.masked())
            })
            .collect();
        if wrong.is_empty() { Ok(given) } else { Err(wrong) }
    }

    /// What the whole workflow may do to the world: the strongest effect of its calls.
    pub fn effect(&self, catalog: &ToolCatalog) -> Effect {
        let mut strongest = Effect::Read;
        self.for_each_call(&mut |name| {
            let (server, tool) = name.split_once('.').unwrap_or((name, ""));
            // A tool that nobody knows yet may do anything.
            match catalog.effect(server, tool).unwrap_or(Effect::Destroy { idempotent: false }) {
                Effect::Read => {}
                Effect::Write { .. } if strongest == Effect::Read => {
                    strongest = Effect::Write { idempotent: false }
                }
                Effect::Write { .. } => {}
                Effect::Destroy { .. } => strongest = Effect::Destroy { idempotent: false },
            }
        });
        strongest
    }

    /// The form of an approval, wherever it stands.
    pub(crate) fn form_of(&self, id: &str) -> Option<&BTreeMap<String, Input>> {
        let mut found = None;
        walk(&self.definition.steps, &mut |step| {
            if step.id == id {
                found = step.approval.as_ref().map(|it| &it.form).or(found);
            }
        });
        found.or_else(|| self.nested.values().find_map(|it| it.form_of(id)))
    }

    /// Every tool it may call, undo included.
    pub fn for_each_call(&self, hear: &mut dyn FnMut(&str)) {
        // What is skipped because its server is not installed is never called.
        walk(&self.definition.steps, &mut |step| {
            if step.condition.as_deref() != Some("false") {
                step.call.iter().for_each(|it| hear(it));
                step.undo.iter().for_each(|it| hear(&it.call));
            }
        });
        for nested in self.nested.values() {
            nested.for_each_call(hear);
        }
    }
}

/// Visits every step, outer before inner.
pub(crate) fn walk<'a>(steps: &'a [Step], visit: &mut impl FnMut(&'a Step)) {
    for step in steps {
        visit(step);
        for block in blocks(step) {
            walk(block, visit);
        }
    }
}

/// The lists of steps inside a step.
pub(crate) fn blocks(step: &Step) -> Vec<&[Step]> {
    let mut found: Vec<&[Step]> = Vec::new();
    found.extend(step.steps.as_deref());
    found.extend(step.parallel.as_deref());
    found.extend(step.for_each.as_ref().map(|it| it.steps.as_slice()));
    found.extend(step.switch.iter().flatten().map(|it| it.steps.as_slice()));
    found
}

#[derive(Default)]
struct Parts<'a> {
    templates: Vec<&'a str>,
    conditions: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of_steps(&mut self, steps: &'a [Step]) {
        walk(steps, &mut |step| self.of_step(step));
    }

    fn of_step(&mut self, step: &'a Step) {
        self.conditions.extend(step.condition.as_deref());
        let mut values: Vec<&'a Value> = step.with.values().collect();
        values.extend(step.set.as_ref());
        values.extend(step.undo.iter().flat_map(|it| it.with.values()));
        values.extend(step.wait.iter().filter_map(|it| it.until.as_ref()));
        if let Some(each) = &step.for_each {
            values.push(&each.items);
            values.extend(each.collect.as_ref());
        }
        values.into_iter().for_each(|it| texts(it, &mut self.templates));
        self.conditions.extend(step.switch.iter().flatten().filter_map(|it| it.when.as_deref()));
        self.conditions.extend(step.wait.iter().filter_map(|it| it.condition.as_deref()));
        let mut plain = Vec::new();
        plain.extend(step.fail.as_deref());
        plain.extend(step.approval.as_ref().map(|it| it.question.as_str()));
        self.templates.extend(plain.into_iter().filter(|it| it.contains("${{")));
    }
}

fn hash(definition: &Definition, nested: &BTreeMap<String, Arc<Program>>) -> String {
    let inside: BTreeMap<&str, &str> =
        nested.iter().map(|(name, it)| (name.as_str(), it.hash.as_str())).collect();
    digest_hex(&canonical_json(&json!({ "definition": definition, "nested": inside })))
}
