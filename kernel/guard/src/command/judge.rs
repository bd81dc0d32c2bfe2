//! The judge: a parsed command line becomes a plan, or a refusal.

use std::path::{Path, PathBuf};

use super::{
    call::{Call, check_variable},
    catalog::Catalog,
    glob::expand,
    plan::{Plan, Sink, Stage, Step},
    refuse::{FIELD, argument, syntax, too_large},
    rules::Verdict,
    syntax::{Command, CommandLine, Pipeline, Redirect, Streams, Word},
};
use crate::{
    Refusal,
    path::{Access, Roots},
};

/// Most arguments of one program, patterns expanded.
const ARGS_MAX: usize = 8192;
/// Most bytes of all arguments of one program; below what every kernel takes.
const ARG_BYTES_MAX: usize = 1 << 20;
/// Longest single argument; below Linux's 128 KiB.
const ARG_BYTES_EACH_MAX: usize = 100 * 1024;

/// Decides about command lines.
#[derive(Clone, Debug)]
pub struct Judge {
    catalog: Catalog,
    roots: Roots,
}

impl Judge {
    /// A judge over one allow-list and one set of roots.
    pub fn new(catalog: Catalog, roots: Roots) -> Self {
        Self { catalog, roots }
    }

    /// The allow-list.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The roots.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Judges every program of a line that would run in `cwd`, relative to the first root when it is
    /// not absolute. Looks at the file system (patterns, links), starts nothing.
    ///
    /// # Errors
    /// `PROGRAM_NOT_ALLOWED`, `PROGRAM_NOT_FOUND`, `ARG_REFUSED`, `ENV_REFUSED`, `SHELL_SYNTAX`, `TOO_LARGE`, and the codes of
    /// [`Roots::check`] for paths.
    pub fn judge(&self, line: &CommandLine, cwd: &str) -> Result<Plan, Refusal> {
        let cwd = self.roots.check("working_directory", None, cwd, Access::Read)?;
        if !cwd.is_dir() {
            let fix = "name a folder beneath a root";
            return Err(Refusal::new(
                "NOT_FOUND",
                "working_directory",
                "the working directory is no folder",
                fix,
            ));
        }
        let steps = line.pipelines.iter().map(|(connector, pipeline)| {
            Ok(Step { connector: *connector, stages: self.pipeline(pipeline, &cwd)? })
        });
        Ok(Plan { steps: steps.collect::<Result<_, Refusal>>()?, cwd: cwd.clone() })
    }

    /// Judges one program with ready arguments, as a tool that builds its own command does.
    ///
    /// # Errors
    /// As [`Judge::judge`].
    pub fn judge_args(&self, program: &str, args: &[String], cwd: &str) -> Result<Plan, Refusal> {
        let words =
            std::iter::once(program).chain(args.iter().map(String::as_str)).map(Word::literal).collect();
        let command = Command { words, ..Command::default() };
        let pipelines = vec![(super::Connector::Always, Pipeline { commands: vec![command] })];
        self.judge(&CommandLine { pipelines }, cwd)
    }

    fn pipeline(&self, pipeline: &Pipeline, cwd: &Path) -> Result<Vec<Stage>, Refusal> {
        let commands = pipeline.commands.iter().enumerate();
        commands.map(|(index, command)| self.command(command, cwd, index > 0)).collect()
    }

    fn command(&self, command: &Command, cwd: &Path, piped: bool) -> Result<Stage, Refusal> {
        for (name, value) in &command.assignments {
            check_variable(name, value)?;
        }
        let streams = self.redirects(&command.redirects, cwd)?;
        let (program, name, file) = self.catalog.resolve(&command.words[0].text(), &self.roots)?;
        let mut call = Call {
            name: &name,
            cwd,
            roots: &self.roots,
            args: self.arguments(&command.words[1..], cwd)?,
            stdin: streams.stdin.clone(),
            piped,
            env: command.assignments.clone(),
            reads: streams.stdin.iter().cloned().collect(),
            writes: streams.written(),
            network: false,
        };
        let mut rule = program.rule;
        if let Verdict::Wraps(at) = program.judge(&mut call)? {
            rule = self.wrapped(&mut call, at)?;
        }
        check_size(&call.args)?;
        let Call { args, env, reads, writes, network, .. } = call;
        let Wiring { stdin, stdout, stderr } = streams;
        Ok(Stage { name, program: file, args, env, stdin, stdout, stderr, reads, writes, network, rule })
    }

    /// Judges the program that begins at argument `at` of a wrapper and pins it to its file.
    fn wrapped(&self, call: &mut Call<'_>, at: usize) -> Result<&'static str, Refusal> {
        let (program, name, file) = self.catalog.resolve(&call.args[at], &self.roots)?;
        let unknown_arguments = call.name == "xargs";
        if unknown_arguments && !program.is_harmless {
            return Err(call.refuse(
                &name,
                "its arguments cannot be seen before it runs",
                "run it on named files, or use a pattern",
            ));
        }
        let mut inner = Call {
            name: &name,
            cwd: call.cwd,
            roots: call.roots,
            args: call.args.split_off(at + 1),
            stdin: call.stdin.clone(),
            piped: call.piped,
            env: std::mem::take(&mut call.env),
            reads: std::mem::take(&mut call.reads),
            writes: std::mem::take(&mut call.writes),
            network: call.network,
        };
        if let Verdict::Wraps(_) = program.judge(&mut inner)? {
            return Err(call.refuse(&name, "one wrapper inside another", "call the program itself"));
        }
        call.args[at] = file.to_string_lossy().into_owned();
        call.args.append(&mut inner.args);
        (call.env, call.reads, call.writes, call.network) =
            (inner.env, inner.reads, inner.writes, inner.network);
        Ok(program.rule)
    }

    fn arguments(&self, words: &[Word], cwd: &Path) -> Result<Vec<String>, Refusal> {
        let mut args = Vec::with_capacity(words.len());
        for word in words {
            args.extend(expand(word, cwd, &self.roots)?);
        }
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err(argument("an argument holds a NUL byte", "leave it out"));
        }
        check_size(&args)?;
        Ok(args)
    }

    fn redirects(&self, redirects: &[Redirect], cwd: &Path) -> Result<Wiring, Refusal> {
        let mut streams = Wiring { stdin: None, stdout: Sink::Out, stderr: Sink::Err };
        let twice = || syntax("a stream is redirected twice");
        for redirect in redirects {
            match redirect {
                Redirect::In(_) if streams.stdin.is_some() => return Err(twice()),
                Redirect::In(file) => streams.stdin = Some(self.redirect_path(file, cwd, Access::Read)?),
                Redirect::ErrToOut => streams.stderr = streams.stdout.clone(),
                Redirect::OutToErr => streams.stdout = streams.stderr.clone(),
                Redirect::Out { streams: which, append, file } => {
                    let path = self.redirect_path(file, cwd, Access::Write)?;
                    let sink = Sink::File { path, append: *append };
                    let is_file = |sink: &Sink| matches!(sink, Sink::File { .. });
                    if *which != Streams::Err && is_file(&streams.stdout)
                        || *which != Streams::Out && is_file(&streams.stderr)
                    {
                        return Err(twice());
                    }
                    match which {
                        Streams::Out => streams.stdout = sink,
                        Streams::Err => streams.stderr = sink,
                        Streams::Both => (streams.stdout, streams.stderr) = (sink.clone(), sink),
                    }
                }
            }
        }
        Ok(streams)
    }

    fn redirect_path(&self, file: &Word, cwd: &Path, access: Access) -> Result<PathBuf, Refusal> {
        let text = file.text();
        if text == "/dev/null" {
            return Ok(text.into());
        }
        self.roots.check(FIELD, Some(cwd), &text, access)
    }
}

struct Wiring {
    stdin: Option<PathBuf>,
    stdout: Sink,
    stderr: Sink,
}

impl Wiring {
    fn written(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = [&self.stdout, &self.stderr]
            .into_iter()
            .filter_map(|sink| match sink {
                Sink::File { path, .. } if path != Path::new("/dev/null") => Some(path.clone()),
                _ => None,
            })
            .collect();
        paths.dedup();
        paths
    }
}

fn check_size(args: &[String]) -> Result<(), Refusal> {
    let bytes: usize = args.iter().map(String::len).sum();
    if args.iter().any(|arg| arg.len() > ARG_BYTES_EACH_MAX) {
        return Err(too_large(format!("an argument is longer than {ARG_BYTES_EACH_MAX} bytes")));
    }
    if args.len() > ARGS_MAX || bytes > ARG_BYTES_MAX {
        return Err(too_large("a program gets too many arguments"));
    }
    Ok(())
}
