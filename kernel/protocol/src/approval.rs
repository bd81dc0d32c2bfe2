//! Asking the human at the client: by elicitation in older revisions, by a round trip in 2026-07-28.

use kernel::ApprovalTicket;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use crate::{
    Fault, Id, Implementation, Purpose, Sealer,
    reply::{open_result, push_json},
};

/// The key under which the question travels in `inputRequests`.
const KEY: &str = "approval";

/// What we need to know when the answer comes back. It travels sealed inside `requestState`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The ticket's id.
    pub id: String,
    /// Digest of the request the question was about: server, tool and arguments.
    pub request: String,
}

/// What the human said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Yes, with the box ticked.
    Yes,
    /// Anything else.
    No,
}

impl Approval {
    /// Writes the `input_required` answer that asks `ticket`'s question.
    pub fn write_question(
        &self,
        id: &Id,
        ticket: &ApprovalTicket,
        principal: &str,
        sealer: &Sealer,
        server: &Implementation,
    ) -> Vec<u8> {
        let payload = serde_json::to_vec(self).expect("two strings are JSON");
        let state = sealer.seal(Purpose::Approval, principal, &payload, ticket.expires_at);
        let mut out = open_result(id);
        push_json(
            &mut out,
            &json!({
                "resultType": "input_required",
                "inputRequests": { KEY: { "method": "elicitation/create", "params": form(&ticket.question) } },
                "requestState": state,
                "_meta": { "io.modelcontextprotocol/serverInfo": { "name": server.name, "version": server.version } },
            }),
        );
        out.push(b'}');
        out
    }

    /// Opens what the client carried for us and reads the human's answer.
    ///
    /// `Ok(None)`: the answer is missing, ask again. A state that is forged, expired, another
    /// principal's or another request's is refused.
    pub fn read_reply(
        state: &str,
        responses: Option<&RawValue>,
        request: &str,
        principal: &str,
        sealer: &Sealer,
        now: i64,
    ) -> Result<Option<(Self, Said)>, Fault> {
        let refused = || Fault::invalid_params("`requestState` is not valid for this request");
        let payload = sealer.open(Purpose::Approval, principal, state, now).map_err(|_| refused())?;
        let approval: Self = serde_json::from_slice(&payload).map_err(|_| refused())?;
        if approval.request != request {
            return Err(refused());
        }
        let Some(responses) = responses else { return Ok(None) };
        let responses: Value = serde_json::from_str(responses.get())
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Fault::invalid_params("`inputResponses` must be an object"))?;
        Ok(responses.get(KEY).map(|response| (approval, said(response))))
    }
}

/// The form a human sees: one box that starts empty.
pub(crate) fn form(question: &str) -> Value {
    json!({
        "mode": "form",
        "message": question,
        "requestedSchema": {
            "type": "object",
            "properties": {
                "approve": {
                    "type": "boolean",
                    "title": "Approve this call",
                    "description": "Yes lets exactly this call run once.",
                    "default": false,
                },
            },
            "required": ["approve"],
        },
    })
}

/// Reads the result of an `elicitation/create`. Errors and odd forms count as no.
pub fn read_elicitation(result: Option<&str>) -> Said {
    let value = result.and_then(|text| serde_json::from_str::<Value>(text).ok());
    value.as_ref().map_or(Said::No, said)
}

fn said(response: &Value) -> Said {
    let yes = response["action"] == "accept" && response["content"]["approve"] == Value::Bool(true);
    if yes { Said::Yes } else { Said::No }
}

/// Whether declared client capabilities let us show a form: `elicitation: {}` means forms, for
/// compatibility; once a mode is named, `form` must be among them.
pub fn can_ask_in_form(capabilities: Option<&RawValue>) -> bool {
    let Some(value) = capabilities.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()) else {
        return false;
    };
    match value.get("elicitation") {
        Some(Value::Object(modes)) => modes.contains_key("form") || !modes.contains_key("url"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn only_an_accepted_form_with_the_box_ticked_is_a_yes() {
        for (response, answer) in [
            (r#"{"action":"accept","content":{"approve":true}}"#, Said::Yes),
            (r#"{"action":"accept","content":{"approve":false}}"#, Said::No),
            (r#"{"action":"accept","content":{"approve":"true"}}"#, Said::No),
            (r#"{"action":"accept"}"#, Said::No),
            (r#"{"action":"decline","content":{"approve":true}}"#, Said::No),
            (r#"{"action":"cancel"}"#, Said::No),
            (r#"{"content":{"approve":true}}"#, Said::No),
            ("[]", Said::No),
            ("true", Said::No),
        ] {
            assert_eq!(read_elicitation(Some(response)), answer, "{response}");
        }
        assert_eq!(read_elicitation(None), Said::No);
    }

    #[test]
    fn forms_are_shown_to_those_who_said_they_can() {
        for (capabilities, can) in [
            (r#"{"elicitation":{}}"#, true),
            (r#"{"elicitation":{"form":{}}}"#, true),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, true),
            (r#"{"elicitation":{"url":{}}}"#, false),
            (r#"{"elicitation":true}"#, false),
            (r#"{"sampling":{}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(can_ask_in_form(Some(&raw(capabilities))), can, "{capabilities}");
        }
        assert!(!can_ask_in_form(None));
    }

    #[test]
    fn a_reply_counts_only_for_the_principal_the_request_and_the_time_it_was_asked_for() {
        let sealer = Sealer::new(&[7; 32]);
        let server =
            Implementation { name: "core-mcp".into(), title: "Core".into(), version: "1.0.0".into() };
        let ticket = ApprovalTicket {
            id: "ap-1".into(),
            digest: "d".into(),
            question: "stop web?".into(),
            expires_at: 100,
        };
        let approval = Approval { id: "ap-1".into(), request: "digest".into() };
        let asked = approval.write_question(&Id::own("1"), &ticket, "ann", &sealer, &server);
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        assert_eq!(asked["result"]["inputRequests"]["approval"]["params"]["message"], "stop web?");
        let state = asked["result"]["requestState"].as_str().unwrap();
        let yes = raw(r#"{"approval":{"action":"accept","content":{"approve":true}},"other":1}"#);
        let other = raw(r#"{"other":{"action":"accept"}}"#);
        let list = raw("[]");
        let read = |state: &str, responses, request: &str, principal: &str, now| {
            Approval::read_reply(state, responses, request, principal, &sealer, now)
                .map_err(|fault| fault.code)
        };
        assert_eq!(read(state, Some(&*yes), "digest", "ann", 99), Ok(Some((approval, Said::Yes))));
        assert_eq!(read(state, Some(&*other), "digest", "ann", 99), Ok(None));
        assert_eq!(read(state, None, "digest", "ann", 99), Ok(None));
        for (state, responses, request, principal, now) in [
            (state, &yes, "digest", "bob", 99),
            (state, &yes, "another", "ann", 99),
            (state, &yes, "digest", "ann", 101),
            (&state[1..], &yes, "digest", "ann", 99),
            ("", &yes, "digest", "ann", 99),
            (state, &list, "digest", "ann", 99),
        ] {
            assert_eq!(read(state, Some(&**responses), request, principal, now), Err(Fault::INVALID_PARAMS));
        }
    }
}
