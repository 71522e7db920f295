//! The one check of a TLV chain: structure, checksum, and the rules that a TLV's own type sets.

use super::UNIQUE_ID_MAX;
use crate::crc32c::Crc32c;
use crate::error::{ParseError, Reason};
use crate::header::Checksum;
use crate::ssl;
use crate::tlv::{self, TlvType};

/// Checks the TLVs that end the `header`, which is exactly the header, and the checksum if there is one among them.
#[inline]
pub(super) fn check(header: &[u8], tlvs: &[u8]) -> Result<Checksum, ParseError> {
    let offset_of = |rest: &[u8]| header.len().saturating_sub(rest.len());
    let mut checksum = None;
    let mut rest = tlvs;
    while let Some((tlv, next)) = tlv::split_first(rest) {
        let fault = |reason| Err(ParseError::invalid(reason, offset_of(rest)));
        match tlv.kind() {
            TlvType::CRC32C => {
                let Ok(value) = <[u8; 4]>::try_from(tlv.value()) else {
                    return fault(Reason::ChecksumLength);
                };
                if checksum.is_some() {
                    return fault(Reason::ChecksumRepeated);
                }
                checksum = Some((u32::from_be_bytes(value), next.len().wrapping_add(4)));
            }
            TlvType::UNIQUE_ID if tlv.value().len() > UNIQUE_ID_MAX => return fault(Reason::UniqueIdLength),
            TlvType::SSL if !is_ssl_value(tlv.value()) => {
                let short = tlv.value().len() < ssl::FIXED_LEN;
                return fault(if short {
                    Reason::SslLength
                } else {
                    Reason::SslChain
                });
            }
            _ => {}
        }
        rest = next;
    }
    match rest {
        [] => {}
        [_] | [_, _] => return Err(ParseError::invalid(Reason::StrayBytes, offset_of(rest))),
        [kind, ..] => {
            return Err(ParseError::invalid(
                Reason::TlvOverrun(TlvType(*kind)),
                offset_of(rest),
            ));
        }
    }
    match checksum {
        None => Ok(Checksum::Absent),
        Some((stored, from_end)) => {
            let at = header.len().saturating_sub(from_end);
            if of_header(header, at) == stored {
                Ok(Checksum::Verified)
            } else {
                Err(ParseError::invalid(Reason::ChecksumMismatch, at))
            }
        }
    }
}

/// Whether the value of an SSL TLV is its fixed part and then sub-TLVs to its end.
#[inline]
pub(crate) fn is_ssl_value(value: &[u8]) -> bool {
    value
        .split_first_chunk::<{ ssl::FIXED_LEN }>()
        .is_some_and(|(_, rest)| tlv::is_chain(rest))
}

/// The checksum of a header, with zeros for the four bytes at `at` where it stands (2.2.3).
pub(super) fn of_header(header: &[u8], at: usize) -> u32 {
    let (before, rest) = header.split_at_checked(at).unwrap_or((header, &[]));
    let after = rest.get(4..).unwrap_or_default();
    Crc32c::new()
        .update(before)
        .update(&[0; 4])
        .update(after)
        .finish()
}
