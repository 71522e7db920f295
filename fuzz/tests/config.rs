//! Every seed and every input that once failed, through the target for configurations, as ordinary tests.

mod kept;

use nsproxy_fuzz::config;

#[test]
fn every_kept_configuration_is_read_or_refused_with_places() {
    kept::inputs("config", 8)
        .iter()
        .for_each(|(_, bytes)| config::text(bytes));
}
