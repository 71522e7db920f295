//! Configuration text: `nsproxy-config`.

use std::ffi::OsString;

use nsproxy_config::{Config, Loaded, RenderOptions, Report, Severity, Source, format, parse};

/// Reads the bytes as a configuration: no panic, an error wherever there is no configuration, a place for each, and
/// a report that can be shown. What is accepted can be shown as a configuration that means the same; what can be formatted
/// means the same afterwards. Time is the fuzzer's business: it fails an input that takes too long.
pub fn text(bytes: &[u8]) {
    let result = read(bytes);
    match &result {
        Ok(loaded) => {
            assert!(
                !loaded.warnings.has_errors(),
                "accepted with errors:\n{}",
                loaded.warnings
            );
            shown(&loaded.warnings);
            shows_itself(&loaded.config);
        }
        Err(report) => {
            assert!(report.has_errors(), "refused without an error");
            shown(report);
        }
    }
    match format(Source::new("fuzz.cfg", bytes)) {
        Ok(new) => formatted(bytes, &result, &new),
        Err(report) => {
            assert!(result.is_err(), "accepted, but not formatted:\n{report}");
            shown(&report);
        }
    }
}

fn read(bytes: &[u8]) -> Result<Loaded, Report> {
    parse(vec![Source::new("fuzz.cfg", bytes)], &environment)
}

fn shows_itself(config: &Config) {
    let shown = config.show().to_string();
    match read(shown.as_bytes()) {
        Ok(again) => assert!(config.means_the_same_as(&again.config), "shown as:\n{shown}"),
        Err(report) => panic!("shown as what is refused:\n{shown}\n{report}"),
    }
}

fn formatted(bytes: &[u8], old: &Result<Loaded, Report>, new: &str) {
    let again = format(Source::new("fuzz.cfg", new)).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(again, new, "formatted twice");
    // Lines move, so what asks for their numbers may change its meaning.
    if bytes.windows(5).any(|window| window == b".LINE") {
        return;
    }
    match (old, read(new.as_bytes())) {
        (Ok(old), Ok(new)) => assert!(old.config.means_the_same_as(&new.config)),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(report)) => panic!("no longer accepted:\n{new}\n{report}"),
        (Err(report), Ok(_)) => panic!("accepted now:\n{new}\n{report}"),
    }
}

fn shown(report: &Report) {
    for diagnostic in report.diagnostics() {
        assert!(diagnostic.place().is_some(), "{diagnostic:?}");
        assert!(!diagnostic.message().is_empty());
    }
    let severities = [Severity::Error, Severity::Warning, Severity::Notice];
    let counted: usize = severities.map(|severity| report.count(severity)).iter().sum();
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
