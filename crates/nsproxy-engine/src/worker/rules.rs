//! The rules of a relay, carried out: what is known of a session is put before them, and what they say is done.
//!
//! A session of a relay without rules never comes here. The rules themselves are pure: `core/rules`.

use std::cell::OnceCell;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::connector;
use super::entry::{Destined, Entry, Holding, Received};
use super::header::reset_or_failed;
use super::resources::Resources;
use crate::core::close::{CloseReason, Errno, RuleStage};
use crate::core::moment::Moment;
use crate::core::policy::ClientNetns;
use crate::core::rules::{
    Action, Expression, Facts, LONGEST_HELLO, Next, PoolLoad, Rule, ServerIndex, ServerLoad, Subject, View,
};
use crate::core::session::{Inspected, Session};
#[cfg(doc)]
use crate::core::side::Direction;
use crate::core::side::Side;
use crate::judge::Judge;
use crate::pool::Pool;
use crate::server::Server;

/// The most bytes of a side that are looked at. What follows them is read once they may go to the other one.
const MOST: usize = LONGEST_HELLO;

/// A connection was accepted.
pub(super) fn on_accepted(entry: &mut Entry, now: Moment) {
    let Some(judge) = entry.route.judge.clone() else {
        return;
    };
    match run(entry, &judge, &judge.rules.connection, true) {
        Ok(Verdict { expects_header, .. }) => {
            let route = &entry.route;
            if expects_header && !route.accept_proxy {
                entry.core = Session::new(true, now).with_retries(route.pool.retries);
            } else if !route.accept_proxy {
                on_admitted(entry, now);
            }
        }
        Err(_) => entry.core.close(CloseReason::Rejected(RuleStage::Connection)),
    }
}

/// Its PROXY header was read, or there is to be none. The answer is whether the session goes on.
pub(super) fn on_admitted(entry: &mut Entry, now: Moment) -> bool {
    let Some(judge) = entry.route.judge.clone() else {
        return true;
    };
    let is_admitted = run(entry, &judge, &judge.rules.session, true).is_ok();
    if !is_admitted {
        entry.core.close(CloseReason::Rejected(RuleStage::Session));
    } else if judge.rules.content.is_empty() {
        on_decided(entry, now);
    } else {
        entry.core.inspect(judge.rules.inspect, now);
    }
    is_admitted
}

/// Nothing keeps a session from its pool: that of the first choice that applies, or its own. The pool may have rules, too.
pub(super) fn on_decided(entry: &mut Entry, now: Moment) {
    let Some(judge) = entry.route.judge.clone() else {
        return;
    };
    let choice = {
        let known = Known::new(entry, judge.pools.as_deref());
        judge.rules.choose(&View::new(&known, true))
    };
    entry.destined = Destined::Decided;
    let Some(route) = judge.target(choice) else {
        return;
    };
    entry.core.set_retries(route.pool.retries);
    entry.route = Arc::clone(route);
    if let Some(judge) = &entry.route.judge {
        entry.core.inspect(judge.rules.inspect, now);
    }
}

/// Reads what the client has sent, and puts it before the rules. It waits in the holding of [`Direction::Up`].
pub(super) fn inspect(entry: &mut Entry, is_last: bool, resources: &mut Resources) -> Inspected {
    let Some(judge) = entry.route.judge.clone() else {
        return Inspected::Decided;
    };
    let mut blocked = false;
    match read(entry, Side::Downstream, &judge, resources) {
        Ok(Some(has_ended)) => entry.has_ended = has_ended,
        Ok(None) => blocked = true,
        Err(error) => return Inspected::Refused(reset_or_failed(Side::Downstream, Errno::from(&error))),
    }
    let is_last = is_last || entry.has_ended;
    match run(entry, &judge, &judge.rules.content, is_last) {
        Err(_) => Inspected::Refused(CloseReason::Rejected(RuleStage::Content)),
        Ok(verdict) => verdict.inspected(blocked),
    }
}

/// The connection to the server stands: what it sends is looked at first, if a rule wants that.
pub(super) fn on_connected(entry: &mut Entry, now: Moment) {
    if let Some(judge) = &entry.route.within
        && !judge.rules.response.is_empty()
    {
        let patience = judge.rules.inspect_response;
        entry.has_ended = false;
        entry.core.inspect_response(patience, now);
    }
}

/// Reads what the server has sent, and puts it before the rules. It waits in the holding of [`Direction::Down`].
pub(super) fn inspect_response(entry: &mut Entry, is_last: bool, resources: &mut Resources) {
    let now = resources.now();
    let Some(judge) = entry.route.within.clone() else {
        return entry.core.on_response_inspected(Inspected::Decided, 0, now);
    };
    let mut blocked = false;
    match read(entry, Side::Upstream, &judge, resources) {
        Ok(Some(has_ended)) => entry.has_ended = has_ended,
        Ok(None) => blocked = true,
        Err(error) => {
            let reason = reset_or_failed(Side::Upstream, Errno::from(&error));
            return entry
                .core
                .on_response_inspected(Inspected::Refused(reason), 0, now);
        }
    }
    let is_last = is_last || entry.has_ended;
    let inspected = match run(entry, &judge, &judge.rules.response, is_last) {
        Ok(verdict) => verdict.inspected(blocked),
        Err(Halt::Rejected) => Inspected::Refused(CloseReason::Rejected(RuleStage::Response)),
        Err(Halt::ServerDropped) => {
            if let Some(socket) = entry.socket(Side::Upstream) {
                // So that the close is a reset, as HAProxy has it. Should it fail, the server sees an end instead.
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
            connector::drop_upstream(entry, resources);
            return entry
                .core
                .on_server_dropped(entry.contents(Side::Upstream).len(), now);
        }
    };
    let held = entry.contents(Side::Upstream).len();
    entry.core.on_response_inspected(inspected, held, now);
}

/// The server that a rule of the pool has chosen: of the first that applies and whose server can be used.
pub(super) fn wanted(entry: &Entry, judge: &Judge) -> Option<Arc<Server>> {
    let known = Known::new(entry, judge.pools.as_deref());
    let view = View::new(&known, true);
    let servers = entry.route.pool.servers();
    judge
        .rules
        .choose_servers(&view)
        .filter_map(|index| servers.get(index))
        .find(|server| server.is_up())
        .cloned()
}

/// Reads once from that side. `None`: the socket is exhausted; true: no more is to be looked at.
fn read(
    entry: &mut Entry,
    side: Side,
    judge: &Judge,
    resources: &mut Resources,
) -> std::io::Result<Option<bool>> {
    let waiting = entry.contents(side).len();
    let Some(mut socket) = entry.socket(side) else {
        return Ok(Some(true));
    };
    let room = MOST.saturating_sub(waiting);
    if room == 0 {
        return Ok(Some(true));
    }
    let received = loop {
        match socket.read(&mut resources.scratch[..room]) {
            Ok(received) => break &resources.scratch[..received],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    };
    if received.is_empty() {
        return Ok(Some(true));
    }
    let has_ended = received.len() == room;
    match entry.holding(side.outgoing()) {
        Holding::Buffer(waiting) => waiting.extend(received, MOST),
        holding => *holding = Holding::Buffer(resources.buffers.collect(received)),
    }
    let may_search = match entry.holding(side.outgoing()) {
        Holding::Buffer(waiting) if judge.searches() => waiting.search(),
        _ => true,
    };
    Ok(Some(has_ended || !may_search))
}

/// What a list of rules has said, other than no.
#[derive(Debug, Default)]
struct Verdict {
    /// All were looked at, up to one that accepts.
    is_complete: bool,
    expects_header: bool,
}

impl Verdict {
    /// `blocked`: the socket was exhausted.
    const fn inspected(&self, blocked: bool) -> Inspected {
        match (self.is_complete, blocked) {
            (true, _) => Inspected::Decided,
            (false, true) => Inspected::WouldBlock,
            (false, false) => Inspected::Incomplete,
        }
    }
}

/// What else a rule has said.
enum Halt {
    /// The session ends.
    Rejected,
    /// The connection to the server ends.
    ServerDropped,
}

fn run(entry: &mut Entry, judge: &Judge, rules: &[Rule], is_last: bool) -> Result<Verdict, Halt> {
    let mut verdict = Verdict::default();
    let mut from = 0;
    while from < rules.len() {
        let known = Known::new(entry, judge.pools.as_deref());
        let view = View::new(&known, is_last);
        match view.next(rules, from) {
            Next::Do(Action::Accept, _) | Next::End => break,
            Next::Do(Action::Reject, _) => return Err(Halt::Rejected),
            Next::Do(Action::CloseServer, _) => return Err(Halt::ServerDropped),
            Next::NotYet => return Ok(verdict),
            Next::Do(Action::ExpectHeader, next) => {
                verdict.expects_header = true;
                from = next;
            }
            Next::Do(Action::Set(subject, expression), next) => {
                let changed = view.changed(*subject, expression);
                if let Some(address) = changed {
                    set(entry, *subject, address);
                }
                from = next;
            }
        }
    }
    verdict.is_complete = true;
    Ok(verdict)
}

fn set(entry: &mut Entry, subject: Subject, address: SocketAddr) {
    let netns = entry.route.netns.clone();
    let received = entry.received.get_or_insert_with(|| {
        Box::new(Received {
            source: None,
            destination: None,
            netns: ClientNetns::Known(netns),
            selects: false,
            unlisted: None,
            header: None,
            by_header: false,
        })
    });
    match subject {
        Subject::Source | Subject::SourcePort => received.source = Some(address),
        Subject::Destination | Subject::DestinationPort => received.destination = Some(address),
    }
}

/// What chooses a server of a pool that hashes something else than the client's address.
pub(super) fn hash(entry: &Entry, key: &Expression) -> Option<u32> {
    let known = Known::new(entry, None);
    View::new(&known, true).hash(key)
}

/// A session, as rules see it.
pub(super) struct Known<'e> {
    entry: &'e Entry,
    /// Of the plan, where they are asked about.
    pools: &'e [Arc<Pool>],
    /// Asking for it is a system call.
    destination: OnceCell<Option<SocketAddr>>,
}

impl<'e> Known<'e> {
    pub(super) fn new(entry: &'e Entry, pools: Option<&'e [Arc<Pool>]>) -> Self {
        Self {
            entry,
            pools: pools.unwrap_or_default(),
            destination: OnceCell::new(),
        }
    }
}

impl Facts for Known<'_> {
    fn source(&self) -> Option<SocketAddr> {
        self.entry.client()
    }

    fn destination(&self) -> Option<SocketAddr> {
        *self.destination.get_or_init(|| self.entry.destination())
    }

    fn is_local(&self, ip: IpAddr) -> Option<bool> {
        self.entry.route.routes.as_ref()?.is_local(ip)
    }

    fn header(&self) -> Option<&[u8]> {
        self.entry.received.as_ref()?.header.as_deref()
    }

    fn has_header(&self) -> bool {
        self.entry
            .received
            .as_ref()
            .is_some_and(|received| received.by_header)
    }

    fn relay(&self) -> &str {
        &self.entry.route.relay
    }

    fn netns(&self) -> Option<String> {
        self.entry.client_netns().map(ToString::to_string)
    }

    fn contents(&self, side: Side) -> Option<&[u8]> {
        Some(self.entry.contents(side))
    }

    fn has_ended(&self) -> bool {
        self.entry.has_ended
    }

    fn random(&self) -> u32 {
        // The keys of a hasher are random, and others for each.
        u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)
    }

    fn sessions(&self) -> usize {
        self.entry.route.gate.as_ref().map_or(0, |gate| gate.inside())
    }

    fn pool(&self, index: usize) -> PoolLoad {
        self.pools
            .get(index)
            .map(|pool| pool.standing())
            .unwrap_or_default()
    }

    fn server(&self, index: ServerIndex) -> ServerLoad {
        let pool = self.pools.get(index.pool);
        pool.map(|pool| pool.server(index.server)).unwrap_or_default()
    }

    fn listener_number(&self) -> u32 {
        self.entry.route.number
    }

    fn listener_name(&self) -> Option<&str> {
        self.entry.route.name.as_deref()
    }

    fn server_source(&self) -> Option<SocketAddr> {
        self.entry.source()
    }

    fn server_address(&self) -> Option<SocketAddr> {
        self.entry.server_address()
    }

    fn server_netns(&self) -> Option<String> {
        let netns = self.entry.server.as_ref()?.netns.as_ref()?;
        Some(netns.to_string())
    }

    fn pool_name(&self) -> Option<&str> {
        self.entry.has_pool().then_some(&*self.entry.route.pool.name)
    }

    fn server_name(&self) -> Option<&str> {
        self.entry.server.as_ref().map(|chosen| &*chosen.server.name)
    }
}
