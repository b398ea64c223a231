//! What the machine answers about the trees of its chains: a frontier for each, grown as events are chained, rebuilt when a cut falls.

use std::sync::Arc;

use watchfire_transparency::{Frontier, Hash};
use watchfire_types::{Epoch, Event, MemberKey, Seq, Verified};

use crate::machine::Machine;
use crate::shared::chain::AuthorChain;

impl Machine {
    /// The RFC 6962 tree over what is held of an (author, epoch) without gaps and below its cut, its checkpoints left out.
    #[must_use]
    pub fn tree(&self, author: MemberKey, epoch: Epoch) -> Option<&Frontier> {
        self.shared.chains.get(&(author, epoch)).map(AuthorChain::tree)
    }

    /// That tree over what was pruned of an (author, epoch), if anything was.
    #[must_use]
    pub fn base_tree(&self, author: MemberKey, epoch: Epoch) -> Option<Frontier> {
        self.shared.chains.get(&(author, epoch))?.base_tree()
    }

    /// The events of that tree with the checkpoints between them, in order.
    pub fn chained(&self, author: MemberKey, epoch: Epoch) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        self.shared.chains.get(&(author, epoch)).into_iter().flat_map(AuthorChain::chained)
    }

    /// Root of the first `size` events of that tree, and the position after the last of them; `None` when they are not all held. Costs at
    /// most a thousand hashes.
    #[must_use]
    pub fn root_at(&self, author: MemberKey, epoch: Epoch, size: u64) -> Option<(Seq, Hash)> {
        self.shared.chains.get(&(author, epoch))?.root_at(size)
    }

    /// The leaves of that tree from this index on, in order.
    pub fn leaves_from(
        &self,
        author: MemberKey,
        epoch: Epoch,
        index: u64,
    ) -> impl Iterator<Item = &Arc<Verified<Event>>> {
        self.shared.chains.get(&(author, epoch)).into_iter().flat_map(move |chain| chain.leaves_from(index))
    }

    /// The author's last checkpoint of that tree.
    #[must_use]
    pub fn checkpoint(&self, author: MemberKey, epoch: Epoch) -> Option<&Arc<Verified<Event>>> {
        self.shared.chains.get(&(author, epoch))?.checkpoint()
    }

    /// Every (author, epoch) of which an event is held.
    pub fn epochs(&self) -> impl Iterator<Item = (MemberKey, Epoch)> {
        self.shared.chains.keys().copied()
    }
}
