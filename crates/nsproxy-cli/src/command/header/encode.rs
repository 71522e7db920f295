//! `nsproxy header encode`: a PROXY header from options.

use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use proxy_proto::{Addresses, Command, Transport, Unix, WriteError, v1, v2};

use super::args::{Encode, End};
use super::hex;

pub(super) fn encode(args: &Encode) -> anyhow::Result<ExitCode> {
    let header = header(args)?;
    let mut stdout = io::stdout().lock();
    if args.raw {
        stdout.write_all(&header)
    } else {
        writeln!(stdout, "{}", hex::write(&header))
    }
    .and_then(|()| stdout.flush())
    .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn header(args: &Encode) -> anyhow::Result<Vec<u8>> {
    let transport = if args.dgram {
        Transport::Dgram
    } else {
        Transport::Stream
    };
    // Room for the borrowed form of UNIX addresses.
    let (source, destination);
    let addresses = match (&args.src, &args.dst) {
        (Some(End::Ip(src)), Some(End::Ip(dst))) => {
            Addresses::from_socket_addrs(transport, *src, *dst).map_err(refused)?
        }
        (Some(End::Unix(src)), Some(End::Unix(dst))) => {
            (source, destination) = (unix_field(src)?, unix_field(dst)?);
            Addresses::Unix(
                transport,
                Unix {
                    source: &source,
                    destination: &destination,
                },
            )
        }
        (Some(_), Some(_)) => bail!("--src and --dst are not of one family"),
        _ => Addresses::Unspec,
    };
    if args.v1 {
        return v1::to_vec(&addresses).map_err(refused);
    }
    let command = if args.local {
        Command::Local
    } else {
        Command::Proxy(addresses)
    };
    v2::to_vec(command, |header| add_tlvs(header, args)).map_err(refused)
}

fn add_tlvs(header: &mut v2::Builder<'_>, args: &Encode) {
    if let Some(protocol) = &args.alpn {
        header.alpn(protocol.as_bytes());
    }
    if let Some(host) = &args.authority {
        header.authority(host);
    }
    if let Some(id) = &args.unique_id {
        header.unique_id(id.as_bytes());
    }
    if let Some(name) = &args.netns {
        header.netns(name.as_bytes());
    }
    for tlv in &args.tlvs {
        header.tlv(tlv.kind, &tlv.value);
    }
    if args.crc32c {
        header.crc32c();
    }
}

fn unix_field(path: &std::path::Path) -> anyhow::Result<[u8; 108]> {
    let name = path.as_os_str().as_bytes();
    Unix::field(name)
        .with_context(|| format!("the path has {} bytes, above 108: {}", name.len(), path.display()))
}

fn refused(error: WriteError) -> anyhow::Error {
    let hint = match error {
        WriteError::ChecksumRaw => " (use --crc32c)",
        _ => "",
    };
    anyhow::anyhow!("no such header can be written: {error}{hint}")
}
