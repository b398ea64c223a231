//! Bodies: [`encode`] and [`decode`], one arm per kind in the order of proto/watchfire/v1/event.proto.

mod decode;
mod encode;
mod signature;

pub(crate) use decode::{Nesting, decode, from_later_version};
pub(crate) use encode::encode;
pub(crate) use signature::{attested_in, attested_out};
