//! Looking into a head that an endpoint named, beside the feed's loop: whoever names an invented one waits for it alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchfire_types::{BlockView, Read};

use super::Stop;
use crate::client::ChainClient;
use crate::head::Head;
use crate::heads::Signal;

/// What k operators say about a head that was named.
pub(super) struct Found {
    /// Their block at its height.
    pub(super) agreed: Head,
    /// Everything at it, if it was named as the child of the last emitted block.
    pub(super) view: Option<BlockView>,
}

/// A head that was looked into.
pub(super) struct Look {
    pub(super) signal: Signal,
    pub(super) outcome: Result<Found, Stop>,
}

/// Takes at most one block time, between half a second and two. `next` is said of a child of the last emitted block, `patient` of
/// an endpoint whose word is worth waiting for those that lag behind it.
pub(super) async fn look(
    client: Arc<ChainClient>,
    reads: Arc<BTreeSet<Read>>,
    transactions: bool,
    signal: Signal,
    next: bool,
    patient: bool,
) -> Look {
    let outcome = if next {
        child(&client, &reads, transactions, &signal, patient).await
    } else {
        agreed(&client, &signal, patient).await.map(|agreed| Found { agreed, view: None })
    };
    Look { signal, outcome }
}

/// The usual case, as fast as it can be: agreement on the header and everything at it are asked for at the same time. Without
/// agreement nobody waits for the rest.
async fn child(
    client: &ChainClient,
    reads: &BTreeSet<Read>,
    transactions: bool,
    signal: &Signal,
    patient: bool,
) -> Result<Found, Stop> {
    let agreement = async {
        let agreed = agreed(client, signal, patient).await?;
        if agreed.block.hash == signal.head.block.hash {
            Ok(agreed)
        } else {
            Err(Stop::Doubtful("the head that was named is not the agreed one".to_owned()))
        }
    };
    // What cannot be read is judged after the agreement: an invented block must not pass for one that is late.
    let view = async { Ok(client.whole_view(&signal.head, reads, true, transactions).await) };
    let (agreed, view) = tokio::try_join!(agreement, view)?;
    let view = view.map_err(|error| Stop::NotYet(error.cause))?;
    Ok(Found { agreed, view: Some(view) })
}

/// The agreed block at the height of the head that was named.
async fn agreed(client: &ChainClient, signal: &Signal, patient: bool) -> Result<Head, Stop> {
    // The endpoint that named the head is one operator that has it, and with k = 1 the only one needed.
    if client.config.agree == 1 {
        return Ok(signal.head.clone());
    }
    let mut heads = client.heads_at(vec![signal.head.block.number], patient).await;
    match heads.pop() {
        Some(Ok(head)) => Ok(head),
        Some(Err(error)) => Err(Stop::Doubtful(error.cause)),
        None => Err(Stop::NotYet("nobody was asked".to_owned())),
    }
}
