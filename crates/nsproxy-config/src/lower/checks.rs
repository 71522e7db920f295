//! What servers say about their health, once all lines are known: where checks go, and which server tracks which.

use std::collections::{HashMap, HashSet};

use super::draft::Draft;
use super::settings::Settings;
use super::sink::Sink;
use super::statements::server_checks::{self, Track};
use crate::model::{
    Check, Health, HealthSource, PortRule, Server, ServerAddress, ServerNetns, TcpCheckAction, TcpCheckStep,
};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::values::number::shorten;

/// The health of each server of each draft, in order.
pub(super) fn resolve(drafts: &[Draft], sink: &mut Sink<'_>) -> Vec<Vec<Health>> {
    let mut warned = HashSet::new();
    for draft in drafts.iter().filter(|draft| draft.is_backend()) {
        warn_about_unused_steps(draft, &mut warned, sink);
    }
    let mut known = Known::of(drafts);
    drafts
        .iter()
        .map(|draft| {
            let servers = draft.servers.iter().zip(&draft.healths);
            servers
                .map(|(server, (line, name))| health(draft, server, (line, *name), &mut known, sink))
                .collect()
        })
        .collect()
}

/// The steps that the checks of a backend have; `None` when they only connect.
pub(super) fn steps(settings: &Settings) -> Option<&[TcpCheckStep]> {
    let is_on = settings.is_tcp_check.as_ref().is_some_and(|set| set.value);
    is_on.then_some(settings.tcp_check.steps.as_slice())
}

fn warn_about_unused_steps(draft: &Draft, warned: &mut HashSet<Span>, sink: &mut Sink<'_>) {
    if steps(&draft.settings).is_none()
        && let Some(span) = draft.settings.tcp_check.span
        && draft.settings.tcp_check.section == draft.section
        && warned.insert(span)
    {
        let warning = Diagnostic::warning(span, "`tcp-check` does nothing without `option tcp-check`");
        sink.push(warning.with_help("add `option tcp-check` to the section"));
    }
}

fn health(
    draft: &Draft,
    server: &Server,
    (line, name): (&server_checks::Health, Span),
    known: &mut Known<'_>,
    sink: &mut Sink<'_>,
) -> Health {
    let source = match (line.check, &line.track) {
        (Some(check), Some(track)) => {
            let error = Diagnostic::error(track.span, "a server is checked or tracks another one, not both");
            sink.push(
                error
                    .with_related(check, "checked here")
                    .with_help("remove `track`, or write `no-check`"),
            );
            HealthSource::Assumed
        }
        (Some(check), None) => {
            check_destination(draft, server, line, name, check, sink);
            HealthSource::Check(of_line(line))
        }
        (None, Some(track)) => known.tracked(draft, track, sink),
        (None, None) => HealthSource::Assumed,
    };
    Health {
        source,
        shutdown_sessions: line.shutdown_sessions,
        shutdown_backup_sessions: line.shutdown_backup_sessions,
    }
}

fn of_line(line: &server_checks::Health) -> Check {
    Check {
        netns: line.netns.clone(),
        address: line.address,
        port: line.port.or(line.address_port),
        send_proxy: line.send_proxy,
        inter: line.inter.unwrap_or(Check::INTER),
        fastinter: line.fastinter,
        downinter: line.downinter,
        rise: line.rise.unwrap_or(Check::RISE),
        fall: line.fall.unwrap_or(Check::FALL),
        observe: line
            .observe
            .then_some(line.error_limit.unwrap_or(Check::ERROR_LIMIT)),
        on_error: line.on_error,
    }
}

/// A check has no client to take an address, a port or a namespace from.
fn check_destination(
    draft: &Draft,
    server: &Server,
    line: &server_checks::Health,
    name: Span,
    check: Span,
    sink: &mut Sink<'_>,
) {
    // Each connection needs an address and a port, from the step or from the server.
    let connects = steps(&draft.settings)
        .into_iter()
        .flatten()
        .filter_map(|step| match &step.action {
            TcpCheckAction::Connect(connect) => Some((connect.address, connect.port)),
            _ => None,
        });
    let connects: Vec<_> = connects.collect();
    let lacks = |of: fn(&(Option<std::net::IpAddr>, Option<u16>)) -> bool| {
        connects.is_empty() || !connects.iter().all(of)
    };
    let lacks_address = lacks(|(address, _)| address.is_some());
    let lacks_port = lacks(|(_, port)| port.is_some());
    let replaces_unix = line.address.is_some() || connects.iter().any(|(address, _)| address.is_some());
    let mut refuse = |message: &str, help: &str| {
        let error = Diagnostic::error(check, message).with_help(help);
        sink.push(error.with_related(name, "this server"));
    };
    if server.netns == ServerNetns::Client && line.netns.is_none() {
        refuse(
            "a check has no client whose namespace it could follow",
            "say where to check with `check-namespace`, or write `no-check`",
        );
    }
    if lacks_address && line.address.is_none() && matches!(server.address, ServerAddress::Client { .. }) {
        refuse(
            "a check has no client whose destination it could connect to",
            "say what to connect to with `addr` and `port`, or write `no-check`",
        );
    }
    let has_port = match &server.address {
        ServerAddress::Ip { port, .. } | ServerAddress::Client { port } => matches!(port, PortRule::Fixed(_)),
        ServerAddress::Host(host) => matches!(host.port, PortRule::Fixed(_)),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => !replaces_unix,
    };
    if lacks_port && line.port.or(line.address_port).is_none() && !has_port {
        refuse(
            "there is no port that a check could connect to",
            "say which one with `port`, or write `no-check`",
        );
    }
}

/// What can be tracked.
struct Known<'d> {
    servers: HashMap<(&'d str, &'d str), Place<'d>>,
    /// Where the lines of those lead that were followed.
    ends: HashMap<(&'d str, &'d str), End<'d>>,
}

/// A server: which one of its backend.
type Place<'d> = (&'d Draft, usize);

/// How a chain of `track` ends.
#[derive(Clone, Copy)]
enum End<'d> {
    /// At a server that is checked.
    Checked(Place<'d>),
    /// At one that is not.
    Unchecked(Place<'d>),
    /// At a line that names none.
    Lost,
    /// Nowhere.
    Circle,
}

impl<'d> Known<'d> {
    fn of(drafts: &'d [Draft]) -> Self {
        let backends = drafts.iter().filter(|draft| draft.is_backend());
        let servers = backends.flat_map(|draft| {
            let servers = draft.servers.iter().enumerate();
            servers.map(move |(index, server)| ((&*draft.name, &*server.name), (draft, index)))
        });
        Self {
            servers: servers.collect(),
            ends: HashMap::new(),
        }
    }

    /// The server that is checked in the end.
    fn tracked(&mut self, draft: &Draft, track: &Track, sink: &mut Sink<'_>) -> HealthSource {
        let Some(place) = self.find(draft, track) else {
            let backend = track.backend.as_deref().unwrap_or(&draft.name);
            let shown = format!("{}/{}", shorten(backend), shorten(&track.server));
            sink.error(track.span, format!("there is no server `{shown}` to track"));
            return HealthSource::Assumed;
        };
        match self.end(place) {
            End::Checked((found, index)) => {
                return HealthSource::Track {
                    backend: found.name.clone(),
                    server: found.servers[index].name.clone(),
                };
            }
            End::Unchecked((found, index)) => {
                let server = &found.servers[index];
                let shown = format!("{}/{}", shorten(&found.name), shorten(&server.name));
                let error = Diagnostic::error(track.span, format!("`{shown}` is not checked"));
                sink.push(error.with_help("add `check` to that server"));
            }
            // Of a chain, the line that is wrong is reported itself.
            End::Lost => {}
            End::Circle => sink.error(track.span, "this server would track itself in the end"),
        }
        HealthSource::Assumed
    }

    fn find(&self, draft: &Draft, track: &Track) -> Option<Place<'d>> {
        let backend = track.backend.as_deref().unwrap_or(&draft.name);
        self.servers.get(&(backend, &*track.server)).copied()
    }

    /// Where the chain from this server on ends. Each server is passed once, however many chains lead over it.
    fn end(&mut self, from: Place<'d>) -> End<'d> {
        let mut passed = Vec::new();
        let mut next = Some(from);
        let end = loop {
            let Some((draft, index)) = next else {
                break End::Lost;
            };
            let server = &draft.servers[index];
            let (line, _) = &draft.healths[index];
            if line.check.is_some() {
                break End::Checked((draft, index));
            }
            let Some(track) = &line.track else {
                break End::Unchecked((draft, index));
            };
            let name = (&*draft.name, &*server.name);
            if let Some(&end) = self.ends.get(&name) {
                break end;
            }
            // Who comes here again before the end is known goes in a circle.
            self.ends.insert(name, End::Circle);
            passed.push(name);
            next = self.find(draft, track);
        };
        self.ends.extend(passed.into_iter().map(|name| (name, end)));
        end
    }
}
