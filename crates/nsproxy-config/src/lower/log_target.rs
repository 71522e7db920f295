//! A `log` line: `TARGET [len N] [format F] FACILITY [LEVEL [MINLEVEL]]`.

use std::net::{Ipv4Addr, SocketAddr};

use nsproxy_log::{Address, DEFAULT_LEN, Facility, Framing, Level};

use super::args::Args;
use super::sink::{Sink, list, report_address, shown};
use crate::model::{BindAddress, LogTarget};
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::{address, number};

/// The port of syslog servers.
const SYSLOG_PORT: u16 = 514;

/// What follows `log`. `None` when there was an error.
pub(super) fn parse(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<LogTarget> {
    let word = args.need("log", "a target", sink)?;
    let address = target_address(word, sink)?;
    let mut max_len = DEFAULT_LEN;
    let mut framing = None;
    let facility = loop {
        let word = args.need("log", "a facility", sink)?;
        match &*word.text {
            "len" => {
                let length = args.need("len", "a number", sink)?;
                match number::parse(&length.text, &(80..=65_535)) {
                    Ok(length) => max_len = length as usize,
                    Err(error) => {
                        sink.error(length.span, error.to_string());
                        return None;
                    }
                }
            }
            "format" => {
                let name = args.need("format", "a format", sink)?;
                framing = Some(known(
                    name,
                    "log format",
                    Framing::from_name,
                    Framing::NAMES,
                    sink,
                )?);
            }
            "sample" | "profile" => {
                let message = format!("nsproxy does not support `log ... {}`", shown(word));
                let help = "each message goes to each target; remove it, or let the syslog daemon choose";
                sink.push(Diagnostic::error(word.span, message).with_help(help));
                return None;
            }
            _ => break known(word, "facility", Facility::from_name, Facility::NAMES, sink)?,
        }
    };
    let mut levels = [Level::Debug, Level::Emerg];
    for level in &mut levels {
        let Some(word) = args.next() else { break };
        *level = known(word, "level", Level::from_name, Level::NAMES, sink)?;
    }
    args.finish(sink);
    let [level, min_level] = levels;
    Some(LogTarget {
        address,
        max_len,
        framing,
        facility,
        level,
        min_level,
    })
}

fn known<T>(
    word: &Word<'_>,
    what: &str,
    find: fn(&str) -> Option<T>,
    names: &[&'static str],
    sink: &mut Sink<'_>,
) -> Option<T> {
    let found = find(&word.text);
    if found.is_none() {
        let error = Diagnostic::error(word.span, format!("unknown {what} `{}`", shown(word)));
        let help = match sink.nearest(&word.text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", list(names)),
        };
        sink.push(error.with_help(help));
    }
    found
}

fn target_address(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Address> {
    let text = &*word.text;
    match text {
        "stdout" => return Some(Address::Stdout),
        "stderr" => return Some(Address::Stderr),
        _ => {}
    }
    if let Some(number) = text.strip_prefix("fd@") {
        let fd = address::parse_descriptor(number);
        if fd.is_none() {
            sink.error(
                word.span,
                format!("`{}` is not the number of a descriptor", shown(word)),
            );
        }
        return fd.map(Address::Fd);
    }
    if let Some(name) = text.strip_prefix("ring@") {
        let message = format!(
            "nsproxy has no rings: `{}` cannot be a target",
            number::shorten(name)
        );
        let help = "lines wait in a bounded queue before each target already; name the target itself";
        sink.push(Diagnostic::error(word.span, message).with_help(help));
        return None;
    }
    // `udp@` says what an address is anyway.
    let (offset, rest) = match text.strip_prefix("udp@") {
        Some(rest) => (4, rest),
        None => (0, text),
    };
    let with_port = with_port(rest);
    match address::parse_bind(&with_port) {
        Ok(BindAddress::Unix(path)) => Some(Address::Unix(path)),
        Ok(BindAddress::Ip { ip, ports }) if ports.first() == ports.last() => {
            // As in HAProxy, "any" is this host.
            let ip = if ip.is_unspecified() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                ip
            };
            Some(Address::Udp(SocketAddr::new(ip, ports.first())))
        }
        Ok(BindAddress::Ip { .. }) => {
            sink.error(word.span, "a syslog server has one port");
            None
        }
        // `fd@` was looked for before.
        Ok(BindAddress::Abstract(_) | BindAddress::Inherited(_) | BindAddress::Activated(_)) => {
            let error = Diagnostic::error(word.span, "an abstract unix socket cannot be a target");
            sink.push(error.with_help("write the path of a unix socket"));
            None
        }
        Err(mut error) => {
            let end = rest.len();
            error.at = error.at.start.min(end)..error.at.end.min(end);
            report_address(word, offset, &error, sink);
            None
        }
    }
}

/// The address with syslog's port where it has none.
fn with_port(text: &str) -> String {
    let is_path = text.starts_with('/') || text.contains('@') && text.starts_with("unix@");
    let bare = match text.rsplit_once(':') {
        None => true,
        Some((_, port)) => port.is_empty() || port.ends_with(']'),
    };
    if is_path || !bare {
        text.to_owned()
    } else {
        format!("{}:{SYSLOG_PORT}", text.trim_end_matches(':'))
    }
}
