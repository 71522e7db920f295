//! The rules of a proxy as text again.

use std::fmt::{self, Display, Write};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::model::{
    Acl, Action, Condition, Converter, Expression, Fetch, Method, Patterns, PayloadFrom, Peer, Rule, Rules,
    ServerRef, Subject, Term, Test, UseServer,
};
use crate::quote;

/// `acl`, `tcp-request`, `use-server` and `tcp-response` lines, in an order in which each name stands before its use.
pub(super) fn lines(rules: &Rules) -> Vec<String> {
    let mut lines = Vec::new();
    for acl in &rules.acls {
        if let Some(name) = &acl.name {
            lines.extend(
                acl.tests
                    .iter()
                    .map(|test| format!("acl {name} {}", test_text(test))),
            );
        }
    }
    let kinds = [
        ("tcp-request connection", &rules.connection),
        ("tcp-request session", &rules.session),
        ("tcp-request content", &rules.content),
        ("tcp-response content", &rules.response),
    ];
    for (kind, list) in kinds {
        for Rule { action, condition } in list {
            let condition = condition_text(condition.as_ref(), &rules.acls);
            lines.push(format!("{kind} {}{condition}", action_text(action)));
        }
    }
    for UseServer { server, condition } in &rules.use_servers {
        let condition = condition_text(condition.as_ref(), &rules.acls);
        lines.push(format!("use-server {server}{condition}"));
    }
    lines
}

/// What stands behind a rule: nothing, or a blank and a condition.
pub(super) fn condition_text(condition: Option<&Condition>, acls: &[Acl]) -> String {
    let Some(condition) = condition else {
        return String::new();
    };
    let mut text = if condition.unless { " unless" } else { " if" }.to_owned();
    for (index, all) in condition.any.iter().enumerate() {
        if index > 0 {
            text.push_str(" or");
        }
        for Term { negated, acl } in all {
            let mark = if *negated { "!" } else { "" };
            match acls.get(acl.index()) {
                Some(Acl { name: Some(name), .. }) => _ = write!(text, " {mark}{name}"),
                Some(Acl { name: None, tests }) => {
                    let tests: Vec<String> = tests.iter().map(test_text).collect();
                    _ = write!(text, " {mark}{{ {} }}", tests.concat());
                }
                None => {}
            }
        }
    }
    text
}

fn action_text(action: &Action) -> String {
    match action {
        Action::Accept => "accept".to_owned(),
        Action::Reject => "reject".to_owned(),
        Action::Close => "close".to_owned(),
        Action::ExpectProxy => "expect-proxy layer4".to_owned(),
        Action::Set(subject, expression) => {
            let word = match subject {
                Subject::Source => "set-src",
                Subject::SourcePort => "set-src-port",
                Subject::Destination => "set-dst",
                Subject::DestinationPort => "set-dst-port",
            };
            format!("{word} {}", quote(&expression.to_string()))
        }
    }
}

fn test_text(test: &Test) -> String {
    let mut text = quote(&test.expression.to_string()).into_owned();
    if test.ignores_case {
        text.push_str(" -i");
    }
    if test.method != Method::Version {
        _ = write!(text, " -m {}", method(test.method));
    }
    for file in &test.files {
        _ = write!(text, " -f {}", quote(&file.path.to_string_lossy()));
    }
    let mut patterns = String::new();
    match &test.patterns {
        Patterns::None => {}
        Patterns::Numbers(ranges) => {
            for range in ranges {
                let number = if test.method == Method::Version {
                    version
                } else {
                    |number: i64| number.to_string()
                };
                _ = write!(patterns, " {}", range_text(range, number));
            }
        }
        Patterns::Networks(networks) => {
            for (ip, bits) in networks {
                match (ip, bits) {
                    (IpAddr::V4(ip), 32) => _ = write!(patterns, " {ip}"),
                    (IpAddr::V6(ip), 128) => _ = write!(patterns, " {ip}"),
                    (ip, bits) => _ = write!(patterns, " {ip}/{bits}"),
                }
            }
        }
        Patterns::Texts(texts) => {
            for text in texts {
                _ = write!(patterns, " {}", quote(text));
            }
        }
        Patterns::Bytes(list) => {
            for bytes in list {
                patterns.push(' ');
                for byte in bytes {
                    _ = write!(patterns, "{byte:02x}");
                }
            }
        }
    }
    // A set that is empty on purpose, or whose first text looks like a flag.
    let is_empty = patterns.is_empty() && test.files.is_empty() && test.patterns != Patterns::None;
    if is_empty || patterns.starts_with(" -") || patterns.starts_with(" \"-") || patterns.starts_with(" '-") {
        text.push_str(" --");
    }
    text + &patterns
}

/// Ranges that are open below are written with an operator: a number there may be negative.
fn range_text(range: &RangeInclusive<i64>, number: impl Fn(i64) -> String) -> String {
    match (*range.start(), *range.end()) {
        (i64::MIN, i64::MAX) => "ge -9223372036854775808".to_owned(),
        (i64::MIN, last) => format!("le {} eq", number(last)),
        (first, i64::MAX) => format!("ge {} eq", number(first)),
        (first, last) if first == last && first < 0 => format!("ge {0} le {0} eq", number(first)),
        (first, last) if first == last => number(first),
        (first, last) => format!("{}:{}", number(first), number(last)),
    }
}

fn version(number: i64) -> String {
    format!("{}.{}", number >> 16, number & 0xffff)
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Found => "found",
        Method::Bool => "bool",
        Method::Int | Method::Version => "int",
        Method::Ip => "ip",
        Method::Bin => "bin",
        Method::Len => "len",
        Method::Str => "str",
        Method::Beg => "beg",
        Method::End => "end",
        Method::Sub => "sub",
        Method::Dir => "dir",
        Method::Dom => "dom",
        Method::Reg => "reg",
    }
}

const fn word(peer: Peer) -> &'static str {
    match peer {
        Peer::Client => "req",
        Peer::Server => "res",
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fetch)?;
        for converter in &self.converters {
            match converter {
                Converter::Lower => f.write_str(",lower")?,
                Converter::Upper => f.write_str(",upper")?,
                Converter::Length => f.write_str(",length")?,
                Converter::Hex => f.write_str(",hex")?,
                Converter::IpMask { v4, v6: None } => write!(f, ",ipmask({v4})")?,
                Converter::IpMask { v4, v6: Some(v6) } => write!(f, ",ipmask({v4},{v6})")?,
            }
        }
        Ok(())
    }
}

impl Display for ServerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backend, self.server)
    }
}

impl Display for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool(true) => "always_true",
            Self::Bool(false) => "always_false",
            Self::Int(number) => return write!(f, "int({number})"),
            Self::Str(text) => return write!(f, "str({text})"),
            Self::Ip(IpAddr::V4(ip)) => return write!(f, "ipv4({ip})"),
            Self::Ip(IpAddr::V6(ip)) => return write!(f, "ipv6({ip})"),
            Self::Source => "src",
            Self::SourcePort => "src_port",
            Self::Destination => "dst",
            Self::DestinationPort => "dst_port",
            Self::SourceIsLocal => "src_is_local",
            Self::DestinationIsLocal => "dst_is_local",
            Self::ProxyReceived => "fc_rcvd_proxy",
            Self::ProxyTlv(kind) => return write!(f, "fc_pp_tlv({kind})"),
            Self::Netns => "fc_netns",
            Self::ServerSource => "bc_src",
            Self::ServerSourcePort => "bc_src_port",
            Self::ServerAddress => "bc_dst",
            Self::ServerPort => "bc_dst_port",
            Self::ServerNetns => "bc_netns",
            Self::BackendName => "be_name",
            Self::ServerName => "srv_name",
            Self::FrontendName => "fe_name",
            Self::FrontendSessions => "fe_conn",
            Self::UsableServers(backend) => return write!(f, "nbsrv({backend})"),
            Self::BackendSessions(backend) => return write!(f, "be_conn({backend})"),
            Self::BackendQueue(backend) => return write!(f, "queue({backend})"),
            Self::BackendAverageQueue(backend) => return write!(f, "avg_queue({backend})"),
            Self::BackendSlots(backend) => return write!(f, "connslots({backend})"),
            Self::ServerIsUp(server) => return write!(f, "srv_is_up({server})"),
            Self::ServerSessions(server) => return write!(f, "srv_conn({server})"),
            Self::ServerQueue(server) => return write!(f, "srv_queue({server})"),
            Self::ListenerNumber => "so_id",
            Self::ListenerName => "so_name",
            Self::Random(below) => return write!(f, "rand({below})"),
            Self::WaitEnd => "wait_end",
            Self::Length(peer) => return write!(f, "{}.len", word(*peer)),
            Self::Payload { peer, offset, length } => {
                return write!(f, "{}.payload({offset},{length})", word(*peer));
            }
            Self::PayloadLv {
                peer,
                offset,
                size,
                from,
            } => {
                write!(f, "{}.payload_lv({offset},{size}", word(*peer))?;
                return match from {
                    PayloadFrom::Behind(0) => f.write_str(")"),
                    PayloadFrom::Behind(by) => write!(f, ",{by:+})"),
                    PayloadFrom::At(at) => write!(f, ",{at})"),
                };
            }
            Self::SslSni => "req.ssl_sni",
            Self::SslAlpn => "req.ssl_alpn",
            Self::SslHelloType(peer) => return write!(f, "{}.ssl_hello_type", word(*peer)),
            Self::SslVersion => "req.ssl_ver",
        })
    }
}
