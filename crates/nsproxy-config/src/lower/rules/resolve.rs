//! The rules of a section to the model, once all backends are known.

use super::{Asked, DraftAcl, DraftRules};
use crate::lower::draft::Draft;
use crate::lower::sink::Sink;
use crate::model::{Acl, AclId, Action, BackendId, Condition, Rule, Rules, UseBackend};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::values::number::shorten;

/// What else a section's rules need to know, and what is wrong with them.
impl DraftRules {
    /// Backends that fetches ask about and that are not there.
    pub(in crate::lower) fn check_asked<'d>(
        &self,
        find: impl Fn(&str) -> Option<&'d Draft>,
        sink: &mut Sink<'_>,
    ) {
        for Asked {
            backend,
            server,
            span,
        } in &self.asked
        {
            let shown = shorten(backend);
            match (find(backend), server) {
                (None, _) => sink.error(*span, format!("no backend is called `{shown}`")),
                (Some(found), Some(server)) if !found.server_names.contains_key(server) => {
                    let server = shorten(server);
                    sink.error(*span, format!("backend `{shown}` has no server `{server}`"));
                }
                (Some(_), _) => {}
            }
        }
    }

    /// Whether one of them has connections begin with a PROXY header.
    pub(in crate::lower) fn expect_headers(&self) -> bool {
        self.connection
            .iter()
            .any(|rule| rule.action == Action::ExpectProxy)
    }

    /// Rules that cannot work as they are written, and names that nothing uses.
    pub(in crate::lower) fn warn(&self, sink: &mut Sink<'_>) {
        for draft in self.acls.iter().filter(|draft| !draft.is_used) {
            if let Some(name) = &draft.acl.name {
                let name = shorten(name);
                sink.push(Diagnostic::warning(
                    draft.span,
                    format!("nothing uses the `acl` `{name}`"),
                ));
            }
        }
        let early = self
            .use_backends
            .iter()
            .find_map(|used| Some((used, used.contents?)));
        if let Some((used, fetch)) = early
            && self.content.is_empty()
        {
            let message = format!("`{fetch}` has no value here: nothing waits for what the client sends");
            let help = "add `tcp-request inspect-delay 5s` and `tcp-request content accept if { req.ssl_hello_type 1 }`, or what else to wait for";
            sink.push(Diagnostic::warning(used.span, message).with_help(help));
        }
        if let Some(span) = self.content_span
            && self.inspect_delay.is_none_or(|(delay, _)| delay.is_zero())
        {
            let message = "this may find nothing: there is no `tcp-request inspect-delay` to wait for what the client sends";
            sink.push(Diagnostic::warning(span, message).with_help("add `tcp-request inspect-delay 5s`"));
        }
        if let Some((_, span)) = self.inspect_delay
            && self.content.is_empty()
        {
            let warning = Diagnostic::warning(
                span,
                "nothing is waited for: there is no `tcp-request content` rule",
            );
            sink.push(warning);
        }
    }

    /// The names of backends that `use_backend` lines lead to.
    pub(in crate::lower) fn targets(&self) -> impl Iterator<Item = (&str, Span)> {
        self.use_backends.iter().map(|used| (&*used.backend, used.span))
    }

    /// The model. `find` says which backend has a name; a line that leads nowhere, which was reported, is left out.
    pub(in crate::lower) fn model(self, find: impl Fn(&str) -> Option<BackendId>) -> Rules {
        let mut acls = Acls::new(self.acls);
        let mut rules = |rules: Vec<Rule>| -> Vec<Rule> {
            let rule = |rule: Rule| Rule {
                condition: acls.placed(rule.condition),
                ..rule
            };
            rules.into_iter().map(rule).collect()
        };
        let (connection, session, content) =
            (rules(self.connection), rules(self.session), rules(self.content));
        let use_backends = self.use_backends.into_iter().filter_map(|used| {
            Some(UseBackend {
                backend: find(&used.backend)?,
                condition: acls.placed(used.condition),
            })
        });
        Rules {
            connection,
            session,
            content,
            use_backends: use_backends.collect(),
            inspect_delay: self
                .inspect_delay
                .map(|(delay, _)| delay)
                .filter(|delay| !delay.is_zero()),
            acls: acls.placed,
        }
    }
}

/// The `acl`s of the model: first those with a name that something uses, then the anonymous ones, each where it is used.
struct Acls {
    drafts: Vec<DraftAcl>,
    placed: Vec<Acl>,
    /// Where those with a name are.
    places: Vec<Option<AclId>>,
}

impl Acls {
    fn new(mut drafts: Vec<DraftAcl>) -> Self {
        let mut placed = Vec::new();
        let place = |draft: &mut DraftAcl| {
            (draft.is_used && draft.acl.name.is_some()).then(|| {
                let tests = std::mem::take(&mut draft.acl.tests);
                let name = draft.acl.name.take();
                placed.push(Acl { name, tests });
                AclId(placed.len() - 1)
            })
        };
        let places = drafts.iter_mut().map(place).collect();
        Self {
            drafts,
            placed,
            places,
        }
    }

    /// The same condition over the `acl`s of the model.
    fn placed(&mut self, condition: Option<Condition>) -> Option<Condition> {
        let mut condition = condition?;
        for term in condition.any.iter_mut().flatten() {
            let known = self.places.get(term.acl.0).copied().flatten();
            term.acl = known.unwrap_or_else(|| {
                let draft = self.drafts.get(term.acl.0);
                self.placed.extend(draft.map(|draft| draft.acl.clone()));
                AclId(self.placed.len().saturating_sub(1))
            });
        }
        Some(condition)
    }
}
