//! The text of one word to a value: times, numbers, addresses, names, namespaces.
//!
//! Each parser takes a string and returns a value or what is wrong with it, and where in the word. Nothing here
//! knows which statement the word stands in.

pub(crate) mod address;
pub(crate) mod interface;
pub(crate) mod name;
pub(crate) mod number;
pub(crate) mod regex;
pub(crate) mod size;
pub(crate) mod time;
pub(crate) mod version;
