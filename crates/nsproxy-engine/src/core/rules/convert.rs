//! Changes of a value before it is compared.

use std::borrow::Cow;
use std::net::IpAddr;

use super::value::Value;
use crate::core::bytes::hexadecimal;

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Converter {
    /// ASCII letters become small ones.
    Lower,
    /// ASCII letters become capitals.
    Upper,
    /// The number of bytes.
    Length,
    /// Bytes become hexadecimal digits, in capitals: those of an address or number, too.
    Hex,
    /// The network of an address: so many of its first bits.
    Mask {
        /// Of an IPv4 address.
        v4: u8,
        /// Of an IPv6 address; `None`: such a value becomes none.
        v6: Option<u8>,
    },
}

/// The value after all changes.
pub(super) fn all<'a>(value: Value<'a>, converters: &[Converter]) -> Option<Value<'a>> {
    converters
        .iter()
        .try_fold(value, |value, converter| convert(&value, *converter))
}

fn convert(value: &Value<'_>, converter: Converter) -> Option<Value<'static>> {
    Some(match converter {
        Converter::Lower => Value::Bytes(Cow::Owned(value.text().to_ascii_lowercase())),
        Converter::Upper => Value::Bytes(Cow::Owned(value.text().to_ascii_uppercase())),
        Converter::Length => Value::Number(i64::try_from(value.text().len()).unwrap_or(i64::MAX)),
        Converter::Hex => Value::Bytes(Cow::Owned(hexadecimal(&value.bytes()).into_bytes())),
        Converter::Mask { v4, v6 } => match *value {
            Value::Address(IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(v4.min(32))).unwrap_or(0);
                Value::Address(IpAddr::V4((u32::from(ip) & mask).into()))
            }
            Value::Address(IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(v6?.min(128))).unwrap_or(0);
                Value::Address(IpAddr::V6((u128::from(ip) & mask).into()))
            }
            Value::Bool(_) | Value::Number(_) | Value::Bytes(_) => return None,
        },
    })
}
