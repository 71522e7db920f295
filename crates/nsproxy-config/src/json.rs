//! How the values of the model that are not plain data look in JSON: as the configuration writes them, and times as whole
//! milliseconds.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub(crate) fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(crate) fn optional_text<S: Serializer>(
    value: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn texts<'v, S: Serializer, T: Display + 'v>(
    values: impl IntoIterator<Item = &'v T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.into_iter().map(ToString::to_string))
}

/// What is shared, as if it were not; `null` for none.
#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(crate) fn optional<S: Serializer, T: Serialize>(
    value: &Option<Arc<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}

pub(crate) fn time<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(value.as_millis())
}

/// `null` for no limit.
#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(crate) fn milliseconds<S: Serializer>(
    value: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_u128(value.as_millis()),
        None => serializer.serialize_none(),
    }
}
