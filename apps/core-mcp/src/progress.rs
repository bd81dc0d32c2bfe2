//! Progress on stderr: a bar at a terminal, a line every few seconds elsewhere.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kernel::{Progress, ProgressUpdate};
use parking_lot::Mutex;

use crate::output::{plain, say};

/// Nothing is shown before a call has run this long; most never do.
const PATIENCE: Duration = Duration::from_millis(400);
/// Time between two lines when there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows one call's progress until it is dropped.
pub(crate) struct ProgressView {
    bar: Option<ProgressBar>,
    progress: Progress,
}

impl ProgressView {
    /// A view with a title, or a silent one for `--no-progress`.
    pub(crate) fn new(title: &str, silent: bool) -> Self {
        if silent {
            return Self { bar: None, progress: Progress::silent() };
        }
        if io::stderr().is_terminal() { Self::bar(title) } else { Self::lines(title) }
    }

    /// Where the call reports.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    fn bar(title: &str) -> Self {
        // Hidden until a call turns out to be long: a question to the person must not share its line.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(style(false));
        bar.set_prefix(title.to_owned());
        let (shown, started) = (bar.clone(), Instant::now());
        let progress = Progress::to(move |update| {
            if started.elapsed() < PATIENCE {
                return;
            }
            if shown.is_hidden() {
                shown.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            }
            if let Some(total) = update.total.filter(|_| shown.length().is_none()) {
                shown.set_style(style(true));
                shown.set_length(whole(total));
            }
            if let Some(total) = update.total {
                shown.set_length(whole(total));
            }
            shown.set_position(whole(update.done));
            shown.set_message(plain(&update.message.unwrap_or_default()));
        });
        Self { bar: Some(bar), progress }
    }

    fn lines(title: &str) -> Self {
        let (title, last) = (title.to_owned(), Arc::new(Mutex::new(Instant::now())));
        let progress = Progress::to(move |update| {
            let mut last = last.lock();
            if last.elapsed() >= LINE_EVERY {
                *last = Instant::now();
                say(&line(&title, &update));
            }
        });
        Self { bar: None, progress }
    }
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(known: bool) -> ProgressStyle {
    let template = if known {
        "{prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}"
    } else {
        "{prefix} {spinner} {pos} {elapsed} {wide_msg}"
    };
    ProgressStyle::with_template(template).expect("the template is constant").progress_chars("━╸ ")
}

fn line(title: &str, update: &ProgressUpdate) -> String {
    let message = plain(update.message.as_deref().unwrap_or_default());
    match update.total {
        Some(total) => format!("{title}: {}/{} {message}", whole(update.done), whole(total)),
        None => format!("{title}: {} {message}", whole(update.done)),
    }
}

/// Progress counts are small; anything odd shows as zero.
fn whole(count: f64) -> u64 {
    if count.is_finite() && count > 0.0 { count.min(1e15) as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_is_safe_to_print() {
        let update = ProgressUpdate { done: 3.0, total: Some(10.0), message: Some("a\u{1b}[2J".into()) };
        assert_eq!(line("scan", &update), "scan: 3/10 a\u{fffd}[2J");
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(-1.0), 0);
    }
}
