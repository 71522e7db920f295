//! A format filled in with what is known of a session: lines of the log, identifiers, values of TLVs.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use netns_core::NetnsSpec;
use nsproxy_engine::{CloseReason, Compose, SessionFacts, UNIQUE_ID_LEN};
use nsproxy_log::{Clock, Record, Template};

use super::codes;
use crate::plan::NOWHERE;

thread_local! {
    /// Kept from text to text, so that few allocate.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    clock: Clock,
    /// Of the client and of the server.
    netns: [String; 2],
    unique_id: String,
}

/// What formats are filled in with that no session knows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// Why it has ended; without a reason it goes on.
    pub(super) reason: Option<CloseReason>,
    /// `option logasap`: HAProxy marks all lines of such a frontend, whenever they are written.
    pub(super) is_early: bool,
    pub(super) host: &'a str,
    /// Lines of the frontend before this one.
    pub(super) lines: u64,
    /// What gives the session an identifier, unless it has one.
    pub(super) unique_id: Option<&'a Template>,
}

/// Fills in each of these formats, and appends it to the text beside it.
pub(super) fn fill_in(
    formats: &mut [(&Template, &mut Vec<u8>)],
    facts: &SessionFacts<'_>,
    around: Around<'_>,
) {
    let connect = facts.connect();
    let [server_queue, backend_queue] = facts.queue_numbers();
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch {
            clock,
            netns: [client_netns, server_netns],
            unique_id,
        } = scratch;
        let mut record = Record {
            frontend: facts.relay(),
            // Without a backend, or before it is chosen, HAProxy names the frontend again.
            backend: Some(facts.pool())
                .filter(|pool| *pool != NOWHERE && facts.has_pool())
                .unwrap_or_else(|| facts.relay()),
            server: facts.server(),
            client: facts.client(),
            frontend_address: facts.destination(),
            backend_address: facts.source(),
            server_address: facts.upstream(),
            client_netns: name(facts.client_netns(), client_netns),
            server_netns: name(facts.upstream_netns(), server_netns),
            accepted: facts.accepted(),
            handshake: facts.handshake().unwrap_or_default(),
            queued: facts.queued(),
            connect,
            total: facts.elapsed(),
            bytes_up: facts.received(),
            bytes_down: facts.answered(),
            termination: around.reason.map_or(*b"--", |reason| {
                codes::termination(reason, facts.queued().is_some(), connect.is_some())
            }),
            is_early: around.is_early,
            process_sessions: facts.sessions(),
            frontend_sessions: facts.relay_sessions(),
            backend_sessions: facts.pool_sessions(),
            server_sessions: facts.server_sessions(),
            retries: facts.retries().into(),
            redispatched: facts.was_redispatched(),
            server_queue,
            backend_queue,
            unique_id: None,
            number: facts.number(),
            host: around.host,
            lines: around.lines,
        };
        if formats.iter().any(|(format, _)| format.has_unique_id()) {
            unique_id.clear();
            match (facts.unique_id(), around.unique_id) {
                (Some(known), _) => unique_id.push_str(&String::from_utf8_lossy(known)),
                (None, Some(format)) => {
                    let mut id = Vec::new();
                    format.render(
                        &Record {
                            is_early: false,
                            ..record
                        },
                        clock,
                        &mut id,
                    );
                    id.truncate(UNIQUE_ID_LEN);
                    unique_id.push_str(&String::from_utf8_lossy(&id));
                }
                (None, None) => {}
            }
            record.unique_id = Some(unique_id).filter(|id| !id.is_empty()).map(|id| &**id);
        }
        for (format, out) in formats {
            format.render(&record, clock, out);
        }
    });
}

/// A format that the engine fills in for the headers of servers.
#[derive(Debug)]
pub(crate) struct SessionText {
    format: Template,
    host: Arc<str>,
}

impl SessionText {
    pub(crate) fn shared(format: Template, host: Arc<str>) -> Arc<dyn Compose> {
        Arc::new(Self { format, host })
    }
}

impl Compose for SessionText {
    fn compose(&self, facts: &SessionFacts<'_>, out: &mut Vec<u8>) {
        let around = Around {
            host: &self.host,
            ..Around::default()
        };
        fill_in(&mut [(&self.format, out)], facts, around);
    }
}

/// A namespace as it is configured, written to `out`.
fn name<'a>(netns: Option<&NetnsSpec>, out: &'a mut String) -> Option<&'a str> {
    out.clear();
    // A string takes everything.
    let _ = write!(out, "{}", netns?);
    Some(out)
}
