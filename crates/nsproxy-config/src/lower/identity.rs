//! The statements of `global` about who the process is once it listens, and what it may open.

use super::args::Args;
use super::global::{GlobalDirective, need_number, need_path};
use super::sink::Sink;
use crate::model::{Account, Capability, Global};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::number::{self, shorten};

pub(super) static STATEMENTS: &[GlobalDirective] = &[
    GlobalDirective {
        name: "user",
        repeats: false,
        apply: |global, args, sink| account(&mut global.user, named, args, sink),
        doc: Doc {
            syntax: "user NAME",
            default: "stays as it is",
            meaning: "Become this user once everything listens, with its primary group unless there is a `group`, and keep only the capabilities that the configuration needs.",
            example: "user nobody",
        },
    },
    GlobalDirective {
        name: "uid",
        repeats: false,
        apply: |global, args, sink| account(&mut global.user, numbered, args, sink),
        doc: Doc {
            syntax: "uid N",
            default: "stays as it is",
            meaning: "As `user`, by number. The group stays as it is unless there is a `gid` or a `group`.",
            example: "uid 65534",
        },
    },
    GlobalDirective {
        name: "group",
        repeats: false,
        apply: |global, args, sink| account(&mut global.group, named, args, sink),
        doc: Doc {
            syntax: "group NAME",
            default: "that of the user",
            meaning: "Become a member of this group and of no other once everything listens.",
            example: "group nogroup",
        },
    },
    GlobalDirective {
        name: "gid",
        repeats: false,
        apply: |global, args, sink| account(&mut global.group, numbered, args, sink),
        doc: Doc {
            syntax: "gid N",
            default: "that of the user",
            meaning: "As `group`, by number.",
            example: "gid 65534",
        },
    },
    GlobalDirective {
        name: "setcap",
        repeats: false,
        apply: setcap,
        doc: Doc {
            syntax: "setcap CAP[,CAP...]",
            default: "none",
            meaning: "Keep these capabilities as well, with `user` or `uid` or as an ordinary user: `cap_net_admin`, `cap_net_bind_service`, `cap_net_raw`, `cap_sys_admin`, `cap_sys_ptrace`, `cap_dac_read_search`. What the configuration needs is kept anyway.",
            example: "setcap cap_net_bind_service",
        },
    },
    GlobalDirective {
        name: "chroot",
        repeats: false,
        apply: |global, args, sink| global.chroot = need_path("a directory", args, sink),
        doc: Doc {
            syntax: "chroot DIR",
            default: "none",
            meaning: "Make this the root directory once everything listens. Namespaces of servers are still found; unix sockets of servers are looked for in it.",
            example: "chroot /var/lib/haproxy",
        },
    },
    GlobalDirective {
        name: "ulimit-n",
        repeats: false,
        apply: |global, args, sink| global.open_files = need_number(args, &(1..=u32::MAX), sink),
        doc: Doc {
            syntax: "ulimit-n N",
            default: "as many as the hard limit allows",
            meaning: "The limit of open files, two of which a session needs.",
            example: "ulimit-n 65536",
        },
    },
];

/// Reads a name or a number.
pub(super) type ReadAccount = fn(&str) -> Result<Account, String>;

/// The one account that a statement has.
fn account(slot: &mut Option<Account>, read: ReadAccount, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    set_account(slot, read, args.keyword(), args, sink);
    args.finish(sink);
}

/// The account behind a keyword. `user` and `uid` are one setting, and so are `group` and `gid`.
pub(super) fn set_account(
    slot: &mut Option<Account>,
    read: ReadAccount,
    keyword: &Word<'_>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    let Some(word) = args.need(&keyword.text, "a name or a number", sink) else {
        return;
    };
    if slot.is_some() {
        let error = Diagnostic::error(keyword.span, format!("`{}` sets this once more", keyword.text));
        sink.push(error.with_note("`user` and `uid` are one setting, and `group` and `gid` are one"));
        return;
    }
    match read(&word.text) {
        Ok(account) => *slot = Some(account),
        Err(message) => sink.error(word.span, message),
    }
}

pub(super) fn named(text: &str) -> Result<Account, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("this cannot be a name".to_owned());
    }
    Ok(Account::Name(text.to_owned()))
}

pub(super) fn numbered(text: &str) -> Result<Account, String> {
    // The largest number stands for "no change" (setresuid(2)).
    let number = number::parse(text, &(0..=u32::MAX - 1));
    number.map(Account::Id).map_err(|error| error.to_string())
}

fn setcap(global: &mut Global, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("setcap", "a list of capabilities", sink) else {
        return;
    };
    let mut at = 0;
    for name in word.text.split(',') {
        let span = word.part(at..at + name.len());
        at += name.len() + 1;
        if let Some(capability) = Capability::ALL.iter().find(|known| known.name() == name) {
            global.setcap.insert(*capability);
            continue;
        }
        let names = Capability::ALL.iter().map(|known| known.name());
        let error = Diagnostic::error(
            span,
            format!("`{}` is not a capability for `setcap`", shorten(name)),
        );
        sink.push(match sink.nearest(name, names) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help("the reference lists those that a proxy can have a use for"),
        });
    }
    args.finish(sink);
}
