//! Every seed and every input that once failed, through the target for sessions, as ordinary tests.

mod kept;

use nsproxy_fuzz::session;

#[test]
fn every_kept_list_of_operations_leaves_the_session_consistent() {
    kept::inputs("session", 4)
        .iter()
        .for_each(|(_, bytes)| session::operations(bytes));
}
