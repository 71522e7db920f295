//! Is there a listening socket? Read from `/proc/net` (`proc_pid_net(5)`), so that nobody has to connect
//! to find out: a probing connection would be a session of the program under test.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::deadline::pause;
use crate::{Address, Deadline};

/// `TCP_LISTEN` as `/proc/net/tcp` prints it.
const TCP_LISTEN: &str = "0A";
/// `__SO_ACCEPTCON` as `/proc/net/unix` prints it in its flags.
const ACCEPTING: &str = "00010000";

/// Waits until a socket of the calling thread's namespace listens on `address`; false when none does by
/// the deadline.
pub(crate) fn wait(address: &Address, deadline: Deadline) -> bool {
    loop {
        let last_look = deadline.passed();
        if listens(address) {
            return true;
        }
        if last_look {
            return false;
        }
        pause();
    }
}

fn listens(address: &Address) -> bool {
    match address {
        Address::Inet(wanted) => ["tcp", "tcp6"].iter().any(|table| {
            read(table)
                .lines()
                .filter_map(listening_address)
                .any(|bound| serves(bound, *wanted))
        }),
        Address::Unix(path) => read("unix").lines().any(|line| is_listening_unix(line, path)),
    }
}

fn read(table: &str) -> String {
    // The thread's own table: `/proc/net` is the one of the process's first thread.
    fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default()
}

/// Whether a socket bound to `bound` takes connections to `wanted`: the same address, or the wildcard.
fn serves(bound: SocketAddr, wanted: SocketAddr) -> bool {
    bound.port() == wanted.port()
        && (bound.ip().to_canonical() == wanted.ip().to_canonical() || bound.ip().is_unspecified())
}

/// The local address of a line of `/proc/net/tcp` or `tcp6`, if that socket listens.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_whitespace().skip(1);
    let (ip, port) = fields.next()?.split_once(':')?;
    let state = fields.nth(1)?;
    if state != TCP_LISTEN {
        return None;
    }
    Some(SocketAddr::new(
        parse_ip(ip)?,
        u16::from_str_radix(port, 16).ok()?,
    ))
}

/// An address as the kernel prints it: 32-bit words in network order, each printed as a native number.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = [0_u8; 16];
    for (word, slot) in hex.as_bytes().chunks(8).zip(bytes.chunks_mut(4)) {
        let word = u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
        slot.copy_from_slice(&word.to_ne_bytes());
    }
    match hex.len() {
        8 => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        32 => Some(Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// Whether a line of `/proc/net/unix` is a listening socket bound to `path`.
fn is_listening_unix(line: &str, path: &Path) -> bool {
    let mut fields = line.split_whitespace();
    fields.nth(3) == Some(ACCEPTING) && fields.nth(3).is_some_and(|bound| Path::new(bound) == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENING: &str = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000";
    const ESTABLISHED: &str = "   1: 0100007F:1F90 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000";

    #[test]
    fn only_listening_sockets_count() {
        assert_eq!(
            listening_address(LISTENING),
            Some("127.0.0.1:8080".parse().unwrap())
        );
        assert_eq!(listening_address(ESTABLISHED), None);
        assert_eq!(
            listening_address("  sl  local_address rem_address   st tx_queue"),
            None
        );
    }

    #[test]
    fn ipv6_addresses_are_read_word_by_word() {
        let loopback = "00000000000000000000000001000000";
        assert_eq!(parse_ip(loopback), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn a_wildcard_serves_every_address_on_its_port() {
        let wanted = "10.0.0.1:80".parse().unwrap();
        assert!(serves("0.0.0.0:80".parse().unwrap(), wanted));
        assert!(serves("[::]:80".parse().unwrap(), wanted));
        assert!(!serves("10.0.0.2:80".parse().unwrap(), wanted));
        assert!(!serves("0.0.0.0:81".parse().unwrap(), wanted));
    }

    #[test]
    fn unix_sockets_are_found_by_flags_and_path() {
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/work/s";
        assert!(is_listening_unix(line, Path::new("/run/work/s")));
        assert!(!is_listening_unix(line, Path::new("/run/work/t")));
        let connected = line.replacen("00010000", "00000000", 1);
        assert!(!is_listening_unix(&connected, Path::new("/run/work/s")));
    }
}
