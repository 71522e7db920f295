//! What one check has found, in HAProxy's words.

use std::fmt;
use std::time::Duration;

/// How a check has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckResult {
    /// There was no socket for it: its namespace is missing, or its source address.
    SocketError,
    /// The connection was established, and that was all.
    Layer4Passed,
    /// The connection was not established in time.
    Layer4Timeout,
    /// The connection was refused or failed.
    Layer4Failed,
    /// The server answered as it should.
    Layer7Passed,
    /// It did not answer in time.
    Layer7Timeout,
    /// It answered something else, or ended the connection.
    Layer7Invalid,
    /// No check: too many connections of sessions have failed.
    Observed,
}

impl CheckResult {
    /// Whether the server is well.
    pub const fn is_passed(self) -> bool {
        matches!(self, Self::Layer4Passed | Self::Layer7Passed)
    }

    /// HAProxy's abbreviation, as in its statistics: `L4OK`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SocketError => "SOCKERR",
            Self::Layer4Passed => "L4OK",
            Self::Layer4Timeout => "L4TOUT",
            Self::Layer4Failed => "L4CON",
            Self::Layer7Passed => "L7OK",
            Self::Layer7Timeout => "L7TOUT",
            Self::Layer7Invalid => "L7RSP",
            Self::Observed => "HANA",
        }
    }
}

impl fmt::Display for CheckResult {
    /// HAProxy's words, as in its log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SocketError => "Socket error",
            Self::Layer4Passed => "Layer4 check passed",
            Self::Layer4Timeout => "Layer4 timeout",
            Self::Layer4Failed => "Layer4 connection problem",
            Self::Layer7Passed => "Layer7 check passed",
            Self::Layer7Timeout => "Layer7 timeout",
            Self::Layer7Invalid => "Layer7 invalid response",
            Self::Observed => "Health analyze",
        })
    }
}

/// One check, or what stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// How it has ended.
    pub result: CheckResult,
    /// More about that, for people; often nothing.
    pub info: String,
    /// From its beginning to its end; none of what was no check.
    pub duration: Option<Duration>,
}

impl fmt::Display for CheckReport {
    /// `Layer4 connection problem, info: "Connection refused", check duration: 0ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            result,
            info,
            duration,
        } = self;
        write!(f, "{result}")?;
        if matches!(result, CheckResult::Layer7Passed) {
            // HAProxy has a place for a status of HTTP or SMTP here.
            f.write_str(", code: 0")?;
        }
        if !info.is_empty() {
            write!(f, ", info: \"{info}\"")?;
        }
        match duration {
            Some(duration) => write!(f, ", check duration: {}ms", duration.as_millis()),
            None => Ok(()),
        }
    }
}
