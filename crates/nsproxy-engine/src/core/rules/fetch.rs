//! What can be asked of a connection, and how the answer follows from the facts.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use proxy_proto::Tlvs;

use super::View;
use super::hello::{Hello, Protocols};
use super::value::Value;
use crate::core::side::Side;

/// Something that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// This value, whatever the connection is.
    Constant(Value<'static>),
    /// The client's address: that of a PROXY header if there was one.
    Source,
    /// The client's port.
    SourcePort,
    /// The address that the client has connected to.
    Destination,
    /// The port that the client has connected to.
    DestinationPort,
    /// Whether the client's address is one of this host.
    SourceIsLocal,
    /// Whether the address that the client has connected to is one of this host.
    DestinationIsLocal,
    /// Whether a PROXY header was read.
    HeaderReceived,
    /// The value of a TLV of this type in the PROXY header.
    Tlv(u8),
    /// The name of the relay.
    Relay,
    /// The namespace of the client's connection, as policy has decided. None when it is the default one.
    Netns,
    /// The server name of a TLS `ClientHello`.
    HelloServerName,
    /// The type of the first TLS handshake message of that side.
    HelloType(Side),
    /// The version of a TLS `ClientHello`: major times 65536, plus minor.
    HelloVersion,
    /// The application protocols of a TLS `ClientHello`, one after the other.
    Alpn,
    /// How many bytes that side has sent.
    Length(Side),
    /// So many of these bytes from an offset on; with a length of 0, all that there are.
    Payload {
        /// Who has sent them.
        side: Side,
        /// The first one.
        offset: usize,
        /// How many.
        length: usize,
    },
    /// True once nothing more is awaited.
    WaitEnd,
    /// A number below this one, anew each time.
    Random(u32),
    /// How many sessions the relay has, this one included.
    RelaySessions,
    /// How many servers of this pool can be used.
    UsableServers(usize),
    /// How many sessions this pool has, waiting ones included.
    PoolSessions(usize),
    /// How many of them wait.
    PoolWaiting(usize),
    /// How many more sessions its servers would take, waiting ones included; -1 when that has no limit.
    PoolSlots(usize),
    /// Whether this server can be used.
    ServerIsUp(ServerIndex),
    /// How many sessions it has.
    ServerSessions(ServerIndex),
    /// How many wait for it and for no other.
    ServerWaiting(ServerIndex),
    /// The number of the listener.
    ListenerNumber,
    /// The name of the listener.
    ListenerName,
    /// As many bytes of what that side has sent as a number in it says.
    Counted {
        /// Who has sent them.
        side: Side,
        /// Where the number is.
        offset: usize,
        /// How many bytes it has.
        size: usize,
        /// Where the bytes are that it counts.
        from: CountedFrom,
    },
    /// How many of them wait for each server that can be used; twice as many as wait when none can.
    PoolAverageWaiting(usize),
    /// The address that the connection to the server comes from.
    ServerSource,
    /// The port that it comes from.
    ServerSourcePort,
    /// The address of the server.
    ServerAddress,
    /// The port of the server.
    ServerPort,
    /// The namespace that the server is reached in. None when it is the default one.
    ServerNetns,
    /// The name of the pool, once it is decided.
    Pool,
    /// The name of the server.
    Server,
}

impl Fetch {
    /// Whether it asks where an address leads to.
    pub const fn is_about_routes(&self) -> bool {
        matches!(self, Self::SourceIsLocal | Self::DestinationIsLocal)
    }

    /// The side whose bytes it asks for.
    pub const fn contents(&self) -> Option<Side> {
        match self {
            Self::HelloServerName | Self::HelloVersion | Self::Alpn => Some(Side::Downstream),
            Self::HelloType(side)
            | Self::Length(side)
            | Self::Payload { side, .. }
            | Self::Counted { side, .. } => Some(*side),
            _ => None,
        }
    }

    /// Whether it asks for something that is there only until the connection to the server stands.
    pub const fn is_fleeting(&self) -> bool {
        self.contents().is_some() || matches!(self, Self::Tlv(_))
    }

    /// The pool that it asks about.
    pub const fn pool(&self) -> Option<usize> {
        match self {
            Self::UsableServers(pool)
            | Self::PoolSessions(pool)
            | Self::PoolWaiting(pool)
            | Self::PoolAverageWaiting(pool)
            | Self::PoolSlots(pool) => Some(*pool),
            Self::ServerIsUp(server) | Self::ServerSessions(server) | Self::ServerWaiting(server) => {
                Some(server.pool)
            }
            _ => None,
        }
    }
}

/// A server of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerIndex {
    /// Index of its pool.
    pub pool: usize,
    /// Its index in there.
    pub server: usize,
}

/// Where the bytes of [`Fetch::Counted`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFrom {
    /// From this byte on.
    At(usize),
    /// So far behind the number's end, or before it.
    Behind(i32),
}

/// What is known of a connection.
pub trait Facts {
    /// The client; `None` on a unix socket.
    fn source(&self) -> Option<SocketAddr>;
    /// Where the client has connected to; `None` on a unix socket.
    fn destination(&self) -> Option<SocketAddr>;
    /// Whether the host has this address, in the namespace of the listener; `None` where that is not known.
    fn is_local(&self, ip: IpAddr) -> Option<bool>;
    /// The PROXY header that was received, whole.
    fn header(&self) -> Option<&[u8]>;
    /// Whether there was one.
    fn has_header(&self) -> bool;
    /// The name of the relay.
    fn relay(&self) -> &str;
    /// The namespace of the client's connection as text.
    fn netns(&self) -> Option<String>;
    /// What that side has sent; `None` where nobody has looked.
    fn contents(&self, side: Side) -> Option<&[u8]>;
    /// Whether the side that is looked at has ended, or sent as much as is looked at.
    fn has_ended(&self) -> bool;
    /// A number at random.
    fn random(&self) -> u32;
    /// How many sessions the relay has.
    fn sessions(&self) -> usize;
    /// How a pool of the plan stands.
    fn pool(&self, index: usize) -> PoolLoad;
    /// How a server of the plan stands.
    fn server(&self, index: ServerIndex) -> ServerLoad;
    /// The number of the listener.
    fn listener_number(&self) -> u32;
    /// The name of the listener.
    fn listener_name(&self) -> Option<&str>;
    /// Where the connection to the server comes from; `None` without one, or on a unix socket.
    fn server_source(&self) -> Option<SocketAddr>;
    /// Where the server is; `None` before one is chosen, or on a unix socket.
    fn server_address(&self) -> Option<SocketAddr>;
    /// The namespace that the server is reached in, as text.
    fn server_netns(&self) -> Option<String>;
    /// The name of the pool; `None` before it is decided.
    fn pool_name(&self) -> Option<&str>;
    /// The name of the server; `None` before one is chosen.
    fn server_name(&self) -> Option<&str>;
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolLoad {
    /// Servers that can be used.
    pub usable: usize,
    /// Sessions that have a place.
    pub sessions: usize,
    /// Sessions that wait for one.
    pub waiting: usize,
    /// Sessions that its servers would still take, waiting ones included; `None` when that has no limit.
    pub slots: Option<usize>,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerLoad {
    /// Whether it can be used.
    pub is_up: bool,
    /// Sessions that have a place.
    pub sessions: usize,
    /// Sessions that wait for it and for no other.
    pub waiting: usize,
}

/// What a fetch has brought.
#[derive(Debug)]
pub(super) struct Fetched<'v> {
    pub(super) values: Values<'v>,
    /// A later answer may be another.
    pub(super) may_change: bool,
}

/// Values of a connection, one after the other. A client says how many there are: each is come to once.
#[derive(Debug)]
pub(super) enum Values<'v> {
    /// One, or none.
    One(Option<Value<'v>>),
    /// Those of the TLVs of this type.
    Tlvs(u8, Tlvs<'v>),
    Protocols(Protocols<'v>),
}

impl<'v> Iterator for Values<'v> {
    type Item = Value<'v>;

    fn next(&mut self) -> Option<Value<'v>> {
        match self {
            Self::One(value) => value.take(),
            Self::Tlvs(kind, tlvs) => tlvs
                .find(|tlv| tlv.kind().0 == *kind)
                .map(|tlv| bytes(tlv.value())),
            Self::Protocols(names) => names.next().map(bytes),
        }
    }
}

impl<'v> Fetched<'v> {
    const fn settled(value: Option<Value<'v>>) -> Self {
        Self {
            values: Values::One(value),
            may_change: false,
        }
    }

    const fn changing(value: Option<Value<'v>>) -> Self {
        Self {
            values: Values::One(value),
            may_change: true,
        }
    }

    const fn several(values: Values<'v>) -> Self {
        Self {
            values,
            may_change: false,
        }
    }
}

impl View<'_> {
    /// What there is of this.
    pub(super) fn fetch(&self, fetch: &Fetch) -> Fetched<'_> {
        let facts = self.facts;
        let ip = |address: Option<SocketAddr>| address.map(|address| Value::Address(address.ip()));
        let port = |address: Option<SocketAddr>| address.map(|address| Value::Number(address.port().into()));
        let number = |number: usize| Some(Value::Number(i64::try_from(number).unwrap_or(i64::MAX)));
        let load = |index: usize| facts.pool(index);
        let local = |address: Option<SocketAddr>| {
            // Who comes by a unix socket is here.
            let is_local = address.map_or(Some(true), |address| facts.is_local(address.ip()));
            is_local.map(Value::Bool)
        };
        let text = |name: Option<String>| name.map(|name| Value::Bytes(Cow::Owned(name.into_bytes())));
        Fetched::settled(match fetch {
            Fetch::Constant(value) => Some(value.clone()),
            Fetch::Source => ip(facts.source()),
            Fetch::SourcePort => port(facts.source()),
            Fetch::Destination => ip(facts.destination()),
            Fetch::DestinationPort => port(facts.destination()),
            Fetch::SourceIsLocal => local(facts.source()),
            Fetch::DestinationIsLocal => local(facts.destination()),
            Fetch::HeaderReceived => Some(Value::Bool(facts.has_header())),
            Fetch::Tlv(kind) => return self.tlvs(*kind),
            Fetch::Relay => Some(bytes(facts.relay().as_bytes())),
            Fetch::Netns => text(facts.netns()),
            Fetch::HelloServerName | Fetch::HelloType(_) | Fetch::HelloVersion | Fetch::Alpn => {
                return self.hello(fetch);
            }
            Fetch::Length(side) => {
                return Fetched::changing(facts.contents(*side).and_then(|bytes| number(bytes.len())));
            }
            Fetch::Payload { side, offset, length } => return payload((facts, *side), *offset, *length),
            Fetch::WaitEnd if self.is_last => Some(Value::Bool(true)),
            Fetch::WaitEnd => return Fetched::changing(None),
            Fetch::Random(below) => {
                let drawn = facts.random().checked_rem(*below).unwrap_or(0);
                return Fetched::changing(Some(Value::Number(drawn.into())));
            }
            Fetch::RelaySessions => number(facts.sessions()),
            Fetch::UsableServers(pool) => number(load(*pool).usable),
            Fetch::PoolSessions(pool) => number(load(*pool).sessions.saturating_add(load(*pool).waiting)),
            Fetch::PoolWaiting(pool) => number(load(*pool).waiting),
            Fetch::PoolSlots(pool) => match load(*pool).slots {
                Some(slots) => number(slots),
                None => Some(Value::Number(-1)),
            },
            Fetch::ServerIsUp(server) => Some(Value::Bool(facts.server(*server).is_up)),
            Fetch::ServerSessions(server) => number(facts.server(*server).sessions),
            Fetch::ServerWaiting(server) => number(facts.server(*server).waiting),
            Fetch::ListenerNumber => Some(Value::Number(facts.listener_number().into())),
            Fetch::ListenerName => facts.listener_name().map(|name| bytes(name.as_bytes())),
            Fetch::Counted {
                side,
                offset,
                size,
                from,
            } => return counted((facts, *side), *offset, *size, *from),
            Fetch::ServerSource => ip(facts.server_source()),
            Fetch::ServerSourcePort => port(facts.server_source()),
            Fetch::ServerAddress => ip(facts.server_address()),
            Fetch::ServerPort => port(facts.server_address()),
            Fetch::ServerNetns => text(facts.server_netns()),
            Fetch::Pool => facts.pool_name().map(|name| bytes(name.as_bytes())),
            Fetch::Server => facts.server_name().map(|name| bytes(name.as_bytes())),
            Fetch::PoolAverageWaiting(pool) => {
                let PoolLoad { usable, waiting, .. } = load(*pool);
                number(if usable == 0 {
                    // As HAProxy has it: they wait for longer than they would for one server.
                    waiting.saturating_mul(2)
                } else {
                    waiting.div_ceil(usable)
                })
            }
        })
    }

    fn hello(&self, fetch: &Fetch) -> Fetched<'_> {
        let side = fetch.contents().unwrap_or(Side::Downstream);
        let Some(contents) = self.facts.contents(side) else {
            return Fetched::settled(None);
        };
        let message = match self.hello[side.index()].get_or_init(|| Hello::read(contents)) {
            Hello::NotTls => return Fetched::settled(None),
            Hello::Incomplete => return Fetched::changing(None),
            Hello::Message(message) => message,
        };
        match fetch {
            Fetch::HelloType(_) => Fetched::settled(Some(Value::Number(message.kind().into()))),
            Fetch::HelloVersion => {
                Fetched::settled(message.version().map(|version| Value::Number(version.into())))
            }
            Fetch::Alpn => Fetched::several(Values::Protocols(message.protocols())),
            _ => Fetched::settled(message.server_name().map(bytes)),
        }
    }

    fn tlvs(&self, kind: u8) -> Fetched<'_> {
        let header = self.header.get_or_init(|| {
            let parsed = proxy_proto::parse(self.facts.header()?).ok()?;
            Some(parsed.header)
        });
        match header {
            Some(header) => Fetched::several(Values::Tlvs(kind, header.tlvs())),
            None => Fetched::settled(None),
        }
    }
}

const fn bytes(bytes: &[u8]) -> Value<'_> {
    Value::Bytes(Cow::Borrowed(bytes))
}

fn payload((facts, side): (&dyn Facts, Side), offset: usize, length: usize) -> Fetched<'_> {
    let Some(contents) = facts.contents(side) else {
        return Fetched::settled(None);
    };
    let rest = contents.get(offset..);
    let wanted = if length == 0 {
        rest
    } else {
        rest.and_then(|rest| rest.get(..length))
    };
    let value = wanted.map(bytes);
    // As many as were asked for stay what they are.
    if length > 0 && value.is_some() || facts.has_ended() {
        Fetched::settled(value)
    } else {
        Fetched::changing(value)
    }
}

fn counted((facts, side): (&dyn Facts, Side), offset: usize, size: usize, from: CountedFrom) -> Fetched<'_> {
    let Some(contents) = facts.contents(side) else {
        return Fetched::settled(None);
    };
    let later = || {
        if facts.has_ended() {
            Fetched::settled(None)
        } else {
            Fetched::changing(None)
        }
    };
    let end = offset.saturating_add(size);
    let Some(number) = contents.get(offset..end) else {
        return later();
    };
    let length = number
        .iter()
        .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    let start = match from {
        CountedFrom::At(start) => Some(start),
        CountedFrom::Behind(by) => isize::try_from(by).ok().and_then(|by| end.checked_add_signed(by)),
    };
    let Some(start) = start.filter(|_| length > 0) else {
        return Fetched::settled(None);
    };
    match contents.get(start..start.saturating_add(length)) {
        Some(counted) => Fetched::settled(Some(bytes(counted))),
        None => later(),
    }
}
