//! `mode`.

use crate::keywords;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::{Mode, set};
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "mode",
    side: Side::Both,
    heredity: Heredity::Setting,
    apply: mode,
    doc: Some(Doc {
        syntax: "mode tcp",
        default: "tcp",
        meaning: "Relay bytes and do not look into them. It is the only mode. A `defaults` may say `mode http`, as \
                  Debian's does, when each proxy says `mode tcp`.",
        example: "mode tcp",
    }),
    parts: Vec::new,
};

fn mode(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("mode", "a mode", sink) else {
        return;
    };
    let known = keywords::MODES.words().find(|&name| name == word.text);
    let value = match known.and_then(|name| Some((name, keywords::MODES.find(name)?))) {
        Some((name, known)) => Mode::Refused(name, known.why),
        None if word.text == "tcp" => Mode::Tcp,
        None => {
            let choice = Choice {
                what: "mode",
                section: None,
                supported: &["tcp"],
                known: &keywords::MODES,
            };
            sink.not_supported(word, &shown(word), &choice);
            return;
        }
    };
    set(
        draft,
        |settings| &mut settings.mode,
        value,
        ("mode", word.span),
        args,
        sink,
    );
}
