//! What a `server` line says of the PROXY header that the server gets.

use crate::lower::args::Args;
use crate::lower::format::format;
use crate::lower::rules::Asked;
use crate::lower::sink::{Sink, shown};
use crate::model::{ComposedTlv, ProxyHeader};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;

/// The options of one line.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderOptions {
    /// The version, and where it is chosen.
    version: Option<(Version, Span)>,
    /// The same of the `default-server` lines before.
    inherited: Option<(Version, Span)>,
    /// `proxy-v2-options`.
    listed: Option<Span>,
    crc32c: bool,
    unique_id: bool,
    authority: bool,
    pub(super) pass_proxy: Option<Span>,
    /// `set-proxy-v2-tlv-fmt`, and where the first one is.
    composed: Vec<ComposedTlv>,
    composed_at: Option<Span>,
    /// What their formats ask about.
    asked: Vec<Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// What `proxy-v2-options` may list in HAProxy, and nsproxy does not support.
const FOREIGN: [&str; 5] = ["cert-cn", "cert-key", "cert-sig", "ssl", "ssl-cipher"];
const SUPPORTED: [&str; 3] = ["crc32c", "unique-id", "authority"];

/// Types of TLVs that say what nsproxy answers for itself.
const OWN_TYPES: [(u8, &str); 2] = [
    (0x03, "the checksum is put in by `proxy-v2-options crc32c`"),
    (
        0x30,
        "which namespace the header names is for `namespace_list` and the `bind` line to say",
    ),
];

impl HeaderOptions {
    /// What another line begins with that comes after this one.
    pub(super) fn inherited(&self) -> Self {
        Self {
            version: None,
            inherited: self.chosen(),
            ..self.clone()
        }
    }

    /// Forgets what the lines before have chosen.
    pub(super) fn take_back(&mut self, version: Version) {
        self.inherited.take_if(|(chosen, _)| *chosen == version);
    }

    fn chosen(&self) -> Option<(Version, Span)> {
        self.version.or(self.inherited)
    }

    pub(super) fn choose(&mut self, version: Version, word: &Word<'_>, sink: &mut Sink<'_>) {
        if let Some((_, first)) = self.version {
            let error = Diagnostic::error(word.span, "a connection begins with one PROXY header, not two");
            sink.push(
                error
                    .with_related(first, "already chosen here")
                    .with_help("remove `send-proxy` or `send-proxy-v2`"),
            );
        }
        self.version = Some((version, word.span));
    }

    /// `proxy-v2-options`.
    pub(super) fn list(&mut self, option: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
        let Some(word) = args.need("proxy-v2-options", "a list such as `crc32c`", sink) else {
            return;
        };
        self.listed = Some(option.span.to(word.span));
        let mut at = 0;
        for item in word.text.split(',') {
            let span = word.part(at..at + item.len());
            at += item.len() + 1;
            match item {
                "crc32c" => self.crc32c = true,
                "unique-id" => self.unique_id = true,
                "authority" => self.authority = true,
                _ if FOREIGN.contains(&item) => {
                    let error = Diagnostic::error(
                        span,
                        format!("nsproxy does not support `{item}` in `proxy-v2-options`"),
                    );
                    sink.push(error.with_help(
                        "to hand on what the client's own PROXY header says of this, use `pass-proxy` instead",
                    ));
                }
                _ => {
                    let message = format!("there is no `{item}` in `proxy-v2-options`");
                    let help = match sink.nearest(item, SUPPORTED) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "nsproxy supports `crc32c`, `unique-id` and `authority`".to_owned(),
                    };
                    sink.push(Diagnostic::error(span, message).with_help(help));
                }
            }
        }
    }

    /// `set-proxy-v2-tlv-fmt(TYPE) FORMAT`.
    pub(super) fn add(&mut self, option: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
        self.composed_at.get_or_insert(option.span);
        let kind = kind(option, sink);
        let Some(word) = args.need(&option.text, "a format", sink) else {
            return;
        };
        let read = format(word, None, sink);
        if let (Some(kind), Some(read)) = (kind, read) {
            self.asked.extend(read.asked);
            self.composed.push(ComposedTlv {
                kind,
                value: read.format,
            });
        }
    }

    /// The header that the options ask for together. What they ask about goes to `asked`.
    pub(super) fn header(mut self, asked: &mut Vec<Asked>, sink: &mut Sink<'_>) -> Option<ProxyHeader> {
        asked.append(&mut self.asked);
        if let Some((Version::V2, _)) = self.chosen() {
            return Some(ProxyHeader::V2 {
                crc32c: self.crc32c,
                unique_id: self.unique_id,
                authority: self.authority,
                pass_proxy: self.pass_proxy.is_some(),
                composed: self.composed,
            });
        }
        let without_effect = [
            ("proxy-v2-options", self.listed),
            ("set-proxy-v2-tlv-fmt", self.composed_at),
        ];
        for (name, span) in without_effect {
            if let Some(span) = span {
                // HAProxy takes it without a word.
                let warning =
                    Diagnostic::warning(span, format!("`{name}` does nothing without `send-proxy-v2`"));
                sink.push(warning.with_help("add `send-proxy-v2` to the line, or remove this"));
            }
        }
        if let Some(span) = self.pass_proxy {
            let error = Diagnostic::error(
                span,
                "`pass-proxy` needs `send-proxy-v2`: only that header has TLVs",
            );
            sink.push(error.with_help("add `send-proxy-v2` to the line"));
        }
        self.chosen().map(|_| ProxyHeader::V1)
    }
}

/// The type in the brackets of `set-proxy-v2-tlv-fmt(TYPE)`.
fn kind(option: &Word<'_>, sink: &mut Sink<'_>) -> Option<u8> {
    let inside = option
        .text
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    let Some(text) = inside else {
        let error = Diagnostic::error(option.span, "the type of the TLV is missing");
        sink.push(error.with_help("write it in brackets, as in `set-proxy-v2-tlv-fmt(0xe1)`"));
        return None;
    };
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let parsed = match hexadecimal {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let digits = hexadecimal.unwrap_or(text);
    let Some(kind) = parsed.ok().filter(|_| !digits.starts_with('+')) else {
        sink.error(
            option.span,
            format!(
                "`{}` names no type of a TLV: that is a number of up to 255",
                shown(option)
            ),
        );
        return None;
    };
    if let Some((_, why)) = OWN_TYPES.iter().find(|(own, _)| *own == kind) {
        let error = Diagnostic::error(option.span, format!("a TLV of type 0x{kind:02x} cannot be set"));
        sink.push(error.with_help(*why));
        return None;
    }
    Some(kind)
}
