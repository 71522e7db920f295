//! The crates, each used as its documentation says: borrowed where it can borrow, into a buffer where it can write into one.

pub(super) mod ours;
mod ppp;
mod proxy_header;
mod proxy_protocol;
mod proxy_protocol_rs;

use super::codec::Codec;

/// All crates; ours is the first.
pub(super) fn all() -> Vec<Codec> {
    vec![
        ours::CODEC,
        ppp::CODEC,
        proxy_header::CODEC,
        proxy_protocol::CODEC,
        proxy_protocol_rs::CODEC,
    ]
}
