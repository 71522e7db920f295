//! HAProxy's words for how a session ended: the two letters of `%ts`, and the sentences for a PROXY header that is no good.
//!
//! Each was seen of HAProxy 2.6.12 in the same situation, unless a comment says otherwise.

use nsproxy_engine::{CloseReason, Side};

/// Cause and state. A session that has not `connected` has a `C` for its state, except where HAProxy has not.
pub(super) fn termination(reason: CloseReason, connected: bool) -> [u8; 2] {
    use CloseReason as R;
    let state = if connected { b'D' } else { b'C' };
    match reason {
        R::Finished => *b"--",
        R::Reset(Side::Downstream) | R::Failed(Side::Downstream, _) => *b"CD",
        R::Reset(Side::Upstream) | R::Failed(Side::Upstream, _) => [b'S', state],
        R::ConnectFailed(_) | R::NoServer => *b"SC",
        R::ConnectTimeout => *b"sC",
        R::QueueTimeout => *b"sQ",
        R::QueueFull => *b"SQ",
        R::IdleTimeout(Side::Downstream) => [b'c', state],
        R::IdleTimeout(Side::Upstream) => [b's', state],
        // By the manual: something that the proxy itself lacks.
        R::SocketFailed(_) => *b"RC",
        // By the manual: killed by whoever operates it. HAProxy ends without a line.
        R::Stopped => [b'K', state],
        // By the manual: killed because the server went down, or because one that a backup stands in for came up.
        R::ServerDown => [b'D', state],
        R::ServerUp => [b'U', state],
        // By the manual: the proxy refuses the connection. HAProxy knows none of these cases.
        R::NoDestination | R::NoPort | R::Loop | R::NoSource | R::HeaderUnwritable => *b"PC",
        // By the manual: the proxy blocks it, for the namespace that its header names. Headers that are no good have a line
        // of their own.
        _ => *b"PR",
    }
}

/// What HAProxy says of a client's PROXY header; `None` when the session did not end for one.
pub(super) fn header_error(reason: CloseReason) -> Option<&'static str> {
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
        _ => return None,
    })
}

/// A reset before the end of a header.
pub(super) const HEADER_RESET: &str = "Connection error while waiting for PROXY protocol header";

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
        assert_eq!(termination(reset, true), *b"SD");
        assert_eq!(termination(reset, false), *b"SC");
        assert_eq!(termination(CloseReason::Stopped, true), *b"KD");
        assert_eq!(termination(CloseReason::SocketFailed(Errno(0)), false), *b"RC");
    }

    #[test]
    fn only_a_header_has_a_sentence() {
        assert!(header_error(CloseReason::HeaderTimeout).is_some());
        assert_eq!(header_error(CloseReason::Finished), None);
    }
}
