//! Errors: why a chain cannot be connected to, and why one endpoint did not answer.

use bytes::Bytes;
use thiserror::Error;
use watchfire_types::ChainId;

/// Why a chain cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// An endpoint serves another chain, and without it there are fewer than k operators.
    #[error(
        "endpoint {endpoint:?} serves chain {found}, the configuration says {expected}; correct the endpoint's url or the chain's id"
    )]
    WrongChain {
        /// Endpoint.
        endpoint: String,
        /// Configured id.
        expected: ChainId,
        /// What it answered.
        found: ChainId,
    },
    /// k operators are needed and fewer are configured.
    #[error(
        "chain {chain} needs equal answers from {agree} operators and has endpoints of {operators}; add endpoints of other operators or lower `agree`"
    )]
    TooFewOperators {
        /// Chain.
        chain: ChainId,
        /// k.
        agree: usize,
        /// Distinct operators whose endpoints can be asked.
        operators: usize,
    },
    /// A configured number is out of its range.
    #[error("chain {chain}: {key} is 0; make it at least 1")]
    Zero {
        /// Chain.
        chain: ChainId,
        /// Key of the configuration.
        key: &'static str,
    },
    /// Too few endpoints answered in time.
    #[error(
        "chain {chain}: {reached} of the {agree} operators needed answered ({causes}); start the endpoints or check their urls"
    )]
    Unreachable {
        /// Chain.
        chain: ChainId,
        /// k.
        agree: usize,
        /// Operators that answered.
        reached: usize,
        /// One cause per endpoint.
        causes: String,
    },
    /// The HTTP client cannot be built.
    #[error("http client cannot be made: {cause}; see that the system's certificates and file limits are sound")]
    Http {
        /// Cause.
        cause: String,
    },
}

/// Why the chain did not answer with what was asked: not enough operators gave the same answer in time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("chain {chain}: no equal answer from {agree} operators on {what}: {cause}; try again, or another endpoint")]
pub struct NotAgreed {
    /// Chain.
    pub chain: ChainId,
    /// k.
    pub agree: usize,
    /// What was asked.
    pub what: String,
    /// What each operator said.
    pub cause: String,
}

/// Why one endpoint did not answer one call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RpcError {
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("no answer within {0} ms")]
    Timeout(u64),
    #[error("rate limited")]
    RateLimited { retry_after_ms: Option<u64> },
    #[error("http status {0}")]
    Http(u16),
    #[error("garbage: {0}")]
    Garbage(String),
    #[error("answer longer than {0} bytes")]
    TooLong(usize),
    #[error("backing off")]
    BackingOff,
    #[error("serves chain {0}")]
    WrongChain(u64),
    #[error("block not known here")]
    UnknownBlock,
    /// It answers, and not to this.
    #[error("{0}")]
    Unable(String),
    #[error("error {code}: {message}")]
    Node { code: i64, message: String, data: Option<Bytes> },
}

impl RpcError {
    /// Whether the endpoint as a whole should be left alone for a while.
    pub(crate) fn backs_off(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout(_) | Self::RateLimited { .. } | Self::WrongChain(_) => true,
            Self::Http(status) => *status >= 500 || *status == 401 || *status == 403,
            Self::Garbage(_)
            | Self::TooLong(_)
            | Self::BackingOff
            | Self::UnknownBlock
            | Self::Unable(_)
            | Self::Node { .. } => false,
        }
    }

    /// Whether it is no answer to what was asked, from an endpoint that does answer.
    pub(crate) fn is_nonsense(&self) -> bool {
        match self {
            Self::Garbage(_) | Self::TooLong(_) => true,
            Self::Http(_) => !self.backs_off() && !self.method_missing(),
            Self::Unreachable(_)
            | Self::Timeout(_)
            | Self::RateLimited { .. }
            | Self::BackingOff
            | Self::WrongChain(_)
            | Self::UnknownBlock
            | Self::Unable(_)
            | Self::Node { .. } => false,
        }
    }

    /// -32601 and what providers answer in its place.
    pub(crate) fn method_missing(&self) -> bool {
        match self {
            Self::Node { code, message, .. } => {
                let message = message.to_ascii_lowercase();
                matches!(code, -32601 | -32604)
                    || message.contains("method not found")
                    || message.contains("not supported")
                    || message.contains("does not exist/is not available")
            }
            Self::Http(status) => matches!(status, 400 | 404 | 405 | 501),
            _ => false,
        }
    }

    /// What a call reverted with, where the error is a revert: nodes disagree on code and place of the data.
    pub(crate) fn revert_data(&self) -> Option<Bytes> {
        let Self::Node { code, message, data } = self else { return None };
        let text = message.to_ascii_lowercase();
        let reverted = *code == 3
            || text.contains("revert")
            || text.contains("vm execution error")
            || text.contains("invalid opcode")
            || text.contains("out of gas");
        reverted.then(|| data.clone().unwrap_or_default())
    }
}
