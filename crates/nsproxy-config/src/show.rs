//! A configuration as text again: what it comes to, with all defaults in place.
//!
//! The text is accepted and has the same meaning ([`Config::means_the_same_as`]). A setting that is the language's
//! default appears too, except where it is "none". `listen` sections appear as a `frontend` and a `backend`.

mod admin;
mod check;
mod rules;

use std::fmt::{self, Display, Write};
use std::path::Path;
use std::time::Duration;

use crate::lower::NETNS_REMOVED;
use crate::model::{
    Account, Backend, Balance, Bind, BindAddress, ComposedTlv, Config, Frontend, Global, HashType, HostName,
    Logging, NetnsTlv, PortRule, ProxyHeader, Resolvers, Rules, Server, ServerAddress, ServerNetns,
};
use crate::quote;

mod names;
mod sockets;

/// Displays as configuration text. Made by [`Config::show`].
#[derive(Debug, Clone, Copy)]
pub struct Show<'c>(&'c Config);

impl Config {
    /// The effective configuration as text, which is accepted and means the same.
    pub fn show(&self) -> Show<'_> {
        Show(self)
    }
}

impl Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        let mut sections = Sections {
            out: f,
            is_first: true,
        };
        sections.global(config)?;
        sections.namespace_list(config)?;
        for resolvers in &config.resolvers {
            sections.resolvers(resolvers)?;
        }
        for frontend in &config.frontends {
            sections.frontend(frontend, config)?;
        }
        for backend in &config.backends {
            sections.backend(backend)?;
        }
        Ok(())
    }
}

/// Writes sections, with an empty line between them.
struct Sections<'w, W> {
    out: &'w mut W,
    is_first: bool,
}

impl<W: Write> Sections<'_, W> {
    fn header(&mut self, header: impl Display) -> fmt::Result {
        if !self.is_first {
            self.out.write_char('\n')?;
        }
        self.is_first = false;
        writeln!(self.out, "{header}")
    }

    fn statement(&mut self, statement: impl Display) -> fmt::Result {
        writeln!(self.out, "    {statement}")
    }

    fn netns_removed(&mut self, value: Option<Duration>) -> fmt::Result {
        match value {
            Some(NETNS_REMOVED) => Ok(()),
            value => self.timeout("netns-removed", value.or(Some(Duration::ZERO))),
        }
    }

    fn timeout(&mut self, name: &str, value: Option<Duration>) -> fmt::Result {
        match value {
            Some(value) => self.statement(format_args!("timeout {name} {}", Time(value))),
            None => Ok(()),
        }
    }

    fn global(&mut self, config: &Config) -> fmt::Result {
        let numbers = [
            ("maxconn", config.global.maxconn),
            ("nbthread", config.global.nbthread),
        ];
        self.header("global")?;
        for (name, value) in numbers {
            if let Some(value) = value {
                self.statement(format_args!("{name} {value}"))?;
            }
        }
        if config.global.strict_namespaces {
            self.statement("strict-namespaces")?;
        }
        if config.global.daemon {
            self.statement("daemon")?;
        }
        if let Some(path) = &config.global.pidfile {
            self.statement(format_args!("pidfile {}", quote(&path.to_string_lossy())))?;
        }
        self.identity(&config.global)?;
        sockets::buffers(&config.global).try_for_each(|statement| self.statement(statement))?;
        if let Some(time) = config.global.hard_stop_after {
            self.statement(format_args!("hard-stop-after {}", Time(time)))?;
        }
        admin::statements(&config.global.admin)
            .into_iter()
            .try_for_each(|statement| self.statement(statement))?;
        if config.global.spread_checks > 0 {
            self.statement(format_args!("spread-checks {}", config.global.spread_checks))?;
        }
        if let Some(time) = config.global.max_spread_checks {
            self.statement(format_args!("max-spread-checks {}", Time(time)))?;
        }
        for target in &config.global.logs {
            self.statement(format_args!("log {target}"))?;
        }
        if let Some(tag) = &config.global.log_tag {
            self.statement(format_args!("log-tag {}", quote(tag)))?;
        }
        match &config.global.log_host {
            None => Ok(()),
            Some(HostName::System) => self.statement("log-send-hostname"),
            Some(HostName::Named(name)) => self.statement(format_args!("log-send-hostname {}", quote(name))),
        }
    }

    fn identity(&mut self, global: &Global) -> fmt::Result {
        let accounts = [(("user", "uid"), &global.user), (("group", "gid"), &global.group)];
        for ((by_name, by_number), account) in accounts {
            match account {
                None => {}
                Some(Account::Name(name)) => self.statement(format_args!("{by_name} {}", quote(name)))?,
                Some(Account::Id(number)) => self.statement(format_args!("{by_number} {number}"))?,
            }
        }
        if !global.setcap.is_empty() {
            let names: Vec<_> = global.setcap.iter().map(|capability| capability.name()).collect();
            self.statement(format_args!("setcap {}", names.join(",")))?;
        }
        if let Some(path) = &global.chroot {
            self.statement(format_args!("chroot {}", quote(&path.to_string_lossy())))?;
        }
        match global.open_files {
            Some(limit) => self.statement(format_args!("ulimit-n {limit}")),
            None => Ok(()),
        }
    }

    fn namespace_list(&mut self, config: &Config) -> fmt::Result {
        if config.namespace_list.is_empty() && config.namespace_patterns.is_empty() {
            return Ok(());
        }
        self.header("namespace_list")?;
        for name in &config.namespace_list {
            self.statement(format_args!("namespace {}", quote(&name.to_string())))?;
        }
        for pattern in &config.namespace_patterns {
            self.statement(format_args!("namespace {}", quote(&pattern.to_string())))?;
        }
        Ok(())
    }

    fn resolvers(&mut self, resolvers: &Resolvers) -> fmt::Result {
        self.header(format_args!("resolvers {}", resolvers.name))?;
        names::statements(resolvers)
            .into_iter()
            .try_for_each(|statement| self.statement(statement))
    }

    fn frontend(&mut self, frontend: &Frontend, config: &Config) -> fmt::Result {
        self.header(format_args!("frontend {}", frontend.name))?;
        self.statement("mode tcp")?;
        for bind in &frontend.binds {
            self.bind(bind)?;
        }
        if let Some(maxconn) = frontend.maxconn {
            self.statement(format_args!("maxconn {maxconn}"))?;
        }
        if let Some(rate) = frontend.session_rate {
            self.statement(format_args!("rate-limit sessions {rate}"))?;
        }
        sockets::keep_alive("cli", frontend.keep_alive.as_ref())
            .iter()
            .try_for_each(|line| self.statement(line))?;
        let timeouts = &frontend.timeouts;
        self.timeout("client", timeouts.client)?;
        // Without one it would be that of `client`.
        let none_of_its_own = timeouts.client.map(|_| Duration::ZERO);
        self.timeout("client-hs", timeouts.client_hs.or(none_of_its_own))?;
        self.timeout("client-fin", timeouts.client_fin)?;
        self.netns_removed(timeouts.netns_removed)?;
        self.logging(&frontend.logging)?;
        self.rules(&frontend.rules)?;
        for used in &frontend.rules.use_backends {
            let condition = rules::condition_text(used.condition.as_ref(), &frontend.rules.acls);
            let name = &config.backend(used.backend).name;
            self.statement(format_args!("use_backend {name}{condition}"))?;
        }
        match frontend.backend {
            Some(id) => self.statement(format_args!("default_backend {}", config.backend(id).name)),
            None => Ok(()),
        }
    }

    fn logging(&mut self, logging: &Logging) -> fmt::Result {
        for target in &logging.targets {
            self.statement(format_args!("log {target}"))?;
        }
        let texts = [
            ("log-tag", logging.tag.clone()),
            ("log-format", logging.line.as_ref().map(ToString::to_string)),
            ("log-format-sd", logging.data.as_ref().map(ToString::to_string)),
            (
                "unique-id-format",
                logging.unique_id.as_ref().map(ToString::to_string),
            ),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                self.statement(format_args!("{name} {}", quote(&text)))?;
            }
        }
        let options = [
            ("dontlognull", logging.not_null),
            ("dontlog-normal", logging.not_normal),
            ("logasap", logging.as_soon_as_possible),
        ];
        for (name, _) in options.iter().filter(|(_, on)| *on) {
            self.statement(format_args!("option {name}"))?;
        }
        Ok(())
    }

    fn rules(&mut self, rules: &Rules) -> fmt::Result {
        if let Some(delay) = rules.inspect_delay {
            self.statement(format_args!("tcp-request inspect-delay {}", Time(delay)))?;
        }
        if let Some(delay) = rules.response_delay {
            self.statement(format_args!("tcp-response inspect-delay {}", Time(delay)))?;
        }
        for line in rules::lines(rules) {
            self.statement(line)?;
        }
        Ok(())
    }

    fn bind(&mut self, bind: &Bind) -> fmt::Result {
        let mut line = format!("bind {}", bind_address(&bind.address));
        if let Some(netns) = &bind.netns {
            _ = write!(line, " namespace {}", quote(&netns.to_string()));
        }
        if bind.accept_proxy {
            line.push_str(" accept-proxy");
        }
        line.push_str(&netns_tlv(&bind.netns_tlv));
        if bind.transparent {
            line.push_str(" transparent");
        }
        match bind.only_v6 {
            None => {}
            Some(true) => line.push_str(" v6only"),
            Some(false) => line.push_str(" v4v6"),
        }
        if let Some(name) = &bind.name {
            _ = write!(line, " name {}", quote(name));
        }
        sockets::options(bind, &mut line);
        self.statement(line)
    }

    fn backend(&mut self, backend: &Backend) -> fmt::Result {
        self.header(format_args!("backend {}", backend.name))?;
        self.statement("mode tcp")?;
        for target in &backend.logs {
            self.statement(format_args!("log {target}"))?;
        }
        if let Some(tag) = &backend.log_tag {
            self.statement(format_args!("log-tag {}", quote(tag)))?;
        }
        self.balance(backend)?;
        self.rules(&backend.rules)?;
        if let Some(source) = &backend.source {
            self.statement(sockets::source(source))?;
        }
        sockets::keep_alive("srv", backend.keep_alive.as_ref())
            .iter()
            .try_for_each(|line| self.statement(line))?;
        self.timeout("connect", backend.timeouts.connect)?;
        self.timeout("queue", backend.timeouts.queue)?;
        self.timeout("server", backend.timeouts.server)?;
        self.timeout("server-fin", backend.timeouts.server_fin)?;
        self.timeout("tunnel", backend.timeouts.tunnel)?;
        self.timeout("check", backend.timeouts.check)?;
        self.netns_removed(backend.timeouts.netns_removed)?;
        self.checks(backend)?;
        for server in &backend.servers {
            self.server(server)?;
        }
        Ok(())
    }

    fn checks(&mut self, backend: &Backend) -> fmt::Result {
        if backend.log_health_checks {
            self.statement("option log-health-checks")?;
        }
        let Some(steps) = &backend.tcp_check else {
            return Ok(());
        };
        self.statement("option tcp-check")?;
        steps
            .iter()
            .try_for_each(|step| self.statement(check::Step(step)))
    }

    fn balance(&mut self, backend: &Backend) -> fmt::Result {
        let algorithm = backend.balance.name();
        match &backend.balance {
            Balance::Hash(expression) => {
                let expression = expression.to_string();
                self.statement(format_args!("balance {algorithm} {}", quote(&expression)))?;
            }
            Balance::Random(draws) => self.statement(format_args!("balance {algorithm}({draws})"))?,
            _ => self.statement(format_args!("balance {algorithm}"))?,
        }
        match backend.hash_type {
            HashType::MapBased => {}
            HashType::Consistent => self.statement("hash-type consistent")?,
        }
        if backend.all_backups {
            self.statement("option allbackups")?;
        }
        if let Some(fullconn) = backend.fullconn {
            self.statement(format_args!("fullconn {fullconn}"))?;
        }
        self.statement(format_args!("retries {}", backend.retries))?;
        match backend.redispatch {
            Some(interval) => self.statement(format_args!("option redispatch {interval}")),
            None => Ok(()),
        }
    }

    fn server(&mut self, server: &Server) -> fmt::Result {
        let mut line = format!("server {} {}", server.name, server_address(&server.address));
        match &server.netns {
            ServerNetns::Home => {}
            ServerNetns::Named(netns) => _ = write!(line, " namespace {}", quote(&netns.to_string())),
            ServerNetns::Client => line.push_str(" namespace *"),
        }
        if let Some(source) = &server.source {
            _ = write!(line, " {}", sockets::source(source));
        }
        match &server.send_proxy {
            None => {}
            Some(ProxyHeader::V1) => line.push_str(" send-proxy"),
            Some(ProxyHeader::V2 {
                crc32c,
                unique_id,
                authority,
                pass_proxy,
                composed,
            }) => {
                line.push_str(" send-proxy-v2");
                let listed = [
                    ("crc32c", crc32c),
                    ("unique-id", unique_id),
                    ("authority", authority),
                ];
                let listed: Vec<_> = listed
                    .iter()
                    .filter(|(_, is)| **is)
                    .map(|(name, _)| *name)
                    .collect();
                if !listed.is_empty() {
                    _ = write!(line, " proxy-v2-options {}", listed.join(","));
                }
                if *pass_proxy {
                    line.push_str(" pass-proxy");
                }
                for ComposedTlv { kind, value } in composed {
                    let value = value.to_string();
                    _ = write!(line, " set-proxy-v2-tlv-fmt(0x{kind:02x}) {}", quote(&value));
                }
            }
        }
        if let ServerAddress::Host(host) = &server.address {
            names::options(host, &mut line);
        }
        if server.weight != 1 {
            _ = write!(line, " weight {}", server.weight);
        }
        for (name, is) in [("backup", server.backup), ("disabled", server.disabled)] {
            if is {
                _ = write!(line, " {name}");
            }
        }
        let limits = [
            ("maxconn", server.maxconn),
            ("minconn", server.minconn),
            ("maxqueue", server.maxqueue),
        ];
        for (name, limit) in limits {
            if let Some(limit) = limit {
                _ = write!(line, " {name} {limit}");
            }
        }
        line.push_str(&check::health(&server.health));
        self.statement(line)
    }
}

fn netns_tlv(policy: &NetnsTlv) -> String {
    let (only, required) = match policy {
        NetnsTlv::Ignore => return " netns-tlv ignore".to_owned(),
        NetnsTlv::Select { only, required } => (only, *required),
    };
    let allowed = only.as_ref().map(|names| {
        let names: Vec<String> = names.texts().collect();
        format!(" allow {}", quote(&names.join(",")))
    });
    let required = if required { " require" } else { "" };
    match allowed {
        None if required.is_empty() => String::new(),
        allowed => format!(" netns-tlv{}{required}", allowed.unwrap_or_default()),
    }
}

fn bind_address(address: &BindAddress) -> String {
    match address {
        BindAddress::Unix(path) => unix(path),
        BindAddress::Abstract(name) => quote(&name.to_string()).into_owned(),
        BindAddress::Inherited(descriptor) => format!("fd@{descriptor}"),
        BindAddress::Activated(name) => quote(&format!("fd@{name}")).into_owned(),
        BindAddress::Ip { ip, ports } if ports.first() == ports.last() => {
            format!("{}:{}", Host(*ip), ports.first())
        }
        BindAddress::Ip { ip, ports } => format!("{}:{}-{}", Host(*ip), ports.first(), ports.last()),
    }
}

fn server_address(address: &ServerAddress) -> String {
    let (host, port) = match address {
        ServerAddress::Unix(path) => return unix(path),
        ServerAddress::Abstract(name) => return quote(&name.to_string()).into_owned(),
        ServerAddress::Ip { ip, port } => (Host(*ip).to_string(), port),
        ServerAddress::Client { port } => ("*".to_owned(), port),
        ServerAddress::Host(host) => (host.name.clone(), &host.port),
    };
    match port {
        PortRule::Fixed(port) => format!("{host}:{port}"),
        PortRule::Client => host,
        PortRule::Distance(distance) => format!("{host}:{distance:+}"),
    }
}

fn unix(path: &Path) -> String {
    let prefix = if path.has_root() { "" } else { "unix@" };
    quote(&format!("{prefix}{}", path.display())).into_owned()
}

/// An IP address with a port behind it, or none.
struct Host(std::net::IpAddr);

impl Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            std::net::IpAddr::V4(ip) => ip.fmt(f),
            std::net::IpAddr::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// A time in the largest unit that gives a whole number. Times have no parts of a millisecond.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units
            .iter()
            .find(|(scale, _)| ms > 0 && ms.is_multiple_of(*scale))
        {
            Some((scale, unit)) => write!(f, "{}{unit}", ms / scale),
            None => write!(f, "{ms}ms"),
        }
    }
}
