//! Configuration text: `nsproxy-config`.

use std::ffi::OsString;

use nsproxy_config::{RenderOptions, Severity, Source, parse};

/// Reads the bytes as a configuration: no panic, an error wherever there is no configuration, a place for each, and
/// a report that can be shown. Time is the fuzzer's business: it fails an input that takes too long.
pub fn text(bytes: &[u8]) {
    match parse(vec![Source::new("fuzz.cfg", bytes)], &environment) {
        Ok(loaded) => {
            assert!(
                !loaded.warnings.has_errors(),
                "accepted with errors:\n{}",
                loaded.warnings
            );
            shown(&loaded.warnings);
        }
        Err(report) => {
            assert!(report.has_errors(), "refused without an error");
            shown(&report);
        }
    }
}

fn shown(report: &nsproxy_config::Report) {
    for diagnostic in report.diagnostics() {
        assert!(diagnostic.place().is_some(), "{diagnostic:?}");
        assert!(!diagnostic.message().is_empty());
    }
    let counted = report.count(Severity::Error) + report.count(Severity::Warning);
    assert!(counted >= report.diagnostics().len());
    report.render(RenderOptions {
        colour: true,
        ..RenderOptions::default()
    });
}

/// Variables of one letter have a value with a space in it.
fn environment(name: &str) -> Option<OsString> {
    (name.len() == 1).then(|| OsString::from("10.0.0.1 x"))
}
