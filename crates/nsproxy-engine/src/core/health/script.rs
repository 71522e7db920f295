//! What one check does: a connection, and what is said on it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use crate::core::bytes::{find, hexadecimal};
use crate::core::expressions::Expressions;
use crate::plan::{Endpoint, HeaderPlan};

/// The steps of a check. The first one is always a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    steps: Arc<[Step]>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What a person would call it by, counting from 1.
    pub number: usize,
    /// What is done.
    pub action: Action,
    /// What to say when it fails.
    pub comment: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes a connection; the one before is closed.
    Connect(Connect),
    /// Sends these bytes. What was received so far is forgotten.
    Send(Vec<u8>),
    /// Waits for the server to say something.
    Expect(Expect),
}

/// A connection of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Where it goes.
    pub to: Destination,
    /// The PROXY header that it begins with.
    pub send_header: Option<HeaderPlan>,
    /// Whether the step itself says which port, so that messages name it.
    pub names_port: bool,
    /// Whether it is closed in an orderly way at its end; else it is reset, which leaves nothing behind.
    pub linger: bool,
}

impl Connect {
    /// There, without a header; reset at its end.
    pub const fn new(to: Destination) -> Self {
        Self {
            to,
            send_header: None,
            names_port: false,
            linger: false,
        }
    }
}

/// Where a connection of a check goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// There.
    At(Endpoint),
    /// To the server, wherever that is at that moment.
    Server {
        /// Instead of its own address; one that takes it from the client has none.
        address: Option<IpAddr>,
        /// Instead of its own port, in the same way.
        port: Option<u16>,
    },
}

impl Destination {
    /// Its port; none of a unix socket.
    const fn port(&self) -> Option<u16> {
        match self {
            Self::At(Endpoint::Ip(address)) => Some(address.port()),
            Self::At(Endpoint::Unix(_) | Endpoint::Inherited(_)) => None,
            Self::Server { port, .. } => *port,
        }
    }
}

/// What the server is expected to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// What is looked for in all that was received since the last bytes were sent.
    pub pattern: Pattern,
    /// Whether it must not be found.
    pub negated: bool,
    /// Bytes to be received before it is looked for. Not to find it is conclusive then; with `None`, more is waited for.
    pub min_received: Option<usize>,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// These bytes, as text; anywhere.
    Text(Vec<u8>),
    /// These bytes, given in hexadecimal; anywhere.
    Bytes(Vec<u8>),
    /// An expression.
    Regex(Expressions),
    /// An expression for the hexadecimal form, in capital letters.
    HexRegex(Expressions),
}

impl Script {
    /// Connects, and does nothing else, without a step that anybody has asked for.
    pub fn connect(first: Connect) -> Self {
        Self::new(first, 0, None, Vec::new())
    }

    /// Connects and goes on with these steps. The connection is the step with that `number`; 0 where nobody has asked for it.
    pub fn new(first: Connect, number: usize, comment: Option<String>, rest: Vec<Step>) -> Self {
        let first = Step {
            number,
            action: Action::Connect(first),
            comment,
        };
        Self {
            steps: std::iter::once(first).chain(rest).collect(),
        }
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether it does nothing but to connect, and nobody has asked for a step.
    pub(super) fn is_plain(&self) -> bool {
        self.steps.len() == 1 && self.steps.iter().all(|step| step.number == 0)
    }

    /// Where a check was that took too long: ` at step 4 of tcp-check (expect string 'ABC')`.
    pub(super) fn place(&self, index: usize) -> String {
        let Some(step) = self.steps.get(index).filter(|_| !self.is_plain()) else {
            return String::new();
        };
        if step.number == 0 {
            return " at initial connection step of tcp-check".to_owned();
        }
        let mut place = format!(" at step {} of tcp-check", step.number);
        match &step.action {
            Action::Connect(connect) => match connect.to.port().filter(|_| connect.names_port) {
                Some(port) => _ = write!(place, " (connect port {port})"),
                None => place.push_str(" (connect)"),
            },
            Action::Send(_) => place.push_str(" (send)"),
            Action::Expect(expect) => _ = write!(place, " (expect {})", expect.pattern.shown()),
        }
        if let Some(comment) = &step.comment {
            _ = write!(place, " comment: '{comment}'");
        }
        place
    }
}

impl Expect {
    /// Why it is not fulfilled, by an answer that `is_empty` or not.
    pub(super) fn fault(&self, number: usize, comment: Option<&str>, is_empty: bool) -> String {
        let content = self.pattern.content();
        let what = match (is_empty, self.negated) {
            (true, _) => "got an empty response".to_owned(),
            (false, true) => format!("matched unwanted content{content}"),
            (false, false) => format!("did not match content{content}"),
        };
        let mut fault = format!("TCPCHK {what} at step {number}");
        if let Some(comment) = comment {
            _ = write!(fault, " comment: {comment}");
        }
        fault
    }
}

impl Pattern {
    /// Fewest bytes that can have it.
    pub(super) fn least(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len(),
            Self::Regex(_) | Self::HexRegex(_) => 0,
        }
    }

    /// Whether it is in there.
    pub(super) fn is_in(&self, received: &[u8]) -> bool {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => find(received, bytes).is_some(),
            Self::Regex(regex) => regex.is_in(received),
            Self::HexRegex(regex) => regex.is_in(hexadecimal(received).as_bytes()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(bytes) => format!("string '{}'", bytes.escape_ascii()),
            Self::Bytes(bytes) => format!("binary '{}'", hexadecimal(bytes)),
            Self::Regex(_) => "regex".to_owned(),
            Self::HexRegex(_) => "binary regex".to_owned(),
        }
    }

    fn content(&self) -> String {
        match self {
            Self::Text(bytes) => format!(" '{}'", bytes.escape_ascii()),
            Self::Bytes(_) => " (binary)".to_owned(),
            Self::Regex(_) => " (regex)".to_owned(),
            Self::HexRegex(_) => " (binary regex)".to_owned(),
        }
    }
}
