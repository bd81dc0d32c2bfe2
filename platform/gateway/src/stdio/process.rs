//! One running child: three pipes, and an end that takes everything with it.

use std::{sync::Arc, time::Duration};

use kernel::BoxFuture;
use pipeline::mask_secrets;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use sandbox::{Signal, end_guarded, kill_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

use super::launch::LaunchPlan;
use crate::{dialogue::Dialogue, error::UpstreamError, hear::Hear};

/// A child whose input is closed gets this long to go by itself.
const POLITE: Duration = Duration::from_secs(2);

/// How often it is looked whether it has gone.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longest line of its log that is kept.
const LOG_LINE_MAX: usize = 500;

/// Log lines that are kept of one child each minute.
const LOG_LINES_MAX: u32 = 200;

/// How much of an oversized line is looked at for the request it answers.
const HEAD_BYTES: usize = 256;

/// A running child. Dropping it ends the child.
pub(crate) struct Process {
    pub(crate) dialogue: Arc<Dialogue>,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(
        upstream: &str,
        plan: &LaunchPlan,
        bytes_max: usize,
        ambient: Arc<dyn Hear>,
    ) -> Result<Self, UpstreamError> {
        let failed = |why: &str| UpstreamError::unreachable(upstream, format!("it did not start: {why}"));
        let mut command = Command::from(plan.command());
        let mut child = command.spawn().map_err(|error| failed(&error.kind().to_string()))?;
        let (dialogue, written) = Dialogue::new(upstream, ambient);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(failed("no pipes")) };
        tokio::spawn(keep_log(upstream.to_owned(), stderr));
        let end = if plan.is_confined { kill_group } else { end_guarded };
        let ward = Ward { child, end };
        tokio::spawn(look_after(Arc::clone(&dialogue), ward, stdin, stdout, written, bytes_max));
        Ok(Self { dialogue })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.dialogue.end("it was stopped");
    }
}

/// Moves messages until the child or somebody else ends it, then makes sure that nothing is left of it.
async fn look_after(
    dialogue: Arc<Dialogue>,
    mut ward: Ward,
    stdin: ChildStdin,
    stdout: ChildStdout,
    written: mpsc::Receiver<Vec<u8>>,
    bytes_max: usize,
) {
    let over = dialogue.over.clone();
    let writer = tokio::spawn(write_all(stdin, written, over.clone()));
    let why: BoxFuture<'_, String> = Box::pin(read_all(&dialogue, stdout, bytes_max));
    let why = tokio::select! {
        why = why => why,
        () = over.cancelled() => "it was stopped".into(),
    };
    dialogue.end(&why);
    // The writer has let go of its input, which asks a well-behaved server to leave.
    if let Err(error) = writer.await {
        tracing::debug!(%error, "a writer ended badly");
    }
    ward.end().await;
}

/// A child, and how one like it is ended.
struct Ward {
    child: Child,
    end: fn(u32, Signal) -> std::io::Result<()>,
}

impl Ward {
    /// Ends the group while its leader's number is still ours: an unreaped process keeps it.
    async fn end(&mut self) {
        let Some(pid) = self.child.id() else { return };
        if timeout(POLITE, leaves(pid)).await.is_err() {
            tracing::debug!(pid, "a child does not leave by itself");
        }
        if let Err(error) = (self.end)(pid, Signal::Kill) {
            tracing::warn!(%error, "a child could not be ended");
        }
        if timeout(POLITE, self.child.wait()).await.is_err()
            && let Err(error) = self.child.kill().await
        {
            tracing::warn!(%error, "whoever keeps a child could not be ended");
        }
    }
}

/// Waits until a child has ended, and leaves it unreaped.
async fn leaves(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(None) = waitid(WaitId::Pid(pid), look) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn write_all(
    mut stdin: ChildStdin,
    mut written: mpsc::Receiver<Vec<u8>>,
    over: tokio_util::sync::CancellationToken,
) {
    loop {
        let message = tokio::select! {
            message = written.recv() => message,
            () = over.cancelled() => return,
        };
        let Some(mut message) = message else { return };
        message.push(b'\n');
        let writing = async {
            stdin.write_all(&message).await?;
            stdin.flush().await
        };
        tokio::select! {
            result = writing => if result.is_err() { return },
            () = over.cancelled() => return,
        }
    }
}

/// Reads lines until there are no more; says why it stopped.
async fn read_all(dialogue: &Arc<Dialogue>, stdout: ChildStdout, bytes_max: usize) -> String {
    let mut lines = Lines::new(stdout, bytes_max);
    loop {
        let heard = match lines.next().await {
            Ok(Some(Line::Whole(text))) if text.iter().all(u8::is_ascii_whitespace) => Ok(()),
            Ok(Some(Line::Whole(text))) => dialogue.receive(text),
            Ok(Some(Line::TooLong(head))) => dialogue.too_large(answered_by(head), bytes_max),
            Ok(None) => return "its process ended".into(),
            Err(error) => return format!("its output cannot be read: {}", error.kind()),
        };
        if let Err(why) = heard {
            return why.to_owned();
        }
    }
}

/// Which request a line that begins like this answers, if that can be seen.
fn answered_by(head: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(head);
    let (_, rest) = text.split_once("\"id\"")?;
    let digits = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = digits.find(|it: char| !it.is_ascii_digit())?;
    digits[..end].parse().ok()
}

enum Line<'a> {
    Whole(&'a [u8]),
    /// It went by unread; this is how it began.
    TooLong(&'a [u8]),
}

/// Lines of at most so many bytes. Longer ones are skipped without being kept.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader: BufReader::with_capacity(32 << 10, reader), line: Vec::new(), bytes_max }
    }

    async fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.line.clear();
        // A large message must not hold its memory for good.
        self.line.shrink_to(1 << 20);
        let mut is_too_long = false;
        loop {
            let piece = self.reader.fill_buf().await?;
            if piece.is_empty() {
                return Ok(None);
            }
            let end = piece.iter().position(|it| *it == b'\n');
            let taken = end.unwrap_or(piece.len());
            if is_too_long || self.line.len() + taken > self.bytes_max {
                if !is_too_long {
                    let room = HEAD_BYTES.saturating_sub(self.line.len()).min(taken);
                    self.line.extend_from_slice(&piece[..room]);
                    self.line.truncate(HEAD_BYTES);
                }
                is_too_long = true;
            } else {
                self.line.extend_from_slice(&piece[..taken]);
            }
            self.reader.consume(end.map_or(taken, |at| at + 1));
            if end.is_some() {
                return Ok(Some(if is_too_long {
                    Line::TooLong(&self.line)
                } else {
                    Line::Whole(&self.line)
                }));
            }
        }
    }
}

/// The child's own log goes into ours: masked, cut, and not too much of it.
async fn keep_log(upstream: String, stderr: impl AsyncRead + Unpin) {
    let mut lines = Lines::new(stderr, LOG_LINE_MAX);
    let (mut minute, mut kept) = (tokio::time::Instant::now(), 0_u32);
    loop {
        let line = match lines.next().await {
            Ok(Some(Line::Whole(text) | Line::TooLong(text))) => text,
            Ok(None) | Err(_) => return,
        };
        if minute.elapsed() > Duration::from_secs(60) {
            (minute, kept) = (tokio::time::Instant::now(), 0);
        }
        kept += 1;
        if kept <= LOG_LINES_MAX {
            let text = String::from_utf8_lossy(line);
            let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
            tracing::info!(upstream, "{}", mask_secrets(plain.trim_end()).0);
        } else if kept == LOG_LINES_MAX + 1 {
            tracing::warn!(upstream, "the upstream logs too much; the rest of this minute is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_lines_go_by_without_being_kept() {
        let text =
            format!("short\n{{\"jsonrpc\":\"2.0\",\"id\": 17 ,\"x\":\"{}\"}}\n\nend\ncut", "x".repeat(1000));
        let mut lines = Lines::new(text.as_bytes(), 100);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            seen.push(match line {
                Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong(head) => format!("too long {:?}", answered_by(head)),
            });
        }
        assert_eq!(seen, ["short", "too long Some(17)", "", "end"]);
        assert!(lines.line.capacity() < 2000);
    }

    #[test]
    fn only_a_number_of_ours_is_seen_in_the_head() {
        for (head, id) in [
            (r#"{"id":5,"#, Some(5)),
            (r#"{"jsonrpc":"2.0","id" : 12 , "#, Some(12)),
            (r#"{"id":"5","#, None),
            (r#"{"result":{"#, None),
            (r#"{"id":99999999999999999999999,"#, None),
        ] {
            assert_eq!(answered_by(head.as_bytes()), id, "{head}");
        }
    }
}
