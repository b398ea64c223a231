//! What a monitor's ABI says of an event or a function: its declaration as rules have it, and the fields that conditions name.

use std::fmt::Write as _;

use alloy_json_abi::{Event, Function, JsonAbi, Param};

use crate::expression::is_name;

/// A declaration, and its parameters.
pub(super) struct Declared {
    /// With names: `Transfer(address indexed from, address indexed to, uint256 value)`.
    pub(super) text: String,
    pub(super) fields: Vec<Field>,
}

/// What a condition may name.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// As conditions name it.
    pub(super) name: String,
    /// As expressions do.
    pub(super) path: String,
    /// Solidity's type.
    pub(super) ty: String,
    /// Parts of a struct.
    pub(super) parts: Vec<Field>,
}

impl Field {
    /// A field that has no parts.
    pub(super) fn plain(name: &str, path: &str, ty: &str) -> Self {
        Self { name: name.to_owned(), path: path.to_owned(), ty: ty.to_owned(), parts: Vec::new() }
    }

    fn of(param: &Param, place: Option<usize>) -> Self {
        let path = match place {
            Some(place) if !is_name(&param.name) => format!("arg{place}"),
            _ => param.name.clone(),
        };
        let parts = param.components.iter().map(|part| Self::of(part, None)).collect();
        Self { name: param.name.clone(), path, ty: param.ty.clone(), parts }
    }
}

pub(super) fn event(abi: &JsonAbi, signature: &str) -> Option<Declared> {
    let event: &Event = abi.events().find(|event| event.signature() == signature)?;
    let parameters: Vec<(Param, bool)> = event
        .inputs
        .iter()
        .map(|input| {
            let (ty, name, components) = (input.ty.clone(), input.name.clone(), input.components.clone());
            (Param { ty, name, components, internal_type: None }, input.indexed)
        })
        .collect();
    let mut declared = declared(&event.name, &parameters);
    // Of what is indexed and longer than a word there is only the hash, which no condition of a monitor is about.
    for (field, (param, indexed)) in declared.fields.iter_mut().zip(&parameters) {
        let long = param.ty.contains('[') || ["tuple", "string", "bytes"].contains(&param.ty.as_str());
        if *indexed && long {
            field.ty = "hash".to_owned();
            field.parts.clear();
        }
    }
    Some(declared)
}

pub(super) fn function(abi: &JsonAbi, signature: &str) -> Option<Declared> {
    let function: &Function = abi.functions().find(|function| function.signature() == signature)?;
    let parameters: Vec<(Param, bool)> = function.inputs.iter().map(|param| (param.clone(), false)).collect();
    Some(declared(&function.name, &parameters))
}

fn declared(name: &str, parameters: &[(Param, bool)]) -> Declared {
    let mut text = format!("{name}(");
    for (place, (param, indexed)) in parameters.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        write_type(&mut text, param);
        text.push_str(if *indexed { " indexed" } else { "" });
        if !param.name.is_empty() {
            let _ = write!(text, " {}", param.name);
        }
    }
    text.push(')');
    let fields = parameters.iter().enumerate().map(|(place, (param, _))| Field::of(param, Some(place))).collect();
    Declared { text, fields }
}

fn write_type(text: &mut String, param: &Param) {
    let Some(brackets) = param.ty.strip_prefix("tuple") else {
        text.push_str(&param.ty);
        return;
    };
    text.push_str("tuple(");
    for (place, part) in param.components.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        write_type(text, part);
        if !part.name.is_empty() {
            let _ = write!(text, " {}", part.name);
        }
    }
    let _ = write!(text, "){brackets}");
}
