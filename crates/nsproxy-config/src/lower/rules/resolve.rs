//! The rules of a section to the model, once all backends are known.

use std::time::Duration;

use super::{Asked, DraftAcl, DraftRules};
use crate::lower::draft::Draft;
use crate::lower::sink::Sink;
use crate::model::{Acl, AclId, Action, BackendId, Condition, Rule, Rules, UseBackend, UseServer};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::values::number::shorten;

/// What makes `req.` fetches have a value.
pub(in crate::lower) const WAIT_HELP: &str = "add `tcp-request inspect-delay 5s` and `tcp-request content accept if { req.ssl_hello_type 1 }`, or what else to wait for";

/// Backends and servers that fetches ask about and that are not there.
pub(in crate::lower) fn check_asked<'d>(
    asked: &[Asked],
    find: impl Fn(&str) -> Option<&'d Draft>,
    sink: &mut Sink<'_>,
) {
    for Asked {
        backend,
        server,
        span,
    } in asked
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

/// What is wrong with a section's rules.
impl DraftRules {
    /// Whether one of them has connections begin with a PROXY header.
    pub(in crate::lower) fn expect_headers(&self) -> bool {
        self.connection
            .iter()
            .any(|rule| rule.action == Action::ExpectProxy)
    }

    /// Servers that `use-server` lines name and that the section does not have.
    pub(in crate::lower) fn check_servers(&self, draft: &Draft, sink: &mut Sink<'_>) {
        for used in &self.use_servers {
            if draft.server_names.contains_key(&used.target) {
                continue;
            }
            let (shown, server) = (draft.shown(), shorten(&used.target));
            let error = Diagnostic::error(used.span, format!("{shown} has no server `{server}`"));
            let near = sink.nearest(&used.target, draft.server_names.keys().map(String::as_str));
            sink.push(match near {
                Some(near) => error.with_help(format!("did you mean `{near}`?")),
                None => error,
            });
        }
    }

    /// Names that nothing uses.
    pub(in crate::lower) fn warn_unused(&self, sink: &mut Sink<'_>) {
        for draft in self.acls.iter().filter(|draft| !draft.is_used) {
            if let Some(name) = &draft.acl.name {
                let name = shorten(name);
                sink.push(Diagnostic::warning(
                    draft.span,
                    format!("nothing uses the `acl` `{name}`"),
                ));
            }
        }
    }

    /// Rules that cannot work as they are written, and names that nothing uses.
    pub(in crate::lower) fn warn(&self, sink: &mut Sink<'_>) {
        self.warn_unused(sink);
        let early = self
            .use_backends
            .iter()
            .find_map(|used| Some((used, used.needs.client_bytes?)));
        if let Some((used, fetch)) = early
            && self.content.is_empty()
        {
            let message = format!("`{fetch}` has no value here: nothing waits for what the client sends");
            sink.push(Diagnostic::warning(used.span, message).with_help(WAIT_HELP));
        }
        if let Some(span) = self.content_span
            && self.inspect_delay.is_none_or(|(delay, _)| delay.is_zero())
        {
            let message = "this may find nothing: there is no `tcp-request inspect-delay` to wait for what the client sends";
            sink.push(Diagnostic::warning(span, message).with_help("add `tcp-request inspect-delay 5s`"));
        }
        if let Some(span) = self.response_span
            && self.response_delay.is_none_or(|(delay, _)| delay.is_zero())
        {
            let message = "this may find nothing: there is no `tcp-response inspect-delay` to wait for what the server sends";
            sink.push(Diagnostic::warning(span, message).with_help("add `tcp-response inspect-delay 5s`"));
        }
        let delays = [
            (self.inspect_delay, &self.content, "tcp-request"),
            (self.response_delay, &self.response, "tcp-response"),
        ];
        for (delay, rules, keyword) in delays {
            if let Some((_, span)) = delay
                && rules.is_empty()
            {
                let message = format!("nothing is waited for: there is no `{keyword} content` rule");
                sink.push(Diagnostic::warning(span, message));
            }
        }
    }

    /// The names of backends that `use_backend` lines lead to.
    pub(in crate::lower) fn targets(&self) -> impl Iterator<Item = (&str, Span)> {
        self.use_backends.iter().map(|used| (&*used.target, used.span))
    }

    /// The model: the rules of the frontend, and those of the backend. A `listen` has the rules about the client in the former.
    /// `find` says which backend has a name; a line that leads nowhere, which was reported, is left out.
    pub(in crate::lower) fn model(
        mut self,
        is_frontend: bool,
        find: impl Fn(&str) -> Option<BackendId>,
    ) -> (Rules, Rules) {
        let acls = std::mem::take(&mut self.acls);
        let (mut front, mut back) = (Acls::new(&acls), Acls::new(&acls));
        let delay = |delay: Option<(Duration, Span)>| {
            let (delay, _) = delay?;
            (!delay.is_zero()).then_some(delay)
        };
        let content = std::mem::take(&mut self.content);
        let (of_front, of_back) = if is_frontend {
            (content, Vec::new())
        } else {
            (Vec::new(), content)
        };
        let inspect_delay = delay(self.inspect_delay);
        let use_servers = self.use_servers.into_iter().map(|used| UseServer {
            server: used.target,
            condition: back.placed(used.condition),
        });
        let use_servers = use_servers.collect();
        let of_backend = Rules {
            content: back.rules(of_back),
            inspect_delay: inspect_delay.filter(|_| !is_frontend),
            use_servers,
            response: back.rules(self.response),
            response_delay: delay(self.response_delay),
            acls: back.used(),
            ..Rules::default()
        };
        let of_frontend = Rules {
            connection: front.rules(self.connection),
            session: front.rules(self.session),
            content: front.rules(of_front),
            inspect_delay: inspect_delay.filter(|_| is_frontend),
            use_backends: self
                .use_backends
                .into_iter()
                .filter_map(|used| {
                    Some(UseBackend {
                        backend: find(&used.target)?,
                        condition: front.placed(used.condition),
                    })
                })
                .collect(),
            acls: front.used(),
            ..Rules::default()
        };
        (of_frontend, of_backend)
    }
}

/// The `acl`s of one half of a proxy: those with a name that it uses and the anonymous ones, in the order of their first use.
struct Acls<'d> {
    drafts: &'d [DraftAcl],
    placed: Vec<Acl>,
    /// Where those with a name are.
    places: Vec<Option<AclId>>,
}

impl<'d> Acls<'d> {
    fn new(drafts: &'d [DraftAcl]) -> Self {
        Self {
            places: vec![None; drafts.len()],
            placed: Vec::new(),
            drafts,
        }
    }

    fn rules(&mut self, rules: Vec<Rule>) -> Vec<Rule> {
        let rule = |rule: Rule| Rule {
            condition: self.placed(rule.condition),
            ..rule
        };
        rules.into_iter().map(rule).collect()
    }

    /// The same condition over the `acl`s of the model.
    fn placed(&mut self, condition: Option<Condition>) -> Option<Condition> {
        let mut condition = condition?;
        for term in condition.any.iter_mut().flatten() {
            let AclId(index) = term.acl;
            let known = self.places.get(index).copied().flatten();
            term.acl = known.unwrap_or_else(|| self.place(index));
        }
        Some(condition)
    }

    fn place(&mut self, index: usize) -> AclId {
        let id = AclId(self.placed.len());
        if let Some(draft) = self.drafts.get(index) {
            self.placed.push(draft.acl.clone());
            if draft.acl.name.is_some() {
                self.places[index] = Some(id);
            }
        }
        id
    }

    fn used(self) -> Vec<Acl> {
        self.placed
    }
}
