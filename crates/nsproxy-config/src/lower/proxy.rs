//! `defaults`, `frontend`, `backend` and `listen`: headers, inheritance, and the table of their statements.

use std::collections::HashMap;

use super::args::Args;
use super::draft::{Draft, Side, keyword_of};
use super::settings::Settings;
use super::sink::{Choice, Sink, shown};
use super::{bind, global, server, settings};
use crate::keywords::{self, Table};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, SectionKind, Statement, Word};
use crate::values::name;

/// One statement that proxies understand.
struct Directive {
    name: &'static str,
    side: Side,
    /// There may be several in a proxy and none in `defaults`. Out of place it is an error; an inheritable
    /// setting that is out of place is a warning, as in HAProxy.
    is_item: bool,
    apply: fn(&mut Draft, &mut Args<'_, '_>, &mut Sink<'_>),
}

impl Directive {
    /// Where it may stand.
    fn home(&self) -> &'static str {
        match (self.side, self.is_item) {
            (Side::Client, true) => "`frontend` or `listen`",
            (Side::Server, true) => "`backend` or `listen`",
            (Side::Client, false) => "`frontend`, `listen` or `defaults`",
            (Side::Server, false) => "`backend`, `listen` or `defaults`",
            (Side::Both, _) => "`frontend`, `backend`, `listen` or `defaults`",
        }
    }
}

static STATEMENTS: &[Directive] = &[
    Directive {
        name: "bind",
        side: Side::Client,
        is_item: true,
        apply: bind::bind,
    },
    Directive {
        name: "server",
        side: Side::Server,
        is_item: true,
        apply: server::server,
    },
    Directive {
        name: "mode",
        side: Side::Both,
        is_item: false,
        apply: settings::mode,
    },
    Directive {
        name: "timeout",
        side: Side::Both,
        is_item: false,
        apply: settings::timeout,
    },
    Directive {
        name: "default_backend",
        side: Side::Client,
        is_item: false,
        apply: settings::default_backend,
    },
    Directive {
        name: "maxconn",
        side: Side::Client,
        is_item: false,
        apply: settings::maxconn,
    },
    Directive {
        name: "balance",
        side: Side::Server,
        is_item: false,
        apply: settings::balance,
    },
    Directive {
        name: "source",
        side: Side::Server,
        is_item: false,
        apply: settings::source,
    },
];

/// A `defaults` section, as later sections see it.
struct Defaults {
    settings: Settings,
    span: Span,
    used_implicitly: bool,
    used_by_name: bool,
    /// Another section has the same name.
    namesake: Option<Span>,
}

/// All proxies of a configuration, while they are being read.
#[derive(Default)]
pub(super) struct Proxies {
    pub(super) drafts: Vec<Draft>,
    defaults: Vec<Defaults>,
    defaults_by_name: HashMap<String, usize>,
    sections: usize,
}

impl Proxies {
    pub(super) fn section(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) {
        self.sections += 1;
        let Some(header) = self.header(section, sink) else {
            return;
        };
        let mut draft = Draft {
            kind: section.kind,
            name: header
                .name
                .map(|word| word.text.clone().into_owned())
                .unwrap_or_default(),
            span: header.name.unwrap_or_else(|| section.header.keyword()).span,
            section: self.sections,
            settings: header.inherited,
            binds: Vec::new(),
            servers: Vec::new(),
            server_names: HashMap::new(),
            server_lines: 0,
            bind_lines: 0,
            incomplete: section.has_broken_lines,
        };
        for line in &section.statements {
            statement(&mut draft, line, sink);
        }
        if section.kind == SectionKind::Defaults {
            self.add_defaults(draft);
        } else {
            self.drafts.push(draft);
        }
    }

    /// `KEYWORD [NAME] [from DEFAULTS]`. `None` when there is nothing to go on with.
    fn header<'a, 's>(&mut self, section: &'a Section<'s>, sink: &mut Sink<'_>) -> Option<Header<'a, 's>> {
        let is_defaults = section.kind == SectionKind::Defaults;
        let keyword = keyword_of(section.kind);
        let mut args = Args::new(&section.header);
        let name = if is_defaults && args.peek().is_none_or(|word| word.text == "from") {
            None
        } else if section.broken_header {
            args.next()
        } else {
            args.need(keyword, "a name", sink)
        };
        if !is_defaults {
            check_name(name?, keyword, sink);
        }
        let inherited = match args.peek() {
            Some(word) if word.text == "from" => {
                args.next();
                let base = args.need("from", "the name of a `defaults` section", sink);
                args.finish(sink);
                let named = base.and_then(|base| self.named_defaults(base, sink));
                named.unwrap_or_else(|| self.some_defaults(section))
            }
            Some(word) => {
                let error =
                    Diagnostic::error(word.span, format!("unexpected `{}` behind the name", shown(word)));
                sink.push(match section.kind {
                    SectionKind::Frontend | SectionKind::Listen => {
                        error.with_help("addresses go on `bind` lines below")
                    }
                    _ => error.with_help("only `from` and the name of a `defaults` section can follow"),
                });
                self.some_defaults(section)
            }
            None if is_defaults => Settings::default(),
            None => self.last_defaults(section, sink),
        };
        Some(Header { name, inherited })
    }

    fn named_defaults(&mut self, word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Settings> {
        let Some(&index) = self.defaults_by_name.get(&*word.text) else {
            let error = Diagnostic::error(
                word.span,
                format!("no `defaults` section above is called `{}`", shown(word)),
            );
            sink.push(
                match sink.nearest(&word.text, self.defaults_by_name.keys().map(String::as_str)) {
                    Some(near) => error.with_help(format!("did you mean `{near}`?")),
                    None => error,
                },
            );
            return None;
        };
        let defaults = &mut self.defaults[index];
        defaults.used_by_name = true;
        if let Some(second) = defaults.namesake {
            let error = Diagnostic::error(
                word.span,
                format!("two `defaults` sections are called `{}`", shown(word)),
            );
            sink.push(
                error
                    .with_related(defaults.span, "one")
                    .with_related(second, "another"),
            );
        }
        Some(defaults.settings.clone())
    }

    /// The nearest `defaults` section above, whatever its name.
    fn last_defaults(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) -> Settings {
        let Some(defaults) = self.defaults.last_mut() else {
            return Settings::default();
        };
        if defaults.used_by_name && !defaults.used_implicitly {
            let message = "this section uses by position a `defaults` section that others use by name";
            let warning = Diagnostic::warning(section.header.span(), message)
                .with_related(defaults.span, "the `defaults`");
            sink.push(
                warning
                    .with_help("use `from` everywhere, or put a `defaults` section that nothing names last"),
            );
        }
        defaults.used_implicitly = true;
        defaults.settings.clone()
    }

    /// What a section with an error in its header goes on with, so that the error does not cause more.
    fn some_defaults(&self, section: &Section<'_>) -> Settings {
        let last = self
            .defaults
            .last()
            .filter(|_| section.kind != SectionKind::Defaults);
        last.map(|defaults| defaults.settings.clone()).unwrap_or_default()
    }

    fn add_defaults(&mut self, draft: Draft) {
        let index = self.defaults.len();
        if !draft.name.is_empty() {
            let first = *self.defaults_by_name.entry(draft.name).or_insert(index);
            if let Some(first) = self.defaults.get_mut(first) {
                first.namesake.get_or_insert(draft.span);
            }
        }
        self.defaults.push(Defaults {
            settings: draft.settings,
            span: draft.span,
            used_implicitly: false,
            used_by_name: false,
            namesake: None,
        });
    }
}

struct Header<'a, 's> {
    name: Option<&'a Word<'s>>,
    inherited: Settings,
}

fn check_name(word: &Word<'_>, keyword: &str, sink: &mut Sink<'_>) {
    if let Some((at, c)) = name::forbidden_char(&word.text) {
        let span = word.part(at..at + c.len_utf8());
        let error = Diagnostic::error(
            span,
            format!("`{}` cannot stand in the name of a {keyword}", c.escape_default()),
        );
        sink.push(error.with_help(name::RULE));
    }
}

fn statement(draft: &mut Draft, statement: &Statement<'_>, sink: &mut Sink<'_>) {
    let keyword = statement.keyword();
    let section = keyword_of(draft.kind);
    let Some(row) = STATEMENTS.iter().find(|row| row.name == keyword.text) else {
        let supported: Vec<&str> = STATEMENTS.iter().map(|row| row.name).collect();
        unknown_statement(statement, section, &supported, &keywords::PROXY, sink);
        return;
    };
    if row.is_item && (draft.kind == SectionKind::Defaults || !draft.has_side(row.side)) {
        let error = Diagnostic::error(
            keyword.span,
            format!("`{}` cannot stand in a `{section}` section", row.name),
        );
        sink.push(error.with_help(format!("it belongs in {}", row.home())));
        return;
    }
    if !draft.has_side(row.side) {
        draft.warn_without_effect(keyword.span, row.name, sink);
    }
    draft.bind_lines += usize::from(row.name == "bind");
    (row.apply)(draft, &mut Args::new(statement), sink);
}

/// A statement that its section does not have: refused by name, placed elsewhere, or unknown.
pub(super) fn unknown_statement(
    statement: &Statement<'_>,
    section: &str,
    supported: &[&'static str],
    known: &Table,
    sink: &mut Sink<'_>,
) {
    let word = statement.keyword();
    let directive = keywords::DIRECTIVES.find(&word.text);
    if known.find(&word.text).is_none()
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
    if let Some(directive) = directive {
        sink.refuse(word.span, &shown, directive.why);
        return;
    }
    sink.not_supported(
        word,
        &shown,
        &Choice {
            what: "keyword",
            section: Some(section),
            supported,
            known,
        },
    );
}

/// The section that a known word is for.
fn home_of(word: &str) -> Option<&'static str> {
    if global::has(word) || keywords::GLOBAL.find(word).is_some() {
        return Some("`global`");
    }
    if word == "namespace" {
        return Some("`namespace_list`");
    }
    if let Some(row) = STATEMENTS.iter().find(|row| row.name == word) {
        return Some(row.home());
    }
    keywords::PROXY
        .find(word)
        .map(|_| "`frontend`, `backend`, `listen` or `defaults`")
}
