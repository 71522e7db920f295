//! What a process is from its start to its end, whatever its configuration says later.

use anyhow::ensure;
use nsproxy_config::model::Global;

/// What of the new configuration is without effect until the process is started anew.
///
/// # Errors
///
/// Something differs that must not be without effect: who the process is, and what it can reach.
pub(super) fn compare(now: &Global, new: &Global) -> anyhow::Result<Vec<&'static str>> {
    let identity = [
        ("user", now.user == new.user),
        ("group", now.group == new.group),
        ("setcap", now.setcap == new.setcap),
        ("chroot", now.chroot == new.chroot),
    ];
    for (keyword, is_same) in identity {
        ensure!(
            is_same,
            "`{keyword}` cannot change while nsproxy runs: it takes a new start"
        );
    }
    let others = [
        ("maxconn", now.maxconn == new.maxconn),
        ("daemon", now.daemon == new.daemon),
        ("pidfile", now.pidfile == new.pidfile),
        ("ulimit-n", now.open_files == new.open_files),
        ("stats", now.admin == new.admin),
    ];
    let changed = others.into_iter().filter(|(_, is_same)| !is_same);
    Ok(changed.map(|(keyword, _)| keyword).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(lines: &str) -> Global {
        let text = format!("global\n{lines}\nlisten l\n bind :80\n server s 10.0.0.1:80\n");
        let source = nsproxy_config::Source::new("test.cfg", text);
        let loaded =
            nsproxy_config::parse(vec![source], &|_| None).unwrap_or_else(|report| panic!("{report}"));
        loaded.config.global
    }

    #[test]
    fn who_the_process_is_cannot_change() {
        for lines in [" user 1", " gid 1", " setcap cap_net_raw", " chroot /srv"] {
            let error = compare(&global(""), &global(lines)).map_err(|error| error.to_string());
            let error = error.expect_err(lines);
            assert!(error.contains("cannot change while nsproxy runs"), "{error}");
            assert!(compare(&global(lines), &global(lines)).is_ok_and(|changed| changed.is_empty()));
        }
    }

    #[test]
    fn what_is_without_effect_is_named() {
        let new = global(" daemon\n pidfile /run/p\n ulimit-n 1000\n nbthread 2\n maxconn 10");
        let changed = compare(&global(""), &new).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(changed, ["maxconn", "daemon", "pidfile", "ulimit-n"]);
    }
}
