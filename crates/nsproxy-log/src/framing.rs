//! What is put around a message: the values of `format` on HAProxy's `log` lines.

use std::time::SystemTime;

use crate::clock::{Clock, put};
use crate::severity::{Facility, Level};

/// Bytes of a line at most, unless `len` says otherwise.
pub const DEFAULT_LEN: usize = 1024;

/// A value of `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// `<134>Nov 22 06:37:55 tag[pid]: message`: RFC 3164 without the host, for the syslog daemon of this host.
    Local,
    /// `<134>Nov 22 06:37:55 host tag[pid]: message`.
    Rfc3164,
    /// `<134>1 2026-11-22T06:37:55.677844+00:00 host tag pid - structured-data message`.
    Rfc5424,
    /// `<134>message`.
    Priority,
    /// `<6>message`, the level alone: what systemd's journal reads from standard error.
    Short,
    /// `<6>2026-11-22T06:37:55.677844+00:00 message`.
    Timed,
    /// `2026-11-22T06:37:55.677844+00:00 message`.
    Iso,
    /// `message`.
    Raw,
}

impl Framing {
    /// Every name that [`Framing::from_name`] knows.
    pub const NAMES: &'static [&'static str] = &[
        "local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw",
    ];

    /// The framing of this name, as HAProxy's `log` lines spell it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "local" => Self::Local,
            "rfc3164" => Self::Rfc3164,
            "rfc5424" => Self::Rfc5424,
            "priority" => Self::Priority,
            "short" => Self::Short,
            "timed" => Self::Timed,
            "iso" => Self::Iso,
            "raw" => Self::Raw,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Rfc3164 => "rfc3164",
            Self::Rfc5424 => "rfc5424",
            Self::Priority => "priority",
            Self::Short => "short",
            Self::Timed => "timed",
            Self::Iso => "iso",
            Self::Raw => "raw",
        }
    }
}

/// Who logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `log-tag`: the name of the program.
    pub tag: String,
    /// `log-send-hostname`: the name of the host; without one, what HAProxy puts in its place.
    pub host: Option<String>,
    /// The number of the process.
    pub pid: u32,
}

impl Identity {
    /// This process, called `tag`, on a host without name.
    pub fn new(tag: impl Into<String>) -> Self {
        Self {
            tag: tag.into(),
            host: None,
            pid: std::process::id(),
        }
    }
}

/// How the lines of one target look.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) framing: Framing,
    pub(crate) facility: Facility,
    pub(crate) max_len: usize,
    pub(crate) identity: Identity,
}

/// A message to be framed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) level: Level,
    pub(crate) time: SystemTime,
    /// Structured data of RFC 5424; may be empty.
    pub(crate) data: &'a [u8],
    pub(crate) text: &'a [u8],
}

impl Frame {
    /// Appends a line to `out`, newline included. It has at most `max_len` bytes before the newline, of which no other one
    /// and no NUL is left: a message is one line, whatever was in it.
    pub(crate) fn write(&self, message: &Message<'_>, clock: &mut Clock, out: &mut Vec<u8>) {
        let start = out.len();
        self.header(message, clock, out);
        out.extend_from_slice(message.text);
        out.truncate(start.saturating_add(self.max_len));
        for byte in &mut out[start..] {
            if matches!(byte, b'\n' | b'\r' | 0) {
                *byte = b' ';
            }
        }
        out.push(b'\n');
    }

    fn header(&self, message: &Message<'_>, clock: &mut Clock, out: &mut Vec<u8>) {
        let Identity { tag, host, pid } = &self.identity;
        let (level, time) = (message.level, message.time);
        let priority = self.facility.priority(level);
        match self.framing {
            Framing::Raw => {}
            Framing::Priority => put(out, format_args!("<{priority}>")),
            Framing::Short => put(out, format_args!("<{}>", level as u8)),
            Framing::Timed => {
                put(out, format_args!("<{}>", level as u8));
                clock.rfc5424(time, out);
                out.push(b' ');
            }
            Framing::Iso => {
                clock.rfc5424(time, out);
                out.push(b' ');
            }
            Framing::Local | Framing::Rfc3164 => {
                put(out, format_args!("<{priority}>"));
                clock.rfc3164(time, out);
                out.push(b' ');
                if self.framing == Framing::Rfc3164 {
                    put(out, format_args!("{} ", host.as_deref().unwrap_or("localhost")));
                }
                put(out, format_args!("{tag}[{pid}]: "));
            }
            Framing::Rfc5424 => {
                put(out, format_args!("<{priority}>1 "));
                clock.rfc5424(time, out);
                let host = host.as_deref().unwrap_or("-");
                put(out, format_args!(" {host} {tag} {pid} - "));
                out.extend_from_slice(if message.data.is_empty() {
                    b"-"
                } else {
                    message.data
                });
                out.push(b' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// With the digits of the date, which depends on the zone, replaced.
    fn framed(framing: Framing, host: Option<&str>, data: &str, text: &str, max_len: usize) -> String {
        let frame = Frame {
            framing,
            facility: Facility::LOCAL0,
            max_len,
            identity: Identity {
                tag: "tg".to_owned(),
                host: host.map(str::to_owned),
                pid: 7,
            },
        };
        let message = Message {
            level: Level::Info,
            time: UNIX_EPOCH + Duration::from_micros(1_795_329_475_677_844),
            data: data.as_bytes(),
            text: text.as_bytes(),
        };
        let mut out = Vec::new();
        frame.write(&message, &mut Clock::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The lines of HAProxy 2.6.12, from a run in UTC; `DATE` is what depends on the zone.
    #[test]
    fn every_framing_is_haproxys() {
        let mut iso = Vec::new();
        let mut old = Vec::new();
        let time = UNIX_EPOCH + Duration::from_micros(1_795_329_475_677_844);
        Clock::default().rfc5424(time, &mut iso);
        Clock::default().rfc3164(time, &mut old);
        let [iso, old] = [iso, old].map(|bytes| String::from_utf8(bytes).unwrap());
        let line = |framing| framed(framing, None, "[ex@1 a=\"b\"]", "abc", DEFAULT_LEN);
        assert_eq!(line(Framing::Local), format!("<134>{old} tg[7]: abc\n"));
        assert_eq!(
            line(Framing::Rfc3164),
            format!("<134>{old} localhost tg[7]: abc\n")
        );
        assert_eq!(
            line(Framing::Rfc5424),
            format!("<134>1 {iso} - tg 7 - [ex@1 a=\"b\"] abc\n")
        );
        assert_eq!(line(Framing::Priority), "<134>abc\n");
        assert_eq!(line(Framing::Short), "<6>abc\n");
        assert_eq!(line(Framing::Timed), format!("<6>{iso} abc\n"));
        assert_eq!(line(Framing::Iso), format!("{iso} abc\n"));
        assert_eq!(line(Framing::Raw), "abc\n");
    }

    #[test]
    fn a_host_and_no_structured_data_are_shown_as_such() {
        assert!(framed(Framing::Rfc3164, Some("vm"), "", "abc", 99).contains(" vm tg[7]: abc"));
        assert!(framed(Framing::Rfc5424, Some("vm"), "", "abc", 99).contains(" vm tg 7 - - abc"));
    }

    #[test]
    fn the_length_counts_the_header_and_not_the_newline() {
        let line = framed(Framing::Rfc3164, None, "", &"0123456789".repeat(20), 90);
        assert_eq!(line.len(), 91);
        assert!(line.ends_with('\n'));
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        assert_eq!(framed(Framing::Raw, None, "", "a\r\nb\0c", 99), "a  b c\n");
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for name in Framing::NAMES {
            assert_eq!(Framing::from_name(name).unwrap().name(), *name);
        }
    }
}
