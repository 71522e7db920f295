//! `default_namespace`: that of the `bind` and `server` lines of a proxy that say nothing of it.

use netns_core::NetnsSpec;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::namespaces;
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::model::{BindNetns, ServerNetns};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "default_namespace",
    side: Side::Both,
    heredity: Heredity::Setting,
    apply: default_namespace,
    doc: Some(Doc {
        syntax: "default_namespace NETNS",
        default: "the namespace that nsproxy runs in",
        meaning: "The namespace of the proxy's `bind` and `server` lines that have neither `namespace` nor `no-namespace`, wherever they stand in the section. Only in nsproxy.",
        example: "default_namespace blue",
    }),
    parts: Vec::new,
};

/// Which namespace a line is about.
#[derive(Debug, Clone, Default)]
pub(super) enum Chosen<T> {
    /// The line does not say.
    #[default]
    Default,
    /// `no-namespace`: the one that nsproxy runs in.
    Home,
    /// `namespace`.
    Named(T),
}

fn default_namespace(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("default_namespace", "a name", sink) else {
        return;
    };
    if let Some(netns) = namespaces::spec(word, sink) {
        set(
            draft,
            |settings| &mut settings.default_namespace,
            netns,
            ("default_namespace", word.span),
            args,
            sink,
        );
    }
}

/// Puts the lines of a section that leave it open into the default namespace, once the section has been read.
pub(in crate::lower) fn apply(draft: &mut Draft) {
    let Some(default) = &draft.settings.default_namespace else {
        return;
    };
    let netns: &NetnsSpec = &default.value;
    for &index in &draft.unplaced_binds {
        draft.binds[index].0.netns = Some(BindNetns::Named(netns.clone()));
    }
    for &index in &draft.unplaced_servers {
        draft.servers[index].netns = ServerNetns::Named(netns.clone());
    }
}
