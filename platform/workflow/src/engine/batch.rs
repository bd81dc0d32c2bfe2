//! One transaction: asks, outcomes and timers become events, events become states and what is owed.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use rusqlite::{OptionalExtension, Transaction};
use serde_json::{Value, json};

use super::{
    Note,
    core::{Ended, Input, now_ms, signed},
};
use crate::{
    interpreter::{Command, Event, EventKind, RunStatus, State, StepOutcome, feed},
    journal::{Ask, NewRun, program},
    program::Program,
};

/// A run in memory.
pub(super) struct Hot {
    id: String,
    hash: String,
    workflow: String,
    principal: String,
    events: i64,
    state: State,
}

/// What is to be done once the transaction is durable.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) timers: Vec<(u64, i64, u64)>,
    pub(super) ready: Vec<(i64, u64)>,
    pub(super) interrupted: Vec<(i64, u64)>,
    pub(super) begun: HashSet<(i64, u64)>,
    pub(super) notes: Vec<Note>,
}

/// One transaction in the making.
pub(super) struct Batch<'a> {
    work: &'a Transaction<'a>,
    programs: &'a mut HashMap<String, Arc<Program>>,
    hot: &'a mut HashMap<i64, Hot>,
    touched: BTreeSet<i64>,
    effects: Effects,
    dice: RandomState,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        work: &'a Transaction<'a>,
        programs: &'a mut HashMap<String, Arc<Program>>,
        hot: &'a mut HashMap<i64, Hot>,
    ) -> Self {
        let (touched, effects, dice) = (BTreeSet::new(), Effects::default(), RandomState::new());
        Self { work, programs, hot, touched, effects, dice }
    }

    pub(super) fn input(&mut self, input: &Input) -> rusqlite::Result<()> {
        match input {
            Input::Ask { ask, .. } => self.ask(ask),
            Input::Begun { run, ticket, call_id, .. } => self.begun(*run, *ticket, call_id),
            Input::Done(ended) => self.ended(ended),
            Input::Timer { run, ticket } => {
                if self.settle(*run, *ticket, "timer")?.is_some() {
                    self.feed(*run, EventKind::Timer { ticket: *ticket })?;
                }
                Ok(())
            }
            Input::Stop => Ok(()),
        }
    }

    pub(super) fn ask(&mut self, ask: &Ask) -> rusqlite::Result<()> {
        match ask {
            Ask::Start(run) => self.start(run),
            Ask::Event { run, kind } => {
                let found: Option<i64> = self
                    .work
                    .prepare_cached("SELECT n FROM runs WHERE id = ?1")?
                    .query_row([run], |row| row.get(0))
                    .optional()?;
                match found {
                    Some(n) => self.feed(n, kind.clone()),
                    // Removed meanwhile.
                    None => Ok(()),
                }
            }
            Ask::Emit { kind, body, only } => self.emit(kind, body, only.as_deref()),
        }
    }

    /// An event goes to everybody who listens for its type.
    fn emit(&mut self, kind: &str, body: &Value, only: Option<&str>) -> rusqlite::Result<()> {
        let listeners: Vec<(i64, i64, String)> = self
            .work
            .prepare_cached(
                "SELECT run, ticket, body FROM owed JOIN runs ON runs.n = owed.run
                 WHERE kind = 'listen' AND (?1 IS NULL OR principal = ?1) ORDER BY run, ticket",
            )?
            .query_map([only], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (run, ticket, pattern) in listeners {
            if matches(&pattern, kind) {
                self.feed(run, EventKind::Signal { ticket: ticket.unsigned_abs(), body: body.clone() })?;
            }
        }
        Ok(())
    }

    pub(super) fn taken_from_inbox(&self, n: i64) -> rusqlite::Result<()> {
        self.work.prepare_cached("DELETE FROM inbox WHERE n = ?1")?.execute([n])?;
        Ok(())
    }

    /// Removes runs that were over long ago.
    pub(super) fn sweep(&self, days: u32) -> rusqlite::Result<()> {
        let before = signed(now_ms()) - i64::from(days) * 86_400_000;
        self.work.execute(
            "DELETE FROM runs WHERE n IN (SELECT n FROM runs WHERE ended_ms < ?1 ORDER BY ended_ms LIMIT 1000)",
            [before],
        )?;
        self.work.execute(
            "DELETE FROM definitions WHERE hash NOT IN (SELECT hash FROM runs UNION SELECT hash FROM aliases
               UNION SELECT previous FROM aliases WHERE previous IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM inbox)",
            [],
        )?;
        Ok(())
    }

    fn start(&mut self, run: &NewRun) -> rusqlite::Result<()> {
        if self.program(&run.hash).is_none() {
            return Ok(());
        }
        let added = self
            .work
            .prepare_cached(
                "INSERT OR IGNORE INTO runs (id, workflow, reference, hash, principal, context, status, started_ms, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, '')",
            )?
            .execute((&run.id, &run.workflow, &run.reference, &run.hash, &run.principal, &run.context, signed(now_ms())))?;
        if added == 0 {
            // Asked twice with one id: the same run.
            return Ok(());
        }
        let n = self.work.last_insert_rowid();
        let hot = Hot {
            id: run.id.clone(),
            hash: run.hash.clone(),
            workflow: run.workflow.clone(),
            principal: run.principal.clone(),
            events: 0,
            state: State::default(),
        };
        self.effects.notes.push(Note::Started {
            run: run.id.clone(),
            workflow: run.workflow.clone(),
            hash: run.hash.clone(),
            principal: run.principal.clone(),
        });
        self.hot.insert(n, hot);
        let about = json!({
            "id": run.id, "workflow": run.workflow, "hash": run.hash, "principal": run.principal,
            "started_at": now_ms() / 1000,
        });
        self.feed(n, EventKind::Start { inputs: run.inputs.clone(), run: about })
    }

    fn begun(&mut self, run: i64, ticket: u64, call_id: &str) -> rusqlite::Result<()> {
        let changed = self
            .work
            .prepare_cached(
                "UPDATE owed SET begun = ?3, call_id = ?4 WHERE run = ?1 AND ticket = ?2 AND kind = 'call'",
            )?
            .execute((run, signed(ticket), signed(now_ms()), call_id))?;
        if changed > 0 {
            self.effects.begun.insert((run, ticket));
        }
        Ok(())
    }

    /// Takes something off what a run is owed. `None`: it was settled already, so the event is a repetition.
    fn settle(&self, run: i64, ticket: u64, kind: &str) -> rusqlite::Result<Option<String>> {
        self.work
            .prepare_cached("DELETE FROM owed WHERE run = ?1 AND ticket = ?2 AND kind = ?3 RETURNING body")?
            .query_row((run, signed(ticket), kind), |row| row.get(0))
            .optional()
    }

    fn ended(&mut self, ended: &Ended) -> rusqlite::Result<()> {
        let Some(body) = self.settle(ended.run, ended.ticket, "call")? else { return Ok(()) };
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let (code, message) = match &ended.outcome {
            StepOutcome::Ok { .. } => ("ok", None),
            StepOutcome::Failed { code, message, .. } => (code.as_str(), Some(message.as_str())),
        };
        self.work
            .prepare_cached(
                "INSERT INTO attempts (run, ticket, step, attempt, tool, is_undo, call_id, started_ms, ended_ms, code, message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                ended.run,
                signed(ended.ticket),
                body["step"].as_str().unwrap_or_default(),
                body["attempt"].as_i64().unwrap_or_default(),
                body["tool"].as_str().unwrap_or_default(),
                body["is_undo"].as_bool().unwrap_or_default(),
                &ended.call_id,
                signed(ended.started_ms),
                signed(ended.ended_ms),
                code,
                message,
            ))?;
        let outcome = bounded(&ended.outcome);
        self.feed(ended.run, EventKind::Done { ticket: ended.ticket, outcome })
    }

    fn feed(&mut self, n: i64, kind: EventKind) -> rusqlite::Result<()> {
        if !self.hot.contains_key(&n) {
            let Some(hot) = self.load(n)? else { return Ok(()) };
            self.hot.insert(n, hot);
        }
        let Some(mut hot) = self.hot.remove(&n) else { return Ok(()) };
        let Some(program) = self.program(&hot.hash) else { return Ok(()) };
        let dice = u32::try_from(self.dice.build_hasher().finish() & 0xFFFF).unwrap_or_default();
        // Every event gets other dice.
        self.dice = RandomState::new();
        let event = Event { at_ms: now_ms(), dice, kind };
        let (state, commands) = feed(&program, std::mem::take(&mut hot.state), &event);
        hot.state = state;
        hot.events += 1;
        self.work.prepare_cached("INSERT INTO events (run, seq, event) VALUES (?1, ?2, ?3)")?.execute((
            n,
            hot.events,
            to_text(&event)?,
        ))?;
        for command in commands {
            self.command(n, &hot, command)?;
        }
        self.hot.insert(n, hot);
        self.touched.insert(n);
        Ok(())
    }

    fn command(&mut self, n: i64, hot: &Hot, command: Command) -> rusqlite::Result<()> {
        match command {
            Command::Execute { ticket, .. } => {
                self.owe(n, ticket, "call", 0, &to_text(&command)?)?;
                self.effects.ready.push((n, ticket));
            }
            Command::Timer { ticket, at_ms } => {
                self.owe(n, ticket, "timer", at_ms, "")?;
                self.effects.timers.push((at_ms, n, ticket));
            }
            Command::Listen { ticket, pattern } => self.owe(n, ticket, "listen", 0, &pattern)?,
            Command::Forget { ticket } => {
                self.work
                    .prepare_cached("DELETE FROM owed WHERE run = ?1 AND ticket = ?2")?
                    .execute((n, signed(ticket)))?;
            }
            Command::Interrupt { ticket } => self.effects.interrupted.push((n, ticket)),
            Command::Ask { step, by } => {
                self.effects.notes.push(Note::Asked { run: hot.id.clone(), step, by });
            }
            Command::Finish { status } => self.effects.notes.push(Note::Ended {
                run: hot.id.clone(),
                workflow: hot.workflow.clone(),
                principal: hot.principal.clone(),
                status,
            }),
        }
        Ok(())
    }

    fn owe(&self, n: i64, ticket: u64, kind: &str, due_ms: u64, body: &str) -> rusqlite::Result<()> {
        self.work
            .prepare_cached("INSERT INTO owed (run, ticket, kind, due_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute((n, signed(ticket), kind, signed(due_ms), body))?;
        Ok(())
    }

    fn load(&self, n: i64) -> rusqlite::Result<Option<Hot>> {
        let mut row = self
            .work
            .prepare_cached("SELECT id, hash, workflow, principal, events, state FROM runs WHERE n = ?1")?;
        let row = row.query_row([n], |row| {
            let state: String = row.get(5)?;
            Ok(Hot {
                id: row.get(0)?,
                hash: row.get(1)?,
                workflow: row.get(2)?,
                principal: row.get(3)?,
                events: row.get(4)?,
                state: serde_json::from_str(&state).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error))
                })?,
            })
        });
        row.optional()
    }

    fn program(&mut self, hash: &str) -> Option<Arc<Program>> {
        if let Some(found) = self.programs.get(hash) {
            return Some(Arc::clone(found));
        }
        match program(self.work, hash) {
            Ok(program) => {
                let program = Arc::new(program);
                self.programs.insert(hash.to_owned(), Arc::clone(&program));
                Some(program)
            }
            Err(error) => {
                tracing::error!(%error, hash, "a version of a workflow cannot be read; its runs wait");
                None
            }
        }
    }

    /// Writes every state that changed, once.
    pub(super) fn finish(self) -> rusqlite::Result<Effects> {
        for n in self.touched {
            let Some(hot) = self.hot.get(&n) else { continue };
            let status = hot.state.status();
            let ended = hot.state.times_ms().1.filter(|_| status.is_over()).map(signed);
            self.work
                .prepare_cached(
                    "UPDATE runs SET status = ?2, ended_ms = ?3, events = ?4, state = ?5 WHERE n = ?1",
                )?
                .execute((n, status.as_str(), ended, hot.events, to_text(&hot.state)?))?;
            if status.is_over() && status != RunStatus::NeedsAttention {
                self.hot.remove(&n);
            }
        }
        Ok(self.effects)
    }
}

/// `*` at the end takes every type that begins so.
fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern == kind,
    }
}

/// What a run could not remember anyway is not kept either.
fn bounded(outcome: &StepOutcome) -> StepOutcome {
    if let StepOutcome::Ok { out } = outcome
        && crate::interpreter::size_of(out) > crate::bounds::OUTPUT_BYTES_MAX
    {
        // The interpreter refuses it by its size; the text itself is of no use.
        return StepOutcome::Ok { out: "x".repeat(crate::bounds::OUTPUT_BYTES_MAX).into() };
    }
    outcome.clone()
}

fn to_text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
