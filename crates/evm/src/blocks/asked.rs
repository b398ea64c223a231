//! State that was read at a block, kept as requests with their answers.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use watchfire_types::{BlockRef, Read, ReadOutcome};

use super::listed::same_data;
use crate::read::outcome;
use crate::rpc::{ErrorObject, node_error};

/// One request with its answer.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    method: String,
    params: Vec<Value>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct Called {
    to: Address,
    #[serde(default)]
    input: Option<Bytes>,
    #[serde(default)]
    data: Option<Bytes>,
}

/// The block parameter of EIP-1898.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct At {
    #[serde(default)]
    block_hash: Option<B256>,
    #[serde(default)]
    block_number: Option<U64>,
}

impl Asked {
    /// What was read, with its answer. Code answers two questions: its hash, and whom the account delegates to.
    pub(super) fn answers(self, block: &BlockRef) -> Result<BTreeMap<Read, ReadOutcome>, String> {
        let reads = match self.method.as_str() {
            "eth_call" => {
                let Called { to, input, data } = self.param(0)?;
                same_data(input.as_ref(), data.as_ref()).map_err(|fault| format!("eth_call parameter 0: {fault}"))?;
                vec![Read::Call { to, data: input.or(data).unwrap_or_default().0 }]
            }
            "eth_getBalance" => vec![Read::Balance { account: self.param(0)? }],
            "eth_getStorageAt" => {
                let slot: U256 = self.param(1)?;
                vec![Read::Storage { account: self.param(0)?, slot: slot.into() }]
            }
            "eth_getCode" => {
                let account = self.param(0)?;
                vec![Read::CodeHash { account }, Read::Delegation { account }]
            }
            other => return Err(format!("{other} is no question about state")),
        };
        self.pinned(block)?;
        let answer = || match (&self.error, &self.result) {
            (Some(error), _) => Err(node_error(error)),
            (None, Some(result)) => Ok(result.clone()),
            (None, None) => Ok(RawValue::NULL.to_owned()),
        };
        let told = reads.into_iter().map(|read| {
            let outcome = outcome(&read, answer()).map_err(|error| format!("{}: {error}", self.method))?;
            Ok((read, outcome))
        });
        told.collect()
    }

    fn param<T: DeserializeOwned>(&self, index: usize) -> Result<T, String> {
        let value = self.params.get(index).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| format!("{} parameter {index}: {error}", self.method))
    }

    /// Its last parameter names this block, by hash or by number.
    fn pinned(&self, block: &BlockRef) -> Result<(), String> {
        let last = self.params.last().cloned().unwrap_or_default();
        let at = serde_json::from_value::<U64>(last.clone())
            .map(|number| At { block_hash: None, block_number: Some(number) });
        let at = at.or_else(|_| serde_json::from_value(last.clone()));
        let here = at.is_ok_and(|at: At| match (at.block_hash, at.block_number) {
            (Some(hash), _) => hash == block.hash,
            (None, Some(number)) => number.to::<u64>() == block.number,
            (None, None) => false,
        });
        if here { Ok(()) } else { Err(format!("{} was asked at {last}, not at this block", self.method)) }
    }
}
