//! Sections that HAProxy knows and nsproxy does not.

use super::{Group, Table, Why};

/// Words that open a section.
pub(crate) static UNSUPPORTED_SECTIONS: Table = Table(&[
    Group {
        why: Why::Never(
            "nsproxy has no stick tables, so there is nothing to share with peers; remove the section",
        ),
        words: &[("peers", 0)],
    },
    Group {
        why: Why::Never("nsproxy sends no mail: let what reads its log do that, and remove the section"),
        words: &[("mailers", 0)],
    },
    Group {
        why: Why::Never(
            "nsproxy starts no programs: let the service manager do that, and remove the section",
        ),
        words: &[("program", 0)],
    },
    Group {
        why: Why::Never(
            "nsproxy logs to standard error, where the service manager takes it; remove the section",
        ),
        words: &[("log-forward", 0), ("log-profile", 0), ("ring", 0), ("traces", 0)],
    },
    Group {
        why: Why::NotYet,
        words: &[("healthcheck", 0)],
    },
    Group {
        why: Why::HttpSetting,
        words: &[("cache", 0), ("fcgi-app", 0), ("http-errors", 0), ("userlist", 0)],
    },
    Group {
        why: Why::Tls,
        words: &[("acme", 0), ("crt-store", 0)],
    },
]);
