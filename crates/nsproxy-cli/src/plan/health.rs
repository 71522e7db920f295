//! What a configuration says about the health of servers, as a part of the plan.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsSpec;
use nsproxy_config::model::{
    self, Backend, Check, Server, ServerAddress, ServerNetns, TcpCheckAction, TcpCheckConnect,
    TcpCheckPattern,
};
use nsproxy_engine::rules::Expressions;
use nsproxy_engine::{
    Action, CheckPlan, Connect, Destination, Endpoint, Expect, HeaderPlan, HealthPlan, HealthSource,
    ObservePlan, OnError, Pattern, Rules, Script, Span, Step,
};

/// The health of one server. `send_header` is what its sessions begin with.
pub(super) fn health(backend: &Backend, server: &Server, send_header: Option<&HeaderPlan>) -> HealthPlan {
    let health = &server.health;
    HealthPlan {
        source: match &health.source {
            model::HealthSource::Assumed => HealthSource::Assumed,
            model::HealthSource::Track { backend, server } => HealthSource::Tracked {
                pool: backend.clone(),
                server: server.clone(),
            },
            model::HealthSource::Check(check) => {
                HealthSource::Checked(Box::new(check_plan(backend, server, check, send_header)))
            }
        },
        ends_sessions: health.shutdown_sessions,
        ends_backup_sessions: health.shutdown_backup_sessions,
    }
}

fn check_plan(
    backend: &Backend,
    server: &Server,
    check: &Check,
    send_header: Option<&HeaderPlan>,
) -> CheckPlan {
    let source = server.source.as_ref().or(backend.source.as_ref());
    CheckPlan {
        interface: source
            .and_then(|source| source.interface.as_deref())
            .map(Arc::from),
        netns: check.netns.clone().or_else(|| netns(server)),
        source: source
            .filter(|source| source.usesrc.is_none() && !source.address.ip().is_unspecified())
            // A fixed port would allow one check at a time.
            .map(|source| SocketAddr::new(source.address.ip(), 0)),
        script: script(backend, &Place::new(server, check, send_header)),
        rules: Rules {
            rise: check.rise,
            fall: check.fall,
            interval: span(check.inter),
            fast_interval: check.fastinter.map(span),
            down_interval: check.downinter.map(span),
            on_error: match check.on_error {
                model::OnError::Fastinter => OnError::FastCheck,
                model::OnError::FailCheck => OnError::FailCheck,
                model::OnError::SuddenDeath => OnError::SuddenDeath,
                model::OnError::MarkDown => OnError::MarkDown,
            },
        },
        connect_timeout: backend.timeouts.connect,
        answer_timeout: backend.timeouts.check,
        observe: check.observe.map(|error_limit| ObservePlan { error_limit }),
        reports: backend.log_health_checks,
    }
}

/// The namespace of its sessions; for one that follows the client's, the configuration names one for checks.
fn netns(server: &Server) -> Option<NetnsSpec> {
    match &server.netns {
        ServerNetns::Named(netns) => Some(netns.clone()),
        ServerNetns::Home | ServerNetns::Client => None,
    }
}

/// Times of the model are never 0 here.
fn span(time: Duration) -> Span {
    Span::from_duration(time).unwrap_or(Span::MILLISECOND)
}

/// Where the checks of a server go, unless a step says otherwise: to the server. The configuration
/// has made sure that the server has what is not here.
struct Place {
    address: Option<IpAddr>,
    port: Option<u16>,
    unix: Option<PathBuf>,
    send_header: Option<HeaderPlan>,
    /// The header that is sent where a step asks for one.
    asked_header: HeaderPlan,
}

impl Place {
    fn new(server: &Server, check: &Check, send_header: Option<&HeaderPlan>) -> Self {
        let unix = match &server.address {
            ServerAddress::Unix(path) => Some(path.clone()),
            ServerAddress::Abstract(name) => Some(name.sun_path()),
            ServerAddress::Ip { .. } | ServerAddress::Host(_) | ServerAddress::Client { .. } => None,
        };
        // HAProxy's rule: what is checked elsewhere has no header unless it is asked for.
        let elsewhere = check.address.is_some() || check.port.is_some();
        let asked_header = send_header.cloned().unwrap_or(HeaderPlan::V1);
        Self {
            address: check.address,
            port: check.port,
            unix,
            send_header: if check.send_proxy {
                Some(asked_header.clone())
            } else {
                send_header.filter(|_| !elsewhere).cloned()
            },
            asked_header,
        }
    }

    fn connect(&self, connect: &TcpCheckConnect) -> Connect {
        let address = connect.address.or(self.address);
        let to = match (&self.unix, address) {
            (Some(path), None) => Destination::At(Endpoint::Unix(path.clone())),
            _ => Destination::Server {
                address,
                port: connect.port.or(self.port),
            },
        };
        let send_header = if connect.send_proxy {
            Some(self.asked_header.clone())
        } else {
            self.send_header.clone().filter(|_| connect.default)
        };
        Connect {
            to,
            send_header,
            names_port: connect.port.is_some(),
            linger: connect.linger,
        }
    }
}

fn script(backend: &Backend, place: &Place) -> Script {
    let implied = TcpCheckConnect {
        default: true,
        ..TcpCheckConnect::default()
    };
    let mut rest = Vec::new();
    let mut first = None;
    // Of the last `tcp-check comment`.
    let mut said: Option<&str> = None;
    for (number, line) in (1..).zip(backend.tcp_check.as_deref().unwrap_or_default()) {
        let comment = line.comment.as_deref();
        let shown = comment.or(said).map(str::to_owned);
        let action = match &line.action {
            TcpCheckAction::Comment => {
                said = comment;
                continue;
            }
            TcpCheckAction::Connect(connect) if first.is_none() && rest.is_empty() => {
                first = Some((place.connect(connect), number, shown));
                continue;
            }
            TcpCheckAction::Connect(connect) => Action::Connect(place.connect(connect)),
            TcpCheckAction::Send(bytes) => Action::Send(bytes.clone()),
            TcpCheckAction::Expect(expect) => Action::Expect(Expect {
                pattern: pattern(&expect.pattern),
                negated: expect.negated,
                min_received: expect.min_recv.map(|least| least as usize),
            }),
        };
        rest.push(Step {
            number,
            action,
            comment: shown,
        });
    }
    let (connect, number, comment) = first.unwrap_or_else(|| (place.connect(&implied), 0, None));
    Script::new(connect, number, comment, rest)
}

fn pattern(pattern: &TcpCheckPattern) -> Pattern {
    let regex = |text: &str, of: fn(Expressions) -> Pattern| {
        // The configuration has compiled it before. What does not compile is looked for as it is.
        Expressions::new(false, [text]).map_or_else(|_| Pattern::Text(text.into()), of)
    };
    match pattern {
        TcpCheckPattern::String(text) => Pattern::Text(text.clone().into_bytes()),
        TcpCheckPattern::Binary(bytes) => Pattern::Bytes(bytes.clone()),
        TcpCheckPattern::Rstring(text) => regex(text, Pattern::Regex),
        TcpCheckPattern::Rbinary(text) => regex(text, Pattern::HexRegex),
    }
}
