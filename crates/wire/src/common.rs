//! Values that several messages share.

use bytes::Bytes;
use watchfire_types::body::{Decision, Human};
use watchfire_types::{BlockRef, BlockTime, ChainId, CharterVersion, Operation, SafeTransaction, Severity};

use crate::bounds::{MAX_CALL_DATA, MAX_LABEL, MAX_REASON};
use crate::error::WireError;
use crate::field::{address, check_length, hash, name, present, raw, text, word};
use crate::proto;

pub(crate) fn block_out(block: &BlockRef) -> proto::BlockRef {
    proto::BlockRef {
        chain_id: block.chain.get(),
        number: block.number,
        hash: raw(&block.hash.0),
        time_s: block.time.as_secs(),
    }
}

pub(crate) fn block_in(field: &'static str, block: Option<proto::BlockRef>) -> Result<BlockRef, WireError> {
    let block = present(field, block)?;
    Ok(BlockRef {
        chain: ChainId::new(block.chain_id),
        number: block.number,
        hash: hash("block.hash", &block.hash)?,
        time: BlockTime::from_secs(block.time_s),
    })
}

pub(crate) fn decision_out(decision: &Decision) -> proto::Decision {
    proto::Decision {
        charter_version: decision.version.get(),
        asset: decision.asset.to_string(),
        playbook: decision.playbook.to_string(),
    }
}

pub(crate) fn decision_in(decision: Option<proto::Decision>) -> Result<Decision, WireError> {
    let decision = present("decision", decision)?;
    Ok(Decision {
        version: CharterVersion::new(decision.charter_version),
        asset: name("decision.asset", &decision.asset)?,
        playbook: name("decision.playbook", &decision.playbook)?,
    })
}

pub(crate) fn human_out(human: &Human) -> proto::Human {
    proto::Human { person: human.person.clone(), role: human.role.clone(), reason: human.reason.clone() }
}

pub(crate) fn human_in(human: Option<proto::Human>) -> Result<Human, WireError> {
    let human = present("human", human)?;
    Ok(Human {
        person: text("human.person", human.person, MAX_LABEL)?,
        role: text("human.role", human.role, MAX_LABEL)?,
        reason: text("human.reason", human.reason, MAX_REASON)?,
    })
}

pub(crate) fn severity_out(severity: Severity) -> i32 {
    let severity = match severity {
        Severity::Sev1 => proto::Severity::Sev1,
        Severity::Sev2 => proto::Severity::Sev2,
        Severity::Sev3 => proto::Severity::Sev3,
        Severity::Sev4 => proto::Severity::Sev4,
        Severity::Sev5 => proto::Severity::Sev5,
    };
    severity.into()
}

pub(crate) fn severity_in(number: i32) -> Result<Severity, WireError> {
    match proto::Severity::try_from(number) {
        Ok(proto::Severity::Sev1) => Ok(Severity::Sev1),
        Ok(proto::Severity::Sev2) => Ok(Severity::Sev2),
        Ok(proto::Severity::Sev3) => Ok(Severity::Sev3),
        Ok(proto::Severity::Sev4) => Ok(Severity::Sev4),
        Ok(proto::Severity::Sev5) => Ok(Severity::Sev5),
        Ok(proto::Severity::Unspecified) | Err(_) => Err(out_of_enum("severity", number)),
    }
}

/// An enum value that means nothing; a negative number shows as protobuf's own 64-bit form.
pub(crate) fn out_of_enum(field: &'static str, number: i32) -> WireError {
    WireError::Range { field, found: i64::from(number).cast_unsigned() }
}

pub(crate) fn transaction_out(transaction: &SafeTransaction) -> proto::SafeTransaction {
    let operation = match transaction.operation {
        Operation::Call => proto::Operation::Call,
        Operation::DelegateCall => proto::Operation::DelegateCall,
    };
    let word = |value: alloy_primitives::U256| Bytes::copy_from_slice(&value.to_be_bytes::<32>());
    proto::SafeTransaction {
        to: raw(&transaction.to.0.0),
        value: word(transaction.value),
        data: transaction.data.clone(),
        operation: operation.into(),
        safe_tx_gas: word(transaction.safe_tx_gas),
        base_gas: word(transaction.base_gas),
        gas_price: word(transaction.gas_price),
        gas_token: raw(&transaction.gas_token.0.0),
        refund_receiver: raw(&transaction.refund_receiver.0.0),
        nonce: word(transaction.nonce),
    }
}

pub(crate) fn transaction_in(transaction: Option<proto::SafeTransaction>) -> Result<SafeTransaction, WireError> {
    let transaction = present("transaction", transaction)?;
    check_length("transaction.data", transaction.data.len(), MAX_CALL_DATA)?;
    Ok(SafeTransaction {
        to: address("transaction.to", &transaction.to)?,
        value: word("transaction.value", &transaction.value)?,
        data: transaction.data,
        operation: match proto::Operation::try_from(transaction.operation) {
            Ok(proto::Operation::Call) => Operation::Call,
            Ok(proto::Operation::DelegateCall) => Operation::DelegateCall,
            Ok(proto::Operation::Unspecified) | Err(_) => {
                return Err(out_of_enum("transaction.operation", transaction.operation));
            }
        },
        safe_tx_gas: word("transaction.safe_tx_gas", &transaction.safe_tx_gas)?,
        base_gas: word("transaction.base_gas", &transaction.base_gas)?,
        gas_price: word("transaction.gas_price", &transaction.gas_price)?,
        gas_token: address("transaction.gas_token", &transaction.gas_token)?,
        refund_receiver: address("transaction.refund_receiver", &transaction.refund_receiver)?,
        nonce: word("transaction.nonce", &transaction.nonce)?,
    })
}
