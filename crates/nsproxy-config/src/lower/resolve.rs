//! Drafts to the model: names looked up, and the checks that need the whole configuration.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use super::binds;
use super::checks;
use super::draft::{Draft, keyword_of};
use super::format::{self, DraftFormat};
use super::proxy::Proxies;
use super::rules::check_asked;
use super::settings::{Mode, Set, Settings};
use super::sink::{Sink, list};
use super::statements::netns_tlv;
use crate::model::{
    Backend, BackendId, Bind, ClientTimeouts, Config, Frontend, LogTarget, Logging, ServerTimeouts,
};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::SectionKind;
use crate::values::number::shorten;

/// `retries` when it is not set.
const RETRIES: u16 = 3;
/// More backends than this are not listed in a message.
const MOST_LISTED: usize = 5;

pub(super) fn resolve(proxies: Proxies, config: &mut Config, sink: &mut Sink<'_>) {
    let asked_of_defaults = proxies.asked_by_defaults(sink);
    let drafts = unique(proxies.drafts, sink);
    check_modes(&drafts, sink);
    check_timeouts(&drafts, sink);
    binds::check(&drafts, sink);
    netns_tlv::check_headers(&drafts, sink);
    netns_tlv::check_names(&drafts, config, sink);
    check_resolvers(&drafts, config, sink);
    let backends = Backends::of(&drafts);
    let mut used = vec![false; backends.drafts.len()];
    let targets: Vec<_> = drafts
        .iter()
        .map(|draft| target(draft, &backends, sink))
        .collect();
    for target in targets.iter().flatten() {
        used[target.0] = true;
    }
    check_asked(&asked_of_defaults, |name| backends.find(name), sink);
    format::check(&drafts, |name| backends.find(name), sink);
    let mut all_chosen = true;
    for draft in &drafts {
        check_asked(&draft.rules.asked, |name| backends.find(name), sink);
        draft.rules.check_servers(draft, sink);
        draft.rules.warn(sink);
        for (name, span) in draft.rules.targets() {
            if let Some(target) = backends.by_name.get(name) {
                used[target.0] = true;
            } else {
                all_chosen = false;
                sink.push(no_such_backend(name, span, "use_backend", &backends, sink));
            }
        }
    }
    // A name that leads nowhere was surely meant for one of those that seem unused.
    let all_found = drafts
        .iter()
        .zip(&targets)
        .all(|(draft, target)| target.is_some() || !draft.names_backend());
    check_listens(&drafts, &targets, &backends, sink);
    check_backends(&backends, &used, all_found && all_chosen, sink);
    let by_name: HashMap<String, BackendId> = backends
        .by_name
        .iter()
        .map(|(name, id)| ((*name).to_owned(), *id))
        .collect();
    let healths = checks::resolve(&drafts, sink);
    for ((mut draft, backend), healths) in drafts.into_iter().zip(targets).zip(healths) {
        for (server, health) in draft.servers.iter_mut().zip(healths) {
            server.health = health;
        }
        add(draft, backend, &by_name, config, sink);
    }
    set_fullconn(config);
}

/// Drops proxies whose name another one of the same half has.
fn unique(drafts: Vec<Draft>, sink: &mut Sink<'_>) -> Vec<Draft> {
    let mut frontends: HashMap<String, (Span, SectionKind)> = HashMap::new();
    let mut backends: HashMap<String, (Span, SectionKind)> = HashMap::new();
    let mut kept = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let halves = [
            (draft.is_frontend(), &mut frontends),
            (draft.is_backend(), &mut backends),
        ];
        let mut clash = None;
        for (has, names) in halves {
            if has && clash.is_none() {
                clash = names.get(&draft.name).copied();
                names
                    .entry(draft.name.clone())
                    .or_insert((draft.span, draft.kind));
            }
        }
        match clash {
            None => kept.push(draft),
            Some((first, kind)) => {
                let error = Diagnostic::error(
                    draft.span,
                    format!("{} has the same name as a {}", draft.shown(), keyword_of(kind)),
                );
                sink.push(error.with_related(first, "the first one"));
            }
        }
    }
    kept
}

fn check_modes(drafts: &[Draft], sink: &mut Sink<'_>) {
    // A `defaults` that many use is reported once.
    let mut reported: HashSet<Span> = HashSet::new();
    for draft in drafts {
        let Some(Set {
            value: Mode::Refused(name, why),
            span,
            ..
        }) = draft.settings.mode
        else {
            continue;
        };
        if reported.insert(span) {
            let error = Diagnostic::error(span, why.message(&format!("`mode {name}`")));
            let error = error.with_help(
                "nsproxy relays connections byte by byte: write `mode tcp`, also before TLS or HTTP servers",
            );
            sink.push(error.with_related(draft.span, "this proxy has that mode"));
        }
    }
}

/// The timeouts whose absence HAProxy warns about.
fn check_timeouts(drafts: &[Draft], sink: &mut Sink<'_>) {
    for draft in drafts {
        let settings = &draft.settings;
        let wanted = [
            (
                draft.is_frontend() && limit(settings.client.as_ref()).is_none(),
                "timeout client",
            ),
            (
                draft.server_lines > 0 && limit(settings.connect.as_ref()).is_none(),
                "timeout connect",
            ),
            (
                draft.server_lines > 0 && limit(settings.server.as_ref()).is_none(),
                "timeout server",
            ),
        ];
        let missing: Vec<&str> = wanted
            .iter()
            .filter(|(missing, _)| *missing)
            .map(|&(_, name)| name)
            .collect();
        if !missing.is_empty() {
            let warning = Diagnostic::warning(
                draft.span,
                format!("{} has no `{}`", draft.shown(), missing.join("` and no `")),
            );
            let note = "without it, a connection whose other side has gone silent is kept for ever";
            sink.push(
                warning
                    .with_note(note)
                    .with_help("set it here or in `defaults`, for example to `30s`"),
            );
        }
    }
}

/// The `resolvers` sections that servers name. There is always one called `default`.
fn check_resolvers(drafts: &[Draft], config: &Config, sink: &mut Sink<'_>) {
    let names: HashSet<&str> = config
        .resolvers
        .iter()
        .map(|section| section.name.as_str())
        .collect();
    for (name, span) in drafts.iter().flat_map(|draft| &draft.resolvers) {
        if name == "default" || names.contains(name.as_str()) {
            continue;
        }
        let error = Diagnostic::error(
            *span,
            format!("there is no `resolvers` section `{}`", shorten(name)),
        );
        sink.push(match sink.nearest(name, names.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error
                .with_help("write the section, or leave the word out: then the files of the namespace tell"),
        });
    }
}

/// The proxies that can be the target of a `default_backend`.
struct Backends<'d> {
    drafts: Vec<&'d Draft>,
    by_name: HashMap<&'d str, BackendId>,
}

impl<'d> Backends<'d> {
    fn of(drafts: &'d [Draft]) -> Self {
        let drafts: Vec<_> = drafts.iter().filter(|draft| draft.is_backend()).collect();
        let by_name = drafts
            .iter()
            .enumerate()
            .map(|(index, draft)| (&*draft.name, BackendId(index)))
            .collect();
        Self { drafts, by_name }
    }

    fn find(&self, name: &str) -> Option<&'d Draft> {
        self.by_name.get(name).map(|id| self.drafts[id.0])
    }

    fn names(&self) -> impl Iterator<Item = &'d str> {
        self.drafts.iter().map(|draft| &*draft.name)
    }
}

/// Rules of a `listen` are looked at for its own connections only: nobody may rely on them for those of others.
fn check_listens(
    drafts: &[Draft],
    targets: &[Option<BackendId>],
    backends: &Backends<'_>,
    sink: &mut Sink<'_>,
) {
    for (draft, target) in drafts.iter().zip(targets) {
        let default = target.map(|target| (target, draft.span));
        let named = draft.rules.targets();
        let chosen = named.filter_map(|(name, span)| Some((*backends.by_name.get(name)?, span)));
        for (target, span) in default.into_iter().chain(chosen) {
            let to = backends.drafts[target.0];
            if to.is_frontend() && to.span != draft.span && !to.rules.content.is_empty() {
                let message = format!(
                    "the `tcp-request content` rules of {} are not looked at for connections of other frontends",
                    to.shown()
                );
                let help = "write them into a `backend`, and let both lead there";
                sink.push(
                    Diagnostic::error(span, message)
                        .with_help(help)
                        .with_related(to.span, "the `listen`"),
                );
            }
        }
    }
}

/// Where a frontend's connections go.
fn target(draft: &Draft, backends: &Backends<'_>, sink: &mut Sink<'_>) -> Option<BackendId> {
    if !draft.is_frontend() {
        return None;
    }
    let Some(default) = &draft.settings.default_backend else {
        let own = backends
            .by_name
            .get(&*draft.name)
            .copied()
            .filter(|_| draft.is_backend());
        if own.is_none() && draft.rules.use_backends.is_empty() {
            let message = format!(
                "{} has no `default_backend`: its connections will be closed",
                draft.shown()
            );
            sink.push(Diagnostic::warning(draft.span, message));
        }
        return own;
    };
    let found = backends.by_name.get(&*default.value).copied();
    if found.is_none() {
        let error = no_such_backend(&default.value, default.span, "default_backend", backends, sink);
        sink.push(error);
    }
    found
}

/// The message for a slip in a backend's name shows what there is.
fn no_such_backend(
    name: &str,
    span: Span,
    keyword: &str,
    backends: &Backends<'_>,
    sink: &Sink<'_>,
) -> Diagnostic {
    let wanted = shorten(name);
    let error = Diagnostic::error(span, format!("no backend is called `{wanted}`"));
    match backends.drafts.as_slice() {
        [] => error.with_help(format!("add `backend {wanted}` with its `server` lines")),
        [only] => error
            .with_related(only.span, "the only backend there is")
            .with_help(format!(
                "write `{keyword} {}`, or rename the backend",
                shorten(&only.name)
            )),
        several => match sink
            .nearest(name, backends.names())
            .and_then(|near| backends.find(near))
        {
            Some(near) => error
                .with_help(format!("did you mean `{}`?", near.name))
                .with_related(near.span, "a backend with a similar name"),
            None => error.with_help(format!("the backends are {}", list_some(several))),
        },
    }
}

fn list_some(backends: &[&Draft]) -> String {
    let names: Vec<String> = backends
        .iter()
        .take(MOST_LISTED)
        .map(|draft| shorten(&draft.name))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match backends.len() - names.len() {
        0 => list(&names),
        more => format!(
            "{} and {more} more",
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// Backends that nothing uses, and used ones that have no server.
fn check_backends(backends: &Backends<'_>, used: &[bool], all_found: bool, sink: &mut Sink<'_>) {
    for (draft, &used) in backends.drafts.iter().zip(used) {
        if used && draft.server_lines == 0 && !draft.incomplete {
            let message = format!("{} has no `server`: connections to it will fail", draft.shown());
            sink.push(Diagnostic::warning(draft.span, message));
        } else if !used && draft.is_frontend() && draft.server_lines > 0 {
            let warning = Diagnostic::warning(
                draft.span,
                format!("the servers of {} are not used", draft.shown()),
            );
            sink.push(match &draft.settings.default_backend {
                Some(default) => warning.with_related(default.span, "its connections go there instead"),
                None => warning,
            });
        } else if !used && !draft.is_frontend() && all_found {
            sink.push(Diagnostic::warning(
                draft.span,
                format!("{} is not used", draft.shown()),
            ));
        }
    }
}

/// `fullconn` where it is not set: a tenth of what the frontends that lead there may have, if that is known.
fn set_fullconn(config: &mut Config) {
    let mut sums = vec![Some(0_u32); config.backends.len()];
    for frontend in &config.frontends {
        let chosen = frontend.rules.use_backends.iter().map(|used| used.backend);
        let mut backends: Vec<_> = frontend.backend.into_iter().chain(chosen).collect();
        backends.sort_unstable();
        backends.dedup();
        for backend in backends {
            if let Some(sum) = sums.get_mut(backend.0) {
                let most = frontend.maxconn.or(config.global.maxconn);
                *sum = sum.zip(most).map(|(sum, most)| sum.saturating_add(most));
            }
        }
    }
    for (backend, sum) in config.backends.iter_mut().zip(sums) {
        let tenth = sum.map(|sum| sum.div_ceil(10));
        backend.fullconn = backend.fullconn.or(tenth).filter(|fullconn| *fullconn > 0);
    }
}

fn add(
    mut draft: Draft,
    backend: Option<BackendId>,
    by_name: &HashMap<String, BackendId>,
    config: &mut Config,
    sink: &Sink<'_>,
) {
    // A `listen` looks at what the client sends once.
    let rules = std::mem::take(&mut draft.rules);
    let (of_frontend, of_backend) = rules.model(draft.is_frontend(), |name| by_name.get(name).copied());
    let settings = &draft.settings;
    let place = sink.place(draft.span);
    let logging = logging(settings, &config.global.logs);
    if draft.is_frontend() {
        let client = limit(settings.client.as_ref());
        config.frontends.push(Frontend {
            name: draft.name.clone(),
            place: place.clone(),
            binds: binds(&draft),
            backend,
            rules: of_frontend,
            maxconn: settings
                .maxconn
                .as_ref()
                .map(|set| set.value)
                .filter(|&value| value > 0),
            keep_alive: settings.client_keep_alive.model(),
            session_rate: settings
                .session_rate
                .as_ref()
                .and_then(|set| NonZeroU32::new(set.value)),
            timeouts: ClientTimeouts {
                client,
                client_hs: settings.client_hs.as_ref().map_or(client, |set| limit(Some(set))),
                client_fin: limit(settings.client_fin.as_ref()),
                netns_removed: settings.netns_removed(),
            },
            logging: logging.clone(),
        });
    }
    if draft.is_backend() {
        config.backends.push(Backend {
            balance: settings
                .balance
                .as_ref()
                .map(|set| set.value.clone())
                .unwrap_or_default(),
            hash_type: settings
                .hash_type
                .as_ref()
                .map(|set| set.value)
                .unwrap_or_default(),
            all_backups: settings.all_backups.as_ref().is_some_and(|set| set.value),
            fullconn: settings.fullconn.as_ref().map(|set| set.value),
            retries: settings
                .retries
                .as_ref()
                .and_then(|set| u16::try_from(set.value).ok())
                .unwrap_or(RETRIES),
            redispatch: settings.redispatch.as_ref().and_then(|set| set.value),
            rules: of_backend,
            source: settings.source.as_ref().map(|set| set.value.clone()),
            tcp_check: checks::steps(settings).map(<[_]>::to_vec),
            logs: logging.targets,
            log_tag: logging.tag,
            log_health_checks: settings.log_health_checks.as_ref().is_some_and(|set| set.value),
            keep_alive: settings.server_keep_alive.model(),
            timeouts: ServerTimeouts {
                connect: limit(settings.connect.as_ref()),
                // 0 is that of `connect`, too.
                queue: limit(settings.queue.as_ref()).or_else(|| limit(settings.connect.as_ref())),
                server: limit(settings.server.as_ref()),
                server_fin: limit(settings.server_fin.as_ref()),
                tunnel: limit(settings.tunnel.as_ref()),
                check: limit(settings.check.as_ref()),
                netns_removed: settings.netns_removed(),
            },
            name: draft.name,
            place,
            servers: draft.servers,
        });
    }
}

/// A line without a backlog of its own has that of its frontend.
fn binds(draft: &Draft) -> Vec<Bind> {
    let backlog = draft.settings.backlog.as_ref().and_then(|set| set.value);
    let mut binds: Vec<_> = draft.binds.iter().map(|(bind, _)| bind.clone()).collect();
    for bind in &mut binds {
        bind.socket.backlog = bind.socket.backlog.or(backlog);
    }
    binds
}

/// `log global` stands for the lines of `global`.
fn logging(settings: &Settings, global: &[LogTarget]) -> Logging {
    let is_set = |option: &Option<Set<bool>>| option.as_ref().is_some_and(|set| set.value);
    let read = |slot: &Option<Set<Rc<DraftFormat>>>| slot.as_ref().map(|set| set.value.format.clone());
    let targets = settings.logs.iter().flat_map(|target| match target {
        Some(target) => std::slice::from_ref(target),
        None => global,
    });
    Logging {
        targets: targets.cloned().collect(),
        tag: settings.log_tag.as_ref().map(|set| set.value.to_string()),
        line: read(&settings.log_line),
        data: read(&settings.log_data),
        unique_id: read(&settings.unique_id),
        not_null: is_set(&settings.not_null),
        not_normal: is_set(&settings.not_normal),
        as_soon_as_possible: is_set(&settings.as_soon_as_possible),
    }
}

/// 0 means no limit, as in HAProxy.
fn limit(timeout: Option<&Set<Duration>>) -> Option<Duration> {
    timeout.map(|set| set.value).filter(|value| !value.is_zero())
}
