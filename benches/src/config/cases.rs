//! Large configurations: what a generator of configurations may write, and one long line.

use std::fmt::Write as _;

/// A kind of configuration that can be of any size.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Its size in the table: sections, lines or bytes.
    pub(super) size: usize,
    /// Its text at this size.
    pub(super) text: fn(usize) -> String,
    /// Whether nsproxy accepts it. A configuration that is full of mistakes has to be reported on in time, too.
    pub(super) is_valid: bool,
}

const HEAD: &str = "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
const MANY: usize = 100_000;
const LONG: usize = 10 << 20;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "sections",
        size: MANY,
        text: sections,
        is_valid: true,
    },
    Case {
        name: "servers of one backend",
        size: MANY,
        text: |size| {
            let server = |n: usize| format!(" server s{n} 10.{}.{}.{}:80", n >> 16, n >> 8 & 255, n & 255);
            format!("{HEAD}listen l\n bind :80\n{}", lines(size, server))
        },
        is_valid: true,
    },
    Case {
        name: "servers with a check",
        size: MANY,
        text: |size| {
            let server =
                |n: usize| format!(" server s{n} 10.0.0.1:80 check inter 5s weight 10 send-proxy-v2");
            format!("{HEAD}listen l\n bind :80\n{}", lines(size, server))
        },
        is_valid: true,
    },
    Case {
        name: "acl lines, each used",
        size: MANY,
        text: |size| {
            let acl = |n: usize| format!(" acl a{n} src 10.{}.{}.0/24", n >> 8 & 255, n & 255);
            let used = |n: usize| format!(" use_backend b if a{n}");
            let (acls, uses) = (lines(size / 2, acl), lines(size / 2, used));
            format!(
                "{HEAD}backend b\n server s 10.0.0.1:80\nfrontend f\n bind :80\n default_backend b\n{acls}{uses}"
            )
        },
        is_valid: true,
    },
    Case {
        name: "lines of one acl",
        size: MANY,
        text: |size| {
            let acls = lines(size, |n| {
                format!(" acl a src 10.{}.{}.0/24", n >> 8 & 255, n & 255)
            });
            format!(
                "{HEAD}listen l\n bind :80\n server s 10.0.0.1:80\n{acls} tcp-request connection reject if a\n"
            )
        },
        is_valid: true,
    },
    Case {
        name: "bind lines",
        size: MANY,
        text: |size| {
            let bind = |n: usize| format!(" bind 127.{}.{}.{}:80", n >> 16, n >> 8 & 255, n & 255);
            format!("{HEAD}listen l\n server s 10.0.0.1:80\n{}", lines(size, bind))
        },
        is_valid: true,
    },
    Case {
        name: "unknown words",
        size: MANY,
        text: |size| format!("{HEAD}listen l\n{}", lines(size, |n| format!(" unknown-{n}"))),
        is_valid: false,
    },
    Case {
        name: "bytes of a comment",
        size: LONG,
        text: |size| {
            format!(
                "{HEAD}# {}\nlisten l\n bind :80\n server s 10.0.0.1:80\n",
                "x".repeat(size)
            )
        },
        is_valid: true,
    },
    Case {
        name: "bytes of a variable",
        size: LONG,
        text: |size| {
            let text = "x".repeat(size);
            format!("global\n setenv LONG {text}\n{HEAD}listen l\n bind :80\n server s 10.0.0.1:80\n")
        },
        is_valid: true,
    },
    Case {
        name: "bytes of options",
        size: LONG,
        text: |size| format!("{HEAD}listen l\n bind :80{}\n", " name a".repeat(size / 7)),
        is_valid: false,
    },
    Case {
        name: "bytes of a condition",
        size: LONG,
        text: |size| {
            let terms = "{ src 10.0.0.1 } ".repeat(size / 17);
            format!("{HEAD}listen l\n bind :80\n tcp-request connection reject if {terms}\n")
        },
        is_valid: false,
    },
];

fn sections(size: usize) -> String {
    let pair = |n: usize| {
        format!(
            "frontend f{n}\n bind 127.{}.{}.{}:80\n default_backend b{n}\nbackend b{n}\n server s 10.0.0.1:80",
            n >> 16,
            n >> 8 & 255,
            n & 255
        )
    };
    format!("{HEAD}{}", lines(size / 2, pair))
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "{}", line(index));
        text
    })
}
