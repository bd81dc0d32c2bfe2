//! MCP messages of every protocol revision; the only crate that knows the wire.
//!
//! Reading order: [`Revision`] (which protocol), [`Message`] (what arrived), [`Params`] (what it says),
//! [`check_headers`] (whether the HTTP headers tell the same story), [`Fault`] (what is refused and how),
//! then what goes out: [`wire_tools`], [`write_answer`], [`write_failure`], [`Approval`] and the notices.
//! [`Sealer`] signs what a client carries for us. Nothing here does I/O, keeps state or knows the pipeline.

mod answer;
mod approval;
mod detail;
mod failure;
mod fault;
mod frame;
mod header;
mod meta;
mod notice;
mod relayed;
mod reply;
mod revision;
mod seal;
mod shape;
mod tool;

pub use answer::{AnswerView, write_answer};
pub use approval::{Approval, Said, can_ask_in_form, read_elicitation};
pub use failure::{failure_detail, write_failure};
pub use fault::Fault;
pub use frame::{BATCH_MAX, Frame, Id, Message, Refused, read_frame, read_message};
pub use header::{Mirrored, check_headers, check_parameters, decode_value};
pub use meta::{Meta, Params, trace_parent};
pub use notice::{
    acknowledged, client_request, elicitation_request, list_changed, listen_closed, progress_notice,
    raw_notice, tagged_list_changed, tagged_raw_notice,
};
pub use relayed::{RelayedView, result_type, write_relayed};
pub use reply::{Implementation, write_error, write_result};
pub use revision::Revision;
pub use seal::{Purpose, SealError, Sealer};
pub use shape::{DEPTH_MAX, ShapeError, VALUES_MAX, check_shape};
pub use tool::{Naming, share_bytes_max, wire_tools};
