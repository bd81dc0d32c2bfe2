//! The processes of one pipeline.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use guard::command::{Sink, Stage};
use kernel::{ErrorKind, ToolError};
use sandbox::{Launch, Launcher, OutputFile, Signal, StreamFiles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    process::{Child, Command},
    sync::mpsc,
    time,
};
use tokio_util::sync::CancellationToken;

use super::{Ended, Engine, Stream, environment::Home, signalled::Groups};

/// Between the polite signal and the final one.
const GRACE: Duration = Duration::from_secs(2);
/// How often the number of processes is looked at where the kernel does not bound it.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// What the pipelines of one plan share.
pub(super) struct Setting<'a> {
    pub(super) engine: &'a Engine,
    pub(super) launcher: &'a Launcher,
    pub(super) home: &'a Home,
    pub(super) cwd: &'a Path,
    pub(super) timeout: Duration,
    pub(super) cancel: &'a CancellationToken,
    pub(super) offline: bool,
}

type Collect<'a> = &'a (dyn Fn(Stream, &[u8]) + Send + Sync);

impl Setting<'_> {
    /// Starts all programs, waits for all, and ends what is left of them.
    pub(super) async fn run(
        &self,
        stages: &[Stage],
        stdin: Option<mpsc::Receiver<Vec<u8>>>,
        collect: Collect<'_>,
    ) -> Result<Ended, ToolError> {
        let mut groups = Groups::default();
        let Started { children, input, out, err } = self.start(stages, stdin.is_some(), &mut groups)?;
        let feed = async {
            if let (Some(input), Some(stdin)) = (input, stdin) {
                feed(input, stdin).await;
            }
        };
        let finish = self.finish(children, groups);
        let output = async { tokio::join!(read(out, Stream::Out, collect), read(err, Stream::Err, collect)) };
        // Nobody has to read its input to the end, so feeding stops with the programs.
        let ended = async {
            tokio::select! {
                ended = finish => ended,
                never = async { feed.await; std::future::pending().await } => never,
            }
        };
        let (ended, _) = tokio::join!(ended, output);
        ended.map_err(failed)
    }

    fn start(&self, stages: &[Stage], fed: bool, groups: &mut Groups) -> Result<Started, ToolError> {
        let (out_reader, out_writer) = io::pipe().map_err(failed)?;
        let (err_reader, err_writer) = io::pipe().map_err(failed)?;
        let (mut previous, mut input) = (None, None);
        if fed {
            let (reader, writer) = io::pipe().map_err(failed)?;
            (previous, input) = (Some(reader), Some(writer));
        }
        let mut children = Vec::with_capacity(stages.len());
        for (index, stage) in stages.iter().enumerate() {
            let (next, out) = if index + 1 < stages.len() {
                let (reader, writer) = io::pipe().map_err(failed)?;
                (Some(reader), writer)
            } else {
                (None, out_writer.try_clone().map_err(failed)?)
            };
            let child = self.spawn(stage, previous.take(), &out, &err_writer).map_err(failed)?;
            groups.add(child.id().unwrap_or_default());
            children.push(child);
            previous = next;
        }
        let input = input.map(|writer| pipe::Sender::from_owned_fd(OwnedFd::from(writer))).transpose();
        let reader = |reader: PipeReader| pipe::Receiver::from_owned_fd(OwnedFd::from(reader));
        Ok(Started {
            children,
            input: input.map_err(failed)?,
            out: reader(out_reader).map_err(failed)?,
            err: reader(err_reader).map_err(failed)?,
        })
    }

    fn spawn(
        &self,
        stage: &Stage,
        stdin: Option<PipeReader>,
        out: &PipeWriter,
        err: &PipeWriter,
    ) -> io::Result<Child> {
        let policy = self.engine.policy(stage, self.home, self.timeout, self.offline);
        let env = self.engine.variables(stage, self.home);
        let files = StreamFiles {
            stdin: stage.stdin().map(Path::to_owned),
            stdout: file_of(stage.stdout()),
            stderr: file_of(stage.stderr()),
        };
        let launch = Launch {
            policy: &policy,
            program: stage.program(),
            args: stage.args(),
            cwd: self.cwd,
            env: &env,
            files,
        };
        let mut command = self.launcher.command(&launch);
        if let Some(stdin) = stdin {
            command.stdin(stdin);
        }
        command.stdout(pipe_for(stage.stdout(), out, err)?);
        // Until it opens a file of its own, the launcher's words go to the caller.
        let stderr = match stage.stderr() {
            Sink::Out => out.try_clone()?,
            Sink::Err | Sink::File { .. } => err.try_clone()?,
        };
        command.stderr(stderr);
        Command::from(command).kill_on_drop(true).spawn()
    }

    /// Waits for every program; stops them when time is up, the caller is gone, or they are too many.
    async fn finish(&self, mut children: Vec<Child>, mut groups: Groups) -> io::Result<Ended> {
        let mut ended = Ended::default();
        let leaders: Vec<Option<u32>> = children.iter().map(Child::id).collect();
        let statuses = {
            let waiting = join_all(children.iter_mut().map(Child::wait));
            tokio::pin!(waiting);
            tokio::select! {
                statuses = &mut waiting => statuses,
                () = self.stop_reason(&groups, &mut ended) => {
                    groups.signal(Signal::Terminate);
                    match time::timeout(GRACE, &mut waiting).await {
                        Ok(statuses) => statuses,
                        Err(_) => {
                            groups.signal(Signal::Kill);
                            waiting.await
                        }
                    }
                }
            }
        };
        // Reaped leaders leave their group to whatever they started; that ends now, and with it the pipes.
        leaders.into_iter().flatten().for_each(|leader| groups.ended(leader));
        let statuses = statuses.into_iter().collect::<io::Result<Vec<ExitStatus>>>()?;
        let last = statuses.last();
        ended.exit_code = last.and_then(ExitStatus::code);
        ended.signal = last.and_then(ExitStatusExt::signal);
        Ok(ended)
    }

    async fn stop_reason(&self, groups: &Groups, ended: &mut Ended) {
        tokio::select! {
            () = time::sleep(self.timeout) => ended.timed_out = true,
            () = self.cancel.cancelled() => ended.cancelled = true,
            () = self.too_many(groups) => ended.overgrown = true,
        }
    }

    /// Resolves when the programs have more processes than allowed. The kernel bounds them for everyone but root.
    async fn too_many(&self, groups: &Groups) {
        if !rustix::process::geteuid().is_root() {
            std::future::pending::<()>().await;
        }
        let allowed = usize::try_from(self.engine.config.processes_max).unwrap_or(usize::MAX);
        loop {
            time::sleep(COUNT_EVERY).await;
            if groups.size() > allowed {
                return;
            }
        }
    }
}

struct Started {
    children: Vec<Child>,
    input: Option<pipe::Sender>,
    out: pipe::Receiver,
    err: pipe::Receiver,
}

fn file_of(sink: &Sink) -> Option<OutputFile> {
    match sink {
        Sink::File { path, append } => Some(OutputFile { path: path.clone(), append: *append }),
        Sink::Out | Sink::Err => None,
    }
}

fn pipe_for(sink: &Sink, out: &PipeWriter, err: &PipeWriter) -> io::Result<Stdio> {
    Ok(match sink {
        Sink::Out => out.try_clone()?.into(),
        Sink::Err => err.try_clone()?.into(),
        Sink::File { .. } => Stdio::null(),
    })
}

/// Writes what comes until the channel closes or the program stops reading.
async fn feed(mut input: pipe::Sender, mut stdin: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = stdin.recv().await {
        if input.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Hands on everything until the last writer is gone.
async fn read(mut from: pipe::Receiver, stream: Stream, collect: Collect<'_>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => collect(stream, &buffer[..count]),
        }
    }
}

fn failed(error: io::Error) -> ToolError {
    ToolError::wrap(ErrorKind::ToolExecutionFailed, error).hint("the command did not start; try again")
}
