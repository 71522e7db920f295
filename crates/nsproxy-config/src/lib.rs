#![doc = include_str!("../README.md")]
//!
//! # How it works
//!
//! Text becomes words with their places (`syntax::words`), words become sections with statements
//! (`syntax::tree`), and these become the [`model`] (`lower`). Each step collects every error it finds. The
//! keywords that nsproxy understands are rows of tables in `lower`; those that only HAProxy understands are in
//! `keywords`, so that they can be refused by name. Nothing is ever ignored.
//!
//! The work is in proportion to the text, whatever the text is, and no function calls itself.

mod format;
mod json;
mod keywords;
mod load;
mod logs;
mod lower;
pub mod model;
pub mod reference;
mod report;
mod show;
mod source;
mod suggest;
mod syntax;
mod values;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use format::format;
pub use load::{FileKind, Files, load, load_from, load_with_env};
pub use model::Config;
pub use report::{Diagnostic, RenderOptions, Report, Severity};
pub use show::Show;
pub use source::{MAX_SOURCE_BYTES, Place, Source};
pub use syntax::quote;
pub use values::time::{TimeError, parse_seconds};

use report::Collector;
use source::Sources;
use syntax::{Environment, Tree};

/// A configuration that can be used, and what is doubtful about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Report,
}

/// Reads configuration texts, in order, as one configuration. `env` gives the values of environment variables.
///
/// Any bytes may be given: nothing makes it panic. No file is read: a configuration that names files with `-f` is for
/// [`load`].
///
/// # Errors
///
/// Every error, and every warning, of all texts.
pub fn parse(sources: Vec<Source>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Loaded, Report> {
    let no_files = |_: &Path| {
        Err(io::Error::other(
            "files are read only along with a configuration from disk",
        ))
    };
    parse_after(Collector::default(), sources, env, &no_files)
}

/// [`parse`], with what went wrong while the texts were fetched.
fn parse_after(
    mut diagnostics: Collector,
    mut sources: Vec<Source>,
    env: &dyn Fn(&str) -> Option<OsString>,
    files: &lower::ReadFile<'_>,
) -> Result<Loaded, Report> {
    sources.retain(|source| {
        let Some(error) = too_large(source) else {
            return true;
        };
        diagnostics.push(error);
        false
    });
    let (sources, not_utf8) = Sources::decode(sources);
    let sources = Arc::new(sources);
    for span in not_utf8 {
        diagnostics.push(Diagnostic::error(span, "the line is not UTF-8 text"));
    }
    let mut environment = Environment::new(env, sources.names());
    let tree = Tree::read(&sources, &mut environment, &mut diagnostics);
    let (config, diagnostics) = lower::lower(&tree, &sources, files, diagnostics);
    drop(tree);
    let report = Report::new(sources, diagnostics);
    if report.has_errors() {
        Err(report)
    } else {
        Ok(Loaded {
            config,
            warnings: report,
        })
    }
}

fn too_large(source: &Source) -> Option<Diagnostic> {
    (source.len() > MAX_SOURCE_BYTES).then(|| {
        let message = format!("{}: larger than {} MiB", source.name(), MAX_SOURCE_BYTES >> 20);
        Diagnostic::error_without_place(message)
    })
}
