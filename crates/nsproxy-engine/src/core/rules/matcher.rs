//! What a value is compared with.

use super::networks::Networks;
use super::ranges::Ranges;
use super::texts::Texts;
use super::value::Value;
use crate::core::expressions::Expressions;

/// A comparison. A value of a kind that it cannot compare never matches.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// There is a value at all.
    Found,
    /// It is true, or a number other than 0.
    True,
    /// It is one of these numbers.
    Number(Ranges),
    /// It is in one of these networks.
    Address(Networks),
    /// It is one of these texts, or has one of them in it.
    Text(Texts),
    /// One of these expressions is found in it.
    Expression(Expressions),
    /// Its length is one of these numbers.
    Length(Ranges),
}

impl Matcher {
    pub(super) fn matches(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Found => true,
            Self::True => match value {
                Value::Bool(is) => *is,
                Value::Number(number) => *number != 0,
                Value::Address(_) | Value::Bytes(_) => false,
            },
            Self::Number(ranges) => match value {
                Value::Number(number) => ranges.contains(*number),
                Value::Bool(is) => ranges.contains(i64::from(*is)),
                Value::Address(_) | Value::Bytes(_) => false,
            },
            Self::Address(networks) => match value {
                Value::Address(ip) => networks.contains(*ip),
                Value::Bool(_) | Value::Number(_) | Value::Bytes(_) => false,
            },
            Self::Text(texts) => texts.match_text(&value.text()),
            Self::Expression(expressions) => expressions.is_in(&value.text()),
            Self::Length(ranges) => ranges.contains(i64::try_from(value.text().len()).unwrap_or(i64::MAX)),
        }
    }
}
