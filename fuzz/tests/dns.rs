//! Every seed and every input that once failed, through the target for name servers, as ordinary tests.

mod kept;

use nsproxy_fuzz::dns;

#[test]
fn every_kept_answer_of_a_name_server_says_only_what_was_asked_for() {
    kept::inputs("dns", 8)
        .iter()
        .for_each(|(_, bytes)| dns::answer(bytes));
}
