//! The reader of version 2.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{FIXED_LEN, SIGNATURE, chain, field};
use crate::addresses::{Addresses, Inet, Inet6, Transport, Unix};
use crate::error::{ParseError, Reason};
use crate::header::{Checksum, Command, Header, Parsed, Version};
use crate::tlv::{self, Chain};

/// A header that begins with CR.
#[inline]
pub(crate) fn parse(bytes: &[u8], max_len: usize) -> Result<Parsed<'_>, ParseError> {
    let Some((fixed, _)) = bytes.split_first_chunk::<FIXED_LEN>() else {
        return Err(beginning(bytes, max_len));
    };
    let [signature @ .., version_command, family_transport, high, low] = fixed;
    if *signature != SIGNATURE {
        return Err(beginning(bytes, max_len));
    }
    command(*version_command)?;
    // Under LOCAL the family is ignored, whatever its value.
    let local = *version_command == LOCAL;
    let least = if local { 0 } else { block_len(*family_transport)? };
    let len = u16::from_be_bytes([*high, *low]);
    if len < least {
        return Err(ParseError::invalid(Reason::AddressBlock(len), field::LENGTH));
    }
    let consumed = FIXED_LEN.wrapping_add(usize::from(len));
    if consumed > max_len {
        return Err(ParseError::invalid(Reason::TooLong, field::LENGTH));
    }
    let Some(header) = bytes.get(..consumed) else {
        return Err(ParseError::Incomplete { at_least: consumed });
    };
    let transport = if *family_transport & 0xf == 1 {
        Transport::Stream
    } else {
        Transport::Dgram
    };
    match family_transport {
        _ if local => unaddressed(header, Command::Local),
        0x11 | 0x12 => addressed(header, |block| inet(transport, block)),
        0x21 | 0x22 => addressed(header, |block| inet6(transport, block)),
        0x31 | 0x32 => addressed(header, |block| unix(transport, block)),
        0x00 => unaddressed(header, Command::Proxy(Addresses::Unspec)),
        // Only one of the two is unspecified: the block is skipped.
        _ => Ok(parsed(
            header,
            Command::Proxy(Addresses::Unspec),
            &[],
            Checksum::Absent,
        )),
    }
}

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// The least length that a family demands; refuses an undefined family or transport.
#[inline]
fn block_len(family_transport: u8) -> Result<u16, ParseError> {
    match family_transport {
        0x11 | 0x12 => Ok(12),
        0x21 | 0x22 => Ok(36),
        0x31 | 0x32 => Ok(216),
        _ => family(family_transport).map(|()| 0),
    }
}

/// PROXY with family and transport given: a block of addresses, then TLVs and nothing else.
#[inline]
fn addressed<'a, const BLOCK: usize>(
    header: &'a [u8],
    addresses: impl FnOnce(&'a [u8; BLOCK]) -> Addresses<'a>,
) -> Result<Parsed<'a>, ParseError> {
    let Some((block, tlvs)) = body(header).split_first_chunk() else {
        // Never reached: the length was checked.
        return Err(ParseError::invalid(Reason::AddressBlock(0), field::LENGTH));
    };
    let checksum = if tlvs.is_empty() {
        Checksum::Absent
    } else {
        chain::check(header, tlvs)?
    };
    Ok(parsed(header, Command::Proxy(addresses(block)), tlvs, checksum))
}

/// LOCAL, or PROXY with family and transport unspecified: the block is exposed, and held to the rules of TLVs, only
/// if it is nothing but TLVs. It is not refused for anything else: it may be addresses, which are to be ignored.
fn unaddressed<'a>(header: &'a [u8], command: Command<'a>) -> Result<Parsed<'a>, ParseError> {
    let block = body(header);
    if !tlv::is_chain(block) {
        return Ok(parsed(header, command, &[], Checksum::Absent));
    }
    let checksum = chain::check(header, block)?;
    Ok(parsed(header, command, block, checksum))
}

/// The header without its fixed part.
#[inline]
fn body(header: &[u8]) -> &[u8] {
    header.get(FIXED_LEN..).unwrap_or_default()
}

#[inline]
const fn parsed<'a>(
    header: &'a [u8],
    command: Command<'a>,
    tlvs: &'a [u8],
    checksum: Checksum,
) -> Parsed<'a> {
    let consumed = header.len();
    let header = Header {
        version: Version::V2,
        checksum,
        command,
        tlvs: Chain::of_checked(tlvs),
    };
    Parsed { header, consumed }
}

#[inline]
fn inet(transport: Transport, block: &[u8; 12]) -> Addresses<'_> {
    let [s0, s1, s2, s3, d0, d1, d2, d3, ports @ ..] = *block;
    let [source_port, destination_port] = self::ports(ports);
    let (source, destination) = (Ipv4Addr::from([s0, s1, s2, s3]), Ipv4Addr::from([d0, d1, d2, d3]));
    Addresses::Inet(
        transport,
        Inet {
            source,
            destination,
            source_port,
            destination_port,
        },
    )
}

#[inline]
fn inet6(transport: Transport, block: &[u8; 36]) -> Addresses<'_> {
    // Two chunks and four bytes are all that 36 bytes can be; so with UNIX below.
    let ([source, destination], [s0, s1, d0, d1]) = block.as_chunks::<16>() else {
        return Addresses::Unspec;
    };
    let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
    let [source_port, destination_port] = ports([*s0, *s1, *d0, *d1]);
    Addresses::Inet6(
        transport,
        Inet6 {
            source,
            destination,
            source_port,
            destination_port,
        },
    )
}

#[inline]
fn unix(transport: Transport, block: &[u8; 216]) -> Addresses<'_> {
    let ([source, destination], _) = block.as_chunks::<108>() else {
        return Addresses::Unspec;
    };
    Addresses::Unix(transport, Unix { source, destination })
}

#[inline]
const fn ports([s0, s1, d0, d1]: [u8; 4]) -> [u16; 2] {
    [u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])]
}

/// Refuses an undefined family or transport.
#[inline]
fn family(family_transport: u8) -> Result<(), ParseError> {
    let reason = match (family_transport >> 4, family_transport & 0xf) {
        (0..=3, 0..=2) => return Ok(()),
        (0..=3, transport) => Reason::Transport(transport),
        (family, _) => Reason::Family(family),
    };
    Err(ParseError::invalid(reason, field::FAMILY_TRANSPORT))
}

#[inline]
fn command(version_command: u8) -> Result<(), ParseError> {
    match version_command {
        LOCAL | PROXY => Ok(()),
        other => {
            let (version, command) = (other >> 4, other & 0xf);
            let reason = if version == 2 {
                Reason::Command(command)
            } else {
                Reason::Version(version)
            };
            Err(ParseError::invalid(reason, field::VERSION_COMMAND))
        }
    }
}

/// Bytes that are too few for the fixed part, or do not begin with the signature: wrong as soon as one byte is.
#[cold]
fn beginning(bytes: &[u8], max_len: usize) -> ParseError {
    let good = bytes
        .iter()
        .zip(&SIGNATURE)
        .take_while(|(byte, other)| byte == other)
        .count();
    if good < bytes.len().min(SIGNATURE.len()) {
        return ParseError::invalid(Reason::NotProxy, good);
    }
    let refused = match bytes.get(field::VERSION_COMMAND..) {
        Some([PROXY, family_transport, ..]) => family(*family_transport).err(),
        Some([version_command, ..]) => command(*version_command).err(),
        _ => None,
    };
    match refused {
        Some(error) => error,
        None if FIXED_LEN > max_len => ParseError::invalid(Reason::TooLong, bytes.len()),
        None => ParseError::Incomplete { at_least: FIXED_LEN },
    }
}
