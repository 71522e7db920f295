//! Statements, options and modes of proxies that HAProxy knows and nsproxy does not.

use super::{Group, Table, Why};

/// First words in `defaults`, `frontend`, `backend` and `listen`.
pub(crate) static PROXY: Table = Table(&[
    Group {
        why: Why::NotYet,
        words: &[
            ("declare", 0),
            ("description", 0),
            ("disabled", 0),
            ("email-alert", 0),
            ("enabled", 0),
            ("error-log-format", 0),
            ("external-check", 0),
            ("filter", 0),
            ("force-be-switch", 0),
            ("force-persist", 0),
            ("guid", 0),
            ("hash-balance-factor", 0),
            ("hash-preserve-affinity", 0),
            ("id", 0),
            ("ignore-persist", 0),
            ("load-server-state-from-file", 0),
            ("log-steps", 0),
            ("option", 0),
            ("persist", 0),
            ("server-state-file-name", 0),
            ("server-template", 0),
            ("stats", 0),
            ("stick", 0),
            ("stick-table", 0),
        ],
    },
    Group {
        why: Why::Http,
        words: &[
            ("capture", 0),
            ("cookie", 0),
            ("dynamic-cookie-key", 0),
            ("http-after-response", 0),
            ("http-check", 0),
            ("http-request", 0),
            ("http-response", 0),
            ("monitor", 0),
            ("quic-initial", 0),
            ("redirect", 0),
            ("use-fcgi-app", 0),
        ],
    },
    Group {
        why: Why::HttpSetting,
        words: &[
            ("compression", 0),
            ("errorfile", 0),
            ("errorfiles", 0),
            ("errorloc", 0),
            ("errorloc302", 0),
            ("errorloc303", 0),
            ("http-error", 0),
            ("http-reuse", 0),
            ("http-send-name-header", 0),
            ("max-keep-alive-queue", 0),
            ("max-session-srv-conns", 0),
            ("monitor-uri", 0),
            ("retry-on", 0),
            ("unique-id-header", 0),
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
    why: Why::Never("only `option` lines can be negated; remove it"),
    words: &[("default", 0), ("no", 0)],
}]);

/// Names behind `option`.
pub(crate) static OPTIONS: Table = Table(&[
    Group {
        why: Why::NotYet,
        words: &[
            ("abortonclose", 0),
            ("contstats", 0),
            ("external-check", 0),
            ("httpchk", 0),
            ("independent-streams", 0),
            ("ldap-check", 0),
            ("log-separate-errors", 0),
            ("mysql-check", 0),
            ("nolinger", 0),
            ("persist", 0),
            ("pgsql-check", 0),
            ("redis-check", 0),
            ("smtpchk", 0),
            ("socket-stats", 0),
            ("splice-auto", 0),
            ("splice-request", 0),
            ("splice-response", 0),
            ("ssl-hello-chk", 0),
            ("tcp-smart-accept", 0),
            ("tcp-smart-connect", 0),
            ("use-small-buffers", 0),
        ],
    },
    Group {
        why: Why::HttpSetting,
        words: &[
            ("accept-invalid-http-request", 0),
            ("accept-invalid-http-response", 0),
            ("accept-unsafe-violations-in-http-request", 0),
            ("accept-unsafe-violations-in-http-response", 0),
            ("checkcache", 0),
            ("disable-h2-upgrade", 0),
            ("forceclose", 0),
            ("forwarded", 0),
            ("forwardfor", 0),
            ("h1-case-adjust-bogus-client", 0),
            ("h1-case-adjust-bogus-server", 0),
            ("http-buffer-request", 0),
            ("http-drop-request-trailers", 0),
            ("http-drop-response-trailers", 0),
            ("http-ignore-probes", 0),
            ("http-keep-alive", 0),
            ("http-no-delay", 0),
            ("http-pretend-keepalive", 0),
            ("http-restrict-req-hdr-names", 0),
            ("http-server-close", 0),
            ("http-tunnel", 0),
            ("http-use-htx", 0),
            ("http-use-proxy-header", 0),
            ("httpclose", 0),
            ("httpslog", 0),
            ("idle-close-on-response", 0),
            ("originalto", 0),
            ("prefer-last-server", 0),
        ],
    },
    Group {
        why: Why::Never("write a `server` with the address `*`, or `source ... usesrc clientip`"),
        words: &[("transparent", 0)],
    },
    Group {
        why: Why::Never("nsproxy relays TCP only; remove it"),
        words: &[("http_proxy", 0), ("spop-check", 0)],
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
