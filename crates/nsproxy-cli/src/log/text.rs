//! A format filled in with what is known of a session: lines of the log, identifiers, values of TLVs.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use nsproxy_config::model::Format;
use nsproxy_engine::rules::{Expression, Value};
use nsproxy_engine::{CloseReason, Compose, SessionFacts, UNIQUE_ID_LEN};
use nsproxy_log::{Clock, Record, Template, Values};

use super::codes;
use crate::plan::NOWHERE;
use crate::rules::{Pools, expression};

thread_local! {
    /// Kept from text to text, so that few allocate.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    clock: Clock,
    unique_id: String,
}

/// A format, and where the values of its expressions come from.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    template: Template,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    /// They are among those that the plan says are logged, from this index on.
    Logged(usize),
    /// They are asked for when they are needed.
    Asked(Vec<Expression>),
}

impl Text {
    /// A format of the frontend whose expressions are logged, from this index on.
    pub(crate) fn logged(format: &Format, from: usize) -> Self {
        Self {
            template: format.template().clone(),
            source: Source::Logged(from),
        }
    }

    /// A format for the header of a server.
    pub(crate) fn asked(format: &Format, pools: &Pools<'_>) -> Self {
        let expressions = format.expressions().iter();
        Self {
            template: format.template().clone(),
            source: Source::Asked(expressions.map(|written| expression(written, pools)).collect()),
        }
    }

    fn render(&self, record: &Record<'_>, facts: &SessionFacts<'_>, clock: &mut Clock, out: &mut Vec<u8>) {
        let source = &self.source;
        self.template.render(record, &Of { facts, source }, clock, out);
    }
}

/// The values of a session.
struct Of<'f> {
    facts: &'f SessionFacts<'f>,
    source: &'f Source,
}

impl Values for Of<'_> {
    fn value(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        let value = match self.source {
            Source::Logged(from) => self.facts.logged(from + index),
            Source::Asked(expressions) => self.facts.value(expressions.get(index)?),
        };
        value.map(|value| match value {
            Value::Bytes(bytes) => bytes,
            other => Cow::Owned(other.text().into_owned()),
        })
    }
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
    pub(super) unique_id: Option<&'a Text>,
}

/// Fills in each of these formats, and appends it to the text beside it.
pub(super) fn fill_in(formats: &mut [(&Text, &mut Vec<u8>)], facts: &SessionFacts<'_>, around: Around<'_>) {
    let connect = facts.connect();
    let [server_queue, backend_queue] = facts.queue_numbers();
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { clock, unique_id } = scratch;
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
        if formats.iter().any(|(format, _)| format.template.has_unique_id()) {
            unique_id.clear();
            match (facts.unique_id(), around.unique_id) {
                (Some(known), _) => unique_id.push_str(&String::from_utf8_lossy(known)),
                (None, Some(format)) => {
                    let mut id = Vec::new();
                    let whole = Record {
                        is_early: false,
                        ..record
                    };
                    format.render(&whole, facts, clock, &mut id);
                    id.truncate(UNIQUE_ID_LEN);
                    unique_id.push_str(&String::from_utf8_lossy(&id));
                }
                (None, None) => {}
            }
            record.unique_id = Some(unique_id).filter(|id| !id.is_empty()).map(|id| &**id);
        }
        for (format, out) in formats {
            format.render(&record, facts, clock, out);
        }
    });
}

/// A format that the engine fills in for the headers of servers.
#[derive(Debug)]
pub(crate) struct SessionText {
    text: Text,
    host: Arc<str>,
}

impl SessionText {
    pub(crate) fn shared(text: Text, host: Arc<str>) -> Arc<dyn Compose> {
        Arc::new(Self { text, host })
    }
}

impl Compose for SessionText {
    fn compose(&self, facts: &SessionFacts<'_>, out: &mut Vec<u8>) {
        let around = Around {
            host: &self.host,
            ..Around::default()
        };
        fill_in(&mut [(&self.text, out)], facts, around);
    }

    fn expressions(&self) -> &[Expression] {
        match &self.text.source {
            // The plan knows of them.
            Source::Logged(_) => &[],
            Source::Asked(expressions) => expressions,
        }
    }
}
