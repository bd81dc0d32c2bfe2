//! One stage, one file, in the order of the road.

mod approve;
mod audit;
mod authenticate;
mod authorize;
mod breaker;
mod bulkhead;
mod cache;
mod contexts;
mod deadline;
mod decode;
mod execute;
mod rate_limit;
mod retry;
mod shape;
mod trace;

pub(crate) use approve::Approve;
pub(crate) use audit::Audit;
pub(crate) use authenticate::{Authenticate, outlived};
pub(crate) use authorize::Authorize;
pub(crate) use breaker::Breaker;
pub(crate) use bulkhead::Bulkhead;
pub(crate) use cache::Cache;
pub(crate) use contexts::Contexts;
pub(crate) use deadline::Deadline;
pub(crate) use decode::Decode;
pub(crate) use execute::Execute;
pub(crate) use rate_limit::RateLimit;
pub(crate) use retry::Retry;
pub(crate) use shape::Shape;
pub(crate) use trace::Trace;
