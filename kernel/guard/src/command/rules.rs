//! What each program may be asked to do, one file per family.
//!
//! A rule refuses what would start another program, load code, reach the network or write where the
//! caller did not say; it names the paths it understands. What it does not understand, the sandbox holds.

mod archive;
mod awk;
mod build;
mod files;
mod find;
mod git;
mod git_config;
mod git_config_file;
mod git_settings;
mod git_url;
mod interpreters;
mod sed;
mod sqlite;
mod system;
mod text;
mod wrappers;

use super::{
    call::Call,
    cli::{Cli, Operands},
};
use crate::Refusal;

/// One allowed program.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Names the rule in plans, audit and explanations.
    pub(super) rule: &'static str,
    pub(super) args: Args,
    /// No argument, whatever it is, makes it write, delete or start anything.
    pub(super) is_harmless: bool,
}

/// How its arguments are judged.
pub(super) enum Args {
    /// By a table.
    Cli(&'static Cli),
    /// By code.
    Own(fn(&mut Call<'_>) -> Result<Verdict, Refusal>),
}

/// What a rule found.
pub(super) enum Verdict {
    /// It may run.
    Fine,
    /// It may run if the program at this argument may.
    Wraps(usize),
}

impl Program {
    const fn table(name: &'static str, rule: &'static str, cli: &'static Cli) -> Self {
        Self { name, rule, args: Args::Cli(cli), is_harmless: false }
    }

    const fn harmless(name: &'static str, rule: &'static str, cli: &'static Cli) -> Self {
        Self { name, rule, args: Args::Cli(cli), is_harmless: true }
    }

    const fn own(
        name: &'static str,
        rule: &'static str,
        judge: fn(&mut Call<'_>) -> Result<Verdict, Refusal>,
    ) -> Self {
        Self { name, rule, args: Args::Own(judge), is_harmless: false }
    }

    pub(super) fn judge(&self, call: &mut Call<'_>) -> Result<Verdict, Refusal> {
        match &self.args {
            Args::Cli(cli) => cli.judge(call).map(|()| Verdict::Fine),
            Args::Own(judge) => judge(call),
        }
    }
}

/// The rule of programs that the operator added: paths that could leave the roots are checked.
pub(super) static LOOSE: Program = Program::table("", "operator.added", &Cli::plain(Operands::Loose));

const FAMILIES: &[&[Program]] = &[
    text::PROGRAMS,
    files::PROGRAMS,
    archive::PROGRAMS,
    system::PROGRAMS,
    build::PROGRAMS,
    interpreters::PROGRAMS,
    wrappers::PROGRAMS,
    git::PROGRAMS,
    sqlite::PROGRAMS,
];

/// Every program of every family.
pub(super) fn programs() -> impl Iterator<Item = &'static Program> {
    FAMILIES.iter().copied().flatten()
}

/// The program of that name.
pub(super) fn find(name: &str) -> Option<&'static Program> {
    programs().find(|program| program.name == name)
}
