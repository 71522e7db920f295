//! Every seed and every input that once failed, through the target for TLS clients, as ordinary tests.

mod kept;

use nsproxy_fuzz::hello;

#[test]
fn every_kept_first_message_is_read_the_same_in_any_pieces() {
    kept::inputs("hello", 6)
        .iter()
        .for_each(|(_, bytes)| hello::read(bytes));
}
