//! Why a session ended: one enum for the log, the counters and the tests.

use super::side::Side;
use proxy_proto::Invalid;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both directions ended and every byte was delivered.
    Finished,
    /// The peer's PROXY header breaks the specification.
    HeaderInvalid(Invalid),
    /// The peer's PROXY header is longer than this engine takes; the length that it announced.
    HeaderTooLong(usize),
    /// The client ended the connection before its PROXY header was complete; the bytes that had come.
    HeaderAborted(usize),
    /// The PROXY header did not come in time.
    HeaderTimeout,
    /// The PROXY header names a namespace that may not be selected, and the server follows the client's namespace, or the
    /// listener requires one that may.
    NetnsRefused,
    /// The PROXY header selects no namespace, and the listener requires it.
    NetnsMissing,
    /// The PROXY header names two different namespaces.
    NetnsAmbiguous,
    /// A rule has rejected the connection.
    Rejected(RuleStage),
    /// The pool has no server that can be used.
    NoServer,
    /// No server had room in time.
    QueueTimeout,
    /// As many sessions wait for the client's server as may.
    QueueFull,
    /// The server's address is the client's destination, and the client has none (a unix socket).
    NoDestination,
    /// The server's port is so far from the one that the client connected to that it is none.
    NoPort,
    /// The connection to the server would lead back to this listener, or to another one that it has come through.
    Loop,
    /// The client's address was to be the source, and the client has none, or one of another family.
    NoSource,
    /// No port is free of those that connections to the server come from.
    NoSourcePort,
    /// The PROXY header for the server could not be written: what it is to carry does not fit.
    HeaderUnwritable,
    /// The opener could not make the upstream socket.
    SocketFailed(Errno),
    /// The upstream connection was refused or failed.
    ConnectFailed(Errno),
    /// The upstream connection was not established in time.
    ConnectTimeout,
    /// Nothing moved on that side for as long as its timeout allows.
    IdleTimeout(Side),
    /// That side reset the connection; the other side was reset, too.
    Reset(Side),
    /// A system call on that side's socket failed.
    Failed(Side, Errno),
    /// The server was found to be down, and its sessions end with it.
    ServerDown,
    /// A server is up again, and the sessions of its backups end for it.
    ServerUp,
    /// The namespace of that side's connection was removed, and the session has had its time.
    NetnsRemoved(Side),
    /// An administrator has ended it.
    Killed,
    /// The engine was stopped, or the drain deadline passed.
    Stopped,
}

impl CloseReason {
    /// Whether the surviving connection must end by a reset: bytes may be missing, and the peer has to be able to see it. Who
    /// is rejected at once is reset too, which leaves nothing behind on this host.
    pub const fn aborts(self) -> bool {
        matches!(
            self,
            Self::Reset(_)
                | Self::Failed(..)
                | Self::IdleTimeout(_)
                | Self::ServerDown
                | Self::ServerUp
                | Self::NetnsRemoved(_)
                | Self::Killed
                | Self::Stopped
                | Self::Rejected(RuleStage::Connection)
        )
    }

    /// Whether the client's PROXY header was at fault.
    pub const fn is_header_refused(self) -> bool {
        matches!(
            self,
            Self::HeaderInvalid(_)
                | Self::HeaderTooLong(_)
                | Self::HeaderAborted(_)
                | Self::HeaderTimeout
                | Self::NetnsAmbiguous
                | Self::NetnsMissing
        )
    }

    /// Whether no upstream connection came about.
    pub const fn is_upstream_failure(self) -> bool {
        matches!(
            self,
            Self::NoServer
                | Self::QueueTimeout
                | Self::QueueFull
                | Self::NoDestination
                | Self::NoPort
                | Self::Loop
                | Self::NoSource
                | Self::NoSourcePort
                | Self::HeaderUnwritable
                | Self::SocketFailed(_)
                | Self::ConnectFailed(_)
                | Self::ConnectTimeout
        )
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::HeaderInvalid(invalid) => invalid.fmt(f),
            Self::HeaderTooLong(length) => write!(f, "PROXY header of {length} bytes is too long"),
            Self::HeaderAborted(0) => f.write_str("closed by the client before any PROXY header"),
            Self::HeaderAborted(bytes) => {
                write!(
                    f,
                    "closed by the client after {bytes} bytes of an unfinished PROXY header"
                )
            }
            Self::HeaderTimeout => f.write_str("no complete PROXY header in time"),
            Self::NetnsRefused => f.write_str("the PROXY header names a namespace that it may not select"),
            Self::NetnsMissing => f.write_str("the PROXY header names no namespace"),
            Self::NetnsAmbiguous => f.write_str("the PROXY header names two different namespaces"),
            Self::Rejected(stage) => write!(f, "rejected by a rule about the {stage}"),
            Self::NoServer => f.write_str("the backend has no server that can be used"),
            Self::QueueTimeout => f.write_str("no server had room in time"),
            Self::QueueFull => f.write_str("too many sessions wait for the server"),
            Self::NoDestination => {
                f.write_str("the server takes the client's destination address, and a unix socket has none")
            }
            Self::NoPort => f.write_str("the server's port, relative to the client's, is none"),
            Self::Loop => {
                f.write_str("the connection would lead back to a listener that it has come through")
            }
            Self::NoSource => f.write_str("the client's address cannot be the source of this connection"),
            Self::NoSourcePort => {
                f.write_str("no port is free of those that connections to the server come from")
            }
            Self::HeaderUnwritable => {
                f.write_str("what the server is to be told does not fit into a PROXY header")
            }
            Self::SocketFailed(errno) => write!(f, "no socket for the server: {errno}"),
            Self::ConnectFailed(errno) => write!(f, "connection to the server failed: {errno}"),
            Self::ConnectTimeout => f.write_str("connection to the server timed out"),
            Self::IdleTimeout(side) => write!(f, "{side} idle for too long"),
            Self::Reset(side) => write!(f, "reset by the {side}"),
            Self::Failed(side, errno) => write!(f, "{side} connection failed: {errno}"),
            Self::ServerDown => f.write_str("the server is down"),
            Self::ServerUp => f.write_str("the server that this one stands in for is up again"),
            Self::NetnsRemoved(side) => write!(f, "the namespace of the {side} was removed"),
            Self::Killed => f.write_str("ended by an administrator"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// What a rule was about that has rejected a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleStage {
    /// The connection as it was accepted.
    Connection,
    /// The connection with what its PROXY header says.
    Session,
    /// What the client has sent.
    Content,
    /// What the server has sent.
    Response,
}

impl std::fmt::Display for RuleStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Session => "session",
            Self::Content => "content",
            Self::Response => "response",
        })
    }
}

/// A system error number, kept as a number so that a reason stays small and can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// Whether it says that the peer has reset the connection: `ECONNRESET` from a read, `EPIPE` from a later write.
    pub fn is_reset(self) -> bool {
        let kind = std::io::Error::from_raw_os_error(self.0).kind();
        matches!(
            kind,
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
        )
    }
}

impl From<&std::io::Error> for Errno {
    fn from(error: &std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(0))
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0))
    }
}
