//! Reading the answer to a netlink request: bytes in, values out. No descriptor is used here.
//!
//! The bytes come from the kernel. Still, no length in them is trusted, and nothing in them can cause a
//! panic.

use std::io;

use netlink_packet_core::{
    DoneBuffer, ErrorBuffer, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
    NetlinkBuffer,
};

use super::ext_ack;

/// What has been read of an answer.
pub(super) struct Answer<T> {
    /// What was made of the messages.
    pub(super) values: Vec<T>,
    /// No message said that the list had changed meanwhile.
    pub(super) is_consistent: bool,
    sequence: u32,
    ends: End,
}

/// What the last message of an answer is, if the kernel does not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// An acknowledgement, or the end of a list.
    Marked,
    /// The one that was asked for. Nothing follows it.
    First,
}

impl<T> Answer<T> {
    /// The answer to the request with this number, of which nothing has been read yet.
    pub(super) fn to(sequence: u32, ends: End) -> Self {
        Self {
            values: Vec::new(),
            is_consistent: true,
            sequence,
            ends,
        }
    }

    /// Takes all messages of a datagram in. The answer is `true` if it is complete. Messages with another
    /// number are what is left of an exchange that broke off; they are passed over.
    pub(super) fn take_datagram(
        &mut self,
        datagram: &[u8],
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<bool, Failure> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(rest).map_err(|_| nonsense("a malformed message"))?;
            let len = usize::try_from(message.length()).map_err(|_| nonsense("a message too long"))?;
            if message.sequence_number() == self.sequence && self.take(&message, &read)? {
                return Ok(true);
            }
            let next = len
                .checked_next_multiple_of(4)
                .ok_or_else(|| nonsense("a message too long"))?;
            rest = rest.get(next..).unwrap_or_default();
        }
        Ok(false)
    }

    /// Takes one message in. The answer is `true` if it was the last.
    fn take(
        &mut self,
        message: &NetlinkBuffer<&[u8]>,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<bool, Failure> {
        let payload = message.payload();
        self.is_consistent &= message.flags() & NLM_F_DUMP_INTR == 0;
        match message.message_type() {
            NLMSG_ERROR => {
                let error = ErrorBuffer::new_checked(payload).map_err(|_| nonsense("a malformed error"))?;
                let code = error.code().map_or(0, std::num::NonZero::get);
                let text = || ext_ack::message(message.flags(), error.payload());
                refusal(code, text).map(|()| true)
            }
            // Before Linux 4.20 a DONE may be without an error code.
            NLMSG_DONE => match DoneBuffer::new_checked(payload) {
                Ok(done) => refusal(done.code(), || ext_ack::text(done.extended_ack())).map(|()| true),
                Err(_) => Ok(true),
            },
            NLMSG_NOOP => Ok(false),
            NLMSG_OVERRUN => Err(nonsense("messages were lost")),
            _ => {
                self.values.extend(read(payload));
                Ok(self.ends == End::First)
            }
        }
    }
}

/// Why there is no good answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The kernel said no.
    Refused {
        /// The errno.
        source: io::Error,
        /// The extended acknowledgement.
        message: Option<String>,
    },
    /// The exchange itself failed.
    Exchange(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Exchange(error)
    }
}

/// The errors of netlink are negative errnos; anything else is a good end.
fn refusal(code: i32, text: impl FnOnce() -> Option<String>) -> Result<(), Failure> {
    if code >= 0 {
        return Ok(());
    }
    Err(Failure::Refused {
        source: io::Error::from_raw_os_error(code.saturating_neg()),
        message: text(),
    })
}

pub(super) fn nonsense(what: &'static str) -> Failure {
    Failure::Exchange(io::Error::new(io::ErrorKind::InvalidData, what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message;
    use super::*;

    const SEQUENCE: u32 = 7;
    const A_LINK: u16 = 16;

    fn netlink(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        bytes.extend([sequence.to_ne_bytes(), 0_u32.to_ne_bytes()].concat());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn acknowledgement(sequence: u32, code: i32) -> Vec<u8> {
        netlink(
            NLMSG_ERROR,
            0,
            sequence,
            &[code.to_ne_bytes().as_slice(), &[0; 16]].concat(),
        )
    }

    /// Takes datagrams in, of which each message is a value.
    fn take(datagrams: &[Vec<u8>]) -> Result<(bool, Answer<Vec<u8>>), Failure> {
        let mut answer = Answer::to(SEQUENCE, End::Marked);
        let mut is_complete = false;
        for datagram in datagrams {
            is_complete = answer.take_datagram(datagram, |payload| Some(payload.to_vec()))?;
        }
        Ok((is_complete, answer))
    }

    #[test]
    fn an_acknowledgement_completes_the_answer() {
        assert!(take(&[acknowledgement(SEQUENCE, 0)]).unwrap().0);
    }

    #[test]
    fn one_thing_completes_the_answer_also_if_it_is_not_understood() {
        let mut answer = Answer::to(SEQUENCE, End::First);
        let stale = netlink(A_LINK, 0, SEQUENCE - 1, b"stale");
        assert!(!answer.take_datagram(&stale, |_| None::<()>).unwrap());
        let good = netlink(A_LINK, 0, SEQUENCE, b"good");
        assert!(answer.take_datagram(&good, |_| None).unwrap());
    }

    #[test]
    fn messages_with_another_number_are_passed_over() {
        let stale = [
            acknowledgement(SEQUENCE - 1, -1),
            netlink(A_LINK, 0, SEQUENCE - 1, b"stale"),
        ]
        .concat();
        let (is_complete, answer) = take(&[stale, netlink(A_LINK, 0, SEQUENCE, b"good")]).unwrap();
        assert!(!is_complete);
        assert_eq!(answer.values, [b"good"]);
    }

    #[test]
    fn an_errno_at_the_end_of_a_list_is_a_refusal() {
        let done = netlink(NLMSG_DONE, 0, SEQUENCE, &(-libc::EPERM).to_ne_bytes());
        match take(&[netlink(A_LINK, 0, SEQUENCE, b"one"), done]) {
            Err(Failure::Refused { source, .. }) => assert_eq!(source.raw_os_error(), Some(libc::EPERM)),
            _ => panic!("not a refusal"),
        }
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_marked() {
        let one = netlink(A_LINK, NLM_F_DUMP_INTR, SEQUENCE, b"one");
        let done = netlink(NLMSG_DONE, 0, SEQUENCE, &0_i32.to_ne_bytes());
        let (is_complete, answer) = take(&[one, done]).unwrap();
        assert!(is_complete && !answer.is_consistent);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_without_a_panic(bytes: Vec<u8>, kind in 0_u16..20, flags: u16) {
            let mut answer = Answer::to(SEQUENCE, End::Marked);
            let _ = answer.take_datagram(&bytes, message::link::read);
            let _ = answer.take_datagram(&netlink(kind, flags, SEQUENCE, &bytes), message::link::read);
        }

        #[test]
        fn any_datagram_cut_off_is_read_without_a_panic(cut in 0_usize..60, payload: Vec<u8>) {
            let mut bytes = [netlink(A_LINK, 0, SEQUENCE, &payload), acknowledgement(SEQUENCE, -1)].concat();
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = Answer::to(SEQUENCE, End::Marked).take_datagram(&bytes, message::link::read_index);
        }
    }
}
