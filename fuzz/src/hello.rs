//! The first bytes of a TLS client: `nsproxy_engine::rules::Hello`.

use nsproxy_engine::rules::Hello;

/// Reads all pieces that the bytes can come in: no panic, and what is once known stays so.
pub fn read(bytes: &[u8]) {
    let whole = Hello::read(bytes);
    if let Hello::Message(message) = &whole {
        let parts = message.protocols().map(<[u8]>::len).sum::<usize>()
            + message.server_name().map_or(0, <[u8]>::len);
        assert!(parts <= bytes.len(), "more was read than came");
        assert!(
            message.version().is_none() || message.kind() == 1,
            "only a ClientHello has a version"
        );
    }
    // Every piece of a short input, and some of a long one.
    for end in (0..bytes.len()).step_by(1 + bytes.len() / 256) {
        let piece = Hello::read(&bytes[..end]);
        assert!(
            piece == Hello::Incomplete || piece == whole,
            "what was known at {end} has changed"
        );
    }
}
