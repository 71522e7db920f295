//! HAProxy's words for how a session ended: the two letters of `%ts`, and the sentences for a PROXY header that is no good.
//!
//! Each was seen of HAProxy 2.6.12 in the same situation, unless a comment says otherwise.

use nsproxy_engine::{CloseReason, RuleStage, Side};

/// Cause and state. A session that has not `connected` has a `C` for its state, except where HAProxy has not; one that has
/// not `asked` for a server was looked at by rules.
pub(super) fn termination(reason: CloseReason, asked: bool, connected: bool) -> [u8; 2] {
    use CloseReason as R;
    let state = match (asked, connected) {
        (false, _) => b'R',
        (true, false) => b'C',
        (true, true) => b'D',
    };
    match reason {
        R::Finished => *b"--",
        R::Reset(Side::Downstream) | R::Failed(Side::Downstream, _) if !asked => *b"CR",
        R::Reset(Side::Downstream) | R::Failed(Side::Downstream, _) => *b"CD",
        R::Reset(Side::Upstream) | R::Failed(Side::Upstream, _) => [b'S', state],
        R::Rejected(RuleStage::Response) => *b"PD",
        R::ConnectFailed(_) | R::NoServer | R::NoSourcePort => *b"SC",
        R::ConnectTimeout => *b"sC",
        R::QueueTimeout => *b"sQ",
        R::QueueFull => *b"SQ",
        R::IdleTimeout(Side::Downstream) => [b'c', state],
        R::IdleTimeout(Side::Upstream) => [b's', state],
        // By the manual: something that the proxy itself lacks.
        R::SocketFailed(_) => *b"RC",
        // By the manual: killed by whoever operates it. HAProxy ends without a line, and keeps a namespace that was removed.
        R::Stopped | R::Killed | R::NetnsRemoved(_) => [b'K', state],
        // By the manual: killed because the server went down, or because one that a backup stands in for came up.
        R::ServerDown => [b'D', state],
        R::ServerUp => [b'U', state],
        // By the manual: the proxy refuses the connection. HAProxy knows none of these cases.
        R::NoDestination | R::NoPort | R::Loop | R::NoSource | R::HeaderUnwritable => *b"PC",
        // The proxy blocks it: a rule does, or, by the manual, the namespace that its header names or lacks. Headers that are
        // no good have a line of their own.
        _ => *b"PR",
    }
}

/// What HAProxy says of a client's PROXY header; `None` when the session did not end for one. One that `began` had its header,
/// or needed none.
pub(super) fn header_error(reason: CloseReason, began: bool) -> Option<&'static str> {
    use CloseReason as R;
    Some(match reason {
        R::HeaderAborted(0) => "Connection closed while waiting for PROXY protocol header",
        R::HeaderAborted(_) => "Truncated PROXY protocol header received",
        R::HeaderTimeout => "Timeout while waiting for PROXY protocol header",
        R::HeaderInvalid(invalid) if is_no_header(invalid) => {
            "Received something which does not look like a PROXY protocol header"
        }
        R::HeaderInvalid(_) | R::HeaderTooLong(_) | R::NetnsAmbiguous => {
            "Received an invalid PROXY protocol header"
        }
        R::Reset(Side::Downstream) | R::Failed(Side::Downstream, _) if !began => {
            "Connection error while waiting for PROXY protocol header"
        }
        _ => return None,
    })
}

/// What has no signature of either version.
fn is_no_header(invalid: proxy_proto::Invalid) -> bool {
    use proxy_proto::Reason;
    matches!(invalid.reason, Reason::NotProxy | Reason::Version(_))
}

#[cfg(test)]
mod tests {
    use nsproxy_engine::Errno;

    use super::*;

    #[test]
    fn the_state_is_that_of_the_connection_to_the_server() {
        let reset = CloseReason::Reset(Side::Upstream);
        assert_eq!(termination(reset, true, true), *b"SD");
        assert_eq!(termination(reset, true, false), *b"SC");
        assert_eq!(termination(CloseReason::Stopped, true, true), *b"KD");
        assert_eq!(
            termination(CloseReason::SocketFailed(Errno(0)), true, false),
            *b"RC"
        );
    }

    #[test]
    fn only_a_header_has_a_sentence() {
        assert!(header_error(CloseReason::HeaderTimeout, false).is_some());
        assert_eq!(header_error(CloseReason::Finished, true), None);
        for reason in [
            CloseReason::Stopped,
            CloseReason::NetnsRefused,
            CloseReason::NetnsMissing,
            CloseReason::Rejected(RuleStage::Content),
        ] {
            assert_eq!(header_error(reason, false), None, "{reason}");
        }
    }

    #[test]
    fn a_reset_is_one_before_a_header_only_while_that_is_waited_for() {
        let reset = CloseReason::Reset(Side::Downstream);
        assert!(header_error(reset, false).is_some());
        assert_eq!(header_error(reset, true), None);
    }
}
