//! The one check of a TLV chain: structure, checksum, and the rules that a TLV's own type sets.

use super::UNIQUE_ID_MAX;
use crate::crc32c;
use crate::error::{ParseError, Reason};
use crate::header::Checksum;
use crate::ssl;
use crate::tlv::{self, TlvType};

/// Checks the TLVs that end the header, and the checksum if there is one among them. The header is the first `consumed` of the
/// `bytes`.
#[inline]
pub(super) fn check(bytes: &[u8], consumed: usize, tlvs: &[u8]) -> Result<Checksum, ParseError> {
    // What is left behind the checksum.
    let mut behind_checksum = None;
    let mut rest = tlvs;
    while let Some((tlv, next)) = tlv::split_first(rest) {
        match tlv.kind() {
            TlvType::CRC32C => {
                if tlv.value().len() != crc32c::LEN {
                    return Err(fault(consumed, rest, Reason::ChecksumLength));
                }
                if behind_checksum.is_some() {
                    return Err(fault(consumed, rest, Reason::ChecksumRepeated));
                }
                behind_checksum = Some(next.len());
            }
            TlvType::UNIQUE_ID if tlv.value().len() > UNIQUE_ID_MAX => {
                return Err(fault(consumed, rest, Reason::UniqueIdLength));
            }
            TlvType::SSL => {
                if let Err(reason) = check_ssl(tlv.value()) {
                    return Err(fault(consumed, rest, reason));
                }
            }
            _ => {}
        }
        rest = next;
    }
    if !rest.is_empty() {
        return Err(unfinished(consumed, rest));
    }
    match behind_checksum {
        None => Ok(Checksum::Absent),
        Some(behind) => verify(bytes, consumed, behind),
    }
}

/// Whether the value of an SSL TLV is its fixed part and then sub-TLVs to its end.
#[inline(never)]
fn check_ssl(value: &[u8]) -> Result<(), Reason> {
    match value.split_first_chunk::<{ ssl::FIXED_LEN }>() {
        None => Err(Reason::SslLength),
        Some((_, sub_tlvs)) if tlv::is_chain(sub_tlvs) => Ok(()),
        Some(_) => Err(Reason::SslChain),
    }
}

/// Computes the checksum, and compares it with the one that has so many bytes of the header behind it.
#[inline(never)]
fn verify(bytes: &[u8], consumed: usize, behind: usize) -> Result<Checksum, ParseError> {
    let header = bytes.get(..consumed).unwrap_or(bytes);
    let at = consumed.saturating_sub(behind).saturating_sub(crc32c::LEN);
    let stored = header.get(at..).and_then(<[u8]>::first_chunk);
    if stored.is_some_and(|stored| u32::from_be_bytes(*stored) == crc32c::of_header(header, at)) {
        Ok(Checksum::Verified)
    } else {
        Err(ParseError::invalid(Reason::ChecksumMismatch, at))
    }
}

/// Bytes at the end that are no TLV.
#[cold]
fn unfinished(consumed: usize, rest: &[u8]) -> ParseError {
    let reason = match rest {
        [kind, _, _, ..] => Reason::TlvOverrun(TlvType(*kind)),
        _ => Reason::StrayBytes,
    };
    fault(consumed, rest, reason)
}

/// A fault where `rest`, the end of the header, begins.
#[cold]
fn fault(consumed: usize, rest: &[u8], reason: Reason) -> ParseError {
    ParseError::invalid(reason, consumed.saturating_sub(rest.len()))
}

/// Whether an SSL TLV may have this value.
pub(crate) fn is_ssl_value(value: &[u8]) -> bool {
    check_ssl(value).is_ok()
}
