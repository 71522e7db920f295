//! `log`, `log-tag`, `log-format` and `log-format-sd` of a proxy.

use std::rc::Rc;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::format::{DraftFormat, format as read};
use crate::lower::log_target;
use crate::lower::settings::{Set, Settings, set};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static LOG: Directive = Directive {
    name: "log",
    side: Side::Both,
    heredity: Heredity::Setting,
    apply: log,
    doc: Some(Doc {
        syntax: "log global|TARGET [len N] [format FORMAT] FACILITY [LEVEL [MINLEVEL]]",
        default: "none",
        meaning: "Writes a line for each session of a frontend there, as the statements below say, and what there is to say \
                  about the health of a backend's servers; a second one adds a target, and `no log` \
                  takes all away. `global` stands for those of `global`. A target is `stdout`, `stderr`, `fd@N`, the \
                  path of a unix socket, or the address of a syslog server.",
        example: "log stdout format raw local0",
    }),
    parts: Vec::new,
};

pub(in crate::lower) static TAG: Directive = Directive {
    name: "log-tag",
    side: Side::Both,
    heredity: Heredity::Setting,
    apply: tag,
    doc: Some(Doc {
        syntax: "log-tag NAME",
        default: "that of `global`",
        meaning: "The name of the program in log messages.",
        example: "log-tag tenants",
    }),
    parts: Vec::new,
};

pub(in crate::lower) static FORMAT: Directive = Directive {
    name: "log-format",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: |draft, args, sink| format(draft, |settings| &mut settings.log_line, args, sink),
    doc: Some(Doc {
        syntax: "log-format FORMAT",
        default: "none",
        meaning: "The line of a session that has ended, with HAProxy's variables of TCP, and in `%[...]` what conditions can ask: a fetch and its \
                  converters. What the client sends and its PROXY header say is remembered from before the server got it, up to 1024 bytes of a value.",
        example: "log-format \"%ci:%cp %[fc_netns] %[req.ssl_sni,lower] %b/%s %ts\"",
    }),
    parts: Vec::new,
};

pub(in crate::lower) static DATA: Directive = Directive {
    name: "log-format-sd",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: |draft, args, sink| format(draft, |settings| &mut settings.log_data, args, sink),
    doc: Some(Doc {
        syntax: "log-format-sd FORMAT",
        default: "none",
        meaning: "The structured data of messages in the format `rfc5424`.",
        example: "log-format-sd \"[ns@1 client=\\\"%[fc_netns]\\\"]\"",
    }),
    parts: Vec::new,
};

pub(in crate::lower) static UNIQUE_ID: Directive = Directive {
    name: "unique-id-format",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: unique_id,
    doc: Some(Doc {
        syntax: "unique-id-format FORMAT",
        default: "none",
        meaning: "What a session is called: `%ID` in log formats, and to servers with `proxy-v2-options unique-id`. A format \
                  as with `log-format`; `%rt` is a number that no other session has.",
        example: "unique-id-format \"%{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid\"",
    }),
    parts: Vec::new,
};

fn log(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let target = if args.peek().is_some_and(|word| word.text == "global") {
        args.next();
        args.finish(sink);
        None
    } else {
        match log_target::parse(args, sink) {
            Some(target) => Some(target),
            None => return,
        }
    };
    Rc::make_mut(&mut draft.settings_mut().logs).push(target);
}

fn tag(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("log-tag", "a name", sink) else {
        return;
    };
    let named = ("log-tag", args.span());
    set(
        draft,
        |settings| &mut settings.log_tag,
        word.text[..].into(),
        named,
        args,
        sink,
    );
}

fn format(
    draft: &mut Draft,
    slot: fn(&mut Settings) -> &mut Option<Set<Rc<DraftFormat>>>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    let keyword = args.keyword().text.clone();
    let Some(word) = args.need(&keyword, "a format", sink) else {
        return;
    };
    let own = draft.own_backend();
    if let Some(read) = read(word, own.as_deref(), sink) {
        set(draft, slot, Rc::new(read), (&keyword, args.span()), args, sink);
    }
}

fn unique_id(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let word = args.peek();
    format(draft, |settings| &mut settings.unique_id, args, sink);
    if let Some((set, word)) = draft.settings.unique_id.as_ref().zip(word)
        && set.value.format.template().has_unique_id()
        && *word.text == *set.value.format.to_string()
    {
        sink.error(word.span, "an identifier cannot be made of itself (`%ID`)");
    }
}
