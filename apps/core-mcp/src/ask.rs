//! Asking the person at the terminal before a call that needs approval.

use std::io::{self, BufRead};

use kernel::{ApprovalTicket, BoxFuture};
use pipeline::{Asker, Question};

use crate::output::{plain, say};

/// Asks on stderr and reads the answer from stdin.
pub(crate) struct TerminalAsker;

impl Asker for TerminalAsker {
    fn ask<'a>(&'a self, ticket: &'a ApprovalTicket) -> BoxFuture<'a, Question> {
        let question: Vec<String> = ticket.question.lines().map(plain).collect();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                say(&format!(
                    "{}\n\nGo on? Type yes to approve, anything else to refuse:",
                    question.join("\n")
                ));
                let mut answer = String::new();
                io::stdin().lock().read_line(&mut answer).map(|_| answer)
            });
            match asked.await {
                Ok(Ok(answer)) if answer.trim().eq_ignore_ascii_case("yes") => Question::Granted,
                Ok(Ok(_)) => Question::Declined,
                Ok(Err(_)) | Err(_) => Question::Impossible,
            }
        })
    }
}
