//! A template filled in with what a session was.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use super::{Flags, Item, Template, Values, Variable};
use crate::clock::{Clock, put};
use crate::record::Record;

impl Template {
    /// Appends the line to `out`. Nothing is allocated but what `out` needs to grow.
    pub fn render(&self, record: &Record<'_>, values: &dyn Values, clock: &mut Clock, out: &mut Vec<u8>) {
        for item in &self.items {
            match item {
                Item::Text(text) => out.extend_from_slice(text.as_bytes()),
                Item::Variable(variable, flags) => value(*variable, *flags, record, clock, out),
                Item::Expression(index, flags) => {
                    text(&values.value(*index).unwrap_or_default(), *flags, out);
                }
            }
        }
    }
}

fn value(variable: Variable, flags: Flags, record: &Record<'_>, clock: &mut Clock, out: &mut Vec<u8>) {
    use Variable as V;
    match variable {
        V::ClientIp => ip(record.client, flags, out),
        V::ClientPort => port(record.client, flags, out),
        V::ServerIp => ip(record.server_address, flags, out),
        V::ServerPort => port(record.server_address, flags, out),
        V::FrontendIp => ip(record.frontend_address, flags, out),
        V::FrontendPort => port(record.frontend_address, flags, out),
        V::BackendIp => ip(record.backend_address, flags, out),
        V::BackendPort => port(record.backend_address, flags, out),
        V::Backend => text(record.backend.as_bytes(), flags, out),
        V::Server => text(record.server.unwrap_or("<NOSRV>").as_bytes(), flags, out),
        V::Frontend => text(record.frontend.as_bytes(), flags, out),
        V::AcceptDate => clock.accept_date(record.accepted, out),
        V::UtcDate => clock.utc_date(record.accepted, out),
        V::LocalDate => clock.local_date(record.accepted, out),
        V::Timestamp => number(since_epoch(record).as_secs(), flags, out),
        V::Milliseconds if flags.hexadecimal => {
            put(out, format_args!("{:02X}", since_epoch(record).subsec_millis()));
        }
        V::Milliseconds => put(out, format_args!("{:03}", since_epoch(record).subsec_millis())),
        V::Queued => duration(record.queued, out),
        V::Connect => duration(record.connect, out),
        V::Handshake => duration(Some(record.handshake), out),
        V::Total => {
            plus(record, out);
            duration(Some(record.total), out);
        }
        V::Data => {
            let before = record
                .connect
                .map(|connect| record.handshake + record.queued.unwrap_or_default() + connect);
            duration(before.map(|before| record.total.saturating_sub(before)), out);
        }
        V::BytesDown => {
            plus(record, out);
            put(out, format_args!("{}", record.bytes_down));
        }
        V::BytesUp => {
            plus(record, out);
            put(out, format_args!("{}", record.bytes_up));
        }
        V::Termination => out.extend_from_slice(&record.termination),
        V::ProcessSessions => put(out, format_args!("{}", record.process_sessions)),
        V::FrontendSessions => put(out, format_args!("{}", record.frontend_sessions)),
        V::BackendSessions => put(out, format_args!("{}", record.backend_sessions)),
        V::ServerSessions => put(out, format_args!("{}", record.server_sessions)),
        V::Retries => {
            let plus = if record.redispatched { "+" } else { "" };
            put(out, format_args!("{plus}{}", record.retries));
        }
        V::ServerQueue => put(out, format_args!("{}", record.server_queue)),
        V::BackendQueue => put(out, format_args!("{}", record.backend_queue)),
        V::Host => text(record.host.as_bytes(), flags, out),
        V::Process if flags.hexadecimal => put(out, format_args!("{:04X}", std::process::id())),
        V::Process => put(out, format_args!("{}", std::process::id())),
        V::Lines if flags.hexadecimal => put(out, format_args!("{:04X}", record.lines)),
        V::Lines => put(out, format_args!("{}", record.lines)),
        V::UniqueId => text(record.unique_id.unwrap_or_default().as_bytes(), flags, out),
        V::Number => number(record.number, flags, out),
    }
}

fn since_epoch(record: &Record<'_>) -> Duration {
    record.accepted.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn plus(record: &Record<'_>, out: &mut Vec<u8>) {
    if record.is_early {
        out.push(b'+');
    }
}

fn duration(value: Option<Duration>, out: &mut Vec<u8>) {
    match value {
        Some(value) => put(out, format_args!("{}", value.as_millis())),
        None => out.extend_from_slice(b"-1"),
    }
}

fn number(value: u64, flags: Flags, out: &mut Vec<u8>) {
    if flags.hexadecimal {
        put(out, format_args!("{value:04X}"));
    } else {
        put(out, format_args!("{value}"));
    }
}

/// On a dual-stack listener, an IPv4 client is shown in its IPv6 form, as HAProxy does.
fn ip(address: Option<SocketAddr>, flags: Flags, out: &mut Vec<u8>) {
    let quote = Quote::begin(flags, out);
    match address.map(|address| address.ip()) {
        Some(IpAddr::V4(ip)) if flags.hexadecimal => hexadecimal(&ip.octets(), out),
        Some(IpAddr::V6(ip)) if flags.hexadecimal => hexadecimal(&ip.octets(), out),
        Some(ip) => put(out, format_args!("{ip}")),
        None => quote.missing(flags, out),
    }
    quote.end(out);
}

fn hexadecimal(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        put(out, format_args!("{byte:02X}"));
    }
}

fn port(address: Option<SocketAddr>, flags: Flags, out: &mut Vec<u8>) {
    let quote = Quote::begin(flags, out);
    match address.map(|address| address.port()) {
        Some(port) if flags.hexadecimal => put(out, format_args!("{port:04X}")),
        Some(port) => put(out, format_args!("{port}")),
        None => quote.missing(flags, out),
    }
    quote.end(out);
}

fn text(value: &[u8], flags: Flags, out: &mut Vec<u8>) {
    let quote = Quote::begin(flags, out);
    if value.is_empty() {
        quote.missing(flags, out);
    }
    for &byte in value {
        // HAProxy does the same to what could end a line or a quotation.
        match byte {
            b'"' | b'\\' | b']' if flags.escaped => out.extend_from_slice(&[b'\\', byte]),
            b'"' if flags.quoted => out.extend_from_slice(b"#22"),
            0..0x20 | 0x7f => put(out, format_args!("#{byte:02X}")),
            _ => out.push(byte),
        }
    }
    quote.end(out);
}

/// Quotation marks around a value, if its flags ask for them.
#[derive(Clone, Copy)]
struct Quote(bool);

impl Quote {
    fn begin(flags: Flags, out: &mut Vec<u8>) -> Self {
        if flags.quoted {
            out.push(b'"');
        }
        Self(flags.quoted)
    }

    /// What stands for a value that is not there: nothing between quotation marks, a dash outside of them.
    fn missing(self, flags: Flags, out: &mut Vec<u8>) {
        if !self.0 && flags.mandatory {
            out.push(b'-');
        }
    }

    fn end(self, out: &mut Vec<u8>) {
        if self.0 {
            out.push(b'"');
        }
    }
}
