//! Bodies: [`encode`] and [`decode`], one arm per kind in the order of proto/watchfire/v1/event.proto.

mod change;
mod checkpoint;
mod decode;
mod encode;
mod evidence;
mod promotion;
mod sealed;
mod signature;
mod snooze;

pub(crate) use checkpoint::{checkpoint_fault_in, checkpoint_fault_out};
pub(crate) use decode::{Nesting, decode, fault_proof_in, from_later_version};
pub(crate) use encode::{encode, fault_proof_out};
pub(crate) use signature::{attested_in, attested_out};
