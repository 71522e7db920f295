//! The extended acknowledgement: what the kernel says beside the errno.
//!
//! An `NLMSG_ERROR` holds the error, the header of the refused request, the rest of the request unless the
//! message is marked as capped, and then attributes (`linux/netlink.h`). `netlink-packet-core` leaves all
//! that follows the error as raw bytes. The bytes come from the kernel; still, nothing here trusts a length
//! in them.

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};

/// Text: what is wrong, for a person.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// The flags in the type of an attribute.
const NLA_TYPE_MASK: u16 = 0x3fff;
/// The length of an attribute's header, and of a message's.
const ATTRIBUTE_HEADER: usize = 4;
const MESSAGE_HEADER: usize = 16;

/// The kernel's sentence in the acknowledgement with these `flags`, of which `after_error` is all behind the
/// errno.
pub(super) fn message(flags: u16, after_error: &[u8]) -> Option<String> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let request_len = if flags & NLM_F_CAPPED == 0 {
        usize::try_from(u32::from_ne_bytes(*after_error.first_chunk()?))
            .ok()?
            .max(MESSAGE_HEADER)
    } else {
        MESSAGE_HEADER
    };
    text(after_error.get(aligned(request_len)?..)?)
}

/// The kernel's sentence among these attributes.
pub(super) fn text(mut attributes: &[u8]) -> Option<String> {
    loop {
        let (len, rest) = attributes.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_ne_bytes(*len));
        let kind = u16::from_ne_bytes(*rest.first_chunk()?) & NLA_TYPE_MASK;
        let value = attributes.get(ATTRIBUTE_HEADER..len)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = value.split(|&byte| byte == 0).next().unwrap_or_default();
            return (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(aligned(len)?..)?;
    }
}

/// Rounds up to the four bytes of netlink.
fn aligned(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::attribute;
    use super::*;

    fn request(len: u32) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.resize((len as usize).max(MESSAGE_HEADER).next_multiple_of(4), 0xee);
        bytes
    }

    #[test]
    fn the_text_is_found_behind_a_capped_request_and_other_attributes() {
        let bytes = [
            request(100)[..16].to_vec(),
            attribute(2, &[1, 2, 3, 4]),
            attribute(1, b"no way\0"),
        ]
        .concat();
        assert_eq!(
            message(NLM_F_CAPPED | NLM_F_ACK_TLVS, &bytes).as_deref(),
            Some("no way")
        );
    }

    #[test]
    fn the_text_is_found_behind_a_whole_request() {
        let bytes = [request(37), attribute(1, b"no way\0")].concat();
        assert_eq!(message(NLM_F_ACK_TLVS, &bytes).as_deref(), Some("no way"));
    }

    #[test]
    fn without_the_flag_nothing_is_read() {
        let bytes = [request(16), attribute(1, b"no way\0")].concat();
        assert_eq!(message(NLM_F_CAPPED, &bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(flags: u16, bytes: Vec<u8>) {
            message(flags, &bytes);
            text(&bytes);
        }
    }
}
