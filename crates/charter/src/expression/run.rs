//! Evaluation: total, bounded, the same everywhere.
//!
//! `&&` and `||` are CEL's: an operand that decides the answer decides it whatever the others fail with, on whichever side it stands. So are `all`
//! and `exists` over their entries.

use std::sync::Arc;

use super::check::{Arithmetic, Code, Holding};
use super::{Integer, NoAnswer, STEPS_MAX, Value};

/// Whether the code holds of these values.
pub(super) fn run(code: &Code, fields: &[Option<Value>]) -> Result<bool, NoAnswer> {
    Run { fields, locals: Vec::new(), left: STEPS_MAX }.flag(code)
}

/// Bytes or entries of a value that cost a step.
const WEIGHT_FREE: usize = 64;

struct Run<'a> {
    fields: &'a [Option<Value>],
    locals: Vec<Value>,
    left: u32,
}

impl Run<'_> {
    /// A value; of what was checked none is of another type than is asked for here, and a mistake in that is no answer.
    fn value(&mut self, code: &Code) -> Result<Value, NoAnswer> {
        self.spend(1)?;
        let value = self.unweighed(code)?;
        // Whatever is done with a long value costs by its length.
        let weight = match &value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(values) | Value::Tuple(values) => values.len(),
            Value::Flag(_) | Value::Integer(_) | Value::Address(_) => 0,
        };
        self.spend(u32::try_from(weight / WEIGHT_FREE).unwrap_or(u32::MAX))?;
        Ok(value)
    }

    fn spend(&mut self, steps: u32) -> Result<(), NoAnswer> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(NoAnswer::TooManySteps)
    }

    fn unweighed(&mut self, code: &Code) -> Result<Value, NoAnswer> {
        Ok(match code {
            Code::Constant(value) => value.clone(),
            Code::Field(slot) => self.fields.get(*slot).cloned().flatten().ok_or(NoAnswer::Undecodable)?,
            Code::Local(place) => self.locals.get(*place).cloned().ok_or(NoAnswer::Undecodable)?,
            Code::Component(of, place) => match self.value(of)? {
                Value::Tuple(values) => values.get(*place).cloned().ok_or(NoAnswer::Undecodable)?,
                _ => return Err(NoAnswer::Undecodable),
            },
            Code::Entry(list, index) => {
                let (list, index) = (self.list(list)?, self.integer(index)?);
                index.index().and_then(|index| list.get(index)).cloned().ok_or(NoAnswer::Index)?
            }
            Code::List(parts) => Value::List(parts.iter().map(|part| self.value(part)).collect::<Result<_, _>>()?),
            Code::Choose(parts) => {
                let [condition, yes, no] = parts.as_ref();
                return if self.flag(condition)? { self.value(yes) } else { self.value(no) };
            }
            Code::Size(_) | Code::Negate(_) | Code::Absolute(_) | Code::Arithmetic(..) | Code::MultiplyDivide(_) => {
                Value::Integer(self.calculated(code)?)
            }
            Code::Not(_)
            | Code::Ordered(..)
            | Code::Equal(_)
            | Code::Among(_)
            | Code::Holding(..)
            | Code::Chain { .. }
            | Code::Each { .. } => Value::Flag(self.judged(code)?),
        })
    }

    fn flag(&mut self, code: &Code) -> Result<bool, NoAnswer> {
        match self.value(code)? {
            Value::Flag(flag) => Ok(flag),
            _ => Err(NoAnswer::Undecodable),
        }
    }

    fn integer(&mut self, code: &Code) -> Result<Integer, NoAnswer> {
        match self.value(code)? {
            Value::Integer(integer) => Ok(integer),
            _ => Err(NoAnswer::Undecodable),
        }
    }

    fn list(&mut self, code: &Code) -> Result<Arc<[Value]>, NoAnswer> {
        match self.value(code)? {
            Value::List(values) => Ok(values),
            _ => Err(NoAnswer::Undecodable),
        }
    }

    fn text(&mut self, code: &Code) -> Result<Arc<str>, NoAnswer> {
        match self.value(code)? {
            Value::Text(text) => Ok(text),
            _ => Err(NoAnswer::Undecodable),
        }
    }

    fn calculated(&mut self, code: &Code) -> Result<Integer, NoAnswer> {
        match code {
            Code::Negate(of) => self.integer(of).map(Integer::negated),
            Code::Absolute(of) => self.integer(of).map(Integer::absolute),
            Code::Arithmetic(how, parts) => {
                let (one, other) = (self.integer(&parts[0])?, self.integer(&parts[1])?);
                match how {
                    Arithmetic::Add => one.add(other),
                    Arithmetic::Subtract => one.add(other.negated()),
                    Arithmetic::Multiply => one.multiply(other),
                    Arithmetic::Divide => one.divide(other),
                    Arithmetic::Remainder => one.remainder(other),
                    Arithmetic::Least => Ok(one.min(other)),
                    Arithmetic::Greatest => Ok(one.max(other)),
                }
            }
            Code::MultiplyDivide(parts) => {
                let [one, other, by] = parts.as_ref();
                let (one, other) = (self.integer(one)?, self.integer(other)?);
                one.multiply_divide(other, self.integer(by)?)
            }
            Code::Size(of) => {
                let size = match self.value(of)? {
                    Value::List(values) => values.len(),
                    Value::Bytes(bytes) => bytes.len(),
                    Value::Text(text) => text.chars().count(),
                    _ => return Err(NoAnswer::Undecodable),
                };
                Ok(Integer::from(u64::try_from(size).map_err(|_| NoAnswer::TooLong)?))
            }
            _ => Err(NoAnswer::Undecodable),
        }
    }

    fn judged(&mut self, code: &Code) -> Result<bool, NoAnswer> {
        match code {
            Code::Not(of) => self.flag(of).map(|flag| !flag),
            Code::Ordered(orders, parts) => {
                let order = self.integer(&parts[0])?.cmp(&self.integer(&parts[1])?);
                Ok(orders.contains(&order))
            }
            Code::Equal(parts) => Ok(self.value(&parts[0])? == self.value(&parts[1])?),
            Code::Among(parts) => {
                let one = self.value(&parts[0])?;
                Ok(self.list(&parts[1])?.contains(&one))
            }
            Code::Holding(how, parts) => {
                let (text, part) = (self.text(&parts[0])?, self.text(&parts[1])?);
                Ok(match how {
                    Holding::Anywhere => text.contains(&*part),
                    Holding::First => text.starts_with(&*part),
                    Holding::Last => text.ends_with(&*part),
                })
            }
            Code::Chain { all, parts } => {
                let mut failed = None;
                for part in parts {
                    match self.flag(part) {
                        Ok(flag) if flag != *all => return Ok(flag),
                        Ok(_) => {}
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
                failed.map_or(Ok(*all), Err)
            }
            Code::Each { all, list, body } => {
                let list = self.list(list)?;
                let mut failed = None;
                for value in list.iter() {
                    self.locals.push(value.clone());
                    let flag = self.flag(body);
                    self.locals.pop();
                    match flag {
                        Ok(flag) if flag != *all => return Ok(flag),
                        Ok(_) => {}
                        Err(error) => failed = failed.or(Some(error)),
                    }
                }
                failed.map_or(Ok(*all), Err)
            }
            _ => Err(NoAnswer::Undecodable),
        }
    }
}
