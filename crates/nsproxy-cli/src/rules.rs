//! The rules of a frontend, as the engine evaluates them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use nsproxy_config::model::{self, Acl, Config, Method, Patterns, PayloadFrom, Peer, ServerRef};
use nsproxy_engine::rules::{
    Action, Choice, Condition, Converter, CountedFrom, Expression, Expressions, Fetch, Matcher, Networks,
    Place, Ranges, Rule, Rules, ServerChoice, ServerIndex, Subject, Term, Test, Texts, Value,
};
use nsproxy_engine::{Side, Span};

/// Which pool a backend is, and where its servers are in there.
pub(crate) struct Pools<'c> {
    pools: HashMap<&'c str, usize>,
    servers: HashMap<(&'c str, &'c str), usize>,
}

impl<'c> Pools<'c> {
    /// Those of the plan for this configuration.
    pub(crate) fn of(config: &'c Config) -> Self {
        let names = config.backends.iter().map(|backend| backend.name.as_str());
        let servers = config.backends.iter().flat_map(|backend| {
            let places = backend.servers.iter().zip(0..);
            places.map(|(server, index)| ((backend.name.as_str(), server.name.as_str()), index))
        });
        Self {
            pools: names.zip(0..).collect(),
            servers: servers.collect(),
        }
    }

    /// The configuration has no name that is not there.
    fn pool(&self, backend: &str) -> usize {
        self.pools.get(backend).copied().unwrap_or(usize::MAX)
    }

    fn server(&self, place: &ServerRef) -> ServerIndex {
        let server = self.servers.get(&(place.backend.as_str(), place.server.as_str()));
        ServerIndex {
            pool: self.pool(&place.backend),
            server: server.copied().unwrap_or(usize::MAX),
        }
    }
}

/// Those of a frontend, or of the backend with this name. `None`: there are none.
pub(crate) fn rules(rules: &model::Rules, backend: Option<&str>, pools: &Pools<'_>) -> Option<Arc<Rules>> {
    let acls: Vec<Arc<[Test]>> = rules.acls.iter().map(|acl| tests(acl, pools)).collect();
    let condition =
        |written: &Option<model::Condition>| written.as_ref().map(|written| condition(written, &acls));
    let list = |written: &[model::Rule]| {
        let rule = |rule: &model::Rule| Rule {
            condition: condition(&rule.condition),
            action: action(&rule.action, pools),
        };
        written.iter().map(rule).collect()
    };
    let choice = |used: &model::UseBackend| Choice {
        condition: condition(&used.condition),
        pool: used.backend.index(),
    };
    let server = |used: &model::UseServer| ServerChoice {
        condition: condition(&used.condition),
        server: pools
            .server(&ServerRef {
                backend: backend.unwrap_or_default().to_owned(),
                server: used.server.clone(),
            })
            .server,
    };
    let rules = Rules {
        connection: list(&rules.connection),
        session: list(&rules.session),
        content: list(&rules.content),
        inspect: rules.inspect_delay.and_then(Span::from_duration),
        choices: rules.use_backends.iter().map(choice).collect(),
        response: list(&rules.response),
        inspect_response: rules.response_delay.and_then(Span::from_duration),
        servers: rules.use_servers.iter().map(server).collect(),
    };
    (!rules.is_empty()).then(|| Arc::new(rules))
}

fn condition(written: &model::Condition, acls: &[Arc<[Test]>]) -> Condition {
    let term = |term: &model::Term| Term {
        negated: term.negated,
        tests: Arc::clone(&acls[term.acl.index()]),
    };
    Condition {
        unless: written.unless,
        any: written
            .any
            .iter()
            .map(|all| all.iter().map(term).collect())
            .collect(),
    }
}

fn action(written: &model::Action, pools: &Pools<'_>) -> Action {
    match written {
        model::Action::Accept => Action::Accept,
        model::Action::Reject => Action::Reject,
        model::Action::Close => Action::CloseServer,
        model::Action::ExpectProxy => Action::ExpectHeader,
        model::Action::Set(subject, written) => {
            let subject = match subject {
                model::Subject::Source => Subject::Source,
                model::Subject::SourcePort => Subject::SourcePort,
                model::Subject::Destination => Subject::Destination,
                model::Subject::DestinationPort => Subject::DestinationPort,
            };
            Action::Set(subject, expression(written, pools))
        }
    }
}

fn tests(acl: &Acl, pools: &Pools<'_>) -> Arc<[Test]> {
    let test = |test: &model::Test| Test {
        expression: expression(&test.expression, pools),
        matcher: matcher(test),
    };
    acl.tests.iter().map(test).collect()
}

pub(crate) fn expression(written: &model::Expression, pools: &Pools<'_>) -> Expression {
    let converter = |converter: &model::Converter| match *converter {
        model::Converter::Lower => Converter::Lower,
        model::Converter::Upper => Converter::Upper,
        model::Converter::Length => Converter::Length,
        model::Converter::Hex => Converter::Hex,
        model::Converter::IpMask { v4, v6 } => Converter::Mask { v4, v6 },
    };
    Expression {
        fetch: fetch(&written.fetch, pools),
        converters: written.converters.iter().map(converter).collect(),
    }
}

fn fetch(written: &model::Fetch, pools: &Pools<'_>) -> Fetch {
    let pool = |name: &String| pools.pool(name);
    match written {
        model::Fetch::Bool(is) => Fetch::Constant(Value::Bool(*is)),
        model::Fetch::Int(number) => Fetch::Constant(Value::Number(*number)),
        model::Fetch::Str(text) => Fetch::Constant(Value::Bytes(Cow::Owned(text.clone().into_bytes()))),
        model::Fetch::Ip(ip) => Fetch::Constant(Value::Address(*ip)),
        model::Fetch::Source => Fetch::Source,
        model::Fetch::SourcePort => Fetch::SourcePort,
        model::Fetch::Destination => Fetch::Destination,
        model::Fetch::DestinationPort => Fetch::DestinationPort,
        model::Fetch::SourceIsLocal => Fetch::SourceIsLocal,
        model::Fetch::DestinationIsLocal => Fetch::DestinationIsLocal,
        model::Fetch::ProxyReceived => Fetch::HeaderReceived,
        model::Fetch::ProxyTlv(kind) => Fetch::Tlv(*kind),
        model::Fetch::Netns => Fetch::Netns,
        model::Fetch::FrontendName => Fetch::Relay,
        model::Fetch::FrontendSessions => Fetch::RelaySessions,
        model::Fetch::UsableServers(name) => Fetch::UsableServers(pool(name)),
        model::Fetch::BackendSessions(name) => Fetch::PoolSessions(pool(name)),
        model::Fetch::BackendQueue(name) => Fetch::PoolWaiting(pool(name)),
        model::Fetch::BackendAverageQueue(name) => Fetch::PoolAverageWaiting(pool(name)),
        model::Fetch::BackendSlots(name) => Fetch::PoolSlots(pool(name)),
        model::Fetch::ServerIsUp(server) => Fetch::ServerIsUp(pools.server(server)),
        model::Fetch::ServerSessions(server) => Fetch::ServerSessions(pools.server(server)),
        model::Fetch::ServerQueue(server) => Fetch::ServerWaiting(pools.server(server)),
        model::Fetch::ListenerNumber => Fetch::ListenerNumber,
        model::Fetch::ListenerName => Fetch::ListenerName,
        model::Fetch::ServerSource => Fetch::ServerSource,
        model::Fetch::ServerSourcePort => Fetch::ServerSourcePort,
        model::Fetch::ServerAddress => Fetch::ServerAddress,
        model::Fetch::ServerPort => Fetch::ServerPort,
        model::Fetch::ServerNetns => Fetch::ServerNetns,
        model::Fetch::BackendName => Fetch::Pool,
        model::Fetch::ServerName => Fetch::Server,
        model::Fetch::PayloadLv {
            peer,
            offset,
            size,
            from,
        } => Fetch::Counted {
            side: side(*peer),
            offset: *offset as usize,
            size: *size as usize,
            from: match from {
                PayloadFrom::At(at) => CountedFrom::At(*at as usize),
                PayloadFrom::Behind(by) => CountedFrom::Behind(*by),
            },
        },
        model::Fetch::Random(below) => Fetch::Random(*below),
        model::Fetch::WaitEnd => Fetch::WaitEnd,
        model::Fetch::Length(peer) => Fetch::Length(side(*peer)),
        model::Fetch::Payload { peer, offset, length } => Fetch::Payload {
            side: side(*peer),
            offset: *offset as usize,
            length: *length as usize,
        },
        model::Fetch::SslSni => Fetch::HelloServerName,
        model::Fetch::SslAlpn => Fetch::Alpn,
        model::Fetch::SslHelloType(peer) => Fetch::HelloType(side(*peer)),
        model::Fetch::SslVersion => Fetch::HelloVersion,
    }
}

const fn side(peer: Peer) -> Side {
    match peer {
        Peer::Client => Side::Downstream,
        Peer::Server => Side::Upstream,
    }
}

fn matcher(test: &model::Test) -> Matcher {
    let all = || {
        let files = test.files.iter().map(|file| &file.patterns);
        files.chain([&test.patterns])
    };
    let numbers = || -> Ranges {
        let ranges = all().flat_map(|patterns| match patterns {
            Patterns::Numbers(ranges) => ranges.as_slice(),
            _ => &[],
        });
        ranges.cloned().collect()
    };
    let networks = || -> Networks {
        let networks = all().flat_map(|patterns| match patterns {
            Patterns::Networks(networks) => networks.as_slice(),
            _ => &[],
        });
        networks.copied().collect()
    };
    let texts = |place| {
        let texts = all().flat_map(|patterns| match patterns {
            Patterns::Texts(texts) => texts.as_slice(),
            _ => &[],
        });
        let texts = texts.map(|text| Cow::Borrowed(text.as_bytes()));
        Matcher::Text(Texts::new(place, test.ignores_case, texts))
    };
    match test.method {
        Method::Found => Matcher::Found,
        Method::Bool => Matcher::True,
        Method::Int | Method::Version => Matcher::Number(numbers()),
        Method::Ip => Matcher::Address(networks()),
        Method::Len => Matcher::Length(numbers()),
        // The configuration has only those that compile; with none, nothing matches.
        Method::Reg => {
            let expressions = all().flat_map(|patterns| match patterns {
                Patterns::Texts(texts) => texts.as_slice(),
                _ => &[],
            });
            let compiled = Expressions::new(test.ignores_case, expressions.map(String::as_str));
            compiled.map_or_else(|_| Matcher::Number(Ranges::default()), Matcher::Expression)
        }
        Method::Str => texts(Place::Whole),
        Method::Beg => texts(Place::Beginning),
        Method::End => texts(Place::End),
        Method::Sub => texts(Place::Within),
        Method::Dir => texts(Place::Path),
        Method::Dom => texts(Place::Domain),
        Method::Bin => {
            let bytes = all().flat_map(|patterns| match patterns {
                Patterns::Bytes(bytes) => bytes.as_slice(),
                _ => &[],
            });
            let bytes = bytes.map(|bytes| Cow::Borrowed(&bytes[..]));
            Matcher::Text(Texts::new(Place::Whole, false, bytes))
        }
    }
}
