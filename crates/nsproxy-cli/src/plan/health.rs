//! What a configuration says about the health of servers, as a part of the plan.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsSpec;
use nsproxy_config::model::{
    self, Backend, Check, PortRule, Server, ServerAddress, ServerNetns, TcpCheckAction, TcpCheckConnect,
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

/// Where the checks of a server go, unless a step says otherwise.
struct Place {
    address: Address,
    port: Option<u16>,
    send_header: Option<HeaderPlan>,
    /// The header that is sent where a step asks for one.
    asked_header: HeaderPlan,
}

enum Address {
    Ip(Option<IpAddr>),
    /// Wherever the server's host is.
    Host,
    Unix(std::path::PathBuf),
}

impl Place {
    fn new(server: &Server, check: &Check, send_header: Option<&HeaderPlan>) -> Self {
        let (address, port) = match (&server.address, check.address) {
            (ServerAddress::Unix(path), None) => (Address::Unix(path.clone()), None),
            (ServerAddress::Abstract(name), None) => (Address::Unix(name.sun_path()), None),
            (ServerAddress::Unix(_) | ServerAddress::Abstract(_), Some(ip)) => (Address::Ip(Some(ip)), None),
            (ServerAddress::Ip { ip, port }, own) => (Address::Ip(Some(own.unwrap_or(*ip))), Some(port)),
            (ServerAddress::Host(host), None) => (Address::Host, Some(&host.port)),
            (ServerAddress::Host(host), Some(ip)) => (Address::Ip(Some(ip)), Some(&host.port)),
            (ServerAddress::Client { port }, own) => (Address::Ip(own), Some(port)),
        };
        let port = match port {
            Some(PortRule::Fixed(port)) => Some(*port),
            Some(PortRule::Client | PortRule::Distance(_)) | None => None,
        };
        // HAProxy's rule: what is checked elsewhere has no header unless it is asked for.
        let elsewhere = check.address.is_some() || check.port.is_some();
        let asked_header = send_header.cloned().unwrap_or(HeaderPlan::V1);
        Self {
            address,
            port: check.port.or(port),
            send_header: if check.send_proxy {
                Some(asked_header.clone())
            } else {
                send_header.filter(|_| !elsewhere).cloned()
            },
            asked_header,
        }
    }

    fn connect(&self, connect: &TcpCheckConnect) -> Connect {
        let to = match (&self.address, connect.address) {
            (Address::Unix(path), None) => Destination::At(Endpoint::Unix(path.clone())),
            // The configuration has made sure that there is a port.
            (Address::Host, None) => Destination::Host(connect.port.or(self.port).unwrap_or(0)),
            (Address::Ip(own), ip) => self.ip(ip.or(*own), connect.port),
            (Address::Unix(_) | Address::Host, ip) => self.ip(ip, connect.port),
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

    /// The configuration has made sure that there are both.
    fn ip(&self, ip: Option<IpAddr>, port: Option<u16>) -> Destination {
        let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Destination::At(Endpoint::Ip(SocketAddr::new(ip, port.or(self.port).unwrap_or(0))))
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
