//! What an observer can ask of a session. Each answer is worked out when it is asked for: most cost a system call, or reach
//! for counters that other workers write.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use netns_core::NetnsSpec;

use super::entry::{Entry, Place};
use super::milestones::{After, Milestones};
use super::rules::Known;
use crate::admission::Gate;
use crate::core::moment::Moment;
use crate::core::rules::{Expression, Value, View};
use crate::core::side::Side;
use crate::plan::Endpoint;
use crate::server::Server;

/// What is known of a session at the moment of a call to an [`Observer`](crate::Observer).
///
/// How long its parts took, and how it waited, is known only where the relay is
/// [followed](crate::RelayPlan::followed).
#[derive(Debug, Clone, Copy)]
pub struct SessionFacts<'a> {
    entry: &'a Entry,
    gate: &'a Gate,
    milestones: Option<&'a Milestones>,
    now: Moment,
    /// It has its place at the server still, but does not use it any more.
    has_ended: bool,
}

impl<'a> SessionFacts<'a> {
    pub(super) fn of(
        entry: &'a Entry,
        gate: &'a Gate,
        milestones: Option<&'a Milestones>,
        now: Moment,
    ) -> Self {
        Self {
            entry,
            gate,
            milestones,
            now,
            has_ended: false,
        }
    }

    pub(super) fn at_the_end(self) -> Self {
        Self {
            has_ended: true,
            ..self
        }
    }

    /// The relay's name.
    pub fn relay(&self) -> &'a str {
        &self.entry.route.relay
    }

    /// What the plan has attached to the relay, as a value of this type.
    pub fn attachment<T: Any>(&self) -> Option<&'a T> {
        self.entry.route.attachment.as_ref()?.downcast_ref()
    }

    /// The listener: its address, with the port that it was given, and its namespace; `None` is the default one.
    pub fn listener(&self) -> (&'a Endpoint, Option<&'a NetnsSpec>) {
        let route = &self.entry.route;
        (&route.address, route.netns.as_deref())
    }

    /// The pool's name.
    pub fn pool(&self) -> &'a str {
        &self.entry.route.pool.name
    }

    /// Whether it is decided that the session goes to that pool: not while a rule may still choose another.
    pub fn has_pool(&self) -> bool {
        self.entry.has_pool()
    }

    /// The server's name: of the one that was chosen last, or of the one that it has to wait for.
    pub fn server(&self) -> Option<&'a str> {
        self.server_or_awaited().map(|server| &*server.name)
    }

    /// The client's address: the PROXY header's if there was one, else the socket's; none on a unix socket.
    pub fn client(&self) -> Option<SocketAddr> {
        self.entry.client()
    }

    /// Where the client had connected to, as the PROXY header or the socket tells. May ask the kernel.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.entry.destination()
    }

    /// Where the connection to the server comes from. Asks the kernel.
    pub fn source(&self) -> Option<SocketAddr> {
        self.entry.source()
    }

    /// Where the server is, once that is known; none for a unix socket.
    pub fn upstream(&self) -> Option<SocketAddr> {
        self.entry.server_address()
    }

    /// The namespace of the client's connection; `None` is the default one.
    pub fn client_netns(&self) -> Option<&'a NetnsSpec> {
        self.entry.client_netns().map(|netns| &**netns)
    }

    /// The namespace that the server is reached in; `None` is the default one, or none was chosen.
    pub fn upstream_netns(&self) -> Option<&'a NetnsSpec> {
        self.entry.server.as_ref()?.netns.as_deref()
    }

    /// The value of an expression of the plan now, the first if there are several.
    ///
    /// What the client has sent, and its PROXY header, are there only until the connection to the server stands: see
    /// [`SessionFacts::logged`].
    pub fn value(&self, expression: &Expression) -> Option<Value<'static>> {
        let known = Known::new(self.entry, self.entry.route.pools.as_deref());
        View::new(&known, true).value(expression).map(Value::into_owned)
    }

    /// The value of the expression with this index in [`RelayPlan::logged`](crate::RelayPlan::logged). What is there only until
    /// the connection to the server stands has been remembered from then, if the relay is followed.
    pub fn logged(&self, index: usize) -> Option<Value<'static>> {
        let expression = self.entry.route.logged.expressions.get(index)?;
        let remembered = self.milestones.map_or(&[][..], Milestones::remembered);
        match remembered.get(index) {
            Some(value) if expression.fetch.is_fleeting() => value.clone(),
            _ => self.value(expression),
        }
    }

    /// Bytes delivered to the server, without the PROXY header that it got, and bytes delivered to the client.
    pub fn bytes(&self) -> [u64; 2] {
        self.entry.core.bytes()
    }

    /// Bytes that the client has sent beyond its PROXY header, as far as they were read: those delivered to the server, and
    /// those that rules have looked at while there was none.
    pub fn received(&self) -> u64 {
        let [delivered, _] = self.bytes();
        // Before it has begun, what waits is a piece of its header; once it is connected, there may be one for the server.
        if delivered == 0 && self.handshake().is_some() && self.connect().is_none() {
            self.entry.contents(Side::Downstream).len() as u64
        } else {
            delivered
        }
    }

    /// Bytes that the server has sent, as far as they were read: those delivered to the client, and those that rules have looked
    /// at while there was none.
    pub fn answered(&self) -> u64 {
        let [_, delivered] = self.bytes();
        if delivered == 0 {
            self.entry.contents(Side::Upstream).len() as u64
        } else {
            delivered
        }
    }

    /// When the connection was accepted, by the clock on the wall. Asks the kernel.
    pub fn accepted(&self) -> SystemTime {
        let now = SystemTime::now();
        now.checked_sub(self.elapsed()).unwrap_or(now)
    }

    /// Since it was accepted.
    pub fn elapsed(&self) -> Duration {
        self.now.since(self.entry.accepted_at)
    }

    /// From accept to the end of its PROXY header: nothing when none was expected, `None` when it did not come to that.
    pub fn handshake(&self) -> Option<Duration> {
        self.milestones?.handshake()
    }

    /// From then on until it had its last server, or until now while it waits for one. `None` when it neither has one nor
    /// waits.
    pub fn queued(&self) -> Option<Duration> {
        let milestones = self.milestones?;
        if self.waits() {
            milestones.queued_until(After::between(self.entry.accepted_at, self.now))
        } else {
            milestones.queued()
        }
    }

    /// From then on until the connection to that server was there; `None` when there was none.
    pub fn connect(&self) -> Option<Duration> {
        self.milestones?.connect()
    }

    /// Its numbers in the lines in which it has waited, or waits: for one server and no other, and for any of the pool. The
    /// first of a line has number 1, and who did not wait has number 0.
    pub fn queue_numbers(&self) -> [u32; 2] {
        let waited = match self.entry.place {
            Place::Awaited(ticket) => self.entry.route.pool.waited(ticket),
            _ => None,
        };
        self.milestones.map_or([0, 0], |milestones| {
            milestones.queue_numbers(waited.map(|(_, waited)| waited))
        })
    }

    /// Connection attempts after the first.
    pub fn retries(&self) -> u16 {
        self.entry.core.retried()
    }

    /// Whether one of them went to another server.
    pub fn was_redispatched(&self) -> bool {
        self.milestones.is_some_and(Milestones::was_redispatched)
    }

    /// A number that no other session of the engine has, and that is not far from how many there were before. Zero where the
    /// relay is not followed.
    pub fn number(&self) -> u64 {
        self.milestones.map_or(0, Milestones::number)
    }

    /// Its identifier, if a server was told one.
    pub fn unique_id(&self) -> Option<&'a [u8]> {
        self.milestones?.unique_id()
    }

    /// Sessions of the engine, this one among them.
    pub fn sessions(&self) -> usize {
        self.gate.inside()
    }

    /// Sessions of the relay, this one among them. Zero where they are not counted: the relay has no limit, and is not
    /// followed.
    pub fn relay_sessions(&self) -> usize {
        self.entry.route.gate.as_ref().map_or(0, |gate| gate.inside())
    }

    /// Sessions that use a server of the pool or wait for one: this one among them if it does, and has not ended.
    pub fn pool_sessions(&self) -> usize {
        let pool = &self.entry.route.pool;
        let sessions = pool.sessions() + pool.places().waiting();
        self.without_own(sessions, self.entry.has_place() || self.waits())
    }

    /// Sessions that use [`SessionFacts::server`]: this one among them if it does, and has not ended.
    pub fn server_sessions(&self) -> usize {
        self.server_or_awaited().map_or(0, |server| {
            self.without_own(server.load.sessions() as usize, self.entry.has_place())
        })
    }

    fn server_or_awaited(&self) -> Option<&'a Arc<Server>> {
        let awaited = self.milestones.and_then(Milestones::awaited);
        let chosen = || self.entry.server.as_ref().filter(|_| !self.waits());
        awaited.or_else(|| chosen().map(|chosen| &chosen.server))
    }

    fn waits(&self) -> bool {
        matches!(self.entry.place, Place::Awaited(_))
    }

    fn without_own(&self, sessions: usize, is_counted: bool) -> usize {
        sessions.saturating_sub(usize::from(self.has_ended && is_counted))
    }
}
