//! Syntax tree to model.
//!
//! Two passes. The first takes the sections in order, each statement by the table of its section, into drafts
//! with their `defaults` applied. The second (`resolve`) has all names and makes the model. Both report
//! everything they find and go on.
//!
//! A new keyword is a row: see `table`.

mod admin;
mod args;
mod binds;
mod checks;
mod draft;
mod format;
mod global;
mod identity;
mod log_target;
mod namespaces;
mod proxy;
mod resolve;
mod resolvers;
mod rows;
mod rules;
mod settings;
mod sink;
mod statement;
mod statements;
mod table;
mod tuning;

pub(crate) use rows::rows;
pub(crate) use rules::fetch_entries;

pub(crate) use self::settings::NETNS_REMOVED;

use self::args::Args;
use self::proxy::Proxies;
pub(crate) use self::sink::ReadFile;
use self::sink::Sink;
use crate::keywords;
use crate::model::Config;
use crate::report::{Collector, Diagnostic};
use crate::source::Sources;
use crate::syntax::{Section, SectionKind, Statement, Tree};

/// The model of a configuration. It is to be used only when none of the diagnostics is an error.
pub(crate) fn lower(
    tree: &Tree<'_>,
    sources: &Sources,
    files: &ReadFile<'_>,
    diagnostics: Collector,
) -> (Config, Collector) {
    let mut sink = Sink::new(sources, files, diagnostics);
    let mut config = Config::default();
    let mut globals = global::Globals::default();
    let mut proxies = Proxies::default();
    let mut resolvers = resolvers::Sections::default();
    for statement in &tree.preamble {
        outside_of_sections(statement, &mut sink);
    }
    for section in &tree.sections {
        match section.kind {
            SectionKind::Global => globals.section(section, &mut sink),
            SectionKind::NamespaceList => namespaces::section(&mut config, section, &mut sink),
            SectionKind::Resolvers => resolvers.section(section, &mut sink),
            SectionKind::Defaults | SectionKind::Frontend | SectionKind::Backend | SectionKind::Listen => {
                proxies.section(section, &mut sink);
            }
            SectionKind::Unsupported => unsupported_section(section, &mut sink),
            SectionKind::Misspelt(meant) => {
                let keyword = section.header.keyword();
                let error = Diagnostic::error(
                    keyword.span,
                    format!("unknown section `{}`", sink::shown(keyword)),
                );
                sink.push(error.with_help(format!("did you mean `{meant}`?")));
            }
        }
    }
    config.global = globals.finish();
    config.resolvers = resolvers.finish();
    proxies.warn_about_unused_defaults(&mut sink);
    resolve::resolve(proxies, &mut config, &mut sink);
    sink.report_what_was_left_out();
    (config, sink.into_diagnostics())
}

fn outside_of_sections(statement: &Statement<'_>, sink: &mut Sink<'_>) {
    let keyword = sink::shown(statement.keyword());
    if let Some(known) = keywords::DIRECTIVES.find(&keyword) {
        sink.refuse(statement.keyword().span, &format!("`{keyword}`"), known.why);
        return;
    }
    let error = Diagnostic::error(
        statement.keyword().span,
        format!("`{keyword}` stands before the first section"),
    );
    sink.push(error.with_help(
        "a section begins with `global`, `defaults`, `frontend`, `backend`, `listen`, `namespace_list` or `resolvers`",
    ));
}

/// One error for the section; what is in it would only repeat that.
fn unsupported_section(section: &Section<'_>, sink: &mut Sink<'_>) {
    let keyword = section.header.keyword();
    if let Some(known) = keywords::UNSUPPORTED_SECTIONS.find(&keyword.text) {
        let shown = format!("`{}` sections", keyword.text);
        sink.refuse_or_leave_out(keyword.span, &shown, known.why, &keyword.text);
    }
}

/// A section whose first line is its keyword alone.
fn bare_header(section: &Section<'_>, sink: &mut Sink<'_>) {
    if !section.broken_header {
        Args::new(&section.header).finish(sink);
    }
}
