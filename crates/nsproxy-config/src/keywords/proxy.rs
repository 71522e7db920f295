//! Sections, statements of proxies and modes that HAProxy knows and nsproxy does not.

use super::{Group, Table, Why};

/// First words in `defaults`, `frontend`, `backend` and `listen`.
pub(crate) static PROXY: Table = Table(&[
    Group {
        why: Why::NotYet,
        words: &[
            ("acl", 0),
            ("backlog", 0),
            ("clitcpka-cnt", 0),
            ("clitcpka-idle", 0),
            ("clitcpka-intvl", 0),
            ("declare", 0),
            ("default-server", 0),
            ("description", 0),
            ("disabled", 0),
            ("email-alert", 0),
            ("enabled", 0),
            ("error-log-format", 0),
            ("external-check", 0),
            ("filter", 0),
            ("force-be-switch", 0),
            ("force-persist", 0),
            ("fullconn", 0),
            ("guid", 0),
            ("hash-balance-factor", 0),
            ("hash-preserve-affinity", 0),
            ("hash-type", 0),
            ("id", 0),
            ("ignore-persist", 0),
            ("load-server-state-from-file", 0),
            ("log", 0),
            ("log-format", 0),
            ("log-format-sd", 0),
            ("log-steps", 0),
            ("log-tag", 0),
            ("option", 0),
            ("persist", 0),
            ("rate-limit", 0),
            ("retries", 0),
            ("server-state-file-name", 0),
            ("server-template", 0),
            ("srvtcpka-cnt", 0),
            ("srvtcpka-idle", 0),
            ("srvtcpka-intvl", 0),
            ("stats", 0),
            ("stick", 0),
            ("stick-table", 0),
            ("tcp-check", 0),
            ("tcp-request", 0),
            ("tcp-response", 0),
            ("unique-id-format", 0),
            ("use-server", 0),
            ("use_backend", 0),
        ],
    },
    Group {
        why: Why::Http,
        words: &[
            ("capture", 0),
            ("compression", 0),
            ("cookie", 0),
            ("dynamic-cookie-key", 0),
            ("errorfile", 0),
            ("errorfiles", 0),
            ("errorloc", 0),
            ("errorloc302", 0),
            ("errorloc303", 0),
            ("http-after-response", 0),
            ("http-check", 0),
            ("http-error", 0),
            ("http-request", 0),
            ("http-response", 0),
            ("http-reuse", 0),
            ("http-send-name-header", 0),
            ("max-keep-alive-queue", 0),
            ("max-session-srv-conns", 0),
            ("monitor", 0),
            ("monitor-uri", 0),
            ("quic-initial", 0),
            ("redirect", 0),
            ("retry-on", 0),
            ("unique-id-header", 0),
            ("use-fcgi-app", 0),
        ],
    },
    Group {
        why: Why::Never("it is an old form that HAProxy dropped or is dropping; remove it"),
        words: &[
            ("appsession", 0),
            ("bind-process", 0),
            ("block", 0),
            ("clitimeout", 0),
            ("contimeout", 0),
            ("dispatch", 0),
            ("monitor-net", 0),
            ("srvtimeout", 0),
            ("tcp-ut", 0),
            ("transparent", 0),
            ("usesrc", 0),
        ],
    },
    Group {
        why: Why::Never("nsproxy relays streams only"),
        words: &[("dgram-bind", 0)],
    },
]);

/// First words that may stand in any section.
pub(crate) static DIRECTIVES: Table = Table(&[Group {
    why: Why::NotYet,
    words: &[
        (".alert", 0),
        (".diag", 0),
        (".elif", 0),
        (".else", 0),
        (".endif", 0),
        (".if", 0),
        (".notice", 0),
        (".warning", 0),
        ("default", 0),
        ("no", 0),
    ],
}]);

/// Words that open a section.
pub(crate) static UNSUPPORTED_SECTIONS: Table = Table(&[
    Group {
        why: Why::NotYet,
        words: &[
            ("log-forward", 0),
            ("log-profile", 0),
            ("mailers", 0),
            ("peers", 0),
            ("program", 0),
            ("resolvers", 0),
            ("ring", 0),
            ("traces", 0),
        ],
    },
    Group {
        why: Why::Http,
        words: &[
            ("cache", 0),
            ("fcgi-app", 0),
            ("healthcheck", 0),
            ("http-errors", 0),
            ("userlist", 0),
        ],
    },
    Group {
        why: Why::Tls,
        words: &[("acme", 0), ("crt-store", 0)],
    },
]);

/// Modes of a proxy.
pub(crate) static MODES: Table = Table(&[
    Group {
        why: Why::Http,
        words: &[("http", 0)],
    },
    Group {
        why: Why::Never("nsproxy relays connections only; log relaying is no part of it"),
        words: &[("log", 0)],
    },
    Group {
        why: Why::Never("HAProxy itself no longer has it; use `mode tcp`"),
        words: &[("health", 0)],
    },
    Group {
        why: Why::Never("it is not a mode a configuration file can use; use `mode tcp`"),
        words: &[("cli", 0), ("haterm", 0), ("spop", 0)],
    },
]);
