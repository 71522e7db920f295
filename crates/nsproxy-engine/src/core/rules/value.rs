//! A value that a fetch brings or a converter makes, and what it is as text and as bytes.

use std::borrow::Cow;
use std::net::IpAddr;

/// A value of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// An IP address.
    Address(IpAddr),
    /// Text or bytes.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// The same, apart from the connection.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Bool(is) => Value::Bool(is),
            Value::Number(number) => Value::Number(number),
            Value::Address(ip) => Value::Address(ip),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }

    /// The same, of no more than so many bytes.
    #[must_use]
    pub fn truncated(self, most: usize) -> Self {
        match self {
            Value::Bytes(Cow::Owned(mut bytes)) => {
                bytes.truncate(most);
                bytes.shrink_to_fit();
                Value::Bytes(Cow::Owned(bytes))
            }
            Value::Bytes(Cow::Borrowed(bytes)) => {
                Value::Bytes(Cow::Borrowed(&bytes[..bytes.len().min(most)]))
            }
            other => other,
        }
    }

    /// As it is compared with texts, and written to logs.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Bytes(bytes) => Cow::Borrowed(bytes),
            Value::Bool(is) => Cow::Borrowed(if *is { b"1" } else { b"0" }),
            Value::Number(number) => Cow::Owned(number.to_string().into_bytes()),
            Value::Address(ip) => Cow::Owned(ip.to_string().into_bytes()),
        }
    }

    /// As bytes: an address as the network writes it, a number as eight, the greatest first.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Bytes(bytes) => Cow::Borrowed(bytes),
            Value::Bool(is) => Cow::Owned(i64::from(*is).to_be_bytes().into()),
            Value::Number(number) => Cow::Owned(number.to_be_bytes().into()),
            Value::Address(IpAddr::V4(ip)) => Cow::Owned(ip.octets().into()),
            Value::Address(IpAddr::V6(ip)) => Cow::Owned(ip.octets().into()),
        }
    }
}
