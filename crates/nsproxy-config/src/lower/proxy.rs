//! `defaults`, `frontend`, `backend` and `listen`: their headers, and what they inherit.

use std::collections::HashMap;
use std::rc::Rc;

use super::args::Args;
use super::draft::{Draft, keyword_of};
use super::rules::{Asked, DraftRules};
use super::settings::Settings;
use super::sink::{Sink, shown};
use super::statement;
use super::statements::default_namespace;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, SectionKind, Word};
use crate::values::name;

/// A `defaults` section, as later sections see it.
struct Defaults {
    settings: Rc<Settings>,
    rules: DraftRules,
    /// The first frontend and the first backend that have its rules.
    takers: [Option<Span>; 2],
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
            unplaced_binds: Vec::new(),
            unplaced_servers: Vec::new(),
            narrowed: Vec::new(),
            narrowed_by_rule: Vec::new(),
            servers: Vec::new(),
            healths: Vec::new(),
            server_names: HashMap::new(),
            rules: DraftRules::default(),
            resolvers: Vec::new(),
            server_lines: 0,
            bind_lines: 0,
            incomplete: section.has_broken_lines,
        };
        for line in &section.statements {
            statement::proxy(&mut draft, line, sink);
        }
        if let Some(base) = header.base {
            self.inherit_rules(&mut draft, base, sink);
        }
        default_namespace::apply(&mut draft);
        if section.kind == SectionKind::Defaults {
            self.add_defaults(draft);
        } else {
            self.drafts.push(draft);
        }
    }

    /// The rules of a `defaults` come before those of a proxy. As in HAProxy, it has to be one kind of proxy that takes them:
    /// what they mean depends on it.
    fn inherit_rules(&mut self, draft: &mut Draft, base: usize, sink: &mut Sink<'_>) {
        let Some(defaults) = self.defaults.get_mut(base) else {
            return;
        };
        draft.rules.inherit_delays(&defaults.rules);
        if !defaults.rules.has_rules() {
            return;
        }
        let refused = match draft.kind {
            SectionKind::Defaults => Some("another `defaults` section cannot take rules from this one"),
            SectionKind::Listen => Some("a `listen` section cannot take rules from a `defaults` section"),
            SectionKind::Frontend if !defaults.rules.response.is_empty() => {
                Some("a `frontend` section cannot take `tcp-response content` rules: it has no servers")
            }
            SectionKind::Backend if defaults.rules.decides_of_connections() => Some(
                "a `backend` section cannot take `tcp-request connection` and `session` rules: it accepts no connections",
            ),
            _ => None,
        };
        if let Some(message) = refused {
            let error = Diagnostic::error(draft.span, message);
            sink.push(error.with_related(defaults.span, "the `defaults`"));
            return;
        }
        let (own, other) = if draft.is_frontend() { (0, 1) } else { (1, 0) };
        if let Some(other) = defaults.takers[other] {
            let message = "frontends and backends cannot take rules from the same `defaults` section";
            let error = Diagnostic::error(draft.span, message).with_related(other, "it takes them, too");
            sink.push(
                error
                    .with_related(defaults.span, "the `defaults`")
                    .with_help("give each of them a `defaults` section of its own"),
            );
            return;
        }
        defaults.takers[own].get_or_insert(draft.span);
        draft.rules.inherit(&defaults.rules);
    }

    /// What rules of `defaults` sections ask about; names in there that nothing uses are warned about.
    pub(super) fn asked_by_defaults(&self, sink: &mut Sink<'_>) -> Vec<Asked> {
        let mut asked = Vec::new();
        for Defaults { rules, .. } in &self.defaults {
            rules.warn_unused(sink);
            asked.extend_from_slice(&rules.asked);
        }
        asked
    }

    /// `defaults` sections that no proxy and no other `defaults` takes anything from.
    pub(super) fn warn_about_unused_defaults(&self, sink: &mut Sink<'_>) {
        for defaults in &self.defaults {
            if !defaults.used_implicitly && !defaults.used_by_name {
                let warning = Diagnostic::warning(defaults.span, "nothing uses this `defaults` section");
                sink.push(
                    warning.with_help("a proxy takes the last one above it, unless it names one with `from`"),
                );
            }
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
        let (inherited, base) = match args.peek() {
            Some(word) if word.text == "from" => {
                args.next();
                let base = args.need("from", "the name of a `defaults` section", sink);
                args.finish(sink);
                let named = base.and_then(|base| self.named_defaults(base, sink));
                named.map_or_else(
                    || (self.some_defaults(section), None),
                    |(settings, base)| (settings, Some(base)),
                )
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
                (self.some_defaults(section), None)
            }
            None if is_defaults => (Rc::default(), None),
            None => self.last_defaults(section, sink),
        };
        Some(Header {
            name,
            inherited,
            base,
        })
    }

    fn named_defaults(&mut self, word: &Word<'_>, sink: &mut Sink<'_>) -> Option<(Rc<Settings>, usize)> {
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
        Some((Rc::clone(&defaults.settings), index))
    }

    /// The nearest `defaults` section above, whatever its name.
    fn last_defaults(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) -> (Rc<Settings>, Option<usize>) {
        let last = self.defaults.len().checked_sub(1);
        let Some(defaults) = self.defaults.last_mut() else {
            return (Rc::default(), None);
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
        (Rc::clone(&defaults.settings), last)
    }

    /// What a section with an error in its header goes on with, so that the error does not cause more.
    fn some_defaults(&self, section: &Section<'_>) -> Rc<Settings> {
        let last = self
            .defaults
            .last()
            .filter(|_| section.kind != SectionKind::Defaults);
        last.map(|defaults| Rc::clone(&defaults.settings))
            .unwrap_or_default()
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
            rules: draft.rules,
            takers: [None, None],
            span: draft.span,
            used_implicitly: false,
            used_by_name: false,
            namesake: None,
        });
    }
}

struct Header<'a, 's> {
    name: Option<&'a Word<'s>>,
    inherited: Rc<Settings>,
    /// The `defaults` that it is from.
    base: Option<usize>,
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
