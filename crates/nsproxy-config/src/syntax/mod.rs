//! Text to words with places, and words to sections with statements.
//!
//! This layer knows quoting, comments, variables and which words open a section. It knows no keyword's
//! meaning: that is `lower`. What it builds borrows from the text wherever quoting changed nothing.

mod quote;
mod tree;
mod words;

#[cfg(test)]
mod tests;

pub use quote::quote;
pub(crate) use tree::{Section, SectionKind, Statement, Tree};
pub(crate) use words::{Environment, Word};
