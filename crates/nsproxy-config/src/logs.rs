//! Where a configuration sends its log, and what it writes there.

use std::fmt;

use nsproxy_log::{Address, Facility, Framing, Level, Template};
use serde::Serialize;

use crate::model::Expression;
use crate::{json, quote};

/// One `log` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Where to.
    pub address: Address,
    /// `len`: bytes of a line at most, 80 to 65535.
    pub max_len: usize,
    /// `format`. `None`: `local`, or `rfc3164` with `log-send-hostname`.
    pub framing: Option<Framing>,
    /// Who the messages are from, to syslog.
    pub facility: Facility,
    /// Less severe messages are left out.
    pub level: Level,
    /// More severe messages are sent as this one.
    pub min_level: Level,
}

/// As the line is written, without `log`.
impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Stdout => f.write_str("stdout")?,
            Address::Stderr => f.write_str("stderr")?,
            Address::Fd(fd) => write!(f, "fd@{fd}")?,
            Address::Udp(address) => write!(f, "{address}")?,
            Address::Unix(path) => {
                let prefix = if path.has_root() { "" } else { "unix@" };
                f.write_str(&quote(&format!("{prefix}{}", path.display())))?;
            }
        }
        write!(f, " len {}", self.max_len)?;
        if let Some(framing) = self.framing {
            write!(f, " format {}", framing.name())?;
        }
        let (facility, level, min_level) = (self.facility.name(), self.level.name(), self.min_level.name());
        write!(f, " {facility} {level} {min_level}")
    }
}

/// A text about a session: of a log, an identifier or a TLV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    template: Template,
    expressions: Vec<Expression>,
}

impl Format {
    /// Of the expressions of the template, in their order.
    pub(crate) const fn new(template: Template, expressions: Vec<Expression>) -> Self {
        Self {
            template,
            expressions,
        }
    }

    /// The text, with its variables.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What stands in its `%[...]`, in order.
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }
}

/// As it was written.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.template.fmt(f)
    }
}

/// What a frontend logs of its sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Logging {
    /// `log` lines, with those of `global` where it says `log global`. Without one, nothing is written by the settings below.
    #[serde(serialize_with = "json::texts")]
    pub targets: Vec<LogTarget>,
    /// `log-tag`. `None`: that of `global`.
    pub tag: Option<String>,
    /// `option tcplog` or `log-format`: the line of a session that has ended. `None`: one line when a session begins.
    #[serde(serialize_with = "json::optional_text")]
    pub line: Option<Format>,
    /// `log-format-sd`: structured data of RFC 5424.
    #[serde(serialize_with = "json::optional_text")]
    pub data: Option<Format>,
    /// `unique-id-format`: what a session is called, `%ID`.
    #[serde(serialize_with = "json::optional_text")]
    pub unique_id: Option<Format>,
    /// `option dontlognull`: not of sessions in which the client sent nothing.
    pub not_null: bool,
    /// `option dontlog-normal`: not of sessions that ended well.
    pub not_normal: bool,
    /// `option logasap`: when the connection to the server is there, not when the session ends.
    pub as_soon_as_possible: bool,
}
