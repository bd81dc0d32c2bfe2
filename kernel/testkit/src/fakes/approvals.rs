//! Approvals, in memory.

use kernel::{ApprovalTicket, ErrorKind, Principal, ToolError};
use parking_lot::Mutex;
use pipeline::seams::{ApprovalRequest, Approvals};

/// Keeps requests and grants. A grant works once, for one principal and one digest.
#[derive(Default)]
pub struct FakeApprovals {
    requests: Mutex<Vec<Asked>>,
}

struct Asked {
    principal: String,
    ticket: ApprovalTicket,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Granted,
    Closed,
}

impl FakeApprovals {
    /// The tickets nobody has decided yet.
    pub fn waiting(&self) -> Vec<ApprovalTicket> {
        let requests = self.requests.lock();
        requests.iter().filter(|it| it.state == State::Open).map(|it| it.ticket.clone()).collect()
    }
}

impl Approvals for FakeApprovals {
    fn open(&self, request: ApprovalRequest) -> Result<ApprovalTicket, ToolError> {
        let mut requests = self.requests.lock();
        let known = requests.iter().find(|it| {
            it.state == State::Open && it.principal == request.principal && it.ticket.digest == request.digest
        });
        if let Some(asked) = known {
            return Ok(asked.ticket.clone());
        }
        let ticket = ApprovalTicket {
            id: format!("approval-{}", requests.len() + 1),
            digest: request.digest,
            question: request.question,
            expires_at: i64::MAX,
        };
        requests.push(Asked { principal: request.principal, ticket: ticket.clone(), state: State::Open });
        Ok(ticket)
    }

    fn consume(&self, principal: &str, digest: &str) -> Result<bool, ToolError> {
        let mut requests = self.requests.lock();
        let granted = requests
            .iter_mut()
            .find(|it| it.state == State::Granted && it.principal == principal && it.ticket.digest == digest);
        Ok(granted.map(|it| it.state = State::Closed).is_some())
    }

    fn decide(&self, id: &str, grant: bool, _by: &Principal, _via: &str) -> Result<(), ToolError> {
        let mut requests = self.requests.lock();
        let open = requests.iter_mut().find(|it| it.ticket.id == id && it.state == State::Open);
        let asked =
            open.ok_or_else(|| ToolError::new(ErrorKind::NotFound, format!("no open approval `{id}`")))?;
        asked.state = if grant { State::Granted } else { State::Closed };
        Ok(())
    }
}
