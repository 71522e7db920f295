//! Text to words with places, and words to sections with statements.
//!
//! This layer knows quoting, comments, variables, conditional blocks, and which words open a section. It knows no keyword's
//! meaning: that is `lower`. What it builds borrows from the text wherever quoting changed nothing.

mod condition;
mod directive;
mod environment;
mod quote;
mod raw;
mod tree;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use environment::Environment;
pub use quote::quote;
pub(crate) use raw::raw_line;
pub(crate) use tree::{Section, SectionKind, Statement, Tree};
pub(crate) use words::Word;
