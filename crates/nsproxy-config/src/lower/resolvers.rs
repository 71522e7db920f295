//! `resolvers` sections: the name servers that hosts of servers are asked of.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::args::Args;
use super::sink::{Sink, report_address, shown};
use super::statement;
use crate::keywords::Table;
use crate::model::{Nameserver, Resolvers};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, Statement, Word};
use crate::values::{address, name};

/// One statement of the section.
pub(super) struct Row {
    pub(super) name: &'static str,
    apply: fn(&mut Draft, &mut Args<'_, '_>, &mut Sink<'_>),
    pub(super) doc: Doc,
}

/// A section while it is being read.
struct Draft {
    resolvers: Resolvers,
    /// The name servers, by their names.
    names: HashMap<String, Span>,
}

/// What HAProxy takes; it announces no less than what every server may send.
const PAYLOAD: RangeInclusive<u32> = 512..=65_535;
/// More attempts than that are surely a slip.
const RETRIES: RangeInclusive<u32> = 1..=1000;

/// HAProxy knows no other statement here.
static NOTHING_ELSE: Table = Table(&[]);

pub(super) static STATEMENTS: &[Row] = &[
    Row {
        name: "nameserver",
        apply: nameserver,
        doc: Doc {
            syntax: "nameserver NAME ADDR[:PORT]",
            default: "none",
            meaning: "Ask that server, from the namespace of each server whose host is looked up. All of the section are asked at once, by UDP, and by TCP if an answer does not fit; with `tcp@` by TCP only. At most 8. Without a port: 53.",
            example: "nameserver first 10.0.0.1:53",
        },
    },
    Row {
        name: "parse-resolv-conf",
        apply: |draft, args, sink| {
            draft.resolvers.parse_resolv_conf = true;
            args.finish(sink);
        },
        doc: Doc {
            syntax: "parse-resolv-conf",
            default: "off",
            meaning: "Ask the name servers of `/etc/netns/NAME/resolv.conf`, too, or those of `/etc/resolv.conf` where a namespace has no file of its own. The file is read anew for each lookup.",
            example: "parse-resolv-conf",
        },
    },
    Row {
        name: "resolve_retries",
        apply: |draft, args, sink| {
            if let Some(count) = need_number("resolve_retries", args, &RETRIES, sink) {
                draft.resolvers.resolve_retries = count;
            }
        },
        doc: Doc {
            syntax: "resolve_retries N",
            default: "3",
            meaning: "How often a question is asked until a lookup has failed.",
            example: "resolve_retries 5",
        },
    },
    Row {
        name: "accepted_payload_size",
        apply: |draft, args, sink| {
            let size = need_number("accepted_payload_size", args, &PAYLOAD, sink);
            if let Some(size) = size.and_then(|size| u16::try_from(size).ok()) {
                draft.resolvers.accepted_payload_size = size;
            }
        },
        doc: Doc {
            syntax: "accepted_payload_size N",
            default: "512",
            meaning: "The largest answer by UDP, in bytes: 512 to 65535.",
            example: "accepted_payload_size 4096",
        },
    },
    Row {
        name: "timeout resolve",
        apply: |draft, args, sink| {
            set_pause(
                "timeout resolve",
                &mut draft.resolvers.timeout_resolve,
                args,
                sink,
            );
        },
        doc: Doc {
            syntax: "timeout resolve TIME",
            default: "1s",
            meaning: "How long after a lookup the next one begins.",
            example: "timeout resolve 5s",
        },
    },
    Row {
        name: "timeout retry",
        apply: |draft, args, sink| set_pause("timeout retry", &mut draft.resolvers.timeout_retry, args, sink),
        doc: Doc {
            syntax: "timeout retry TIME",
            default: "1s",
            meaning: "How long an answer may take until the question is asked again.",
            example: "timeout retry 500ms",
        },
    },
    Row {
        name: "hold valid",
        apply: |draft, args, sink| set_time("hold valid", &mut draft.resolvers.hold.valid, args, sink),
        doc: Doc {
            syntax: "hold valid TIME",
            default: "10s",
            meaning: "How long an answer with addresses is relied on: after that time at the latest the next lookup begins, also when `timeout resolve` is longer. 0: after `timeout resolve`.",
            example: "hold valid 10s",
        },
    },
    Row {
        name: "hold nx",
        apply: |draft, args, sink| set_time("hold nx", &mut draft.resolvers.hold.nx, args, sink),
        doc: Doc {
            syntax: "hold nx TIME",
            default: "30s",
            meaning: "While the servers say that there is no such name, keep the address for that time after the last answer that had one.",
            example: "hold nx 10s",
        },
    },
    Row {
        name: "hold timeout",
        apply: |draft, args, sink| set_time("hold timeout", &mut draft.resolvers.hold.timeout, args, sink),
        doc: Doc {
            syntax: "hold timeout TIME",
            default: "30s",
            meaning: "The same while no server answers.",
            example: "hold timeout 5m",
        },
    },
    Row {
        name: "hold refused",
        apply: |draft, args, sink| set_time("hold refused", &mut draft.resolvers.hold.refused, args, sink),
        doc: Doc {
            syntax: "hold refused TIME",
            default: "30s",
            meaning: "The same while the servers refuse to answer.",
            example: "hold refused 1m",
        },
    },
    Row {
        name: "hold other",
        apply: |draft, args, sink| set_time("hold other", &mut draft.resolvers.hold.other, args, sink),
        doc: Doc {
            syntax: "hold other TIME",
            default: "30s",
            meaning: "The same for any other failure, such as an answer without an address.",
            example: "hold other 1m",
        },
    },
    Row {
        name: "hold obsolete",
        apply: |draft, args, sink| set_time("hold obsolete", &mut draft.resolvers.hold.obsolete, args, sink),
        doc: Doc {
            syntax: "hold obsolete TIME",
            default: "0",
            meaning: "Keep an address that answers do not have any more for that time, while they have others; at most 256 of a name are kept.",
            example: "hold obsolete 30s",
        },
    },
];

/// All of them, while they are being read.
#[derive(Default)]
pub(super) struct Sections {
    list: Vec<Resolvers>,
    names: HashMap<String, Span>,
}

impl Sections {
    pub(super) fn finish(self) -> Vec<Resolvers> {
        self.list
    }

    pub(super) fn section(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) {
        let mut args = Args::new(&section.header);
        let Some(word) = args.need("resolvers", "a name", sink) else {
            return;
        };
        if !section.broken_header {
            args.finish(sink);
        }
        if let Some((at, c)) = name::forbidden_char(&word.text) {
            let message = format!(
                "`{}` cannot stand in the name of a `resolvers` section",
                c.escape_default()
            );
            let error = Diagnostic::error(word.part(at..at + c.len_utf8()), message);
            sink.push(error.with_help(name::RULE));
        }
        let name = word.text.clone().into_owned();
        if let Some(&first) = self.names.get(&name) {
            let message = format!("a second `resolvers` section `{}`", shown(word));
            sink.push(Diagnostic::error(word.span, message).with_related(first, "the first one"));
        } else {
            self.names.insert(name.clone(), word.span);
        }
        self.list.push(read(section, word, name, sink));
    }
}

fn read(section: &Section<'_>, word: &Word<'_>, name: String, sink: &mut Sink<'_>) -> Resolvers {
    let mut draft = Draft {
        resolvers: Resolvers::new(name, sink.place(word.span)),
        names: HashMap::new(),
    };
    for line in &section.statements {
        let (keyword, second) = (&line.keyword().text, line.words.get(1));
        let row = STATEMENTS.iter().find(|row| match row.name.split_once(' ') {
            Some((first, name)) => keyword == first && second.is_some_and(|second| second.text == name),
            None => row.name == keyword,
        });
        let mut args = Args::new(line);
        match row {
            Some(row) => {
                if row.name.contains(' ') {
                    args.next();
                }
                (row.apply)(&mut draft, &mut args, sink);
            }
            None => unknown(line, &mut args, sink),
        }
    }
    let resolvers = draft.resolvers;
    if resolvers.nameservers.is_empty() && !resolvers.parse_resolv_conf && !section.has_broken_lines {
        let warning = Diagnostic::warning(
            word.span,
            "a `resolvers` section without a name server finds no address",
        );
        sink.push(warning.with_help("add `nameserver NAME ADDR`, or `parse-resolv-conf`"));
    }
    resolvers
}

fn unknown(line: &Statement<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let keyword = line.keyword();
    // `hold` and `timeout` have rows of two words.
    let first = format!("{} ", keyword.text);
    let names: Vec<&'static str> = STATEMENTS
        .iter()
        .filter_map(|row| row.name.strip_prefix(&*first))
        .collect();
    if names.is_empty() {
        let supported: Vec<&'static str> = STATEMENTS.iter().map(|row| row.name).collect();
        statement::unknown(line, "resolvers", &supported, &NOTHING_ELSE, sink);
        return;
    }
    let what = super::sink::list(&names);
    if let Some(word) = args.need(&keyword.text, &format!("one of {what}"), sink) {
        let error = Diagnostic::error(
            word.span,
            format!("there is no `{} {}`", keyword.text, shown(word)),
        );
        sink.push(match sink.nearest(&word.text, names.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(format!("`{}` has {what}", keyword.text)),
        });
    }
}

fn nameserver(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(name) = args.need("nameserver", "a name and an address", sink) else {
        return;
    };
    let Some(word) = args.need("nameserver", "an address behind its name", sink) else {
        return;
    };
    args.finish(sink);
    if let Some(&first) = draft.names.get(&*name.text) {
        let error = Diagnostic::error(name.span, format!("a second `nameserver {}`", shown(name)));
        sink.push(error.with_related(first, "the first one"));
        return;
    }
    draft.names.insert(name.text.clone().into_owned(), name.span);
    let nameservers = &mut draft.resolvers.nameservers;
    if nameservers.len() == Resolvers::MOST_NAMESERVERS {
        let message = format!(
            "a section has at most {} name servers",
            Resolvers::MOST_NAMESERVERS
        );
        sink.error(name.span, message);
        return;
    }
    match address::parse_nameserver(&word.text) {
        Ok((address, tcp)) => nameservers.push(Nameserver {
            name: name.text.clone().into_owned(),
            address,
            tcp,
        }),
        Err(error) => report_address(word, 0, &error, sink),
    }
}

fn need_number(
    name: &str,
    args: &mut Args<'_, '_>,
    range: &RangeInclusive<u32>,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    let value = args.need_number(name, range, sink);
    args.finish(sink);
    value
}

fn set_time(name: &str, target: &mut Duration, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    if let Some((value, _)) = need_time(name, args, sink) {
        *target = value;
    }
}

/// What lies between two questions.
fn set_pause(name: &str, target: &mut Duration, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    match need_time(name, args, sink) {
        Some((value, span)) if value.is_zero() => {
            let error = Diagnostic::error(span, format!("`{name}` has to be more than 0"));
            sink.push(error.with_help("otherwise name servers would be asked without a pause"));
        }
        Some((value, _)) => *target = value,
        None => {}
    }
}

fn need_time(name: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<(Duration, Span)> {
    let value = args.need_time(name, sink);
    args.finish(sink);
    value
}
