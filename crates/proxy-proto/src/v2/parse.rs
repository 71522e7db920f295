//! The reader of version 2.
//!
//! The ordinary header, PROXY with a known family, is read in one straight line; whatever is rare or refused is a function
//! of its own, out of the way.

use super::{FIXED_LEN, SIGNATURE, chain, field};
use crate::addresses::Transport;
use crate::error::{ParseError, Reason};
use crate::header::{Checksum, Ends, Header, Parsed, Version};
use crate::tlv::{self, Chain};

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// A header that begins with CR.
#[expect(
    clippy::inline_always,
    reason = "measured: twice as fast as a call, which returns the header through memory; what is rare is not inlined"
)]
#[inline(always)]
pub(crate) fn parse(bytes: &[u8], max_len: usize) -> Result<Parsed<'_>, ParseError> {
    let Some((fixed, block)) = Block::after_signature(bytes, max_len) else {
        return Err(beginning(bytes, max_len));
    };
    let transport = if fixed.family_transport & 0xf == 1 {
        Transport::Stream
    } else {
        Transport::Dgram
    };
    let (ends, tlvs) = match (fixed.version_command, fixed.family_transport) {
        (PROXY, 0x11 | 0x12) => {
            let (addresses, tlvs) = block.addressed()?;
            (Ends::BlockInet(transport, addresses), tlvs)
        }
        (PROXY, 0x21 | 0x22) => {
            let (addresses, tlvs) = block.addressed()?;
            (Ends::BlockInet6(transport, addresses), tlvs)
        }
        (PROXY, 0x31 | 0x32) => {
            let (addresses, tlvs) = block.addressed()?;
            (Ends::BlockUnix(transport, addresses), tlvs)
        }
        _ => return uncommon(bytes, max_len),
    };
    let checksum = if tlvs.is_empty() {
        Checksum::Absent
    } else {
        chain::check(bytes, block.consumed(), tlvs)?
    };
    Ok(block.parsed(ends, tlvs, checksum))
}

/// The two bytes of the fixed part that say what the block is.
#[derive(Clone, Copy)]
struct Fixed {
    version_command: u8,
    family_transport: u8,
}

/// What follows the fixed part.
#[derive(Clone, Copy)]
struct Block<'a> {
    /// All bytes that are there, the payload too.
    rest: &'a [u8],
    /// How many of them the header claims.
    len: u16,
    max_len: usize,
}

impl<'a> Block<'a> {
    /// `None` when the fixed part is not whole, or another signature.
    #[inline]
    fn after_signature(bytes: &'a [u8], max_len: usize) -> Option<(Fixed, Self)> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_LEN>()?;
        let [signature @ .., version_command, family_transport, high, low] = fixed;
        if *signature != SIGNATURE {
            return None;
        }
        let fixed = Fixed {
            version_command: *version_command,
            family_transport: *family_transport,
        };
        let len = u16::from_be_bytes([*high, *low]);
        Some((fixed, Self { rest, len, max_len }))
    }

    /// PROXY with family and transport given: addresses, then nothing but TLVs.
    #[inline]
    fn addressed<const ADDRESSES: usize>(self) -> Result<(&'a [u8; ADDRESSES], &'a [u8]), ParseError> {
        let too_small = ParseError::invalid(Reason::AddressBlock(self.len), field::LENGTH);
        if usize::from(self.len) < ADDRESSES {
            return Err(too_small);
        }
        // The error is never reached: the length was compared.
        self.whole()?.split_first_chunk().ok_or(too_small)
    }

    /// All bytes of the block, if they are there and may be.
    #[inline]
    fn whole(self) -> Result<&'a [u8], ParseError> {
        if self.consumed() > self.max_len {
            return Err(ParseError::invalid(Reason::TooLong, field::LENGTH));
        }
        self.rest
            .get(..usize::from(self.len))
            .ok_or_else(|| ParseError::Incomplete {
                at_least: self.consumed(),
            })
    }

    /// Length of the header.
    #[inline]
    fn consumed(self) -> usize {
        FIXED_LEN.wrapping_add(usize::from(self.len))
    }

    #[inline]
    fn parsed(self, ends: Ends<'a>, tlvs: &'a [u8], checksum: Checksum) -> Parsed<'a> {
        Parsed {
            header: Header {
                version: Version::V2,
                checksum,
                ends,
                tlvs: Chain::of_checked(tlvs),
            },
            consumed: self.consumed(),
        }
    }
}

/// LOCAL, or PROXY with something unspecified; and what is refused.
#[cold]
fn uncommon(bytes: &[u8], max_len: usize) -> Result<Parsed<'_>, ParseError> {
    let Some((fixed, block)) = Block::after_signature(bytes, max_len) else {
        return Err(beginning(bytes, max_len));
    };
    let ends = match (fixed.version_command, fixed.family_transport) {
        // The family is ignored, whatever its value.
        (LOCAL, _) => Ends::Local,
        (PROXY, 0x00) => Ends::Unspec,
        // Only one of the two is unspecified: the block is skipped.
        (PROXY, family_transport) => {
            family(family_transport)?;
            block.whole()?;
            return Ok(block.parsed(Ends::Unspec, &[], Checksum::Absent));
        }
        (version_command, _) => return Err(not_a_command(version_command)),
    };
    // The block is exposed, and held to the rules of TLVs, only if it is nothing but TLVs. It is not refused for anything
    // else: it may be addresses, which are to be ignored.
    let tlvs = block.whole()?;
    if !tlv::is_chain(tlvs) {
        return Ok(block.parsed(ends, &[], Checksum::Absent));
    }
    let checksum = chain::check(bytes, block.consumed(), tlvs)?;
    Ok(block.parsed(ends, tlvs, checksum))
}

/// Refuses an undefined family or transport.
fn family(family_transport: u8) -> Result<(), ParseError> {
    let reason = match (family_transport >> 4, family_transport & 0xf) {
        (0..=3, 0..=2) => return Ok(()),
        (0..=3, transport) => Reason::Transport(transport),
        (family, _) => Reason::Family(family),
    };
    Err(ParseError::invalid(reason, field::FAMILY_TRANSPORT))
}

/// What is wrong with a byte that is neither LOCAL nor PROXY of version 2.
fn not_a_command(version_command: u8) -> ParseError {
    let reason = match (version_command >> 4, version_command & 0xf) {
        (2, command) => Reason::Command(command),
        (version, _) => Reason::Version(version),
    };
    ParseError::invalid(reason, field::VERSION_COMMAND)
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
        Some([LOCAL | PROXY, ..] | []) | None => None,
        Some([version_command, ..]) => Some(not_a_command(*version_command)),
    };
    match refused {
        Some(error) => error,
        None if FIXED_LEN > max_len => ParseError::invalid(Reason::TooLong, bytes.len()),
        None => ParseError::Incomplete { at_least: FIXED_LEN },
    }
}
