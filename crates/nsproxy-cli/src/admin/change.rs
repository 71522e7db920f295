//! Changes of servers: `set server`, `set weight`, `enable server`, `disable server`, `shutdown sessions server`. The refusals
//! are HAProxy's.

use std::io;

use nsproxy_engine::Admin;

use super::Context;
use super::command::Out;

const USAGE: &str = "usage: set server <backend>/<server> state | weight";
/// The greatest weight.
const MOST: u16 = 256;

/// `BACKEND/SERVER` of the configuration in force.
pub(super) fn server<'w>(words: &'w [String], context: &Context) -> Result<(&'w str, &'w str), &'static str> {
    let both = words.first().and_then(|word| word.split_once('/'));
    let (backend, server) = both.ok_or("Require 'backend/server'.")?;
    let directory = context.directory();
    let (_, known) = directory.backend(backend).ok_or("No such backend.")?;
    if known.servers.iter().any(|known| known.name == server) {
        Ok((backend, server))
    } else {
        Err("No such server.")
    }
}

pub(super) fn disable_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    answer(set_admin(words, context, Admin::Maintenance), out)
}

pub(super) fn enable_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    answer(set_admin(words, context, Admin::Ready), out)
}

pub(super) fn set_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let said = server(words, context).map(|_| words.get(1).map(String::as_str));
    let result = match said {
        Err(refusal) => Err(refusal),
        Ok(Some("state")) => match words.get(2).map(String::as_str) {
            Some("ready") => set_admin(words, context, Admin::Ready),
            Some("drain") => set_admin(words, context, Admin::Drain),
            Some("maint") => set_admin(words, context, Admin::Maintenance),
            _ => Err("'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
        },
        Ok(Some("weight")) => change_weight(words, words.get(2), context),
        Ok(Some("addr" | "fqdn")) => Err(
            "nsproxy has the addresses of servers from its configuration and from names; change it there, and reload.",
        ),
        Ok(Some("health" | "agent" | "agent-addr" | "agent-port" | "agent-send")) => {
            Err("nsproxy has the health of servers from its checks; 'state maint' takes one out.")
        }
        Ok(_) => Err(USAGE),
    };
    answer(result, out)
}

pub(super) fn set_weight(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let result = server(words, context).and_then(|_| change_weight(words, words.get(1), context));
    answer(result, out)
}

pub(super) fn shutdown_sessions(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let result = server(words, context).and_then(|(backend, server)| {
        let is_there = context.engine.end_sessions_at(backend, server);
        is_there.then_some(()).ok_or("No such server.")
    });
    answer(result, out)
}

fn set_admin(words: &[String], context: &Context, admin: Admin) -> Result<(), &'static str> {
    let (backend, server) = server(words, context)?;
    let is_there = context.engine.set_admin(backend, server, admin);
    is_there.then_some(()).ok_or("No such server.")
}

fn change_weight(words: &[String], weight: Option<&String>, context: &Context) -> Result<(), &'static str> {
    let (backend, server) = server(words, context)?;
    let weight = weight.ok_or("Require <weight> or <weight%>.")?;
    let status = context.engine.servers();
    let known = status
        .iter()
        .find(|known| known.pool == backend && known.server == server)
        .ok_or("No such server.")?;
    let weight = parse_weight(weight, known.configured_weight)?;
    let is_there = context.engine.set_weight(backend, server, weight);
    is_there.then_some(()).ok_or("No such server.")
}

/// A weight, or so many per cent of the `configured` one.
fn parse_weight(text: &str, configured: u16) -> Result<u16, &'static str> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(sign + digits);
    if digits == 0 {
        return Err("Empty weight string empty or preceded by garbage");
    }
    // More digits than fit are far too much, on whichever side.
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    let number: i64 = number.parse().unwrap_or(limit);
    match (unit, u64::try_from(number)) {
        ("%", Err(_)) => Err("Relative weight must be positive."),
        ("%", Ok(percent)) => {
            let weight = percent.min(u64::from(MOST) * 100) * u64::from(configured) / 100;
            Ok(u16::try_from(weight).unwrap_or(MOST).min(MOST))
        }
        (unit, Ok(weight)) if weight <= u64::from(MOST) => {
            if unit.is_empty() {
                Ok(u16::try_from(weight).unwrap_or(MOST))
            } else {
                Err("Trailing garbage in weight string")
            }
        }
        _ => Err("Absolute weight can only be between 0 and 256 inclusive."),
    }
}

/// Says nothing where all went well.
fn answer(result: Result<(), &'static str>, out: &mut Out<'_>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(refusal) => writeln!(out, "{refusal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_number_or_a_part_of_the_configured_one() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("256", Ok(256)),
            ("50%", Ok(1)),
            ("100%", Ok(3)),
            ("99999999999999999999%", Ok(256)),
            ("10000%", Ok(256)),
            (
                "257",
                Err("Absolute weight can only be between 0 and 256 inclusive."),
            ),
            (
                "-3",
                Err("Absolute weight can only be between 0 and 256 inclusive."),
            ),
            ("-3%", Err("Relative weight must be positive.")),
            ("x", Err("Empty weight string empty or preceded by garbage")),
            ("", Err("Empty weight string empty or preceded by garbage")),
            ("7x", Err("Trailing garbage in weight string")),
        ] {
            assert_eq!(parse_weight(text, 3), expected, "{text}");
        }
    }
}
