//! Every seed and every input that once failed, through the target for lines of the admin socket, as ordinary tests.

mod kept;

use nsproxy_fuzz::admin;

#[test]
fn every_kept_line_of_the_admin_socket_is_read_as_it_was_written() {
    kept::inputs("admin", 3)
        .iter()
        .for_each(|(_, bytes)| admin::line(bytes));
}
