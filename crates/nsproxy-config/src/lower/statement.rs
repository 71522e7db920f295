//! One statement of a section: found in its table, or refused by what is known of it.

use super::args::Args;
use super::draft::{Draft, keyword_of};
use super::global;
use super::sink::{Choice, Sink, shown};
use super::statements;
use super::table::{self, Heredity, STATEMENTS};
use crate::keywords::{self, Table};
use crate::report::Diagnostic;
use crate::syntax::{SectionKind, Statement, Word};

/// A statement of a proxy or `defaults`.
pub(super) fn proxy(draft: &mut Draft, statement: &Statement<'_>, sink: &mut Sink<'_>) {
    if statements::option::try_apply(draft, statement, sink) {
        return;
    }
    let keyword = statement.keyword();
    let section = keyword_of(draft.kind);
    let row = table::statement(&keyword.text).filter(|_| option_name(statement).is_none());
    let Some(row) = row else {
        let supported: Vec<&str> = STATEMENTS.iter().map(|row| row.name).collect();
        unknown(statement, section, &supported, &keywords::PROXY, sink);
        return;
    };
    let is_out_of_place = match row.heredity {
        Heredity::Setting => false,
        Heredity::Item => draft.kind == SectionKind::Defaults || !draft.has_side(row.side),
        Heredity::Rule => !draft.has_side(row.side),
    };
    if is_out_of_place {
        let error = Diagnostic::error(
            keyword.span,
            format!("`{}` cannot stand in a `{section}` section", row.name),
        );
        sink.push(error.with_help(format!("it belongs in {}", row.home())));
        return;
    }
    if row.heredity == Heredity::Rule && draft.kind == SectionKind::Defaults && draft.name.is_empty() {
        let message = format!(
            "`{}` cannot stand in a `defaults` section without a name",
            row.name
        );
        let help = "give it a name, and write `from` and that name behind those of the proxies that are to have its rules";
        sink.push(Diagnostic::error(keyword.span, message).with_help(help));
        return;
    }
    if !draft.has_side(row.side) {
        draft.warn_without_effect(keyword.span, row.name, sink);
    }
    draft.bind_lines += usize::from(row.name == "bind");
    (row.apply)(draft, &mut Args::new(statement), sink);
}

/// A statement that its section does not have: left out or refused by name, placed elsewhere, or unknown.
pub(super) fn unknown(
    statement: &Statement<'_>,
    section: &str,
    supported: &[&'static str],
    known: &Table,
    sink: &mut Sink<'_>,
) {
    let word = statement.keyword();
    let found = known.find(&word.text);
    let directive = keywords::DIRECTIVES.find(&word.text);
    if found.is_none()
        && directive.is_none()
        && let Some(home) = home_of(&word.text)
    {
        let message = format!("`{}` cannot stand in a `{section}` section", word.text);
        sink.push(Diagnostic::error(word.span, message).with_help(format!("it belongs in {home}")));
        return;
    }
    // `option tcplog` is refused as that, not as `option`.
    let telling = match &*word.text {
        "no" | "default" => 3,
        "option" | "tcp-request" | "tcp-response" | "stats" => 2,
        _ => 1,
    };
    let words: Vec<String> = statement.words.iter().take(telling).map(shown).collect();
    let shown = format!("`{}`", words.join(" "));
    if section != "global"
        && let Some(name) = option_name(statement)
    {
        let choice = Choice {
            what: "option",
            section: None,
            supported: &statements::option::names(),
            known: &keywords::OPTIONS,
        };
        match keywords::OPTIONS.find(&name.text) {
            Some(option) => sink.refuse_or_leave_out(statement.span(), &shown, option.why, section),
            None => _ = sink.not_supported(name, &shown, &choice),
        }
        return;
    }
    if let Some(directive) = directive {
        sink.refuse(word.span, &shown, directive.why);
        return;
    }
    if let Some(found) = found {
        sink.refuse_or_leave_out(word.span, &shown, found.why, section);
        return;
    }
    let choice = Choice {
        what: "keyword",
        section: Some(section),
        supported,
        known,
    };
    sink.not_supported(word, &shown, &choice);
}

/// The name in `[no|default] option NAME`.
fn option_name<'a, 's>(statement: &'a Statement<'s>) -> Option<&'a Word<'s>> {
    let words = match &statement.words[..] {
        [first, rest @ ..] if matches!(&*first.text, "no" | "default") => rest,
        words => words,
    };
    words.first().filter(|word| word.text == "option")?;
    words.get(1)
}

/// The sections that a known word is for.
fn home_of(word: &str) -> Option<String> {
    if global::has(word) || keywords::GLOBAL.find(word).is_some() {
        return Some("`global`".to_owned());
    }
    if word == "namespace" {
        return Some("`namespace_list`".to_owned());
    }
    if let Some(row) = table::statement(word) {
        return Some(row.home());
    }
    let proxies = "`frontend`, `backend`, `listen` or `defaults`";
    keywords::PROXY.find(word).map(|_| proxies.to_owned())
}
