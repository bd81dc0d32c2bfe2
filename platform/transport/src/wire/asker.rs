//! Asks the human at a legacy client while the call waits.

use std::sync::Arc;

use bytes::Bytes;
use kernel::{ApprovalTicket, BoxFuture};
use pipeline::{Asker, Question};
use protocol::{Said, elicitation_request, read_elicitation};
use tokio::sync::mpsc;

use super::Session;

/// Sends `elicitation/create` on the call's own stream and waits for the client's next message.
pub(super) struct SessionAsker {
    session: Arc<Session>,
    outbox: mpsc::Sender<Bytes>,
}

impl SessionAsker {
    pub(super) fn new(session: &Arc<Session>, outbox: mpsc::Sender<Bytes>) -> Self {
        Self { session: Arc::clone(session), outbox }
    }
}

impl Asker for SessionAsker {
    fn ask<'a>(&'a self, ticket: &'a ApprovalTicket) -> BoxFuture<'a, Question> {
        Box::pin(async move {
            let Some(mut question) = self.session.question() else { return Question::Impossible };
            if self.outbox.send(elicitation_request(&question.id, &ticket.question).into()).await.is_err() {
                return Question::Impossible;
            }
            match question.answer().await {
                Some(Ok(answer)) if read_elicitation(Some(answer.get())) == Said::Yes => Question::Granted,
                Some(_) | None => Question::Declined,
            }
        })
    }
}
