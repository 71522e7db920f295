//! What the relays are told: the same job for each, in its own language.

use std::fmt::Write as _;

use super::contender::Kind;
use super::world::{CLIENTS, SERVERS, tenant};

/// Sessions at a time, for each relay: enough for every scenario, and within the usual limit of open files.
const MAX_SESSIONS: usize = 6_000;

/// How a relay treats a connection beside passing its bytes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The server sees the relay.
    Relay,
    /// A PROXY header comes in, and a PROXY v2 header goes out.
    Header,
    /// The server sees the client's address.
    Address,
}

/// One listener with one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) listen: u16,
    pub(super) connect: u16,
    pub(super) identity: Identity,
    /// Listen in the tenant of this number, and connect in the other one. Otherwise from the clients to the servers.
    pub(super) tenants: Option<(usize, usize)>,
}

/// The text of the configuration file.
pub(super) fn text(kind: Kind, rules: &[Rule], threads: usize) -> String {
    match kind {
        Kind::Nsproxy => sections("", rules, threads),
        Kind::Haproxy => sections("  option splice-auto\n", rules, threads),
        Kind::Nginx => nginx(rules, threads),
        Kind::Direct => String::new(),
    }
}

/// The language of HAProxy, which is nsproxy's too.
fn sections(defaults: &str, rules: &[Rule], threads: usize) -> String {
    let mut text = format!(
        "global\n  nbthread {threads}\n  maxconn {MAX_SESSIONS}\n\ndefaults\n  mode tcp\n  maxconn {MAX_SESSIONS}\n\
         \x20 timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n{defaults}"
    );
    for (index, rule) in rules.iter().enumerate() {
        let (from, to) = match rule.tenants {
            Some((from, to)) => (tenant(from), tenant(to)),
            None => (CLIENTS.to_owned(), SERVERS.to_owned()),
        };
        let (accept, send, source) = match rule.identity {
            Identity::Relay => ("", "", ""),
            Identity::Header => (" accept-proxy", " send-proxy-v2", ""),
            Identity::Address => ("", "", "  source 0.0.0.0 usesrc clientip\n"),
        };
        let Rule { listen, connect, .. } = rule;
        let _ = write!(
            text,
            "\nlisten rule{index}\n  bind 127.0.0.1:{listen} namespace {from}{accept}\n{source}\
             \x20 server only 127.0.0.1:{connect} namespace {to}{send}\n"
        );
    }
    text
}

/// nginx stays in the namespace in which it is started.
fn nginx(rules: &[Rule], threads: usize) -> String {
    let mut text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nuser root;\ndaemon off;\npid /run/bench/nginx.pid;\n\
         error_log stderr warn;\nworker_processes {threads};\nworker_rlimit_nofile 20000;\n\
         events {{ worker_connections {}; }}\nstream {{\n  proxy_half_close on;\n",
        2 * MAX_SESSIONS + 100
    );
    for Rule {
        listen,
        connect,
        identity,
        ..
    } in rules
    {
        let (accept, extra) = match identity {
            Identity::Relay => ("", ""),
            Identity::Header => (" proxy_protocol", " proxy_protocol on;"),
            Identity::Address => ("", " proxy_bind $remote_addr transparent;"),
        };
        let _ = writeln!(
            text,
            "  server {{ listen 127.0.0.1:{listen} reuseport backlog=8192{accept}; proxy_pass 127.0.0.1:{connect};{extra} }}"
        );
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        listen: 8000,
        connect: 9000,
        identity: Identity::Header,
        tenants: None,
    };

    #[test]
    fn haproxy_and_nsproxy_are_told_the_same_but_for_splicing() {
        let ours = text(Kind::Nsproxy, &[RULE], 2);
        let theirs = text(Kind::Haproxy, &[RULE], 2);
        assert_eq!(theirs.replace("  option splice-auto\n", ""), ours);
        assert!(
            ours.contains("bind 127.0.0.1:8000 namespace clients accept-proxy\n"),
            "{ours}"
        );
        assert!(
            ours.contains("server only 127.0.0.1:9000 namespace servers send-proxy-v2\n"),
            "{ours}"
        );
    }

    #[test]
    fn a_rule_between_tenants_names_both() {
        let tenants = Some((3, 4));
        let ours = text(Kind::Nsproxy, &[Rule { tenants, ..RULE }], 2);
        assert!(
            ours.contains("namespace tenant3 ") && ours.contains("namespace tenant4 "),
            "{ours}"
        );
    }
}
