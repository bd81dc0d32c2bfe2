//! Plain answers.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::{
    body::{Answer, ReplyBody},
    stream::EventStream,
};
use crate::wire::Reply;

/// An answer of this door.
pub(crate) type HttpReply = Response<ReplyBody>;

/// A JSON document.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> HttpReply {
    let mut response = whole(status, body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A JSON-RPC response with the status that goes with it.
pub(crate) fn message(reply: Reply) -> HttpReply {
    json(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reply.body)
}

/// Plain text.
pub(crate) fn text(status: StatusCode, body: &'static str) -> HttpReply {
    let mut response = whole(status, Bytes::from_static(body.as_bytes()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> HttpReply {
    let mut response = Response::new(ReplyBody::new(Answer::Whole(None)));
    *response.status_mut() = status;
    response
}

/// A refusal before the protocol: what is wrong, in words and for programs.
pub(crate) fn refusal(status: StatusCode, code: &str, words: &str) -> HttpReply {
    let body: Value = serde_json::json!({ "error": code, "error_description": words });
    json(status, body.to_string())
}

/// The same, with one more header.
pub(crate) fn with(mut response: HttpReply, name: HeaderName, value: &str) -> HttpReply {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// A stream of events.
pub(crate) fn events(stream: EventStream) -> HttpReply {
    let mut response = Response::new(ReplyBody::new(Answer::Events(Box::new(stream))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies must not collect events before they pass them on.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn whole(status: StatusCode, body: Bytes) -> HttpReply {
    let mut response = Response::new(ReplyBody::new(Answer::Whole(Some(body))));
    *response.status_mut() = status;
    response
}
