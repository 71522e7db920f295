//! Changes of servers: `set server`, `set weight`, `enable server`, `disable server`, `shutdown sessions server`. The refusals
//! are HAProxy's.

use std::io;

use nsproxy_engine::Admin;

use super::Context;
use super::command::Out;
use super::{servers, whereabouts};

const USAGE: &str = "usage: set server <backend>/<server> addr | state | weight";
/// The greatest weight.
const MOST: u16 = 256;

/// HAProxy's answer where there is none of that name.
pub(super) const NO_SERVER: &str = "No such server.";

/// A backend and a server of it, by name.
pub(super) type Place<'w> = (&'w str, &'w str);

/// `BACKEND/SERVER` of the configuration in force.
pub(super) fn server<'w>(words: &'w [String], context: &Context) -> Result<Place<'w>, &'static str> {
    let both = words.first().and_then(|word| word.split_once('/'));
    let (backend, server) = both.ok_or("Require 'backend/server'.")?;
    let directory = context.directory();
    let (_, known) = directory.backend(backend).ok_or("No such backend.")?;
    let is_there = known.servers.iter().any(|known| known.name == server);
    is_there.then_some((backend, server)).ok_or(NO_SERVER)
}

pub(super) fn disable_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let result = server(words, context).and_then(|place| set_admin(place, context, Admin::Maintenance));
    answer(result, out)
}

pub(super) fn enable_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let result = server(words, context).and_then(|place| set_admin(place, context, Admin::Ready));
    answer(result, out)
}

pub(super) fn set_server(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let place = match server(words, context) {
        Ok(place) => place,
        Err(refusal) => return writeln!(out, "{refusal}"),
    };
    let value = words.get(2).map(String::as_str);
    let result = match words.get(1).map(String::as_str) {
        Some("addr") => return whereabouts::change(&words[2..], place, context, out),
        Some("state") => match value {
            Some("ready") => set_admin(place, context, Admin::Ready),
            Some("drain") => set_admin(place, context, Admin::Drain),
            Some("maint") => set_admin(place, context, Admin::Maintenance),
            _ => Err("'set server <srv> state' expects 'ready', 'drain' and 'maint'."),
        },
        Some("weight") => change_weight(place, value, context),
        Some("fqdn") => {
            Err("nsproxy has the names of hosts from its configuration; change it there, and reload.")
        }
        Some("health" | "agent" | "agent-addr" | "agent-port" | "agent-send") => {
            Err("nsproxy has the health of servers from its checks; 'state maint' takes one out.")
        }
        Some("check-addr" | "check-port") => {
            Err("nsproxy has the places of checks from its configuration; change it there, and reload.")
        }
        _ => Err(USAGE),
    };
    answer(result, out)
}

pub(super) fn set_weight(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let weight = words.get(1).map(String::as_str);
    let result = server(words, context).and_then(|place| change_weight(place, weight, context));
    answer(result, out)
}

pub(super) fn shutdown_sessions(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let result = server(words, context)
        .and_then(|(backend, server)| done(context.engine.end_sessions_at(backend, server)));
    answer(result, out)
}

fn set_admin((backend, server): Place<'_>, context: &Context, admin: Admin) -> Result<(), &'static str> {
    done(context.engine.set_admin(backend, server, admin))
}

fn change_weight(place: Place<'_>, weight: Option<&str>, context: &Context) -> Result<(), &'static str> {
    let weight = weight.ok_or("Require <weight> or <weight%>.")?;
    let status = servers::status(place, context).ok_or(NO_SERVER)?;
    let weight = parse_weight(weight, status.configured_weight)?;
    let (backend, server) = place;
    done(context.engine.set_weight(backend, server, weight))
}

/// What the engine says of a change: whether there was such a server. It may have gone since it was looked for.
fn done(is_there: bool) -> Result<(), &'static str> {
    is_there.then_some(()).ok_or(NO_SERVER)
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
