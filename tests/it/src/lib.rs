//! Every scenario on the real thing, as one test binary: real nodes, real libp2p, a real EVM node, a real Safe. See `tests/`.
